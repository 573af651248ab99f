"""Hours and limits on the screen, with the branch and without it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from kiosk.closing import closed_because, opens_words, week_words
from kiosk.flow import Phase, Visit, first_visit
from kiosk.presenter import lets_nobody_join, present
from kiosk.view import AccessView, ClosedView, HomeView, IdleView, View
from sync.clock import Clock
from sync.hours import minute_of_day
from sync.offer import Offer, Opening, Service, offer_problems
from sync.timekeeping import Judgement
from tests.unit.kiosk.bench import KIOSK, MORNING_MS, Bench, until, virtual

CASH = Service("A", "现金", "Cash", opens="13:30", closes="16:00")
NIGHT = Service("B", "夜间", "Night", opens="22:00", closes="02:00")
FEW = Service("C", "贷款", "Loans", daily_limit=2)
PERSON = Service("P", "长者", "A person, please", priority=True)
OPENING = Opening(
    mon="09:00-12:00 13:30-17:00", tue="09:00-17:00", sat="10:00-15:00",
    elsewhere_zh="自助区 24 小时开放", elsewhere_en="24 h machines",
)  # fmt: skip
CONFIG = msgspec.structs.replace(KIOSK, services=[CASH, NIGHT, FEW, PERSON], opening=OPENING)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(clock: str, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, minutes=minute_of_day(clock))


def show(now: datetime, visit: Visit | None = None, **more: object) -> View:
    values = {"waits": {}, "online": False, "on_paper": None, "staff_told": False}
    visit = visit or first_visit("en", "P")
    return present(CONFIG, visit, now=now, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("service", "clock", "why"),
    [
        (CASH, "13:29", ("closed.opens", "13:30")),
        (CASH, "13:30", ("", "")),
        (CASH, "16:00", ("closed.today", "")),
        (NIGHT, "01:59", ("", "")),
        (NIGHT, "02:00", ("closed.opens", "22:00")),
        (NIGHT, "23:59", ("", "")),
        (Service("D", "甲", "A", closes="12:00"), "12:00", ("closed.today", "")),
        (FEW, "03:00", ("", "")),
        (PERSON, "03:00", ("", "")),
    ],
)
def test_a_service_has_hours(service: Service, clock: str, why: tuple[str, str]) -> None:
    assert closed_because(service, (), {}, minute_of_day(clock)) == why
    assert closed_because(service, (), {}, None) == ("", "")
    assert closed_because(service, (service.letter,), {}, None) == ("closed.full", "")


def test_the_branch_s_word_counts_within_the_hours() -> None:
    said = {"A": "closed", "P": "closed"}
    assert closed_because(CASH, (), said, minute_of_day("14:00")) == ("closed.closed", "")
    assert closed_because(CASH, (), said, minute_of_day("09:00")) == ("closed.opens", "13:30")
    assert closed_because(PERSON, (), said, minute_of_day("09:00")) == ("", "")


def test_a_closed_branch_says_when_it_opens_and_what_can_be_done() -> None:
    view = show(at("12:15"))
    assert isinstance(view, ClosedView)
    assert view.opens == {"zh_CN": "今天 13:30", "en": "today 13:30"}
    assert view.elsewhere["en"] == "24 h machines"
    assert [(line.days["en"], line.hours) for line in view.days] == [
        ("Mon", "09:00–12:00  13:30–17:00"),
        ("Tue", "09:00–17:00"),
        ("Wed–Fri", ""),
        ("Sat", "10:00–15:00"),
        ("Sun", ""),
    ]
    assert lets_nobody_join("service.A", view)
    assert not lets_nobody_join("language", view)
    assert isinstance(show(at("12:15"), clock_known=False), HomeView)
    sheet = show(at("12:15"), Visit(Phase.ACCESS, "en", "en", person="P"))
    assert isinstance(sheet, AccessView)
    assert not sheet.person  # nobody is there to ask for
    warned = show(at("12:15"), replace(first_visit("en"), phase=Phase.WARNING, left_s=9))
    assert isinstance(warned, IdleView)
    assert warned.behind == view


def test_the_end_is_told_before_it_comes() -> None:
    for clock, left_min in (("11:45", 0), ("11:46", 14), ("11:59", 1), ("13:30", 0)):
        view = show(at(clock))
        assert isinstance(view, HomeView)
        assert view.left_min == left_min


def test_how_a_day_is_named() -> None:
    now = at("12:15")
    assert opens_words(at("09:00", 1), now)["zh_CN"] == "明天 09:00"
    assert opens_words(at("10:00", 5), now) == {
        "zh_CN": "11月28日 周六 10:00", "en": "Sat 28 Nov 10:00",
    }  # fmt: skip
    assert week_words(("09:00-17:00",) * 7)[0].days["en"] == "Mon–Sun"


class Punctual(Bench):
    """A bench whose clock is vouched for."""

    def clock(self) -> Clock:
        return replace(super().clock(), judge=lambda: Judgement("ntp", 10))


@virtual
async def test_a_kiosk_keeps_its_hours_without_the_branch(tmp_path: Path) -> None:
    async with Punctual(tmp_path, config=CONFIG) as bench:
        assert at("09:00").timestamp() * 1000 == MORNING_MS
        await bench.start()
        why = {tile.letter: tile.closed for tile in bench.showing(HomeView).tiles}
        assert why == {"A": "closed.opens", "B": "closed.opens", "C": "", "P": ""}
        bench.tap("service.A")
        bench.showing(HomeView)
        for _ in range(2):
            await bench.take("C")
        tile = bench.showing(HomeView).tiles[2]
        assert (tile.letter, tile.closed) == ("C", "closed.full")
        bench.tap("service.C")
        bench.showing(HomeView)
        bench.shift_ms += 4 * 3_600_000  # 13:00, a break
        await until(lambda: isinstance(bench.view, ClosedView), within_s=90)
        bench.tap("service.P")
        bench.showing(ClosedView)
        bench.tap("language")
        assert bench.showing(ClosedView).language == "en"
        await until(lambda: isinstance(bench.view, IdleView), within_s=60)
        bench.tap("finish")
        bench.showing(ClosedView)
        await until(lambda: isinstance(bench.view, HomeView), within_s=1900)
        assert bench.story().count("ticket.issued") == 2
        await bench.stop()


@virtual
async def test_a_clock_that_nobody_vouches_for_closes_nothing(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        bench.shift_ms = -365 * 86_400_000
        await bench.start()
        assert [tile.closed for tile in bench.showing(HomeView).tiles] == [""] * 4
        await bench.stop()


@pytest.mark.parametrize(
    ("services", "opening", "key"),
    [
        ([msgspec.structs.replace(CASH, opens="9:00")], Opening(), "services[0].opens, closes"),
        ([msgspec.structs.replace(CASH, closes="13:30")], Opening(), "services[0].closes"),
        ([msgspec.structs.replace(FEW, daily_limit=-1)], Opening(), "services[0].daily_limit"),
        ([msgspec.structs.replace(PERSON, daily_limit=9)], Opening(), "services[0]"),
        ([FEW], Opening(mon="9-17"), "opening.mon"),
        ([FEW], Opening(dates={"2026-13-01": ""}), "opening.dates.2026-13-01"),
        ([FEW], Opening(dates={"20261001": ""}), "opening.dates.20261001"),
        ([FEW], Opening(dates={"2026-10-01": "x"}), "opening.dates.2026-10-01"),
        ([FEW], Opening(closing_min=121), "opening.closing_min"),
        ([FEW], Opening(elsewhere_en="x"), "opening.elsewhere_zh"),
        ([FEW], Opening(elsewhere_en="x", elsewhere_zh="甲" * 20), "opening.elsewhere_zh"),
    ],
)
def test_hours_that_cannot_be_kept(services: list[Service], opening: Opening, key: str) -> None:
    assert [found for found, _ in offer_problems(Offer(services, opening=opening))] == [key]
