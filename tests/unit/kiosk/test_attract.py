"""Public words while nobody is there: both languages in turn, gone with the first touch."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hal.drivers.gpio import GpioPresence
from hal.sim.gpio import SimBoard
from kiosk.attract import attract_view, quiet, slides
from kiosk.flow import Neared, Phase, StartTimer, Tapped, TimedOut, Timer, Visit, first_visit, step
from kiosk.presenter import header, present
from kiosk.view import AttractView, ClosedView, HomeView
from sync.offer import Content, Offer, Opening, Service, Slide, content_problems, offer_problems
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual
from tests.unit.kiosk.test_offering import ADVICE, Pushed

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
FRAUD = Slide("验证码不外传", "Keep your codes", ["谁也不给。"], ["Give them to nobody."], "warn")
COINS = Slide("零钱也收", "Coins are welcome", ["窗口都收。"], ["At every counter."])
CONTENT = Content(slides=[FRAUD, COINS], commitments_zh=["等候不超过 30 分钟"],
                  commitments_en=["No wait above 30 min"], quiet_s=60, slide_s=10)  # fmt: skip
CONFIG = msgspec.structs.replace(KIOSK, content=CONTENT)


@virtual
async def test_they_begin_in_the_quiet_and_end_with_a_touch(tmp_path: Path) -> None:
    async with Bench(tmp_path, config=CONFIG) as bench:
        await bench.start()
        await asyncio.sleep(59)
        bench.showing(HomeView)
        await asyncio.sleep(2)
        seen = []
        for _ in range(7):
            view = bench.showing(AttractView)
            seen.append((view.language, view.title.get(view.language), view.icon))
            await asyncio.sleep(10)
        assert seen == [
            ("zh_CN", "验证码不外传", "warn"),
            ("en", "Keep your codes", "warn"),
            ("zh_CN", "零钱也收", "speech"),
            ("en", "Coins are welcome", "speech"),
            ("zh_CN", None, "check"),
            ("en", None, "check"),
            ("zh_CN", "验证码不外传", "warn"),
        ]
        bench.tap("anywhere")
        assert bench.showing(HomeView).language == "zh_CN"
        assert bench.story() == []
        await asyncio.sleep(61)
        bench.showing(AttractView)
        bench.kiosk.identify("vip")
        bench.showing(HomeView)
        bench.tap("service.A")  # as fast as ever
        await until(lambda: bench.kiosk.visit.phase is Phase.TICKET)
        await until(lambda: isinstance(bench.view, AttractView), within_s=100)
        await bench.stop()


@virtual
async def test_what_is_pushed_meanwhile_is_there_for_the_next_visitor(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    async with pushed.bench as bench:
        await bench.start()
        await asyncio.sleep(600)
        bench.showing(HomeView)  # there is nothing to show
        await pushed.push(ADVICE, content=CONTENT)
        await until(lambda: isinstance(bench.view, AttractView), within_s=61)
        await pushed.push(ADVICE)
        assert [tile.letter for tile in bench.showing(HomeView).tiles] == ["D"]
        await asyncio.sleep(600)
        bench.showing(HomeView)
        await bench.stop()


def test_nobody_s_visit_is_taken_for_quiet() -> None:
    home = first_visit("en", slides=4)
    assert step(home, TimedOut(Timer.IDLE)) == (home, (StartTimer(Timer.QUIET),))
    other, _ = step(home, Tapped("language", "t1"))
    assert quiet(other) == (other, ())
    assert quiet(first_visit("en")) == (first_visit("en"), ())


def test_a_control_of_a_closed_branch_acts_at_once() -> None:
    attract = Visit(Phase.ATTRACT, "zh_CN", "zh_CN", slides=4)
    config = msgspec.structs.replace(CONFIG, opening=Opening(tue="09:00-17:00"))
    known: dict[str, Any] = {"online": True, "on_paper": None, "staff_told": False}
    view = present(config, attract, now=NOW, waits={}, **known)
    assert isinstance(view, ClosedView)
    assert step(attract, Tapped("language", "t1"))[0].language == "en"


def test_the_branch_s_own_language_comes_first() -> None:
    visit = Visit(Phase.ATTRACT, "en", "en", slides=slides(CONTENT))
    assert attract_view(CONTENT, visit, header(CONFIG, NOW)).language == "en"
    assert (slides(CONTENT), slides(Content()), slides(Content(slides=[FRAUD]))) == (6, 0, 2)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (Content(slides=[FRAUD] * 21), "content.slides"),
        (Content(slides=[Slide("甲" * 12, "A", ["甲"], ["A"])]), "content.slides[0].zh"),
        (Content(slides=[Slide("甲", "A" * 23, ["甲"], ["A"])]), "content.slides[0].en"),
        (Content(slides=[Slide("甲", "A", ["甲"] * 6, ["A"])]), "content.slides[0].text_zh"),
        (Content(slides=[Slide("甲", "A", ["甲" * 18], ["A"])]), "content.slides[0].text_zh[0]"),
        (Content(slides=[Slide("甲", "A", ["甲"], ["A\n"])]), "content.slides[0].text_en[0]"),
        (Content(slides=[Slide("甲", "A", [], [])]), "content.slides[0].text_zh"),
        (Content(commitments_zh=["甲"]), "content.commitments_zh"),
        (Content(quiet_s=29), "content.quiet_s"),
        (Content(slide_s=7.9), "content.slide_s"),
    ],
)
def test_words_that_cannot_be_shown(content: Content, key: str) -> None:
    assert [found for found, _ in content_problems(content)] == [key]
    offer = Offer([Service("A", "甲", "A")], content=content)
    assert [found for found, _ in offer_problems(offer)] == [key]


@virtual
async def test_who_comes_near_finds_the_first_screen_and_keeps_it(tmp_path: Path) -> None:
    board, pin = SimBoard(), 17
    async with Bench(tmp_path, config=CONFIG) as bench:
        bench.presence = GpioPresence(pin, name="presence", factory=board.factory)
        await bench.start()
        await asyncio.sleep(61)
        bench.showing(AttractView)
        board.somebody_comes(pin)
        await asyncio.sleep(0.1)
        bench.showing(HomeView)
        await asyncio.sleep(200)  # reads for long and touches nothing
        bench.showing(HomeView)
        board.somebody_goes(pin)
        await asyncio.sleep(59)
        bench.showing(HomeView)
        await asyncio.sleep(10)
        bench.showing(AttractView)
        # Who stands there in the middle of a visit changes nothing of it, and has its own time.
        bench.tap("anywhere")
        bench.tap("feedback")
        board.somebody_comes(pin)
        await asyncio.sleep(0.1)
        board.somebody_goes(pin)
        await asyncio.sleep(5)
        assert bench.kiosk.visit.phase is Phase.FEEDBACK
        await bench.stop()


def test_nobody_but_the_public_words_gives_way_to_who_comes() -> None:
    for phase in Phase:
        visit = Visit(phase, "zh_CN", "zh_CN", slides=4, slide=2)
        found = step(visit, Neared())
        if phase is Phase.ATTRACT:
            home = Visit(Phase.HOME, "zh_CN", "zh_CN", slides=4)
            assert found == (home, (StartTimer(Timer.QUIET),))
        else:
            assert found == (visit, ())
