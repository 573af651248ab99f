"""From an idle kiosk to a ticket by four keys and ears alone."""

import asyncio
import signal
from pathlib import Path

import pytest

from hal.body import GuideKey
from simulator.ears import DIGITS, number_in, said
from tests.system.sightless_house import SightlessHouse

pytestmark = [pytest.mark.window, pytest.mark.timeout(120)]

PREVIOUS, NEXT, SELECT, REPEAT = GuideKey


@pytest.mark.parametrize("language", ["en", "zh_CN"])
async def test_a_blind_visitor_takes_a_ticket(tmp_path: Path, language: str) -> None:
    cash = {"en": "Cash", "zh_CN": "现金业务"}[language]
    async with SightlessHouse(tmp_path, language=language) as house:
        assert house.transcript == [], "nobody has asked for it"
        await house.press(NEXT)
        await house.hears({"en": "four keys", "zh_CN": "四个键"}[language])
        await house.go_to(cash)
        await house.press(SELECT)
        told = await house.hears({"en": "Take your slip", "zh_CN": "请取小票"}[language])
        [slip] = house.paper.slips
        assert number_in(said(told), language) == slip.number
        await house.press(REPEAT)
        assert said(await house.hears("")) == said(told)
        await house.go_to({"en": "Done", "zh_CN": "好了"}[language])
        await house.press(SELECT)
        await house.hears({"en": "guide ends", "zh_CN": "引导结束"}[language])
        await house.shown("home")


@pytest.mark.micropython
async def test_the_same_by_the_keys_of_a_pad(tmp_path: Path) -> None:
    async with SightlessHouse(tmp_path, by_pad=True) as house:
        await house.press(NEXT)
        await house.hears("four keys")
        await house.hold(NEXT, 1.2)
        await house.hears("Volume 4 of 5")
        await house.go_to("Cash")
        await house.press(SELECT)
        told = await house.hears("Take your slip")
        [slip] = house.paper.slips
        assert number_in(said(told), "en") == slip.number
        await house.go_to("Done")
        await house.press(SELECT)
        await house.hears("guide ends")
        await house.shown("home")
        assert house.pad.error_path.read_text() == ""


@pytest.mark.micropython
async def test_keys_unplugged_within_a_visit_and_plugged_in_again(tmp_path: Path) -> None:
    async with SightlessHouse(tmp_path, by_pad=True) as house:
        await house.press(NEXT)
        await house.hears("four keys")
        there = await house.go_to("Cash")
        await house.pad.stop()
        await house.pad.start()
        await house.heard(True)
        await house.press(REPEAT)
        assert said(await house.hears("Cash")) == there, "the visit stands where it stood"
        await house.press(SELECT)
        await house.hears("Take your slip")
        assert len(house.paper.slips) == 1


@pytest.mark.micropython
async def test_keys_pressed_at_a_kiosk_that_stands_still_choose_nothing_later(
    tmp_path: Path,
) -> None:
    async with SightlessHouse(tmp_path, by_pad=True) as house:
        await house.press(NEXT)
        await house.hears("four keys")
        there = await house.go_to("Cash")
        house.kiosk.process.send_signal(signal.SIGSTOP)
        try:
            await house.press(SELECT)
            await asyncio.sleep(2.5)
        finally:
            house.kiosk.process.send_signal(signal.SIGCONT)
        await house.press(REPEAT)
        assert said(await house.hears("Cash")) == there
        assert not house.paper.slips


async def test_without_a_slip_the_number_is_heard_and_kept(tmp_path: Path) -> None:
    async with SightlessHouse(tmp_path) as house:
        house.paper.paper_out()
        await house.press(NEXT)
        await house.hears("four keys")
        await house.go_to("Cash")
        await house.press(SELECT)
        told = said(await house.hears("No slip, but your number is valid"))
        assert "out of paper" in told
        number = number_in(told, "en")
        await house.shown("no_slip")
        seen = await house.screen.describe()
        assert seen.largest_text == number, "who sees and who hears have the same number"
        assert f"I have it: {', '.join(spelt(number))}" in await house.go_to("I have it")
        await house.press(SELECT)
        await house.hears("guide ends")
        await house.shown("home")
        assert not house.paper.slips


async def test_documents_a_wrong_turn_and_another_language(tmp_path: Path) -> None:
    async with SightlessHouse(tmp_path, language="zh_CN") as house:
        await house.press(REPEAT)
        await house.hears("四个键")
        await house.go_to("English")
        await house.press(SELECT)
        await house.hears("What do you need")
        assert await house.go_to("Cards and accounts")
        await house.press(SELECT)
        told = said(await house.hears("Do you have these with you"))
        assert "Your ID card, original, no copy." in told
        await house.go_to("Back")
        await house.press(SELECT)
        await house.hears("What do you need")
        await house.go_to("Cards and accounts")
        await house.press(SELECT)
        await house.hears("Do you have these with you")
        await house.go_to("Counter ticket")
        await house.press(SELECT)
        told = said(await house.hears("Take your slip"))
        [slip] = house.paper.slips
        assert number_in(told, "en") == slip.number
        assert slip.number.startswith("B")
        assert await house.go_to("Done")


async def test_louder_and_faster_for_one_visit(tmp_path: Path) -> None:
    async with SightlessHouse(tmp_path) as house:
        await house.press(NEXT)
        first = await house.hears("four keys")
        await house.press(REPEAT)
        usual = await house.hears("^Network down")
        await house.hold(NEXT, 2.0)
        await house.hears("Volume 5 of 5")
        await house.hold(REPEAT)
        await house.hears("Fast")
        await house.press(REPEAT)
        loud_and_fast = await house.hears("^Network down")
        assert loud_and_fast.peak > 1.5 * usual.peak
        assert loud_and_fast.length_s < 0.8 * usual.length_s
        await house.go_to("Cash")
        await house.press(SELECT)
        await house.hears("Take your slip")
        await house.go_to("Done")
        await house.press(SELECT)
        await house.hears("guide ends")
        await house.press(NEXT)
        anew = await house.hears("four keys")
        assert (anew.peak, anew.length_s) == (first.peak, first.length_s)


def spelt(number: str) -> list[str]:
    """The words of a ticket's number."""
    names = DIGITS["en"].split()
    return [number[0], *(names[int(digit)] for digit in number[1:])]
