"""One suite over all byte links: an in-memory pair, a real pty, a real TCP connection."""

import asyncio
import contextlib
import os
import random
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import ByteLink
from hal.errors import LinkLost, LinkUnavailable
from hal.link import Descriptor, TcpLink, link_to, memory_pair, parse_address


@dataclass
class Rig:
    """A host's link, and the device's end of it."""

    link: ByteLink
    read: Callable[[], Awaitable[bytes]]
    write: Callable[[bytes], Awaitable[None]]
    hang_up: Callable[[], Awaitable[None]]
    more_than_fits: int  # bytes that no buffer on the way can hold
    twin: Callable[[], ByteLink] | None = None  # a second owner of the same port

    async def read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await self.read()
        return data


@contextlib.asynccontextmanager
async def memory_rig(_: Path) -> AsyncIterator[Rig]:
    near, far = memory_pair()
    await far.open()
    yield Rig(near, far.read, far.write, far.close, 1 << 18)


@contextlib.asynccontextmanager
async def pty_rig(_: Path) -> AsyncIterator[Rig]:
    master, slave = os.openpty()
    tty.setraw(slave)
    address = f"serial:{os.ttyname(slave)}"
    far = Descriptor(master, "far")
    fds = [master, slave]

    async def hang_up() -> None:
        far.release()
        while fds:
            os.close(fds.pop())

    yield Rig(link_to(address), far.read, far.write, hang_up, 1 << 18, lambda: link_to(address))
    await hang_up()


@contextlib.asynccontextmanager
async def tcp_rig(_: Path) -> AsyncIterator[Rig]:
    connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    ends: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.put_nowait((reader, writer))

    async def end() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not ends:
            ends.append(await connections.get())
        return ends[-1]

    async def read() -> bytes:
        while not (data := await (await end())[0].read(1 << 16)):
            ends.append(await connections.get())  # the host came back
        return data

    async def write(data: bytes) -> None:
        writer = (await end())[1]
        writer.write(data)
        await writer.drain()

    async def hang_up() -> None:
        while not connections.empty():
            ends.append(connections.get_nowait())
        for _, writer in ends:
            writer.close()
        server.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Rig(link_to(f"tcp://127.0.0.1:{port}"), read, write, hang_up, 1 << 24)
    await hang_up()
    await server.wait_closed()


