"""A replay against the queueing rule itself, written here once more."""

import csv
import heapq
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from simulator import cli, recorded_day
from simulator.errors import BadInput, SimulatorError
from simulator.replay import FIELDS, VIP_SEGMENTS, ReplayOptions, replay
from tests.unit.simulator.days import Person, busy_day, write

ARRIVAL, FREE, LEAVE = range(3)


class Recorded(NamedTuple):
    """One call as a call centre writes it down (s of the day); -1 where nobody answered."""

    arrive_s: float
    leave_s: float
    start_s: float
    end_s: float


def expected(
    people: list[Person], counters: int, *, stretch: float = 1.0, head_start_s: float = 0.0
) -> list[tuple[str, float]]:
    """(outcome, wait) of each person in a G/G/s queue: an event-driven simulation of its own.

    The one who has waited longest is next; a VIP's wait counts ``head_start_s`` more. Who would
    have left but is called before takes the median of the served in its service.
    """
    medians: dict[str, float] = {}
    for name in {person.service for person in people}:
        times = sorted(p.service_s for p in people if p.service == name and p.service_s)
        half = len(times) // 2
        medians[name] = times[half] if len(times) % 2 else (times[half - 1] + times[half]) / 2
    events = [(p.arrive_s * stretch, ARRIVAL, i) for i, p in enumerate(people)]
    heapq.heapify(events)
    free, line = counters, list[int]()
    found: list[tuple[str, float]] = [("", 0.0)] * len(people)

    def came_s(index: int) -> float:
        vip = people[index].segment in VIP_SEGMENTS
        return people[index].arrive_s * stretch - head_start_s * vip

    while events:
        now_s, kind, index = heapq.heappop(events)
        if kind == FREE:
            free += 1
        elif kind == ARRIVAL:
            line.append(index)
            if people[index].service_s is None:
                heapq.heappush(events, (now_s + people[index].patience_s * stretch, LEAVE, index))
        elif index in line:
            line.remove(index)
            found[index] = ("ABANDONED", now_s - people[index].arrive_s * stretch)
        while free and line:
            chosen = min(line, key=lambda i: (came_s(i), i))
            line.remove(chosen)
            free -= 1
            person = people[chosen]
            found[chosen] = ("SERVED", now_s - person.arrive_s * stretch)
            service_s = person.service_s or medians[person.service]
            heapq.heappush(events, (now_s + service_s * stretch, FREE, chosen))
    return found


def play(
    folder: Path, people: list[Person], options: ReplayOptions
) -> tuple[dict, list[dict[str, str]]]:
    """The report and the rows of tickets.csv, in order of arrival."""
    day = recorded_day.read(write(folder, people), date=None)
    out = folder / "out" / "tickets.csv"
    table = replay(day, options, "test", out=out)
    with out.open(encoding="utf-8", newline="") as file:
        return table, list(csv.DictReader(file))


def compare(rows: list[dict[str, str]], truth: list[tuple[str, float]], within_s: float) -> None:
    assert len(rows) == len(truth)
    for row, (outcome, wait_s) in zip(rows, truth, strict=True):
        assert row["outcome"] == outcome, row
        assert float(row["wait_s"]) == pytest.approx(wait_s, abs=within_s), row


@pytest.mark.parametrize("attempt", range(3))
def test_waits_are_those_of_a_first_come_first_served_queue(
    tmp_path: Path, rng: random.Random, attempt: int
) -> None:
    for _ in range(attempt):
        busy_day(rng, 80)  # another day each time
    people = busy_day(rng, 80)
    table, rows = play(tmp_path, people, ReplayOptions(counters=3))
    truth = expected(people, 3)
    compare(rows, truth, within_s=0.2)
    assert max(wait_s for _, wait_s in truth) > 60, "a queue that is never long proves nothing"
    assert table["violations"] == []
    tickets = table["tickets"]
    assert tickets["served"] + tickets["abandoned"] == table["arrivals"] == len(people)
    assert tickets["abandoned"] == sum(outcome == "ABANDONED" for outcome, _ in truth) > 0
    assert table["ghost_tickets"] == table["duplicate_numbers"] == 0
    assert table["events"]["lost"] == table["events"]["duplicated"] == 0


def test_a_head_start_and_stretched_time(tmp_path: Path, rng: random.Random) -> None:
    moved_s, people = 0.0, list[Person]()
    while moved_s < 100:  # a day on which it makes no difference proves nothing
        people = busy_day(rng, 80)
        truth = expected(people, 3, stretch=3, head_start_s=270)
        fifo = expected(people, 3, stretch=3)
        moved_s = sum(abs(a - b) for (_, a), (_, b) in zip(truth, fifo, strict=True))
    options = ReplayOptions(counters=3, discipline="headstart", head_start_min=1.5, stretch=3)
    table, rows = play(tmp_path, people, options)
    compare(rows, truth, within_s=0.2)
    assert table["discipline"] == "headstart"
    assert table["violations"] == []


