"""Who may come in: nginx's access phase, its password files and its reading of Authorization beside ours."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ingressd.passwords import is_right
from ingressd.policy.address_list import AddressCheck, AddressLists, read_networks
from ingressd.policy.ask import Answer
from ingressd.policy.basic_auth import BasicAuth, BasicCheck
from ingressd.policy.htpasswd import check_cheap, is_cheap, read_auth_file
from ingressd.policy.satisfy import Access, Verdict
from tests.oracle.nginx import Nginx
from tests.test_passwords import HASHES, PASSWORD

# -- one password file, every kind

CHEAP = (
    b"{PLAIN}" + PASSWORD,
    b"{SHA}" + b64encode(sha1(PASSWORD).digest()),
    b"{SSHA}" + b64encode(sha1(PASSWORD + b"salt").digest() + b"salt"),
)
KINDS = {f"kind{number}": hashed for number, hashed in enumerate((*HASHES.values(), *CHEAP))}
ODD = b"""# kind of comment:{PLAIN}open sesame
#hidden:{PLAIN}open sesame

empty:
nocolon
 space:{PLAIN}open sesame
third:{PLAIN}open sesame:a comment
hash:{PLAIN}open#sesame
twice:{PLAIN}first
twice:{PLAIN}open sesame
unhashed:open sesame
cut:$apr1$abcdefgh$T64oOx
cutsha:{SHA}5GKgk0Zm
x2x:$2x$04$CrGt7DOjh
windows:{PLAIN}open sesame\r
:{PLAIN}open sesame
last:{PLAIN}open sesame"""
FILE = b"".join(f"{user}:".encode() + hashed + b"\n" for user, hashed in sorted(KINDS.items())) + ODD
USERS = [
    *KINDS,
    *("empty", "nocolon", "third", "hash", "twice", "unhashed", "cut", "cutsha", "x2x", "windows", "last"),
    *("nobody", "#hidden", " space", ""),
]
LOGINS = [b"%b:%b" % (user.encode(), word) for user in USERS for word in (PASSWORD, b"wrong", b"")]
LOGINS += [b"twice:first", b"hash:open#sesame", b"hash:open", b"last:open sesame:", b"unhashed:open sesame:a"]

# nginx takes whatever the C library's crypt takes. Debian's takes more than the Alpine's below the retired controller.
MORE_THAN_OURS = {
    "yescrypt": b"$y$j9T$abcdefghijklmnop$eGyjAiVfgW5OYCicb.sdOKKTHoUXqY6W9IY0nTUzXz7",
    "2x": b"$2x$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW",
    "BSDi": b"_J9..rasmUh306GzDvJ2",
}

FIELDS = [
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"BASIC    QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=",
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ===",
    b"Basic\tQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"Basic QWxhZGRpbg==",
    b"Basic OnBhc3M=",
    b"Basic Q",
    b"Basic",
    b"Basic ",
    b"",
]


def basic(login: bytes) -> bytes:
    return b"Basic " + b64encode(login)


def as_field(authorization: bytes | None) -> str:
    return "" if authorization is None else f"Authorization: {authorization.decode('latin-1')}\r\n"


def verdict_of(check: BasicCheck, authorization: bytes | None) -> Verdict | Answer:
    question = check.question(authorization)
    if question is None:
        return check.refusal
    ask = check_cheap if is_cheap(question.hash) else is_right
    return check.verdict(question, ask(question.hash, question.password))


def check_of(data: bytes) -> BasicCheck:
    return BasicCheck(BasicAuth("users:a", "here"), read_auth_file(data)[0])


# -- satisfy

LISTS = {
    "none": AddressLists(),
    "allowed": AddressLists(allow=read_networks("127.0.0.0/8")),
    "not-allowed": AddressLists(allow=read_networks("192.0.2.0/24,10.0.0.1")),
    "denied": AddressLists(deny=read_networks("127.0.0.1")),
    "not-denied": AddressLists(deny=read_networks("192.0.2.1")),
    "deny-first": AddressLists(read_networks("127.0.0.1"), read_networks("127.0.0.0/8")),
}
BASICS = {"none": None, "right": b"Basic " + b64encode(b"a:b"), "wrong": b"Basic " + b64encode(b"a:c"), "absent": b""}
EXTERNALS = {"none": None, "e200": 200, "e401": 401, "e403": 403, "e500": 500, "e302": 302}
CASES = {
    "-".join(names): names for names in product(("all", "any"), LISTS, BASICS, EXTERNALS) if names[1:] != ("none",) * 3
}


def server_of(satisfy: str, addresses: str, basic_auth: str, external: str, users: Path) -> str:
    lists, status = LISTS[addresses], EXTERNALS[external]
    lines = [f"satisfy {satisfy};", *(f"deny {one};" for one in lists.deny), *(f"allow {one};" for one in lists.allow)]
    lines += ["deny all;"] if lists.allow else []
    lines += [f'auth_basic "here"; auth_basic_user_file {users};'] if basic_auth != "none" else []
    lines += [f"auth_request /auth{status};"] if status else []
    # Only a challenge of somebody else's is passed on: that of a server here whose password file is empty.
    asks = "proxy_set_header Host empty; proxy_pass http://$server_addr:$server_port/;"
    answers = asks if status == 401 else f"return {status or 200};"
    return f"location / {{ {' '.join(lines)} empty_gif; }} location /auth {{ {answers} }}"


def external_verdict(status: int) -> Verdict | Answer:
    if status == 200:
        return Verdict.PASSED
    fields = b'WWW-Authenticate: Basic realm="here"\r\n' if status == 401 else b""
    return Answer(status if status in (401, 403) else 500, "external", fields)


def ours(satisfy: str, addresses: str, basic_auth: str, external: str) -> Answer | None:
    access, status, authorization = Access(is_any=satisfy == "any"), EXTERNALS[external], BASICS[basic_auth]
    if LISTS[addresses] != AddressLists() and access.settles(AddressCheck(LISTS[addresses]).check("127.0.0.1")):
        return access.answer
    if authorization is not None and access.settles(verdict_of(check_of(b"a:{PLAIN}b"), authorization or None)):
        return access.answer
    if status is not None:
        access.settles(external_verdict(status))
    return access.answer


@pytest.fixture(scope="module")
def nginx(nginx_program: str, password_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    servers = {
        file.name: f'location / {{ auth_basic "here"; auth_basic_user_file {file}; empty_gif; }}'
        for file in password_files.iterdir()
    }
    servers |= {name: server_of(*case, password_files / "one") for name, case in CASES.items()}
    with Nginx(nginx_program, tmp_path_factory.mktemp("nginx"), servers) as running:
        yield running


@pytest.fixture(scope="module")
def password_files() -> Iterator[Path]:
    """Where everybody may read: run as root, nginx answers as another user."""
    files = {
        "empty": b"",
        "file": FILE,
        "more": b"".join(f"{user}:".encode() + hashed + b"\n" for user, hashed in MORE_THAN_OURS.items()),
        "fields": b"Aladdin:{PLAIN}open sesame\n",
        "one": b"a:{PLAIN}b\n",
    }
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        for file, data in files.items():
            (directory / file).write_bytes(data)
        yield directory


def status_of(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


@pytest.mark.parametrize("login", LOGINS)
def test_logins(nginx: Nginx, login: bytes) -> None:
    seen = status_of(nginx.ask("/", "file", fields=as_field(basic(login))))
    assert seen in (200, 401)
    assert (verdict_of(check_of(FILE), basic(login)) is Verdict.PASSED) is (seen == 200)


@pytest.mark.parametrize("user", KINDS)
def test_every_kind_is_accepted_by_nginx(nginx: Nginx, user: str) -> None:
    """So that the test above is not about refusals only."""
    assert status_of(nginx.ask("/", "file", fields=as_field(basic(user.encode() + b":" + PASSWORD)))) == 200


@pytest.mark.parametrize("user", MORE_THAN_OURS)
def test_kinds_that_only_debian_s_nginx_accepts(nginx: Nginx, user: str) -> None:
    hashed, login = MORE_THAN_OURS[user], basic(f"{user}:".encode() + PASSWORD)
    assert status_of(nginx.ask("/", "more", fields=as_field(login))) == 200
    users, [problem] = read_auth_file(user.encode() + b":" + hashed)
    assert "of a kind that is not known" in problem
    assert verdict_of(BasicCheck(BasicAuth("users:a"), users), login) != Verdict.PASSED


@pytest.mark.parametrize("field", FIELDS)
def test_authorization(nginx: Nginx, field: bytes) -> None:
    seen = nginx.ask("/", "fields", fields=as_field(field))
    verdict = verdict_of(check_of(b"Aladdin:{PLAIN}open sesame"), field)
    assert (verdict is Verdict.PASSED) is (status_of(seen) == 200)
    if isinstance(verdict, Answer):
        assert status_of(seen) == verdict.status
        assert verdict.fields.decode() in seen


def test_what_follows_the_padding_is_ignored_by_nginx_only(nginx: Nginx) -> None:
    field = b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, and more"
    assert status_of(nginx.ask("/", "fields", fields=as_field(field))) == 200
    assert verdict_of(check_of(b"Aladdin:{PLAIN}open sesame"), field) != Verdict.PASSED


@pytest.mark.parametrize("name", CASES)
def test_satisfy(nginx: Nginx, name: str) -> None:
    authorization = BASICS[CASES[name][2]] or None
    seen = nginx.ask("/", name, fields=as_field(authorization))
    answer = ours(*CASES[name])
    assert status_of(seen) == (answer.status if answer else 200)
    if status_of(seen) == 500:
        return  # nginx leaves the challenge of an earlier check in it, which tells a client nothing
    told = answer.fields.decode().splitlines() if answer else []
    assert [line for line in seen.splitlines() if line.startswith("WWW-Authenticate")] == told
