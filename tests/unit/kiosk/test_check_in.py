"""Check-in at a kiosk with a real branch server on the other side of the wire."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from branch.config import BranchConfig
from branch.standards_config import StandardsConfig
from kiosk.code_asking import BUDGET_S
from kiosk.view import CodeSaidView, CodeView, HomeView, TicketView
from sync.codes import ticket_code, token_of
from sync.messages import TicketIssued
from tests.unit.kiosk.bench import BRANCH, MORNING_MS, Bench, until, virtual

CODE = "482915"
MIN = 60_000


def branch_of(folder: Path, minutes: float = 0, **more: object) -> BranchConfig:
    """A branch with one appointment for B, so many minutes after the start."""
    at = datetime.fromtimestamp(MORNING_MS / 1000 + minutes * 60, UTC).isoformat()
    line = {"code": CODE, "service": "B", "at": at, **more}
    (folder / "appointments.json").write_text(json.dumps([line]))
    return msgspec.structs.replace(
        BRANCH,
        appointments=str(folder / "appointments.json"),
        standards=StandardsConfig(max_wait_min=30.0, max_idle_min=0.0, max_line=0),
    )


def bench_of(folder: Path, minutes: float = 0, **more: object) -> Bench:
    return Bench(folder, with_branch=True, branch_config=branch_of(folder, minutes, **more))


async def typed(bench: Bench, code: str = CODE) -> CodeSaidView:
    bench.tap("check_in")
    for digit in code:
        bench.showing(CodeView)
        bench.tap(f"digit.{digit}")
    await until(lambda: isinstance(bench.view, CodeSaidView))
    return bench.showing(CodeSaidView)


async def online(bench: Bench) -> None:
    await until(lambda: bench.kiosk.outbox.online)


def issued(bench: Bench) -> list[TicketIssued]:
    return [e for e in bench.events("ticket.issued") if isinstance(e, TicketIssued)]


@virtual
async def test_on_time_is_a_ticket_of_the_appointment_s_service_once(tmp_path: Path) -> None:
    async with bench_of(tmp_path, 3, counter=2) as bench:
        await bench.start()
        await online(bench)
        view = await typed(bench)
        assert (view.state, view.clock, view.counter) == ("on_time", "09:03", 2)
        bench.tap("counter")
        await until(lambda: isinstance(bench.view, TicketView))
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        (event,) = issued(bench)
        data = event.data
        assert (data.service, data.segment, data.code) == ("B", "appointment", token_of(CODE))
        assert (data.appointment_ms, data.wanted_counter, data.hold_ms) == (
            MORNING_MS + 3 * MIN, 2, 10 * MIN,
        )  # fmt: skip
        assert CODE not in repr(bench.events())
        await until(lambda: event.id in bench.branch.engine.tickets)
        ticket = bench.branch.engine.tickets[event.id]
        assert (ticket.segment, ticket.appointment_at) == ("appointment", MORNING_MS + 3 * MIN)
        bench.tap("done")
        again = await typed(bench)
        assert (again.state, again.number, again.choices) == (
            "used",
            data.number,
            ("done", "help"),
        )
        bench.tap("done")
        bench.showing(HomeView)
        assert len(issued(bench)) == 1
        await bench.stop()


@virtual
async def test_a_code_that_another_kiosk_has_used_shows_its_number(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        await bench.start()
        await online(bench)
        await typed(bench)
        bench.tap("counter")
        await until(lambda: bool(bench.branch.engine.tickets))
        (number,) = [t.number for t in bench.branch.engine.tickets.values()]
        await bench.stop()
        (tmp_path / "journal.db").unlink()  # another kiosk knows nothing of it
        await bench.start()
        await online(bench)
        assert (await typed(bench)).number == number
        await bench.stop()


@virtual
async def test_offline_the_ticket_carries_the_code_and_the_branch_gives_the_slot_later(
    tmp_path: Path,
) -> None:
    async with bench_of(tmp_path, 3) as bench:
        await bench.start()
        await online(bench)
        bench.transport.lose()
        await until(lambda: not bench.kiosk.outbox.online)
        view = await typed(bench)
        assert view.state == "offline"
        bench.tap("counter")
        assert bench.showing(HomeView).notice == "code.choose"
        await bench.take("A")
        (event,) = issued(bench)
        assert (event.data.code, event.data.appointment_ms, event.data.segment) == (
            token_of(CODE), 0, "ordinary",
        )  # fmt: skip
        again = await typed(bench)
        assert (again.state, again.number) == ("used", event.data.number)
        bench.tap("done")
        await bench.transport.start()
        await until(lambda: event.id in bench.branch.engine.tickets, 120)
        ticket = bench.branch.engine.tickets[event.id]
        await until(lambda: ticket.segment == "appointment")
        assert ticket.appointment_at == MORNING_MS + 3 * MIN
        await bench.stop()


@virtual
async def test_a_branch_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        await bench.start()
        await online(bench)
        bench.branch.ingest.ask = None
        began_s = asyncio.get_running_loop().time()
        assert (await typed(bench)).state == "offline"
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s == pytest.approx(BUDGET_S, abs=0.1)
        bench.tap("back")
        assert (await typed(bench, "812345")).state == "unreached"
        await bench.stop()


@virtual
async def test_unknown_codes_and_readers_that_show_something_else(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        await bench.start()
        await online(bench)
        assert (await typed(bench, "000001")).state == "unknown"
        bench.tap("again")
        bench.tap("back")
        for code in ("abc", "912345"):
            bench.kiosk.coded(code)
            await until(lambda: isinstance(bench.view, CodeSaidView))
            assert bench.showing(CodeSaidView).state == "unknown"
            bench.tap("done")
        bench.kiosk.coded(CODE)
        await until(lambda: isinstance(bench.view, CodeSaidView))
        assert bench.showing(CodeSaidView).state == "on_time"
        await bench.stop()


@virtual
async def test_a_slip_whose_promise_is_broken_can_be_set_aside_once(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        await bench.start()
        await online(bench)
        await bench.take("A")
        (event,) = issued(bench)
        code = ticket_code(event.id)
        await asyncio.sleep(60)
        calm = await typed(bench, code)
        assert (calm.state, calm.number, calm.waited_min) == ("waiting", event.data.number, 1)
        bench.tap("done")
        await asyncio.sleep(30 * 60)
        late = await typed(bench, code)
        assert (late.state, late.waited_min, late.limit_min) == ("breached", 31, 30)
        bench.tap("later", "touch-x")
        bench.tap("later", "touch-x")  # a bouncing panel
        await until(lambda: getattr(bench.view, "state", "") == "parked")
        parked = bench.branch.engine.parked
        assert list(parked) == [event.id]
        bench.tap("done")
        assert len(issued(bench)) == 1
        await asyncio.sleep(16 * 60)
        assert (await typed(bench, code)).state == "breached"
        assert not parked
        await bench.stop()