def test_the_rows_of_the_tickets_file(tmp_path: Path) -> None:
    people = [
        Person(100, 60, service="PS", segment="VIP"),
        Person(110, 30, service="NW"),
        Person(120, None, 15, service="NW"),
        Person(400, None, 15, service="NW"),
    ]
    table, rows = play(tmp_path, people, ReplayOptions(counters=1, stretch=2))
    assert list(rows[0]) == list(FIELDS) == [
        "ticket", "service", "segment", "arrive_s", "call_s", "start_s", "end_s", "wait_s",
        "counter", "outcome", "recorded_wait_s", "difference_s",
    ]  # fmt: skip
    assert [",".join(row.values()) for row in rows] == [
        "B001,PS,VIP,200.000,200.000,200.000,320.000,0.000,1,SERVED,10.000,-10.000",
        "A001,NW,ORD,220.000,320.000,320.000,380.000,100.000,1,SERVED,10.000,90.000",
        "A002,NW,ORD,240.000,,,,30.000,,ABANDONED,30.000,0.000",
        "A003,NW,ORD,800.000,800.000,800.000,860.000,0.000,1,SERVED,30.000,",
    ]
    waits = table["waits_s"]
    assert waits["mean"] == pytest.approx(100 / 3, abs=0.01)
    for key in (
        "version", "seed", "speed", "simulated_s", "wall_s", "tickets", "ratings", "events",
        "ghost_tickets", "duplicate_numbers", "violations", "waits_s", "pads", "broker",
        "skipped_rows",
    ):  # fmt: skip
        assert key in table


def test_the_counter_that_is_free_the_longest_calls(tmp_path: Path) -> None:
    people = [Person(100 + 100 * number, 10) for number in range(7)]
    _, rows = play(tmp_path, people, ReplayOptions(counters=3))
    assert [row["counter"] for row in rows] == ["1", "2", "3", "1", "2", "3", "1"]


def test_two_runs_give_the_same_file(tmp_path: Path, rng: random.Random) -> None:
    people = busy_day(rng, 60)
    day = recorded_day.read(write(tmp_path, people), date=None)
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    tables = [replay(day, ReplayOptions(counters=5), "test", out=file) for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    for table in tables:
        del table["wall_s"]
    assert tables[0] == tables[1]


def test_speed_n_takes_a_nth_of_the_time(tmp_path: Path) -> None:
    people = [Person(1000, 40), Person(1010, 40), Person(1015, 20), Person(1020, None, 10)]
    began_s = time.monotonic()
    table, rows = play(tmp_path, people, ReplayOptions(counters=2, speed=200))
    took_s = time.monotonic() - began_s
    assert table["speed"] == 200
    assert took_s >= table["simulated_s"] / 200 * 0.99
    assert table["simulated_s"] >= 110
    assert table["violations"] == []
    for row, (outcome, wait_s) in zip(rows, expected(people, 2), strict=True):
        assert row["outcome"] == outcome
        assert float(row["wait_s"]) >= wait_s - 0.2  # a busy machine may only be late


services = st.text(min_size=1, max_size=12).map(str.strip).filter(bool)
odd_people = st.builds(
    Person,
    arrive_s=st.integers(0, 300).map(float),
    service_s=st.none() | st.integers(1, 300).map(float),
    patience_s=st.integers(0, 300).map(float),
    service=st.sampled_from(["PS", "现金\n业务", "\x07", "x" * 90]) | services,
    segment=st.sampled_from(["VIP", "ORD", ""]),
)


@settings(max_examples=12)
@given(st.lists(odd_people, min_size=1, max_size=6), st.integers(1, 3))
def test_any_day_that_can_be_read_is_played_to_its_end(
    tmp_path_factory: pytest.TempPathFactory, people: list[Person], counters: int
) -> None:
    """Equal times, unprintable services, nobody served: nothing lost, nobody stuck."""
    folder = tmp_path_factory.mktemp("odd")
    try:
        table, rows = play(folder, people, ReplayOptions(counters=counters))
    except BadInput:
        return
    assert table["violations"] == []
    assert len(rows) + table["skipped_rows"] == len(people)


def test_more_services_than_letters(tmp_path: Path) -> None:
    names = [Person(float(i), 1, service=f"S{i}") for i in range(27)]
    day = recorded_day.read(write(tmp_path, names), date=None)
    with pytest.raises(BadInput, match="27 services; a branch has at most 26"):
        replay(day, ReplayOptions(), "test", out=None)


def test_people_whom_nobody_serves_are_an_error_not_a_hang(tmp_path: Path) -> None:
    day = recorded_day.read(write(tmp_path, [Person(100, 60)]), date=None)
    with pytest.raises(SimulatorError, match=r"1 people neither were served nor left: A001"):
        replay(day, ReplayOptions(counters=0), "test", out=None)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, [Person(100, 60), Person(110, 0), Person(120, None, 5)])
    arguments: dict[str, Any] = {
        "date": None, "names": [], "options": ReplayOptions(counters=1),
        "out": tmp_path / "t.csv", "report_file": tmp_path / "r.json", "version": "1.2.3",
    }  # fmt: skip
    assert cli.run_replay(path, **arguments) == 0
    out = capsys.readouterr().out
    assert "line 3 skipped: service of 0 s" in out
    assert "Nothing lost, nothing twice, no ghost." in out
    table = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (table["version"], table["skipped_rows"], table["arrivals"]) == ("1.2.3", 1, 2)
    assert table["skipped"][0].startswith("line 3: service of 0 s")
    assert cli.run_replay(tmp_path / "none.csv", **arguments) == 2
    assert "none.csv: there is no such file" in capsys.readouterr().err


