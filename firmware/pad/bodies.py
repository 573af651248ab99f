"""The body of every kind of frame on a pad's link: pack, unpack, refuse what does not fit.

No I/O. Errors: BadBody, which names the kind, what was expected and what came.
"""

import struct

from firmware.pad.frames import MAX_BODY, PROTOCOL, U32_MAX, BadBody

KEYS = 5
MAX_WINDOW_MS = 90_000
"""Longest window a pad accepts: ratings are asked for 90 s at most."""
MAX_UNIQUE_ID = 16
MAX_REPORT = 200
MAX_TEXT = 40
"""Longest version text in HELLO, in bytes."""
NONCE_SIZE = 8
HASH_SIZE = 8
"""The manifest's SHA-256, its first bytes; zeros where there is no manifest."""

# --- answers in DONE and HELLO_ACK
OK = 0
REFUSED = 1
NO_KEY = 2
"""HELLO_ACK: the host has no key for this pad, or the pad has none and the host wants one."""

# --- roles in HELLO
RATING = 0x01
CALLER = 0x02
GUIDE = 0x04
"""Tactile keys for who does not see the screen; "keys" in config.json. It excludes RATING."""
GUIDE_KEYS = 4

# --- actions in KEY
NEXT = 1
RECALL = 2
NO_SHOW = 3
FINISH = 4
PAUSE = 5

WAITING_UNKNOWN = 255
MAX_WAITING = 254
MAX_STARS = 5

# --- flags in HELLO
KEYED = 0x01
"""The pad has a key and talks only under it."""
ON_TRIAL = 0x02
"""Its firmware has not confirmed itself yet: it may still go back to the one before."""

# --- flags in PING
FLAG_STUCK_KEY = 0x01
FLAG_STORE_FULL = 0x02
FLAG_ON_TRIAL = 0x04
"""The firmware that runs has not confirmed itself yet."""
FLAG_WENT_BACK = 0x08
"""The other slot did not pass its trial: this firmware is the one before it."""

_HELLO_NONCE_AT = 4
_HELLO_HASH_AT = _HELLO_NONCE_AT + NONCE_SIZE
_HELLO_TEXTS_AT = _HELLO_HASH_AT + HASH_SIZE
_ARM_LAYOUT = "<II"
_PRESS_LAYOUT = "<IBIIB"
_PING_LAYOUT = "<BHBHH"

# --- flags in PRESS
RESTORED = 0x01
"""The press outlived a power cut: its age leaves out the time without power."""


class Hello:
    """What a pad says of itself. ``unique_id``, ``nonce`` and ``firmware_hash`` are bytes."""

    def __init__(
        self,
        unique_id: bytes,
        firmware: str,
        interpreter: str,
        roles: int = RATING,
        flags: int = 0,
        nonce: bytes = bytes(NONCE_SIZE),
        firmware_hash: bytes = bytes(HASH_SIZE),
        keys: int = KEYS,
    ) -> None:
        self.unique_id = unique_id
        self.firmware = firmware
        self.interpreter = interpreter
        self.roles = roles
        self.flags = flags
        self.nonce = nonce
        self.firmware_hash = firmware_hash
        self.keys = keys

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hello) and repr(self) == repr(other)

    def __repr__(self) -> str:
        return (
            f"Hello({self.unique_id!r}, {self.firmware!r}, {self.interpreter!r}, {self.roles},"
            f" {self.flags}, {self.nonce!r}, {self.firmware_hash!r}, {self.keys})"
        )


def _check(name: str, body: bytes, size: int) -> None:
    if len(body) != size:
        raise BadBody(f"{name}: expected {size} bytes, got {len(body)}")


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadBody(f"{name}: expected {low}..{high}, got {value}")


