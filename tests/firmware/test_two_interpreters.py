"""One contract, two interpreters: every script of ``scripts/`` prints the same under both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.pad import link
from hal.sim.pad import FIRMWARE_ROOT, micropython_path
from tests.golden import make_pad_link

pytestmark = pytest.mark.micropython

HERE = Path(__file__).parent
GOLDEN = str(make_pad_link.GOLDEN)


ZEROS = repr(bytes(8))
FAKES = f"{HERE / 'fake'}:"


def run(
    program: str | Path, script: str, *arguments: str, fakes: str = "", line: str = ""
) -> list[str]:
    """Run a script and return its lines. Anything on stderr fails, a non-zero exit too."""
    environment = os.environ | {
        "PYTHONPATH": str(FIRMWARE_ROOT),
        "MICROPYPATH": f"{fakes}{FIRMWARE_ROOT}:.frozen",
    }
    done = subprocess.run(
        [program, HERE / "scripts" / f"{script}.py", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        input=line,
        timeout=15,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def same_under_both(script: str, *arguments: str) -> list[str]:
    lines = run(sys.executable, script, *arguments)
    assert run(micropython_path(), script, *arguments) == lines
    assert lines
    return lines


def test_golden_file_is_what_the_code_writes(golden):
    golden("pad_link.json", make_pad_link.content())


def test_golden_frames_and_streams():
    lines = same_under_both("vectors", GOLDEN)
    assert not [line for line in lines if "False" in line]
    parts = (make_pad_link.FRAMES, make_pad_link.STREAMS, make_pad_link.SEALED)
    assert len(lines) == 1 + 2 * sum(len(part) for part in parts)


def test_bodies_cut_longer_and_out_of_range():
    lines = same_under_both("bodies", GOLDEN)
    assert not [line for line in lines if line.startswith("(") or "Error" in line]


def test_random_damage(seed):
    lines = same_under_both("fuzz", str(seed))
    assert sum(line.startswith("Frame") for line in lines) > 100


@pytest.mark.parametrize("roles", [link.RATING | link.CALLER, link.GUIDE])
def test_core_through_random_days(seed, roles):
    same_under_both("core", str(seed), str(roles))


def test_pico_board_across_the_wrap_of_its_ticks():
    assert run(micropython_path(), "pico", fakes=FAKES) == [
        "lamps 00000",
        rf"hello Hello(b'\xe6a8R\x83C', '0.1.0', 'micropython 1.25.0', 1, 0, {ZEROS}, {ZEROS}, 5)",
        "lamps 11111",
        "done 1010",  # a frame of 20 bytes over a line that takes 7 at a time
        # The key goes down 20 ms before the ticks wrap, the press is repeated behind the wrap.
        "lamps 00100",
        "lamps 00000",  # it blinks until the host has acknowledged the third time
        "lamps 00100",
        "lamps 00000",
        "presses [(1, (5, 3, 0)), (1, (5, 3, 300)), (1, (5, 3, 600))]",
        "fed True reset [1]",  # the script ends the program by an exception
        "safe mode",
    ]


def test_pico_board_reads_every_byte_value_without_waiting_for_more():
    every_byte = "".join(map(chr, range(128)))
    assert run(micropython_path(), "pico_line", fakes=FAKES, line=every_byte) == [
        f"nothing lost {every_byte.encode().hex()}",
        "writtenwritten 7",
        "line",
    ]


def test_pico_board_on_a_bus_speaks_when_it_is_polled_and_at_no_other_time(tmp_path):
    config = {"roles": ["rating"], "line": "bus", "address": 5, "baud": 57_600}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert run(micropython_path(), "pico_bus", str(tmp_path), fakes=FAKES) == [
        "nobody asks []",
        "rubbish []",
        "another address []",
        "another tag []",
        "only others []",
        "half a poll []",
        "a broken poll []",
        "a poll that is over []",
        "a poll [(7, [1])]",  # (turn, kinds of frames): HELLO, which waited all the time
        "others than another [(8, [])]",
        "low bits [(9, [1])]",
        "greeted [(10, [])]",
        "armed [(11, [3])]",
        "the key []",
        "the press [(12, [2])]",
        "a long neighbour []",
        "the press again [(13, [4, 2])]",
        "a turn that the host did not hear [(14, [3, 2])]",
        "the same turn [(14, [3, 2])]",  # the same bytes, although the press is not due again
        "too late []",
        "at last [(16, [2])]",
        # The driver was on as the last byte left, each time, and is off now.
        "driven {1} off now 0",
        "overruns 0 baud 57600",
    ]


def test_pico_board_alone_at_a_uart_speaks_as_on_usb(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"line": "uart"}))
    assert run(micropython_path(), "pico_uart", str(tmp_path), fakes=FAKES) == [
        "kind 1 driver 0",
        "kind 3 driver 0",
        "kind 4 driver 0",
        "first byte 00 baud 115200",
    ]
