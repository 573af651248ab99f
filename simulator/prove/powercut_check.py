"""What a power cut has left, looked at from outside: the product opens the files and goes on, and
this module reads them with its own SQL, its own JSON and its own digest.
"""

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from branch.store import Store
from kiosk import flow
from kiosk.issuing import Issuer
from simulator.prove.powercut_program import (
    BAND,
    BEGAN_MS,
    JOURNAL,
    LETTERS,
    NODE,
    STORE,
    TODAY,
    Device,
    clock,
    config,
)
from sync.inbox import Inbox
from sync.journal import Journal

CHAIN_START = "0" * 16
LATER_MS = BEGAN_MS + 3_600_000
"""The power comes back an hour later."""


@dataclass(slots=True)
class Promises:
    """What a program had told before the power went."""

    numbers: dict[str, str] = field(default_factory=dict)
    """Id of a ticket -> the number that a customer saw."""
    ids: set[str] = field(default_factory=set)
    """Events that must be there, tickets among them."""
    may_go: set[str] = field(default_factory=set)
    connect: int = 0
    epoch: int = 1
    marks: dict[str, int] = field(default_factory=dict)
    """Node -> the acknowledged high-water mark."""
    server_gen: str = ""
    coming: set[str] = field(default_factory=set)
    """Ids of what the program promised next: committed, perhaps, and not yet told."""

    @classmethod
    def read(cls, told: bytes, next_told: bytes = b"") -> "Promises":
        """Read a witness file, one line a promise; ``next_told`` is the line that came next."""
        promises = cls()
        if next_told:
            promises.coming = cls.read(next_told).ids
        for text in told.splitlines():
            line: dict[str, Any] = json.loads(text)
            if "number" in line:
                promises.numbers[line["id"]] = line["number"]
            if "node" in line:
                promises.marks[line["node"]] = line["hw"]
            promises.ids.update(line.get("ids", ()))
            promises.ids.update([line["id"]] if "id" in line else ())
            promises.may_go.update(line.get("may_go", ()))
            promises.connect = line.get("connect", promises.connect)
            promises.epoch = line.get("epoch", promises.epoch)
            promises.server_gen = line.get("server_gen", promises.server_gen)
        return promises

    @property
    def kept(self) -> set[str]:
        """Ids that must be there."""
        return self.ids - self.may_go


@dataclass(slots=True)
class Found:
    """What one image was good for. ``shown`` and ``stored`` count rows, ``lost`` names them;
    ``corrupt`` says why the file cannot be relied on, "" if it can.
    """

    shown: int = 0
    stored: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    """Events that nobody was told of, nor was about to be."""
    corrupt: str = ""
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    node: str
    epoch: int
    seq: int
    id: str
    digest: str
    raw: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.raw)  # type: ignore[no-any-return]


def check_kiosk(folder: Path, promises: Promises) -> Found:
    """Open the journal again, issue one ticket of each service, and read what is there."""
    found = Found(shown=len(promises.kept))
    path = folder / JOURNAL
    journal = None
    try:
        journal = Journal(path, node=NODE, clock=clock(1, LATER_MS))
        rows = _read(found, path, f"SELECT '{NODE}', epoch, seq, id, digest, raw FROM event")
        _check_rows(found, promises, rows)
        if journal.epoch < promises.epoch:
            found.wrong.append(f"epoch {journal.epoch}, {promises.epoch} had begun")
        found.wrong += [f"verify: {sentence}" for sentence in journal.verify()]
        meta = dict(_select(path, "SELECT name, value FROM meta"))
        base = int(meta.get("base_seq", 0)), meta.get("base_digest", CHAIN_START)
        _check_chain(found, "journal", rows, base)
        _check_numbers(found, promises, path, rows)
        _go_on(found, promises, journal)
    except Exception as error:  # noqa: BLE001 - whatever it is, this image brought it about
        found.corrupt = found.corrupt or f"{type(error).__name__}: {error}"
    finally:
        if journal is not None:
            journal.close()
    _count(found, promises)
    return found


def _check_numbers(found: Found, promises: Promises, path: Path, rows: list[_Row]) -> None:
    """The table of numbers says what the tickets say, those that were pruned among them."""
    issued = [event["data"] for row in rows if (event := row.event)["type"] == "ticket.issued"]
    numbers = {data["number"] for data in issued}
    numbers |= {number for id_, number in promises.numbers.items() if id_ in promises.may_go}
    last: dict[tuple[str, str, int], int] = defaultdict(int)
    for number in numbers:
        place = (TODAY, number[0], BAND)
        last[place] = max(last[place], int(number[-3:]))
    query = "SELECT business_date, service, band, last FROM number"
    kept = {(day, service, band): top for day, service, band, top in _select(path, query)}
    if kept != last:
        found.wrong.append(f"table of numbers {kept}, tickets {dict(last)}")


def _go_on(found: Found, promises: Promises, journal: Journal) -> None:
    """The kiosk issues again: a number that nobody has seen."""
    issuer = Issuer(config(), journal, clock(2, LATER_MS), lambda: TODAY)
    seen = set(promises.numbers.values())
    for letter in LETTERS:
        issued = issuer.issue(letter, f"again-{letter}", "", "zh_CN")
        if not isinstance(issued, flow.Issued):
            found.wrong.append(f"no ticket of service {letter} afterwards: {issued}")
        elif issued.ticket.number in seen:
            found.doubled.append(issued.ticket.number)
    connect = journal.count_connect()
    if connect <= promises.connect:
        found.wrong.append(f"connect {connect} again, {promises.connect} was told")


