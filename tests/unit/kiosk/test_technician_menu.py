"""The technician's menu over the real controller, journal, printer and screen's views."""

import asyncio
from pathlib import Path

import msgspec

from kiosk.config import TechnicianConfig
from kiosk.technician import CELL, GRID, KEY, LEAVE, OPEN, RESTART, SLIP, hash_code
from kiosk.technician_menu import LEAVES_AFTER_S
from kiosk.view import HomeView, TechnicianView, TicketView
from sync.messages import TechnicianEntered, encode
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual

CODE = "40216385"
CONFIG = msgspec.structs.replace(KIOSK, technician=TechnicianConfig(hash_code(CODE, bytes(16))))


async def typed(bench: Bench, code: str) -> None:
    for digit in code:
        bench.tap(f"{KEY}{digit}")
    bench.tap(f"{KEY}enter")
    await until(lambda: not bench.showing(TechnicianView).busy)


async def entered(bench: Bench) -> TechnicianView:
    bench.tap(OPEN)
    await typed(bench, CODE)
    return bench.showing(TechnicianView)


@virtual
async def test_the_right_code_shows_the_self_test(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        before = len(bench.events())
        bench.paper.paper_out()
        await until(lambda: bench.kiosk._health["printer"][1] == "paper_out")
        menu = await entered(bench)
        assert menu.stage == "menu"
        rows = {row.name: (row.grade, row.code) for row in menu.rows}
        assert rows["printer"] == ("fault", "paper_out")
        assert menu.rows[0].grade == "fault"
        assert {"disk", "clock", "broker"} <= rows.keys()
        assert len(bench.events()) == before + 2  # the printer's own word, and who came
        bench.tap(GRID)
        bench.tap(f"{CELL}3")
        assert bench.showing(TechnicianView).touched == {"3"}
        bench.tap(LEAVE)
        bench.showing(HomeView)
        await bench.stop()


@virtual
async def test_wrong_codes_slow_down(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        bench.tap(OPEN)
        for _ in range(3):
            await typed(bench, "11111111")
        closed = bench.showing(TechnicianView)
        assert (closed.stage, closed.wait_s) == ("code", 30)
        await typed(bench, CODE)  # right, but too soon
        assert bench.showing(TechnicianView).stage == "code"
        await asyncio.sleep(10)
        assert bench.showing(TechnicianView).wait_s == 20
        bench.tap(LEAVE)
        bench.tap(OPEN)
        assert bench.showing(TechnicianView).wait_s == 20, "leaving forgives nothing"
        await asyncio.sleep(25)
        assert bench.events("technician.entered") == []
        await typed(bench, CODE)
        assert bench.showing(TechnicianView).stage == "menu"
        bench.tap(LEAVE)
        await entered(bench)
        found = bench.events("technician.entered")
        assert [e.data.wrong for e in found if isinstance(e, TechnicianEntered)] == [3, 0]
        assert not any(CODE in encode(event).decode() for event in found)
        await bench.stop()


@virtual
async def test_it_is_left_after_a_minute_without_a_touch(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        await entered(bench)
        await asyncio.sleep(LEAVES_AFTER_S - 1)
        bench.tap(GRID)
        await asyncio.sleep(LEAVES_AFTER_S - 1)
        bench.showing(TechnicianView)
        await asyncio.sleep(2)
        bench.showing(HomeView)
        bench.tap(OPEN)
        assert bench.showing(TechnicianView).stage == "code", "the next one needs the code"
        await bench.stop()


@virtual
async def test_never_while_a_ticket_is_in_hand(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG, bytes_per_s=960) as bench:
        await bench.start()
        bench.tap("service.A")
        bench.tap(OPEN)
        await until(lambda: isinstance(bench.view, TicketView))
        await until(lambda: bench.slips)
        bench.tap(OPEN)
        bench.showing(TicketView)
        await bench.stop()


@virtual
async def test_no_ticket_comes_from_under_the_menu(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        await entered(bench)
        bench.tap("service.A")
        await asyncio.sleep(5)
        assert bench.slips == []
        assert bench.story("ticket.issued") == []
        await bench.stop()


@virtual
async def test_a_card_or_a_code_under_the_menu_is_nobodys(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        await entered(bench)
        before = bench.kiosk.visit
        bench.kiosk.identify("vip")
        bench.kiosk.coded("482915")
        assert bench.kiosk.visit == before
        await bench.stop()


@virtual
async def test_the_test_slip_is_nobodys_ticket(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        await entered(bench)
        bench.tap(SLIP)
        await until(lambda: bench.showing(TechnicianView).word == "tech.slip.out")
        assert any("TEST" in line for line in bench.paper.slips[-1].lines)
        bench.paper.paper_out()
        bench.tap(SLIP)
        await until(lambda: bench.showing(TechnicianView).word == "tech.slip.none")
        assert bench.story("ticket.issued") == []
        bench.paper.load_paper()
        bench.tap(LEAVE)
        await bench.take()
        assert bench.slips[-1] == "A001"
        await bench.stop()


@virtual
async def test_without_a_code_there_is_no_menu_and_restart_is_asked_for(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap(OPEN)
        bench.showing(HomeView)
        bench.tap(RESTART)
        bench.showing(HomeView)
        await bench.stop()
    asked: list[str] = []
    (tmp_path / "other").mkdir()
    async with Bench(tmp_path / "other", config=CONFIG) as bench:
        await bench.start()
        bench.kiosk.technician._restart = lambda: asked.append("restart")
        bench.tap(RESTART)
        assert asked == []
        await entered(bench)
        bench.tap(RESTART)
        assert asked == ["restart"]
        await bench.stop()
