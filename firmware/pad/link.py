"""The serial link of a rating pad: frames, an incremental decoder, the body of every kind.

One file for CPython and MicroPython; the host's driver and the pad import the same code. No I/O,
no clock.

On the wire a frame is ``COBS(header, body, CRC-32) 0x00``::

    header   kind u8, boot id u32, sequence u32        little endian, 9 bytes
    body     0..240 bytes, its layout fixed by the kind
    CRC-32   u32 over header and body                  binascii.crc32, as in zlib

Boot id and sequence name the frame for ever: a repeat carries the same pair, an acknowledgement
carries the pair of what it acknowledges. A whole frame before COBS is at most 253 bytes, so that
one COBS group always suffices and both directions work in place, without a second buffer.

Kinds 0x01-0x0F go from pad to host, 0x10-0x1F from host to pad; 0x40 and above are kept for
authenticated forms (HMAC-SHA256/64 in place of the CRC). A change of any layout raises PROTOCOL.
The whole wire, with examples, is in docs/protocol-pad.md.

Errors: BadBody (an Exception) is the only one; what is wrong on the line is a Wrong in the
decoder's answer.
"""

import struct
from binascii import crc32

PROTOCOL = 1

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
# --- host to pad
WHO = 0x10
HELLO_ACK = 0x11
ARM = 0x12
DISARM = 0x13
ACK = 0x14
PONG = 0x15

AUTHENTICATED = 0x40
"""Kinds from here on are kept for frames under HMAC."""

# --- reasons of a Wrong
BAD_COBS = 1
BAD_CRC = 2
OVERSIZE = 3
TOO_SHORT = 4

# --- answers in DONE and HELLO_ACK
OK = 0
REFUSED = 1

# --- flags in PING
FLAG_STUCK_KEY = 0x01
FLAG_STORE_FULL = 0x02

KEYS = 5
MAX_WINDOW_MS = 90_000
"""Longest window a pad accepts: ratings are asked for 90 s at most."""
MAX_UNIQUE_ID = 16
MAX_TEXT = 40
"""Longest version text in HELLO, in bytes."""
U32_MAX = 0xFFFFFFFF

_ARM_LAYOUT = "<II"
_PRESS_LAYOUT = "<IBI"
_PING_LAYOUT = "<BBBHH"


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
    """Write one frame with its delimiter into ``buffer`` (MAX_WIRE bytes), return its size.

    Raises BadBody.
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
    """Return one frame as written on the wire, its delimiter included. Raises BadBody."""
    buffer = bytearray(MAX_WIRE)
    size = encode_into(buffer, kind, boot_id, seq, body)
    return bytes(memoryview(buffer)[:size])


class Decoder:
    """Turns bytes, in pieces of any size, into frames; counts what was wrong.

    ``pending`` bytes wait for the rest of their frame. A run longer than MAX_FRAME is dropped up
    to the next delimiter. After any junk, the frame behind the next delimiter is read again.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(MAX_FRAME)
        self._size = 0
        self._discarding = False
        self.frames = 0
        self.crc_errors = 0
        self.cobs_errors = 0
        self.oversize = 0
        self.short = 0

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame, 0 between frames."""
        return self._size

    @property
    def bad(self) -> int:
        """All runs that were no frame."""
        return self.crc_errors + self.cobs_errors + self.oversize + self.short

    def feed(self, data: "bytes | bytearray | memoryview") -> "list[Frame | Wrong]":
        """Take bytes, return what they completed, in order; an empty list means "need more"."""
        results: list[Frame | Wrong] = []
        if not isinstance(data, bytes):
            data = bytes(data)  # only bytes have find() under both interpreters
        buffer = self._buffer
        size = len(data)
        start = 0
        while start < size:
            end = data.find(b"\0", start)
            stop = size if end < 0 else end
            if not self._discarding:
                kept = self._size + stop - start
                if kept > MAX_FRAME:
                    self._size = 0
                    self._discarding = True
                    self.oversize += 1
                    results.append(Wrong(OVERSIZE))
                else:
                    buffer[self._size : kept] = data[start:stop]
                    self._size = kept
            if end < 0:
                break
            if self._discarding:
                self._discarding = False
            elif self._size:
                results.append(self._finish())
            start = end + 1
        return results

    def reset(self) -> None:
        """Forget an unfinished frame (the link was opened again); counters stay."""
        self._size = 0
        self._discarding = False

    def _finish(self) -> "Frame | Wrong":
        buffer = self._buffer
        size = cobs_decode(buffer, self._size)
        self._size = 0
        if size < 0:
            self.cobs_errors += 1
            return Wrong(BAD_COBS)
        if size < MIN_RAW:
            self.short += 1
            return Wrong(TOO_SHORT)
        end = 1 + size - CRC_SIZE
        if struct.unpack_from("<I", buffer, end)[0] != crc32(memoryview(buffer)[1:end]):
            self.crc_errors += 1
            return Wrong(BAD_CRC)
        kind, boot_id, seq = struct.unpack_from(HEADER, buffer, 1)
        self.frames += 1
        return Frame(kind, boot_id, seq, bytes(memoryview(buffer)[1 + HEADER_SIZE : end]))


# --- bodies --------------------------------------------------------------------------------


def _check(name: str, body: bytes, size: int) -> None:
    if len(body) != size:
        raise BadBody(f"{name}: expected {size} bytes, got {len(body)}")


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadBody(f"{name}: expected {low}..{high}, got {value}")


def pack_hello(
    unique_id: bytes, firmware: str, interpreter: str, protocol: int = PROTOCOL
) -> bytes:
    """HELLO body: protocol u8, keys u8, then id, firmware, interpreter, each after its size u8."""
    firmware_bytes = firmware.encode()
    interpreter_bytes = interpreter.encode()
    _in_range("HELLO unique id length", len(unique_id), 1, MAX_UNIQUE_ID)
    _in_range("HELLO firmware length", len(firmware_bytes), 0, MAX_TEXT)
    _in_range("HELLO interpreter length", len(interpreter_bytes), 0, MAX_TEXT)
    parts = [bytes([protocol, KEYS])]
    for part in (unique_id, firmware_bytes, interpreter_bytes):
        parts.append(bytes([len(part)]))
        parts.append(part)
    return b"".join(parts)


def hello_protocol(body: bytes) -> int:
    """Protocol version of a HELLO or HELLO_ACK body, first byte in every version to come.

    Raises BadBody.
    """
    if not body:
        raise BadBody("HELLO: expected a protocol byte, got an empty body")
    return body[0]


def unpack_hello(body: bytes) -> "tuple[int, bytes, str, str]":
    """Return (keys, unique_id, firmware, interpreter) of a HELLO of our PROTOCOL.

    Raises BadBody.
    """
    _in_range("HELLO protocol", hello_protocol(body), PROTOCOL, PROTOCOL)
    _in_range("HELLO length", len(body), 5, MAX_BODY)
    at = 2
    parts = []
    for name, most in (
        ("unique id", MAX_UNIQUE_ID),
        ("firmware", MAX_TEXT),
        ("interpreter", MAX_TEXT),
    ):
        if at >= len(body):
            raise BadBody(f"HELLO: {name} is missing")
        size = body[at]
        _in_range("HELLO length of " + name, size, 0, most)
        part = body[at + 1 : at + 1 + size]
        _check("HELLO " + name, part, size)
        parts.append(part)
        at += 1 + size
    _in_range("HELLO unique id length", len(parts[0]), 1, MAX_UNIQUE_ID)
    _check("HELLO", body, at)
    try:
        texts = str(parts[1], "utf-8"), str(parts[2], "utf-8")
    except UnicodeError:
        texts = None
    if texts is None:  # raised out here: MicroPython cannot chain, and warns on the line
        raise BadBody("HELLO: a version text is not UTF-8")
    return body[1], parts[0], texts[0], texts[1]


def pack_hello_ack(answer: int = OK, protocol: int = PROTOCOL) -> bytes:
    """HELLO_ACK body: the host's protocol u8, answer u8 (REFUSED: another version)."""
    return bytes([protocol, answer])


