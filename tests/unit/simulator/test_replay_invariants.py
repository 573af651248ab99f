"""The invariants I1 to I10 on days that were played from one end to the other: an oracle reads the
ledger that the replay left, and nothing else of it.
"""

import csv
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from simulator import recorded_day
from simulator.recorded_day import RecordedDay
from simulator.replay import Replay, ReplayOptions
from sync.messages import TicketCalled, decode_event
from tests.unit.branch.queue_oracle import MIN, Oracle, Rules
from tests.unit.simulator.days import busy_day, write

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bank_calls_1999_02_01-19.csv"
QUEUE = {"ticket", "service", "counter"}
"""What moves the queue; the rest is of devices and alerts."""


def check(folder: Path, day: RecordedDay, options: ReplayOptions) -> tuple[int, int]:
    """Play the day and read its ledger; calls, and calls before somebody who was there first."""
    Replay(day, options, "test").run(folder)
    with closing(sqlite3.connect(f"file:{folder}/branch.db?mode=ro", uri=True)) as db:
        raws = [raw for (raw,) in db.execute("SELECT raw FROM event ORDER BY place")]
    letters = {
        event.data.service for event in map(decode_event, raws) if hasattr(event.data, "service")
    }
    vip_ms = (
        round(options.head_start_min * options.stretch * MIN)
        if options.discipline == "headstart"
        else 0
    )
    oracle = Oracle(
        Rules(
            counters={n: (dict.fromkeys(letters, 1), True, False, 1)
                      for n in range(1, options.counters + 1)},
            head_ms={"VIP": vip_ms} if vip_ms else {},
        )
    )  # fmt: skip
    overtaken = 0
    for raw in raws:
        event = decode_event(raw)
        if str(event.__struct_config__.tag).split(".")[0] not in QUEUE:
            continue
        if isinstance(event, TicketCalled):
            called = oracle.tickets[event.sub or ""]
            first = min(x.came for x in oracle.tickets.values() if x.phase == "waiting")
            overtaken += called.came != first
        assert oracle.possible(event), event
        oracle.read(event)
    area, waits = oracle.little()
    assert area == waits, "I8"
    assert {x.phase for x in oracle.tickets.values()} <= {"done", "abandoned"}
    assert len(oracle.tickets) == len(day.arrivals)
    return oracle.calls, overtaken


@pytest.mark.parametrize("discipline", ["fifo", "headstart"])
def test_a_busy_day_keeps_them(tmp_path: Path, rng: random.Random, discipline: str) -> None:
    day = recorded_day.read(write(tmp_path, busy_day(rng, 150)), date=None)
    options = ReplayOptions(counters=3, discipline=discipline)
    calls, overtaken = check(tmp_path, day, options)
    assert calls > 100
    assert bool(overtaken) == (discipline == "headstart")


def recorded_dates() -> list[str]:
    """The dates of the recorded call centre, none where its file is not here."""
    if not RECORDED.is_file():
        return []
    with RECORDED.open(encoding="utf-8", newline="") as file:
        return sorted({row["date"] for row in csv.DictReader(file)})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("discipline", ["fifo", "headstart"])
@pytest.mark.parametrize("date", recorded_dates())
def test_every_recorded_day_keeps_them(tmp_path: Path, date: str, discipline: str) -> None:
    day = recorded_day.read(RECORDED, date=date)
    options = ReplayOptions(stretch=3, counters=9, discipline=discipline)
    calls, _ = check(tmp_path, day, options)
    assert calls > 0
