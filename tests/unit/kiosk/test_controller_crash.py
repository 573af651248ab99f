"""The program dies at each step between number and paper, and starts again on the same journal."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from hal.api import HealthState
from kiosk.paper import ATTEMPTS
from kiosk.printing import RESHOW_MS
from kiosk.view import HomeView, NoSlipView, Printing, TicketView
from simulator import vtime
from sync.messages import (
    TicketIssued,
    TicketPrinted,
    TicketPrintFailed,
    TicketVoided,
)
from tests.unit.kiosk.bench import DAY_MS, Bench, until, virtual

ISSUED, PRINTED, FAILED, VOIDED = (
    "ticket.issued", "ticket.printed", "ticket.print_failed", "ticket.voided",
)  # fmt: skip
POINTS = ("kiosk.issued", "kiosk.printing", "kiosk.slip_out", "kiosk.settled")
BEGUN = POINTS[1:3]


class Crash(BaseException):
    """The power went."""


@contextmanager
def crash_at(bench: Bench, point: str) -> Iterator[list[str]]:
    """Let nothing be durable any more once ``point`` is reached; yields where that was."""
    reached: list[str] = []

    def reach(name: str) -> None:
        if name == point and not reached:
            reached.append(name)
            bench.journal.close()
            raise Crash

    with patch("kiosk.visiting.reach", reach), patch("kiosk.printing.reach", reach):
        yield reached


async def crash(bench: Bench, point: str, control: str = "service.A") -> None:
    """Touch ``control`` and die at ``point`` of what follows."""
    with crash_at(bench, point) as reached:
        with suppress(Crash):
            bench.tap(control)
        await until(lambda: reached)
        await bench.kill()


def papers(bench: Bench) -> list[tuple[int, str, str]]:
    """(attempt, what is known, cause) of every word about paper, in order."""
    return [
        (event.data.attempt, "printed", "")
        if isinstance(event, TicketPrinted)
        else (event.data.attempt, event.data.paper, event.data.cause)
        for event in bench.events(PRINTED, FAILED)
        if isinstance(event, TicketPrinted | TicketPrintFailed)
    ]


def kept(bench: Bench) -> list[tuple[str, int] | None]:
    """The state of the paper of each ticket, in the order of issue."""
    return [bench.journal.paper_of(event.id) for event in bench.events(ISSUED)]


def copies(bench: Bench) -> list[bool]:
    """Of each whole slip whether it says that it was printed again."""
    said = ("补打", "Printed again")
    whole = [slip for slip in bench.paper.slips if slip.complete]
    return [any(word in line for line in slip.lines for word in said) for slip in whole]


async def answer(bench: Bench, control: str) -> None:
    """Touch a control and wait for what comes of the print it starts."""
    bench.tap(control)
    await until(lambda: bench.kiosk.visit.phase.value != "printing", within_s=60)


@virtual
async def test_dead_before_the_first_byte_the_slip_is_printed_after_the_restart(
    tmp_path: Path,
) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        bench.tap("language")
        await crash(bench, "kiosk.issued")
        assert (bench.story(), bench.slips) == ([ISSUED], [])
        await asyncio.sleep(30)
        await bench.start()
        view = bench.showing(TicketView)
        assert (view.number, view.printing, view.language) == ("A001", Printing.RUNNING, "en")
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        assert papers(bench) == [(1, "printed", "")]
        assert (bench.slips, copies(bench)) == (["A001"], [False])
        assert any("Sample Bank" in line for line in bench.paper.slips[-1].lines)
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        bench.tap("done")
        assert bench.showing(HomeView).language == "zh_CN"
        await bench.stop()


@virtual
async def test_dead_before_the_first_byte_and_no_paper_at_the_restart(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, "kiosk.issued")
        bench.paper.paper_out()
        await bench.start()
        assert bench.showing(NoSlipView).number == "A001"
        assert papers(bench) == [(1, "not_printed", "paper_out")]
        assert not bench.showing(NoSlipView).may_reprint
        bench.paper.load_paper()
        await asyncio.sleep(5)
        assert bench.showing(NoSlipView).may_reprint
        await answer(bench, "reprint")
        assert papers(bench)[1:] == [(2, "printed", "")]
        assert (bench.slips, copies(bench)) == (["A001"], [False]), "it is the only one"
        await bench.stop()


@virtual
async def test_dead_while_the_printer_was_only_asked(tmp_path: Path) -> None:
    """It is switched off: the kiosk waits for its answer, no byte of a slip was sent."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        assert bench.port._task is not None
        bench.port._task.cancel()
        bench.tap("service.A")
        await asyncio.sleep(0.1)
        await bench.kill()
        assert bench.story() == [ISSUED]
        await bench.port.unplug()
        await bench.port.plug_in()
        await bench.start()
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        assert (papers(bench), bench.slips) == ([(1, "printed", "")], ["A001"])
        assert copies(bench) == [False]
        await bench.stop()


