"""What one simulated branch must have in its ledger in the end, by its own dictionaries and SQL.

The promise: what the server has committed stays, unless the server's own file is put back to an
older copy; what a device has journalled arrives, once, unless its card is put back to an older
copy before the server had it. Nothing else comes in, and the tables say what the events say.
"""

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.identity import CHAIN_START

NAMED = 4
"""How many ids a sentence names."""
PLACE = {"epoch", "seq", "prev"}
"""What a new epoch changes of an event."""


@dataclass(slots=True)
class Verdict:
    """Counts of one seed, and a sentence for each kind of thing that must not be."""

    stored: int = 0
    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    set_aside: int = 0
    sentences: list[str] = field(default_factory=list)

    def say(self, what: str, which: Iterable[object]) -> int:
        """Note what is wrong with ``which``; returns how many they are."""
        named = sorted(str(one) for one in which)
        if named:
            more = " …" if len(named) > NAMED else ""
            self.sentences.append(f"{len(named)} {what}: {', '.join(named[:NAMED])}{more}")
        return len(named)


class Oracle:
    """Is told what devices journal and what becomes of files; reads the rest for itself."""

    def __init__(self, server: str) -> None:
        """``server`` is the server's own node."""
        self._server = server
        self.journalled: dict[str, dict[str, Any]] = {}
        """Id -> what was said under it, of every event that a device ever journalled."""
        self._owed: dict[str, set[str]] = defaultdict(set)
        """Node -> ids that its card has, or has handed over."""
        self._committed: set[str] = set()
        """Ids in the server's file since it was put back last."""
        self.gone = 0
        """Ids that no file had any more: put back on both sides."""
        self.restores: Counter[str] = Counter()
        self.early_acks: list[str] = []
        self.epochs_begun = 0

    # --- what happens -------------------------------------------------------------------------

    def said(self, node: str, event_id: str, what: dict[str, Any]) -> None:
        """A device has journalled ``what`` (type, ts, sub, data)."""
        self.journalled[event_id] = {"src": node, **what}
        self._owed[node].add(event_id)

    def card_restored(self, node: str, journal: Path) -> set[str]:
        """The device's file is an older one now; returns the ids that are in it."""
        self.restores[node] += 1
        self._owed[node] = ids_of(journal)
        return self._owed[node].copy()

    def server_restored(self, database: Path, journals: Iterable[Path]) -> None:
        """The server's file is an older one now."""
        self.restores[self._server] += 1
        self._committed = ids_of(database)
        still = self._committed.union(*(ids_of(path) for path in journals))
        for node, owed in self._owed.items():
            self.gone += len(owed - still)
            self._owed[node] = owed & still

    def looked(self, database: Path) -> None:
        """Take everything that the server has committed until now."""
        self._committed |= ids_of(database)

    def acknowledged(self, database: Path, node: str, epoch: int, hw: int) -> None:
        """The server is about to tell ``node`` that everything up to ``hw`` is committed."""
        with closing_reader(database) as db:
            row = db.execute("SELECT epoch, hw FROM node WHERE node = ?", (node,)).fetchone()
            self._committed.update(
                found for (found,) in db.execute("SELECT id FROM event WHERE node = ?", (node,))
            )
        if row is None or (row[0] == epoch and row[1] < hw) or row[0] < epoch:
            self.early_acks.append(f"{node} {epoch}/{hw}, committed is {tuple(row or ())}")

    def missing(self, database: Path) -> set[str]:
        """Ids that must be in the server's file and are not there (yet)."""
        return self._committed.union(*self._owed.values()) - ids_of(database)

    def lacks(self, node: str, database: Path) -> bool:
        """Whether the server's file was put back to before it had all that ``node`` owed."""
        return bool(self.restores[self._server] and self._owed[node] - ids_of(database))

    # --- what became of it --------------------------------------------------------------------

    def judge(self, database: Path, journals: Mapping[str, Path]) -> Verdict:
        """Compare the files. The programs that write them must have ended."""
        verdict = Verdict()
        with closing_reader(database) as db:
            events = _rows(db, "event", "place")
            tickets = {row["id"]: row for row in _rows(db, "ticket", "id")}
            marks = {row["node"]: row for row in _rows(db, "node", "node")}
            aside = _rows(db, "quarantine", "node")
        verdict.stored = len(events)
        self._judge_ids(verdict, events)
        self._judge_contents(verdict, events)
        self._judge_devices(verdict, marks, journals)
        self._judge_quarantine(verdict, aside, {row["id"] for row in events})
        _judge_chains(verdict, events, whole=lambda node: not self.restores[node])
        _judge_tickets(verdict, events, tickets)
        verdict.say("acknowledged before they were committed", self.early_acks)
        return verdict

    def _judge_ids(self, verdict: Verdict, events: list[dict[str, Any]]) -> None:
        ids = Counter(row["id"] for row in events)
        lost = self._committed - set(ids)
        verdict.lost += verdict.say("committed, but no longer in the ledger", lost)
        for node, owed in sorted(self._owed.items()):
            never = owed - set(ids) - lost
            verdict.lost += verdict.say(f"journalled by {node}, not in the ledger", never)
        twice = [event_id for event_id, count in ids.items() if count > 1]
        verdict.doubled += verdict.say("twice in the ledger", twice)
        places = Counter((row["node"], row["epoch"], row["seq"]) for row in events)
        taken = [place for place, count in places.items() if count > 1]
        verdict.doubled += verdict.say("places taken twice", taken)
        foreign = [
            row["id"]
            for row in events
            if row["node"] != self._server and row["id"] not in self.journalled
        ]
        verdict.ghosts += verdict.say("in the ledger, but nobody journalled them", foreign)

    def _judge_contents(self, verdict: Verdict, events: list[dict[str, Any]]) -> None:
        other: list[str] = []
        for row in events:
            fields = json.loads(row["raw"])
            columns = ("epoch", "seq", "id", "type", "sub", "ts")
            filed = {"src": row["node"], **{name: row[name] for name in columns}}
            if any(fields.get(name) != value for name, value in filed.items()):
                other.append(row["id"])
            elif row["node"] != self._server and row["id"] in self.journalled:
                said = self.journalled[row["id"]]
                if any(fields.get(name) != value for name, value in said.items()):
                    other.append(row["id"])
        verdict.say("say something else than was journalled", other)

    def _judge_devices(
        self, verdict: Verdict, marks: dict[str, dict[str, Any]], journals: Mapping[str, Path]
    ) -> None:
        for node, path in journals.items():
            with closing_reader(path) as db:
                rows = _rows(db, "event", "epoch, seq")
            forgotten = self._owed[node] - {row["id"] for row in rows} - self._committed
            verdict.lost += verdict.say(f"no longer in the journal of {node}", forgotten)
            if not rows:
                continue
            top, mark = rows[-1], marks.get(node)
            stands = (mark["epoch"], mark["hw"], mark["digest"]) if mark else None
            if stands != (top["epoch"], top["seq"], top["digest"]):
                where = f"{node} {top['epoch']}/{top['seq']}, the server {stands}"
                verdict.say("journals whose end is not the server's mark", [where])
            _judge_chain(verdict, f"of the journal of {node}", rows, whole=False)
            begun = top["epoch"] - 1
            self.epochs_begun += begun
            restores = self.restores[node] + self.restores[self._server]
            if begun > restores:
                verdict.say("more new epochs than restores", [f"{node} {begun} of {restores}"])

    def _judge_quarantine(
        self, verdict: Verdict, aside: list[dict[str, Any]], stored: set[str]
    ) -> None:
        """Evidence of a fork may be set aside, but what it says must be in the ledger too."""
        verdict.set_aside = len(aside)
        for row in aside:
            event_id = json.loads(row["raw"]).get("id", "?")
            if not self.restores:
                verdict.say("set aside without a restore", [f"{event_id} ({row['reason']})"])
            elif event_id not in stored and self._is_owed(event_id):
                verdict.say("set aside only", [f"{event_id} ({row['reason']})"])

    def _is_owed(self, event_id: str) -> bool:
        return any(event_id in owed for owed in self._owed.values())


