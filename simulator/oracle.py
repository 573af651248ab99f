"""The independent count: what people remember against what is in the databases. Imports nothing of
the product.

People remember what they tapped, which number the screen showed them, which slip they held, which
key they
pressed. The ledger is read with plain SQL.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRINTED_TYPE = "ticket.printed"


@dataclass(slots=True)
class Memory:
    """What the people remember. Numbers are as they read them; presses are (counter, score)."""

    tapped: int = 0
    shown: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    pressed: list[tuple[int, int]] = field(default_factory=list)
    called: list[tuple[int, str]] = field(default_factory=list)
    """(counter, number) that tellers read on the digits of their pads."""
    ended: list[tuple[int, str, str]] = field(default_factory=list)
    """(counter, number, served or missed) by the keys of those pads."""
    keyed: int = 0
    desks: set[int] = field(default_factory=set)
    """Counters whose teller has such a pad."""
    alone: bool = True
    """Nobody else was there: no guest at a teller's page."""

    @classmethod
    def of(cls, path: Path) -> "Memory":
        """Read the people's own diary: one JSON object a line with ``did`` and its details."""
        memory = cls()
        for line in path.read_text("utf-8").splitlines():
            entry = json.loads(line)
            match entry["did"]:
                case "tapped":
                    memory.tapped += 1
                case "shown":
                    memory.shown.append(entry["number"])
                case "held":
                    memory.held.append(entry["number"])
                case "pressed":
                    memory.pressed.append((entry["counter"], entry["score"]))
                case "called":
                    memory.called.append((entry["counter"], entry["number"]))
                case "ended":
                    memory.ended.append((entry["counter"], entry["number"], entry["how"]))
                case "sat_down":
                    memory.desks.add(entry["counter"])
                case "keyed":
                    memory.keyed += 1
        return memory


