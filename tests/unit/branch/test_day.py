"""The end of a business day: who still waits is not called on the next one."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from branch.commands import Park, Rejoin, ServeNow
from branch.config import QueueConfig
from branch.queue import TicketPhase
from branch.service import BranchService
from sync.messages import Clk, IssuedData, TicketAbandoned, decode_event
from tests.unit.branch.bench import CONFIG, BranchBench, Device, on_virtual_time, settle
from tests.unit.branch.events import DATE

NEXT, LATER = "2025-10-10", "2031-01-01"
DAY_S = 86_400.0
WAITING, ABANDONED = TicketPhase.WAITING, TicketPhase.ABANDONED


async def ticket(
    kiosk: Device, number: str, date: str, *, quality: str = "ntp", printed: bool = True
) -> str:
    """A ticket of ``date`` arrives, with the word about its slip or without; returns its id."""
    data = IssuedData(
        number=number, service="A", segment="", language="en", business_date=date, band=1,
        request=f"{number}-{date}",
    )  # fmt: skip
    first = len(kiosk.stream.raws)
    at = round(asyncio.get_running_loop().time() * 1000)
    clk = Clk(boot="b", mono_ms=at, quality=quality)  # type: ignore[arg-type]
    event = kiosk.stream.make("ticket.issued", data, "self", at, clk=clk)
    if printed:
        kiosk.stream.printed(event.id, at)
    kiosk.send(*kiosk.stream.raws[first:])
    await settle()
    return str(event.id)


async def tomorrow(bench: BranchBench, kiosk: Device) -> str:
    await asyncio.sleep(DAY_S)
    return await ticket(kiosk, "A001", NEXT)


def phases(branch: BranchService, *tickets: str) -> list[TicketPhase]:
    return [branch.engine.tickets[t].phase for t in tickets]


def abandoned(bench: BranchBench) -> list[TicketAbandoned]:
    rows = bench.rows("event WHERE type = 'ticket.abandoned' ORDER BY seq", "raw")
    events = [decode_event(raw) for (raw,) in rows]
    return [event for event in events if isinstance(event, TicketAbandoned)]


@on_virtual_time
async def test_who_still_waits_is_closed_by_the_first_ticket_of_a_newer_day(
    tmp_path: Path,
) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        called = await ticket(kiosk, "A001", DATE)
        await bench.branch.call_next(1, "k1")
        left = [await ticket(kiosk, f"A00{n}", DATE) for n in (2, 3)]
        await asyncio.sleep(DAY_S)
        assert phases(bench.branch, *left) == [WAITING] * 2, "nothing closes by itself"
        new = await ticket(kiosk, "A001", NEXT)
        assert phases(bench.branch, *left) == [ABANDONED] * 2
        assert phases(bench.branch, called, new) == [TicketPhase.CALLED, WAITING]
        closed = abandoned(bench)
        assert [event.sub for event in closed] == left
        assert {event.data.reason for event in closed} == {"day_end"}
        assert all(event.data.wait_ms >= DAY_S * 1000 for event in closed)
        assert {row for (row,) in bench.rows("ticket WHERE number <> 'A001'", "outcome")} == {
            "abandoned"
        }


@on_virtual_time
async def test_overnight_the_queue_waits_on(tmp_path: Path) -> None:
    overnight = msgspec.structs.replace(CONFIG, queue=QueueConfig(overnight=True))
    async with BranchBench(tmp_path, overnight) as bench:
        old = await ticket(bench.kiosk, "A002", DATE)
        new = await tomorrow(bench, bench.kiosk)
        assert phases(bench.branch, old, new) == [WAITING] * 2
        assert not abandoned(bench)
        await bench.restart(CONFIG)  # the setting was changed
        assert phases(bench.branch, new) == [WAITING]
        assert [event.sub for event in abandoned(bench)] == [old]


@on_virtual_time
async def test_late_tickets_of_yesterday_are_closed_as_they_come(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        cut_off = Device(bench.broker, "kiosk-2")
        await cut_off.transport.start()
        new = await tomorrow(bench, bench.kiosk)
        late = await ticket(cut_off, "A2001", DATE)
        half = await ticket(cut_off, "A2002", DATE, printed=False)
        assert phases(bench.branch, new, late, half) == [
            WAITING, ABANDONED, TicketPhase.ISSUED,
        ]  # fmt: skip
        await bench.restart()
        cut_off.stream.printed(half)
        cut_off.send(cut_off.stream.raws[-1])
        await settle()
        assert phases(bench.branch, new, half) == [WAITING, ABANDONED]
        assert [event.sub for event in abandoned(bench)] == [late, half]


@on_virtual_time
async def test_it_is_done_once_over_restarts(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        old = await ticket(bench.kiosk, "A002", DATE)
        new = await tomorrow(bench, bench.kiosk)
        for _ in range(2):
            await bench.restart()
        again = await ticket(bench.kiosk, "A003", NEXT)
        assert [event.sub for event in abandoned(bench)] == [old]
        assert phases(bench.branch, new, again) == [WAITING] * 2


@on_virtual_time
async def test_what_a_full_disk_left_open_is_closed_later(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        old = await ticket(bench.kiosk, "A002", DATE)
        await asyncio.sleep(DAY_S)
        store = bench.store
        append, store.append_own = store.append_own, _full  # type: ignore[method-assign,assignment]
        new = await ticket(bench.kiosk, "A001", NEXT)
        assert phases(bench.branch, old, new) == [WAITING] * 2
        store.append_own = append  # type: ignore[method-assign]
        await ticket(bench.kiosk, "A002", NEXT)
        assert phases(bench.branch, old, new) == [ABANDONED, WAITING]


def _full(*_: object) -> str:
    raise OperationalError("INSERT", {}, Exception("database or disk is full"))


@on_virtual_time
async def test_a_kiosk_that_runs_ahead_closes_nothing(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        today = await ticket(bench.kiosk, "A001", DATE)
        ahead = Device(bench.broker, "kiosk-2")
        await ahead.transport.start()
        early = await ticket(ahead, "A2001", LATER)
        more = await ticket(bench.kiosk, "A002", DATE)
        assert phases(bench.branch, today, early, more) == [WAITING] * 3
        await bench.restart()
        assert phases(bench.branch, today, early, more) == [WAITING] * 3


@pytest.mark.parametrize(("quality", "closed"), [("none", False), ("rtc", False), ("srv", True)])
def test_a_date_that_nobody_vouches_for_closes_nobody(
    tmp_path: Path, quality: str, closed: bool
) -> None:
    @on_virtual_time
    async def play() -> None:
        async with BranchBench(tmp_path) as bench:
            astray = Device(bench.broker, "kiosk-2")
            await astray.transport.start()
            await ticket(bench.kiosk, "A001", DATE)
            lives = await ticket(astray, "A2001", "1970-01-01", quality=quality)
            assert phases(bench.branch, lives) == [ABANDONED if closed else WAITING]
            await bench.restart()
            assert phases(bench.branch, lives) == [ABANDONED if closed else WAITING]
            await tomorrow(bench, bench.kiosk)
            assert phases(bench.branch, lives) == [ABANDONED]

    play()


@on_virtual_time
async def test_what_was_parked_or_came_back_is_closed_too(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        kiosk = bench.kiosk
        parked, missed, waiting = [await ticket(kiosk, f"A00{n}", DATE) for n in (1, 2, 3)]
        await bench.branch.call_next(1, "k1")
        await bench.branch.perform(1, Park(), "k2")
        await bench.branch.call_next(1, "k3")
        await bench.branch.miss(1, "k4")
        await bench.restart()
        await bench.branch.perform(1, Rejoin(number="A002"), "k5")
        await bench.branch.perform(2, ServeNow(service="A"), "k6")
        await bench.branch.perform(2, Park(), "k7")
        walk_in = next(t.id for t in bench.branch.engine.parked.values() if t.id != parked)
        await tomorrow(bench, kiosk)
        assert phases(bench.branch, parked, missed, waiting, walk_in) == [ABANDONED] * 4
        rows = bench.rows(f"ticket WHERE business_date = '{DATE}'", "DISTINCT outcome")
        assert rows == [("abandoned",)]
        await bench.restart()
        assert bench.branch.skipped_events == 0
