"""Who tries the machine and comes back queues from the first arrival: 15 minutes, once."""

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from kiosk.returns import FILE, KEPT_MS, MOST, Returns
from kiosk.view import CodeSaidView, TicketView
from sync.clock import Clock
from sync.messages import TicketIssued
from tests.unit.kiosk.bench import Bench, until, virtual
from tests.unit.kiosk.test_services import CARDS, PERSON, kiosk


class Hands:
    """A clock that is moved by hand."""

    def __init__(self, boot: str = "b1") -> None:
        self.mono_ms, self.wall_ms = 1_000, 1_795_424_400_000
        self.clock = Clock(
            wall_ms=lambda: self.wall_ms, mono_ms=lambda: self.mono_ms, boot=boot,
            random_bits=lambda _: 1,
        )  # fmt: skip

    def pass_by(self, ms: int) -> None:
        self.mono_ms += ms
        self.wall_ms += ms


def kept(folder: Path, hands: Hands) -> Returns:
    numbers = itertools.count(12_345)
    return Returns(folder, hands.clock, lambda below: next(numbers) % below)


@given(st.integers(0, 2 * KEPT_MS), st.integers(-(10**12), 10**12))
def test_a_code_is_good_for_15_minutes_by_the_boot_s_own_clock(ms: int, jump_ms: int) -> None:
    hands = Hands()
    returns = kept(Path("/proc/none"), hands)  # not even root can write there
    code = returns.keep("B")
    assert code == "912345"
    hands.pass_by(ms)
    hands.wall_ms += jump_ms  # somebody sets the wall clock
    found = returns.find(code)
    assert (found is not None) == (ms <= KEPT_MS)
    if found is not None:
        assert (found[0].service, found[1]) == ("B", ms)


@pytest.mark.parametrize(
    ("ms", "waited_ms"), [(60_000, 60_000), (KEPT_MS + 1, None), (-60_000, None)]
)
def test_over_a_power_cut_the_wall_clock_tells(
    tmp_path: Path, ms: int, waited_ms: int | None
) -> None:
    hands = Hands()
    code = kept(tmp_path, hands).keep("B")
    later = Hands("b2")
    later.wall_ms = hands.wall_ms + ms
    found = kept(tmp_path, later).find(code)
    assert (found[1] if found else None) == waited_ms


def test_codes_are_different_bounded_and_a_damaged_file_is_forgotten(tmp_path: Path) -> None:
    hands = Hands()
    chance = iter([7, 7, 8, *range(100, 100 + MOST)])
    returns = Returns(tmp_path, hands.clock, lambda _: next(chance))
    assert [returns.keep("A"), returns.keep("B")] == ["900007", "900008"]
    while code := returns.keep("A"):
        last = code
    assert returns.find(last) is not None
    hands.pass_by(KEPT_MS + 1)
    assert returns.keep("A")
    (tmp_path / FILE).write_text("{")
    assert kept(tmp_path, hands).find("900007") is None


@virtual
async def test_back_within_15_minutes_without_the_branch_and_over_a_restart(
    tmp_path: Path,
) -> None:
    config = kiosk(CARDS, PERSON)
    async with Bench(tmp_path, config=config) as bench:
        await bench.start()
        bench.tap("service.B")
        bench.tap("machine")
        view = bench.showing(CodeSaidView)
        assert (view.state, view.clock) == ("return", "09:15")
        code = view.number
        slip = await bench.paper.next_slip()
        assert f"{code[:3]} {code[3:]}" in "".join(slip.lines)
        await asyncio.sleep(600)
        await bench.stop()
        await bench.start()
        bench.tap("check_in")
        for digit in code:
            bench.tap(f"digit.{digit}")
        await until(lambda: isinstance(bench.view, TicketView))
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        (issued,) = bench.events("ticket.issued")
        assert isinstance(issued, TicketIssued)
        assert issued.data.service == "B"
        assert issued.data.waited_ms == pytest.approx(600_000, abs=2_000)
        assert issued.data.code == ""
        bench.tap("done")
        bench.kiosk.coded(code)
        await until(lambda: isinstance(bench.view, CodeSaidView))
        assert bench.showing(CodeSaidView).state == "used"
        bench.tap("done")
        await asyncio.sleep(301)
        bench.kiosk.coded(code)
        await until(lambda: isinstance(bench.view, CodeSaidView))
        assert bench.showing(CodeSaidView).state == "unknown"
        await bench.stop()