@pytest.mark.parametrize("point", BEGUN)
@virtual
async def test_dead_while_printing_the_number_is_shown_and_may_be_printed_once_more(
    tmp_path: Path, point: str
) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, point)
        out = ["A001"] if point == "kiosk.slip_out" else []
        assert (bench.story(), bench.slips) == ([ISSUED], out)
        await bench.start()
        view = bench.showing(NoSlipView)
        assert (view.number, view.may_reprint) == ("A001", True)
        assert papers(bench) == [(1, "unknown", "restart")]
        await answer(bench, "reprint")
        assert bench.showing(TicketView).number == "A001"
        assert papers(bench)[1:] == [(2, "printed", "")]
        assert bench.slips == [*out, "A001"]
        assert copies(bench)[-1], "another slip may be out"
        bench.tap("no_slip")
        assert not bench.showing(NoSlipView).may_reprint
        bench.tap("reprint")
        assert bench.showing(NoSlipView).number == "A001"
        bench.tap("acknowledge")
        bench.showing(HomeView)
        await bench.stop()


@virtual
async def test_dead_with_the_word_journalled_nothing_is_left_to_do(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, "kiosk.settled")
        await bench.start()
        bench.showing(HomeView)
        assert papers(bench) == [(1, "printed", "")]
        assert kept(bench) == [("printed", 1)]
        await bench.stop()


@pytest.mark.parametrize("point", POINTS[:3])
@virtual
async def test_after_a_minute_void_before_the_first_byte_callable_after_it(
    tmp_path: Path, point: str
) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await crash(bench, point)
        await asyncio.sleep(RESHOW_MS / 1000 + 1)
        await bench.start()
        bench.showing(HomeView)
        if point in BEGUN:
            assert papers(bench) == [(1, "unknown", "restart")]
            assert kept(bench) == [("shown", 1)]
        else:
            assert (bench.story(), bench.slips) == ([ISSUED, VOIDED], [])
            assert kept(bench) == [("voided", 0)]
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        assert bench.branch.engine.waiting(["A"]) == int(point in BEGUN)
        assert (await bench.take()).number == "A002"
        await bench.stop()
        await bench.start()
        assert len(bench.story()) == 4, "settled once"
        await bench.stop()


@pytest.mark.parametrize("point", POINTS[:3])
@virtual
async def test_the_day_after_every_open_ticket_is_void(tmp_path: Path, point: str) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, point)
        bench.boot, bench.shift_ms = "boot-2", DAY_MS
        with patch("kiosk.issuing.Issuer.business_date", "2026-11-24"):
            await bench.start()
            bench.showing(HomeView)
            assert bench.story() == [ISSUED, VOIDED]
            await bench.stop()


@pytest.mark.parametrize("point", BEGUN)
@virtual
async def test_a_reprint_is_the_last_one_over_any_restart(tmp_path: Path, point: str) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.jam_cutter()
        await bench.take(dismiss=False)
        bench.paper.free_cutter()
        await asyncio.sleep(5)
        await crash(bench, point, "reprint")
        for _ in range(2):
            await bench.start()
            view = bench.showing(NoSlipView)
            assert (view.number, view.may_reprint) == ("A001", False)
            assert [word[:2] for word in papers(bench)] == [(1, "unknown"), (2, "unknown")]
            bench.tap("reprint")
            bench.tap("reprint")
            await asyncio.sleep(1)
            bench.showing(NoSlipView)
            await bench.kill()
        assert bench.slips == (["A001"] if point == "kiosk.slip_out" else [])


