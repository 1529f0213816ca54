"""The set-up scripts tell a person what is missing, in one line, and do nothing when there is nothing to do."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

# What the scripts use of a POSIX system; PATH holds these and no more, so that the machine's own Pythons and tools
# have no say.
POSIX = ("sh", "dirname", "cmp", "rm", "cp", "mv", "ls", "sort", "tr", "id", "cat")
UNFIT = "exit 1"
FIT = "exit 0"
NO_VENV = 'case "$*" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac'


@pytest.fixture
def bin_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in POSIX:
        found = shutil.which(tool)
        assert found, tool
        (directory / tool).symlink_to(found)
    return directory


@pytest.fixture
def run(checkout: Path, bin_directory: Path) -> Run:
    def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [checkout / "scripts" / script, *arguments],
            env={"PATH": str(bin_directory), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def the_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    return line


def test_no_python(run: Run, tmp_path: Path) -> None:
    assert "install Python 3.11 or newer" in the_line(run("venv", str(tmp_path / "venv")))


def test_old_python(run: Run, tmp_path: Path, bin_directory: Path) -> None:
    write_program(bin_directory / "python3", UNFIT)
    assert "python3 is missing or older than Python 3.11" in the_line(run("venv", str(tmp_path / "venv")))


def test_python_that_was_asked_for_is_not_replaced(run: Run, tmp_path: Path, bin_directory: Path) -> None:
    write_program(bin_directory / "python3", FIT)
    assert "/no/python is missing" in the_line(run("venv", str(tmp_path / "venv"), "/no/python"))


def test_python_without_venv(run: Run, tmp_path: Path, bin_directory: Path) -> None:
    write_program(bin_directory / "python3", UNFIT)
    write_program(bin_directory / "python3.11", NO_VENV)
    line = the_line(run("venv", str(tmp_path / "venv")))
    assert "python3.11 has no venv module" in line
    assert "apt-get install python3.11-venv" in line


@pytest.mark.parametrize(("option", "stamp"), [([], ".run"), (["--test"], ".test")], ids=["run", "test"])
def test_finished_environment_is_left_alone(
    run: Run, checkout: Path, tmp_path: Path, option: list[str], stamp: str
) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(checkout / "pyproject.toml", tmp_path / "venv" / stamp)
    result = run("venv", *option, str(tmp_path / "venv"))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_environment_of_another_pyproject_is_done_again(run: Run, tmp_path: Path, bin_directory: Path) -> None:
    """Installing is beyond this test: the program in the environment's place says what it was asked."""
    python = tmp_path / "venv" / "bin" / "python"
    write_program(python, 'case "$*" in *pip*) echo "$*"; exit 7;; esac')
    (tmp_path / "venv" / ".test").write_text("[project]\n")
    result = run("venv", "--test", str(tmp_path / "venv"))
    assert (result.returncode, "install" in result.stdout) == (7, True)
    assert not (tmp_path / "venv" / ".test").exists()


def test_matrix_says_what_it_finds(run: Run, tmp_path: Path, bin_directory: Path) -> None:
    versions = tmp_path / "pyenv" / "versions"
    write_program(versions / "3.12.9" / "bin" / "python", UNFIT)
    write_program(versions / "3.12.10" / "bin" / "python", FIT)
    write_program(bin_directory / "python3.13", UNFIT)  # a shim with nothing behind it
    write_program(bin_directory / "python3.14", FIT)
    result = run("matrix", "--list", PYENV_ROOT=str(tmp_path / "pyenv"))
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"CPython 3.12: {versions}/3.12.10/bin/python",
        "CPython 3.13: not found",
        "CPython 3.14: python3.14",
    ]


def test_missing_tools_are_named(run: Run, bin_directory: Path) -> None:
    write_program(bin_directory / "curl", FIT)
    line = the_line(run("system-packages", SBIN="/nowhere"))
    assert "missing tools: haproxy nginx openssl ps" in line
    assert "make tools" in line


def test_nothing_is_missing(run: Run, bin_directory: Path) -> None:
    for tool in ("curl", "haproxy", "nginx", "openssl", "ps"):
        write_program(bin_directory / tool, FIT)
    result = run("system-packages", SBIN="/nowhere")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
