"""Two slots on one pad: the same under both interpreters, and what is started is always whole."""

import hmac
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from firmware.pad import boot, slots
from firmware.pad.slots import MAX_TRIES, State, decide
from firmware.pad.ticks import TICKS_MASK, ticks_diff
from hal.sim.pad import FIRMWARE_ROOT, micropython_path

SCRIPT = Path(__file__).parent / "scripts" / "slots.py"

SLOT = st.sampled_from(["a", "b"])
STATES = st.builds(
    State,
    active=st.sampled_from(["", "a", "b"]),
    trying=st.sampled_from(["", "a", "b"]),
    tries=st.integers(0, MAX_TRIES + 2),
    failed=st.sampled_from(["", "a", "b"]),
)
GOOD = st.dictionaries(SLOT, st.tuples(*[st.integers(0, 9)] * 3))


def run(program: str | Path, root: Path) -> list[str]:
    root.mkdir()
    done = subprocess.run(
        [program, SCRIPT, root],
        capture_output=True, text=True, timeout=30, check=False,
        env={"PYTHONPATH": str(FIRMWARE_ROOT), "MICROPYPATH": f"{FIRMWARE_ROOT}:.frozen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    return done.stdout.splitlines()


@pytest.mark.micropython
def test_both_interpreters_decide_and_store_alike(tmp_path):
    lines = run(sys.executable, tmp_path / "c")
    assert run(micropython_path(), tmp_path / "m") == lines
    refused = [line for line in lines if "Refused" in line]
    assert len(refused) == 13, refused
    assert lines[0].startswith("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
    text = "\n".join(lines)
    assert "second ('a', ['x.mpy', 'firmware/pad/z.mpy']) False" in text or (
        "second ('a', ['firmware/pad/z.mpy', 'x.mpy']) False" in text
    )
    starts = [line.split()[1] for line in lines if line.startswith("start ")]
    assert starts == ["a"] * MAX_TRIES + ["b"]
    assert [line for line in lines if line.startswith("back")] == ["back b b"]
    assert lines[-1] == "lost key ''"


@given(STATES, GOOD)
def test_only_a_good_slot_starts_and_a_good_one_always_does(state, good):
    slot, then = decide(state, good)
    if slot:
        assert slot in good
    else:
        # Nothing is left but what failed its trial, or nothing at all.
        assert set(good) <= {then.failed}
    assert then.floor == state.floor
    assert then.tries <= MAX_TRIES


@given(STATES, GOOD)
def test_a_slot_that_never_confirms_starts_a_bounded_number_of_times(state, good):
    on_trial = 0
    for _ in range(MAX_TRIES + 3):
        _, state = decide(state, good)
        on_trial += bool(state.trying)
    assert on_trial <= MAX_TRIES
    assert not state.trying


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_hmac_is_that_of_the_library(key, data):
    assert slots.hmac_sha256(key, data) == hmac.digest(key, data, "sha256")


@pytest.mark.parametrize("text", ["1.2", "1.2.3.4", "1.x.3", "-1.0.0", ""])
def test_versions_are_three_numbers(text):
    with pytest.raises(slots.Refused, match="three numbers"):
        slots.version_of(text)


def test_maintenance_leaves_the_program_out_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "slots", slots)
    flag = tmp_path / "state/maintenance"
    flag.parent.mkdir()
    flag.touch()
    assert boot.power_up(str(tmp_path), "rp2") == ""
    assert not flag.exists()


def test_new_firmware_stays_after_it_ran_well_for_ten_seconds(tmp_path):
    pad = slots.Slots(str(tmp_path), sys.platform)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / slots.MANIFEST).write_text('{"floor": "1.2.0"}')
    pad.store(State("b", "a", 1))
    folder = str(tmp_path / "state")
    assert boot.firmware_hash(folder) == pad.running_hash() != bytes(8)
    assert boot.firmware_hash("") == bytes(8)
    trial = boot.Trial(folder, ticks_diff)
    start = TICKS_MASK - 5_000  # the ticks wrap before it is confirmed
    for passed, trying in ((0, "a"), (9_999, "a"), (10_000, "")):
        trial.turn((start + passed) & TICKS_MASK)
        assert pad.state().trying == trying
    assert pad.state() == State("a", floor="1.2.0")
    boot.Trial(folder, ticks_diff).turn(5)
    boot.Trial("", ticks_diff).turn(5)
