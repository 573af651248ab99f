"""What is journalled: the disk full or read-only, the kiosk killed, the clock wrong."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from kiosk.issuing import Issuer
from kiosk.numbering import LAST_IN_BAND
from kiosk.printing import RESHOW_MS
from kiosk.times import RETRY_S
from kiosk.view import HomeView, NoSlipView, OutOfServiceView, TicketView
from sync.messages import DeviceChanged, TicketIssued, TicketPrintFailed
from tests.unit.kiosk.bench import DAY_MS, KIOSK, SERVICES, Bench, until, virtual

YEARS_10_MS = 3652 * DAY_MS
ISSUED, PRINTED, FAILED, VOIDED = (
    "ticket.issued", "ticket.printed", "ticket.print_failed", "ticket.voided",
)  # fmt: skip


def dates(bench: Bench) -> list[str]:
    issued = bench.events(ISSUED)
    return [event.data.business_date for event in issued if isinstance(event, TicketIssued)]


# --- no room -------------------------------------------------------------------------------


@virtual
async def test_a_full_disk_uses_up_no_number(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        bench.limit_pages(3)
        shown: list[str] = []
        while not isinstance(bench.view, OutOfServiceView):
            bench.tap("service.A")
            await until(lambda: bench.kiosk.visit.phase.value in ("ticket", "no_slip", "closed"))
            if bench.kiosk.visit.ticket is not None:
                shown.append(bench.kiosk.visit.ticket.number)
                bench.tap("done")
            assert len(shown) < 200
        view = bench.showing(OutOfServiceView)
        assert (view.code, view.machine) == ("storage_full", "kiosk-1")
        drawn = len(bench.views)
        await asyncio.sleep(20 * RETRY_S)
        assert not any(isinstance(v, HomeView) for v in bench.views[drawn:]), (
            "the home screen offers nothing that cannot be given"
        )
        bench.limit_pages(None)
        await asyncio.sleep(RETRY_S + 1)
        bench.showing(HomeView)
        shown.append((await bench.take()).number)
        assert shown == [f"A{number:03d}" for number in range(1, len(shown) + 1)]
        assert bench.slips == shown
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        assert [t.number for t in bench.branch.engine.tickets.values()] == shown
        await bench.stop()


@virtual
async def test_a_read_only_disk_refuses_politely_and_comes_back(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.refuse_writes()
        bench.tap("service.A")
        bench.showing(OutOfServiceView)
        bench.tap("service.A")
        bench.tap("language")
        assert bench.showing(OutOfServiceView).language == "en"
        assert bench.slips == []
        bench.refuse_writes(False)
        await asyncio.sleep(RETRY_S + 1)
        assert bench.showing(HomeView).language == "zh_CN"
        assert (await bench.take()).number == "A001"
        assert bench.story() == [ISSUED, PRINTED]
        await bench.stop()


@virtual
async def test_what_came_of_a_slip_is_owed_and_paid_before_the_next_ticket(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        bench.paper.at_line(2, bench.refuse_writes)
        assert isinstance(await bench.take(), TicketView)
        assert bench.slips == ["A001"]
        bench.paper.paper_near_end()
        await asyncio.sleep(5)
        assert bench.story() == [ISSUED]
        assert bench.kiosk._ledger.owed == 2
        bench.tap("service.B")
        bench.showing(OutOfServiceView)
        bench.refuse_writes(False)
        await asyncio.sleep(RETRY_S + 1)
        assert (await bench.take("B")).number == "B001"
        assert bench.story() == [ISSUED, PRINTED, ISSUED, PRINTED]
        assert bench.kiosk._ledger.owed == 0
        await until(lambda: bench.branch.engine.waiting(["A", "B"]) == 2)
        await bench.stop()


@virtual
async def test_the_next_ticket_never_overtakes_a_slip_s_fate(tmp_path: Path) -> None:
    """There is room again, but what is owed was not tried again yet."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.at_line(2, bench.refuse_writes)
        await bench.take("A")
        assert bench.kiosk._ledger.owed == 1
        bench.refuse_writes(False)
        await bench.take("B")
        assert bench.story() == [ISSUED, PRINTED, ISSUED, PRINTED]
        await bench.stop()


