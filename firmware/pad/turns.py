"""Turns on a bus: who speaks next, and whose the bytes were. Codec of the trailer. No I/O.

Many pads share one half-duplex line; the host alone gives turns. A *burst* is any number of whole
frames (firmware.pad.frames, unchanged), at most MAX_BURST bytes, and then one trailer,
``COBS(trailer) 0x00``, 14 bytes::

    trailer  kind u8, address u8, turn u8, bits u8, tag u16, size u16, check u32   little endian
    check    CRC-32 over the burst (``size`` bytes) and the trailer's first 8 bytes

A burst counts whole or not at all, and only with its trailer, which stands at its end: whoever
missed a byte of it never takes it for its own, and never speaks. A trailer is shorter than any
frame, so a decoder of frames passes over it as TOO_SHORT.

Kinds: POLL gives the turn to the pad of that address whose tag has the same ``bits`` low bits
(16: this one pad, 0: any); OTHERS to whoever has the address and another tag; END is the pad's own
and gives the turn back, with the turn's number, its tag, and in ``bits`` whether more waits.
"""

from binascii import crc32

from firmware.pad.frames import MAX_WIRE

POLL = 0x80
OTHERS = 0x81
END = 0x82

TRAILER_SIZE = 14
"""As written: 12 bytes, the COBS code, the delimiter."""
MAX_BURST = 320
"""Bytes before the trailer: any one frame and some small ones; 28 ms at 115200 baud."""
ADDRESSES = range(1, 32)
"""A plain RS-485 driver carries 32 stations, one of them the host. 0 is nobody's."""
TAG_BITS = 16
LEAD = b"\x00"
"""Written before a burst and no part of it: a driver that just came on spoils the first byte."""

_HEAD = 8
_RAW = 12

assert MAX_BURST >= MAX_WIRE + 1


def tag_of(unique_id: bytes) -> int:
    """A pad's tag: two pads of one address are told apart by it."""
    tag: int = crc32(unique_id) & 0xFFFF
    return tag


def trailer_into(
    buffer: bytearray,
    start: int,
    end: int,
    kind: int,
    address: int,
    turn: int,
    bits: int,
    tag: int,
) -> int:
    """Write the trailer of the burst buffer[start:end] behind it; the new end.

    ``buffer`` has TRAILER_SIZE bytes of room there.
    """
    size = end - start
    at = end + 1
    buffer[at] = kind
    buffer[at + 1] = address
    buffer[at + 2] = turn
    buffer[at + 3] = bits
    buffer[at + 4] = tag & 0xFF
    buffer[at + 5] = tag >> 8
    buffer[at + 6] = size & 0xFF
    buffer[at + 7] = size >> 8
    view = memoryview(buffer)
    check = crc32(view[at : at + _HEAD], crc32(view[start:end]))
    buffer[at + _HEAD : at + _RAW] = check.to_bytes(4, "little")
    last = end
    for place in range(at, at + _RAW):
        if not buffer[place]:
            buffer[last] = place - last
            last = place
    buffer[last] = at + _RAW - last
    buffer[at + _RAW] = 0
    return end + TRAILER_SIZE


def burst(data: bytes, kind: int, address: int, turn: int, bits: int, tag: int) -> bytes:
    """A burst and its trailer as written on the wire, LEAD included."""
    buffer = bytearray(LEAD) + data + bytes(TRAILER_SIZE)
    trailer_into(buffer, 1, 1 + len(data), kind, address, turn, bits, tag)
    return bytes(buffer)


class Trailer:
    """A reader of trailers; the fields are those of the last one that ``read`` found good."""

    def __init__(self) -> None:
        self.kind = 0
        self.address = 0
        self.turn = 0
        self.bits = 0
        self.tag = 0
        self.size = 0
        self._raw = bytearray(_RAW + 1)

    def read(self, buffer: bytearray, end: int, only: int = 0) -> bool:
        """Whether buffer[:end] ends in a burst with a good trailer.

        ``only``: for this address, 0 for any. Nothing is allocated for another's.
        """
        start = end - TRAILER_SIZE
        if start < 0 or buffer[end - 1]:
            return False
        raw = self._raw
        at = 0
        while at <= _RAW:
            raw[at] = buffer[start + at]
            at += 1
        at = 0
        while at <= _RAW:
            code = raw[at]
            if not code:
                return False
            raw[at] = 0
            at += code
        if at != _RAW + 1 or (only and raw[2] != only):
            return False
        size = raw[7] | raw[8] << 8
        if size > start or size > MAX_BURST:
            return False
        check = crc32(
            memoryview(raw)[1 : 1 + _HEAD], crc32(memoryview(buffer)[start - size : start])
        )
        if check.to_bytes(4, "little") != raw[1 + _HEAD :]:
            return False
        self.kind = raw[1]
        self.address = raw[2]
        self.turn = raw[3]
        self.bits = raw[4]
        self.tag = raw[5] | raw[6] << 8
        self.size = size
        return True
