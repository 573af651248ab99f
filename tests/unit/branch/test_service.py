"""Tellers' commands: one event each, in the ledger before the queue, the same after a restart."""

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest
from litestar.testing import AsyncTestClient
from sqlalchemy.exc import OperationalError

from branch.config import CounterConfig, QueueConfig
from branch.errors import NotStored
from branch.queue import ImpossibleEvent, TicketPhase
from branch.view import CommandRefused, CounterState
from branch.web.app import create_app
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time, settle


@on_virtual_time
async def test_a_visit(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch = bench.branch
        (ticket, _) = await bench.kiosk.tickets("A001", "A002")
        await asyncio.sleep(118)
        view = await branch.call_next(1, "c1")
        assert (view.state, view.number, view.calls) == (CounterState.CALLING, "A001", 1)
        assert (view.waited_min, view.waiting, view.service_en) == (2, 1, "Personal")
        assert [t.number for t in view.up_next] == ["A002"]
        await asyncio.sleep(20)
        view = await branch.recall(1, "c2")
        assert (view.calls, view.since_ms) == (2, 20_000)
        view = await branch.start(1, "c3")
        assert (view.state, view.since_ms) == (CounterState.SERVING, 0)
        await asyncio.sleep(60)
        view = await branch.finish(1, "c4")
        assert (view.state, view.number, view.service_en) == (CounterState.FREE, None, "")
        assert bench.ledger() == [
            "ticket.called", "ticket.recalled", "service.started", "service.ended",
        ]  # fmt: skip
        (row,) = bench.rows(
            f"ticket WHERE id = '{ticket}'", "outcome, counter, ended_at - started_at"
        )
        assert row == ("served", 1, 60_000)
        missed = await branch.call_next(2, "c5")
        assert missed.number == "A002"
        assert (await branch.miss(2, "c6")).state is CounterState.FREE
        assert bench.rows("ticket WHERE number = 'A002'", "outcome, counter") == [("missed", 2)]
        board = branch.board()
        assert board.latest is not None
        assert [board.latest.number, *(c.number for c in board.recent)] == ["A002", "A001"]


@on_virtual_time
async def test_what_the_state_does_not_allow(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch = bench.branch

        async def refused(code: str, *commands: str) -> None:
            for command in commands:
                with pytest.raises(CommandRefused) as error:
                    await getattr(branch, command)(1, f"refused-{code}")
                assert error.value.code == code

        await refused("nobody_waiting", "call_next")
        await refused("no_ticket", "recall", "start", "miss", "finish")
        await bench.kiosk.tickets("B001", service="B")
        await branch.call_next(1, "k1")
        await refused("busy", "call_next")
        await branch.start(1, "k1")
        await refused("already_serving", "recall", "start", "miss")
        with pytest.raises(KeyError):
            await branch.call_next(9, "k")
        assert bench.ledger() == ["ticket.called", "service.started"]
        # The answer to a repeat is the first one's; another intent has another key.
        await branch.finish(1, "k2")
        await bench.kiosk.tickets("A002")
        await refused("nobody_waiting", "call_next")
        assert (await branch.call_next(1, "k3")).number == "A002"


@on_virtual_time
async def test_a_key_makes_one_event(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002", "A003")
        first = await bench.branch.call_next(1, "k1")
        assert (await bench.branch.call_next(1, "k1")).number == first.number == "A001"
        await bench.restart()
        assert (await bench.branch.call_next(1, "k1")).number == "A001"
        await asyncio.sleep(20)
        for _ in range(2):
            assert (await bench.branch.recall(1, "k2")).calls == 2
        for _ in range(2):
            await bench.branch.finish(1, "k3")
        await bench.restart()
        await bench.branch.finish(1, "k3")
        assert bench.ledger() == ["ticket.called", "ticket.recalled", "service.ended"]


@on_virtual_time
async def test_the_same_key_elsewhere_is_another_intent(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch = bench.branch
        await bench.kiosk.tickets("A001", "A002")
        assert (await branch.call_next(1, "k")).number == "A001"
        assert (await branch.call_next(2, "k")).number == "A002"
        assert (await branch.start(1, "k")).state is CounterState.SERVING
        for counter in (1, 2):
            assert (await branch.finish(counter, "k")).state is CounterState.FREE
        await settle()
        # The kiosk tells repeats by the key too: both pads must be armed.
        assert sorted((c.key, c.counter) for c in bench.kiosk.commands) == [
            ("arm:1:k", 1), ("arm:2:k", 2),
        ]  # fmt: skip


@on_virtual_time
async def test_tellers_at_the_same_instant_get_different_tickets(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002")
        views = await asyncio.gather(
            bench.branch.call_next(1, "x"), bench.branch.call_next(2, "y"),
            bench.branch.call_next(1, "x"),
        )  # fmt: skip
        assert [view.number for view in views] == ["A001", "A002", "A001"]
        assert bench.ledger() == ["ticket.called"] * 2


@on_virtual_time
async def test_a_restart_keeps_the_place(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch = bench.branch
        await bench.kiosk.tickets("A001", "A002", "A003", "A004")
        await bench.kiosk.tickets("B001", service="B", segment="priority")
        bench.kiosk.stream.issued("A005")  # reserved, not printed yet
        bench.kiosk.send(bench.kiosk.stream.raws[-1])
        for counter in (1, 2, 3):
            with_ticket = counter != 3
            if with_ticket:
                await branch.call_next(counter, f"c{counter}")
            await asyncio.sleep(7)
        await branch.start(2, "s")
        # A repeated call is the newest on the board, also after a restart.
        await branch.recall(1, "r")
        engine, revision = bench.branch.engine, bench.branch.revision
        before = {n: (v.state, v.number, v.calls, v.since_ms, v.waiting, v.up_next)
                  for n in (1, 2, 3) for v in [branch.counter(n)]}  # fmt: skip
        board = branch.board()
        assert board.latest is not None
        assert [board.latest.number, board.recent[0].number] == ["B001", "A001"]
        await bench.stop()
        await bench.start()
        assert bench.branch.engine == engine
        after = {n: (v.state, v.number, v.calls, v.since_ms, v.waiting, v.up_next)
                 for n in (1, 2, 3) for v in [bench.branch.counter(n)]}  # fmt: skip
        settled_ms = 100
        assert {n: (*v[:3], v[4:]) for n, v in after.items()} == {
            n: (*v[:3], v[4:]) for n, v in before.items()
        }
        assert after[2][3] == before[2][3] + settled_ms
        again = bench.branch.board()
        assert (again.latest, again.recent, again.services) == (
            board.latest, board.recent, board.services,
        )  # fmt: skip
        assert revision > 1
        await bench.branch.finish(1, "f1")
        assert (await bench.branch.call_next(1, "n1")).number == "A002"


@on_virtual_time
async def test_a_counter_that_is_gone_gives_its_ticket_back(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002", "A003")
        await bench.branch.call_next(2, "c1")
        await bench.branch.finish(2, "f1")
        await bench.branch.call_next(2, "c2")
        await bench.restart(bench.without_counter(2))
        assert bench.branch.counters() == (1, 3)
        assert bench.branch.skipped_events == 0
        called = "ticket WHERE called_at IS NOT NULL ORDER BY number"
        assert bench.rows(called, "number, counter") == [("A001", 2)]
        assert (await bench.branch.call_next(1, "c3")).number == "A002"
        assert bench.rows(called, "number, counter") == [("A001", 2), ("A002", 1)]
        await bench.restart()
        assert bench.branch.skipped_events == 0
        assert bench.branch.counter(1).number == "A002"
        await bench.branch.finish(1, "f3")
        assert (await bench.branch.call_next(1, "c4")).number == "A003"


@on_virtual_time
async def test_a_service_that_is_gone_does_not_stop_the_page(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("B001", service="B")
        await bench.branch.call_next(1, "c")
        only_a = msgspec.structs.replace(
            CONFIG, services=CONFIG.services[:1], counters=[CounterConfig(1, ["A"])]
        )
        await bench.restart(only_a)
        view = bench.branch.counter(1)
        assert (view.number, view.service_en, view.state) == ("B001", "", CounterState.CALLING)
        assert (await bench.branch.finish(1, "f")).state is CounterState.FREE


@on_virtual_time
async def test_somebody_leaves(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        first, second = await bench.kiosk.tickets("A001", "A002")
        bench.branch.abandon(first)
        assert bench.branch.engine.tickets[first].phase is TicketPhase.ABANDONED
        await bench.branch.call_next(1, "c")
        with pytest.raises(ImpossibleEvent, match="A002 is called"):
            bench.branch.abandon(second)
        with pytest.raises(KeyError):
            bench.branch.abandon("nobody")
        assert bench.ledger() == ["ticket.abandoned", "ticket.called"]
        assert bench.rows("ticket ORDER BY number", "outcome") == [("abandoned",), ("open",)]


@on_virtual_time
async def test_a_full_disk_refuses_and_changes_nothing(tmp_path: Path) -> None:
    patient = msgspec.structs.replace(CONFIG, queue=QueueConfig(calls=1000, call_gap_s=0))
    async with BranchBench(tmp_path, patient) as bench:
        branch, kiosk = bench.branch, bench.kiosk
        await kiosk.tickets(*(f"A{n:03}" for n in range(30)))
        await branch.call_next(2, "before")
        assert branch.health()["ok"] is True
        acked, welcomes = kiosk.acked, len(kiosk.welcomes)
        bench.limit_disk(full=True)
        done = 0
        with contextlib.suppress(NotStored):  # the last page has room for a few
            while done < 100:
                await branch.recall(2, f"r{done}")
                done += 1
        with pytest.raises(NotStored, match=r"ticket.* not stored .*full.*nothing has changed"):
            await branch.recall(2, "k")
        view, revision, ledger = branch.counter(2), branch.revision, bench.ledger()
        assert view.calls == 1 + done == len(ledger)
        for command in (branch.finish, branch.miss, branch.start):
            with pytest.raises(NotStored):
                await command(2, "k")
        with pytest.raises(NotStored):
            await branch.call_next(1, "k")
        assert (branch.counter(2), branch.revision) == (view, revision)
        assert bench.ledger() == ledger
        assert branch.health()["ok"] is False
        assert "full" in str(branch.health()["store"])
        # Nothing of the feed is acknowledged, and the feed lives.
        waiting = branch.counter(2).waiting
        for n in range(60):
            kiosk.stream.issued(f"B{n:03}", "B")
        kiosk.send(*kiosk.stream.raws[-60:])
        kiosk.hello(connect=2)
        await settle()
        assert (kiosk.acked, branch.counter(2).waiting) == (acked, waiting)
        assert branch.ingest.counters.failed_commits == 1
        assert len(kiosk.welcomes) == welcomes + 1
        assert kiosk.welcomes[-1].hw == acked
        # Space again: the same keys, the same events, once.
        bench.limit_disk(full=False)
        assert (await branch.start(2, "k")).state is CounterState.SERVING
        kiosk.send(*kiosk.stream.raws[-60:])
        await settle()
        assert kiosk.acked == acked + 60
        assert branch.health()["ok"] is True
        assert bench.ledger() == [*ledger, "service.started"]
        await bench.restart()
        assert bench.branch.engine == branch.engine


@on_virtual_time
async def test_a_locked_database_is_no_traceback(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001")
        with bench.store.reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        with pytest.raises(NotStored, match="readonly"):
            await bench.branch.call_next(1, "k")
        assert bench.branch.counter(1).state is CounterState.FREE
        assert (bench.ledger(), bench.branch.health()["ok"]) == ([], False)


async def test_the_page_gets_503_and_may_repeat(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        kiosk.stream.printed(kiosk.stream.issued("A001").id)
        kiosk.send()
        await settle()
        with bench.store.reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        app = create_app(bench.branch, version="1")
        async with AsyncTestClient(app) as client:
            headers = {"Idempotency-Key": "k1"}
            answer = await client.post("/api/counters/1/call-next", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "not_stored")
            assert answer.headers["Retry-After"]
            assert (await client.get("/healthz")).status_code == 503
            with bench.store.reading() as connection:
                connection.exec_driver_sql("PRAGMA query_only = 0")
            answer = await client.post("/api/counters/1/call-next", headers=headers)
            assert (answer.status_code, answer.json()["number"]) == (200, "A001")
            assert (await client.get("/healthz")).status_code == 200


@on_virtual_time
async def test_a_nonce_is_never_used_twice(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        drawn = iter([0, 7, 7, 0, 7, 8])
        ids = bench.clock.random_bits

        def random_bits(bits: int) -> int:
            return next(drawn) if bits == 32 else ids(bits)

        await bench.stop()
        object.__setattr__(bench.clock, "random_bits", random_bits)
        await bench.start()
        await bench.kiosk.tickets("A001", "A002")
        for n in (1, 2):
            await bench.branch.call_next(1, f"c{n}")
            await bench.branch.finish(1, f"f{n}")
        assert bench.rows("visit ORDER BY nonce", "nonce, counter") == [(7, 1), (8, 1)]


@on_virtual_time
async def test_visits_that_cannot_be_read_refuse_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001")
        await bench.branch.call_next(1, "c")

        def fail(_: int) -> bool:
            raise OperationalError("SELECT", {}, Exception("disk I/O error"))

        with monkeypatch.context() as broken:
            broken.setattr(bench.store, "knows_nonce", fail)
            with pytest.raises(NotStored, match="visits cannot be read"):
                await bench.branch.finish(1, "f")
        assert (await bench.branch.finish(1, "f")).state is CounterState.FREE


@on_virtual_time
async def test_the_displays_go_on_after_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BranchBench(tmp_path) as bench:

        def fail() -> list[object]:
            raise RuntimeError("a mistake of ours")

        with monkeypatch.context() as broken:
            broken.setattr(bench.branch._displays, "messages", fail)
            await bench.kiosk.tickets("A001")
        before = bench.broker.published
        await bench.branch.call_next(1, "c")
        await settle()
        assert bench.broker.published >= before + 3  # two queues and the board


@on_virtual_time
async def test_changed_wakes_whoever_waits(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        loop = asyncio.get_running_loop()
        revision, began = bench.branch.revision, loop.time()
        assert await bench.branch.changed(revision, 10) == revision
        assert loop.time() - began == pytest.approx(10)
        waiting = asyncio.create_task(bench.branch.changed(revision, 10))
        await settle()
        await bench.kiosk.tickets("A001")
        assert waiting.done()
        assert await waiting > revision
        assert await bench.branch.changed(revision, 10) == bench.branch.revision


@on_virtual_time
async def test_a_change_at_the_last_moment_does_not_keep_it_open(tmp_path: Path) -> None:
    bench = BranchBench(tmp_path)
    await bench.start()
    watcher = asyncio.create_task(bench.branch.changed(bench.branch.revision, 1e6))
    await settle()
    bench.branch._bump()
    watcher.cancel()
    async with asyncio.timeout(5):
        await bench.stop()
        await asyncio.wait({watcher})
    assert watcher.cancelled()
