"""The page of a ticket in Chromium, as on a phone: read, rate, say why, nothing asked or kept."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser

from branch.standards_config import StandardsConfig
from branch.web.app import create_app
from branch.web.server import bind, serve
from tests.unit.branch.bench import CONFIG, BranchBench
from tests.unit.branch.test_ticket_page import issued

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE = {"width": 390, "height": 844}


async def test_a_broken_promise_is_said_on_the_page(tmp_path: Path, browser: Browser) -> None:
    # A promise of half a second is broken by the time that the page is there.
    standards = StandardsConfig(max_wait_min=0.5 / 60, max_idle_min=0.0, max_line=0)
    async with BranchBench(tmp_path, replace(CONFIG, standards=standards)) as bench:
        key = await issued(bench, "A001")
        app = create_app(bench.branch, version="1", tickets=bench.branch.tickets)
        listener, stop, started = bind("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()
        page = await browser.new_page(viewport={"width": 320, "height": 640})
        await page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/t/{key}?lang=en")
        while bench.branch.tickets.state(key).late != "promise":
            await page.wait_for_timeout(50)
        await page.reload()
        for part, said in (
            ("#late-said", "We promise 0 at most for this service, and did not keep it."),
            ("#late-now", "Now we expect about 0–1 more minutes"),
            ("#late-later", "be called later"),
        ):
            assert said in await page.inner_text(part)
        assert await page.inner_text("#wait") == ""
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        await bench.branch.call_next(1, "c")
        await page.reload()
        assert not await page.is_visible("#late")
        await page.close()
        stop.set()
        await serving


async def test_a_customer_reads_rates_and_says_why(tmp_path: Path, browser: Browser) -> None:
    async with BranchBench(tmp_path) as bench:
        first, second = await issued(bench, "A001"), await issued(bench, "A002")
        app = create_app(bench.branch, version="1", tickets=bench.branch.tickets)
        listener, stop, started = bind("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text))
        await page.goto(f"{url}/t/{second}")
        assert (await page.inner_text("#number"), await page.inner_text("#ahead")) == (
            "A002", "前面 1 人",
        )  # fmt: skip
        await bench.branch.call_next(1, "c")
        await bench.branch.finish(1, "f")
        await page.goto(f"{url}/t/{first}?lang=en")
        for button in await page.query_selector_all("#rate button"):
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["x"] + box["width"] <= PHONE["width"]
        await page.click('[data-score="2"]')
        await page.click('[data-reason="fees"]')
        await page.wait_for_selector("#why", state="hidden")
        assert await page.inner_text("#said") == "Thank you, it is noted."
        assert await page.evaluate("document.cookie") == ""
        assert errors == []
        await page.close()
        stop.set()
        await serving
        assert bench.rows("rating", "score_1to5, kind") == [(2, "rating")]
        assert bench.rows("reason", "reason, channel") == [("fees", "page")]
