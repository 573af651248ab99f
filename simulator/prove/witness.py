"""The witness: its own record of what customers saw and held and what tellers were told, and the
count of it against the databases. Imports nothing of the product; reads with plain SQL.

    lost      a number that a screen showed or a slip carries, and no ticket at the branch has;
              an event that a kiosk journalled and the branch has not; a call that a teller was
              told of and the ledger has not
    doubled   a number given to two tickets of one business date, shown to two visitors, or on
              slips of two tickets; an event stored twice; a touch or a teller's key that made
              two; a ticket called twice; more than one reprint of a slip
    ghosts    tickets that the branch calls or would call, and nobody was shown or holds
    wrong     everything else that must not be: a voided ticket whose slip is held, "printed"
              without a slip, "not printed" with one, a ticket that nothing became of, a gap or
              a broken link in a chain, a mark that is not the top, a table that says something
              else than its events
"""

import hashlib
import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHAIN_START = "0" * 16
REFERENCE = re.compile(r"\b([0-9a-f]{4})-([0-9a-f]{4})\b")
"""A slip's reference: the last eight characters of the ticket's id."""
SLIPS_A_TICKET = 2
"""The slip and one reprint."""
NAMED = 6
"""Examples in one sentence."""


@dataclass(slots=True)
class Verdict:
    """The count. ``violations`` has a sentence for each kind of thing that is wrong."""

    shown: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    wrong: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class _Event:
    """One row of a journal or of the branch's ledger; ``fields`` is its JSON."""

    node: str
    epoch: int
    seq: int
    id: str
    digest: str
    raw: bytes
    fields: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.fields["type"])

    @property
    def ticket(self) -> str:
        return str(self.fields.get("sub") or "")

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.fields["data"])


@dataclass(slots=True)
class _Ticket:
    """A ticket as its events tell it."""

    number: str
    date: str
    paper: str = "pending"
    said: set[str] = field(default_factory=set)
    """What was said of its paper, at each attempt."""
    voided: bool = False
    outcome: str = "open"
    calls: int = 0

    @property
    def callable(self) -> bool:
        """Whether the branch has called it, or would."""
        return self.calls > 0 or (self.paper != "pending" and not self.voided)