def pack_hello(hello: Hello, protocol: int = PROTOCOL) -> bytes:
    """HELLO body.

    protocol u8, roles u8, flags u8, keys u8, nonce 8, firmware hash 8, then unique id, firmware,
    interpreter, each after its size u8. Raises BadBody.
    """
    firmware_bytes = hello.firmware.encode()
    interpreter_bytes = hello.interpreter.encode()
    _in_range("HELLO unique id length", len(hello.unique_id), 1, MAX_UNIQUE_ID)
    _in_range("HELLO firmware length", len(firmware_bytes), 0, MAX_TEXT)
    _in_range("HELLO interpreter length", len(interpreter_bytes), 0, MAX_TEXT)
    _check("HELLO nonce", hello.nonce, NONCE_SIZE)
    _check("HELLO firmware hash", hello.firmware_hash, HASH_SIZE)
    parts = [bytes([protocol, hello.roles, hello.flags, hello.keys])]
    parts.append(hello.nonce)
    parts.append(hello.firmware_hash)
    for part in (hello.unique_id, firmware_bytes, interpreter_bytes):
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


def unpack_hello(body: bytes) -> Hello:
    """Return what a HELLO of our PROTOCOL says. Raises BadBody."""
    _in_range("HELLO protocol", hello_protocol(body), PROTOCOL, PROTOCOL)
    _in_range("HELLO length", len(body), _HELLO_TEXTS_AT, MAX_BODY)
    at = _HELLO_TEXTS_AT
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
    return Hello(
        parts[0],
        texts[0],
        texts[1],
        roles=body[1],
        flags=body[2],
        nonce=body[_HELLO_NONCE_AT:_HELLO_HASH_AT],
        firmware_hash=body[_HELLO_HASH_AT:_HELLO_TEXTS_AT],
        keys=body[3],
    )


def pack_challenge(host_nonce: bytes, pad_nonce: bytes) -> bytes:
    """CHALLENGE body: the host's nonce, then the nonce of the HELLO that it answers."""
    _check("CHALLENGE host nonce", host_nonce, NONCE_SIZE)
    _check("CHALLENGE pad nonce", pad_nonce, NONCE_SIZE)
    return host_nonce + pad_nonce


def unpack_challenge(body: bytes) -> "tuple[bytes, bytes]":
    """Return (host nonce, pad nonce). Raises BadBody."""
    _check("CHALLENGE", body, 2 * NONCE_SIZE)
    return body[:NONCE_SIZE], body[NONCE_SIZE:]


def pack_hello_ack(answer: int = OK, protocol: int = PROTOCOL) -> bytes:
    """HELLO_ACK body: the host's protocol u8, answer u8 (OK, REFUSED: another version, NO_KEY)."""
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


def pack_press(nonce: int, score: int, age_ms: int, boot_id: int = 0, flags: int = 0) -> bytes:
    """PRESS body: nonce u32 (0: not armed), score u8 (1..5), age u32 in ms, boot id u32, flags u8.

    The boot id is that of the press, which may be older than that of the frame. Raises BadBody.
    """
    _in_range("PRESS score", score, 1, KEYS)
    return struct.pack(_PRESS_LAYOUT, nonce, score, age_ms, boot_id, flags)


def unpack_press(body: bytes) -> "tuple[int, int, int, int, int]":
    """Return (nonce, score, age_ms, boot_id, flags). Raises BadBody."""
    _check("PRESS", body, 14)
    nonce, score, age_ms, boot_id, flags = struct.unpack(_PRESS_LAYOUT, body)
    _in_range("PRESS score", score, 1, KEYS)
    return nonce, score, age_ms, boot_id, flags


def pack_key(action: int, age_ms: int) -> bytes:
    """KEY body: action u8 (NEXT..PAUSE), age u32 in ms. Raises BadBody."""
    _in_range("KEY action", action, NEXT, PAUSE)
    return struct.pack("<BI", action, age_ms)


def unpack_key(body: bytes) -> "tuple[int, int]":
    """Return (action, age_ms). Raises BadBody."""
    _check("KEY", body, 5)
    action, age_ms = struct.unpack("<BI", body)
    _in_range("KEY action", action, NEXT, PAUSE)
    return action, age_ms


