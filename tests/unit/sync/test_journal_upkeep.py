"""Epochs, numbers and paper in the journal's file, one by one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.clock import Clock
from sync.errors import JournalFull
from sync.identity import CHAIN_START, chain
from sync.journal import RETENTION_MS, Journal
from sync.messages import IssuedData, LastNumber, PrintedData, TicketPrinted

PRINTED = PrintedData(attempt=1, took_ms=1)
DAY = "2026-11-23"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    bits = iter(range(1, 10**6))
    clock = Clock(lambda: 1_795_424_400_000, lambda: 7, "b", lambda _: next(bits))
    opened = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    yield opened
    opened.close()


def issue(journal: Journal, number: int) -> str:
    data = IssuedData(
        number=f"A{number:03}", service="A", segment="ordinary", language="en",
        business_date=DAY, band=1, request=f"r{number}",
    )  # fmt: skip
    with journal.transaction() as transaction:
        transaction.keep_number(DAY, "A", 1, number)
        event = transaction.append("ticket.issued", data, sub="self", request=f"r{number}")
    return event.id


def test_a_new_epoch_keeps_every_byte_but_the_place(journal: Journal) -> None:
    """Of a type and with fields that this version does not know, in their order."""
    journal.append("ticket.printed", PRINTED, sub="t")
    raw = (
        b'{"type":"ticket.painted","later":{"a":[1.0,2e3]},"v":2,"id":"x","src":"kiosk-1",'
        b'"epoch":1,"seq":2,"prev":"%s","ts":5,"clk":{"boot":"b","mono_ms":1,"new":null},'
        b'"sub":null,"origin":"","data":{"n":0.10,"text":"\xe7\xba\xa2"},"tail":true}'
    ) % journal.digest.encode()
    journal._db.execute(
        "INSERT INTO event VALUES (1, 2, 'x', 'ticket.painted', NULL, 'q', 5, ?, ?)",
        (chain(raw), raw),
    )
    path, clock = journal.path, journal.clock
    journal.close()
    again = Journal(path, node="kiosk-1", clock=clock)
    assert again.verify() == []
    again.begin_epoch(4)
    assert again.verify() == []
    (_, first), (_, second) = again.after(0, 9)
    assert second == raw.replace(b'"epoch":1', b'"epoch":4').replace(
        journal.digest.encode(), chain(first).encode()
    )
    assert (again.epoch, again.top_seq, again.acked) == (4, 2, 0)
    assert again._db.execute("SELECT id FROM event WHERE request = 'q'").fetchone() == ("x",)
    for stale in (4, 3, 0):
        with pytest.raises(ValueError, match="more than 4"):
            again.begin_epoch(stale)
    assert again.append("ticket.printed", PRINTED).seq == 3
    again.close()


def test_an_epoch_that_finds_no_room_changes_nothing(journal: Journal) -> None:
    for number in range(1, 60):
        issue(journal, number)
    journal.mark_acked(30)
    before = journal.after(0, 999)
    journal._db.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalFull, match=r"j\.db"):
        journal.begin_epoch(2)
    journal._db.execute("PRAGMA query_only = 0")
    assert (journal.epoch, journal.acked, journal.after(0, 999)) == (1, 30, before)
    assert journal.verify() == []
    journal.begin_epoch(2)
    assert (journal.epoch, journal.acked, journal.top_seq) == (2, 0, 59)


def test_an_epoch_after_pruning_begins_at_one(journal: Journal) -> None:
    ids = [issue(journal, number) for number in range(1, 11)]
    journal.mark_acked(4)
    assert journal.prune(journal.clock.wall_ms(), 3) == 3
    assert (journal.first_seq, journal.digest_at(2), journal.digest_at(0)) == (4, "", "")
    assert journal.digest_at(3) != ""
    journal.begin_epoch(2)
    assert (journal.first_seq, journal.top_seq, journal.digest_at(0)) == (1, 7, CHAIN_START)
    assert journal.ids() == set(ids[3:])
    assert journal.prune(journal.clock.wall_ms(), 99) == 0, "nothing is acknowledged now"


def test_an_empty_journal_takes_a_new_epoch(journal: Journal) -> None:
    journal.begin_epoch(2)
    assert (journal.first_seq, journal.top_seq, journal.digest) == (1, 0, CHAIN_START)
    journal.append("ticket.printed", PRINTED)
    journal.mark_acked(1)
    assert journal.prune(journal.clock.wall_ms(), 9) == 1
    assert (journal.first_seq, journal.top_seq) == (2, 1)
    path, clock = journal.path, journal.clock
    digest = journal.digest
    journal.close()
    again = Journal(path, node="kiosk-1", clock=clock)
    assert (again.first_seq, again.top_seq, again.acked) == (2, 1, 1)
    assert (again.digest, again.digest_at(1)) == (digest, digest)
    assert again.append("ticket.printed", PRINTED).prev == digest
    assert again.verify() == []
    again.close()


def test_numbers_never_fall(journal: Journal) -> None:
    issue(journal, 7)
    issue(journal, 3)
    assert journal.last_number(DAY, "A", 1) == 7

    def told(last: int, band: int = 1) -> LastNumber:
        return LastNumber(business_date=DAY, service="A", band=band, last=last)

    journal.raise_numbers([told(5), told(2, band=3)])
    journal.raise_numbers([])
    assert (journal.last_number(DAY, "A", 1), journal.last_number(DAY, "A", 3)) == (7, 2)
    journal.raise_numbers([told(9), told(8)])
    assert journal.last_number(DAY, "A", 1) == 9
    other = sqlite3.connect(journal.path)
    assert sorted(other.execute("SELECT band, last FROM number")) == [(1, 9), (3, 2)]
    other.close()
    journal._db.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalFull):
        journal.raise_numbers([told(10)])
    journal.raise_numbers([told(4)])  # nothing to write


def test_paper_is_kept_until_its_ticket_goes(journal: Journal) -> None:
    first, second, third = (issue(journal, number) for number in (1, 2, 3))
    assert (journal.paper_of(first), journal.unsettled_paper()) == (None, [])
    journal.keep_paper(first, "journalled", 0)
    journal.keep_paper(second, "printing", 1)
    with journal.transaction() as transaction:
        transaction.keep_paper(first, "printing", 1)
        transaction.keep_paper(third, "unknown", 2)
    assert journal.paper_of(first) == ("printing", 1)
    assert journal.unsettled_paper() == [
        (first, "printing", 1), (second, "printing", 1), (third, "unknown", 2),
    ]  # fmt: skip
    for ticket, state in ((first, "printed"), (third, "shown")):
        journal.keep_paper(ticket, state, 1)
    assert journal.unsettled_paper() == [(second, "printing", 1)]
    journal.mark_acked(2)
    journal.prune(journal.clock.wall_ms(), 99)
    assert journal.paper_of(first) is None
    assert journal.paper_of(second) == ("printing", 1), "not settled"
    assert journal.paper_of(third) == ("shown", 1)


def test_a_copy_of_a_known_event(journal: Journal) -> None:
    issue(journal, 1)
    with journal.transaction() as transaction:
        event = transaction.append("ticket.printed", PRINTED, sub="t")
        assert transaction.append_copy(event, origin="far") is None
        copied = transaction.append_copy(
            TicketPrinted(
                id="far-1", src="far", epoch=9, seq=9, prev=CHAIN_START, ts=4, clk=event.clk,
                data=PRINTED,
            ),
            origin="far",
        )  # fmt: skip
    assert copied is not None
    assert (copied.seq, copied.src, copied.origin, copied.ts) == (3, "kiosk-1", "far", 4)
    assert journal.events_of("ticket.printed", 0) == [event, copied]
    assert journal.verify() == []


def test_what_is_young_stays_young_in_a_new_epoch(tmp_path: Path) -> None:
    bits, hours = iter(range(1, 10**6)), [0]
    clock = Clock(
        lambda: 1_795_424_400_000 + hours[0] * 3_600_000, lambda: hours[0] * 3_600_000, "b",
        lambda _: next(bits),
    )  # fmt: skip
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    for number in range(1, 11):
        issue(journal, number)
    journal.mark_acked(3)
    assert journal.prune(clock.wall_ms(), 99) == 3
    hours[0] += 31 * 24
    young = [issue(journal, number) for number in range(11, 16)]
    journal.begin_epoch(2)
    journal.mark_acked(12)
    assert journal.prune(clock.wall_ms() - RETENTION_MS, 99) == 7
    assert journal.ids() == set(young)
    journal.close()