def check_branch(folder: Path, promises: Promises) -> Found:
    """Open the store again, take the next event and one that is there, and read all."""
    found = Found(shown=len(promises.kept))
    path = folder / STORE
    store = None
    try:
        store = Store(f"sqlite:///{path}")
        query = "SELECT node, epoch, seq, id, digest, raw FROM event"
        rows = _read(found, path, query)
        _check_rows(found, promises, rows)
        if promises.server_gen and store.server_gen != promises.server_gen:
            found.wrong.append("another server_gen than it had told")
        nodes: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            nodes[row.node].append(row)
        for node, own in nodes.items():
            _check_chain(found, f"ledger of {node}", own, (0, CHAIN_START))
        tops = {node: (own[-1].seq, own[-1].digest) for node, own in nodes.items()}
        marks = {n: (hw, d) for n, hw, d in _select(path, "SELECT node, hw, digest FROM node")}
        if marks != tops:
            found.wrong.append(f"marks {marks}, newest events {tops}")
        low = {n for n, hw in promises.marks.items() if marks.get(n, (0, ""))[0] < hw}
        if low:
            found.wrong.append(f"marks below what was acknowledged: {', '.join(sorted(low))}")
        issued = {e["id"] for row in rows if (e := row.event)["type"] == "ticket.issued"}
        tickets = {id_ for (id_,) in _select(path, "SELECT id FROM ticket")}
        if issued != tickets:
            found.wrong.append(f"{len(issued ^ tickets)} tickets in the ledger or table only")
        _take_in(found, store, nodes.get("kiosk-1", []))
    except Exception as error:  # noqa: BLE001 - whatever it is, this image brought it about
        found.corrupt = found.corrupt or f"{type(error).__name__}: {error}"
    finally:
        if store is not None:
            store.close()
    _count(found, promises)
    return found


def _take_in(found: Found, store: Store, rows: list[_Row]) -> None:
    """The device sends its last event again, and the next: the one counts once, the other is
    taken.
    """
    seq, digest = (rows[-1].seq, rows[-1].digest) if rows else (0, CHAIN_START)
    device = Device("kiosk-1", seq, digest, seed=999)
    sent = [row.raw for row in rows[-1:]] + [device.next()[1]]
    with store.transaction() as connection:
        accepted = Inbox().accept(connection, "kiosk-1", sent, LATER_MS)
    if (accepted.hw, accepted.duplicates) != (seq + 1, len(rows[-1:])):
        found.wrong.append(
            f"sent {seq} again and {seq + 1}: mark {accepted.hw}, {accepted.duplicates} known"
        )


# --- both sides --------------------------------------------------------------------------------


def _read(found: Found, path: Path, query: str) -> list[_Row]:
    """The events in order, after SQLite's own check of the file."""
    said = [text for (text,) in _select(path, "PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        found.corrupt = "integrity_check: " + "; ".join(said)
    return [_Row(*row) for row in _select(path, f"{query} ORDER BY 1, 2, 3")]


def _select(path: Path, query: str) -> Iterator[Any]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield from db.execute(query).fetchall()
    finally:
        db.close()


def _check_rows(found: Found, promises: Promises, rows: Iterable[_Row]) -> None:
    """Every promised event is there, and says the number that was shown; of the others only what
    was about to be promised, all of it or nothing.
    """
    there = {row.id: row for row in rows}
    for id_ in sorted(promises.kept):
        number = promises.numbers.get(id_, "")
        if id_ in there and (not number or there[id_].event["data"]["number"] == number):
            found.stored += 1
        else:
            found.lost.append(number or id_)
    others = set(there) - promises.ids
    found.ghosts = sorted(others - promises.coming)
    if others and not found.ghosts and others != promises.coming:
        found.wrong.append(f"{len(others)} of the {len(promises.coming)} events of one commit")


def _check_chain(found: Found, what: str, rows: list[_Row], base: tuple[int, str]) -> None:
    """One epoch, gapless, each event chained to the one before by its own bytes."""
    seq, prev = base
    for row in rows:
        event = row.event
        digest = hashlib.blake2b(row.raw, digest_size=8).hexdigest()
        own = (event["epoch"], event["seq"], event["id"], event["src"])
        if own != (row.epoch, row.seq, row.id, row.node) or digest != row.digest:
            found.wrong.append(f"{what}: {row.epoch}/{row.seq} is not what its row says")
        if row.epoch != rows[0].epoch or row.seq != seq + 1 or event["prev"] != prev:
            found.wrong.append(f"{what}: {row.epoch}/{row.seq} does not follow {seq}")
        seq, prev = row.seq, digest


def _count(found: Found, promises: Promises) -> None:
    """A file that could not be read has lost whatever was not found in it."""
    if found.corrupt and found.stored + len(found.lost) < found.shown:
        found.lost = sorted(promises.numbers.get(id_, id_) for id_ in promises.kept)
        found.stored = 0