def unpack_hello_ack(body: bytes) -> "tuple[int, int]":
    """Return (protocol, answer). Raises BadBody."""
    _check("HELLO_ACK", body, 2)
    return body[0], body[1]


def pack_arm(nonce: int, window_ms: int) -> bytes:
    """ARM body: nonce u32 (1..2^32-1), window u32 in ms. Raises BadBody."""
    _in_range("ARM nonce", nonce, 1, U32_MAX)
    _in_range("ARM window_ms", window_ms, 1, MAX_WINDOW_MS)
    return struct.pack(_ARM_LAYOUT, nonce, window_ms)


def unpack_arm(body: bytes) -> "tuple[int, int]":
    """Return (nonce, window_ms). Raises BadBody."""
    _check("ARM", body, 8)
    nonce, window_ms = struct.unpack(_ARM_LAYOUT, body)
    _in_range("ARM nonce", nonce, 1, U32_MAX)
    _in_range("ARM window_ms", window_ms, 1, MAX_WINDOW_MS)
    return nonce, window_ms


def pack_press(nonce: int, score: int, age_ms: int) -> bytes:
    """PRESS body: nonce u32 (0: not armed), score u8 (1..5), age u32 in ms. Raises BadBody."""
    _in_range("PRESS score", score, 1, KEYS)
    return struct.pack(_PRESS_LAYOUT, nonce, score, age_ms)


def unpack_press(body: bytes) -> "tuple[int, int, int]":
    """Return (nonce, score, age_ms). Raises BadBody."""
    _check("PRESS", body, 9)
    nonce, score, age_ms = struct.unpack(_PRESS_LAYOUT, body)
    _in_range("PRESS score", score, 1, KEYS)
    return nonce, score, age_ms


def pack_done(answer: int) -> bytes:
    """DONE body: answer u8 (OK, REFUSED) to the command whose pair the header repeats."""
    return bytes([answer])


def unpack_done(body: bytes) -> int:
    """Return the answer. Raises BadBody."""
    _check("DONE", body, 1)
    return body[0]


def pack_ping(flags: int, stuck: int, kept: int, dropped: int, bad: int) -> bytes:
    """PING body: flags u8, stuck keys u8, kept presses u8, dropped presses u16, bad frames u16."""
    return struct.pack(_PING_LAYOUT, flags, stuck, kept, dropped, bad)


def unpack_ping(body: bytes) -> "tuple[int, int, int, int, int]":
    """Return (flags, stuck, kept, dropped, bad). Raises BadBody."""
    _check("PING", body, 7)
    flags, stuck, kept, dropped, bad = struct.unpack(_PING_LAYOUT, body)
    return flags, stuck, kept, dropped, bad


def check_empty(name: str, body: bytes) -> None:
    """Raise BadBody unless the body is empty, as it is for WHO, DISARM, ACK and PONG."""
    _check(name, body, 0)