@virtual
async def test_a_flapping_device_on_a_full_disk_stays_small(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.refuse_writes()
        for _ in range(50):
            bench.paper.open_cover()
            await asyncio.sleep(5)
            bench.paper.close_cover()
            await asyncio.sleep(5)
        assert bench.kiosk._ledger.owed == 1
        bench.paper.paper_out()
        await asyncio.sleep(5)
        bench.refuse_writes(False)
        await asyncio.sleep(2)
        newest = bench.events()[-1]
        assert isinstance(newest, DeviceChanged)
        assert newest.data.detail == "paper_out"
        await bench.stop()


@virtual
async def test_a_stop_pays_what_it_can(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.at_line(2, bench.refuse_writes)
        await bench.take()
        bench.refuse_writes(False)
        await bench.stop()
        assert bench.story() == [ISSUED, PRINTED]


# --- killed --------------------------------------------------------------------------------


async def _killed_while_printing(bench: Bench, numbers: int = 1) -> None:
    """The program dies with its slip in print: what the printer has by then may come out."""
    await bench.start()
    for _ in range(numbers - 1):
        await bench.take()
    bench.paper.at_line(2, lambda: bench.journal.close())
    bench.tap("service.A")
    await asyncio.sleep(0.5)
    await bench.kill()
    assert bench.story()[-1] == ISSUED


@pytest.mark.parametrize("reboot", [False, True])
@virtual
async def test_killed_before_the_paper_the_same_number_is_shown_again(
    tmp_path: Path, reboot: bool
) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await _killed_while_printing(bench, numbers=3)
        if reboot:
            bench.boot = "boot-2"
        await bench.start()
        view = bench.showing(NoSlipView)
        assert (view.number, view.issued_clock) == ("A003", "09:00")
        failed = bench.events(FAILED)
        assert len(failed) == 1
        assert isinstance(failed[0], TicketPrintFailed)
        assert (failed[0].data.paper, failed[0].data.cause) == ("unknown", "restart")
        await asyncio.sleep(3600)
        bench.showing(NoSlipView)
        bench.tap("acknowledge")
        assert (await bench.take()).number == "A004"
        assert bench.story(VOIDED) == []
        await until(lambda: bench.branch.engine.waiting(["A"]) == 4)
        await bench.stop()
        await bench.start()
        bench.showing(HomeView)
        await bench.stop()


@pytest.mark.parametrize(
    ("case", "boot", "shift_ms"),
    [
        ("too late", "boot-1", 0),
        ("too late, another boot", "boot-2", 0),
        ("another boot, clock before the ticket", "boot-2", -3_600_000),
        ("another boot, clock ten years ahead", "boot-2", YEARS_10_MS),
    ],
)
@virtual
async def test_a_ticket_that_may_be_on_paper_stays_callable_though_nobody_stands_there(
    tmp_path: Path, case: str, boot: str, shift_ms: int
) -> None:
    """Its slip was begun. The clock ten years ahead is not trusted: it is the same day still."""
    async with Bench(tmp_path, with_branch=True) as bench:
        await _killed_while_printing(bench)
        bench.boot, bench.shift_ms = boot, shift_ms
        if "too late" in case:
            await asyncio.sleep(RESHOW_MS / 1000)
        await bench.start()
        bench.showing(HomeView)
        assert bench.story() == [ISSUED, FAILED]
        (failed,) = bench.events(FAILED)
        assert isinstance(failed, TicketPrintFailed)
        assert (failed.data.paper, failed.data.cause) == ("unknown", "restart")
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        assert bench.branch.engine.waiting(["A", "B", "P"]) == 1
        assert (await bench.take()).number == "A002"
        await bench.stop()


@pytest.mark.parametrize("shift_ms", [-YEARS_10_MS, YEARS_10_MS])
@virtual
async def test_within_one_boot_the_wall_clock_does_not_matter(
    tmp_path: Path, shift_ms: int
) -> None:
    async with Bench(tmp_path) as bench:
        await _killed_while_printing(bench)
        bench.shift_ms = shift_ms
        await bench.start()
        assert bench.showing(NoSlipView).number == "A001"
        await bench.stop()


@virtual
async def test_a_ticket_of_last_month_is_settled_too(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await _killed_while_printing(bench)
        bench.boot, bench.shift_ms = "boot-2", 30 * DAY_MS
        await bench.start()
        assert bench.story() == [ISSUED, VOIDED]
        await bench.stop()


@virtual
async def test_of_several_the_last_is_shown_and_the_others_are_void(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        issuer = Issuer(KIOSK, bench.journal, bench.clock(), lambda: "2026-11-23")
        for letter in "AAB":
            issuer.issue(letter, f"request-{letter}{bench.journal.top_seq}", "", "en")
        await bench.kill()
        bench.paper.paper_out()
        await bench.start()
        assert bench.showing(NoSlipView).number == "B001"
        assert bench.story() == [ISSUED, ISSUED, ISSUED, VOIDED, VOIDED, FAILED]
        await bench.stop()
        await bench.start()  # within the minute, unacknowledged: shown once more, told once
        assert bench.showing(NoSlipView).number == "B001"
        assert bench.story().count(FAILED) == 1
        bench.tap("acknowledge")
        bench.showing(HomeView)
        await bench.kill()
        await bench.start()  # within the minute, acknowledged
        bench.showing(HomeView)
        await bench.stop()


@virtual
async def test_an_unread_number_survives_the_kill(tmp_path: Path) -> None:
    """No paper, the number on the screen, and then the power goes."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.paper_out()
        await bench.take(dismiss=False)
        await bench.kill()
        await bench.start()
        assert bench.showing(NoSlipView).number == "A001"
        assert bench.story() == [ISSUED, FAILED]
        await bench.stop()


@virtual
async def test_a_service_that_is_gone_after_the_restart(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await _killed_while_printing(bench)
        bench.config = msgspec.structs.replace(KIOSK, services=SERVICES[1:])
        await bench.start()
        view = bench.showing(NoSlipView)  # its visitor stands there, whatever is offered by now
        assert (view.number, view.service_name["en"]) == ("A001", "A")
        bench.tap("acknowledge")
        bench.tap("service.A")  # a finger that was late
        assert [tile.letter for tile in bench.showing(HomeView).tiles] == ["B", "P"]
        assert bench.story() == [ISSUED, FAILED]
        await bench.stop()


@virtual
async def test_a_start_on_a_read_only_card_settles_later(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await _killed_while_printing(bench)
        await asyncio.sleep(61)
        await bench.start(read_only=True)
        bench.tap("service.A")
        bench.showing(OutOfServiceView)
        await until(lambda: bench.kiosk.outbox.online)  # what it holds can still leave it
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        assert bench.story() == [ISSUED]
        bench.refuse_writes(False)
        await asyncio.sleep(RETRY_S + 1)
        assert bench.story() == [ISSUED, FAILED]
        assert (await bench.take()).number == "A002"
        await bench.stop()


# --- days and numbers ----------------------------------------------------------------------


@virtual
async def test_the_business_date_moves_forward_only(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        numbers = [(await bench.take()).number]
        for shift_ms in (-DAY_MS, -YEARS_10_MS, 0):
            bench.shift_ms = shift_ms
            numbers.append((await bench.take()).number)
            await bench.stop()
            await bench.start()
            numbers.append((await bench.take()).number)
        assert numbers == [f"A{n:03d}" for n in range(1, 8)]
        assert set(dates(bench)) == {"2026-11-23"}
        bench.shift_ms = DAY_MS
        assert (await bench.take()).number == "A001"
        assert dates(bench)[-1] == "2026-11-24"
        await bench.stop()


@virtual
async def test_a_service_without_numbers_closes_alone_until_the_next_day(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        with bench.journal.transaction() as transaction:
            transaction.keep_number("2026-11-23", "A", 1, LAST_IN_BAND - 1)
        assert (await bench.take("A")).number == "A999"

        def closed() -> dict[str, str]:
            return {tile.letter: tile.closed for tile in bench.showing(HomeView).tiles}

        assert closed() == {"A": "closed.full", "B": "", "P": ""}
        bench.tap("service.A")
        assert bench.showing(HomeView).language == "zh_CN"
        assert (await bench.take("B")).number == "B001"
        await bench.stop()
        await bench.start()
        assert closed() == {"A": "closed.full", "B": "", "P": ""}
        bench.shift_ms = DAY_MS
        await asyncio.sleep(61)
        assert closed() == {"A": "", "B": "", "P": ""}
        assert (await bench.take("A")).number == "A001"
        assert bench.story() == [ISSUED, PRINTED] * 3
        await bench.stop()


@virtual
async def test_the_last_number_may_go_unseen(tmp_path: Path) -> None:
    """Another way to run out: the row says 999 while the tile stands open."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        with bench.journal.transaction() as transaction:
            transaction.keep_number("2026-11-23", "A", 1, LAST_IN_BAND)
        bench.tap("service.A")
        assert [tile.closed for tile in bench.showing(HomeView).tiles] == ["closed.full", "", ""]
        bench.tap("service.Z")  # no such service: a defect elsewhere must not close the kiosk
        bench.showing(HomeView)
        assert bench.story() == []
        await bench.stop()
