"""``lobby prove clock``: its oracle finds what it must, and its shortest form finds nothing."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulator.prove.clock import EVERYBODY, TEN_YEARS_S, Ledger, Stopwatch, WallClock
from simulator.prove.proof import Proof, ProveOptions, prove

NOBODY = Counter[str]()


@pytest.mark.broker
@pytest.mark.timeout(180)
def test_two_moves_of_a_clock_change_nothing(tmp_path: Path) -> None:
    proof = prove("clock", ProveOptions(rounds=2, seed=1, folder=tmp_path), lambda _: None)
    assert proof.violations == []
    assert proof.details["jumps_journalled"] == {"branch-1": 1, "kiosk-1": 1}
    assert proof.details["waits_compared"] > 0


def test_a_wall_clock_is_moved_by_its_file(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "kiosk-1.time", "library")
    clock.move(-TEN_YEARS_S)
    assert (tmp_path / "kiosk-1.time").read_text("ascii") == "-315532800\n"
    env = clock.env(7)
    assert env["FAKETIME_TIMESTAMP_FILE"] == str(tmp_path / "kiosk-1.time")
    assert env["FAKETIME_DONT_FAKE_MONOTONIC"] == "1"
    assert env["LOBBY_PROOF_BOOT"] == "kiosk-1:7"
    assert "LOBBY_PROOF_BOOT" not in clock.env(None)


class Day:
    """Two tickets, called and served in their order, as ledger and stopwatch have them."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.events: list[dict[str, Any]] = []
        self.rows: dict[str, dict[str, Any]] = {}
        for place, number in enumerate(("A1001", "A1002")):
            issued_ms = place * 10_000
            self.watch.tapped[number] = issued_ms
            self.watch.shown[number] = issued_ms + 5
            data = {"number": number, "request": number, "business_date": "2026-11-23"}
            self._note("ticket.issued", number, data)
            self._note("ticket.printed", number, {})
            self.rows[number] = {"issued_at": issued_ms, "outcome": "served"}
        for place, number in enumerate(("A1001", "A1002")):
            self.call(number, 60_000 + place * 1_000)

    def call(self, number: str, at_ms: int) -> None:
        wait_ms = at_ms - self.rows[number]["issued_at"]
        self.rows[number]["called_at"] = at_ms
        self._teller("ticket.called", number, at_ms, {"wait_ms": wait_ms})
        self._teller("service.started", number, at_ms + 10, {})
        self._teller("service.ended", number, at_ms + 510, {"service_ms": 500})

    def event(self, event_type: str, number: str) -> dict[str, Any]:
        return next(e for e in self.events if (e["type"], e["sub"]) == (event_type, number))

    def judge(self, moves: Counter[str] = NOBODY) -> list[str]:
        with sqlite3.connect(":memory:") as db:
            db.execute("CREATE TABLE event (place INTEGER, raw BLOB)")
            db.execute("CREATE TABLE ticket (id TEXT, issued_at, called_at, outcome)")
            for place, event in enumerate(self.events):
                db.execute("INSERT INTO event VALUES (?, ?)", (place, msgspec.json.encode(event)))
            for number, row in self.rows.items():
                columns = (number, row["issued_at"], row.get("called_at"), row["outcome"])
                db.execute("INSERT INTO ticket VALUES (?, ?, ?, ?)", columns)
            proof = Proof("clock", 1, 1)
            Ledger(db).judge(proof, self.watch, moves)
        db.close()
        return proof.violations

    def _teller(self, event_type: str, number: str, at_ms: int, data: dict[str, Any]) -> None:
        key = f"{event_type}-{number}"
        self.watch.asked[key], self.watch.answered[key] = at_ms, at_ms + 3
        self._note(event_type, number, {"key": key, **data})

    def _note(self, event_type: str, number: str, data: dict[str, Any]) -> None:
        own = number if event_type == "ticket.issued" else f"{event_type}-{number}"
        ts = round(time.time() * 1000)
        self.events.append(
            {
                "type": event_type,
                "id": own,
                "src": "kiosk-1",
                "sub": number,
                "ts": ts,
                "data": data,
            }
        )


def test_a_right_day_is_clean() -> None:
    assert Day().judge() == []


def wrong_wait(day: Day) -> None:
    day.event("ticket.called", "A1001")["data"]["wait_ms"] += 1_100


def wrong_table(day: Day) -> None:
    day.rows["A1002"]["issued_at"] -= TEN_YEARS_S * 1_000


def wrong_service(day: Day) -> None:
    day.event("service.ended", "A1002")["data"]["service_ms"] = 0
    day.watch.asked["service.ended-A1002"] += 3_000
    day.watch.answered["service.ended-A1002"] += 3_000


def wrong_order(day: Day) -> None:
    first, last = day.event("ticket.called", "A1001"), day.event("ticket.called", "A1002")
    here, there = day.events.index(first), day.events.index(last)
    day.events[here], day.events[there] = last, first


def date_back(day: Day) -> None:
    day.event("ticket.issued", "A1002")["data"]["business_date"] = "2026-11-22"


def date_far(day: Day) -> None:
    day.event("ticket.issued", "A1002")["data"]["business_date"] = "2036-11-22"


def number_again(day: Day) -> None:
    day.event("ticket.issued", "A1002")["data"]["number"] = "A1001"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (wrong_wait, "waited"),
        (wrong_table, "the table says"),
        (wrong_service, "was served"),
        (wrong_order, "was called before A1001"),
        (date_back, "went back"),
        (date_far, "went from 2026-11-23 to 2036-11-22"),
        (number_again, "given again"),
    ],
)
def test_a_wrong_day_is_not(spoil: Callable[[Day], None], said: str) -> None:
    day = Day()
    spoil(day)
    assert any(said in violation for violation in day.judge())


@pytest.mark.parametrize("node", EVERYBODY)
def test_a_move_without_its_jump_is_found(node: str) -> None:
    assert Day().judge(Counter({node: 1})) == [
        f"{node}: 0 clock.jumped, its clock was moved 1 times"
    ]
