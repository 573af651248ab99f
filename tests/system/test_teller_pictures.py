"""The pictures of docs/teller.md: a real branch's page in a real Chromium; by `make docs`."""

from pathlib import Path

import pytest

from tests.system.teller_house import TellerHouse

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.timeout(90)]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PICTURES = ("teller.png", "teller-call.png")
MINUTE_S = 60.0


async def test_the_page_fits_its_screen_and_is_the_one_in_the_docs(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with TellerHouse(tmp_path) as house:
        await house.issue("B017", ago_s=18 * MINUTE_S)
        teller, colleague = await house.teller(2), await house.teller(3)
        await colleague.call("B017")
        await colleague.start()
        await colleague.key("F7", "b", "Tab")
        await colleague.types("2")
        await colleague.key("Tab", "Tab")
        await colleague.key("ArrowDown")
        await colleague.key("Enter")
        await colleague.state("free")
        await teller.call("B017")
        await teller.start()
        for number, segment, waited_min in (
            ("A036", "ordinary", 26), ("A038", "elderly", 9), ("B018", "ordinary", 22),
            ("B019", "ordinary", 19), ("A037", "ordinary", 12), ("B020", "ordinary", 11),
        ):  # fmt: skip
            await house.issue(number, segment=segment, ago_s=waited_min * MINUTE_S)
        await teller.reads("#next li:nth-child(6)", "B020")
        await teller.reads("#message", "3 号窗口留言")
        overflow = "document.documentElement.scrollHeight - innerHeight"
        assert await teller.page.evaluate(overflow) <= 0
        pictures = {"teller.png": await teller.page.screenshot()}
        await teller.finish()
        await teller.page.goto(f"{house.url}/counter/2?lang=en")
        await teller.ready()
        await teller.key("F8")
        await teller.types("A03")
        await teller.key("ArrowDown", "ArrowDown", "Tab", "1")
        pictures["teller-call.png"] = await teller.page.screenshot()
    assert set(pictures) == set(PICTURES)
    for name, picture in pictures.items():
        if request.config.getoption("--rewrite-golden"):
            (IMAGES / name).write_bytes(picture)
        assert (IMAGES / name).exists(), f"{name}: `make docs` draws it"