@dataclass(slots=True)
class Audit:
    """The verdict: counts, and a sentence for each thing that is wrong."""

    tickets: dict[str, int] = field(default_factory=dict)
    ratings: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    ghost_tickets: int = 0
    duplicate_numbers: int = 0
    violations: list[str] = field(default_factory=list)
    waits_ms: list[int] = field(default_factory=list)
    interpreter: str = ""

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, or called that nobody holds."""
        return not self.violations


def audit(branch_db: Path, journals: list[Path], memory: Memory) -> Audit:
    """Count both sides. The programs that write the files must have ended, or be idle."""
    result = Audit()
    with sqlite3.connect(f"file:{branch_db}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        tickets = [dict(row) for row in db.execute("SELECT * FROM ticket")]
        ratings = [dict(row) for row in db.execute("SELECT * FROM rating")]
        stored = Counter(row[0] for row in db.execute("SELECT id FROM event"))
        sources = {row[0]: row[1] for row in db.execute("SELECT id, node FROM event")}
        places = Counter(
            (row[0], row[1], row[2]) for row in db.execute("SELECT node, epoch, seq FROM event")
        )
    db.close()
    journalled = _journalled(journals)
    _count_events(result, journalled, stored, places)
    nodes = {_owner(path) for path in journals}
    invented = [e for e, node in sources.items() if node in nodes and e not in journalled]
    if invented:
        result.violations.append(f"{len(invented)} stored events were never journalled")
    _count_tickets(result, tickets, memory)
    _count_ratings(result, ratings, memory)
    _count_keys(result, tickets, memory)
    return result


def _journalled(journals: list[Path]) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in journals:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            found.update(row[0] for row in db.execute("SELECT id FROM event"))
        db.close()
    return found


def _owner(journal: Path) -> str:
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
        (node,) = db.execute("SELECT value FROM meta WHERE name = 'node'").fetchone()
    db.close()
    return str(node)


def _count_events(
    result: Audit, journalled: Counter[str], stored: Counter[str], places: Counter[Any]
) -> None:
    lost = [event for event in journalled if event not in stored]
    doubled = sum(count - 1 for count in stored.values()) + sum(
        count - 1 for count in places.values()
    )
    result.events = {
        "journalled": sum(journalled.values()),
        "stored": sum(count for event, count in stored.items() if event in journalled),
        "lost": len(lost),
        "duplicated": doubled,
    }
    if lost:
        result.violations.append(f"{len(lost)} journalled events are not in the branch's database")
    if doubled:
        result.violations.append(f"{doubled} events are stored more than once")


def _count_tickets(result: Audit, tickets: list[dict[str, Any]], memory: Memory) -> None:
    outcome = Counter(ticket["outcome"] for ticket in tickets)
    result.tickets = {
        "tapped": memory.tapped,
        "issued": len(tickets),
        "printed": sum(ticket["paper"] == "printed" for ticket in tickets),
        "voided": outcome["voided"],
        "called": sum(ticket["called_at"] is not None for ticket in tickets),
        "served": outcome["served"],
        "missed": outcome["missed"],
        "abandoned": outcome["abandoned"],
    }
    result.waits_ms = [
        ticket["called_at"] - ticket["issued_at"] for ticket in tickets if ticket["called_at"]
    ]
    numbers = Counter((ticket["business_date"], ticket["number"]) for ticket in tickets)
    seen = set(memory.shown) | set(memory.held)
    doubled = {number for (_, number), count in numbers.items() if count > 1}
    # A number comes again with the next business date: once a date is what people may hold.
    dates = Counter(number for _, number in numbers)
    for remembered in (memory.held, memory.shown):
        times = Counter(remembered)
        doubled |= {number for number, count in times.items() if count > max(1, dates[number])}
    result.duplicate_numbers = len(doubled)
    ghosts = [t for t in tickets if t["number"] not in seen and t["outcome"] != "voided"]
    result.ghost_tickets = len(ghosts)
    known = {ticket["number"] for ticket in tickets}
    unknown = sorted(seen - known)
    printed_only = sorted(
        {t["number"] for t in tickets if t["paper"] == "printed"} - set(memory.held)
    )
    denied = sorted(
        {t["number"] for t in tickets if t["paper"] == "not_printed"} & set(memory.held)
    )
    if denied:
        result.violations.append(f"said not to be printed, but held: {_some(denied)}")
    if doubled:
        result.violations.append(f"numbers given twice: {_some(doubled)}")
    if ghosts:
        result.violations.append(f"tickets nobody holds: {_some(t['number'] for t in ghosts)}")
    if unknown:
        result.violations.append(f"people hold numbers that the branch lost: {_some(unknown)}")
    if printed_only:
        result.violations.append(f"printed, but no slip came out: {_some(printed_only)}")
    if len(tickets) - outcome["voided"] != memory.tapped:
        result.violations.append(
            f"{memory.tapped} taps asked for a ticket, {len(tickets) - outcome['voided']} exist"
        )


def _count_ratings(result: Audit, ratings: list[dict[str, Any]], memory: Memory) -> None:
    kinds = Counter(rating["kind"] for rating in ratings)
    result.ratings = {
        "pressed": len(memory.pressed),
        "stored": kinds["rating"],
        "unsolicited": kinds["unsolicited"] + kinds["repeated"],
    }
    result.interpreter = next((r["interpreter"] for r in ratings if r["interpreter"]), "")
    kept = Counter((rating["counter"], rating["score_1to5"]) for rating in ratings)
    pressed = Counter(memory.pressed)
    if kept != pressed:
        result.violations.append(
            f"presses lost: {dict(pressed - kept)}; presses nobody made: {dict(kept - pressed)}"
        )


def _count_keys(result: Audit, tickets: list[dict[str, Any]], memory: Memory) -> None:
    """Tellers with pads know the branch by four digits only: what they read, and what they ended,
    is what the branch has for their counters.
    """
    result.keys = {
        "pads": len(memory.desks),
        "pressed": memory.keyed,
        "called": len(memory.called),
        "ended": len(memory.ended),
    }
    mine = [ticket for ticket in tickets if ticket["counter"] in memory.desks]
    called = Counter((ticket["counter"], ticket["number"]) for ticket in mine)
    read = Counter(memory.called)
    # Whoever was called as the teller went home was read by nobody.
    unread = (
        called
        - read
        - Counter(
            (ticket["counter"], ticket["number"]) for ticket in mine if ticket["outcome"] == "open"
        )
    )
    if read - called:
        result.violations.append(f"digits showed what was not called: {dict(read - called)}")
    if unread and memory.alone:
        result.violations.append(f"called, but no digits showed it: {dict(unread)}")
    ended = Counter(
        (ticket["counter"], ticket["number"], ticket["outcome"])
        for ticket in mine
        if ticket["outcome"] in ("served", "missed")
    )
    by_keys = Counter(memory.ended)
    if by_keys - ended:
        result.violations.append(f"keys without effect: {dict(by_keys - ended)}")
    if ended - by_keys and memory.alone:
        result.violations.append(f"effects without a key: {dict(ended - by_keys)}")


def _some(numbers: Any) -> str:
    listed = sorted(numbers)
    return ", ".join(listed[:8]) + (" …" if len(listed) > 8 else "")