def _judge_chains(
    verdict: Verdict, events: list[dict[str, Any]], *, whole: Callable[[str], bool]
) -> None:
    ledgers: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(events, key=lambda row: int(row["seq"])):
        ledgers[row["node"], row["epoch"]].append(row)
    for (node, epoch), rows in ledgers.items():
        # Of a later epoch the server keeps only what it did not have.
        _judge_chain(
            verdict, f"of {node}'s ledger {epoch}", rows, whole=epoch == 1 and whole(node)
        )


def _judge_chain(verdict: Verdict, what: str, rows: list[dict[str, Any]], *, whole: bool) -> None:
    """Every row the digest of its bytes, every row the link to the one before."""
    faults: list[str] = []
    before: dict[str, Any] | None = None
    for row in rows:
        raw = bytes(row["raw"])
        at = f"{row['epoch']}/{row['seq']}"
        prev = json.loads(raw)["prev"]
        if hashlib.blake2b(raw, digest_size=8).hexdigest() != row["digest"]:
            faults.append(f"{at} has another digest")
        if row["seq"] == 1 and prev != CHAIN_START:
            faults.append(f"{at} does not begin a chain")
        if before is not None and before["epoch"] == row["epoch"]:
            if before["seq"] + 1 == row["seq"] and prev != before["digest"]:
                faults.append(f"{at} has another link")
            if whole and before["seq"] + 1 != row["seq"]:
                faults.append(f"{at} after {before['seq']}")
        elif whole and row["seq"] != 1:
            faults.append(f"{at} is the first")
        before = row
    verdict.say(f"broken links {what}", faults)


