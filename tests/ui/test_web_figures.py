"""The page of figures in a real Chromium: it fits, it is reached by keys, it asks nobody else."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from branch.store import Store
from branch.web.app import create_app
from branch.web.server import bind, serve
from tests.ui.web_branch import ToyBranch
from tests.ui.web_site import FLAGS, Site, text, width
from tests.unit.branch.events import DATE
from tests.unit.branch.figures_forecasts import of_any_kind
from tests.unit.branch.test_figures import append, book_of, history

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZES = (
    {"width": 320, "height": 640},
    {"width": 768, "height": 900},
    {"width": 1440, "height": 900},
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "no Chromium: `make setup` installs it"
    file: Path = tmp_path_factory.mktemp("figures") / "branch.db"
    store = Store(f"sqlite:///{file}")
    rng = random.Random(7)
    store.forecasts = of_any_kind(rng)
    append(store, history(rng, 600))
    app = create_app(ToyBranch(), version="1", figures=book_of(store, UTC))
    listener = bind("127.0.0.1", 0)
    stop, started = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
    await started.wait()
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        site = Site(
            ToyBranch(), f"http://127.0.0.1:{listener.getsockname()[1]}", browser, stop, serving
        )
        yield site
        await browser.close()
    stop.set()
    await serving
    store.close()
    assert site.errors == []
    assert all(url.startswith(site.url) for url in site.requests), site.requests


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
async def test_it_fits_and_only_tables_scroll(site: Site, size: dict[str, int], lang: str) -> None:
    page = await site.open(f"/branch?date={DATE}&lang={lang}", size)
    assert await width(page) == size["width"]
    small = await page.evaluate(
        "[...document.querySelectorAll('header a, nav a, nav button, nav input')]"
        ".filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.innerText)"
    )
    assert small == []
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('[role=region]')].filter((e) => e.tabIndex !== 0"
        " || !(e.ariaLabel || e.getAttribute('aria-labelledby'))).length"
    )
    assert unnamed == 0
    await page.close()


async def test_another_day_by_keys_alone(site: Site) -> None:
    page = await site.open(f"/branch?date={DATE}&lang=en", SIZES[2])
    reached: list[str] = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        reached.append(str(await page.evaluate("document.activeElement.innerText.trim()")))
        if reached[-1] == "Show":
            break
    assert reached[:3] == ["中文", "Day before", "Refresh"]
    await page.fill("#date", "2025-10-08")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/branch?lang=en&date=2025-10-08")
    assert await text(page, "#empty") == "No tickets on this day."
    await page.get_by_text("Today").click()
    await page.wait_for_selector("#rated-services")
    await page.close()


async def test_what_a_teller_is_called_is_only_text(site: Site) -> None:
    page = await site.open(f"/branch?date={DATE}", SIZES[2])
    assert await page.evaluate("document.scripts.length") == 1
    assert await page.evaluate("document.querySelectorAll('[style], [onclick]').length") == 0
    await page.close()