class Witness:
    """Remembers; asks nobody. One business date: a number names one ticket."""

    def __init__(self) -> None:
        self.touches: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        """Number -> how many different moments it appeared on a screen."""
        self.seen_again = 0
        """Numbers that came back to the same kiosk's screen after it was restarted."""
        self.slips: Counter[tuple[str, str]] = Counter()
        """(number, reference) -> complete slips."""
        self.scraps = 0
        self.calls: dict[str, tuple[int, str]] = {}
        """A teller's key -> counter and number that the teller was told."""
        self._last: dict[str, str] = {}
        self._restarted: set[str] = set()

    # --- what happens -----------------------------------------------------------------------

    def tapped(self, touch: str) -> None:
        """A visitor asked for a ticket."""
        self.touches[touch] += 1

    def shown(self, kiosk: str, number: str) -> None:
        """A kiosk's screen shows this number now."""
        if self._last.get(kiosk) == number:
            if kiosk in self._restarted:
                self.seen_again += 1
        else:
            self.seen[number] += 1
            self._last[kiosk] = number
        self._restarted.discard(kiosk)

    def ended(self, program: str) -> None:
        """A program's life is over."""
        self._restarted.add(program)

    def slip(self, number: str, lines: Sequence[str], *, complete: bool) -> None:
        """A piece of paper came out: the number in large print and all its lines."""
        if not complete:
            self.scraps += 1
            return
        found = [match for line in lines for match in REFERENCE.finditer(line)]
        self.slips[number, "".join(found[-1].groups()) if found else ""] += 1

    def told(self, key: str, counter: int, number: str) -> None:
        """A teller was told that ``number`` is called to ``counter``."""
        self.calls[key] = (counter, number)

    # --- what became of it -------------------------------------------------------------------

    def judge(self, branch_db: Path, journals: Mapping[str, Path]) -> Verdict:
        """Count both sides. The programs that write the files must have ended."""
        verdict = Verdict()
        journalled = {node: _journal(path) for node, path in journals.items()}
        with sqlite3.connect(f"file:{branch_db}?mode=ro", uri=True) as db:
            db.row_factory = sqlite3.Row
            stored = [_event(row, row["node"]) for row in _rows(db, "event", "place")]
            table = {row["id"]: dict(row) for row in _rows(db, "ticket", "id")}
            marks = {row["node"]: dict(row) for row in _rows(db, "node", "node")}
            aside = len(list(_rows(db, "quarantine", "node")))
        db.close()
        _judge_events(verdict, journalled, stored)
        _judge_chains(verdict, journalled, stored, marks)
        tickets = _fold(stored)
        self._judge_numbers(verdict, tickets)
        self._judge_slips(verdict, tickets)
        self._judge_commands(verdict, tickets, stored)
        _judge_table(verdict, tickets, table)
        if aside:
            _wrong(verdict, "events were set aside at the branch", [str(aside)], aside)
        held = {number for number, _ in self.slips}
        verdict.shown = len(set(self.seen) | held)
        verdict.stored = len(tickets)
        verdict.figures |= {
            "events": len(stored),
            "tapped": len(self.touches),
            "slips": sum(self.slips.values()),
            "scraps": self.scraps,
            "reprints": sum(count - 1 for count in self.slips.values()),
            "shown_again": self.seen_again,
            "voided": sum(ticket.voided for ticket in tickets.values()),
            "voided_after_shown": sum(
                ticket.voided and ticket.number in self.seen for ticket in tickets.values()
            ),
            "paper_unknown": sum(ticket.paper == "unknown" for ticket in tickets.values()),
            "called": sum(ticket.calls > 0 for ticket in tickets.values()),
            "epochs": max((event.epoch for event in stored), default=1),
        }
        return verdict

    def _judge_numbers(self, verdict: Verdict, tickets: dict[str, _Ticket]) -> None:
        known = {ticket.number for ticket in tickets.values()}
        held = {number for number, _ in self.slips}
        _lost(verdict, "shown, but no ticket of the branch", sorted(set(self.seen) - known))
        _lost(verdict, "on a slip, but no ticket of the branch", sorted(held - known))
        given = Counter((ticket.date, ticket.number) for ticket in tickets.values())
        twice = sorted(number for (_, number), count in given.items() if count > 1)
        _doubled(verdict, "given to two tickets of one date", twice)
        again = sorted(number for number, count in self.seen.items() if count > 1)
        _doubled(verdict, "shown to two visitors", again)
        seen = set(self.seen) | held
        ghosts = [t for t in tickets.values() if t.callable and t.number not in seen]
        verdict.ghosts += len(ghosts)
        _say(verdict, "callable, but nobody was shown or holds it", [t.number for t in ghosts])
        idle = [t.number for t in tickets.values() if t.paper == "pending" and not t.voided]
        _wrong(verdict, "neither printed, shown nor voided", idle)

    def _judge_slips(self, verdict: Verdict, tickets: dict[str, _Ticket]) -> None:
        references = {(t.number, id_[-8:]): t for id_, t in tickets.items()}
        several = Counter(number for number, _ in self.slips)
        of_two = sorted(number for number, count in several.items() if count > 1)
        _doubled(verdict, "on slips of two tickets", of_two)
        known = {ticket.number for ticket in tickets.values()}
        foreign = sorted(n for n, ref in self.slips if n in known and (n, ref) not in references)
        _wrong(verdict, "on a slip with a reference that its ticket has not", foreign)
        often = sorted(n for (n, _), count in self.slips.items() if count > SLIPS_A_TICKET)
        _doubled(verdict, "reprinted more than once", often)
        voided = sorted(t.number for k, t in references.items() if t.voided and k in self.slips)
        _wrong(verdict, "voided, but a customer holds the slip", voided)
        denied = [t.number for t in tickets.values() if t.said == {"not_printed"}]
        held = {number for number, _ in self.slips}
        _wrong(verdict, "said not to be printed, but held", sorted(held.intersection(denied)))
        said = [k[0] for k, t in references.items() if "printed" in t.said and k not in self.slips]
        _wrong(verdict, "said to be printed, but no slip came out", sorted(said))

    def _judge_commands(
        self, verdict: Verdict, tickets: dict[str, _Ticket], stored: list[_Event]
    ) -> None:
        requests = Counter(
            event.data.get("request") for event in stored if event.type == "ticket.issued"
        )
        _doubled(verdict, "touches that made two tickets", _more_than_once(requests))
        invented = sorted(str(name) for name in set(requests) - set(self.touches))
        _wrong(verdict, "tickets that nobody asked for", invented)
        keys = Counter(
            (event.type, event.data["counter"], event.data["key"])
            for event in stored
            if event.data.get("key")
        )
        _doubled(verdict, "tellers' keys that made two events", _more_than_once(keys))
        called = {
            event.data["key"]: (event.data["counter"], tickets[event.ticket].number)
            for event in stored
            if event.type == "ticket.called" and event.ticket in tickets
        }
        missing = sorted(key for key, told in self.calls.items() if called.get(key) != told)
        _lost(verdict, "calls that a teller was told of, but not the ledger", missing)
        twice = sorted(ticket.number for ticket in tickets.values() if ticket.calls > 1)
        _doubled(verdict, "called twice", twice)


