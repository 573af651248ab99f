"""The database: refused with one sentence, whole or not at all, and equal to the queue."""

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

import sync.inbox as inbox_module
from branch.errors import StoreUnusable
from branch.queue import Engine, ImpossibleEvent, TicketPhase
from branch.store import Store
from branch.tables import ticket_table
from sync.inbox import Inbox
from tests.unit.branch.events import START_MS, Stream


def one_sentence(url: str) -> str:
    with pytest.raises(StoreUnusable) as error:
        Store(url)
    said = str(error.value)
    assert "\n" not in said
    assert "sqlalche" not in said
    return said


def test_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "x.db"
    said = one_sentence(f"sqlite:///{nowhere}")
    assert said.startswith(f"sqlite:///{nowhere}: unable to open database file; is the folder")
    letter = tmp_path / "letter.db"
    letter.write_text("Dear customer, this is not a database. " * 40)
    assert "file is not a database" in one_sentence(f"sqlite:///{letter}")
    assert "not the URL of a database" in one_sentence("no url at all")
    assert "nosuch" in one_sentence("nosuch://x/y")


def test_a_password_is_not_told(tmp_path: Path) -> None:
    said = one_sentence("mysql+pymysql://lobby:geheim@db/lobby")
    assert "geheim" not in said
    assert "driver is not installed" in said
    assert "geheim" not in one_sentence("lobby:geheim@db")


def test_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "branch.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT)")
        db.execute("INSERT INTO about VALUES ('schema', '9')")
    db.close()
    before = path.read_bytes()
    assert "schema 9, this version knows 1; install the version" in one_sentence(
        f"sqlite:///{path}"
    )
    # WAL is noted in the header (bytes 18, 19, counters); no table was made.
    with sqlite3.connect(path) as db:
        assert db.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
        ).fetchone() == (1,)
    db.close()
    assert len(before) == path.stat().st_size


def test_durability_is_configured_and_the_identity_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/branch.db"
    store = Store(url)
    generation = store.server_gen
    with store.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
    store.close()
    again = Store(url)
    assert (again.server_gen, len(generation)) == (generation, 16)
    again.close()


def test_a_transaction_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    stream = Stream()
    ticket = stream.issued("A001")

    def take(*, twice: bool = False, fail: bool = False, savepoint: bool = False) -> None:
        with store.transaction() as connection:
            with connection.begin_nested() if savepoint else contextlib.nullcontext():
                Inbox().accept(connection, "kiosk-1", stream.raws, 1)
            store.project(connection, [ticket, ticket] if twice else [ticket])
            if fail:
                raise KeyError

    with pytest.raises(IntegrityError):
        take(twice=True)
    assert "UNIQUE" in store.failure
    assert list(store.events()) == []
    for savepoint in (False, True):
        with pytest.raises(KeyError):
            take(fail=True, savepoint=savepoint)
        assert list(store.events()) == []
    take()
    assert (store.failure, list(store.events())) == ("", [ticket])
    store.close()


