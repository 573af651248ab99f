"""The technician's tool as a program, against boards at the raw REPL of a real MicroPython."""

import asyncio
import json
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from firmware.flash import meeting
from firmware.flash.errors import FlashError, LinkDied, NotTrusted, PortBusy
from firmware.flash.greet import greet
from firmware.flash.ports import PortLock
from firmware.flash.repl import CodeFailed, RawRepl
from firmware.flash.work import Place, Workshop
from firmware.pad import VERSION
from hal.sim.pad import PtyPad
from hal.sim.repl_pad import NEVER
from tests.system.flash_bench import ROOT, Bench, silent

pytestmark = pytest.mark.micropython

EIGHT = 8


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for board in bench.boards:
        board.stop()


def test_eight_at_once_one_dies_and_a_second_run_finishes_it(bench):
    bundle = bench.bundle()
    for number in range(1, EIGHT + 1):
        bench.board(f"usb-{number}", die_after=30_000 if number == 5 else NEVER)
    told = ["--bundle", bundle.path, "--trust", bench.trust, "--ports", bench.ports]
    first = bench.lobby("batch", *told, "--first-counter", 1, "--code", bench.code())
    assert first.returncode == LinkDied.status, first.stderr
    assert "7 of 8 pads done." in first.stdout
    assert "FAILED  usb-5: " in first.stdout
    assert "check the cable and run the same command again" in first.stdout

    bench.boards[4].stop()
    bench.boards[4].die_after = NEVER
    bench.boards[4].start()
    second = bench.lobby("batch", *told, "--json")
    assert second.returncode == 0, second.stdout
    rows = json.loads(second.stdout)
    assert [row["counter"] for row in rows] == list(range(1, EIGHT + 1))
    assert {row["hash"] for row in rows} == {bundle.hash}
    assert {row["state"] for row in rows} == {"ready"}
    listed = bench.lobby("list", "--ports", bench.ports)
    assert listed.stdout.count(bundle.hash) == EIGHT


def test_a_line_that_dies_anywhere_leaves_a_pad_that_a_second_run_finishes(
    bench, rng, monkeypatch
):
    monkeypatch.setattr(meeting.wait_for_program, "__defaults__", (1.0,))
    bundle = bench.bundle()
    shop = Workshop(bench.data, "m012")
    place = Place(3, "rating", bench.code(3))
    for number in range(6):
        board = bench.board(f"cut-{number}", die_after=rng.randrange(50, 60_000), unique_id="c0de")
        if number:
            shutil.copy(bench.ports / ".cut-0.flash", board.flash)
        with pytest.raises(FlashError):
            shop.flash(board.port, bundle, place, silent)
        board.stop()
        board.die_after = NEVER
        board.start()
        assert shop.flash(board.port, bundle, place, silent).state == "ready"
        board.flash.write_bytes(b"")
        board.stop()


def test_update_rollback_and_firmware_that_must_not_be_flashed(bench):
    old, new = bench.bundle("0.1.0"), bench.bundle("0.2.0")
    board = bench.board("usb-1")
    shop = Workshop(bench.data, "m012")
    shop.flash(board.port, old, Place(7, "rating", bench.code(7)), silent)
    assert shop.flash(board.port, new, None, silent).version == "0.2.0"
    with pytest.raises(NotTrusted, match=r"bundle is 0\.1\.0, the pad runs 0\.2\.0"):
        shop.flash(board.port, old, None, silent)
    with pytest.raises(NotTrusted, match="bundle is for rp2, the pad is a linux"):
        shop.flash(board.port, bench.bundle("0.3.0", chip="rp2"), None, silent)
    assert greet(board.port, key_of=shop.keys.get).version == "0.2.0"  # back at once
    done = bench.lobby("rollback", board.port, "--json")
    assert json.loads(done.stdout).get("version") == "0.1.0", done.stdout + done.stderr
    log = json.loads(bench.lobby("log", "--json").stdout)
    assert [row["act"] for row in log["log"]][-1] == "rollback"
    assert log["pads"][0]["version"] == "0.1.0"


def test_a_swapped_pad_takes_the_counter_over_and_the_old_one_is_revoked(bench):
    first, second = bench.board("usb-1"), bench.board("usb-2")
    shop = Workshop(bench.data, "m012")
    for board, more, status in ((first, [], 0), (second, [], 7), (second, ["--replace"], 0)):
        told = ["--counter", 4, "--code", bench.code(4), *more]
        done = bench.lobby("provision", board.port, *told)
        assert done.returncode == status, done.stderr
    assert "is revoked" in done.stdout
    assert shop.keys.get(first.unique_id) is None
    assert shop.keys.path(second.unique_id).stat().st_mode & 0o777 == 0o600
    holder = shop.registry.holder(4, "rating")
    assert holder is not None
    assert holder.unique_id == second.unique_id
    label = bench.lobby("label", second.unique_id, "--out", bench.folder)
    assert label.stdout.splitlines()[0].endswith(".png"), label.stderr


