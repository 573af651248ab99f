"""What a host hears on a pads' bus: answers, its own echo, and what nobody may have said. Pure."""

from dataclasses import dataclass

from firmware.pad import link as wire

KEPT = wire.MAX_BURST + wire.TRAILER_SIZE
"""Bytes of an unfinished burst; older ones belong to none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole burst of a pad. ``data`` are its frames, ``more``: others wait in the pad."""

    address: int
    turn: int
    tag: int
    more: bool
    data: bytes


class Ear:
    """Takes bytes in pieces of any size. An adapter that hears itself costs nothing."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._stray = bytearray()
        self._trailer = wire.Trailer()

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that these bytes complete; a poll of our own is passed over."""
        buffer, trailer = self._buffer, self._trailer
        buffer += data
        answers = []
        while (at := buffer.find(0, self._searched)) >= 0:
            end = at + 1
            self._searched = end
            if not trailer.read(buffer, end):
                continue
            start = end - wire.TRAILER_SIZE - trailer.size
            if trailer.kind == wire.END:
                burst = bytes(buffer[start : start + trailer.size])
                answers.append(
                    Answer(trailer.address, trailer.turn, trailer.tag, bool(trailer.bits), burst)
                )
            self._drop(start)
            del buffer[: end - start]
            self._searched = 0
        if len(buffer) > 2 * KEPT:
            self._drop(len(buffer) - KEPT)
        return answers

    def strays(self) -> bytes:
        """What was heard since the last call and belongs to no burst, empty frames left out."""
        self._drop(len(self._buffer))
        strays = bytes(self._stray)
        self._stray.clear()
        return strays if strays.strip(b"\0") else b""

    def _drop(self, count: int) -> None:
        self._stray += self._buffer[:count]
        del self._buffer[:count]
        del self._stray[: -4 * KEPT]
        self._searched = max(self._searched - count, 0)
