"""Bodies of the frames that bring new firmware: pack, unpack, refuse what does not fit. No I/O.

Errors: BadBody, which names the kind, what was expected and what came.
"""

import struct

from firmware.pad.frames import MAX_SEALED_BODY, BadBody

MAX_OFFER = 8192
"""Longest manifest that a pad reads, in bytes: it is held whole in memory."""
MAX_PART = MAX_SEALED_BODY - 5
"""227: bytes of a file in one frame, behind its number and offset."""
MAC_SIZE = 32
NO_FILE = 255

# --- answers in PROGRESS
GO_ON = 0
"""Taken; the next byte wanted (of the manifest, or of the file) is at ``offset``."""
OPENED = 1
"""The whole manifest is there and good; ``rest`` has a bit for each of its files, 1: wanted."""
PLACED = 2
"""The file is whole and in its place."""
DAMAGED = 3
"""The file's bytes are not those of the manifest: it begins anew at offset 0."""
SWITCHED = 4
"""The new firmware is on trial; the pad restarts now."""
BUSY = 5
"""Somebody is rating, or the running firmware is on trial: nothing was done, come again."""
NOT_TAKEN = 6
"""Refused for good; ``rest`` says why."""
NOTHING_OPEN = 7
"""No update is open, as after a restart: offer it anew."""

_OFFER_LAYOUT = "<H"
_PART_LAYOUT = "<BI"
_PROGRESS_LAYOUT = "<BBI"
_PROGRESS_SIZE = 6


def _check(name: str, size: int, low: int, high: int) -> None:
    if not low <= size <= high:
        raise BadBody(f"{name}: expected {low}..{high} bytes, got {size}")


def pack_offer(size: int, mac: bytes) -> bytes:
    """OFFER body: the manifest's size u16, HMAC-SHA256(pad key, manifest) 32. Raises BadBody."""
    _check("OFFER manifest", size, 1, MAX_OFFER)
    _check("OFFER mac", len(mac), MAC_SIZE, MAC_SIZE)
    return struct.pack(_OFFER_LAYOUT, size) + mac


def unpack_offer(body: bytes) -> "tuple[int, bytes]":
    """Return (size, mac). Raises BadBody."""
    _check("OFFER", len(body), 2 + MAC_SIZE, 2 + MAC_SIZE)
    (size,) = struct.unpack_from(_OFFER_LAYOUT, body, 0)
    _check("OFFER manifest", size, 1, MAX_OFFER)
    return size, body[2:]


def pack_offer_part(offset: int, data: bytes) -> bytes:
    """OFFER_PART body: offset u16, then bytes of the manifest. Raises BadBody."""
    _check("OFFER_PART", len(data), 1, MAX_PART)
    return struct.pack(_OFFER_LAYOUT, offset) + data


def unpack_offer_part(body: bytes) -> "tuple[int, bytes]":
    """Return (offset, bytes). Raises BadBody."""
    _check("OFFER_PART", len(body), 3, MAX_SEALED_BODY)
    (offset,) = struct.unpack_from(_OFFER_LAYOUT, body, 0)
    return offset, body[2:]


def pack_file(file: int) -> bytes:
    """FILE_ASK or FILE_END body: the file's number in the manifest u8. Raises BadBody."""
    _check("file number", file, 0, NO_FILE - 1)
    return bytes([file])


def unpack_file(body: bytes) -> int:
    """Return the file's number. Raises BadBody."""
    _check("FILE_ASK or FILE_END", len(body), 1, 1)
    return body[0]


def pack_part(file: int, offset: int, data: bytes) -> bytes:
    """FILE_PART body: file u8, offset u32, then bytes of the file. Raises BadBody."""
    _check("FILE_PART", len(data), 0, MAX_PART)
    return struct.pack(_PART_LAYOUT, file, offset) + data


def unpack_part(body: bytes) -> "tuple[int, int, bytes]":
    """Return (file, offset, bytes). Raises BadBody."""
    _check("FILE_PART", len(body), 5, MAX_SEALED_BODY)
    file, offset = struct.unpack_from(_PART_LAYOUT, body, 0)
    return file, offset, body[5:]


def pack_progress(answer: int, file: int = NO_FILE, offset: int = 0, rest: bytes = b"") -> bytes:
    """PROGRESS body: answer u8, file u8 (NO_FILE: none), offset u32, the rest as the answer says.

    A text that does not fit is cut.
    """
    body = struct.pack(_PROGRESS_LAYOUT, answer, file, offset) + rest
    return body[:MAX_SEALED_BODY]


def unpack_progress(body: bytes) -> "tuple[int, int, int, bytes]":
    """Return (answer, file, offset, rest). Raises BadBody."""
    _check("PROGRESS", len(body), _PROGRESS_SIZE, MAX_SEALED_BODY)
    answer, file, offset = struct.unpack_from(_PROGRESS_LAYOUT, body, 0)
    return answer, file, offset, body[_PROGRESS_SIZE:]
