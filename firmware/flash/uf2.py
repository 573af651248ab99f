"""UF2 files for a Pico in drive mode: checked block by block before they are copied."""

import hashlib
import os
import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from firmware.flash.errors import BadUse, FlashError, NotTrusted

BLOCK = 512
MAGICS = (0x0A324655, 0x9E5D5157)
LAST_MAGIC = 0x0AB16F30
RP2040 = 0xE48BFF56
HAS_FAMILY = 0x2000
INFO = "INFO_UF2.TXT"
BOARD_ID = "RPI-RP2"
MOUNTS = ("media/*", "media/*/*", "run/media/*/*", "mnt", "mnt/*")
VANISH_S = 30.0
"""Longest time from the last byte to the drive's end: a full flash takes 10 s."""

HOLD = "hold the BOOTSEL key while plugging the board in, then run this again"


@dataclass(frozen=True, slots=True)
class Uf2:
    """A checked file: its bytes, its blocks and its SHA-256 (hex)."""

    data: bytes
    blocks: int
    sha256: str


def read_uf2(path: Path, sha256: str | None = None) -> Uf2:
    """A UF2 file for the RP2040. Raises BadUse, NotTrusted."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadUse(f"{path}: cannot be read ({error.strerror})", "check the path") from error
    again = "download the file again and compare its sha256"
    if not data or len(data) % BLOCK:
        raise NotTrusted(f"{path}: {len(data)} bytes, not whole blocks of {BLOCK}", again)
    count = len(data) // BLOCK
    for number in range(count):
        words = struct.unpack_from("<8I", data, number * BLOCK)
        (last,) = struct.unpack_from("<I", data, number * BLOCK + BLOCK - 4)
        if words[:2] != MAGICS or last != LAST_MAGIC:
            raise NotTrusted(f"{path}: block {number} has not the magic of UF2", again)
        if not words[2] & HAS_FAMILY or words[7] != RP2040:
            raise NotTrusted(
                f"{path}: block {number} is for family {words[7]:#010x}, not {RP2040:#010x}",
                "take the file for the RP2040 (Raspberry Pi Pico)",
            )
        if words[4] > 476 or words[5] != number or words[6] != count:
            raise NotTrusted(
                f"{path}: block {number} says it is {words[5]} of {words[6]}, file has {count}",
                again,
            )
    came = hashlib.sha256(data).hexdigest()
    if sha256 is not None and came != sha256.lower():
        raise NotTrusted(f"{path}: sha256 {came}, expected {sha256}", again)
    return Uf2(data, count, came)


def find_drives(root: Path = Path("/")) -> list[Path]:
    """Folders where a desktop or a technician mounts a board's drive, and one is there."""
    found = [path for pattern in MOUNTS for path in root.glob(f"{pattern}/{INFO}")]
    return sorted(path.parent for path in found)


def check_drive(drive: Path) -> None:
    """Whether a drive is that of an RP2040. Raises BadUse, NotTrusted."""
    try:
        text = (drive / INFO).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise BadUse(f"{drive}: no {INFO}, so no board in drive mode", HOLD) from error
    board = re.search(r"^Board-ID:\s*(\S+)", text, re.MULTILINE)
    if board is None or board[1] != BOARD_ID:
        raise NotTrusted(
            f"{drive}: a board {board[1] if board else '?'}, expected {BOARD_ID}",
            "take a Raspberry Pi Pico (RP2040); other boards have other files",
        )


def copy_to_drive(uf2: Uf2, drive: Path, name: str = "firmware.uf2") -> float:
    """Write a file to a board's drive and wait until it vanishes; the seconds it took.

    Raises FlashError.
    """
    check_drive(drive)
    began_s = time.monotonic()
    try:
        with (drive / name).open("wb") as file:
            file.write(uf2.data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # The ROM may restart before the last answer to fsync: the vanished drive decides.
        if (drive / INFO).exists():
            raise FlashError(f"{drive}: {error.strerror}", HOLD) from error
    pause = Event()
    while (drive / INFO).exists():
        if time.monotonic() - began_s > VANISH_S:
            raise FlashError(f"{drive}: still there after {VANISH_S:.0f} s: not taken", HOLD)
        pause.wait(0.05)
    return time.monotonic() - began_s
