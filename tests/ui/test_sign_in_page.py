"""Signing in on a real Chromium, by keyboard, against a real server on loopback."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from branch.access.roles import Role
from branch.web.server import bind, serve
from tests.ui.web_branch import ToyBranch
from tests.ui.web_site import DESK, Site, see, settled, text, width
from tests.unit.branch.access_house import SECRET, House, house
from tests.unit.branch.bench import BranchBench

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NARROW = {"width": 320, "height": 640}
TARGET_PX = 44
PICTURES = os.environ.get("LOBBY_PICTURES")


@pytest_asyncio.fixture(loop_scope="module")
async def there(tmp_path: Path) -> AsyncIterator[House]:
    with house(tmp_path, branch=ToyBranch(), keep_alive_s=0.2) as found:
        yield found


@asynccontextmanager
async def served(there: House, browser: Browser) -> AsyncIterator[Site]:
    """The house on loopback; at the end nothing but refusals was complained of."""
    listener = bind("127.0.0.1", 0)
    stop, started = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(there.app, listener, stop=stop, started=started))
    await started.wait()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    site = Site(cast("ToyBranch", there.branch), url, browser, stop, serving)
    yield site
    for context in browser.contexts:
        await context.close()
    stop.set()
    await serving
    refused = [error for error in site.errors if "401" in error or "403" in error]
    assert site.errors == refused
    assert all(request.startswith(site.url) for request in site.requests), site.requests


@pytest_asyncio.fixture(loop_scope="module")
async def site(browser: Browser, there: House) -> AsyncIterator[Site]:
    async with served(there, browser) as found:
        yield found


async def type_in(page: Page, name: str) -> None:
    """As fingers do it: the name's field has the focus by itself."""
    await page.wait_for_function("document.activeElement.id === 'name'")
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(SECRET)
    await page.keyboard.press("Enter")


async def test_a_teller_signs_in_by_keyboard_and_is_where_she_wanted_to_be(site: Site) -> None:
    page = await site.open("/counter/2?lang=en", DESK)
    assert page.url == f"{site.url}/sign-in?next=/counter/2%3Flang%3Den&lang=en"
    await page.wait_for_function("document.activeElement.id === 'name'")
    await page.keyboard.type("teller-1")
    await page.keyboard.press("Tab")
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await see(page, "#refusal", "Account or password is wrong.")
    assert await page.evaluate("document.activeElement.id") == "password"
    await page.keyboard.type(SECRET)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.url}/counter/2?lang=en")
    assert "teller-1" in await text(page, ".session")


async def test_the_page_s_keys_work_with_the_token(site: Site) -> None:
    page = await site.open("/counter/1", DESK)
    await type_in(page, "teller-1")
    await page.wait_for_url(f"{site.url}/counter/1")
    site.branch.take_ticket("A035", 3)
    await settled(page)
    await page.keyboard.press("F9")
    await see(page, "[data-text=number]", "A035")
    assert [name for name, *_ in site.branch.commands_done][-1] == "call_next"


async def test_a_session_that_is_over_leads_to_the_sign_in_and_back(
    site: Site, there: House
) -> None:
    page = await site.open("/counter/1", DESK)
    await type_in(page, "teller-1")
    await page.wait_for_url(f"{site.url}/counter/1")
    there.accounts.end_sessions(there.people[Role.TELLER].id)
    site.branch.take_ticket("A035", 3)
    await settled(page)
    await page.keyboard.press("F9")
    await page.wait_for_url("**/sign-in?next=%2Fcounter%2F1")
    assert site.branch.commands_done == []
    await type_in(page, "teller-1")
    await page.wait_for_url(f"{site.url}/counter/1")


