"""The firmware's program on a pty, and the bench that presses its keys; on real time."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.pad import link as wire
from hal.drivers.pad import SerialPad
from hal.errors import HalError, LinkUnavailable
from hal.link import link_to
from hal.sim import pad as sim
from hal.sim.pad import ALL_DARK, ALL_LIT, InterpreterMissing, PadBench, PtyPad

pytestmark = pytest.mark.micropython

IDLE_S = 3.0
IDLE_SHARE = 0.02
"""Four pads at rest together may take 2 % of one core."""


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def cpu_s(pid: int | None) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def driver_of(pad: PtyPad) -> SerialPad:
    return SerialPad(link_to(pad.address), name=pad.name, now_ms=now_ms, allow_unkeyed=True)


async def test_four_pads_at_rest_leave_the_processor_alone(tmp_path):
    pads = [PtyPad(tmp_path, f"pad-{number}") for number in (1, 2, 3, 4)]
    drivers = []
    try:
        for number, pad in enumerate(pads):
            await pad.start()
            # Two greeted and armed, two whose host is not there: their line fills up.
            if number < 2:
                drivers.append(driver_of(pad))
                await drivers[-1].open()
                await drivers[-1].arm(1, wire.MAX_WINDOW_MS)
        assert len({pad.unique_id for pad in pads}) == 4
        before = [cpu_s(pad.pid) for pad in pads]
        await asyncio.sleep(IDLE_S)
        used = [cpu_s(pad.pid) - was for pad, was in zip(pads, before, strict=True)]
        assert sum(used) < IDLE_SHARE * IDLE_S, used
        assert [pad.leds() for pad in pads] == [ALL_LIT, ALL_LIT, ALL_DARK, ALL_DARK]
    finally:
        for driver in drivers:
            await driver.close()
        for pad in pads:
            await pad.stop()


async def test_a_bench_in_another_process_presses_and_looks(tmp_path):
    pad = PtyPad(tmp_path, "pad-1")
    await pad.start()
    driver = driver_of(pad)
    try:
        await driver.open()
        await driver.arm(9, wire.MAX_WINDOW_MS)
        script = (
            "import asyncio, sys\n"
            "from hal.sim.pad import ALL_LIT, PadBench\n"
            "async def main():\n"
            "    bench = PadBench(sys.argv[1], sys.argv[2])\n"
            "    assert await bench.wait_for_leds(ALL_LIT, 5)\n"
            "    await bench.press(5)\n"
            "    assert await bench.wait_for_leds((False,) * 4 + (True,), 5)\n"
            "asyncio.run(main())\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, pad.keys_path, pad.leds_path, cwd=sim.FIRMWARE_ROOT
        )
        press = await asyncio.wait_for(driver.next_press(), 10)
        assert (press.nonce, press.score_1to5) == (9, 5)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        await driver.close()
        await pad.stop()


async def test_one_board_is_the_visitor_s_and_the_teller_s(tmp_path):
    pad = PtyPad(tmp_path, "pad-1", roles=("rating", "caller"))
    await pad.start()
    driver = driver_of(pad)
    try:
        await driver.open()
        await driver.show("A042", 7, 4)
        async with asyncio.timeout(5):
            while pad.digits() != "A042":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert driver.identity is not None
        assert driver.identity.roles == wire.RATING | wire.CALLER
        await driver.arm(9, wire.MAX_WINDOW_MS)
        for action in (1, 5):
            await pad.press_teller(action)
            key = await asyncio.wait_for(driver.next_key(), 5)
            assert (key.action, key.age_ms < 1_000) == (action, True)
            await driver.acknowledge_key(key)
        await pad.press_teller(1)
        await driver.deny_key(await asyncio.wait_for(driver.next_key(), 5), "E-02")
        async with asyncio.timeout(5):
            while pad.digits() != "E-02":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        await pad.press(2)
        assert (await asyncio.wait_for(driver.next_press(), 5)).score_1to5 == 2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(driver.next_key(), 0.7)
        for number, waiting, stars in (("A0421", 1, 1), ("号", 1, 1), ("A1", -1, 1), ("A1", 1, 6)):
            with pytest.raises(ValueError, match=r"SHOW|ascii"):
                await driver.show(number, waiting, stars)
    finally:
        await driver.close()
        await pad.stop()
    assert pad.error_path.read_text() == ""


async def test_a_signed_command_ends_the_program_for_maintenance(tmp_path):
    key = bytes(range(32))
    pad = PtyPad(tmp_path, "pad-1", key=key)
    await pad.start()
    driver = SerialPad(link_to(pad.address), name=pad.name, now_ms=now_ms, key_of=lambda _: key)
    try:
        await driver.open()
        await driver.maintain()
        async with asyncio.timeout(5):
            while pad.pid is None or _runs(pad.pid):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert (pad.state_path / "maintenance").exists()
    finally:
        await driver.close()
        await pad.stop()


async def test_a_crash_is_told_to_the_host_after_the_next_start(tmp_path):
    pad = PtyPad(tmp_path, "pad-1", key=bytes(32))
    pad.state_path.mkdir()
    crash = {"in_a_row": 1, "crashes": 3, "last": "ValueError: of a test", "ours": True}
    (pad.state_path / "crash.json").write_text(json.dumps(crash))
    await pad.start()
    driver = SerialPad(
        link_to(pad.address), name=pad.name, now_ms=now_ms, key_of=lambda _: bytes(32)
    )
    try:
        await driver.open()
        async with asyncio.timeout(5):
            while not driver.last_crash:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert driver.last_crash == "ValueError: of a test"
        assert driver.health.counters["pad_crashes"] == 3
    finally:
        await driver.close()
        await pad.stop()
    assert json.loads((pad.state_path / "crash.json").read_text()) == crash | {"ours": False}


async def test_keys_written_late_and_all_at_once_are_still_pressed(tmp_path):
    pad = PtyPad(tmp_path, "pad-1")
    await pad.start()
    driver = driver_of(pad)
    try:
        await driver.open()
        await driver.arm(9, wire.MAX_WINDOW_MS)
        keys = os.open(pad.keys_path, os.O_WRONLY)
        os.write(keys, b"nonsense\ndown 6\ndown\n" + b"x" * 50 + b"\ndown 4\nup 4\n")
        os.close(keys)
        assert (await asyncio.wait_for(driver.next_press(), 5)).score_1to5 == 4
    finally:
        await driver.close()
        await pad.stop()
    assert pad.error_path.read_text() == ""


async def test_a_pad_ends_when_whoever_started_it_is_killed(tmp_path):
    script = (
        "import asyncio, os, pathlib, sys\n"
        "from hal.sim.pad import PtyPad\n"
        "async def main():\n"
        "    pad = PtyPad(pathlib.Path(sys.argv[1]), 'pad-1')\n"
        "    await pad.start()\n"
        "    print(pad.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, tmp_path, cwd=sim.FIRMWARE_ROOT, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    pid = int(output)
    async with asyncio.timeout(5):
        while _runs(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_pad_without_a_reader_goes_on_and_its_presses_arrive_later(tmp_path):
    pad = PtyPad(tmp_path, "pad-1")
    await pad.start()
    port = os.open(pad.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        # WHO makes it say HELLO: 400 times fills the pty's 4 kB, and then the pad holds one back.
        for number in range(400):
            os.write(port, wire.encode(wire.WHO, 1, number + 1, b""))
            await asyncio.sleep(0.001)
        await pad.press(2)
    finally:
        os.close(port)
    driver = driver_of(pad)
    try:
        await driver.open()
        press = await asyncio.wait_for(driver.next_press(), 10)
        assert (press.nonce, press.score_1to5) == (0, 2)
    finally:
        await driver.close()
        await pad.stop()


async def test_stopped_pads_and_wrong_keys_are_refused(tmp_path):
    bench = PadBench(tmp_path / "no.keys", tmp_path / "no.leds")
    assert bench.leds() == ALL_DARK
    assert not await bench.wait_for_leds(ALL_LIT, 0.05)
    with pytest.raises(LinkUnavailable, match=r"no\.keys: no pad reads these keys"):
        bench.down(1)
    with pytest.raises(ValueError, match="no key 6"):
        bench.down(6)
    pad = PtyPad(tmp_path, "pad-1")
    await pad.start()
    await pad.start()
    assert pad.port.is_symlink()
    await pad.stop()
    await pad.stop()
    assert not pad.port.is_symlink()
    assert pad.pid is None
    with pytest.raises(LinkUnavailable):
        await pad.press(1)


async def test_firmware_that_does_not_start_says_why(tmp_path):
    broken = tmp_path / "micropython"
    broken.write_text("#!/bin/sh\necho no such flash >&2\nexit 1\n")
    broken.chmod(0o755)
    pad = PtyPad(tmp_path, "pad-1", interpreter=broken)
    with pytest.raises(HalError, match=r"did not start: no such flash"):
        await pad.start()
    with pytest.raises(InterpreterMissing, match="no such flash"):
        _ = pad.interpreter


def test_interpreter_is_found_in_order_or_asked_for(tmp_path, monkeypatch):
    found = sim.micropython_path()
    monkeypatch.setenv("LOBBY_MICROPYTHON", str(tmp_path / "nothing"))
    with pytest.raises(InterpreterMissing, match=r"LOBBY_MICROPYTHON=.*no such program"):
        sim.micropython_path()
    monkeypatch.setenv("LOBBY_MICROPYTHON", str(found))
    assert sim.micropython_path() == found
    monkeypatch.delenv("LOBBY_MICROPYTHON")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    on_path = tmp_path / "micropython"
    for version, accepted in (("1.23.0", False), ("1.24.0", True), ("", False)):
        sim.interpreter_name.cache_clear()
        on_path.write_text(f"#!/bin/sh\necho micropython {version}\n")
        on_path.chmod(0o755)
        if accepted:
            assert sim.micropython_path() == on_path
        else:
            with pytest.raises(InterpreterMissing, match="run `make setup`"):
                sim.micropython_path()
    sim.interpreter_name.cache_clear()


def test_documented_examples_are_the_golden_frames():
    golden = json.loads((sim.FIRMWARE_ROOT / "tests/golden/pad_link.json").read_text())
    document = (sim.FIRMWARE_ROOT / "docs/protocol-pad.md").read_text(encoding="utf-8")
    for vector in [*golden["frames"], *golden["sealed"]]:
        if vector["wire"].count("ff") < 50 and vector["name"] != "longest, all zero":
            row = f"| {vector['name']} | `{vector['wire']}` |"
            assert row in document, row
