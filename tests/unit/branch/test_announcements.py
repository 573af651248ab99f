"""What is said next: in order, one at a time, each once; and what is not said any more."""

import pytest
from hypothesis import given, strategies as st

from branch.announcements import Announcement, Announcements, Drop, Rules
from branch.spoken import spoken_call, spoken_counter, spoken_number

RULES = Rules(sayings=1, repeat_ms=10_000, max_age_ms=45_000, pause_ms=500)


def line(rules: Rules = RULES, *calls: tuple[str, int]) -> Announcements:
    made = Announcements(rules)
    for number, at_ms in calls:
        made.called(f"id-{number}", number, 1, at_ms)
    return made


def number(one: Announcement | None) -> str | None:
    return None if one is None else one.number


def test_in_the_order_of_the_calls_and_one_at_a_time() -> None:
    calls = line(RULES, ("A001", 0), ("B001", 0), ("A002", 5))
    assert number(calls.next(10)) == "A001"
    assert calls.next(20) is None
    assert calls.wait_ms(20) is None  # until it has ended
    calls.ended(3_000)
    assert calls.next(3_100) is None  # the pause
    assert calls.wait_ms(3_100) == 400
    assert number(calls.next(3_500)) == "B001"
    calls.ended(4_000)
    assert number(calls.next(4_500)) == "A002"
    calls.ended(5_000)
    assert (calls.next(9_000), calls.waiting, calls.wait_ms(9_000)) == (None, 0, None)
    assert not calls.dropped
    with pytest.raises(ValueError, match="nothing is being said"):
        calls.ended(9_000)


def test_a_repeat_waits_for_first_sayings_and_for_its_time() -> None:
    calls = line(Rules(sayings=2, repeat_ms=10_000, pause_ms=0), ("A001", 0))
    assert number(calls.next(0)) == "A001"
    calls.ended(3_000)
    assert (calls.next(12_999), calls.wait_ms(12_999)) == (None, 1)
    calls.called("id-A002", "A002", 2, 13_500)
    assert number(calls.next(14_000)) == "A002"
    calls.ended(16_000)
    again = calls.next(16_000)
    assert again is not None
    assert (again.number, again.saying) == ("A001", 2)
    calls.ended(18_000)
    assert number(calls.next(26_000)) == "A002"
    calls.ended(27_000)
    assert calls.waiting == 0


@pytest.mark.parametrize("while_speaking", [False, True])
def test_who_is_served_is_not_called_any_more(while_speaking: bool) -> None:
    calls = line(Rules(sayings=2), ("A001", 0))
    if while_speaking:
        calls.next(0)
    calls.settled("id-A001")
    calls.settled("id-unknown")
    if while_speaking:
        calls.ended(2_000)
    assert (calls.next(60_000), calls.waiting) == (None, 0)
    assert calls.dropped == ({} if while_speaking else {Drop.SETTLED: 1})


def test_a_recall_takes_the_place_of_the_call() -> None:
    calls = line(RULES, ("A001", 0), ("A002", 1), ("A001", 2))
    assert calls.dropped == {Drop.REPLACED: 1}
    assert number(calls.next(2)) == "A002"
    calls.called("id-A002", "A002", 1, 3)  # again, while it is said: once more afterwards
    calls.ended(2_000)
    assert number(calls.next(2_500)) == "A001"
    calls.ended(4_000)
    assert number(calls.next(4_500)) == "A002"


def test_what_is_too_old_or_in_quiet_hours_is_dropped() -> None:
    calls = line(RULES, ("A001", 0), ("A002", 1))
    assert number(calls.next(45_001)) == "A002"
    calls.ended(46_000)
    calls.called("id-A003", "A003", 1, 47_000)
    assert calls.next(47_000, quiet=True) is None
    assert calls.dropped == {Drop.TOO_OLD: 1, Drop.QUIET: 1}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["called", "settled", "next", "quiet", "ended"]),
        st.integers(0, 5),
        st.integers(0, 20_000),
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 3))
def test_any_history(steps, sayings: int) -> None:
    calls, now, speaking = Announcements(Rules(sayings=sayings)), 0, None
    made = settled = began = firsts = 0
    newest: dict[str, int] = {}
    for verb, ticket, passed in steps:
        now += passed
        name = f"id-{ticket}"
        if verb == "called":
            calls.called(name, f"A00{ticket}", 1, now)
            newest[name], made = now, made + 1
        elif verb == "settled":
            calls.settled(name)
            newest.pop(name, None)
            settled += 1
        elif verb == "ended":
            if speaking is not None:
                calls.ended(now)
            speaking = None
        else:
            one = calls.next(now, quiet=verb == "quiet")
            if one is None:
                continue
            assert speaking is None  # never overlapping
            assert verb != "quiet"
            assert one.ticket in newest  # never of somebody who is served
            assert 0 <= now - one.due_ms <= 45_000
            assert one.saying <= sayings
            if one.saying == 1:
                assert one.due_ms == newest[one.ticket]  # only the newest word on it
                firsts += 1
            speaking, began = one, began + 1
        assert calls.waiting <= 6
        wait_ms = calls.wait_ms(now)
        assert wait_ms is None or wait_ms >= 0
    assert firsts <= made
    if sayings == 1:
        assert began + sum(calls.dropped.values()) + calls.waiting == made  # each is told apart


def test_the_spoken_form() -> None:
    assert spoken_call("A005", 2, "zh") == "请 A 零零五号到 2 号窗口"
    assert spoken_call("A005", 2, "en") == "Ticket A zero zero five, please go to counter two"
    assert spoken_call("B10", 3, "en", "{counter}: {number}") == "three: B one zero"
    assert spoken_number("AW019[[x]]", "zh") == "A W 零一九"
    assert [spoken_counter(n, "en") for n in (0, 9, 10, 19, 20, 42, 99)] == [
        "zero", "nine", "ten", "nineteen", "twenty", "forty two", "ninety nine",
    ]  # fmt: skip
    with pytest.raises(KeyError):
        spoken_call("A005", 2, "fr")
