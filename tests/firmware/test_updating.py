"""Updates over the line at the pad: the same under both interpreters, and never while it rates."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.pad import boot, link, pad, slots
from firmware.pad.slots import State
from firmware.pad.ticks import TICKS_MASK, ticks_diff
from hal.sim.pad import FIRMWARE_ROOT, micropython_path
from tests.firmware.core_bench import HOST, Bench

SCRIPT = Path(__file__).parent / "scripts" / "updating.py"
OFFER = link.pack_offer(100, bytes(32))


def run(program: str | Path, root: Path) -> list[str]:
    root.mkdir()
    done = subprocess.run(
        [program, SCRIPT, root],
        capture_output=True, text=True, timeout=30, check=False,
        env=os.environ
        | {"PYTHONPATH": str(FIRMWARE_ROOT), "MICROPYPATH": f"{FIRMWARE_ROOT}:.frozen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.micropython
def test_both_interpreters_answer_alike(tmp_path, monkeypatch, capsys):
    lines = run(sys.executable, tmp_path / "c")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "here")])
    runpy.run_path(str(SCRIPT))  # in this process its coverage is seen
    assert capsys.readouterr().out.splitlines() == lines
    assert run(micropython_path(), tmp_path / "m") == lines
    text = "\n".join(lines)
    assert sum("NOT_TAKEN" in line for line in lines) == 11, text
    assert "part cut cut 0 0 \ngap GO_ON 0 5221" in text
    assert "from 0 1\nrest of it DAMAGED 0 0 \nfrom 0 0\nanew PLACED 0 0" in text
    assert "early switch NOT_TAKEN 255 0 /a/q.mpy: not the file that the manifest names" in text
    assert "switch again SWITCHED" in text
    assert [line.split()[1] for line in lines if line.startswith("rating")] == ["BUSY"] * 3
    assert "boots a\non trial BUSY" in text


class Desk:
    """Carries nothing out; notes what it was asked."""

    def __init__(self) -> None:
        self.switched = False
        self.asked: list[tuple[int, bool]] = []

    def take(self, kind: int, body: bytes, rating: bool) -> bytes:
        if kind == link.OFFER:
            link.unpack_offer(body)
        self.asked.append((kind, rating))
        self.switched = kind == link.SWITCH
        return link.pack_progress(link.BUSY if rating else link.GO_ON)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def bench(desk) -> Bench:
    """A greeted pad with slots; its frames are plain here, its trust is test_greeting's matter."""
    bench = Bench().greet()
    bench.pad.updates = desk
    bench.pad._keyed = True
    return bench


def answers(bench: Bench) -> list[tuple[int, int]]:
    return [(frame.seq, link.unpack_progress(frame.body)[0]) for frame in bench.of(link.PROGRESS)]


def test_a_step_is_carried_out_once_and_answered_each_time(bench, desk):
    for seq in (1, 1, 2, 1):
        bench.host(link.OFFER, OFFER, seq=seq)
        bench.turn()
    assert desk.asked == [(link.OFFER, False)] * 2
    assert answers(bench) == [(1, link.GO_ON), (1, link.GO_ON), (2, link.GO_ON)]
    assert bench.pad.ignored == 1
    bench.host(link.OFFER, OFFER, boot_id=HOST + 1, seq=1)
    bench.turn()
    assert len(desk.asked) == 3
    bench.host(link.OFFER, b"short", seq=9)
    bench.turn()
    assert bench.pad.unknown == 1
    assert len(answers(bench)) == 4


def test_commands_and_steps_have_sequences_of_their_own(bench, desk):
    bench.host(link.OFFER, OFFER, seq=40)
    bench.arm()
    assert bench.pad.face == pad.ARMED
    bench.host(link.FILE_ASK, b"\0", seq=41)
    bench.turn()
    bench.press(3)
    bench.host(link.FILE_ASK, b"\0", seq=42)
    bench.turn()
    bench.acknowledge(1)
    bench.run(pad.THANKS_MS)
    bench.host(link.FILE_ASK, b"\0", seq=43)
    bench.turn()
    assert [rating for _, rating in desk.asked] == [False, True, True, False]
    assert bench.presses() == {1: (7, 3)}