@pytest.mark.parametrize("role", ["caller", "both", "keys"])
def test_a_pad_runs_in_the_role_that_it_was_provisioned_for(bench, role):
    board = bench.board("usb-1")
    old = {"counter": 1, "role": "rating", "address": 7}
    with RawRepl(board.port) as repl:
        repl.put("/state/config.json", json.dumps(old).encode())
    told = ["--bundle", bench.bundle().path, "--trust", bench.trust, "--role", role]
    done = bench.lobby("pad", board.port, *told, "--counter", 3, "--code", bench.code(3))
    assert done.returncode == 0, done.stderr
    greeted = greet(board.port, key_of=Workshop(bench.data, "m012").keys.get)
    assert (greeted.role, greeted.trust, greeted.state) == (role, "proved", "ready")
    saved = bench.folder / "backup.json"
    assert bench.lobby("backup", board.port, "--out", saved).returncode == 0
    config = json.loads(b64decode(json.loads(saved.read_text())["files"]["config.json"]))
    roles = {"both": ["rating", "caller"]}.get(role, [role])
    assert config == {"counter": 3, "roles": roles, "address": 7}


def test_backup_goes_back_into_its_own_pad_only(bench):
    one, two = bench.board("usb-1"), bench.board("usb-2")
    bench.lobby("provision", one.port, "--counter", 4, "--code", bench.code(4))
    saved = bench.folder / "backup.json"
    assert bench.lobby("backup", one.port, "--out", saved).returncode == 0
    assert "key.bin" not in saved.read_text()
    assert bench.lobby("restore", one.port, "--from", saved).returncode == 0
    refused = bench.lobby("restore", two.port, "--from", saved)
    assert refused.returncode == 7
    assert "a backup goes back into its own pad only" in refused.stderr


def test_dry_run_and_plan_write_nothing(bench):
    bundle = bench.bundle()
    board = bench.board("usb-1")
    RawRepl(board.port).close()  # it formats its flash before it answers
    before = board.flash.read_bytes()
    told = ["--bundle", bundle.path, "--trust", bench.trust]
    assert "provision: a key" in bench.lobby("pad", board.port, *told, "--dry-run").stdout
    assert "usb-1: provision" in bench.lobby("plan", *told, "--ports", bench.ports).stdout
    assert "blank" in bench.lobby("list", "--ports", bench.ports).stdout
    assert board.flash.read_bytes() == before


def test_a_port_is_held_by_one_program_and_a_dead_one_leaves_nothing(tmp_path):
    port = tmp_path / "usb-1"
    script = (
        "import os, sys, pathlib\n"
        "from firmware.flash.ports import PortLock\n"
        "lock = PortLock(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "lock.__enter__()\n"
        "print(os.getpid(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "locks", port],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    pid = other.stdout.readline().strip()
    with (
        pytest.raises(PortBusy, match=f"in use by process {pid}"),
        PortLock(tmp_path / "locks", port),
    ):
        pass
    other.kill()
    other.communicate()
    with PortLock(tmp_path / "locks", port):
        pass


def test_what_goes_wrong_on_the_board_is_its_own_last_line(bench):
    board = bench.board("usb-1")
    with RawRepl(board.port) as repl:
        assert repl.value("1 + 1") == 2
        with pytest.raises(CodeFailed, match="ZeroDivisionError"):
            repl.run("1 / 0")
        assert repl.put("/deep/in/file", b"x" * 5000)
        assert not repl.put("/deep/in/file", b"x" * 5000)
        assert repl.get("/deep/in/file") == b"x" * 5000


async def test_a_pad_that_runs_is_listed_by_its_greeting(bench):
    pad = PtyPad(bench.folder, "pad-1", port=bench.ports / "usb-1", unique_id="e661aa")
    await pad.start()
    try:
        listed = await asyncio.to_thread(bench.lobby, "list", "--ports", bench.ports, "--json")
        (row,) = json.loads(listed.stdout)
        assert (row["unique_id"], row["version"], row["state"]) == ("e661aa", VERSION, "runs")
        bundle = bench.bundle()
        told = ["--bundle", bundle.path, "--trust", bench.trust, "--operator", "m012"]
        refused = await asyncio.to_thread(bench.lobby, "pad", pad.port, *told)
    finally:
        await pad.stop()
    assert refused.returncode == 3
    assert "hold two keys of the pad" in refused.stderr


def test_mpremote_itself_can_talk_to_the_board(bench):
    board = bench.board("usb-1")
    port = board.port.resolve()
    done = subprocess.run(
        [Path(sys.executable).with_name("mpremote"), "connect", port, "resume", "eval", "6 * 7"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "42", done.stdout + done.stderr
