"""Images for an ESP32-C3 are judged before esptool starts; what it says is put into our words."""

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest

from firmware.flash import esp
from firmware.flash.errors import BadUse, FlashError, LinkDied, NoPad, NotTrusted, PortBusy

PORT = Path("/dev/serial/by-path/usb-1")


def part(chip: int = 5, pieces: tuple[bytes, ...] = (b"boot" * 16, b"load" * 4)) -> bytes:
    """One image as the chip's loader reads it: header, segments, checksum."""
    head = struct.pack("<BBBBI", esp.MAGIC, len(pieces), 2, 0x2F, 0x40380000)
    data = head + struct.pack("<BBBBHBHH4sB", 0xEE, 0, 0, 0, chip, 0, 0, 99, bytes(4), 0)
    checksum = esp.CHECKSUM_SEED
    for number, piece in enumerate(pieces):
        data += struct.pack("<II", 0x3FCD0000 + 0x1000 * number, len(piece)) + piece
        for byte in piece:
            checksum ^= byte
    data += bytes(15 - len(data) % 16)
    return data + bytes([checksum])


def whole(chip: int = 5) -> bytes:
    """A whole flash: loader, table of partitions, program."""
    data = part(chip).ljust(esp.TABLE_AT, b"\xff") + esp.TABLE_MAGIC
    return data.ljust(0x10000, b"\xff") + part(chip, (b"program" * 100,))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "micropython-c3.bin"
    path.write_bytes(whole())
    return path


def test_a_whole_flash_for_the_chip_is_taken(image):
    checked = esp.read_image(image, "esp32c3", hashlib.sha256(whole()).hexdigest().upper())
    assert (checked.size, checked.sha256) == (len(whole()), hashlib.sha256(whole()).hexdigest())


def changed(at: int, byte: int) -> bytes:
    data = bytearray(whole())
    data[at] = byte
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no image of an ESP32"),
        (changed(0, 0x7F), "no image of an ESP32"),
        (whole(0), "for esp32, not esp32c3"),
        (whole(9), "for esp32s3, not esp32c3"),
        (whole(77), "for chip 77, not esp32c3"),
        (changed(1, 0), "0 segments, expected 1 to 16"),
        (changed(1, 17), "17 segments, expected 1 to 16"),
        (changed(40, 0), "the checksum of its segments is wrong"),
        (part()[:60], "ends in segment 0"),
        (part()[:100], "ends before segment 1"),
        (part()[:-1], "the checksum of its segments is wrong"),
        (part(), "a program alone, not a whole flash"),
    ],
)
def test_another_image_is_refused(tmp_path, data, said):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(NotTrusted, match=said):
        esp.read_image(path, "esp32c3")


def test_what_cannot_be_read_or_is_unknown_is_said(tmp_path, image):
    with pytest.raises(BadUse, match="cannot be read"):
        esp.read_image(tmp_path / "none", "esp32c3")
    with pytest.raises(BadUse, match="there is esp32c3"):
        esp.read_image(image, "esp8266")
    with pytest.raises(NotTrusted, match="expected 00"):
        esp.read_image(image, "esp32c3", "00" * 32)


@pytest.fixture
def esptool(tmp_path, monkeypatch):
    """A program in esptool's place: it keeps its arguments, says and returns what it is told."""

    def made(status: int = 0, said: str = "") -> Path:
        path = tmp_path / "esptool"
        kept: Path = tmp_path / "arguments.json"
        path.write_text(
            "#!/usr/bin/env python3\n"
            "import json, sys\n"
            f"json.dump(sys.argv[1:], open({str(kept)!r}, 'w'))\n"
            f"print({said!r})\n"
            f"sys.exit({status})\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv(esp.PROGRAM_VARIABLE, str(path))
        return kept

    return made


@pytest.mark.parametrize("erase", [False, True])
def test_the_command_line(image, esptool, erase):
    kept = esptool()
    esp.write_image(PORT, esp.read_image(image, "esp32c3"), "esp32c3", erase)
    assert json.loads(kept.read_text()) == [
        "--chip", "esp32c3", "--port", str(PORT), "--baud", "460800",
        "--before", "default-reset", "--after", "hard-reset",
        "write-flash", *(["--erase-all"] if erase else []), "0x0", str(image),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "kind", "next_step"),
    [
        # Each line is what esptool 5.6 or its loader prints.
        ("Failed to connect to ESP32-C3: No serial data received.", NoPad, "hold BOOT"),
        ("This chip is ESP32-S3, not ESP32-C3. Wrong --chip argument?", NotTrusted, "this chip"),
        (
            "Could not open usb-1, the port is busy or doesn't exist.\n"
            "([Errno 2] could not open port usb-1: [Errno 2] No such file or directory)",
            NoPad,
            "plug the board in",
        ),
        (
            "Could not open usb-1, the port is busy or doesn't exist.\n"
            "(Could not exclusively lock port usb-1: [Errno 11] Resource unavailable)",
            PortBusy,
            "stop the program",
        ),
        ("MD5 of file does not match data in flash!", FlashError, "hold BOOT"),
        ("Lost connection, retrying...", LinkDied, "hold BOOT"),
        ("something else", FlashError, "hold BOOT"),
        ("", FlashError, "hold BOOT"),
    ],
)
def test_what_it_says_is_put_into_words(image, esptool, said, kind, next_step):
    esptool(2, said)
    with pytest.raises(kind) as caught:
        esp.write_image(PORT, esp.read_image(image, "esp32c3"), "esp32c3", False)
    assert type(caught.value) is kind
    assert next_step in caught.value.next_step


def test_a_missing_program_is_named(image, monkeypatch, tmp_path):
    monkeypatch.setenv(esp.PROGRAM_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(BadUse, match=r"lobby-kiosk\[esp\]"):
        esp.write_image(PORT, esp.read_image(image, "esp32c3"), "esp32c3", False)
    monkeypatch.delenv(esp.PROGRAM_VARIABLE)
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(esp, "find_spec", lambda name: None)
    with pytest.raises(BadUse, match="esptool is not installed"):
        esp.esptool_command()
    monkeypatch.setattr(esp, "find_spec", lambda name: name)
    assert esp.esptool_command()[1:] == ["-m", "esptool"]