def test_only_a_known_id_passes_for_a_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers would collide in the order of commit: that is a failed commit, no duplicate."""
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    stream = Stream()
    stream.issued("A001")
    stream.issued("A002")
    with store.transaction() as connection:
        Inbox().accept(connection, "kiosk-1", stream.raws[:1], 1)
    monkeypatch.setattr(inbox_module, "last_place", lambda _connection: 0)
    with pytest.raises(IntegrityError, match="place"), store.transaction() as connection:
        Inbox().accept(connection, "kiosk-1", stream.raws, 1)
    store.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """The write lock is taken at the begin: what a transaction reads stays true until its end."""
    path = tmp_path / "branch.db"
    store = Store(f"sqlite:///{path}")
    other = sqlite3.connect(path, timeout=0)
    with store.transaction() as connection:
        Inbox().high_water(connection, "kiosk-1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO about VALUES ('x', 'y')")
    other.close()
    store.close()


def test_an_unreadable_row_does_not_stop_the_server(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    stream = Stream()
    first, second = stream.issued("A001"), stream.issued("A002")
    with store.transaction() as connection:
        Inbox().accept(connection, "kiosk-1", stream.raws, 1)
        connection.execute(text("UPDATE event SET raw = X'00' WHERE seq = 1"))
    assert [first.id, second.id] == ["kiosk-1-00001", "kiosk-1-00002"]
    assert list(store.events()) == [second]
    assert store.unreadable == 1
    store.close()


def test_devices_are_kept_by_their_last_news(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    stream = Stream()
    news = [stream.device("printer", state) for state in ("ok", "fault", "paper_out")]
    with store.transaction() as connection:
        store.project(connection, news)
    with store.reading() as connection:
        rows = connection.execute(text("SELECT node, device, state FROM device")).fetchall()
    assert [tuple(row) for row in rows] == [("kiosk-1", "printer", "paper_out")]
    store.close()


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "branch.db"
    store = Store(f"sqlite:///{path}")
    with sqlite3.connect(path, timeout=0, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.reading() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            assert Inbox().high_water(connection, "kiosk-1").hw == 0
        with pytest.raises(OperationalError, match="locked"), store.transaction():
            pass
        other.execute("ROLLBACK")
    other.close()
    store.close()


# --- the tables and the queue are two folds of one ledger ------------------------------------

SHOWN = {
    TicketPhase.ISSUED: ("open", False), TicketPhase.WAITING: ("open", False),
    TicketPhase.CALLED: ("open", True), TicketPhase.SERVING: ("open", True),
    TicketPhase.DONE: ("served", True), TicketPhase.MISSED: ("missed", True),
    TicketPhase.VOIDED: ("voided", False), TicketPhase.ABANDONED: ("abandoned", False),
}  # fmt: skip

actions = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "issued",
                "printed",
                "print_failed",
                "voided",
                "abandoned",
                "called",
                "recalled",
                "started",
                "missed",
                "ended",
                "called",
                "printed",
            ]
        ),
        st.integers(0, 3),
        st.integers(1, 3),
    ),
    max_size=40,
)


@given(actions)
def test_the_tables_tell_what_the_queue_knows(actions: list[tuple[str, int, int]]) -> None:
    store, stream = Store("sqlite://"), Stream()
    engine = Engine.of([(1, ("A",)), (2, ("A",)), (3, ("A",))])
    events: list[Any] = [stream.issued("A000")]
    tickets = [events[0].id]
    for at, (name, which, counter) in enumerate(actions):
        ticket = tickets[which % len(tickets)]
        if name == "issued":
            events.append(stream.issued(f"A{len(tickets):03}", at=at))
            tickets.append(events[-1].id)
        elif name in ("printed", "print_failed", "voided", "abandoned"):
            events.append(getattr(stream, name)(ticket, at=at))
        else:
            # A busy counter is refused by the server before anything is written.
            busy = name == "called" and engine.counters[counter].ticket is not None
            if not busy:
                events.append(getattr(stream, name)(ticket, counter, at=at))
        with store.transaction() as connection:
            store.project(connection, events)
        for event in events:
            try:
                engine.apply(event)
            except ImpossibleEvent:
                continue
        events = []
    with store.reading() as connection:
        rows = {row.id: row for row in connection.execute(select(ticket_table))}
    store.close()
    assert rows.keys() == engine.tickets.keys()
    for known in engine.tickets.values():
        row = rows[known.id]
        called = known.called_at is not None
        assert ((row.outcome, called), row.counter, row.called_at, row.started_at) == (
            SHOWN[known.phase], known.counter, known.called_at, known.started_at,
        )  # fmt: skip
        assert (row.paper == "pending") <= (known.phase.value in ("issued", "voided"))
        assert (row.ended_at is None) == (row.outcome == "open")
        assert row.issued_at >= START_MS
    phases = Counter(SHOWN[t.phase][0] for t in engine.tickets.values())
    assert Counter(row.outcome for row in rows.values()) == phases