def pack_stroke(key: int, down: bool, age_ms: int) -> bytes:
    """STROKE body: key u8 (1..4), down u8 (0: it was let go), age u32 in ms. Raises BadBody."""
    _in_range("STROKE key", key, 1, GUIDE_KEYS)
    return struct.pack("<BBI", key, down, age_ms)


def unpack_stroke(body: bytes) -> "tuple[int, bool, int]":
    """Return (key, down, age_ms). Raises BadBody."""
    _check("STROKE", body, 6)
    key, down, age_ms = struct.unpack("<BBI", body)
    _in_range("STROKE key", key, 1, GUIDE_KEYS)
    _in_range("STROKE down", down, 0, 1)
    return key, down == 1, age_ms


def pack_deny(code: bytes) -> bytes:
    """DENY body: what the teller's digits show instead (4 ASCII characters). Raises BadBody."""
    _check("DENY code", code, 4)
    return code


def unpack_deny(body: bytes) -> bytes:
    """Return the code. Raises BadBody."""
    _check("DENY", body, 4)
    for byte in body:
        _in_range("DENY character", byte, 32, 126)
    return body


def pack_show(number: bytes, waiting: int, stars: int) -> bytes:
    """SHOW body: the number being served (4 ASCII characters), people waiting u8, stars u8.

    WAITING_UNKNOWN: nobody knows; stars are the teller's, 0 (none shown) to 5. Raises BadBody.
    """
    _check("SHOW number", number, 4)
    _in_range("SHOW waiting", waiting, 0, WAITING_UNKNOWN)
    _in_range("SHOW stars", stars, 0, MAX_STARS)
    return number + bytes([waiting, stars])


def unpack_show(body: bytes) -> "tuple[bytes, int, int]":
    """Return (number, waiting, stars). Raises BadBody."""
    _check("SHOW", body, 6)
    for byte in body[:4]:
        _in_range("SHOW character", byte, 32, 126)
    _in_range("SHOW stars", body[5], 0, MAX_STARS)
    return body[:4], body[4], body[5]


def pack_report(crashes: int, last: str) -> bytes:
    """REPORT body: crashes in all u16, then what the last one said, cut at 200 bytes."""
    return struct.pack("<H", min(crashes, 0xFFFF)) + last.encode()[:MAX_REPORT]


def unpack_report(body: bytes) -> "tuple[int, str]":
    """Return (crashes, text), "?" for what is not printable ASCII. Raises BadBody."""
    _in_range("REPORT length", len(body), 2, 2 + MAX_REPORT)
    (crashes,) = struct.unpack_from("<H", body, 0)
    text = "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in body[2:]])
    return crashes, text


def pack_done(answer: int) -> bytes:
    """DONE body: answer u8 (OK, REFUSED) to the command whose pair the header repeats."""
    return bytes([answer])


def unpack_done(body: bytes) -> int:
    """Return the answer. Raises BadBody."""
    _check("DONE", body, 1)
    return body[0]


def pack_ping(flags: int, stuck: int, kept: int, dropped: int, bad: int) -> bytes:
    """PING body: flags u8, stuck keys u16, kept presses u8, dropped presses u16, bad u16."""
    return struct.pack(_PING_LAYOUT, flags, stuck, kept, dropped, bad)


def unpack_ping(body: bytes) -> "tuple[int, int, int, int, int]":
    """Return (flags, stuck, kept, dropped, bad). Raises BadBody."""
    _check("PING", body, 8)
    flags, stuck, kept, dropped, bad = struct.unpack(_PING_LAYOUT, body)
    return flags, stuck, kept, dropped, bad


def check_empty(name: str, body: bytes) -> None:
    """Raise BadBody unless the body is empty, as it is for most kinds."""
    _check(name, body, 0)
