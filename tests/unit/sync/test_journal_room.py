"""The journal on a disk without room, and what a start asks of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import IssuedData, PrintedData

DATA = IssuedData(
    number="A001", service="A", segment="ordinary", language="en", business_date="2026-11-23",
    band=1, request="r",
)  # fmt: skip
PRINTED = PrintedData(attempt=1, took_ms=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    bits = iter(range(1, 10**6))
    clock = Clock(lambda: 1_795_424_400_000, lambda: 7, "b", lambda _: next(bits))
    opened = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    yield opened
    opened.close()


def issue(journal: Journal) -> str:
    with journal.transaction() as transaction:
        return transaction.append("ticket.issued", DATA, sub="self").id


def limit_pages(journal: Journal, more: int) -> None:
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages + more}")


def test_room_is_told_before_it_is_needed(journal: Journal) -> None:
    issue(journal)
    before = (journal.top_seq, journal.digest, journal.after(0, 10))
    assert journal.has_room()
    assert (journal.top_seq, journal.digest, journal.after(0, 10)) == before
    journal._db.execute("VACUUM")
    limit_pages(journal, more=0)
    assert not journal.has_room()
    assert (journal.top_seq, journal.digest, journal.after(0, 10)) == before
    limit_pages(journal, more=100)
    assert journal.has_room()


def test_where_there_was_room_a_ticket_fits(journal: Journal) -> None:
    """The promise of the kiosk's home screen, at every fill level of the pages."""
    limit_pages(journal, more=12)
    tickets = 0
    while journal.has_room():
        issue(journal)
        journal.append("ticket.printed", PRINTED, sub="t")
        tickets += 1
        assert tickets < 500
    assert tickets > 10


def test_a_read_only_card(journal: Journal) -> None:
    for _ in range(3):
        issue(journal)
    assert journal.count_connect() == 1
    journal._db.execute("PRAGMA query_only = 1")
    assert not journal.has_room()
    with pytest.raises(JournalFull, match=r"j\.db"):
        issue(journal)
    journal.mark_acked(2)
    assert journal.acked == 2, "what the server has is known, though not for the next start"
    assert (journal.count_connect(), journal.count_connect()) == (2, 3)
    journal._db.execute("PRAGMA query_only = 0")
    journal.mark_acked(3)
    assert journal.count_connect() == 4
    again = Journal(journal.path, node="kiosk-1", clock=journal.clock)
    assert (again.acked, again.count_connect()) == (3, 5)
    again.close()


def test_a_closed_journal_is_full(journal: Journal) -> None:
    journal.close()
    assert not journal.has_room()
    with pytest.raises(JournalFull):
        issue(journal)


def test_what_began_and_was_never_settled(journal: Journal) -> None:
    assert (journal.first_alone("ticket.issued"), journal.last_of("ticket.issued")) == ([], None)
    ids = [issue(journal) for _ in range(4)]
    journal.append("ticket.printed", PRINTED, sub=ids[1])
    journal.append("ticket.printed", PRINTED)  # about nobody
    assert [event.id for event in journal.first_alone("ticket.issued")] == [
        ids[0], ids[2], ids[3],
    ]  # fmt: skip
    last = journal.last_of("ticket.issued")
    assert last is not None
    assert last.id == ids[3]
    assert journal.last_of("ticket.voided") is None
