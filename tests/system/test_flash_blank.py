"""Blank boards: one command from a drive or a bare chip to a pad that runs; keys at the kiosk."""

import hashlib
import json

import pytest

from firmware.flash.ports import find_ports
from firmware.flash.uf2 import find_drives
from hal.sim.repl_pad import ReplPad, Uf2Drive
from kiosk.pad_keys import REVOKED, PadKeys
from tests.system.flash_bench import Bench
from tests.unit.flash.test_esp import whole
from tests.unit.flash.test_uf2 import GOOD

pytestmark = pytest.mark.micropython


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for board in bench.boards:
        board.stop()


def blank(bench: Bench, name: str, **options) -> ReplPad:
    """A board that is not plugged in yet."""
    board = ReplPad(bench.ports, name, **options)
    bench.boards.append(board)
    return board


def test_a_blank_pico_is_a_pad_after_one_command(bench):
    bundle = bench.bundle()
    bench.board("usb-1")  # another board, which is not meant
    board = blank(bench, "usb-2")
    file = bench.folder / "micropython.uf2"
    file.write_bytes(GOOD)
    drive = Uf2Drive(bench.folder / "RPI-RP2", restart=board.start)
    told = [*bench.told(bundle), "--uf2", file, "--drive", drive.folder, "--counter", 5]
    told += ["--code", bench.code(5)]
    planned = bench.lobby("pad", *told, "--dry-run")
    assert "copy micropython.uf2" in planned.stdout, planned.stderr
    assert drive.folder.exists()
    done = bench.lobby("pad", *told, "--kiosk-keys", bench.folder / "kiosk")
    drive.stop()
    assert done.returncode == 0, done.stderr
    assert f"usb-2: {board.unique_id} runs 0.1.0" in done.stdout
    assert drive.taken == GOOD
    acts = {row["act"]: row["outcome"] for row in bench.shop.registry.log(9)}
    assert acts["micropython"] == f"micropython.uf2 {hashlib.sha256(GOOD).hexdigest()}"
    assert acts["flash"] == f"{bundle.path.name} 0.1.0 {bundle.hash}"
    assert PadKeys(bench.folder / "kiosk")(board.unique_id) is not None
    # The board is no drive any more, and has what it needs.
    again = bench.lobby("pad", "usb-2", *bench.told(bundle), "--uf2", file)
    assert again.returncode == 0, again.stderr
    assert "not needed" in again.stderr


def test_another_board_s_drive_is_refused_before_a_byte(bench):
    file = bench.folder / "micropython.uf2"
    file.write_bytes(GOOD)
    drive = Uf2Drive(bench.folder / "RP2350", board_id="RP2350")
    told = [*bench.told(bench.bundle()), "--uf2", file, "--drive", drive.folder]
    refused = bench.lobby("pad", *told)
    drive.stop()
    assert refused.returncode == 6
    assert "a board RP2350, expected RPI-RP2" in refused.stderr
    assert [path.name for path in drive.folder.iterdir()] == ["INFO_UF2.TXT"]


def test_no_drive_and_no_board_say_what_to_do(bench):
    bundle = bench.bundle()
    file = bench.folder / "micropython.uf2"
    file.write_bytes(GOOD)
    refused = bench.lobby("pad", "usb-1", *bench.told(bundle), "--uf2", file)
    assert "hold the BOOTSEL key while plugging the board in" in refused.stderr
    refused = bench.lobby("pad", *bench.told(bundle))
    assert refused.returncode == 3
    assert "for a blank Pico add --uf2 FILE" in refused.stderr
    assert "No board found" in bench.lobby("list", "--ports", bench.ports).stdout
    bench.board("usb-1")
    bench.board("usb-2")
    refused = bench.lobby("pad", *bench.told(bundle))
    assert "several boards: usb-1, usb-2; name one of them" in refused.stderr
    refused = bench.lobby("pad", "e6619999", *bench.told(bundle))
    assert "no pad of that name or unique id" in refused.stderr


def test_drives_are_found_where_they_are_mounted(tmp_path):
    for folder in ("media/m012/RPI-RP2", "run/media/m012/RPI-RP2", "mnt/pico"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "INFO_UF2.TXT").touch()
    assert len(find_drives(tmp_path)) == 3
    assert find_drives(tmp_path / "mnt") == []


def test_usb_2_comes_before_usb_10(tmp_path):
    for name in ("usb-10", "usb-2", "usb-1", ".lock"):
        (tmp_path / name).touch()
    assert [port.name for port in find_ports(tmp_path)] == ["usb-1", "usb-2", "usb-10"]


