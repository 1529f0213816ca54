"""Long answers when the kernel, or what we may have of it, refuses: they go the ordinary way, from where they are."""

import errno
import fcntl
import os
from hashlib import sha256

import pytest

from ingressd.proxy import splicing
from tests.wire.flow.long_answers import (
    BODY,
    DIGEST,
    LONG,
    SMALL,
    Kernel,
    Said,
    broken_descriptors,
    descriptors,
    download,
    head_of,
    narrow,
    only_client,
    only_record,
    running,
    serving,
    until_blocked,
)
from tests.wire.flow.support import GET


@pytest.mark.parametrize("where", ["pipe2", "epoll"])
async def test_no_descriptor_to_be_had(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    async with serving() as (gateway, client, _):
        await download(client)
        before, moved = descriptors(), kernel.moved
        with monkeypatch.context() as patch:
            broken_descriptors(patch, where)
            await download(client)
            assert kernel.moved == moved
            assert descriptors() == before
        await download(client)
        assert kernel.moved > moved
        assert descriptors() == before
        assert running(gateway) == 0


async def test_no_pipe_of_that_size(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has too much in pipes already; a small one would be slower than the ordinary path."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    async with serving() as (_, client, _):
        await download(client)
        before, calls = descriptors(), kernel.calls
        monkeypatch.setattr(fcntl, "fcntl", refuse)
        await download(client)
        assert kernel.calls == calls
        assert descriptors() == before


@pytest.mark.parametrize("call", [1, 2, 3, 4])
async def test_a_kernel_that_refuses_midway(kernel: Kernel, call: int) -> None:
    """From there on everything goes the ordinary way, and not a byte is lost or said twice."""
    async with serving() as (gateway, client, _):
        kernel.failures[call] = errno.EINVAL
        await download(client)
        assert kernel.calls == call
        assert running(gateway) == 0
        await download(client)
        assert kernel.calls > call
        records = await gateway.log.wait_for(2)  # type: ignore[attr-defined]
        assert [record.bytes_out for record in records] == [len(BODY)] * 2


@pytest.mark.parametrize("call", [4, 5, 6])
async def test_a_kernel_that_refuses_while_the_client_is_behind(kernel: Kernel, call: int) -> None:
    said = Said()
    async with serving(said.script, buffer=SMALL) as (gateway, client, _):
        await narrow(gateway)
        kernel.failures[call] = errno.ENOMEM
        await client.send(GET)
        await said.say(head_of(len(BODY)))
        await client.reader.readuntil(b"\r\n\r\n")
        said.write(BODY)
        await until_blocked(gateway)
        assert sha256(await client.reader.readexactly(len(BODY))).digest() == DIGEST
        assert kernel.calls == call
        assert not only_client(gateway).write_paused
        assert await only_record(gateway) == (200, len(BODY))


async def test_the_last_bytes_the_ordinary_way(kernel: Kernel) -> None:
    """Refused when all was read, and only the pipe is to be emptied."""
    said = Said(buffer=1 << 20)
    async with serving(said.script) as (gateway, client, _):
        kernel.failures[2] = errno.EINVAL
        await client.send(GET)
        await said.say(head_of(LONG))
        await client.reader.readuntil(b"\r\n\r\n")
        said.write(BODY[:LONG])
        assert await client.reader.readexactly(LONG) == BODY[:LONG]
        assert kernel.moved == 0
        assert await only_record(gateway) == (200, LONG)
        assert gateway.gateway.pool.idle == 1


async def test_an_error_of_ours_cuts_the_client_off(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not spin, nor stay."""

    def fails(_: object) -> None:
        raise KeyError("a bug")

    async with serving() as (gateway, client, _):
        with monkeypatch.context() as patch:
            patch.setattr(splicing.Splice, "_pull", fails)
            assert not (await client.ask(GET)).complete
        assert (await only_record(gateway))[0] == 200
