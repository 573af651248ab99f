"""The inbox: whatever order and however often messages arrive, each event is stored once, in
order.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, select

from sync.identity import CHAIN_START, chain
from sync.inbox import Inbox, event_table, metadata, quarantine_table
from sync.messages import Clk, PrintedData, TicketPrinted, encode


def stream(count: int, node: str = "kiosk-1", first_id: int = 0) -> list[bytes]:
    raws, prev = [], CHAIN_START
    for seq in range(1, count + 1):
        event = TicketPrinted(
            id=f"{node}-{first_id + seq}",
            src=node,
            epoch=1,
            seq=seq,
            prev=prev,
            ts=seq,
            clk=Clk(boot="b", mono_ms=seq),
            data=PrintedData(attempt=1, took_ms=seq),
        )
        raws.append(encode(event))
        prev = chain(raws[-1])
    return raws


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path}/inbox.db")
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def stored(connection: Connection) -> list[bytes]:
    query = select(event_table.c.raw).order_by(event_table.c.place)
    return [raw for (raw,) in connection.execute(query)]


def quarantined(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(quarantine_table)).scalar_one()


def test_each_event_once_in_order(connection: Connection) -> None:
    raws = stream(5)
    inbox = Inbox()
    first = inbox.accept(connection, "kiosk-1", raws[:3], 1)
    assert (first.hw, len(first.new), first.duplicates) == (3, 3, 0)
    again = inbox.accept(connection, "kiosk-1", raws[1:4], 2)
    assert (again.hw, len(again.new), again.duplicates) == (4, 1, 2)
    gap = inbox.accept(connection, "kiosk-1", [], 3)
    assert gap.hw == 4
    assert stored(connection) == raws[:4]
    assert inbox.high_water(connection, "kiosk-1").digest == chain(raws[3])
    assert inbox.high_water(connection, "kiosk-2").hw == 0


def test_above_a_gap_nothing_is_taken(connection: Connection) -> None:
    raws = stream(4)
    result = Inbox().accept(connection, "kiosk-1", [raws[0], raws[2], raws[3]], 1)
    assert (result.hw, result.early, len(result.new)) == (1, 2, 1)
    result = Inbox().accept(connection, "kiosk-1", raws, 1)
    assert (result.hw, result.duplicates) == (4, 1)
    assert stored(connection) == raws


def test_the_same_place_with_other_content_is_kept_apart(connection: Connection) -> None:
    raws, other = stream(3), stream(3, first_id=100)
    Inbox().accept(connection, "kiosk-1", raws, 1)
    for _ in range(2):
        result = Inbox().accept(connection, "kiosk-1", other[1:2], 2)
        assert (result.hw, result.quarantined) == (3, 1)
    assert stored(connection) == raws
    assert quarantined(connection) == 1


def test_a_broken_chain_is_not_taken(connection: Connection) -> None:
    raws, other = stream(3), stream(3, first_id=100)
    result = Inbox().accept(connection, "kiosk-1", [raws[0], other[1]], 1)
    assert (result.hw, result.quarantined) == (1, 1)


def test_rubbish_and_foreign_events_are_kept_apart(connection: Connection) -> None:
    foreign = stream(1, node="kiosk-2")
    result = Inbox().accept(connection, "kiosk-1", [b"rubbish", *foreign, *stream(1)], 1)
    assert (result.hw, result.quarantined) == (1, 2)
    assert quarantined(connection) == 2


def test_an_id_that_is_there_is_a_duplicate_in_a_new_place(connection: Connection) -> None:
    Inbox().accept(connection, "kiosk-1", stream(2), 1)
    twin = [raw.replace(b"kiosk-2-", b"kiosk-1-") for raw in stream(1, node="kiosk-2")]
    result = Inbox().accept(connection, "kiosk-2", twin, 1)
    assert (result.hw, result.duplicates, result.new) == (1, 1, [])
    assert len(stored(connection)) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=25))
def test_any_mixture_of_resends_converges(slices: list[tuple[int, int]]) -> None:
    raws = stream(30)
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        inbox, seen, hw = Inbox(), [], 0
        for start, length in [*slices, (0, 30)]:
            result = inbox.accept(connection, "kiosk-1", raws[start : start + length], 1)
            assert result.hw >= hw
            hw = result.hw
            seen += result.new
        assert stored(connection) == raws
        assert [event.seq for event in seen] == list(range(1, 31))
    engine.dispose()
