"""One contract, two interpreters: every script of ``scripts/`` prints the same under both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hal.sim.pad import FIRMWARE_ROOT, micropython_path
from tests.golden import make_pad_link

pytestmark = pytest.mark.micropython

HERE = Path(__file__).parent
GOLDEN = str(make_pad_link.GOLDEN)


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
    assert len(lines) == 1 + 2 * (len(make_pad_link.FRAMES) + len(make_pad_link.STREAMS))


def test_bodies_cut_longer_and_out_of_range():
    lines = same_under_both("bodies", GOLDEN)
    assert not [line for line in lines if line.startswith("(") or "Error" in line]


def test_random_damage(seed):
    lines = same_under_both("fuzz", str(seed))
    assert sum(line.startswith("Frame") for line in lines) > 100


def test_core_through_random_days(seed):
    same_under_both("core", str(seed))


def test_pico_board_across_the_wrap_of_its_ticks():
    assert run(micropython_path(), "pico", fakes=FAKES) == [
        "lamps 00000",
        r"hello (5, b'\xe6a8R\x83C', '0.1.0', 'micropython 1.25.0')",
        "lamps 11111",
        "done 1010",  # a frame of 20 bytes over a line that takes 7 at a time
        # The key goes down 20 ms before the ticks wrap, the press is repeated behind the wrap.
        "lamps 00100",
        "lamps 00000",
        "presses [(1, (5, 3, 0)), (1, (5, 3, 300)), (1, (5, 3, 600))]",
        "safe mode",
    ]


def test_pico_board_reads_every_byte_value_without_waiting_for_more():
    every_byte = "".join(map(chr, range(128)))
    assert run(micropython_path(), "pico_line", fakes=FAKES, line=every_byte) == [
        f"nothing lost {every_byte.encode().hex()}",
        "writtenwritten 7",
        "line",
    ]
