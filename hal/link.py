"""Byte links: serial (pyserial), TCP, and an in-memory pair. All async, none blocks the loop.

An address says which one: ``serial:/dev/ttyUSB0?baud=115200`` or ``tcp://192.0.2.7:9100``. A pad's
may be ``rs485:/dev/ttyUSB0?baud=115200#5``: the bus at that port, the pad with address 5 on it. A
USB printer has ``usb:/dev/usb/lp0``, a card reader that types has ``evdev:/dev/input/by-id/NAME``.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from hal.api import ByteLink
from hal.errors import LinkLost, LinkUnavailable
from hal.link_memory import MemoryLink, memory_pair
from hal.registry import backend

if TYPE_CHECKING:
    import serial

__all__ = [
    "DEFAULT_BAUD",
    "Address",
    "Descriptor",
    "MemoryLink",
    "SerialLink",
    "TcpLink",
    "link_to",
    "memory_pair",
    "parse_address",
]

DEFAULT_BAUD = 115_200
FILES = {"evdev": "/dev/input/by-id/NAME", "usb": "/dev/usb/lpN"}
"""Schemes that name a device file and nothing else."""
BAUD_RANGE = range(300, 4_000_001)
"""From the slowest printer still sold to the fastest the Linux serial layer knows."""
BUS_ADDRESSES = range(1, 32)
"""As firmware.pad.turns.ADDRESSES."""
CONNECT_TIMEOUT_S = 3.0
"""A printer on the branch's own network answers in milliseconds; this covers a sleepy one."""
CLOSE_TIMEOUT_S = 1.0
"""How long a closing TCP link tries to deliver what it still holds before it drops it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed link address; ``scheme`` is a backend name of the registry."""

    scheme: str
    target: str
    port: int = 0
    baud: int = DEFAULT_BAUD
    station: int = 0  # on a bus


def parse_address(text: str) -> Address:
    """Read ``serial:/dev/ttyUSB0?baud=9600``, ``rs485:/dev/ttyUSB0#5`` or ``tcp://host:port``.

    Raises ValueError.
    """
    parts = urlsplit(text)
    if parts.scheme in ("serial", "rs485"):
        station = 0
        if parts.scheme == "rs485":
            is_number = parts.fragment.isascii() and parts.fragment.isdigit()
            station = int(parts.fragment) if is_number else 0
            if station not in BUS_ADDRESSES:
                raise ValueError(
                    f"{text!r}: expected #N at the end, the pad's address on the bus, 1 to"
                    f" {BUS_ADDRESSES[-1]}"
                )
        elif parts.fragment:
            raise ValueError(f"{text!r}: only a pad on a bus (rs485:) has an address behind #")
        if not parts.path.startswith("/"):
            raise ValueError(
                f"{text!r}: expected {parts.scheme}:/dev/NAME, with the device's whole path"
            )
        query = parse_qs(parts.query, keep_blank_values=True)
        unknown = set(query) - {"baud"}
        if unknown:
            raise ValueError(f"{text!r}: unknown option {min(unknown)!r}, only baud is known")
        baud_text = query.get("baud", [str(DEFAULT_BAUD)])[-1]
        is_number = baud_text.isascii() and baud_text.isdigit()
        if not is_number or int(baud_text) not in BAUD_RANGE:
            raise ValueError(f"{text!r}: baud must be a whole number from 300 to 4000000")
        return Address(parts.scheme, parts.path, baud=int(baud_text), station=station)
    if parts.scheme in FILES:
        if not parts.path.startswith("/") or parts.query or parts.fragment:
            raise ValueError(f"{text!r}: expected {parts.scheme}:{FILES[parts.scheme]}")
        return Address(parts.scheme, parts.path)
    if parts.scheme == "tcp":
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from error
        if not parts.hostname or not port:
            raise ValueError(f"{text!r}: expected tcp://host:port, for example tcp://printer:9100")
        return Address("tcp", parts.hostname, port=port)
    raise ValueError(f"{text!r}: expected serial:/dev/NAME or tcp://host:port")


def link_to(text: str) -> ByteLink:
    """Build the link for an address (not opened). Raises ValueError, UnknownBackend."""
    address = parse_address(text)
    link: ByteLink = backend("link", address.scheme)(text, address)
    return link