@pytest.fixture(params=[memory_rig, pty_rig, tcp_rig], ids=["memory", "pty", "tcp"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with request.param(tmp_path) as rig:
        yield rig
        await rig.link.close()


@pytest.fixture
async def opened(rig: Rig) -> Rig:
    await rig.link.open()
    return rig


async def test_every_byte_value_passes_both_ways(opened: Rig):
    data = bytes(range(256))
    await opened.link.write(data)
    assert await opened.read_exactly(256) == data
    await opened.write(data)
    got = b""
    while len(got) < 256:
        got += await opened.link.read()
    assert got == data


async def test_bytes_arrive_whole_and_in_order_both_ways_at_once(opened: Rig, rng: random.Random):
    out, back = rng.randbytes(200_000), rng.randbytes(200_000)

    async def read_back() -> bytes:
        got = b""
        while len(got) < len(back):
            got += await opened.link.read()
        return got

    sent, _, got_out, got_back = await asyncio.gather(
        opened.link.write(out), opened.write(back), opened.read_exactly(len(out)), read_back()
    )
    assert sent is None
    assert got_out == out
    assert got_back == back


async def test_read_returns_no_more_than_asked(opened: Rig):
    await opened.write(b"abcdef")
    parts = [await opened.link.read(4)]
    while len(b"".join(parts)) < 6:
        parts.append(await opened.link.read(4))
    assert b"".join(parts) == b"abcdef"
    assert max(map(len, parts)) <= 4


async def test_write_waits_while_the_far_end_does_not_read(opened: Rig, rng: random.Random):
    data = rng.randbytes(opened.more_than_fits)
    writing = asyncio.create_task(opened.link.write(data))
    for _ in range(200):
        await asyncio.sleep(0)
    assert not writing.done()
    assert await opened.read_exactly(len(data)) == data
    await writing


async def test_close_ends_a_pending_read(opened: Rig):
    reading = asyncio.create_task(opened.link.read())
    await asyncio.sleep(0)
    await opened.link.close()
    with pytest.raises(LinkLost):
        await reading


async def test_close_ends_a_pending_write(opened: Rig):
    writing = asyncio.create_task(opened.link.write(bytes(opened.more_than_fits)))
    await asyncio.sleep(0)
    await opened.link.close()
    with pytest.raises(LinkLost):
        await writing


async def test_hang_up_ends_a_pending_read_and_then_writes(opened: Rig):
    await opened.link.write(b"x")
    await opened.read_exactly(1)
    reading = asyncio.create_task(opened.link.read())
    await asyncio.sleep(0)
    await opened.hang_up()
    with pytest.raises(LinkLost):
        await reading

    async def write_on() -> None:  # TCP notices at the second packet
        while True:
            await opened.link.write(b"x")
            await asyncio.sleep(0)

    with pytest.raises(LinkLost):
        await write_on()


async def test_a_closed_link_says_so(rig: Rig):
    for _ in range(2):
        with pytest.raises(LinkLost):
            await rig.link.read()
        with pytest.raises(LinkLost):
            await rig.link.write(b"x")
        await rig.link.close()


async def test_closing_twice_is_harmless_and_it_opens_again(opened: Rig):
    await opened.link.close()
    await opened.link.close()
    await opened.link.open()
    await opened.link.write(b"here I am")
    assert await opened.read_exactly(9) == b"here I am"
    await opened.write(b"again")
    assert await opened.link.read() == b"again"


async def test_opening_twice_is_refused(opened: Rig):
    with pytest.raises(LinkUnavailable, match="already open"):
        await opened.link.open()
    await opened.link.write(b"still mine")
    assert await opened.read_exactly(10) == b"still mine"


async def test_a_port_has_one_owner(opened: Rig):
    if opened.twin is None:
        return  # a TCP printer and a memory pair take or refuse a second owner by themselves
    second = opened.twin()
    with pytest.raises(LinkUnavailable, match="another program"):
        await second.open()


async def test_nothing_at_the_far_end_is_unavailable_and_named(rig: Rig):
    await rig.hang_up()
    with pytest.raises(LinkUnavailable) as refused:
        await rig.link.open()
    assert rig.link.address in str(refused.value)


async def test_a_tcp_write_returns_when_the_system_has_all_of_it(tmp_path: Path):
    async with tcp_rig(tmp_path) as rig:
        assert isinstance(rig.link, TcpLink)
        await rig.link.open()
        assert rig.link._writer is not None
        transport = rig.link._writer.transport
        for _ in range(rig.more_than_fits // 4096):
            writing = asyncio.create_task(rig.link.write(bytes(4096)))
            await asyncio.wait([writing], timeout=0.05)
            if not writing.done():
                break
            assert transport.get_write_buffer_size() == 0
        assert not writing.done()
        await rig.link.close()
        with pytest.raises(LinkLost):
            await writing


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("serial:ttyUSB0", "whole path"),
        ("serial:/dev/ttyUSB0?baud=fast", "baud must be"),
        ("serial:/dev/ttyUSB0?baud=1", "baud must be"),
        ("serial:/dev/ttyUSB0?speed=9600", "unknown option 'speed'"),
        ("tcp://printer", "host:port"),
        ("tcp://printer:99999", "Port out of range"),
        ("usb:1", "expected usb:/dev/usb/lpN"),
        ("lpt:1", "expected serial:"),
    ],
)
def test_a_wrong_address_is_refused_with_its_reason(text: str, says: str):
    with pytest.raises(ValueError, match=says):
        parse_address(text)


def test_addresses_are_read():
    assert parse_address("serial:/dev/ttyUSB0").baud == 115_200
    assert parse_address("serial:/dev/ttyS1?baud=9600").baud == 9600
    assert parse_address("tcp://[::1]:9100").target == "::1"
