"""Simulated number displays at the far end of a line, as the Alpha sign protocol has them.

signs = SignLine(stations=(1, 2))
port = PtyPrinter(signs, folder / "displays")     # or TcpPrinter, MemoryPrinter
await port.plug_in()
...
signs.sign(1).text, signs.sign(1).blinking, signs.sign(1).level
signs.noise = 0.01          # so many of the bytes are damaged, both ways
signs.sign(1).power_cut()   # on again at once, with nothing on it
signs.sign(2).deaf = True   # its wire is off

It does not model: the speed of the line, colours, other modes than hold and flash, files other
than A, collisions of two signs with one address.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hal.errors import LinkLost
from hal.sim.printer import Stream

ILLEGAL, CHECKSUM = 0x20, 0x10
"""Bits of the serial error status register; 0x40 is always set."""
LONGEST = 512


@dataclass
class Sign:
    """One display. ``shown`` has every text that it began to show; ``on_text`` is told of it."""

    station: int
    text: str = ""
    blinking: bool = False
    level: int = 0
    file: bytes = b""
    errors: int = 0
    deaf: bool = False
    shown: list[str] = field(default_factory=list)
    on_text: Callable[[str], None] = lambda _text: None

    def power_cut(self) -> None:
        """Off and on: the text is gone."""
        self.text, self.file, self.blinking, self.level = "", b"", False, 0

    def take(self, body: bytes) -> bytes | None:
        """Carry one command out; what it answers, None for nothing."""
        command, data = body[:1], body[1:]
        if command == b"A" and data[:1] == b"A":
            self._write(data[1:])
        elif command == b"B" and data == b"A":
            return b"AA" + self.file
        elif command == b"E" and data[:3] == b"/00" and data[3:].isdigit() and int(data[3:]) < 5:
            self.level = int(data[3:])
        elif command == b"E" and data == b"4":
            self.errors = 0
        elif command == b"F" and data == b"*":
            return b"E*" + bytes([0x40 | self.errors])
        else:
            self.errors |= ILLEGAL
        return None

    def _write(self, file: bytes) -> None:
        if file[:2] != b"\x1b " or file[2:3] not in (b"b", b"c"):
            self.errors |= ILLEGAL
            return
        rest = file[3:]
        if rest[:1] == b"\x1c":  # a colour
            rest = rest[2:]
        self.file = file
        self.blinking = file[2:3] == b"c"
        text = rest.decode("latin-1")
        if text != self.text:
            self.shown.append(text)
            self.on_text(text)
        self.text = text


class SignLine:
    """Several displays on one line."""

    def __init__(self, stations: tuple[int, ...] = (1,), *, seed: int = 1) -> None:
        self.signs = {station: Sign(station) for station in stations}
        self.noise = 0.0
        self._chance = random.Random(seed)

    def sign(self, station: int) -> Sign:
        """The display with this address."""
        return self.signs[station]

    async def serve(self, stream: Stream) -> None:
        """Listen and answer until the host hangs up."""
        unread = bytearray()
        with contextlib.suppress(LinkLost):
            while True:
                unread += self._through(await stream.read())
                for answer in self._packets(unread):
                    await stream.write(self._through(answer))

    def _through(self, data: bytes) -> bytes:
        """The bytes as the wire leaves them."""
        if not self.noise:
            return data
        chance = self._chance
        return bytes(
            byte ^ (1 << chance.randrange(8)) if chance.random() < self.noise else byte
            for byte in data
        )

    def _packets(self, unread: bytearray) -> list[bytes]:
        answers = []
        while (end := unread.find(b"\x04")) >= 0:
            raw = bytes(unread[:end])
            del unread[: end + 1]
            begin = raw.rfind(b"\x01")
            if begin >= 0:
                answers += self._packet(raw[begin + 1 :])
        del unread[:-LONGEST]
        return answers

    def _packet(self, raw: bytes) -> list[bytes]:
        header, found, rest = raw.partition(b"\x02")
        if not found or len(header) != 3 or header[:1] not in (b"Z", b"!"):
            return []
        with contextlib.suppress(ValueError):
            station = int(header[1:], 16)
            hearing = [
                sign
                for sign in self.signs.values()
                if not sign.deaf and station in (0, sign.station)
            ]
            return [_answer(said) for sign in hearing if (said := self._heard(sign, rest))]
        return []

    @staticmethod
    def _heard(sign: Sign, rest: bytes) -> bytes | None:
        body, found, given = rest.partition(b"\x03")
        if found and given and given.upper() != _sum(body):
            sign.errors |= CHECKSUM
            return None
        return sign.take(body)


def _sum(body: bytes) -> bytes:
    return f"{(2 + sum(body) + 3) % 65536:04X}".encode()


def _answer(body: bytes) -> bytes:
    return b"\x00" * 20 + b"\x01000\x02" + body + b"\x03" + _sum(body) + b"\x04"