def _judge_tickets(
    verdict: Verdict, events: list[dict[str, Any]], table: dict[str, dict[str, Any]]
) -> None:
    """The ticket table must be what its events say, in the order in which they were committed."""
    folded: dict[str, dict[str, Any]] = {}
    for row in events:
        data = json.loads(row["raw"])["data"]
        if row["type"] == "ticket.issued":
            folded[row["id"]] = {
                "number": data["number"], "node": row["node"],
                "paper": "pending", "outcome": "open", "counter": None,
            }  # fmt: skip
            continue
        ticket = folded.get(row["sub"])
        if ticket is not None:
            _tell(ticket, row["type"], data)
    names = ("number", "node", "paper", "outcome", "counter")
    other = [
        event_id
        for event_id in folded.keys() | table.keys()
        if event_id not in folded
        or event_id not in table
        or any(folded[event_id][name] != table[event_id][name] for name in names)
    ]
    verdict.say("tickets of the table that are not what the events say", other)
    numbers = Counter(ticket["number"] for ticket in folded.values())
    twice = [number for number, count in numbers.items() if count > 1]
    verdict.doubled += verdict.say("numbers given to two tickets", twice)


def _tell(ticket: dict[str, Any], event_type: str, data: dict[str, Any]) -> None:
    is_open, called = ticket["outcome"] == "open", ticket["counter"] is not None
    here = called and data.get("counter") == ticket["counter"]
    match event_type:
        case "ticket.printed":
            ticket["paper"] = "printed"
        case "ticket.print_failed" if ticket["paper"] != "printed":
            ticket["paper"] = data["paper"]
        case "ticket.voided" if is_open and ticket["paper"] == "pending":
            ticket["outcome"] = "voided"
        case "ticket.called" if is_open and not called and ticket["paper"] != "pending":
            ticket["counter"] = data["counter"]
        case "ticket.missed" if is_open and here:
            ticket["outcome"] = "missed"
        case "service.ended" if is_open and here:
            ticket["outcome"] = "served"


# --- files ------------------------------------------------------------------------------------


class closing_reader:
    """A connection of the oracle's own to a file that others write; it only reads."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._db.row_factory = sqlite3.Row

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def ids_of(path: Path) -> set[str]:
    """Every event id in a journal or in a server's ledger."""
    with closing_reader(path) as db:
        return {row[0] for row in db.execute("SELECT id FROM event")}


def _rows(db: sqlite3.Connection, table: str, order: str) -> list[dict[str, Any]]:
    query = f"SELECT * FROM {table} ORDER BY {order}"
    return [dict(row) for row in db.execute(query)]
