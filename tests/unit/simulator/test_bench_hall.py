"""The figures of the full hall: what was not seen is no good figure, however fast the rest was."""

import math

import httpx

from simulator.bench_hall import BOARDS, BROWSERS, Hall, _expected, _figure
from simulator.bench_hall_eyes import NUMBER, Seen


def test_the_slowest_of_all_and_none_may_be_missing() -> None:
    hall = Hall(httpx.AsyncClient(), [])
    hall.called = {"A1001": (1, 100.0), "B1002": (2, 200.0)}
    seen = Seen()
    for index in range(BROWSERS):
        seen.note(index, "A1001", 100.1)
        seen.note(index, "A1001", 100.9)  # the first time counts
        seen.note(index, "B1002", 200.3 if index else 200.2)
    figure = _figure(hall, "chromium", seen)
    assert math.isclose(figure.ratio, 0.3, rel_tol=1e-6)
    assert figure.good
    assert "max 300 ms of 4" in figure.ours
    del seen.first[1, "B1002"]
    figure = _figure(hall, "chromium", seen)
    assert (figure.good, figure.ratio) == (False, math.inf)
    assert "1 NOT SEEN" in figure.ours


def test_who_must_show_a_call() -> None:
    hall = Hall(httpx.AsyncClient(), [])
    assert len(_expected(hall, "board", 1)) + len(_expected(hall, "chromium", 1)) == BOARDS
    assert _expected(hall, "window", 40) == [40]
    assert _expected(hall, "display", 3) == [3]
    assert _expected(hall, "display", 40) == []


def test_numbers_are_read_from_boards_and_windows() -> None:
    assert NUMBER.findall(b'data: {"calls":[{"id":"1","number":"A1035"},{"number":"AW001"}]}') == [
        b"A1035", b"AW001",
    ]  # fmt: skip
    assert NUMBER.findall(b'data: {"state":"free","number":"","call":""}') == []
