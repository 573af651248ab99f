"""The journal on a long walk: append, copy, acknowledge, prune, new epochs, power cuts."""

import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sync.clock import Clock
from sync.errors import JournalFull
from sync.identity import CHAIN_START, chain
from sync.journal import RETENTION_MS, Journal
from sync.journal_upkeep import AGE_EVERY_MS, DAY_MS
from sync.messages import IssuedData, PrintedData, decode_envelope

HOUR_MS = 3_600_000
TEN_YEARS_MS = 3_652 * DAY_MS


@dataclass
class Row:
    """What the model knows of one event."""

    id: str
    served_ms: int
    fields: dict[str, Any]


def issued(number: int) -> IssuedData:
    return IssuedData(
        number=f"A{number:03}", service="A", segment="ordinary", language="en",
        business_date="2026-11-23", band=1, request="r",
    )  # fmt: skip


class Walk(RuleBasedStateMachine):
    """The model: a list of rows, a cursor, the highest number; time served next to a wall clock
    that goes where it likes.
    """

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="journal-walk-")
        self.bits = count(1)
        self.wall_ms, self.served_ms, self.mono_ms, self.boot = 1_795_424_400_000, 0, 5_000, 1
        self.rows: list[Row] = []
        self.base = self.acked = self.last = 0
        self.epoch = 1
        self.requests: dict[str, str] = {}
        self.marks: dict[str, str] = {}
        self.pruned_ids: set[str] = set()
        self.start()

    def start(self) -> None:
        clock = Clock(
            lambda: self.wall_ms, lambda: self.mono_ms, f"b{self.boot}", lambda _: next(self.bits)
        )
        path = Path(self.folder.name) / "j.db"
        self.journal = Journal(path, node="kiosk-1", clock=clock)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    def keep(self, raw: bytes) -> None:
        fields = msgspec.json.decode(raw)
        self.rows.append(Row(fields["id"], self.served_ms, fields))

    @rule(number=st.integers(1, 99))
    def issue(self, number: int) -> None:
        with self.journal.transaction() as transaction:
            transaction.keep_number("2026-11-23", "A", 1, number)
            request = f"touch-{next(self.bits)}"
            event = transaction.append(
                "ticket.issued", issued(number), sub="self", request=request
            )
            transaction.set_mark("last", event.id)
            transaction.keep_paper(event.id, "journalled", 0)
        self.last = max(self.last, number)
        self.requests[event.id], self.marks["last"] = request, event.id
        self.keep(self.journal.after(self.journal.top_seq - 1, 1)[0][1])

    @rule(again=st.booleans(), known=st.booleans())
    def copy(self, again: bool, known: bool) -> None:
        foreign = (
            b'{"type":"%s","v":1,"id":"copy-%d","src":"far","epoch":3,"seq":9,'
            b'"prev":"00000000000000ff","ts":17,"clk":{"boot":"x","mono_ms":5},"sub":"t",'
            b'"data":{"attempt":1,"took_ms":2,"colour":[1.50,"\xe7\xba\xa2"]}}'
        ) % (b"ticket.printed" if known else b"ticket.painted", next(self.bits))
        event = decode_envelope(foreign)
        with self.journal.transaction() as transaction:
            copied = transaction.append_copy(event, origin="far")
            assert copied is not None
            if again:
                assert transaction.append_copy(event, origin="far") is None
        raw = self.journal.after(self.journal.top_seq - 1, 1)[0][1]
        assert b'"data":{"attempt":1,"took_ms":2,"colour":[1.50,"\xe7\xba\xa2"]}' in raw
        read = decode_envelope(raw)
        assert (read.id, read.ts, read.sub, read.type) == (event.id, 17, "t", event.type)
        assert (read.src, read.origin) == ("kiosk-1", "far")
        self.keep(raw)

    @rule()
    def fail(self) -> None:
        try:
            with self.journal.transaction() as transaction:
                transaction.keep_number("2026-11-23", "A", 1, 500)
                transaction.append("ticket.printed", PrintedData(attempt=1, took_ms=1))
                raise JournalFull
        except JournalFull:
            pass

    @rule(seq=st.integers(0, 40))
    def acknowledge(self, seq: int) -> None:
        top = self.base + len(self.rows)
        self.journal.mark_acked(seq)
        self.acked = max(self.acked, min(seq, top))

    @rule(hours=st.sampled_from([1, 7, 24, 24 * 10, 24 * 31]), jump=st.booleans())
    def wait(self, hours: int, jump: bool) -> None:
        self.mono_ms += hours * HOUR_MS
        self.served_ms += hours * HOUR_MS
        self.wall_ms += hours * HOUR_MS
        if jump:
            self.wall_ms += TEN_YEARS_MS if self.wall_ms < 2 * TEN_YEARS_MS else -TEN_YEARS_MS

    @rule(limit=st.integers(1, 9))
    def prune(self, limit: int) -> None:
        pruned = self.journal.prune(self.wall_ms - RETENTION_MS, limit)
        assert pruned <= min(limit, max(self.acked - self.base, 0))
        for row in self.rows[:pruned]:
            assert self.served_ms - row.served_ms >= RETENTION_MS
            self.pruned_ids.add(row.id)
        del self.rows[:pruned]
        self.base += pruned

    @rule()
    def prune_all_that_is_acknowledged(self) -> None:
        due = min(self.acked - self.base, 5)
        assert self.journal.prune(self.wall_ms + 1, 5) == due
        del self.rows[:due]
        self.base += due

    @rule(skip=st.integers(1, 3))
    def begin_epoch(self, skip: int) -> None:
        self.epoch += skip
        self.journal.begin_epoch(self.epoch)
        self.base = self.acked = 0

    @rule(cut=st.booleans())
    def reopen(self, cut: bool) -> None:
        self.journal.close()
        if cut:  # CLOCK_BOOTTIME starts again; what passed meanwhile nobody knows
            self.boot, self.mono_ms = self.boot + 1, 5_000
            self.served_ms += 5_000
        self.start()

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not hasattr(self, "journal"):
            return
        journal = self.journal
        assert journal.verify() == []
        assert (journal.epoch, journal.acked) == (self.epoch, self.acked)
        assert journal.first_seq == self.base + 1
        assert journal.top_seq == self.base + len(self.rows)
        rows = journal.after(self.base, 9_999)
        assert [seq for seq, _ in rows] == [self.base + n + 1 for n in range(len(self.rows))]
        digest = journal.digest_at(self.base)
        assert self.base or digest == CHAIN_START
        for (seq, raw), row in zip(rows, self.rows, strict=True):
            fields = msgspec.json.decode(raw)
            assert fields == row.fields | {"epoch": self.epoch, "seq": seq, "prev": digest}
            digest = chain(raw)
            assert journal.digest_at(seq) == digest
        assert journal.digest == digest
        assert journal.digest_at(journal.top_seq + 1) == ""
        assert self.base == 0 or journal.digest_at(self.base - 1) == ""
        assert journal.last_number("2026-11-23", "A", 1) == self.last
        assert journal.mark("last", "none") == self.marks.get("last", "none")
        here = {row.id for row in self.rows}
        with journal.transaction() as transaction:
            for event_id, request in self.requests.items():
                found = transaction.request(request)
                assert (found.id if found else None) == (event_id if event_id in here else None)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_old_events_go_at_last_however_the_wall_clock_stands(tmp_path: Path) -> None:
    """A kiosk of 40 days, pruned each hour, its clock ten years ahead from the third day on and
    ten years behind from the 35th.
    """
    state = {"wall": 1_795_424_400_000, "mono": 0}
    bits = count(1)
    clock = Clock(lambda: state["wall"], lambda: state["mono"], "b", lambda _: next(bits))
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    for hour in range(40 * 24):
        state["mono"] += HOUR_MS
        state["wall"] += HOUR_MS
        state["wall"] += {3 * 24: TEN_YEARS_MS, 35 * 24: -2 * TEN_YEARS_MS}.get(hour, 0)
        journal.append("ticket.printed", PrintedData(attempt=1, took_ms=1))
        journal.mark_acked(journal.top_seq)
        journal.prune(clock.wall_ms() - RETENTION_MS, 100)
        kept_hours = journal.top_seq - journal.first_seq + 1
        assert kept_hours >= min(hour + 1, RETENTION_MS // HOUR_MS)
        assert kept_hours <= (RETENTION_MS + AGE_EVERY_MS) // HOUR_MS + 1
    marks = journal._db.execute("SELECT count(*) FROM age").fetchone()[0]
    assert marks <= RETENTION_MS // AGE_EVERY_MS + 2
    assert journal.verify() == []
    journal.close()
