"""Failed sign-ins slow down those that follow."""

import pytest
from hypothesis import given, strategies as st

from branch.access.throttle import PER_ACCOUNT, PER_ADDRESS, Ledger, Limit, Throttle

MIN = 60_000
DAY = 24 * 60 * MIN


def test_the_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [PER_ACCOUNT.wait_ms(failures) / 1000 for failures in range(14)]
    assert waits[:5] == [0] * 5
    assert waits[5:12] == [15, 30, 60, 120, 240, 480, 900]
    assert PER_ACCOUNT.wait_ms(10_000) == 15 * MIN


def test_an_account_is_slowed_down_from_any_address() -> None:
    throttle = Throttle()
    for number in range(5):
        assert throttle.begin("teller-1", f"10.0.0.{number}", 0) == 0
    assert throttle.begin("teller-1", "10.0.0.9", 0) == 15_000
    assert throttle.begin("teller-1", "10.0.0.9", 14_999) == 1
    assert throttle.begin("teller-2", "10.0.0.9", 0) == 0
    assert throttle.begin("teller-1", "10.0.0.9", 15_000) == 0
    assert throttle.begin("teller-1", "10.0.0.9", 15_000) == 30_000


def test_an_address_is_slowed_down_for_any_account() -> None:
    throttle = Throttle()
    for number in range(20):
        assert throttle.begin(f"teller-{number}", "10.0.0.1", 0) == 0
    assert throttle.begin("teller-99", "10.0.0.1", 0) == 15_000
    assert throttle.begin("teller-99", "10.0.0.2", 0) == 0


def test_the_right_secret_clears_the_account_and_not_the_address() -> None:
    throttle = Throttle(account=Limit(free=2), address=Limit(free=3))
    for _ in range(3):  # an own account buys no guesses
        assert throttle.begin("mine", "10.0.0.1", 0) == 0
        throttle.passed("mine", "10.0.0.1")
    for _ in range(2):
        assert throttle.begin("theirs", "10.0.0.1", 0) == 0
    assert throttle.begin("mine", "10.0.0.1", 0) == 0
    throttle.passed("mine", "10.0.0.1")
    assert throttle.begin("theirs", "10.0.0.1", 0) == 15_000
    assert throttle.begin("others", "10.0.0.1", 0) == 0
    assert throttle.begin("others", "10.0.0.1", 0) == 15_000


def test_all_is_forgotten_after_half_an_hour() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.begin("teller-1", "10.0.0.1", 0)
    for _ in range(5):
        assert throttle.begin("teller-1", "10.0.0.1", 30 * MIN) == 0
    assert throttle.begin("teller-1", "10.0.0.1", 30 * MIN) > 0


def test_the_memory_is_bounded() -> None:
    ledger = Ledger(Limit(free=1), remembered=3)
    for number, key in enumerate("abcad"):  # a is heard of again: b is the one to go
        ledger.add(key, number)
    assert [key for key in "abcd" if ledger.wait_ms(key, 5)] == ["a", "c", "d"]
    ledger.take_back("x")


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 60_000)), max_size=400)
)
def test_nobody_guesses_faster_than_the_limits_say(
    attempts: list[tuple[int, int, int]],
) -> None:
    """Whatever the mixture: in any 15 min after the free ones, an account sees at most 7 + 5."""
    throttle, now_ms = Throttle(), 0
    made: dict[str, list[int]] = {}
    for account, address, later_ms in attempts:
        now_ms += later_ms
        if throttle.begin(f"a{account}", f"h{address}", now_ms) == 0:
            made.setdefault(f"a{account}", []).append(now_ms)
            made.setdefault(f"h{address}", []).append(now_ms)
    for key, times in made.items():
        free = (PER_ACCOUNT if key.startswith("a") else PER_ADDRESS).free
        for index, first_ms in enumerate(times):
            within = sum(first_ms <= at < first_ms + 15 * MIN for at in times[index:])
            assert within <= free + 7, key


@pytest.mark.parametrize(("limit", "most"), [(PER_ACCOUNT, 110), (PER_ADDRESS, 130)])
def test_a_day_s_guesses_are_few(limit: Limit, most: int) -> None:
    ledger, now_ms, guesses = Ledger(limit), 0, 0
    while now_ms < DAY:
        now_ms += ledger.wait_ms("k", now_ms)
        ledger.add("k", now_ms)
        guesses += 1
    assert guesses <= most