async def test_a_page_that_only_looks_is_shown_out_as_well(site: Site, there: House) -> None:
    page = await site.open("/counter/1", DESK)
    await type_in(page, "teller-1")
    await page.wait_for_url(f"{site.url}/counter/1")
    board = await site.open("/", DESK)
    other = await site.open("/counter", NARROW)
    await type_in(other, "teller-1")
    await other.wait_for_url(f"{site.url}/counter")
    await other.focus("[data-sign-out=-everywhere]")
    await other.keyboard.press("Enter")
    await page.wait_for_url("**/sign-in?next=%2Fcounter%2F1")
    assert there.app.state.feed.open_streams == 1  # the board's
    site.branch.announce("A035", 1, "10:24")
    await see(board, "#number", "A035")


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_manager_signs_in_and_opens_a_counter_from_the_hall(
    browser: Browser, tmp_path: Path, lang: str
) -> None:
    bench = BranchBench(tmp_path)
    async with bench:
        with house(tmp_path, branch=bench.branch, hall=bench.branch.hall) as there:
            async with served(there, browser) as site:
                page = await site.open(f"/sign-in?lang={lang}", NARROW)
                await type_in(page, "manager-1")
                await page.wait_for_url(f"{site.url}/hall")
                await page.goto(f"{site.url}/hall?lang={lang}")
                assert await width(page) == NARROW["width"]
                for act in ("close-counter", "open-counter"):
                    sent = f"send('{act}', {{ counter: 3 }}).then((answer) => answer !== null)"
                    assert await page.evaluate(sent), await text(page, "#refusal")
                if PICTURES:
                    await page.screenshot(path=f"{PICTURES}/hall-{lang}.png")
                await page.focus("[data-sign-out]")
                await page.keyboard.press("Enter")
                await page.wait_for_url("**/sign-in?next=%2Fhall*")
        assert bench.ledger() == ["counter.closed", "counter.opened"]


async def test_signing_out_by_keyboard(site: Site) -> None:
    page = await site.open("/counter", DESK)
    await type_in(page, "manager-1")
    await page.wait_for_url(f"{site.url}/counter")
    await page.focus("[data-sign-out]")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/sign-in?next=%2Fcounter")
    await page.goto(f"{site.url}/counter/1")
    assert "/sign-in?" in page.url


@pytest.mark.parametrize("size", [NARROW, DESK], ids=["narrow", "desk"])
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_it_fits_and_every_target_can_be_hit(
    site: Site, size: dict[str, int], lang: str
) -> None:
    page = await site.open(f"/sign-in?lang={lang}&next=/counter/1", size)
    await page.fill("#name", "teller-1")
    await page.fill("#password", "wrong")
    await page.click("#go")
    await page.wait_for_selector("#refusal:not([hidden])")
    assert await width(page) == size["width"]
    for selector in ("#name", "#password", "#go", "header a", "label.tick"):
        box = await page.locator(selector).bounding_box()
        assert box is not None
        assert box["height"] >= TARGET_PX, selector
    name = f"sign-in-{lang}-{size['width']}.png"
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}")
    await page.click("header a")
    assert "next=/counter/1" in page.url
    await page.check("#show")
    assert await page.get_attribute("#password", "type") == "text"


@pytest.mark.parametrize("size", [NARROW, DESK], ids=["narrow", "desk"])
async def test_the_pages_behind_it_have_room_for_the_name(
    site: Site, size: dict[str, int]
) -> None:
    for path, lang in (("/counter/1", "zh"), ("/counter/1", "en"), ("/counter", "zh")):
        page = await site.open(f"{path}?lang={lang}", size)
        await type_in(page, "teller-1")
        await page.wait_for_selector("[data-sign-out]")
        await page.wait_for_load_state("load")  # with its stylesheets
        assert await width(page) == size["width"]
        box = await page.locator("[data-sign-out]").first.bounding_box()
        assert box is not None
        assert box["height"] >= TARGET_PX
        if PICTURES:
            name = f"signed-in{path.replace('/', '-')}-{lang}-{size['width']}.png"
            await page.screenshot(path=f"{PICTURES}/{name}")


async def test_the_wrong_role_reads_why(site: Site) -> None:
    page = await site.open("/counter/1", NARROW)
    await type_in(page, "technician-1")
    await page.wait_for_url(f"{site.url}/counter/1")
    assert "这个帐号不能看这一页" in await text(page, "main")
    assert await width(page) == NARROW["width"]
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/not-allowed.png")
    await page.click("main li:nth-child(2) a")
    assert "/sign-in?next=/counter/1" in page.url
