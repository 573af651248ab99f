"""The fuzzer's targets: clean on the golden frames, and each sees a fault that is planted.

In processes of their own: what they import is instrumented.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="it has no build for this machine (pyproject.toml)")

FUZZER = Path(__file__).with_name("fuzz_link.py")
TRY_SEEDS = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("fuzz_link", sys.argv[1])
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)
from firmware.pad import bodies, frames, link, seal
exec(sys.argv[3])
folder = pathlib.Path(sys.argv[2])
fuzz.seeds(folder)
for path in sorted(folder.iterdir()):
    fuzz.try_input(path.read_bytes() + bytes(range(8)))
    fuzz.try_input(path.read_bytes())
print(len(list(folder.iterdir())))
"""


def tried(folder: Path, fault: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", TRY_SEEDS, str(FUZZER), str(folder), fault]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_the_golden_frames_are_clean(tmp_path: Path) -> None:
    done = tried(tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    ("fault", "target"),
    [
        ("frames._RESIDUE = 0", "try_stream"),
        ("frames.MAX_FRAME = 60", "try_"),
        ("seal.same = lambda one, other: True", "try_sealed"),
        ("link.unpack_press = lambda body: (0, 1, 0, 0, 0)", "try_bodies"),
    ],
)
def test_a_planted_fault_is_seen(tmp_path: Path, fault: str, target: str) -> None:
    done = tried(tmp_path, fault)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert target in done.stderr