def test_a_press_in_the_middle_of_an_update_is_kept(bench, desk):
    bench.host(link.OFFER, OFFER, seq=1)
    bench.press(2)
    bench.host(link.FILE_ASK, b"\0", seq=2)
    bench.turn()
    assert bench.presses() == {1: (0, 2)}
    assert bench.pad.kept == 1
    assert len(answers(bench)) == 2


def test_the_pad_restarts_only_once_the_host_was_told(bench, desk):
    assert not bench.pad.switched
    bench.host(link.SWITCH, seq=1)
    assert desk.switched
    assert not bench.pad.switched
    bench.turn()
    assert bench.pad.switched


@pytest.mark.parametrize("keyed", [True, False])
def test_a_pad_without_slots_or_key_takes_nothing(bench, desk, keyed):
    bench.pad._keyed = keyed
    if keyed:
        bench.pad.updates = None
    bench.host(link.OFFER, OFFER, seq=1)
    bench.turn()
    assert answers(bench) == [(1, link.NOT_TAKEN)]
    assert not desk.asked
    assert not bench.pad.switched


def test_a_pad_that_was_not_greeted_says_hello_instead(desk):
    bench = Bench()
    bench.pad.updates = desk
    bench.turn()
    before = len(bench.of(link.HELLO))
    bench.host(link.OFFER, OFFER, seq=1)
    bench.turn()
    assert not desk.asked
    assert len(bench.of(link.HELLO)) == before + 1


def test_a_lost_host_gets_no_late_answer(bench, desk):
    bench.host(link.OFFER, OFFER, seq=1)
    bench.host(link.WHO)
    bench.turn()
    assert not answers(bench)


def test_ping_says_what_the_shell_knows_of_the_slots(bench):
    bench.pad.slot_flags = link.FLAG_ON_TRIAL | link.FLAG_WENT_BACK
    bench.run(pad.BEAT_MS)
    assert link.unpack_ping(bench.of(link.PING)[-1].body)[0] == 12


def trial_of(folder: Path, active: str) -> tuple[slots.Slots, boot.Trial]:
    store = slots.Slots(str(folder), sys.platform)
    (folder / "a").mkdir()
    (folder / "a" / slots.MANIFEST).write_text('{"floor": "1.2.0"}')
    store.store(State(active, "a", 1, failed="b"))
    return store, boot.Trial(str(folder / "state"), ticks_diff)


def test_firmware_that_no_host_greets_stays_on_trial(tmp_path):
    store, trial = trial_of(tmp_path, "b")
    assert trial.flags == link.FLAG_ON_TRIAL | link.FLAG_WENT_BACK
    start = TICKS_MASK - 500_000  # and over the wrap
    for passed in range(0, 1_200_000, 7_000):
        assert not trial.turn((start + passed) & TICKS_MASK, greeted=False)
    assert store.state().trying == "a"
    assert trial.turn((start + 1_300_000) & TICKS_MASK, greeted=True)
    assert (store.state().trying, trial.flags) == ("", 0)
    assert not trial.turn(5, greeted=True)


def test_a_host_that_greeted_once_is_enough(tmp_path):
    store, trial = trial_of(tmp_path, "b")
    assert not trial.turn(0, greeted=True)
    assert trial.turn(10_000, greeted=False)
    assert store.state() == State("a", floor="1.2.0")


def test_the_first_firmware_of_a_pad_has_nothing_to_go_back_to(tmp_path):
    store, trial = trial_of(tmp_path, "")
    trial.turn(0, greeted=False)
    assert trial.turn(10_000, greeted=False)
    assert store.state().trying == ""


def test_presses_are_saved_before_the_pad_restarts_itself(tmp_path):
    from firmware.pad import kept, state

    store = kept.Store()
    saver = state.Saver(str(tmp_path), store, 0)
    saver.keep(0)
    assert not list(tmp_path.iterdir())
    store.add(kept.Kept(1, 1, 7, 3, 0))
    saver.keep(5)
    again = kept.Store()
    state.Saver(str(tmp_path), again, 0)
    assert [(press.nonce, press.score) for press in again.presses] == [(7, 3)]
    written = (tmp_path / state.PRESSES_FILE).stat().st_mtime_ns
    saver.keep(9)
    assert (tmp_path / state.PRESSES_FILE).stat().st_mtime_ns == written
    state.Saver("", store, 0).keep(0)
