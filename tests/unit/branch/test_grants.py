"""Numbers of band 0: durable before the answer, one a key, none twice after a restore."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from branch.grants import (
    CLOSED,
    EXHAUSTED,
    KEY_REUSED,
    NOT_STORED,
    WAITING_FOR,
    Grants,
)
from branch.seen import last_numbers
from branch.store import Store
from sync.clock import Clock
from sync.errors import BadMessage
from sync.identity import CHAIN_START
from sync.inbox import Accepted, Inbox
from sync.messages import (
    AskNumber,
    Hello,
    IssuedData,
    LastNumber,
    NumberGrant,
    Welcome,
    decode,
    encode,
)
from sync.topics import ANSWER, ASK
from tests.unit.branch.bench import BranchBench, Device, on_virtual_time, settle
from tests.unit.branch.events import DATE, START_MS, Stream

NEXT = "2025-10-10"
V1 = Path(__file__).parents[2] / "golden" / "branch_v1.sql"
CLOCK = Clock(wall_ms=lambda: START_MS, mono_ms=lambda: 0, boot="b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'branch.db'}")
    yield store
    store.close()


def desk(store: Store) -> Grants:
    """The server's part as a new process has it."""
    return Grants(store, CLOCK, ["A", "B"])


def ask(key: str, service: str = "A", date: str = DATE, floor: int = 0) -> AskNumber:
    return AskNumber(key=key, service=service, business_date=date, floor=floor)


def hello(node: str, epoch: int = 1, top: int = 0, acked: int = 0) -> Hello:
    return Hello(
        node=node, epoch=epoch, top_seq=top, acked=acked, digest=CHAIN_START, boot="b",
        connect=1, version="1", ts=0, mono_ms=0,
    )  # fmt: skip


def issued(stream: Stream, number: str, band: int, date: str = DATE) -> None:
    data = IssuedData(
        number=number, service=number[0], segment="", language="en", business_date=date,
        band=band, request=f"{stream.node}-{number}-{date}",
    )  # fmt: skip
    stream.make("ticket.issued", data, "self")


def deliver(store: Store, stream: Stream) -> Accepted:
    with store.transaction() as connection:
        accepted = Inbox().accept(connection, stream.node, stream.raws, START_MS)
        store.project(connection, accepted.new)
    return accepted


def test_numbers_count_up_over_all_kiosks_for_each_service_and_date(store: Store) -> None:
    grants = desk(store)
    given = [
        grants.ask(node, ask(key, service, date)).number
        for node, key, service, date in (
            ("kiosk-1", "a", "A", DATE),
            ("kiosk-2", "a", "A", DATE),
            ("kiosk-1", "b", "B", DATE),
            ("kiosk-1", "c", "A", NEXT),
            ("kiosk-2", "c", "A", DATE),
        )
    ]
    assert given == [1, 2, 1, 1, 3]


def test_a_key_has_one_number_also_in_the_next_process(store: Store) -> None:
    grants = desk(store)
    assert grants.ask("kiosk-1", ask("a")) == grants.ask("kiosk-1", ask("a"))
    assert grants.ask("kiosk-2", ask("b")).number == 2
    later = desk(store)
    for node in ("kiosk-1", "kiosk-2"):
        later.greeted(node, hello(node), Accepted())
    assert later.ask("kiosk-1", ask("a")).number == 1
    assert later.ask("kiosk-1", ask("a", "B")).reason == KEY_REUSED
    assert later.ask("kiosk-1", ask("c")).number == 3


def test_numbers_of_tickets_and_of_the_kiosks_word_are_taken(store: Store) -> None:
    stream = Stream("kiosk-1")
    issued(stream, "A0007", 0)
    issued(stream, "A1500", 1)
    deliver(store, stream)
    grants = desk(store)
    grants.greeted("kiosk-1", hello("kiosk-1", top=2, acked=2), Accepted(hw=2))
    assert grants.ask("kiosk-1", ask("a")).number == 8
    assert grants.ask("kiosk-1", ask("b", floor=20)).number == 21
    assert grants.ask("kiosk-1", ask("c")).number == 22


def test_999_is_the_last(store: Store) -> None:
    grants = desk(store)
    assert grants.ask("kiosk-1", ask("a", floor=998)).number == 999
    assert grants.ask("kiosk-2", ask("b")).reason == EXHAUSTED
    assert grants.ask("kiosk-1", ask("a")).number == 999


