"""Real connections over loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pycri.api_balancer import Address, Balancer


@asynccontextmanager
async def api_server(name: bytes) -> AsyncIterator[Address]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(name + b":" + data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


@asynccontextmanager
async def balanced(*servers: Address) -> AsyncIterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = Address("127.0.0.1", free.getsockname()[1])
    task = asyncio.create_task(Balancer(servers).serve(listen))
    try:
        yield listen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(address: Address) -> bytes:
    for _ in range(200):
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            break
        except OSError:
            await asyncio.sleep(0.01)
    writer.write(b"hello")
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await reader.read()  # the other side has ended, too
    writer.close()
    await writer.wait_closed()


def closed() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Address("127.0.0.1", free.getsockname()[1])


async def test_it_passes_on_both_ways_to_the_end() -> None:
    async with api_server(b"a") as one, balanced(one) as listen:
        assert await ask(listen) == b"a:hello"


async def test_a_server_that_is_gone_is_left_out() -> None:
    dead = closed()
    async with api_server(b"b") as other:
        balancer = Balancer((dead, other))
        for _ in range(2):
            connection = await balancer.connect()
            assert connection is not None
            await end(*connection)
        assert balancer._servers[0] == other, "the next connection does not try the dead one first"


async def test_with_nobody_there_the_client_is_told_at_once() -> None:
    async with balanced(closed()) as listen:
        assert await ask(listen) == b""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1:6443", Address("192.0.2.1", 6443)),
        ("[2001:db8::1]:6443", Address("2001:db8::1", 6443)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address
