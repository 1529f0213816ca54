"""The sample backends, over real sockets."""

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import websockets

from ingressd.demo import prepare, run_backends, serve_backends
from ingressd.demo.plan import Backend


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    plan = prepare(tmp_path, http_port=0, https_port=0)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_backends(plan))
        yield plan.backends[0]
        running.cancel()
    plan.close()


async def exchange(backend: Backend, sent: bytes) -> bytes:
    """Everything the backend says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", backend.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


JSON_REQUEST = b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\nConnection: close\r\n\r\n"


async def test_json(backend: Backend) -> None:
    head, _, body = (await exchange(backend, JSON_REQUEST)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body) == {
        "service": "offers",
        "endpoint": f"127.0.0.1:{backend.port}",
        "method": "GET",
        "path": "/a?b=c",
        "headers": [["Host", "shop.example"], ["Accept", "application/json"], ["Connection", "close"]],
        "body_bytes": 0,
    }


async def test_text(backend: Backend) -> None:
    answer = await exchange(backend, b"GET /x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
    assert f"service offers, endpoint 127.0.0.1:{backend.port}\n\nGET /x\nHost: shop.example\n".encode() in answer


async def test_keep_alive_with_bodies_of_both_kinds(backend: Backend) -> None:
    answer = await exchange(
        backend,
        b"POST /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n"
        b"A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
        b"HEAD /3 HTTP/1.1\r\n\r\n"
        b"GET /4 HTTP/1.0\r\n\r\n",
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert b"(3 bytes of body)" in answer
    assert b"(13 bytes of body)" in answer
    assert b"HEAD /3" not in answer
    assert b"GET /4" in answer


async def test_expect_continue(backend: Backend) -> None:
    sent = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    assert (await exchange(backend, sent)).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_refusals(backend: Backend, sent: bytes) -> None:
    assert (await exchange(backend, sent)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
async def test_websocket_echo(backend: Backend, size: int) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{backend.port}/ws", compression=None, proxy=None) as connection:
        await connection.send("x" * size)
        assert await connection.recv() == "x" * size
        await connection.send(b"\x00\xff")
        assert await connection.recv() == b"\x00\xff"
        await (await connection.ping())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_child_process_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    plan = prepare(tmp_path, http_port=0, https_port=0)
    child = multiprocessing.get_context("fork").Process(target=serve_backends, args=(plan,))
    child.start()
    backend = plan.backends[-1]
    try:
        answer = await exchange(backend, JSON_REQUEST)
        assert b'"service": "welcome"' in answer
    finally:
        assert child.pid is not None
        os.kill(child.pid, number)
        await asyncio.to_thread(child.join, 20)
        plan.close()
    assert child.exitcode == 0