def call_centre(rng: random.Random, calls: int, counters: int) -> list[Recorded]:
    """What a call centre with first come, first served and impatient callers has recorded: each
    caller takes the line that is free first (Lindley's recursion for several servers), or leaves
    when that is too late. Nothing of this is known to the product.
    """
    free_s, found, now_s = [0.0] * counters, list[Recorded](), 8 * 3_600.0
    for _ in range(calls):
        hour = (now_s / 3_600) % 24
        now_s = round(now_s + rng.expovariate(1 / (70 if 10 < hour < 12 else 100)), 3)
        service_s = round(max(5.0, rng.lognormvariate(5.5, 0.9)), 3)
        patience_s = round(rng.expovariate(1 / 600), 3)
        first = min(range(counters), key=lambda n: free_s[n])
        start_s = max(now_s, free_s[first])
        if start_s - now_s > patience_s:
            found.append(Recorded(now_s, now_s + patience_s, -1, -1))
            continue
        free_s[first] = start_s + service_s
        found.append(Recorded(now_s, start_s, start_s, free_s[first]))
    return found


@pytest.mark.timeout(120)
def test_the_command_gives_back_the_waits_of_a_recorded_call_centre(
    tmp_path: Path, rng: random.Random
) -> None:
    """The real command on a recording: every wait within 2 s, and it says so itself."""
    calls = call_centre(rng, 250, 4)
    path = tmp_path / "calls.csv"
    path.write_text("".join(f"{','.join(row)}\n" for row in _rows(calls)), "utf-8")
    tickets, table = tmp_path / "tickets.csv", tmp_path / "report.json"
    ran = subprocess.run(
        [sys.executable, "-m", "lobby", "replay", str(path), "--discipline", "fifo",
         "--counters", "4", "--out", str(tickets), "--report", str(table)],
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    with tickets.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(calls)
    largest_s = 0.0
    for row, call in zip(rows, calls, strict=True):
        assert row["outcome"] == ("ABANDONED" if call.start_s < 0 else "SERVED"), row
        assert float(row["arrive_s"]) == call.arrive_s
        waited_s = call.leave_s - call.arrive_s
        assert float(row["recorded_wait_s"]) == pytest.approx(waited_s, abs=0.001)
        assert float(row["wait_s"]) == pytest.approx(waited_s, abs=2.0), row
        largest_s = max(largest_s, abs(float(row["wait_s"]) - waited_s))
    waits = [call.leave_s - call.arrive_s for call in calls]
    assert max(waits) > 120, "a line that is never long proves nothing"
    assert sum(call.start_s < 0 for call in calls) > 5
    recorded = json.loads(table.read_text("utf-8"))["recorded"]
    assert recorded["compared"] == recorded["within_2_s"] == len(calls)
    assert recorded["other_outcome"] == 0
    assert recorded["largest_difference_s"] == pytest.approx(largest_s, abs=0.002)
    told = f"largest difference {recorded['largest_difference_s']:.3f} s"
    assert told in " ".join(ran.stdout.split())
    sys.stdout.write(f"{len(calls)} recorded waits up to {max(waits):.0f} s: {told}\n")


def test_another_discipline_is_told_apart(tmp_path: Path, rng: random.Random) -> None:
    """The comparison can fail: with a counter more the waits are not those recorded."""
    calls = call_centre(rng, 150, 4)
    path = tmp_path / "calls.csv"
    path.write_text("".join(f"{','.join(row)}\n" for row in _rows(calls)), "utf-8")
    day = recorded_day.read(path, date=None)
    found = replay(day, ReplayOptions(counters=5), "test", out=None)["recorded"]
    assert found["within_2_s"] < found["compared"]
    assert found["other_outcome"] > 0
    assert found["largest_difference_s"] > 60


def _rows(calls: list[Recorded]) -> list[list[str]]:
    rows = [list(recorded_day.COLUMNS)]
    for number, call in enumerate(calls, start=1):
        times = (call.arrive_s, call.leave_s, call.start_s, call.end_s)
        outcome = "ABANDONED" if call.start_s < 0 else "SERVED"
        rows.append(
            [f"C{number}", "2026-11-23", "PS", "ORD", *(f"{s:.3f}" for s in times), outcome]
        )
    return rows


@pytest.mark.parametrize(("text", "speed"), [("max", math.inf), ("60", 60.0), ("0.5", 0.5)])
def test_speeds(text: str, speed: float) -> None:
    assert cli.parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "fast"])
def test_speeds_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected max|could not convert"):
        cli.parse_speed(text)
