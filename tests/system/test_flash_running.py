"""Pads that run their program: no prompt answers, their port vanishes when they restart."""

import json

import pytest
import serial

from firmware.flash import meeting
from firmware.flash.errors import FlashError, LinkDied, NoPad
from firmware.flash.greet import greet
from firmware.flash.pads import LET_GO, look
from firmware.flash.ports import by_path_name
from firmware.flash.work import Place
from firmware.pad.slots import hmac_sha256
from tests.system.flash_bench import Bench, silent

pytestmark = pytest.mark.micropython


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for board in bench.boards:
        board.stop()


def test_a_running_pad_is_updated_without_a_hand_on_it(bench):
    old, new = bench.bundle("0.1.0"), bench.bundle("0.2.0")
    board = bench.ready("usb-1", 7, old, away_s=1.0)
    (row,) = json.loads(bench.lobby("list", "--ports", bench.ports, "--json").stdout)
    assert (row["role"], row["counter"], row["hash"]) == ("rating", 7, old.hash)
    assert (row["state"], row["at"], row["trust"]) == ("ready", "program", "proved")
    planned = bench.lobby("plan", *bench.told(new)).stdout
    assert "usb-1: send into its prompt; write 0.2.0 over 0.1.0" in planned
    before = board.resets
    done = bench.lobby("pad", "usb-1", *bench.told(new))
    assert done.returncode == 0, done.stderr
    assert board.resets == before + 2  # into its prompt, and back into its program
    assert bench.lobby("verify", board.unique_id, *bench.told(new)).returncode == 0
    again = bench.lobby("pad", "usb-1", *bench.told(new))
    assert again.returncode == 0, again.stderr
    assert board.resets == before + 2  # nothing was to be done


def test_a_running_pad_without_a_key_here_asks_for_two_keys(bench):
    bundle = bench.bundle()
    board = bench.ready("usb-1", 7, bundle)
    bench.shop.keys.path(board.unique_id).rename(bench.folder / "away")
    (row,) = json.loads(bench.lobby("list", "--ports", bench.ports, "--json").stdout)
    assert (row["state"], row["trust"], row["counter"]) == ("runs", "no key here", 7)
    refused = bench.lobby("verify", "usb-1", *bench.told(bundle))
    assert refused.returncode == 7
    told = [*bench.told(bundle), "--counter", 7, "--code", bench.code(7)]
    refused = bench.lobby("pad", "usb-1", *told)
    assert refused.returncode == NoPad.status
    assert "takes no command from here (no key here)" in refused.stderr
    assert "hold two keys of the pad" in refused.stderr
    board.replug(holding=(1, 5))
    listed = bench.lobby("list", "--ports", bench.ports).stdout
    assert "ready, at its prompt" in listed
    held = bench.lobby("pad", "usb-1", *told)
    assert "stays at its prompt" in held.stderr
    assert "let go of the keys and run the same command again" in held.stderr
    board.let_go()
    done = bench.lobby("pad", "usb-1", *told)
    assert done.returncode == 0, done.stderr
    assert "runs 0.1.0" in done.stdout


def test_a_port_that_another_program_has_open_is_said(bench):
    board = bench.board("usb-1")
    with serial.Serial(str(board.port), exclusive=True):
        listed = bench.lobby("list", "--ports", bench.ports)
        refused = bench.lobby(
            "backup", "usb-1", "--ports", bench.ports, "--out", bench.folder / "x"
        )
    assert "another program has it open; stop that program" in listed.stdout
    assert refused.returncode == 5


def test_another_name_of_a_port_is_its_by_path_name(tmp_path):
    device = tmp_path / "ttyACM0"
    device.touch()
    folder = tmp_path / "by-path"
    folder.mkdir()
    (folder / "usb-1").symlink_to(device)
    (folder / "usb-2").touch()
    assert by_path_name(device, folder) == folder / "usb-1"
    assert by_path_name(folder / "usb-2", folder) == folder / "usb-2"
    assert by_path_name(tmp_path / "none", folder) == tmp_path / "none"


