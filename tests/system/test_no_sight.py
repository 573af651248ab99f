"""From an idle kiosk to a ticket by four keys and ears alone."""

from pathlib import Path

import pytest

from hal.body import GuideKey
from tests.system.sightless_house import SightlessHouse, number_in, said

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