def test_what_is_not_durable_is_not_given(store: Store) -> None:
    grants = desk(store)
    assert grants.ask("kiosk-1", ask("a")).number == 1
    with store.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 1")
    refused = grants.ask("kiosk-1", ask("b"))
    assert (refused.number, refused.reason) == (0, NOT_STORED)
    with store.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 0")
    assert grants.ask("kiosk-2", ask("c")).number == 2


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (ask("a", "Z"), "service 'Z'"),
        (ask("a", date="today"), "business_date 'today'"),
        (ask("a", date="20251009"), "business_date"),
        (ask("a" * 65), "65 characters"),
        (ask(""), "0 characters"),
        (ask("a", floor=-1), "floor -1"),
        (ask("a", floor=1000), "floor 1000"),
    ],
)
def test_what_is_no_question(store: Store, bad: AskNumber, named: str) -> None:
    with pytest.raises(BadMessage, match=named):
        desk(store).ask("kiosk-1", bad)


# --- restarts and restores -----------------------------------------------------------------


def test_after_a_start_every_kiosk_of_band_0_must_have_delivered(store: Store) -> None:
    grants = desk(store)
    grants.ask("kiosk-1", ask("a"))
    grants.ask("kiosk-2", ask("b"))
    stream = Stream("kiosk-2")
    issued(stream, "A0002", 0)
    deliver(store, stream)
    issued(stream, "A0009", 0)
    again = desk(store)
    again.greeted("kiosk-3", hello("kiosk-3"), Accepted())
    assert again.ask("kiosk-3", ask("c")).reason == WAITING_FOR
    again.greeted("kiosk-1", hello("kiosk-1"), Accepted())
    again.greeted("kiosk-2", hello("kiosk-2", top=2), Accepted())
    assert again.ask("kiosk-3", ask("c")).reason == WAITING_FOR
    assert again.waits_for == {"kiosk-2"}
    deliver(store, stream)
    assert again.ask("kiosk-3", ask("c")).number == 10
    assert not again.waits_for


def test_a_kiosk_of_long_ago_is_not_waited_for(store: Store) -> None:
    stream = Stream("kiosk-old")
    issued(stream, "A0002", 0, "2025-09-01")
    deliver(store, stream)
    assert desk(store).waits_for == {"kiosk-old"}
    stream = Stream("kiosk-1")
    issued(stream, "A0001", 0)
    deliver(store, stream)
    assert desk(store).waits_for == {"kiosk-1"}


@pytest.mark.parametrize(
    ("epoch", "acked", "mark", "lost"),
    [
        (1, 5, Accepted(hw=5), False),
        (1, 5, Accepted(hw=4), True),
        (1, 0, Accepted(hw=4), False),
        (1, 5, Accepted(epoch=2, hw=3), False),  # the card was restored, not the server
        (2, 5, Accepted(hw=9), True),
        (2, 0, Accepted(hw=9), False),  # a new epoch has just begun
    ],
)
def test_a_hello_that_shows_lost_events_closes_the_date(
    store: Store, epoch: int, acked: int, mark: Accepted, lost: bool
) -> None:
    grants = desk(store)
    grants.greeted("kiosk-1", hello("kiosk-1", epoch, 9, acked), mark)
    grant = grants.ask("kiosk-2", ask("a"))
    assert (grant.reason == CLOSED) == lost
    assert (desk(store).ask("kiosk-3", ask("b")).reason == CLOSED) == lost
    if lost:
        assert desk(store).ask("kiosk-2", ask("c", date=NEXT)).number == 1


def test_the_closing_holds_in_memory_when_it_cannot_be_stored(store: Store) -> None:
    grants = desk(store)
    with store.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 1")
    grants.greeted("kiosk-1", hello("kiosk-1", 1, 9, 5), Accepted())
    with store.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 0")
    assert grants.ask("kiosk-1", ask("a")).reason == CLOSED


