"""The inbox: whatever order and however often messages arrive, each event is stored once, in
order.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from sqlalchemy import Connection, create_engine, func, select

from sync import inbox as inbox_module
from sync.identity import CHAIN_START, chain
from sync.inbox import STASH, Inbox
from sync.ledger import event_table, metadata, quarantine_table
from sync.messages import Clk, PrintedData, TicketPrinted, decode_envelope, encode


def stream(
    count: int, node: str = "kiosk-1", first_id: int = 0, epoch: int = 1, took_ms: int = 0
) -> list[bytes]:
    raws, prev = [], CHAIN_START
    for seq in range(1, count + 1):
        event = TicketPrinted(
            id=f"{node}-{first_id + seq}",
            src=node,
            epoch=epoch,
            seq=seq,
            prev=prev,
            ts=seq,
            clk=Clk(boot="b", mono_ms=seq),
            data=PrintedData(attempt=1, took_ms=took_ms or seq),
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


def test_what_waits_above_a_gap_is_told_and_taken_when_it_is_filled(
    connection: Connection,
) -> None:
    raws, inbox = stream(12), Inbox()
    first = inbox.accept(connection, "kiosk-1", [raws[0], *raws[3:5], *raws[8:10]], 1)
    assert (first.hw, first.early, first.gaps) == (1, 4, [(2, 3), (6, 8)])
    second = inbox.accept(connection, "kiosk-1", raws[1:3], 2)
    assert (second.hw, second.gaps, len(second.new)) == (5, [(6, 8)], 4)
    third = inbox.accept(connection, "kiosk-1", raws[5:8], 3)
    assert (third.hw, third.gaps) == (10, [])
    assert stored(connection) == raws[:10]


def test_what_waits_in_memory_survives_an_undone_transaction(connection: Connection) -> None:
    raws, inbox = stream(4), Inbox()
    connection.commit()
    inbox.accept(connection, "kiosk-1", raws[1:3], 1)
    connection.commit()
    assert inbox.accept(connection, "kiosk-1", raws[:1], 2).hw == 3
    connection.rollback()
    assert stored(connection) == []
    assert inbox.accept(connection, "kiosk-1", raws[:1], 3).hw == 3
    assert stored(connection) == raws[:3]


def test_what_waits_in_memory_is_bounded(connection: Connection) -> None:
    raws, inbox = stream(STASH + 50), Inbox()
    far = inbox.accept(connection, "kiosk-1", raws[1:], 1)
    assert (far.early, far.gaps) == (STASH + 49, [(1, 1)])
    assert inbox.accept(connection, "kiosk-1", raws[:1], 2).hw == STASH


def test_a_new_epoch_brings_the_same_events_and_those_that_were_missing(
    connection: Connection,
) -> None:
    """The restored card had other events in the places 3 and 4."""
    Inbox().accept(connection, "kiosk-1", stream(4), 1)
    again = stream(2, epoch=2)
    more = []
    prev = chain(again[-1])
    for seq in (3, 4):
        event = TicketPrinted(
            id=f"other-{seq}", src="kiosk-1", epoch=2, seq=seq, prev=prev, ts=seq,
            clk=Clk(boot="b", mono_ms=seq), data=PrintedData(attempt=1, took_ms=seq),
        )  # fmt: skip
        more.append(encode(event))
        prev = chain(more[-1])
    result = Inbox().accept(connection, "kiosk-1", again + more, 2)
    assert (result.epoch, result.hw, result.duplicates, result.quarantined) == (2, 4, 2, 0)
    assert [event.id for event in result.new] == ["other-3", "other-4"]
    assert len(stored(connection)) == 6
    late = Inbox().accept(connection, "kiosk-1", stream(5)[4:], 3)
    assert (late.epoch, late.hw, late.duplicates, late.new) == (2, 4, 1, [])


def test_a_new_epoch_begins_with_its_first_event(connection: Connection) -> None:
    raws, inbox = stream(3, epoch=2), Inbox()
    inbox.accept(connection, "kiosk-1", stream(2), 1)
    early = inbox.accept(connection, "kiosk-1", raws[1:], 2)
    assert (early.epoch, early.hw, early.early) == (1, 2, 2)
    assert inbox.accept(connection, "kiosk-1", raws, 3).epoch == 2


def test_an_id_with_another_content_is_kept_apart(connection: Connection) -> None:
    Inbox().accept(connection, "kiosk-1", stream(3), 1)
    result = Inbox().accept(connection, "kiosk-1", stream(3, epoch=2, took_ms=99), 2)
    assert (result.hw, result.duplicates, result.quarantined, result.new) == (3, 0, 3, [])
    assert quarantined(connection) == 3


def test_a_payload_that_cannot_be_read_has_its_place_and_stops_nobody(
    connection: Connection,
) -> None:
    raws = stream(1)
    bad = raws[0].replace(b'"attempt":1', b'"attempt":"x"')
    event = decode_envelope(stream(2)[1])
    after = encode(msgspec.structs.replace(event, prev=chain(bad)))
    result = Inbox().accept(connection, "kiosk-1", [bad, after], 1)
    assert (result.hw, result.quarantined, len(result.new)) == (2, 1, 1)
    assert stored(connection) == [bad, after]
    assert quarantined(connection) == 1


def odd_stream() -> list[bytes]:
    """Events in good order that no column takes as they are."""
    raws, prev = [], CHAIN_START
    odd: list[dict[str, Any]] = [
        {"type": "x" * 60}, {"type": "a\0b"}, {"sub": "y" * 40}, {"sub": "a\0b"}, {"ts": -1},
        {"ts": 10**15}, {"id": "z" * 40}, {"id": "a\0b"}, {},
    ]  # fmt: skip
    for seq, changes in enumerate(odd, 1):
        event = decode_envelope(stream(1, first_id=seq)[0])
        raws.append(encode(msgspec.structs.replace(event, seq=seq, prev=prev, **changes)))
        prev = chain(raws[-1])
    return raws


def test_what_no_column_takes_has_its_place_and_stops_nobody(connection: Connection) -> None:
    raws = odd_stream()
    for raw in raws:
        result = Inbox().accept(connection, "kiosk-1", [raw], 1)
    assert (result.hw, len(result.new)) == (len(raws), 1)
    assert stored(connection) == raws
    assert quarantined(connection) == len(raws) - 1


def test_a_conflict_is_kept_however_much_rubbish_there_is(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "QUARANTINE_ROWS", 3)
    inbox = Inbox()
    for _ in range(9):
        inbox.accept(connection, "kiosk-1", [b"the same rubbish"], 1)
    assert quarantined(connection) == 1
    for number in range(9):
        inbox.accept(connection, "kiosk-1", [b"rubbish %d" % number], 1)
    inbox.accept(connection, "kiosk-1", stream(2), 1)
    inbox.accept(connection, "kiosk-1", stream(2, first_id=50)[1:], 1)
    assert quarantined(connection) == 4


def test_rubbish_is_kept_up_to_a_bound(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "QUARANTINE_ROWS", 3)
    for number in range(5):
        result = Inbox().accept(connection, "kiosk-1", [b"rubbish %d" % number], 1)
        assert result.quarantined == 1
    assert quarantined(connection) == 3


def test_numbers_that_no_column_holds_are_rubbish(connection: Connection) -> None:
    raw = stream(1)[0]
    for old, new in (
        (b'"epoch":1', b'"epoch":2147483648'),
        (b'"seq":1', b'"seq":9007199254740992'),
    ):
        result = Inbox().accept(connection, "kiosk-1", [raw.replace(old, new)], 1)
        assert (result.quarantined, result.early) == (1, 0)


def test_two_nodes_in_one_burst_keep_the_order_of_arrival(connection: Connection) -> None:
    one, two = stream(3), stream(2, node="kiosk-2")
    marks, new = Inbox().accept_all(
        connection, [("kiosk-1", one[:2]), ("kiosk-2", two), ("kiosk-1", one[1:])], 1
    )
    assert [(event.src, event.seq) for event in new] == [
        ("kiosk-1", 1), ("kiosk-1", 2), ("kiosk-2", 1), ("kiosk-2", 2), ("kiosk-1", 3),
    ]  # fmt: skip
    assert (marks["kiosk-1"].hw, marks["kiosk-1"].duplicates, marks["kiosk-2"].hw) == (3, 1, 2)
    assert stored(connection) == [*one[:2], *two, one[2]]


def test_without_the_chain_other_events_pass_for_repeats(connection: Connection) -> None:
    inbox = Inbox(check_chain=False)
    inbox.accept(connection, "kiosk-1", stream(3), 1)
    result = inbox.accept(connection, "kiosk-1", stream(4, first_id=100), 1)
    assert (result.hw, result.duplicates, result.quarantined) == (4, 3, 0)


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


def test_of_a_person_s_data_only_the_place_is_kept(connection: Connection) -> None:
    raws, prev = [], CHAIN_START
    for seq, data in enumerate(({}, {"phone": "13800138000"}, {"name": "欧阳"}, {}), start=1):
        fields = {
            "type": "guest.seen", "v": 1, "id": f"e-{seq}", "src": "kiosk-1", "epoch": 1,
            "seq": seq, "prev": prev, "ts": seq, "clk": {"boot": "b", "mono_ms": seq},
            "data": data,
        }  # fmt: skip
        raws.append(msgspec.json.encode(fields))
        prev = chain(raws[-1])
    inbox = Inbox()
    accepted = inbox.accept(connection, "kiosk-1", raws, 1)
    assert (accepted.hw, accepted.digest, accepted.quarantined) == (4, prev, 2)
    kept = stored(connection)
    assert kept[0] == raws[0]
    assert [msgspec.json.decode(raw)["type"] for raw in kept[1:3]] == ["event.withheld"] * 2
    for raw in (*kept, *connection.execute(select(quarantine_table.c.raw)).scalars()):
        assert b"138" not in raw
        assert "欧阳".encode() not in raw
    again = inbox.accept(connection, "kiosk-1", raws, 2)
    assert (again.hw, again.duplicates, again.quarantined) == (4, 4, 0)


def test_a_person_s_data_in_the_envelope_is_not_kept_either(connection: Connection) -> None:
    fields = {
        "type": "13800138000", "v": 1, "id": "13800138000", "src": "kiosk-1", "epoch": 1, "seq": 1,
        "prev": CHAIN_START, "ts": 1, "clk": {"boot": "13800138000", "mono_ms": 1},
        "sub": "13800138000", "origin": "13800138000", "data": {},
    }  # fmt: skip
    foreign = {**fields, "src": "13800138000"}
    rubbish = b'{"id": "13800138000'
    raws = [msgspec.json.encode(fields), msgspec.json.encode(foreign), rubbish]
    accepted = Inbox().accept(connection, "kiosk-1", raws, 1)
    assert (accepted.hw, accepted.quarantined) == (1, 3)
    columns = (event_table, quarantine_table)
    kept = [repr(tuple(row)) for table in columns for row in connection.execute(select(table))]
    assert len(kept) == 4
    assert "138" not in "".join(kept)