def test_an_esp32_c3_is_written_by_esptool_and_goes_on(bench):
    image = bench.folder / "micropython-c3.bin"
    image.write_bytes(whole())
    tool = bench.folder / "esptool"
    tool.write_text(f'#!/bin/sh\necho "$@" > {bench.folder}/arguments\n')
    tool.chmod(0o755)
    board = bench.board("usb-1")
    told = [*bench.told(bench.bundle()), "--image", image, "--counter", 5, "--code", bench.code(5)]
    asked = bench.lobby("pad", board.port, *told, LOBBY_ESPTOOL=str(tool))
    assert asked.returncode == 2
    assert "add --erase or --keep" in asked.stderr
    planned = bench.lobby("pad", board.port, *told, "--dry-run", LOBBY_ESPTOOL=str(tool))
    assert f"write-flash 0x0 {image}" in planned.stdout
    assert not (bench.folder / "arguments").exists()
    done = bench.lobby("pad", board.port, *told, "--erase", LOBBY_ESPTOOL=str(tool))
    assert done.returncode == 0, done.stderr
    assert "--erase-all 0x0" in (bench.folder / "arguments").read_text()
    assert f"{board.unique_id} runs 0.1.0" in done.stdout
    assert "micropython" in [row["act"] for row in bench.shop.registry.log(9)]
    image.write_bytes(whole(chip=9))
    refused = bench.lobby("pad", board.port, *told, "--erase", LOBBY_ESPTOOL=str(tool))
    assert refused.returncode == 6
    assert "for esp32s3, not esp32c3" in refused.stderr


def test_a_swap_is_one_command_at_the_kiosk(bench):
    bundle = bench.bundle()
    old = bench.ready("usb-1", 4, bundle)
    new = bench.board("usb-2")
    told = [*bench.told(bundle), "--counter", 4, "--code", bench.code(4)]
    refused = bench.lobby("pad", new.port, *told)
    assert refused.returncode == 7
    assert f"counter 4 has the pad {old.unique_id}" in refused.stderr
    kiosk = bench.folder / "pads"
    done = bench.lobby("pad", new.port, *told, "--replace", "--kiosk-keys", kiosk, "--json")
    assert done.returncode == 0, done.stderr
    asked = PadKeys(kiosk)
    assert asked(old.unique_id) == REVOKED
    assert asked(new.unique_id) == bench.shop.keys.get(new.unique_id)
    rows = json.loads(bench.lobby("list", "--ports", bench.ports, "--json").stdout)
    assert {row["unique_id"]: row["state"] for row in rows} == {
        old.unique_id: "revoked", new.unique_id: "ready",
    }  # fmt: skip


def test_keys_travel_sealed_to_a_kiosk(bench):
    board = bench.ready("usb-1", 4, bench.bundle())
    file, kiosk = bench.folder / "pads.sealed", bench.folder / "kiosk"
    assert "1 keys, 0 revoked" in bench.lobby("keys", "export", "--out", file, "--dry-run").stdout
    assert not file.exists()
    exported = json.loads(bench.lobby("keys", "export", "--out", file, "--json").stdout)
    assert (exported["keys"], exported["revoked"]) == (1, 0)
    told = ["keys", "import", file, "--to", kiosk]
    wrong = bench.lobby(*told, LOBBY_KEYS_CODE="0000-0000-0000-0000")
    assert wrong.returncode == 7
    done = bench.lobby(*told, "--code", exported["code"])
    assert done.stdout.strip() == f"{board.unique_id}: key"
    assert PadKeys(kiosk)(board.unique_id) == bench.shop.keys.get(board.unique_id)
    there = bench.lobby("keys", "install", "--to", kiosk)
    assert "nothing to change" in there.stdout


def test_at_a_kiosk_its_own_keys_are_used(bench):
    old, new = bench.bundle("0.1.0"), bench.bundle("0.2.0")
    board = bench.ready("usb-1", 4, old)
    kiosk = bench.folder / "kiosk"
    bench.lobby("keys", "install", "--to", kiosk)
    there = {"LOBBY_FLASH_DATA": str(bench.folder / "kiosk-tool"), "LOBBY_KIOSK_KEYS": str(kiosk)}
    (row,) = json.loads(bench.lobby("list", "--ports", bench.ports, "--json", **there).stdout)
    assert (row["trust"], row["state"]) == ("proved", "ready")
    for word in ("runs 0.2.0", "runs 0.2.0"):
        done = bench.lobby("pad", "usb-1", *bench.told(new), **there)
        assert word in done.stdout, done.stderr
    assert (
        board.resets == 3
    )  # the first flash, into the prompt and out: the second run had nothing
    assert PadKeys(kiosk)(board.unique_id) == bench.shop.keys.get(board.unique_id)


def test_a_counter_in_a_batch_stays_with_its_pad(bench):
    bundle = bench.bundle()
    boards = [bench.board(f"usb-{number}") for number in (1, 2, 3)]
    told = [*bench.told(bundle), "--first-counter", 1, "--code", bench.code()]
    first = bench.lobby("batch", *told, "--json")
    assert [row["counter"] for row in json.loads(first.stdout)] == [1, 2, 3]
    boards[0].stop()
    second = bench.lobby("batch", *told, "--json")
    assert [row["counter"] for row in json.loads(second.stdout)] == [2, 3]
