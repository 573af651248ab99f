"""Tellers' commands besides the five of every visit, on a real server, file and ledger."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import msgspec
import pytest

from branch.commands import (
    AnyCommand,
    CallTicket,
    CloseCounter,
    OpenCounter,
    Park,
    PauseCounter,
    Postpone,
    Rejoin,
    ServeNow,
    TagTicket,
    Transfer,
    Unpark,
)
from branch.config import CounterConfig, QueueConfig, ServiceConfig
from branch.queue import TicketPhase
from branch.view import CommandRefused, CounterState, CounterView
from tests.unit.branch.bench import CONFIG, SETTLED_S, BranchBench, on_virtual_time, settle

BANK = msgspec.structs.replace(
    CONFIG,
    services=[
        ServiceConfig("A", "现金", "Cash", cash=True),
        ServiceConfig("B", "对公", "Business"),
        ServiceConfig("C", "理财", "Advice"),
    ],
    counters=[
        CounterConfig(1, ["A", "B"], "kiosk-1"),
        CounterConfig(2, ["B", "C"], cash=False),
        CounterConfig(3, ["A"]),
        CounterConfig(4, ["A", "C"], elastic=True),
    ],
    queue=QueueConfig(),
)


class Teller:
    """Gives each command a key of its own."""

    def __init__(self, bench: BranchBench, counter: int) -> None:
        self.bench = bench
        self.counter = counter
        self.count = 0

    async def does(self, command: AnyCommand | str, turn: int | None = None) -> CounterView:
        self.count += 1
        key = f"t{self.counter}-{self.count}"
        branch = self.bench.branch
        if isinstance(command, str):
            view: CounterView = await getattr(branch, command)(self.counter, key, turn)
            return view
        return await branch.perform(self.counter, command, key, turn)

    async def refused(self, code: str, *commands: AnyCommand | str) -> None:
        for command in commands:
            before = self.bench.ledger()
            with pytest.raises(CommandRefused) as error:
                await self.does(command)
            assert error.value.code == code, command
            assert self.bench.ledger() == before


async def survives(bench: BranchBench) -> None:
    """A new process has the same queue, from the ledger alone."""
    live = bench.branch.engine
    await bench.restart()
    assert bench.branch.engine == live
    assert bench.branch.skipped_events == 0


@on_virtual_time
async def test_three_services_two_transfers_one_ticket_one_total(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, two = Teller(bench, 1), Teller(bench, 2)
        (ticket,) = await bench.kiosk.tickets("A001")
        await asyncio.sleep(59)
        await one.does("call_next")
        await one.does("start")
        await asyncio.sleep(30)
        view = await one.does(Transfer(service="B", counter=2, back=True, note="has the form"))
        assert (view.state, view.number) == (CounterState.FREE, None)
        await asyncio.sleep(10)
        view = await two.does("call_next")
        assert (view.number, view.note, view.waited_min) == ("A001", "has the form", 1)
        await two.does("start")
        await asyncio.sleep(40)
        await two.does(Transfer(service="C", note="wants advice"))
        await two.does("call_next")
        await asyncio.sleep(20 - SETTLED_S)
        await survives(bench)
        # Finished there: it returns to where it began, once.
        view = await two.does("finish")
        assert view.state is CounterState.FREE
        view = await one.does("call_next")
        assert (view.number, view.service_en, view.note) == ("A001", "Cash", "wants advice")
        await asyncio.sleep(5 - SETTLED_S)
        await survives(bench)
        await one.does("finish")
        assert bench.branch.engine.tickets[ticket].phase is TicketPhase.DONE
        assert bench.ledger().count("service.ended") == 1
        (total,) = bench.rows(
            "event WHERE type = 'service.ended'", "json_extract(raw, '$.data.visit_ms')"
        )
        assert total == (30_000 + 40_000 + 20_000 + 5_000,)
        legs = bench.rows(
            "leg ORDER BY ended_at", "ticket, service, counter, ended_at - called_at, ended_by"
        )
        assert legs == [
            (ticket, "A", 1, 30_000, "transferred"),
            (ticket, "B", 2, 40_000, "transferred"),
            (ticket, "C", 2, 20_000, "returned"),
        ]
        assert bench.rows("ticket", "outcome, service, counter") == [("served", "A", 1)]
        # A rating is asked for once, at the end.
        await settle()
        assert [c.ticket for c in bench.kiosk.commands if c.key.startswith("arm")] == [ticket]


@on_virtual_time
async def test_a_ticket_for_one_counter_waits_ten_minutes_then_for_anyone(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, three = Teller(bench, 1), Teller(bench, 3)
        await bench.kiosk.tickets("A001")
        await one.does("call_next")
        await one.does(Transfer(service="A", counter=3))
        await one.refused("nobody_waiting", "call_next")
        await asyncio.sleep(599)
        await one.refused("nobody_waiting", "call_next")
        await asyncio.sleep(1)
        assert (await one.does("call_next")).number == "A001"
        await one.does(Transfer(service="A", counter=3))
        await survives(bench)
        assert (await three.does("call_next")).number == "A001"
        await three.does(Transfer(service="A", counter=1))
        # Nobody is at counter 1 any more: whoever is free may call.
        await one.does(CloseCounter())
        assert (await three.does("call_next")).number == "A001"


@on_virtual_time
async def test_parked_for_a_while_or_until_it_is_taken_back(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, three = Teller(bench, 1), Teller(bench, 3)
        await bench.kiosk.tickets("A001", "A002", "A003")
        await one.does("call_next")
        view = await one.does(Park(minutes=5, note="fills in a form"))
        assert (view.state, view.parked) == (CounterState.FREE, ("A001",))
        await one.does("call_next")
        await one.does(Park())
        await survives(bench)
        await three.does("call_next")
        await one.refused("nobody_waiting", "call_next")
        await asyncio.sleep(299)
        await one.refused("nobody_waiting", "call_next")
        await asyncio.sleep(2)
        await three.does("finish")
        await three.refused("nobody_waiting", "call_next")  # it comes back to who parked it
        assert (await one.does("call_next")).number == "A001"
        await three.refused("wrong_phase", Unpark(number="A001"))
        view = await three.does(Unpark(number="A002"))
        assert view.parked == ()
        assert (await three.does("call_next")).number == "A002"
        types = bench.ledger()
        assert types.count("ticket.unparked") == types.count("ticket.parked") == 2
        await survives(bench)


@on_virtual_time
async def test_a_customer_who_wants_to_be_called_later(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, three = Teller(bench, 1), Teller(bench, 3)
        await bench.kiosk.tickets("A001", "A002", "A003")
        for _ in range(2):
            view = await bench.branch.perform(3, Postpone(number="A001", minutes=5), "same")
        assert view.parked == ("A001",)
        assert bench.ledger() == ["ticket.parked"]
        await bench.branch.perform(1, Postpone(number="A003"), "same")
        await survives(bench)
        assert (await one.does("call_next")).number == "A002"
        await one.refused("wrong_phase", Postpone(number="A002"), Postpone(number="A001"))
        await one.does("finish")
        await one.refused("nobody_waiting", "call_next")
        await asyncio.sleep(5 * 60)
        assert (await three.does("call_next")).number == "A001"
        await survives(bench)


@on_virtual_time
async def test_what_is_due_comes_back_without_a_call(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one = Teller(bench, 1)
        await bench.kiosk.tickets("A001")
        await one.does("call_next")
        await one.does(Park(minutes=1))
        await asyncio.sleep(91)
        assert bench.branch.counter(1).waiting == 1
        assert bench.ledger()[-1] == "ticket.unparked"


@on_virtual_time
async def test_a_missed_customer_has_thirty_minutes(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, three = Teller(bench, 1), Teller(bench, 3)
        first, _ = await bench.kiosk.tickets("A001", "A002")
        await one.does("call_next")
        await one.refused("too_soon", "recall")
        for _ in range(2):
            await asyncio.sleep(20)
            await one.does("recall")
        await asyncio.sleep(20)
        await one.refused("call_limit", "recall")
        await one.does("miss")
        await asyncio.sleep(30 * 60)
        await three.does(Rejoin(number="A001"))
        assert bench.rows(f"ticket WHERE id = '{first}'", "outcome, counter, ended_at") == [
            ("open", None, None)
        ]
        await survives(bench)
        assert (await one.does("call_next")).number == "A001", "in its old place"
        await one.does("miss")
        assert bench.rows("leg", "ended_by, counter") == [("missed", 1)]
        await asyncio.sleep(30 * 60 + 1)
        await three.refused("too_late", Rejoin(number="A001"))
        await three.refused("unknown_ticket", Rejoin(number="A999"))
        await three.refused("wrong_phase", Rejoin(number="A002"))


@on_virtual_time
async def test_a_call_out_of_turn_has_a_reason(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, two = Teller(bench, 1), Teller(bench, 2)
        await bench.kiosk.tickets("A001", "A002", "A003")
        await one.refused("bad_reason", CallTicket(number="A002", reason="because"))
        await one.refused("bad_reason", CallTicket(number="A002", reason="segment"))
        await two.refused("not_served_here", CallTicket(number="A002", reason="frail"))
        view = await one.does(CallTicket(number="A003", reason="frail"))
        assert (view.number, view.state) == ("A003", CounterState.CALLING)
        await one.refused("busy", CallTicket(number="A002", reason="frail"))
        await one.refused("no_change", Transfer(service="A"))
        await one.does(Park())
        assert (await one.does(CallTicket(number="A003", reason="agreed"))).number == "A003"
        await one.does("finish")
        await one.refused("wrong_phase", CallTicket(number="A003", reason="mistake"))
        assert (await one.does("call_next")).number == "A001"
        reasons = bench.rows(
            "event WHERE type = 'ticket.called' ORDER BY seq", "json_extract(raw, '$.data.reason')"
        )
        assert reasons == [("frail",), ("agreed",), ("",)]
        await survives(bench)


@on_virtual_time
async def test_a_tag_moves_a_ticket_forward_and_says_why(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one = Teller(bench, 1)
        await bench.kiosk.tickets("A001", "A002")
        await one.refused("unknown_segment", TagTicket(number="A002", segment="rich"))
        await one.does(TagTicket(number="A002", segment="elderly"))
        assert bench.rows("ticket WHERE number = 'A002'", "segment") == [("elderly",)]
        assert (await one.does("call_next")).number == "A002"
        await one.refused("wrong_phase", TagTicket(number="A002", segment="vip"))
        (said,) = bench.rows(
            "event WHERE type = 'ticket.called'",
            "json_extract(raw, '$.data.reason'), json_extract(raw, '$.data.score_ms')",
        )
        assert said == ("segment", 5 * 60_000 + 2 * 1_000)
        await survives(bench)


@on_virtual_time
async def test_somebody_without_a_ticket(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, two = Teller(bench, 1), Teller(bench, 2)
        view = await one.does(ServeNow(service="A"))
        assert (view.number, view.state, view.calls) == ("AW001", CounterState.SERVING, 0)
        await two.refused("not_served_here", ServeNow(service="A"))
        await two.refused("unknown_service", ServeNow(service="Z"))
        await two.refused("unknown_segment", ServeNow(service="B", segment="x"))
        await survives(bench)
        await one.does("finish")
        assert (await one.does(ServeNow(service="A"))).number == "AW002"
        await one.refused("busy", ServeNow(service="A"))
        assert (await two.does(ServeNow(service="B"))).number == "BW001"
        rows = bench.rows("ticket ORDER BY number", "number, paper, outcome, counter, node")
        assert rows == [
            ("AW001", "none", "served", 1, "branch-1"),
            ("AW002", "none", "open", 1, "branch-1"),
            ("BW001", "none", "open", 2, "branch-1"),
        ]
        # It may go on like any other ticket.
        await one.does(Transfer(service="B"))
        await two.does("finish")
        assert (await two.does("call_next")).number == "AW002"
        await survives(bench)


@on_virtual_time
async def test_walk_ins_run_out_of_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one = Teller(bench, 1)
        monkeypatch.setattr("branch.desk.LAST_IN_BAND", 1)
        await one.does(ServeNow(service="A"))
        await one.does("finish")
        await one.refused("no_number", ServeNow(service="A"))


@on_virtual_time
async def test_a_counter_opens_pauses_and_closes(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one, four = Teller(bench, 1), Teller(bench, 4)
        assert bench.branch.counter(4).window == "elastic"
        await bench.kiosk.tickets("A001", "A002", "A003")
        await four.refused("not_open", "call_next", PauseCounter(), ServeNow(service="A"))
        view = await four.does(OpenCounter(teller="t-1"))
        assert (view.window, view.state) == ("open", CounterState.FREE)
        await four.does("call_next")
        view = await four.does(PauseCounter(reason="break"))
        assert (view.window, view.state, view.number) == ("paused", CounterState.CALLING, "A001")
        await four.refused("busy", CloseCounter())
        await four.does("finish")
        assert bench.branch.counter(4).state is CounterState.PAUSED
        await four.refused("paused", "call_next", CallTicket(number="A002", reason="frail"))
        await survives(bench)
        before = bench.ledger()
        await four.does(PauseCounter())  # it is paused already: no event
        assert bench.ledger() == before
        await four.does(OpenCounter(teller="t-1"))
        await four.does(OpenCounter(teller="t-1"))
        await four.does(OpenCounter(teller="t-2"))
        await four.does(CloseCounter())
        assert bench.branch.counter(4).window == "elastic"
        await four.does(CloseCounter())
        await one.does(CloseCounter())
        assert bench.branch.counter(1).window == "closed"
        assert bench.ledger()[len(before) :] == [
            "counter.opened", "counter.opened", "counter.closed", "counter.closed",
        ]  # fmt: skip
        await survives(bench)
        # Nobody is open for B but counter 2; for A only counter 3.
        line = {s.letter: s.wait_min for s in bench.branch.board().services}
        await Teller(bench, 3).does(PauseCounter())
        assert line["A"] is not None
        assert {s.letter: s.wait_min for s in bench.branch.board().services}["A"] is None


@on_virtual_time
async def test_a_stale_command_is_expired_and_a_repeat_is_not(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        branch = bench.branch
        await bench.kiosk.tickets("A001", "A002")
        turn = branch.counter(1).turn
        first = await branch.call_next(1, "k1", turn)
        assert first.turn > turn
        with pytest.raises(CommandRefused) as error:
            await branch.finish(1, "k2", turn)
        assert error.value.code == "expired"
        # The answer was lost and the command comes again: that is no stale one.
        assert await branch.call_next(1, "k1", turn) == first
        with pytest.raises(CommandRefused, match="meant for turn 0"):
            await branch.finish(1, "k2", first.turn)  # nor is it done after all by its repeat
        await branch.finish(1, "k2-again", first.turn)
        with pytest.raises(CommandRefused, match="meant for turn"):
            await branch.perform(1, PauseCounter(), "k3", first.turn)
        await bench.restart()
        assert (await bench.branch.call_next(1, "k1", turn)).state is CounterState.FREE
        assert bench.ledger() == ["ticket.called", "service.ended"]


@on_virtual_time
async def test_every_command_is_done_once(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        branch = bench.branch
        await bench.kiosk.tickets("A001", "A002", "A003")

        async def twice(counter: int, command: AnyCommand, key: str) -> None:
            before = len(bench.ledger())
            views = [await branch.perform(counter, command, key) for _ in range(2)]
            assert views[0] == views[1]
            assert len(bench.ledger()) == before + 1

        await twice(1, TagTicket(number="A003", segment="elderly"), "a")
        await twice(1, CallTicket(number="A001", reason="urgent"), "b")
        await twice(1, Park(), "c")
        await twice(1, Unpark(number="A001"), "d")
        await branch.call_next(1, "e")
        await twice(1, Transfer(service="B"), "f")
        missed = (await branch.call_next(3, "g")).number or ""
        await branch.miss(3, "h")
        await twice(3, Rejoin(number=missed), "i")
        await twice(1, PauseCounter(), "j")
        await twice(1, OpenCounter(), "k")
        await twice(1, ServeNow(service="A"), "l")
        await branch.finish(1, "m")
        await twice(1, CloseCounter(), "n")


@on_virtual_time
async def test_tellers_of_all_counters_at_one_instant(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        await bench.kiosk.tickets("A001", "A002", "A003")
        calls: list[Awaitable[CounterView]] = [
            bench.branch.call_next(1, "x"),
            bench.branch.perform(3, CallTicket(number="A002", reason="frail"), "y"),
            bench.branch.call_next(3, "z"),
        ]
        found = await asyncio.gather(*calls, return_exceptions=True)
        numbers = [v.number for v in found if isinstance(v, CounterView)]
        assert numbers == ["A001", "A002"]
        assert isinstance(found[2], CommandRefused)


@on_virtual_time
async def test_a_transfer_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        one = Teller(bench, 1)
        await one.refused("no_ticket", Transfer(service="B"), Park())
        await bench.kiosk.tickets("A001")
        await one.does("call_next")
        await one.refused("unknown_service", Transfer(service="Z"))
        await one.refused(
            "not_served_there",
            Transfer(service="A", counter=2),  # no cash there
            Transfer(service="C", counter=3),
            Transfer(service="B", counter=9),
        )
        await one.refused("no_change", Transfer(service="A", counter=1))


@on_virtual_time
async def test_a_visit_for_several_services_goes_from_one_to_the_next(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, BANK) as bench:
        kiosk, one, two = bench.kiosk, Teller(bench, 1), Teller(bench, 2)
        first = len(kiosk.stream.raws)
        issued = kiosk.stream.issued("A001", services=["Z", "B", "C"])
        kiosk.stream.printed(issued.id)
        kiosk.send(*kiosk.stream.raws[first:])
        await settle()
        assert (await one.does("call_next")).number == "A001"
        await one.does("finish")
        await survives(bench)
        view = await one.does("call_next")
        assert (view.number, view.service_en) == ("A001", "Business")
        await one.does("finish")
        await one.refused("nobody_waiting", "call_next")
        assert (await two.does("call_next")).service_en == "Advice"
        await two.does("finish")
        assert bench.ledger().count("ticket.transferred") == 2
        assert bench.ledger()[-1] == "service.ended"
        await survives(bench)
