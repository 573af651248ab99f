"""The display above a counter in a real Chromium, against a real server on loopback."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from branch.view import CounterState
from tests.ui.test_web_pages import settings as settings, site as site
from tests.ui.web_site import OVERLAPS, Site, see, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SMALL = {"width": 800, "height": 480}
SIZES = [SMALL, {"width": 1024, "height": 600}, {"width": 480, "height": 320},
         {"width": 1920, "height": 540}]  # fmt: skip

INSIDE = """
[...document.querySelectorAll('p, time, b, main > *')].filter(e => e.offsetParent).every((e) => {
  const r = e.getBoundingClientRect();
  const frame = (e.closest('main, header, footer')).getBoundingClientRect();
  const across = r.left >= -1 && r.right <= innerWidth + 1;
  return across && r.top >= frame.top - 1 && r.bottom <= frame.bottom + 1;
})"""
"""Every text is inside its strip of the screen."""


def serve(site: Site, state: str, number: str | None = None, calls: int = 0) -> None:
    window = site.branch.windows[2]
    window.state, window.number, window.calls = CounterState(state), number, calls
    site.branch.touch()


async def picture(page: Page, name: str) -> None:
    """Kept where LOBBY_PICTURES says; nowhere otherwise."""
    if folder := os.environ.get("LOBBY_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_a_call_a_recall_and_the_service_are_shown(site: Site) -> None:
    page = await site.open("/window/2", SMALL)
    assert await page.is_visible(".idle.in-free")
    assert not await page.is_visible("#number")
    await picture(page, "window-free")
    serve(site, "calling", "A035", 1)
    await see(page, "#number", "A035")
    assert await text(page, "footer .in-calling") == "请到本窗口 Please come here"
    assert await text(page, "header .digits") == "2"
    assert "new" in (await page.get_attribute("#number", "class") or "")
    await page.evaluate("document.getElementById('number').classList.remove('new')")
    await picture(page, "window")
    serve(site, "calling", "A035", 2)
    await page.wait_for_selector("#number.new")
    serve(site, "serving", "A035", 2)
    await page.wait_for_selector(".in-serving", state="visible")
    assert "new" not in (await page.get_attribute("#number", "class") or "")
    serve(site, "free")
    await page.wait_for_selector(".in-free", state="visible")
    assert not await page.is_visible("#number")


@pytest.mark.parametrize(
    ("state", "lang", "says"),
    [("paused", "zh", "暂停服务"), ("closed", "zh", "窗口关闭"), ("paused", "en", "Back soon"),
     ("closed", "en", "Counter closed"), ("free", "en", "Please wait for your number")],
)  # fmt: skip
async def test_why_there_is_no_number_is_said_in_both_languages(
    site: Site, state: str, lang: str, says: str
) -> None:
    serve(site, state)
    page = await site.open(f"/window/2?lang={lang}", SMALL)
    assert (await text(page, f".idle.in-{state} b")) == says
    assert await page.is_visible(f".idle.in-{state} .aside")
    await picture(page, f"window-{state}-{lang}")


async def test_the_number_that_ended_is_not_shown(site: Site) -> None:
    serve(site, "paused", "A001", 1)
    page = await site.open("/window/2", SMALL)
    assert await text(page, "#number") == ""


@pytest.mark.parametrize("settings", [{"stale_s": 1.0, "refresh_s": 0.2}])
async def test_a_branch_that_went_silent_makes_the_display_say_so(
    site: Site, settings: dict[str, Any]
) -> None:
    serve(site, "calling", "A035", 1)
    page = await site.open("/window/2", SMALL)
    await see(page, "#number", "A035")
    site.branch.frozen = True
    await page.wait_for_selector("body.stale")
    assert await page.is_visible("footer .when-stale")
    assert not await page.is_visible("footer .in-calling")
    colour = "getComputedStyle(document.getElementById('number')).color"
    assert await page.evaluate(colour) == "rgb(185, 197, 204)"
    await picture(page, "window-stale")
    assert await page.evaluate(INSIDE)
    site.branch.frozen = False
    site.branch.touch()
    await page.wait_for_selector("body:not(.stale)")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size['width']}x{size['height']}")
async def test_nothing_is_cut_or_overlaps_on_any_screen(site: Site, size: dict[str, int]) -> None:
    for lang in ("zh", "en"):
        for state, number in (("calling", "AW001"), ("serving", "A035"), ("free", None),
                              ("paused", None), ("closed", None)):  # fmt: skip
            serve(site, state, number, 1)
            page = await site.open(f"/window/2?lang={lang}", size)
            assert await page.evaluate(OVERLAPS) == []
            assert await page.evaluate(INSIDE), (lang, state)
            if size["width"] == 480:
                await picture(page, f"narrow-{state}-{lang}")
            await page.close()


async def test_an_unknown_window_lists_those_that_there_are(site: Site) -> None:
    page = await site.browser.new_page()
    answer = await page.goto(f"{site.url}/window/9?lang=en")
    assert answer is not None
    assert answer.status == 404
    links = await page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
    assert links == [f"/window/{n}?lang=en" for n in site.branch.counters()]
