"""Each ticket's forecast stands in the ledger from its acceptance on."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from branch import wait_clock
from branch.commands import PauseCounter, ServeNow
from branch.wait import Forecast
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle


def rows(bench: BranchBench) -> dict[str, tuple[Any, ...]]:
    """(rung, ahead, P10, P50, P90) by ticket number."""
    with bench.store.reading() as connection:
        found = connection.execute(
            text(
                "SELECT number, rung, ahead, p10_ms, p50_ms, p90_ms FROM wait_forecast"
                " JOIN ticket ON ticket.id = wait_forecast.ticket"
            )
        )
        return {row[0]: tuple(row[1:]) for row in found}


@on_virtual_time
async def test_every_ticket_has_a_row_with_its_issue(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.kiosk.tickets("A001", "A002", "A003", "A004")
        found = rows(bench)
        assert set(found) == {"A001", "A002", "A003", "A004"}
        # Two free counters take the first two; the others wait for 5 minutes each of 2 counters.
        assert found["A001"] == ("qlm", 0, 0, 0, 0)
        assert found["A002"] == ("qlm", 1, 0, 0, 0)
        assert found["A003"][:2] == ("qlm", 2)
        assert found["A004"][:2] == ("qlm", 3)
        # Erlang(1), mean 150 s: -ln(0.9), ln 2, -ln(0.1).
        assert found["A003"][2:] == pytest.approx((15_804, 103_972, 345_388), abs=200)
        await bench.restart()
        assert rows(bench) == found


@on_virtual_time
async def test_a_walk_in_waits_for_nothing(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        await bench.branch.perform(1, ServeNow(service="A"), "w")
        assert rows(bench) == {}


@on_virtual_time
async def test_without_a_counter_the_wait_is_unknown(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        for counter in (1, 2):
            await bench.branch.perform(counter, PauseCounter(), "p")
        await bench.kiosk.tickets("A001")
        assert rows(bench) == {"A001": ("unknown", 0, None, None, None)}


@on_virtual_time
async def test_a_ticket_that_comes_late_has_waited_already(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        for number, at in (("A001", 0), ("A002", 119_000)):
            ticket = kiosk.stream.issued(number, at=at)
            kiosk.stream.printed(ticket.id, at=at + 900)
        await asyncio.sleep(120)  # the line was cut
        kiosk.send()
        await settle()
        found = rows(bench)
        assert found["A001"] == ("late", None, None, None, None)
        assert found["A002"][:2] == ("qlm", 1)


@on_virtual_time
async def test_a_forecast_that_fails_costs_no_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Forecast:
        raise ZeroDivisionError

    async with BranchBench(tmp_path) as bench:
        monkeypatch.setattr(wait_clock, "forecast", fail)
        ticket = bench.kiosk.stream.issued("A001")
        rows_made = bench.branch.waits.rows([ticket])
        assert [row["rung"] for row in rows_made] == ["unknown"]


@on_virtual_time
async def test_what_is_not_committed_has_no_forecast_either(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        event = bench.kiosk.stream.issued("A001")
        with contextlib.suppress(InterruptedError), bench.store.transaction() as connection:
            bench.store.project(connection, [event])
            count = connection.execute(text("SELECT count(*) FROM wait_forecast")).scalar_one()
            assert count == 1
            raise InterruptedError
        assert rows(bench) == {}
        with bench.store.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM ticket")).scalar_one() == 0


@on_virtual_time
async def test_services_that_take_longer_make_longer_forecasts(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        numbers = [f"A{n:03}" for n in range(1, 9)]
        await bench.kiosk.tickets(*numbers[:6])
        for turn in range(6):
            await bench.branch.call_next(1, f"c{turn}")
            await asyncio.sleep(3_600)
            await bench.branch.finish(1, f"f{turn}")
        await bench.branch.perform(2, PauseCounter(), "p")
        await bench.kiosk.tickets("A007")
        await bench.branch.call_next(1, "c7")
        before = bench.branch.waits.now("A")["A"]
        assert before.p50_ms is not None
        # (30 x 5 + 6 x 60) / 36 = 14.2 minutes, and its median of ln 2.
        assert before.p50_ms == pytest.approx(0.6931 * 14.1667 * 60_000, rel=1e-3)
        await bench.restart()
        again = bench.branch.waits.now("A")["A"]
        assert again == before, "the ledger has it all"
