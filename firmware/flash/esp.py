"""MicroPython onto an ESP32-C3, by esptool, which runs as a program of its own (it is GPL-2+).

The image is judged before esptool is started: its header (magic 0xE9, the chip's number), its
first part's segments and checksum, and that it is a whole flash from address 0: bootloader, table
of partitions at 0x8000, program. Its name and hash go into the log.
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from firmware.flash.errors import BadUse, FlashError, LinkDied, NoPad, NotTrusted, PortBusy

MAGIC = 0xE9
HEADER_SIZE = 24
CHIP_AT = 12
MAX_SEGMENTS = 16
CHECKSUM_SEED = 0xEF
TABLE_AT = 0x8000
TABLE_MAGIC = b"\xaa\x50"
CHIPS = {"esp32c3": 5}
"""esptool's name -> the number in an image's header."""
NAMES = {0: "esp32", 2: "esp32s2", 5: "esp32c3", 9: "esp32s3", 12: "esp32c2", 13: "esp32c6"}
NAMES |= {16: "esp32h2"}

BAUD = 460_800
WRITE_S = 300.0
"""Erasing 4 MB and writing 2 MB takes half a minute."""
PROGRAM_VARIABLE = "LOBBY_ESPTOOL"
AGAIN = "download the file again and compare its sha256"
HOLD = "hold BOOT while plugging the board in (or press RESET with BOOT held), then run this again"

SAID = (
    ("failed to connect", NoPad, "no answer from the chip's loader", HOLD),
    ("no serial data received", NoPad, "no answer from the chip's loader", HOLD),
    ("this chip is", NotTrusted, "another chip", "take the image for this chip"),
    ("wrong --chip argument", NotTrusted, "another chip", "take the image for this chip"),
    ("exclusively lock", PortBusy, "the port is in use", "stop the program that has it open"),
    ("resource busy", PortBusy, "the port is in use", "stop the program that has it open"),
    ("could not open", NoPad, "the port cannot be opened", "plug the board in, see `list`"),
    ("md5 of file does not match", FlashError, "the flash differs from the file", HOLD),
    ("lost connection", LinkDied, "the line died", HOLD),
    ("device disconnected", LinkDied, "the line died", HOLD),
)
"""What esptool says, small letters -> the error, in our words, and what to do."""


@dataclass(frozen=True, slots=True)
class EspImage:
    """A checked image: its file, its bytes, its SHA-256 (hex)."""

    path: Path
    size: int
    sha256: str


def read_image(path: Path, chip: str, sha256: str | None = None) -> EspImage:
    """An image of a whole flash for a chip. Raises BadUse, NotTrusted."""
    if chip not in CHIPS:
        raise BadUse(f"chip {chip!r}", f"there is {', '.join(CHIPS)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadUse(f"{path}: cannot be read ({error.strerror})", "check the path") from error
    if len(data) < HEADER_SIZE or data[0] != MAGIC:
        raise NotTrusted(f"{path}: no image of an ESP32 (first byte is not {MAGIC:#x})", AGAIN)
    (number,) = struct.unpack_from("<H", data, CHIP_AT)
    if number != CHIPS[chip]:
        raise NotTrusted(
            f"{path}: for {NAMES.get(number, f'chip {number}')}, not {chip}",
            f"take the file for {chip}",
        )
    _check_segments(path, data)
    if data[TABLE_AT : TABLE_AT + 2] != TABLE_MAGIC:
        raise NotTrusted(
            f"{path}: no table of partitions at {TABLE_AT:#x}: a program alone, not a whole flash",
            "take the file that is written to address 0 (its name ends in .bin, not .app-bin)",
        )
    came = hashlib.sha256(data).hexdigest()
    if sha256 is not None and came != sha256.lower():
        raise NotTrusted(f"{path}: sha256 {came}, expected {sha256}", AGAIN)
    return EspImage(path, len(data), came)


def _check_segments(path: Path, data: bytes) -> None:
    count = data[1]
    if not 1 <= count <= MAX_SEGMENTS:
        raise NotTrusted(f"{path}: {count} segments, expected 1 to {MAX_SEGMENTS}", AGAIN)
    at = HEADER_SIZE
    checksum = CHECKSUM_SEED
    for number in range(count):
        if at + 8 > len(data):
            raise NotTrusted(f"{path}: ends before segment {number}", AGAIN)
        (size,) = struct.unpack_from("<I", data, at + 4)
        piece = data[at + 8 : at + 8 + size]
        if len(piece) != size:
            raise NotTrusted(f"{path}: ends in segment {number}", AGAIN)
        for byte in piece:
            checksum ^= byte
        at += 8 + size
    # The checksum is the last byte of a line of sixteen.
    end = at | 15
    if end >= len(data) or data[end] != checksum:
        raise NotTrusted(f"{path}: the checksum of its segments is wrong", AGAIN)


def esptool_command() -> list[str]:
    """How esptool is started here: $LOBBY_ESPTOOL, this environment's module, or PATH's program.

    Raises BadUse.
    """
    if named := os.environ.get(PROGRAM_VARIABLE):
        return [named]
    if find_spec("esptool") is not None:
        return [sys.executable, "-m", "esptool"]
    if found := shutil.which("esptool"):
        return [found]
    raise BadUse("esptool is not installed", "pip install 'lobby-kiosk[esp]'")


def write_command(port: Path, image: EspImage, chip: str, erase: bool) -> list[str]:
    """The whole command line that writes an image."""
    options = ["--chip", chip, "--port", str(port), "--baud", str(BAUD)]
    resets = ["--before", "default-reset", "--after", "hard-reset"]
    how = ["--erase-all"] if erase else []
    return [*esptool_command(), *options, *resets, "write-flash", *how, "0x0", str(image.path)]


def write_image(port: Path, image: EspImage, chip: str, erase: bool) -> None:
    """Run esptool to its end; it verifies what it wrote. Raises FlashError and its kinds."""
    command = write_command(port, image, chip, erase)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            stdin=subprocess.DEVNULL, timeout=WRITE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LinkDied(f"{port}: esptool did not end within {WRITE_S:.0f} s", HOLD) from error
    except OSError as error:
        raise BadUse(
            f"{command[0]}: does not start ({error.strerror})", "pip install 'lobby-kiosk[esp]'"
        ) from error
    if done.returncode == 0:
        return
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    for words, kind, what, next_step in SAID:
        for line in said:
            if words in line.lower():
                raise kind(f"{port}: {what} (esptool: {line[:120]})", next_step)
    last = said[-1][:120] if said else f"exit status {done.returncode}"
    raise FlashError(f"{port}: esptool failed: {last}", HOLD)