@virtual
async def test_a_reprint_never_overtakes_the_first_slip_s_fate(tmp_path: Path) -> None:
    """There is room again, but what is owed was not tried again yet."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.at_line(2, bench.refuse_writes)
        bench.paper.tear_mid_slip(3)
        await bench.take(dismiss=False)
        bench.paper.load_paper()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        assert papers(bench) == []
        bench.refuse_writes(False)
        await crash(bench, "kiosk.printing", "reprint")
        await bench.start()
        assert papers(bench) == [(1, "unknown", "paper_out"), (2, "unknown", "restart")]
        assert not bench.showing(NoSlipView).may_reprint
        await bench.stop()


@virtual
async def test_dead_again_and_again_before_the_first_byte(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, "kiosk.issued")
        for _ in range(3):
            bench.paper.paper_out()
            await bench.start(read_only=True)  # nothing can be kept: it is as it was
            assert bench.showing(NoSlipView).number == "A001"
            await bench.kill()
            bench.paper.load_paper()
        await bench.start()
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        assert (bench.slips, papers(bench)) == (["A001"], [(1, "printed", "")])
        await bench.stop()


@virtual
async def test_a_ticket_of_a_version_that_kept_no_states(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await crash(bench, "kiosk.issued")
        await bench.start(read_only=True)
        await bench.kill()
        with patch("kiosk.printing.PaperKeeper.recover", lambda _: None):
            await bench.start()
        bench.journal._db.execute("DELETE FROM paper")
        await bench.kill()
        await bench.start()
        assert bench.showing(NoSlipView).number == "A001"
        assert papers(bench) == [(1, "unknown", "restart")]
        await bench.stop()


# --- any order of faults, taps and deaths --------------------------------------------------

ACTIONS = (
    "tap service.A", "tap service.A", "tap service.A", "tap acknowledge", "tap done",
    "tap no_slip", "tap reprint", "tap reprint", "wait 0.05", "wait 1", "wait 5", "wait 15",
    "paper paper_out", "paper load_paper", "paper open_cover", "paper close_cover",
    "paper jam_cutter", "paper free_cutter", "paper power_cycle", "paper tear_mid_slip",
    "port unplug", "port plug_in", "disk refused", "disk well", "kill", "kill", "stop", "away",
    *(f"crash {point}" for point in POINTS),
)  # fmt: skip

MENDING = ("load_paper", "close_cover", "free_cutter")
HAND_S = 0.5
"""No hand puts a roll in faster: a printer that was never seen to stand prints on."""


class Life:
    """A kiosk's program that is started, used, killed; ``wrong`` is what must not be."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.runs = False

    async def live(self, actions: list[str]) -> None:
        await self._start()
        for action in actions:
            await self._do(*action.partition(" ")[::2])
        await self._do("disk", "well")
        await self._mend()
        await self._kill()
        await self._start()
        await asyncio.sleep(15)
        if isinstance(self.bench.view, NoSlipView):
            self.bench.tap("acknowledge")
        await asyncio.sleep(20)

    async def _do(self, verb: str, what: str) -> None:
        bench = self.bench
        match verb:
            case "tap":
                bench.tap(what)
            case "wait":
                await asyncio.sleep(float(what))
            case "paper":
                if what in MENDING:
                    await asyncio.sleep(HAND_S)
                argument = (4,) if what == "tear_mid_slip" else ()
                getattr(bench.paper, what)(*argument)
            case "port":
                await getattr(bench.port, what)()
            case "disk":
                bench.refuse_writes(what == "refused")
            case "crash":
                await self._crash(what)
            case "stop":
                await bench.stop()
                await self._start()
            case _:
                await self._kill()
                await asyncio.sleep(70 if verb == "away" else 3)
                await self._start()

    async def _crash(self, point: str) -> None:
        """Die at ``point`` of what the next touch starts, if it is reached."""
        with crash_at(self.bench, point) as reached:
            for control in ("acknowledge", "done", "service.A", "reprint"):
                with suppress(Crash):
                    self.bench.tap(control)
                await asyncio.sleep(0.05)
            await asyncio.sleep(12)
            if not reached:
                return
            await self._kill()
        await self._start()

    async def _kill(self) -> None:
        await self.bench.kill()

    async def _start(self) -> None:
        await self.bench.start()

    async def _mend(self) -> None:
        for verb in MENDING:
            await self._do("paper", verb)
        await self.bench.port.plug_in()
        await asyncio.sleep(10)


def wrong(bench: Bench) -> list[str]:
    """What must not be, of all that was journalled and of all paper that came out."""
    found: list[str] = []
    slips = Counter(bench.slips)
    events = bench.events()
    issued = {e.id: e.data.number for e in events if isinstance(e, TicketIssued)}
    numbers = list(issued.values())
    if len(set(numbers)) != len(numbers):
        found.append(f"given twice: {numbers}")
    found += [f"{n}: a slip without a ticket" for n in slips if n not in numbers]
    found += [f"{n}: {count} slips" for n, count in slips.items() if count > ATTEMPTS]
    for ticket, number in issued.items():
        words = [event for event in events if event.sub == ticket and event.id != ticket]
        tries = [e.data.attempt for e in words if isinstance(e, TicketPrinted | TicketPrintFailed)]
        if tries != sorted(set(tries)) or any(n > ATTEMPTS for n in tries):
            found.append(f"{number}: attempts {tries}")
        voided = any(isinstance(event, TicketVoided) for event in words)
        if voided and (slips[number] or tries):
            found.append(f"{number}: voided, {slips[number]} slips, attempts {tries}")
        if not voided and not tries:
            found.append(f"{number}: nothing is known of its paper")
        printed = sum(isinstance(event, TicketPrinted) for event in words)
        if printed > slips[number]:
            found.append(f"{number}: printed {printed} times, {slips[number]} slips")
        last = words[-1] if words else None
        denied = isinstance(last, TicketPrintFailed) and last.data.paper == "not_printed"
        if denied and slips[number]:
            found.append(f"{number}: not printed, {slips[number]} slips")
        paper = bench.journal.paper_of(ticket)
        if paper is None or paper[0] not in ("printed", "shown", "voided"):
            found.append(f"{number}: left as {paper}")
    return found


async def lived(folder: Path, actions: list[str]) -> list[str]:
    async with Bench(folder) as bench:
        await Life(bench).live(actions)
        await bench.stop()
        await bench.start()
        found = wrong(bench)
        assert bench.kiosk._printer.health.state is not HealthState.UNKNOWN
        await bench.stop()
    return found


def test_what_a_jam_left_uncut_is_not_the_next_program_s_slip(tmp_path: Path) -> None:
    actions = ["tap service.A", "paper jam_cutter", "paper free_cutter", "kill", "tap reprint"]
    assert vtime.run(lived(tmp_path, actions)) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=14))
def test_any_order_of_faults_taps_and_deaths(actions: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert vtime.run(lived(Path(folder), actions)) == []