def test_another_key_is_told_from_none(bench):
    board = bench.ready("usb-1", 7, bench.bundle())
    bench.shop.keys.path(board.unique_id).write_bytes(bytes(32))
    assert greet(board.port, key_of=bench.shop.keys.get).trust == "another key"


def test_firmware_that_does_not_run_goes_back_and_the_tool_says_so(bench):
    good = bench.bundle("0.1.0")
    broken = ("main.py", "    board.claim_line(line, baud)\n", "    raise ValueError('broken')\n")
    bad = bench.bundle("0.2.0", edit=broken)
    board = bench.ready("usb-1", 7, good)
    with pytest.raises(FlashError, match=r"went back to 0\.1\.0"):
        bench.shop.flash(board.port, bad, None, silent)
    assert greet(board.port, key_of=bench.shop.keys.get).hash == good.hash
    assert "went back" in bench.shop.registry.log(1)[0]["outcome"]


def test_a_port_that_stays_away_is_said(bench, monkeypatch):
    board = bench.board("usb-1", away_s=600)
    monkeypatch.setattr(meeting.wait_for_program, "__defaults__", (1.0,))
    place = Place(7, "rating", bench.code(7))
    with pytest.raises(LinkDied, match="has not come back 1 s after the restart; unplug the pad"):
        bench.shop.flash(board.port, bench.bundle(), place, silent)


def test_a_prompt_after_the_restart_is_no_success(bench):
    broken = ("main.py", "def start() -> None:\n", "def start() -> None:\n    return\n")
    board = bench.board("usb-1")
    place = Place(7, "rating", bench.code(7))
    with pytest.raises(FlashError, match="restarted, and stays at its prompt"):
        bench.shop.flash(board.port, bench.bundle("0.2.0", edit=broken), place, silent)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_file_goes_on_in_its_middle(bench, damaged):
    bundle = bench.bundle()
    board = bench.board("usb-1")
    shop = bench.shop
    name = "firmware/pad/slots.mpy"
    data = bundle.slot_files[name]
    half = 4096
    assert len(data) > half
    with shop.prompt(board.port, "test", restart=False) as repl:
        shop.give_place(repl, look(repl), Place(7, "rating", bench.code(7)))
        repl.put("/lib/slots.mpy", bundle.root_files["lib/slots.mpy"])
        repl.run(LET_GO)
        key = shop.keys.get(board.unique_id)
        mac = hmac_sha256(key, bundle.manifest)
        repl.run(f"_u = slots.Update(slots.Slots('', sys.platform))\n_m = {bundle.manifest!r}")
        repl.run(f"_u.begin(_m, {mac!r})")
        first = bytes(half) if damaged else data[:half]
        for at in range(0, half, 1024):
            repl.run(f"_u.write({name!r}, {at}, {first[at : at + 1024]!r})")
    told = []
    shop.flash(board.port, bundle, None, lambda step, done, size: told.append(done))
    order = list(bundle.slot_files)
    begin = sum(len(bundle.slot_files[file]) for file in order[: order.index(name)])
    assert begin + half in told
    assert (begin + 2048 in told) is damaged


def test_erase_formats_and_the_pad_keeps_its_identity(bench):
    bundle = bench.bundle()
    board = bench.ready("usb-1", 7, bundle)
    with bench.shop.prompt(board.port, "test") as repl:
        repl.put("/other.py", b"x = 1\n")
    kept = bench.lobby("pad", "usb-1", *bench.told(bundle), "--keep", "--json")
    assert kept.returncode == 0, kept.stderr
    done = bench.lobby("pad", "usb-1", *bench.told(bundle), "--erase", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert (table["counter"], table["state"]) == (7, "ready")
    with bench.shop.prompt(board.port, "test", restart=False) as repl:
        names = repl.value("os.listdir('/')")
    assert "other.py" not in names
    assert "main.py" in names
    assert "erase" in [row["act"] for row in bench.shop.registry.log(9)]
