"""The independent count can fail: each kind of wrong, planted in a sound day, is seen."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from simulator import recorded_day
from simulator.oracle import Audit, Memory, audit
from simulator.replay import Replay, ReplayOptions
from tests.unit.simulator.days import Person, write

COPIES = ("ticket", "event", "rating")


@dataclass(slots=True)
class Day:
    """A played day: its two databases, open to be spoilt, and what the people remember."""

    folder: Path
    memory: Memory
    spoilt: list[str] = field(default_factory=list)

    def branch(self, statement: str, *values: object) -> Self:
        with sqlite3.connect(self.folder / "branch.db") as db:
            assert db.execute(statement, values).rowcount > 0, "nothing was planted"
        db.close()
        return self

    def audit(self) -> Audit:
        return audit(self.folder / "branch.db", [self.folder / "journal.db"], self.memory)


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """Three tickets served, two presses on the pad of counter 1."""
    people = [Person(100, 60), Person(110, 60), Person(120, 60)]
    run = Replay(recorded_day.read(write(tmp_path, people), date=None), ReplayOptions(), "test")
    run.run(tmp_path)
    run.memory.pressed = [(1, 5), (1, 2)]
    played = Day(tmp_path, run.memory)
    with sqlite3.connect(tmp_path / "branch.db") as db:
        # Without the constraints: the count must see what they would not let in.
        for name in COPIES:
            db.execute(f"CREATE TABLE copy AS SELECT * FROM {name}")
            db.execute(f"DROP TABLE {name}")
            db.execute(f"ALTER TABLE copy RENAME TO {name}")
        rows = [("p1", "x", 1, 5, "rating"), ("p2", None, 1, 2, "unsolicited")]
        db.executemany(
            "INSERT INTO rating (event_id, ticket, counter, score_1to5, kind, at, interpreter)"
            " VALUES (?, ?, ?, ?, ?, 0, 'micropython 1.25.0')",
            rows,
        )
    db.close()
    return played


def test_a_sound_day(day: Day) -> None:
    found = day.audit()
    assert (found.clean, found.violations) == (True, [])
    assert found.tickets == {
        "tapped": 3, "issued": 3, "printed": 3, "voided": 0, "called": 3, "served": 3,
        "missed": 0, "abandoned": 0,
    }  # fmt: skip
    assert found.ratings == {"pressed": 2, "stored": 1, "unsolicited": 1}
    assert found.events["journalled"] == found.events["stored"] == 7
    assert (found.events["lost"], found.events["duplicated"]) == (0, 0)
    assert (found.ghost_tickets, found.duplicate_numbers) == (0, 0)
    assert len(found.waits_ms) == 3
    assert found.interpreter == "micropython 1.25.0"


LAST = "rowid = (SELECT max(rowid) FROM event WHERE node = 'kiosk-1')"
DELETE_ONE = f"DELETE FROM event WHERE {LAST}"
RENAME_ONE = f"UPDATE event SET id = 'invented', seq = 99 WHERE {LAST}"
DOUBLE_ONE = "INSERT INTO event SELECT * FROM event WHERE node = 'kiosk-1' LIMIT 1"
GHOST = (
    "INSERT INTO ticket (id, number, business_date, service, segment, node, issued_at, paper,"
    " outcome) VALUES ('g', 'A777', '2026-11-23', 'A', 'ORD', 'kiosk-1', 0, 'unknown', ?)"
)

PLANTS: dict[str, tuple[Callable[[Day], object], str]] = {
    "an event lost": (
        lambda d: d.branch(DELETE_ONE),
        "1 journalled events are not in the branch's database",
    ),
    "an event stored twice": (
        lambda d: d.branch(DOUBLE_ONE),
        "2 events are stored more than once",
    ),
    "two events in one place": (
        lambda d: d.branch("UPDATE event SET seq = 1 WHERE node = 'kiosk-1' AND seq = 2"),
        "1 events are stored more than once",
    ),
    "an event invented": (
        lambda d: d.branch(DOUBLE_ONE).branch(RENAME_ONE),
        "1 stored events were never journalled",
    ),
    "a number given twice": (
        lambda d: d.branch("UPDATE ticket SET number = 'A001' WHERE number = 'A002'"),
        "numbers given twice: A001",
    ),
    "a number shown twice": (
        lambda d: d.memory.shown.append("A001"), "numbers given twice: A001",
    ),
    "a slip printed twice": (
        lambda d: d.memory.held.append("A001"), "numbers given twice: A001",
    ),
    "a ticket nobody holds": (lambda d: d.branch(GHOST, "open"), "tickets nobody holds: A777"),
    "a ticket lost": (
        lambda d: d.branch("DELETE FROM ticket WHERE number = 'A002'"),
        "people hold numbers that the branch lost: A002",
    ),
    "printed, they say": (
        lambda d: d.memory.held.remove("A002"), "printed, but no slip came out: A002",
    ),
    "not printed, they say": (
        lambda d: d.branch("UPDATE ticket SET paper = 'not_printed' WHERE number = 'A002'"),
        "said not to be printed, but held: A002",
    ),
    "a tap without a ticket": (
        lambda d: setattr(d.memory, "tapped", 4), "4 taps asked for a ticket, 3 exist",
    ),
    "a ticket without a tap": (
        lambda d: setattr(d.memory, "tapped", 2), "2 taps asked for a ticket, 3 exist",
    ),
    "a press lost": (
        lambda d: d.branch("DELETE FROM rating WHERE event_id = 'p1'"),
        "presses lost: {(1, 5): 1}",
    ),
    "a press nobody made": (
        lambda d: d.memory.pressed.pop(), "presses nobody made: {(1, 2): 1}",
    ),
    "a press counted twice": (
        lambda d: d.branch("INSERT INTO rating SELECT * FROM rating WHERE event_id = 'p1'"),
        "presses nobody made: {(1, 5): 1}",
    ),
    "a press changed": (
        lambda d: d.branch("UPDATE rating SET score_1to5 = 1 WHERE event_id = 'p1'"),
        "presses lost: {(1, 5): 1}; presses nobody made: {(1, 1): 1}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS)
def test_each_kind_of_wrong_is_seen(day: Day, plant: str) -> None:
    spoil, sentence = PLANTS[plant]
    spoil(day)
    found = day.audit()
    assert not found.clean
    assert any(sentence in violation for violation in found.violations), found.violations


def test_a_void_ticket_is_no_ghost_and_no_tap(day: Day) -> None:
    day.branch(GHOST, "voided")
    found = day.audit()
    assert (found.violations, found.ghost_tickets, found.tickets["voided"]) == ([], 0, 1)


def test_long_lists_are_cut(day: Day) -> None:
    day.memory.shown += [f"A{n}" for n in range(500, 520)]
    sentence = next(v for v in day.audit().violations if "branch lost" in v)
    assert sentence.endswith("A507 …")


def test_the_diary_of_the_people(tmp_path: Path) -> None:
    entries = [
        {"did": "tapped", "control": "service.A"}, {"did": "shown", "number": "A001"},
        {"did": "held", "number": "A001"}, {"did": "pressed", "counter": 2, "score": 4},
        {"did": "left"},
    ]  # fmt: skip
    path = tmp_path / "diary.jsonl"
    path.write_text("\n".join(map(json.dumps, entries)), "utf-8")
    assert Memory.of(path) == Memory(1, ["A001"], ["A001"], [(2, 4)])


def test_what_a_teller_with_a_pad_remembers(tmp_path: Path) -> None:
    entries = [
        {"did": "sat_down", "counter": 1}, {"did": "keyed", "counter": 1, "key": 1},
        {"did": "called", "counter": 1, "number": "A001"},
        {"did": "ended", "counter": 1, "number": "A001", "how": "served"},
    ]  # fmt: skip
    path = tmp_path / "diary.jsonl"
    path.write_text("\n".join(map(json.dumps, entries)), "utf-8")
    memory = Memory.of(path)
    assert (memory.desks, memory.keyed) == ({1}, 1)
    assert (memory.called, memory.ended) == ([(1, "A001")], [(1, "A001", "served")])


@pytest.fixture
def keyed(day: Day) -> Day:
    """The same day, its only teller having a pad, and one call more as the doors closed."""
    day.branch("UPDATE ticket SET counter = 1")
    day.memory.desks = {1}
    day.memory.called = [(1, number) for number in day.memory.held]
    day.memory.ended = [(1, number, "served") for number in day.memory.held]
    assert day.audit().keys == {"pads": 1, "pressed": 0, "called": 3, "ended": 3}
    assert day.audit().clean
    return day


def test_digits_and_keys_are_what_the_branch_has(keyed: Day) -> None:
    keyed.memory.called.append((1, "A777"))
    keyed.memory.ended.append((1, "A777", "missed"))
    assert keyed.audit().violations == [
        "digits showed what was not called: {(1, 'A777'): 1}",
        "keys without effect: {(1, 'A777', 'missed'): 1}",
    ]


def test_a_call_that_no_digits_showed(keyed: Day) -> None:
    del keyed.memory.called[0], keyed.memory.ended[0]
    assert keyed.audit().violations == [
        "called, but no digits showed it: {(1, 'A001'): 1}",
        "effects without a key: {(1, 'A001', 'served'): 1}",
    ]
    keyed.memory.alone = False
    assert keyed.audit().clean, "a guest at the teller's page"


def test_a_call_as_the_teller_went_home(keyed: Day) -> None:
    del keyed.memory.called[0], keyed.memory.ended[0]
    keyed.branch("UPDATE ticket SET outcome = 'open' WHERE number = 'A001'")
    assert keyed.audit().clean


def test_the_same_number_on_two_business_dates_is_two_tickets(day: Day) -> None:
    first, second = day.memory.held[:2]
    day.branch(
        "UPDATE ticket SET number = ?, business_date = '2031-01-01' WHERE number = ?",
        first,
        second,
    )
    for remembered in (day.memory.held, day.memory.shown):
        remembered[remembered.index(second)] = first
    assert day.audit().duplicate_numbers == 0
    day.branch("UPDATE ticket SET business_date = '2031-01-01'")
    assert day.audit().duplicate_numbers == 1
