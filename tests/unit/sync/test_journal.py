"""The journal: gapless, chained, durable together or not at all."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sync.clock import Clock
from sync.errors import JournalFull, JournalUnusable
from sync.identity import CHAIN_START, chain, uuid7
from sync.journal import Journal, pack
from sync.messages import PrintedData, TicketPrinted, VoidedData, decode_event, split_batch


@pytest.fixture
def clock() -> Clock:
    ticks = iter(range(1_763_860_000_000, 1_763_870_000_000))
    bits = iter(range(1, 10**9))
    return Clock(
        wall_ms=lambda: next(ticks), mono_ms=lambda: 7, boot="b", random_bits=lambda _: next(bits)
    )


def printed(attempt: int = 1) -> PrintedData:
    return PrintedData(attempt=attempt, took_ms=1)


def test_sequence_and_chain_go_on_over_a_restart(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "journal.db"
    for _ in range(3):
        journal = Journal(path, node="kiosk-1", clock=clock)
        for attempt in range(4):
            journal.append("ticket.printed", printed(attempt), sub="t")
        journal.close()
    journal = Journal(path, node="kiosk-1", clock=clock)
    rows = journal.after(0, 100)
    assert [seq for seq, _ in rows] == list(range(1, 13))
    digest = CHAIN_START
    for seq, raw in rows:
        event = decode_event(raw)
        assert isinstance(event, TicketPrinted)
        assert (event.seq, event.prev) == (seq, digest)
        digest = chain(raw)
        assert journal.digest_at(seq) == digest
    assert (journal.top_seq, journal.digest) == (12, digest)
    assert (journal.digest_at(0), journal.digest_at(13)) == (CHAIN_START, "")
    assert split_batch(pack(rows)) == [raw for _, raw in rows]
    assert pack(rows[:1]) == rows[0][1]
    journal.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)

    def fail_half_way() -> None:
        with journal.transaction() as transaction:
            transaction.keep_number("2026-11-23", "A", 1, 5)
            transaction.append("ticket.printed", printed(), sub="t", request="r")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with journal.transaction() as transaction:
        assert transaction.last_number("2026-11-23", "A", 1) == 0
        assert transaction.request("r") is None
        first = transaction.append("ticket.printed", printed(), sub="self", request="r")
        second = transaction.append("ticket.voided", VoidedData(reason="x"), sub=first.id)
    assert (first.seq, second.seq, first.sub) == (1, 2, first.id)
    assert second.prev == journal.digest_at(1)
    assert [e.seq for e in journal.events_about(first.id)] == [1, 2]
    assert journal.events_of("ticket.voided", 0) == [second]
    assert journal.ids() == {first.id, second.id}
    with journal.transaction() as transaction:
        assert transaction.request("r") == first
    journal.close()


def test_a_full_disk_is_said_and_nothing_is_written(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "j.db"
    journal = Journal(path, node="kiosk-1", clock=clock)
    journal.append("ticket.printed", printed())
    other = sqlite3.connect(path)
    pages = other.execute("PRAGMA page_count").fetchone()[0]
    other.close()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")

    def fill_up() -> None:
        for _ in range(1000):
            journal.append("ticket.printed", printed())

    with pytest.raises(JournalFull, match=r"j\.db"):
        fill_up()
    full_at = journal.top_seq
    journal._db.execute("PRAGMA max_page_count = 100000")
    assert journal.append("ticket.printed", printed()).seq == full_at + 1
    assert [seq for seq, _ in journal.after(0, 9999)] == list(range(1, full_at + 2))
    journal.close()


def test_the_cursor_only_rises_and_never_passes_the_top(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    for _ in range(5):
        journal.append("ticket.printed", printed())
    for mark, expected in ((3, 3), (2, 3), (9, 5)):
        journal.mark_acked(mark)
        assert journal.acked == expected
    assert journal.count_connect() == 1
    journal.close()
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    assert (journal.acked, journal.count_connect()) == (5, 2)
    journal.close()


def test_files_that_cannot_be_used(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(JournalUnusable, match="writable"):
        Journal(tmp_path / "nowhere" / "j.db", node="kiosk-1", clock=clock)
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalUnusable, match="Keep the file"):
        Journal(rubbish, node="kiosk-1", clock=clock)
    Journal(tmp_path / "j.db", node="kiosk-1", clock=clock).close()
    with pytest.raises(JournalUnusable, match="'kiosk-1'"):
        Journal(tmp_path / "j.db", node="kiosk-2", clock=clock)
    newer = sqlite3.connect(tmp_path / "j.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(JournalUnusable, match="newer version"):
        Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)


def test_commits_reach_the_medium(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    assert journal._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert journal._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    journal.close()


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**74 - 1))
def test_uuid7_holds_time_and_chance(ts_ms: int, bits: int) -> None:
    text = uuid7(ts_ms, bits)
    value = int(text.replace("-", ""), 16)
    assert len(text) == 36
    assert value >> 80 == ts_ms
    assert (value >> 76) & 0xF == 7
    assert (value >> 62) & 0b11 == 0b10
    assert ((value >> 64) & 0xFFF) << 62 | (value & (2**62 - 1)) == bits


def test_ids_sort_by_time() -> None:
    assert uuid7(1, 2**74 - 1) < uuid7(2, 0)
