"""Frames of a pad's serial link: kinds, codec, an incremental decoder. No I/O, no clock.

On the wire a frame is ``COBS(header, body, check) 0x00``::

    header   kind u8, boot id u32, sequence u32        little endian, 9 bytes
    body     0..240 bytes, its layout fixed by the kind
    check    plain: CRC-32 u32 over header and body (binascii.crc32, as in zlib)
             sealed: counter u32, body, HMAC-SHA256/64; see firmware.pad.seal

Boot id and sequence name the frame for ever: a repeat carries the same pair, an acknowledgement
carries the pair of what it acknowledges. A whole frame before COBS is at most 253 bytes, so that
one COBS group always suffices and both directions work in place, without a second buffer.

Kinds 0x01-0x0F go from pad to host, 0x10-0x2F from host to pad; SEALED is added to the kind of a
sealed frame. A change of any layout raises PROTOCOL. The whole wire, with examples, is in
docs/protocol-pad.md.

Errors: BadBody, for a body that is too long; what is wrong on the line is a Wrong.
"""

import struct
from binascii import crc32

PROTOCOL = 2

HEADER = "<BII"
HEADER_SIZE = 9
CRC_SIZE = 4
MAX_BODY = 240
MIN_RAW = HEADER_SIZE + CRC_SIZE
MAX_RAW = HEADER_SIZE + MAX_BODY + CRC_SIZE
"""253: one below the 254 bytes of a COBS group."""
MAX_FRAME = MAX_RAW + 1
"""Longest run of bytes between two delimiters: one COBS code byte more than the raw frame."""
MAX_WIRE = MAX_FRAME + 1
"""Longest frame as written, its delimiter included."""
DELIMITER = b"\x00"

# --- pad to host
HELLO = 0x01
PRESS = 0x02
DONE = 0x03
PING = 0x04
PROOF = 0x05
KEY = 0x06
REPORT = 0x07
PROGRESS = 0x08
STROKE = 0x09
# --- host to pad
WHO = 0x10
HELLO_ACK = 0x11
ARM = 0x12
DISARM = 0x13
ACK = 0x14
PONG = 0x15
CHALLENGE = 0x16
WELCOME = 0x17
SHOW = 0x18
MAINTAIN = 0x19
OFFER = 0x1A
OFFER_PART = 0x1B
FILE_ASK = 0x1C
FILE_PART = 0x1D
FILE_END = 0x1E
SWITCH = 0x1F
ABANDON = 0x20
DENY = 0x28

SEALED = 0x40
"""Added to the kind of a frame that carries a counter and an HMAC instead of the CRC."""
COUNTER_SIZE = 4
MAC_SIZE = 8
MIN_SEALED = HEADER_SIZE + COUNTER_SIZE + MAC_SIZE
MAX_SEALED_BODY = MAX_RAW - MIN_SEALED

# --- reasons of a Wrong
BAD_COBS = 1
BAD_CRC = 2
OVERSIZE = 3
TOO_SHORT = 4

U32_MAX = 0xFFFFFFFF

_BEFORE_COBS = 0x0F6A7026
"""crc32(b"\\0", _BEFORE_COBS) is 0: a frame is checked together with the zero in front of it."""
_RESIDUE = 0x2144DF1C
"""The CRC-32 of anything that ends with its own CRC-32."""


class BadBody(Exception):
    """A body that does not fit its kind; names the kind, what was expected and what came."""


class Frame:
    """One good frame: kind, boot_id, seq (ints) and body (bytes)."""

    def __init__(self, kind: int, boot_id: int, seq: int, body: bytes) -> None:
        self.kind = kind
        self.boot_id = boot_id
        self.seq = seq
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and repr(self) == repr(other)

    def __repr__(self) -> str:
        return f"Frame({self.kind:#04x}, {self.boot_id:#010x}, {self.seq}, {self.body!r})"


