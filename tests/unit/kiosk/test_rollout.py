"""Which pad is updated next: pure, every stage, and what holds on any path."""

import dataclasses

import pytest
from hypothesis import given, strategies as st

from kiosk.rollout import RETRY_S, PadNow, PadStage, Rollout, Target

OLD, NEW = "aa" * 8, "bb" * 8
TARGET = Target(NEW, (1, 5, 0))


def pad(counter: int = 1, **changes: object) -> PadNow:
    """A pad that is there, runs the old firmware, and was not used for long."""
    now = PadNow(counter, f"c{counter}", OLD, (1, 4, 0), False, False, 1_000.0)
    return dataclasses.replace(now, **changes)  # type: ignore[arg-type]


def running(counter: int, **changes: object) -> PadNow:
    return pad(counter, hash=NEW, version=(1, 5, 0), **changes)


def chosen(rollout: Rollout, *pads: PadNow, now_s: float = 0.0) -> list[int]:
    return rollout.choose(pads, {one.counter: TARGET for one in pads}, now_s)


@pytest.mark.parametrize(
    ("now", "stage"),
    [
        (pad(), PadStage.WAITING),
        (pad(hash=""), PadStage.ABSENT),
        (running(1), PadStage.CURRENT),
        (running(1, on_trial=True), PadStage.TRIAL),
        (running(1, on_trial=None), PadStage.TRIAL),
        (pad(version=(1, 6, 0)), PadStage.NEWER),
        (pad(went_back=True), PadStage.WAITING),  # from some other firmware
    ],
)
def test_each_stage(now, stage):
    rollout = Rollout()
    assert rollout.stage(now, TARGET) is stage
    assert rollout.stage(now, None) is PadStage.NONE
    rollout.begun(1)
    assert rollout.stage(now, TARGET) is PadStage.UPDATING


def test_one_at_a_time_and_the_next_when_it_has_confirmed():
    rollout = Rollout(at_once=1)
    assert chosen(rollout, pad(1), pad(2)) == [1]
    rollout.begun(1)
    assert chosen(rollout, pad(1), pad(2)) == []
    rollout.ended(1, 0.0)
    assert chosen(rollout, running(1, on_trial=True), pad(2)) == []
    assert chosen(rollout, running(1), pad(2)) == [2]
    assert Rollout(at_once=2).choose([], {}, 0.0) == []
    assert chosen(Rollout(at_once=2), pad(1), pad(2), pad(3)) == [1, 2]


def test_a_pad_in_use_or_not_known_well_waits():
    rollout = Rollout(quiet_s=60.0)
    assert chosen(rollout, pad(1, quiet_s=59.9), pad(2, quiet_s=60.0)) == [2]
    assert chosen(rollout, pad(1, on_trial=None)) == []
    assert chosen(rollout, pad(1, on_trial=True)) == []
    assert rollout.choose([pad(1)], {1: None}, 0.0) == []


def test_a_pad_that_went_back_is_not_tried_again_nor_is_any_other():
    rollout = Rollout()
    rollout.switching("c1", NEW)
    back = pad(1, went_back=True)
    assert chosen(rollout, back, pad(2)) == []
    assert rollout.stage(back, TARGET) is PadStage.FAILED
    assert rollout.why(back, TARGET) == "it went back to the firmware before"
    assert rollout.why(pad(2), TARGET) == "stopped: another pad went back"
    assert rollout.failed == {"c1": NEW}
    again = Rollout(given=dict(rollout.given), failed=dict(rollout.failed))  # a new start
    assert chosen(again, pad(1), pad(2)) == []
    other = Target("cc" * 8, (1, 5, 1))
    assert again.choose([pad(1), pad(2)], {1: other, 2: other}, 0.0) == [1]
    # A technician brought it there all the same: it is well, and so is the rest.
    assert chosen(rollout, running(1), pad(2)) == [2]


def test_what_fails_on_the_way_is_tried_again_later_and_others_first():
    rollout = Rollout()
    now_s = 0.0
    for pause_s in (*RETRY_S, RETRY_S[-1]):
        assert chosen(rollout, pad(1), now_s=now_s) == [1]
        rollout.begun(1)
        rollout.ended(1, now_s, "the line broke")
        assert rollout.why(pad(1), TARGET) == "the line broke"
        assert chosen(rollout, pad(1), now_s=now_s + pause_s - 0.1) == []
        now_s += pause_s
    assert chosen(rollout, pad(1), pad(2), now_s=now_s) == [2]
    assert rollout.stage(running(1), TARGET) is PadStage.CURRENT
    assert chosen(rollout, pad(1)) == [1]
    assert rollout.why(running(1), TARGET) == ""


PADS = st.lists(
    st.builds(
        PadNow,
        counter=st.integers(1, 6),
        unique_id=st.sampled_from(["c1", "c2", "c3"]),
        hash=st.sampled_from(["", OLD, NEW]),
        version=st.sampled_from([(1, 4, 0), (1, 5, 0), (1, 6, 0)]),
        on_trial=st.sampled_from([None, True, False]),
        went_back=st.sampled_from([None, True, False]),
        quiet_s=st.floats(0, 200),
    ),
    unique_by=lambda one: one.counter,
    max_size=6,
)


@given(PADS, st.integers(1, 3), st.sets(st.integers(1, 6), max_size=2))
def test_never_more_than_allowed_and_never_one_that_is_used(pads, at_once, updating):
    rollout = Rollout(at_once=at_once, given={"c1": NEW}, updating=set(updating))
    found = chosen(rollout, *pads)
    by_counter = {one.counter: one for one in pads}
    under_way = {
        one.counter
        for one in pads
        if rollout.stage(one, TARGET) in (PadStage.UPDATING, PadStage.TRIAL)
    }
    assert len(found) + len(under_way) <= max(at_once, len(under_way))
    for counter in found:
        one = by_counter[counter]
        assert one.hash == OLD
        assert one.quiet_s >= rollout.quiet_s
        assert one.version <= TARGET.version
        assert not rollout.failed