# --- the ledgers -------------------------------------------------------------------------------


def _judge_events(
    verdict: Verdict, journalled: Mapping[str, list[_Event]], stored: list[_Event]
) -> None:
    by_id = {event.id: event for event in stored}
    _doubled(verdict, "events stored twice", _more_than_once(Counter(e.id for e in stored)))
    places = Counter((event.node, event.epoch, event.seq) for event in stored)
    _doubled(verdict, "places of the ledger taken twice", _more_than_once(places))
    for node, rows in journalled.items():
        own = {event.id for event in rows}
        _lost(verdict, f"events of {node} not at the branch", sorted(own - set(by_id)))
        other = [
            f"{event.epoch}/{event.seq}"
            for event in rows
            if event.id in by_id and _content(by_id[event.id]) != _content(event)
        ]
        _wrong(verdict, f"events of {node} with another content at the branch", other)
        if rows:
            first = (rows[0].epoch, rows[0].seq)
            never = sorted(
                event.id
                for event in stored
                if event.node == node and event.id not in own and (event.epoch, event.seq) >= first
            )
            _wrong(verdict, f"events of {node} that it never journalled", never)


def _judge_chains(
    verdict: Verdict,
    journalled: Mapping[str, list[_Event]],
    stored: list[_Event],
    marks: dict[str, dict[str, Any]],
) -> None:
    ledgers: dict[tuple[str, int], list[_Event]] = defaultdict(list)
    for event in sorted(stored, key=lambda event: event.seq):
        ledgers[event.node, event.epoch].append(event)
    for (node, epoch), rows in ledgers.items():
        if epoch == 1:  # of a later epoch the branch keeps only what it did not have
            _judge_chain(verdict, f"the branch's ledger of {node}", rows, begin=1)
        mark = marks.get(node, {"epoch": 0, "hw": 0, "digest": ""})
        top = rows[-1]
        if epoch == 1 == mark["epoch"] and (mark["hw"], mark["digest"]) != (top.seq, top.digest):
            _wrong(verdict, "marks that are not the top", [f"{node} {mark['hw']} of {top.seq}"])
    for node, rows in journalled.items():
        if rows:
            last = [event for event in rows if event.epoch == rows[-1].epoch]
            _judge_chain(verdict, f"the journal of {node}", last)


def _judge_chain(verdict: Verdict, what: str, rows: list[_Event], begin: int = 0) -> None:
    """Gapless, each row the digest of its bytes, each row the link to the one before."""
    seq, prev = (begin or rows[0].seq) - 1, ""
    if begin or rows[0].seq == 1:
        prev = CHAIN_START
    faults = []
    for event in rows:
        at = f"{event.epoch}/{event.seq}"
        if event.seq != seq + 1:
            faults.append(f"{at} after {seq}")
        elif prev and event.fields["prev"] != prev:
            faults.append(f"{at} has another link")
        digest = hashlib.blake2b(event.raw, digest_size=8).hexdigest()
        own = event.fields
        if event.digest != digest or (own["epoch"], own["seq"], own["id"]) != (
            event.epoch, event.seq, event.id,
        ):  # fmt: skip
            faults.append(f"{at} is not what its row says")
        seq, prev = event.seq, digest
    _wrong(verdict, f"{what}: broken", faults)


