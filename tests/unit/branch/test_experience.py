"""Class means and paces, from what has happened."""

import pytest

from branch.experience import CONFIGURED_WEIGHS, HOUR_MS, KEPT_SERVICES, Experience
from branch.wait import Stream

NOW = 1_795_424_400_000
MIN = 60_000


def test_the_mean_is_drawn_from_the_configured_one_to_what_happens() -> None:
    seen = Experience({"A": 300_000.0, "B": 120_000.0})
    assert seen.mean_ms() == {"A": 300_000.0, "B": 120_000.0}
    seen.served("A", 600_000)
    assert seen.mean_ms()["A"] == pytest.approx((30 * 300_000 + 600_000) / 31)
    for _ in range(CONFIGURED_WEIGHS - 1):
        seen.served("A", 600_000)
    assert seen.mean_ms() == {"A": 450_000.0, "B": 120_000.0}
    for _ in range(2 * KEPT_SERVICES):
        seen.served("A", 60_000)
    assert seen.mean_ms()["A"] == (200 * 60_000 + 30 * 300_000) / 230, "old ones are forgotten"


def test_slips_of_the_finger_and_unknown_services_count_nothing() -> None:
    seen = Experience({"A": 300_000.0})
    seen.served("A", 9_999)
    seen.served("Z", 60_000)
    assert seen.mean_ms() == {"A": 300_000.0}


def test_the_pace_is_that_of_the_last_hour() -> None:
    seen = Experience({"A": 300_000.0})
    assert seen.streams(NOW) == []
    for minute in range(0, 90, 5):
        seen.issued("A", "vip" if minute % 15 == 0 else "", NOW + minute * MIN)
    now_ms = NOW + 85 * MIN
    assert seen.streams(now_ms) == [Stream("A", "", 9 / HOUR_MS), Stream("A", "vip", 4 / HOUR_MS)]
    assert seen.streams(now_ms + HOUR_MS) == [Stream("A", "", 1 / HOUR_MS)]
    assert seen.streams(now_ms + HOUR_MS + 1) == []


def test_early_in_the_morning_one_ticket_is_no_rush() -> None:
    seen = Experience({"A": 300_000.0})
    seen.issued("A", "", NOW)
    assert seen.streams(NOW + MIN) == [Stream("A", "", 1 / (15 * MIN))]
    assert seen.streams(NOW + 30 * MIN) == [Stream("A", "", 1 / (30 * MIN))]


def test_the_usual_segment() -> None:
    seen = Experience({"A": 300_000.0, "P": 300_000.0})
    assert seen.usual_segment("A", NOW) == ""
    for segment in ("vip", "ordinary", "ordinary"):
        seen.issued("A", segment, NOW)
    seen.issued("P", "priority", NOW)
    assert seen.usual_segment("A", NOW) == "ordinary"
    assert seen.usual_segment("P", NOW) == "priority"
