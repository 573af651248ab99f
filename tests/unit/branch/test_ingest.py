"""The feed's server end: each event counts once, whatever comes, and nothing stops the feed."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.messages import decode_event, encode
from sync.topics import EVT, HELLO, STATE, Topic
from sync.transport import Message
from tests.unit.branch.bench import BranchBench, Device, on_virtual_time, settle
from tests.unit.branch.events import START_MS


def counters(bench: BranchBench) -> dict[str, int]:
    """The counters that are not 0."""
    found = bench.branch.ingest.counters
    return {name: value for name in found.__slots__ if (value := getattr(found, name))}


@on_virtual_time
async def test_welcome_and_acks_follow_the_commits(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        kiosk.hello(connect=4)
        await settle()
        (welcome,) = kiosk.welcomes
        assert (welcome.connect, welcome.hw, welcome.verdict) == (4, 0, "ok")
        assert welcome.server_gen == bench.store.server_gen
        for number in range(3):
            kiosk.stream.issued(f"A{number}")
            kiosk.send(kiosk.stream.raws[-1])
        await settle()
        assert [ack.hw for ack in kiosk.acks] == [3]  # one burst, one ack
        kiosk.send()
        kiosk.send(kiosk.stream.raws[1])
        await settle()
        assert kiosk.acked == 3
        kiosk.hello(connect=5)
        kiosk.hello(connect=6, node="kiosk-2")
        await settle()
        last, stranger = kiosk.welcomes[-2:]
        assert (last.hw, last.connect) == (3, 5)
        assert stranger.verdict == "unknown"
        assert counters(bench) == {"events": 3, "duplicates": 4}
        await bench.restart()
        kiosk.hello(connect=7)
        await settle()
        assert (kiosk.welcomes[-1].hw, kiosk.welcomes[-1].digest) == (3, last.digest)
        assert kiosk.welcomes[-1].server_gen == welcome.server_gen


@on_virtual_time
async def test_events_after_a_gap_are_not_acknowledged(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        for number in range(4):
            kiosk.stream.issued(f"A{number}")
        kiosk.send(kiosk.stream.raws[0])
        kiosk.send(*kiosk.stream.raws[2:])
        await settle()
        assert (kiosk.acked, counters(bench)) == (1, {"events": 1, "early": 2})
        kiosk.send(*kiosk.stream.raws[1:])
        await settle()
        assert (kiosk.acked, len(bench.branch.engine.tickets)) == (4, 4)


@on_virtual_time
async def test_two_kiosks_have_marks_of_their_own(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        other = Device(bench.broker, "kiosk-2")
        await other.transport.start()
        await bench.kiosk.tickets("A101", "A102")
        await other.tickets("A201")
        assert (bench.kiosk.acked, other.acked) == (4, 2)
        other.send()
        bench.kiosk.send()
        await settle()
        assert counters(bench) == {"events": 6, "duplicates": 6}


def tampered(event: Any, **envelope: Any) -> bytes:
    return encode(msgspec.structs.replace(event, **envelope))


@on_virtual_time
async def test_what_the_ledger_does_not_take(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        good = kiosk.stream.issued("A001")
        kiosk.send()
        await settle()
        revision = bench.branch.revision
        bad = [
            tampered(good, ts=1),  # the same place, another content
            tampered(good, id="x", seq=2),  # does not follow the chain
            tampered(good, id="x", seq=2, src="kiosk-2"),
            tampered(good, id="x", seq=2, ts=10**30),
            tampered(good, id="x", seq=2, ts=-1),
            tampered(good, id="x" * 40, seq=2),
            tampered(good, sub="x" * 40, seq=2),
            tampered(good, seq=2, prev="?"),
            b'{"type": "ticket.issued"}',
            b"?",
            b"\xff\xfe",
        ]
        for raw in bad:
            kiosk.send(raw)
        kiosk.send(bad[0])
        await settle()
        assert counters(bench)["quarantined"] == len(bad) + 1
        assert len(bench.rows("quarantine")) == len(bad)
        reasons = " ".join(reason for (reason,) in bench.rows("quarantine", "reason"))
        for words in (
            "another content",
            "does not follow",
            "'kiosk-2' in a message of 'kiosk-1'",
            "16 hex",
            "not JSON",
            "what looks like a person's data",
        ):
            assert words in reasons
        assert (kiosk.acked, len(bench.rows("event"))) == (1, 1)
        assert bench.branch.revision == revision
        await kiosk.tickets("A002")
        assert kiosk.acked == 3


@on_virtual_time
async def test_messages_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        kiosk.stream.printed(kiosk.stream.issued("A001").id)

        def publish(name: str, payload: bytes) -> None:
            topic = Topic(name, qos=1, retain=False, expiry_s=None)
            kiosk.transport.publish(topic, name, payload)

        publish("bq/1/kiosk-1/evt", b"[]")
        publish("bq/1/kiosk-1/evt", b"[1,")
        publish("bq/1/kiosk-1/evt", b"x" * 300_000)
        publish("bq/1/kiosk-1/hello", b"{}")
        publish("bq/1/kiosk-1/state", b'"lost"')
        publish("bq/1/kiosk-1/res", b"\xff")
        publish("bq/1/KIOSK/evt", b"[]")  # no node's name: nobody's message
        kiosk.state("online", node="kiosk-2")
        kiosk.send()
        publish("bq/1/kiosk-1/evt", b"[1]")
        kiosk.hello()
        await settle()
        assert counters(bench) == {"events": 2, "bad_messages": 7, "quarantined": 1}
        assert kiosk.welcomes[-1].hw == kiosk.acked == 2
        assert bench.branch.health()["nodes"] == {}


@on_virtual_time
async def test_nobody_else_writes_the_servers_own_events(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002")
        await bench.branch.call_next(1, "k1")
        impostor = Device(bench.broker, "branch-1")
        await impostor.transport.start()
        impostor.stream.issued("X666")
        impostor.send()
        impostor.send(b"nonsense")
        impostor.hello()
        impostor.state("lost")
        await settle()
        assert counters(bench) == {"events": 4, "bad_messages": 4}
        assert impostor.welcomes == []
        assert bench.branch.health()["nodes"] == {}
        await bench.branch.call_next(2, "k2")
        assert bench.ledger() == ["ticket.called"] * 2


@on_virtual_time
async def test_an_event_of_a_later_version_is_kept(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        kiosk.stream.issued("A001")
        kiosk.stream.unknown()
        kiosk.stream.printed(decode_event(kiosk.stream.raws[0]).id)
        kiosk.send()
        await settle()
        assert (kiosk.acked, bench.branch.skipped_events) == (3, 0)
        assert [t for (t,) in bench.rows("event ORDER BY seq", "type")][1] == "ticket.folded"
        await bench.restart()
        assert (await bench.branch.call_next(1, "k")).number == "A001"


@on_virtual_time
async def test_unknown_fields_are_counted(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        raw = encode(bench.kiosk.stream.issued("A001"))
        bench.kiosk.send(raw[:-1] + b',"colour":"red"}')
        await settle()
        assert counters(bench) == {"events": 1, "unknown_fields": 1}


@on_virtual_time
async def test_what_the_tables_cannot_take_stays_in_the_ledger(tmp_path: Path) -> None:
    """A nonce twice, a score beyond 64 bits: the event is kept, its neighbours count."""
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        tickets = [kiosk.stream.issued(f"A00{n}").id for n in range(3)]
        for n, ticket in enumerate(tickets[:2]):
            kiosk.stream.printed(ticket)
            kiosk.stream.called(ticket, 1, f"c{n}")
            kiosk.stream.ended(ticket, 1, f"f{n}", nonce=7)
        kiosk.stream.rated(1, nonce=2**80)
        kiosk.stream.unsolicited(1, score=10**30)
        kiosk.stream.rated(1, nonce=7)
        kiosk.stream.printed(tickets[2])
        kiosk.send()
        await settle()
        everything = len(kiosk.stream.raws)
        assert kiosk.acked == everything == len(bench.rows("event"))
        assert counters(bench) == {"events": everything, "quarantined": 3}
        reasons = [reason for (reason,) in bench.rows("quarantine", "reason")]
        assert all("in the ledger, not in the tables" in reason for reason in reasons)
        assert bench.rows("visit", "nonce, ticket") == [(7, tickets[0])]
        assert bench.rows("rating", "kind, ticket") == [("rating", tickets[0])]
        assert (await bench.branch.call_next(1, "k")).number == "A002"
        engine = bench.branch.engine
        await bench.restart()
        assert bench.branch.engine == engine


@on_virtual_time
async def test_what_the_queue_refuses_is_not_in_the_tables_either(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        (ticket,) = await kiosk.tickets("A001")
        await bench.branch.call_next(1, "c")
        for late in (
            kiosk.stream.voided(ticket), kiosk.stream.abandoned(ticket),
            kiosk.stream.called(ticket, 2), kiosk.stream.missed(ticket, 2),
            kiosk.stream.started(ticket, 2), kiosk.stream.ended(ticket, 2, nonce=9),
            kiosk.stream.voided("nobody"),
        ):  # fmt: skip
            kiosk.send(encode(late))
        await settle()
        assert bench.branch.skipped_events == 7
        assert bench.rows("ticket", "outcome, counter, started_at") == [("open", 1, None)]
        assert bench.rows("visit") == []
        assert bench.branch.board().latest is not None
        assert bench.branch.board().latest.counter == 1  # type: ignore[union-attr]
        assert bench.branch.counter(1).number == "A001"


@on_virtual_time
async def test_an_exception_behind_the_feed_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BranchBench(tmp_path) as bench:

        def fail(*_: object) -> None:
            raise RuntimeError("a mistake of ours")

        monkeypatch.setattr(bench.branch._pads, "answered", fail)
        bench.branch.ingest.result = fail
        bench.branch.ingest.node_changed = fail
        with monkeypatch.context() as broken:
            broken.setattr(type(bench.branch._displays), "note", fail)
            bench.kiosk.answer("arm:1:k")
            bench.kiosk.state("online")
            await bench.kiosk.tickets("A001")
            assert counters(bench)["failed_handlers"] == 4
        assert bench.kiosk.acked == 2
        bench.kiosk.hello()
        await bench.kiosk.tickets("A002")
        assert (bench.kiosk.acked, len(bench.kiosk.welcomes)) == (4, 1)
        # The queue has both: the mistake was in what the board shows.
        assert bench.branch.engine.waiting("A") == 2
        monkeypatch.setattr(bench.branch.ingest, "apply", fail)
        await bench.kiosk.tickets("A003")
        assert (bench.kiosk.acked, counters(bench)["failed_handlers"]) == (6, 5)


@on_virtual_time
async def test_a_mistake_inside_the_transaction_undoes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BranchBench(tmp_path) as bench:

        def fail(*_: object) -> None:
            raise RuntimeError("a mistake of ours")

        with monkeypatch.context() as broken:
            broken.setattr(bench.store, "project", fail)
            await bench.kiosk.tickets("A001")
        assert (bench.kiosk.acked, bench.rows("event")) == (0, [])
        assert counters(bench) == {"failed_commits": 1}
        bench.kiosk.send()
        await settle()
        assert bench.kiosk.acked == 2


@on_virtual_time
async def test_every_message_gets_its_puback(tmp_path: Path) -> None:
    """One that is held back takes a place of the broker's window until the connection ends."""
    async with BranchBench(tmp_path) as bench:
        done: list[str] = []

        def message(name: str, payload: bytes) -> Message:
            return Message(name, payload, False, None, None, lambda: done.append(name))

        kiosk = bench.kiosk
        evt, hello = EVT.of(node="kiosk-1"), HELLO.of(node="kiosk-1")
        kiosk.stream.issued("A001")
        with bench.store.reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        burst = [
            message(evt, kiosk.stream.raws[0]), message(hello, b"?"), message(evt, b"?"),
            message(STATE.of(node="branch-1"), b""), message("bq/1/srv/state", b""),
        ]  # fmt: skip
        bench.branch.ingest.receive(burst)
        assert sorted(done) == sorted(m.topic for m in burst)
        assert counters(bench)["failed_commits"] == 2
        await settle()
        assert kiosk.acks == []


@on_virtual_time
async def test_acks_are_sent_before_the_server_leaves(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path)
    await bench.start()
    await bench.kiosk.transport.start()
    bench.kiosk.stream.issued("A001")
    bench.kiosk.send()
    await asyncio.sleep(0)
    await bench.stop()
    await settle()
    assert bench.kiosk.acked == 1


@on_virtual_time
async def test_the_ledger_is_in_order_of_commit(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        other = Device(bench.broker, "kiosk-2")
        await other.transport.start()
        for n in range(3):
            await bench.kiosk.tickets(f"A1{n}")
            await other.tickets(f"A2{n}")
            await bench.branch.call_next(1, f"c{n}")
            await bench.branch.finish(1, f"f{n}")
        places = [place for (place,) in bench.rows("event ORDER BY place", "place")]
        assert places == list(range(1, len(places) + 1))
        assert min(ts for (ts,) in bench.rows("event", "ts")) >= START_MS
        engine = bench.branch.engine
        await bench.restart()
        assert bench.branch.engine == engine
        assert bench.branch.skipped_events == 0