def _judge_table(
    verdict: Verdict, tickets: dict[str, _Ticket], table: dict[str, dict[str, Any]]
) -> None:
    wrong = [
        table.get(id_, {}).get("number") or ticket.number
        for id_, ticket in tickets.items()
        if _of_row(table.get(id_)) != (ticket.number, ticket.date, ticket.paper, ticket.outcome)
    ]
    wrong += [row["number"] for id_, row in table.items() if id_ not in tickets]
    _wrong(verdict, "rows of the ticket table that say something else than the events", wrong)


def _of_row(row: dict[str, Any] | None) -> tuple[str, ...]:
    columns = ("number", "business_date", "paper", "outcome")
    return tuple(str(row[column]) for column in columns) if row else ()


def _fold(stored: list[_Event]) -> dict[str, _Ticket]:
    """The tickets, from their events in the order of commit."""
    tickets: dict[str, _Ticket] = {}
    for event in stored:
        data = event.data
        if event.type == "ticket.issued":
            tickets[event.id] = _Ticket(data["number"], data["business_date"])
            continue
        ticket = tickets.get(event.ticket)
        if ticket is None:
            continue
        match event.type:
            case "ticket.printed":
                ticket.paper = "printed"
                ticket.said.add("printed")
            case "ticket.print_failed":
                ticket.said.add(data["paper"])
                if ticket.paper != "printed":  # what came out stays out
                    ticket.paper = data["paper"]
            case "ticket.voided" if ticket.paper == "pending":
                ticket.voided, ticket.outcome = True, "voided"
            case "ticket.called":
                ticket.calls += 1
            case "ticket.missed":
                ticket.outcome = "missed"
            case "service.ended":
                ticket.outcome = "served"
    return tickets


def _content(event: _Event) -> dict[str, Any]:
    """What an event says, whatever place a new epoch gave it."""
    place = {"epoch", "seq", "prev"}
    return {key: value for key, value in event.fields.items() if key not in place}


def _journal(path: Path) -> list[_Event]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        (node,) = db.execute("SELECT value FROM meta WHERE name = 'node'").fetchone()
        rows = [_event(row, node) for row in _rows(db, "event", "epoch, seq")]
    db.close()
    return rows


def _rows(db: sqlite3.Connection, table: str, order: str) -> Iterator[sqlite3.Row]:
    yield from db.execute(f"SELECT * FROM {table} ORDER BY {order}")


def _event(row: sqlite3.Row, node: str) -> _Event:
    raw = bytes(row["raw"])
    return _Event(
        node, row["epoch"], row["seq"], row["id"], row["digest"], raw, json.loads(raw)
    )  # fmt: skip


# --- sentences ---------------------------------------------------------------------------------


def _more_than_once(counts: Counter[Any]) -> list[str]:
    return sorted(str(what) for what, count in counts.items() if count > 1)


def _say(verdict: Verdict, what: str, which: Sequence[str]) -> None:
    if which:
        named = ", ".join(which[:NAMED]) + (" …" if len(which) > NAMED else "")
        verdict.violations.append(f"{len(which)} {what}: {named}")


def _lost(verdict: Verdict, what: str, which: Iterable[str]) -> None:
    found = list(which)
    verdict.lost += len(found)
    _say(verdict, what, found)


def _doubled(verdict: Verdict, what: str, which: Sequence[str]) -> None:
    verdict.doubled += len(which)
    _say(verdict, what, which)


def _wrong(verdict: Verdict, what: str, which: Sequence[str], count: int | None = None) -> None:
    verdict.wrong += len(which) if count is None else count
    _say(verdict, what, which)