def test_a_copied_database_gives_nothing_again(tmp_path: Path) -> None:
    path = tmp_path / "branch.db"
    url = f"sqlite:///{path}"
    store = Store(url)
    desk(store).ask("kiosk-1", ask("a"))
    store.close()
    shutil.copy(path, tmp_path / "copy.db")
    store = Store(url)
    grants = desk(store)
    grants.greeted("kiosk-1", hello("kiosk-1"), Accepted())
    assert grants.ask("kiosk-1", ask("b")).number == 2
    stream = Stream("kiosk-1")
    issued(stream, "A0002", 0)
    store.close()
    shutil.copy(tmp_path / "copy.db", path)
    store = Store(url)
    grants = desk(store)
    assert grants.ask("kiosk-2", ask("c")).reason == WAITING_FOR
    grants.greeted("kiosk-1", hello("kiosk-1", top=1), Accepted())
    assert grants.ask("kiosk-2", ask("c")).reason == WAITING_FOR
    deliver(store, stream)
    assert grants.ask("kiosk-2", ask("c")).number == 3
    store.close()


@given(
    st.lists(
        st.tuples(st.sampled_from(["kiosk-1", "kiosk-2"]), st.integers(0, 5), st.integers(0, 30)),
        max_size=30,
    )
)
def test_no_number_has_two_keys(asks: list[tuple[str, int, int]]) -> None:
    store = Store("sqlite://")
    grants = desk(store)
    given: dict[tuple[str, int], int] = {}
    for node, key, floor in asks:
        number = grants.ask(node, ask(str(key), floor=floor)).number
        if (node, key) in given:
            assert given[node, key] == number
        else:
            assert number > max(given.values(), default=0)
            assert number > floor
            given[node, key] = number
    store.close()


# --- what the welcome says -----------------------------------------------------------------


def test_the_highest_numbers_of_a_node_on_its_newest_dates(store: Store) -> None:
    stream = Stream("kiosk-1")
    for number, band, date in (
        ("A1003", 1, "2025-10-07"),
        ("A1001", 1, "2025-10-08"),
        ("A1005", 1, DATE),
        ("A1004", 1, DATE),
        ("A0012", 0, DATE),
        ("B007", 1, DATE),
        ("nonsense", 1, DATE),
    ):
        issued(stream, number, band, date)
    other = Stream("kiosk-2")
    issued(other, "A2400", 2)
    deliver(store, stream)
    deliver(store, other)
    with store.reading() as connection:
        found = last_numbers(connection, "kiosk-1")
        assert last_numbers(connection, "kiosk-3") == []
    assert found == [
        LastNumber(business_date="2025-10-08", service="A", band=1, last=1),
        LastNumber(business_date=DATE, service="A", band=0, last=12),
        LastNumber(business_date=DATE, service="A", band=1, last=5),
        LastNumber(business_date=DATE, service="B", band=1, last=7),
    ]


def test_a_database_of_the_first_version_opens_and_knows_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "branch.db"
    with sqlite3.connect(path) as db:
        db.executescript(V1.read_text("utf-8"))
    db.close()
    for _ in range(2):
        store = Store(f"sqlite:///{path}")
        with store.reading() as connection:
            for node, band in (("kiosk-1", 1), ("kiosk-2", 2)):
                assert last_numbers(connection, node) == [
                    LastNumber(business_date=DATE, service="A", band=band, last=3)
                ]
        assert desk(store).ask("kiosk-1", ask("a")).number == 1
        assert len(list(store.events())) == 12
        with store.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM number_grant")
        store.close()


# --- over the feed -------------------------------------------------------------------------


@on_virtual_time
async def test_ask_and_answer_over_the_feed(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        answers: list[tuple[str, NumberGrant]] = []
        listener = bench.broker.transport()
        listener.listen(
            on_up=lambda: None,
            on_down=lambda _: None,
            on_messages=lambda got: answers.extend(
                (m.topic, decode(m.payload, NumberGrant)) for m in got
            ),
        )
        listener.subscribe(ANSWER.everyone)
        await listener.start()
        for raw in (encode(ask("a")), encode(ask("a")), encode(ask("b", "Z")), b"{"):
            bench.kiosk.transport.publish(ASK, ASK.of(node="kiosk-1"), raw)
        await settle()
        topic = ANSWER.of(node="kiosk-1")
        given = NumberGrant(key="a", service="A", business_date=DATE, number=1)
        assert answers == [(topic, given), (topic, given)]
        assert bench.branch.ingest.counters.bad_messages == 2


@on_virtual_time
async def test_the_welcome_carries_the_numbers(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk: Device = bench.kiosk
        issued(kiosk.stream, "A1042", 1)
        kiosk.send()
        await settle()
        kiosk.hello()
        await settle()
        welcome: Welcome = kiosk.welcomes[-1]
        assert welcome.numbers == [LastNumber(business_date=DATE, service="A", band=1, last=42)]