class Sealed:
    """A frame whose HMAC nobody has checked yet; ``raw`` is all of it but COBS."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @property
    def kind(self) -> int:
        """What the frame claims to be, without SEALED."""
        return self.raw[0] ^ SEALED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.raw == other.raw

    def __repr__(self) -> str:
        return f"Sealed({self.raw!r})"


class Wrong:
    """A run of bytes that was no frame; ``reason``: BAD_COBS, BAD_CRC, OVERSIZE, TOO_SHORT."""

    def __init__(self, reason: int) -> None:
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wrong) and self.reason == other.reason

    def __repr__(self) -> str:
        return f"Wrong({self.reason})"


def cobs_encode(buffer: bytearray, size: int) -> int:
    """Encode buffer[1 : size + 1] in place into buffer[0 : size + 1]; size ≤ 253.

    Returns the new size.
    """
    last = 0
    for at in range(1, size + 1):
        if not buffer[at]:
            buffer[last] = at - last
            last = at
    buffer[last] = size + 1 - last
    return size + 1


def cobs_decode(buffer: bytearray, size: int) -> int:
    """Decode buffer[0:size], free of zeros, in place into buffer[1:size]; size 1..254.

    Returns the decoded size (size - 1), or -1 if the bytes are no COBS group; the buffer is then
    spoilt.
    """
    at = 0
    while at < size:
        code = buffer[at]
        buffer[at] = 0
        at += code
    return size - 1 if at == size else -1


def encode_into(buffer: bytearray, kind: int, boot_id: int, seq: int, body: bytes) -> int:
    """Write one plain frame with its delimiter into ``buffer`` (MAX_WIRE bytes).

    Returns its size. Raises BadBody.
    """
    length = len(body)
    if length > MAX_BODY:
        raise BadBody(f"kind {kind:#04x}: a body is at most {MAX_BODY} bytes, got {length}")
    struct.pack_into(HEADER, buffer, 1, kind, boot_id, seq)
    end = 1 + HEADER_SIZE + length
    buffer[1 + HEADER_SIZE : end] = body
    struct.pack_into("<I", buffer, end, crc32(memoryview(buffer)[1:end]))
    size = cobs_encode(buffer, end + CRC_SIZE - 1)
    buffer[size] = 0
    return size + 1


def encode(kind: int, boot_id: int, seq: int, body: bytes = b"") -> bytes:
    """Return one plain frame as written on the wire, its delimiter included. Raises BadBody."""
    buffer = bytearray(MAX_WIRE)
    size = encode_into(buffer, kind, boot_id, seq, body)
    return bytes(memoryview(buffer)[:size])


class Decoder:
    """Turns bytes, in pieces of any size, into frames; counts what was wrong.

    ``pending`` bytes wait for the rest of their frame. A run longer than MAX_FRAME is dropped up
    to the next delimiter. After any junk, the frame behind the next delimiter is read again.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._discarding = False
        self.frames = 0
        self.crc_errors = 0
        self.cobs_errors = 0
        self.oversize = 0
        self.short = 0

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame, 0 between frames."""
        return len(self._rest)

    @property
    def bad(self) -> int:
        """All runs that were no frame."""
        return self.crc_errors + self.cobs_errors + self.oversize + self.short

    def feed(self, data: "bytes | bytearray | memoryview") -> "list[Frame | Sealed | Wrong]":
        """Take bytes, return what they completed, in order; an empty list means "need more"."""
        results: list[Frame | Sealed | Wrong] = []
        if not isinstance(data, bytes):
            data = bytes(data)  # only bytes have split() under both interpreters
        runs = data.split(DELIMITER)
        rest = runs.pop()
        if runs:
            if self._discarding:
                self._discarding = False
                runs[0] = b""
            elif self._rest:
                runs[0] = self._rest + runs[0]
            self._rest = b""
            for run in runs:
                if run:
                    results.append(self._read(run))  # noqa: PERF401 - a comprehension allocates
        if not self._discarding:
            if self._rest:
                rest = self._rest + rest
            if len(rest) > MAX_FRAME:
                rest = b""
                self._discarding = True
                self.oversize += 1
                results.append(Wrong(OVERSIZE))
            self._rest = rest
        return results

    def reset(self) -> None:
        """Forget an unfinished frame (the link was opened again); counters stay."""
        self._rest = b""
        self._discarding = False

    def _read(self, run: bytes) -> "Frame | Sealed | Wrong":
        """What stood between two delimiters."""
        size = len(run)
        if size > MAX_FRAME:
            self.oversize += 1
            return Wrong(OVERSIZE)
        # cobs_decode, written out: this loop is most of what a frame costs.
        buffer = bytearray(run)
        at = 0
        while at < size:
            buffer[at] = 0
            at += run[at]
        if at != size:
            self.cobs_errors += 1
            return Wrong(BAD_COBS)
        if size <= MIN_RAW:
            self.short += 1
            return Wrong(TOO_SHORT)
        if buffer[1] & SEALED:
            if size <= MIN_SEALED:
                self.short += 1
                return Wrong(TOO_SHORT)
            self.frames += 1
            return Sealed(bytes(buffer)[1:])
        if crc32(buffer, _BEFORE_COBS) != _RESIDUE:
            self.crc_errors += 1
            return Wrong(BAD_CRC)
        kind, boot_id, seq = struct.unpack_from(HEADER, buffer, 1)
        self.frames += 1
        return Frame(kind, boot_id, seq, bytes(buffer[1 + HEADER_SIZE : -CRC_SIZE]))
