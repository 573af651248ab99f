"""A UF2 file is checked block by block, then the drive takes it or says nothing."""

import hashlib
import struct

import pytest

from firmware.flash import uf2
from firmware.flash.errors import BadUse, FlashError, NotTrusted
from hal.sim.repl_pad import Uf2Drive


def block(number: int, count: int, family: int = uf2.RP2040, flags: int = 0x2000) -> bytes:
    head = struct.pack(
        "<8I", *uf2.MAGICS, flags, 0x10000000 + 256 * number, 256, number, count, family
    )
    return head + bytes([number]) * 476 + struct.pack("<I", uf2.LAST_MAGIC)


GOOD = block(0, 2) + block(1, 2)


def test_a_good_file_makes_the_drive_vanish(tmp_path):
    path = tmp_path / "micropython.uf2"
    path.write_bytes(GOOD)
    drive = Uf2Drive(tmp_path / "RPI-RP2")
    checked = uf2.read_uf2(path, hashlib.sha256(GOOD).hexdigest())
    uf2.copy_to_drive(checked, drive.folder)
    drive.stop()
    assert drive.taken == GOOD
    assert not drive.folder.exists()
    with pytest.raises(BadUse, match="hold the BOOTSEL key"):
        uf2.copy_to_drive(checked, drive.folder)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes, not whole blocks"),
        (GOOD[:-1], "1023 bytes, not whole blocks"),
        (bytes(512) + block(1, 2), "block 0 has not the magic"),
        (GOOD[:-4] + bytes(4), "block 1 has not the magic"),
        (block(0, 1, family=0xE48BFF59), "family 0xe48bff59, not 0xe48bff56"),
        (block(0, 1, flags=0), "family"),
        (block(0, 2), "says it is 0 of 2, file has 1"),
        (block(1, 2) + block(0, 2), "block 0 says it is 1 of 2"),
    ],
)
def test_another_file_is_refused(tmp_path, data, said):
    path = tmp_path / "x.uf2"
    path.write_bytes(data)
    with pytest.raises(NotTrusted, match=said):
        uf2.read_uf2(path)


def test_another_sha256_is_refused(tmp_path):
    path = tmp_path / "x.uf2"
    path.write_bytes(GOOD)
    with pytest.raises(NotTrusted, match="expected 00"):
        uf2.read_uf2(path, "00" * 32)


def test_a_drive_that_stays_is_said(tmp_path, monkeypatch):
    (tmp_path / uf2.INFO).write_text("Board-ID: RPI-RP2\n")
    monkeypatch.setattr(uf2, "VANISH_S", 0.0)
    with pytest.raises(FlashError, match="not taken"):
        uf2.copy_to_drive(uf2.Uf2(GOOD, 2, ""), tmp_path)