class Descriptor:
    """A non-blocking file descriptor as a byte stream. One reader and one writer at a time.
    ``ends_empty``: no bytes mean that the far end hung up.

    It does not own the descriptor: call :meth:`release` first, then close what is behind it.
    """

    ends_empty = True

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name
        self._waiting: set[asyncio.Future[None]] = set()
        self._reader: asyncio.Future[None] | None = None
        self._watched = False
        os.set_blocking(fd, False)

    async def read(self, limit: int = 4096) -> bytes:
        """Wait for bytes, return at most ``limit``. Raises LinkLost."""
        while True:
            fd = self._live()
            try:
                data = os.read(fd, limit)
            except BlockingIOError:
                await self._ready(fd, reading=True)
                continue
            except OSError as error:
                raise LinkLost(f"{self._name}: {error}") from error
            if not data and self.ends_empty:
                raise LinkLost(f"{self._name}: the far end hung up")
            return data

    async def write(self, data: bytes) -> None:
        """Return when the operating system has all of ``data``. Raises LinkLost."""
        rest = memoryview(data)
        while rest:
            fd = self._live()
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                await self._ready(fd, reading=False)
            except OSError as error:
                raise LinkLost(f"{self._name}: {error}") from error

    def release(self) -> None:
        """Stop watching the descriptor; pending reads and writes end with LinkLost."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        self._watched = False
        for future in self._waiting:
            _wake(future)

    def _live(self) -> int:
        if self._fd < 0:
            raise LinkLost(f"{self._name}: closed")
        return self._fd

    async def _ready(self, fd: int, *, reading: bool) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        try:
            if reading:
                self._reader = future
                if not self._watched:
                    self._watched = True
                    loop.add_reader(fd, self._readable, fd)
            else:
                loop.add_writer(fd, _wake, future)
            await future
        finally:
            self._waiting.discard(future)
            # After release() the number may already belong to another file.
            if self._fd == fd and not reading:
                loop.remove_writer(fd)

    def _readable(self, fd: int) -> None:
        """Wake the reader; the watch stays, it costs more than a press's way through the driver.

        It goes when there are bytes and nobody waits for them.
        """
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
        elif self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(fd)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class SerialLink:
    """A serial port through pyserial, read and written by the loop's own file descriptor watch."""

    def __init__(self, text: str, address: Address) -> None:
        self._text = text
        self._address = address
        self._port: serial.Serial | None = None
        self._stream: Descriptor | None = None

    @property
    def address(self) -> str:
        return self._text

    async def open(self) -> None:
        import serial

        if self._port is not None:
            raise LinkUnavailable(f"{self._text}: already open; a port has one owner")
        try:
            # An inter-byte time-out of 0 makes pyserial set VMIN to 1: an empty line then reads as
            # EAGAIN. With its default, 0, it reads as b"", which looks like a hang-up.
            port = serial.Serial(
                self._address.target,
                baudrate=self._address.baud,
                timeout=0,
                inter_byte_timeout=0,
                exclusive=True,
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkUnavailable(
                f"{self._text}: cannot open the port ({error}); is the device plugged in,"
                " is its path right, does another program hold it?"
            ) from error
        self._port, self._stream = port, Descriptor(port.fileno(), self._text)

    async def read(self, limit: int = 4096) -> bytes:
        return await self._live().read(limit)

    async def write(self, data: bytes) -> None:
        await self._live().write(data)

    async def close(self) -> None:
        port, self._port = self._port, None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.release()
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def _live(self) -> Descriptor:
        if self._stream is None:
            raise LinkLost(f"{self._text}: closed")
        return self._stream


class TcpLink:
    """A raw TCP stream, as network printers speak on port 9100."""

    def __init__(self, text: str, address: Address) -> None:
        self._text = text
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def address(self) -> str:
        return self._text

    async def open(self) -> None:
        if self._writer is not None:
            raise LinkUnavailable(f"{self._text}: already open; a port has one owner")
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(self._address.target, self._address.port),
                CONNECT_TIMEOUT_S,
            )
        except (OSError, TimeoutError) as error:
            reason = str(error) or f"no answer within {CONNECT_TIMEOUT_S:g} s"
            raise LinkUnavailable(
                f"{self._text}: cannot connect ({reason}); is the device on, is the address right?"
            ) from error
        # drain() then means "handed to the operating system", as the contract of write() says.
        writer.transport.set_write_buffer_limits(high=0)
        self._reader, self._writer = reader, writer

    async def read(self, limit: int = 4096) -> bytes:
        if self._reader is None:
            raise LinkLost(f"{self._text}: closed")
        try:
            data = await self._reader.read(limit)
        except OSError as error:
            raise LinkLost(f"{self._text}: {error}") from error
        if not data:
            raise LinkLost(f"{self._text}: the far end hung up")
        return data

    async def write(self, data: bytes) -> None:
        writer = self._writer
        if writer is None:
            raise LinkLost(f"{self._text}: closed")
        try:
            writer.write(data)
            await writer.drain()
        except OSError as error:
            raise LinkLost(f"{self._text}: {error}") from error
        if self._writer is not writer:  # closed while it waited for room
            raise LinkLost(f"{self._text}: closed")

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is None:
            return
        writer.close()
        try:
            await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT_S)
        except (OSError, TimeoutError):
            writer.transport.abort()
