"""Sealed frames: session keys, HMAC-SHA256 cut to 64 bits, counters that only rise.

The body and the check of a sealed frame are ``counter u32, body, mac 8 bytes``; the mac is the
start of HMAC-SHA256(session key, direction byte, header, counter, body). The direction byte makes
an echo of one's own frames worthless. A counter that is not above the last accepted one is
refused: whoever repeats something seals it anew.

The session key is HMAC-SHA256(pad key, "lobby-pad-1", host nonce, pad nonce, unique id). Both ends
choose their nonce anew for each session, so no frame of an earlier session is ever good again.

HMAC by hand: MicroPython has no hmac module, and its sha256 cannot be copied. Each end keeps the
two padded keys, so a frame with a body of up to 41 bytes costs four blocks of SHA-256. No I/O.
"""

import struct
from hashlib import sha256

from firmware.pad.frames import (
    COUNTER_SIZE,
    HEADER,
    HEADER_SIZE,
    MAC_SIZE,
    MAX_SEALED_BODY,
    MAX_WIRE,
    SEALED,
    U32_MAX,
    BadBody,
    Frame,
    Sealed,
    cobs_encode,
)

KEY_SIZE = 32
NONCE_SIZE = 8
LABEL = b"lobby-pad-1"
FROM_PAD = b"P"
FROM_HOST = b"H"
WORN = 1 << 30
"""Counters stop here, where the RP2040's small integers end; a new session starts at 1 again."""

_BLOCK = 64
_PREFIX = HEADER_SIZE + COUNTER_SIZE


class Hmac:
    """HMAC-SHA256 under one key of at most 64 bytes."""

    def __init__(self, key: bytes) -> None:
        padded = key + bytes(_BLOCK - len(key))
        self._inner = bytes([byte ^ 0x36 for byte in padded])
        self._outer = bytes([byte ^ 0x5C for byte in padded])

    def digest(self, prefix: bytes, data: "bytes | memoryview") -> bytes:
        """The 32 bytes over ``prefix`` and ``data``."""
        inner = sha256(self._inner)
        inner.update(prefix)
        inner.update(data)
        outer = sha256(self._outer)
        outer.update(inner.digest())
        result: bytes = outer.digest()
        return result


def session_key(pad_key: bytes, host_nonce: bytes, pad_nonce: bytes, unique_id: bytes) -> bytes:
    """The 32 bytes that both ends reach from the pad's key and the two nonces."""
    return Hmac(pad_key).digest(LABEL, host_nonce + pad_nonce + unique_id)


def same(one: bytes, other: bytes) -> bool:
    """Whether two byte strings are equal, in a time that does not depend on where they differ."""
    if len(one) != len(other):
        return False
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big") == 0


class Session:
    """One session at one end. ``mine`` is FROM_PAD or FROM_HOST, the direction this end sends."""

    def __init__(self, key: bytes, mine: bytes) -> None:
        self._hmac = Hmac(key)
        self._mine = mine
        self._theirs = FROM_HOST if mine == FROM_PAD else FROM_PAD
        self.sent = 0
        self.heard = 0
        self.forged = 0  # frames whose HMAC was wrong
        self.replayed = 0  # good frames whose counter did not rise

    @property
    def worn(self) -> bool:
        """Whether a counter came to its end: greet anew."""
        return self.sent >= WORN or self.heard >= WORN

    def seal_into(self, buffer: bytearray, kind: int, boot_id: int, seq: int, body: bytes) -> int:
        """Write one sealed frame with its delimiter into ``buffer`` (MAX_WIRE bytes).

        Returns its size. Raises BadBody.
        """
        length = len(body)
        if length > MAX_SEALED_BODY:
            raise BadBody(
                f"kind {kind:#04x}: a sealed body is at most {MAX_SEALED_BODY} bytes, got {length}"
            )
        if self.sent >= U32_MAX:
            raise BadBody(f"kind {kind:#04x}: the session's counter is used up")
        self.sent += 1
        struct.pack_into(HEADER, buffer, 1, kind | SEALED, boot_id, seq)
        struct.pack_into("<I", buffer, 1 + HEADER_SIZE, self.sent)
        end = 1 + _PREFIX + length
        buffer[1 + _PREFIX : end] = body
        mac = self._hmac.digest(self._mine, memoryview(buffer)[1:end])
        buffer[end : end + MAC_SIZE] = mac[:MAC_SIZE]
        size = cobs_encode(buffer, end + MAC_SIZE - 1)
        buffer[size] = 0
        return size + 1

    def seal(self, kind: int, boot_id: int, seq: int, body: bytes = b"") -> bytes:
        """Return one sealed frame as written on the wire. Raises BadBody."""
        buffer = bytearray(MAX_WIRE)
        size = self.seal_into(buffer, kind, boot_id, seq, body)
        return bytes(memoryview(buffer)[:size])

    def open(self, sealed: Sealed) -> "Frame | None":
        """The frame, if the far end sealed it in this session and its counter rose; else None."""
        raw = memoryview(sealed.raw)
        end = len(raw) - MAC_SIZE
        mac = self._hmac.digest(self._theirs, raw[:end])
        if not same(mac[:MAC_SIZE], bytes(raw[end:])):
            self.forged += 1
            return None
        (counter,) = struct.unpack_from("<I", sealed.raw, HEADER_SIZE)
        if counter <= self.heard:
            self.replayed += 1
            return None
        self.heard = counter
        kind, boot_id, seq = struct.unpack_from(HEADER, sealed.raw, 0)
        return Frame(kind ^ SEALED, boot_id, seq, bytes(raw[_PREFIX:end]))
