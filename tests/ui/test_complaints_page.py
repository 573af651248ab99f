"""A complaint in Chromium: the manager answers it on a phone, the customer sees it on another."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser

from branch.web.app import create_app
from branch.web.server import bind, serve
from sync.identity import page_key
from tests.ui.test_hall_page import TAPPABLE
from tests.ui.web_site import WITHIN_MS, text, width
from tests.unit.branch.bench import BranchBench
from tests.unit.branch.test_complaints import PAST, complained

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SMALL, PHONE = {"width": 320, "height": 640}, {"width": 390, "height": 844}


async def test_answered_by_the_manager_and_seen_by_the_customer(
    tmp_path: Path, browser: Browser
) -> None:
    async with BranchBench(tmp_path) as bench:
        new, late = await complained(bench, 1), await complained(bench, 2, PAST, "slow")
        hall = bench.branch.hall
        app = create_app(
            bench.branch, version="1", hall=hall, complaints=hall.complaint_pages
        )  # fmt: skip
        listener, stop, started = bind("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        errors: list[str] = []
        page = await browser.new_page(viewport=SMALL)  # type: ignore[arg-type]
        customer = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        for one in (page, customer):
            one.set_default_timeout(WITHIN_MS)
            one.on("pageerror", lambda error: errors.append(str(error)))
            one.on("console", lambda line: errors.append(line.text))

        # From the alert to the complaint itself.
        await page.goto(f"{url}/hall?lang=en")
        await page.wait_for_selector("body:not([data-guarded])")
        await page.click(f'#cards li[data-key="{late}"] [data-act="complaint-open"]')
        await page.wait_for_url(f"**/hall/complaints?lang=en#{late}")
        opened = f'#open li[id="{late}"]'
        assert await page.is_visible(f"{opened} [data-outcome=explained]")
        assert not await page.is_visible(f'#open li[id="{new}"] [data-outcome=explained]')
        numbers = await page.eval_on_selector_all(
            "#open b", "(found) => found.map((one) => one.textContent)"
        )
        assert numbers == ["0000-0002", "0000-0001"]
        assert await text(page, f"{opened} .due") == "Overdue"
        assert await page.evaluate(TAPPABLE) == []
        assert await width(page) <= SMALL["width"]

        await page.click(f"{opened} [data-act=complaint-take]")
        await page.wait_for_selector(f"{opened} .taken:has-text('Somebody sees to it')")
        assert await page.is_visible(f"{opened} [data-outcome=explained]")
        await page.click(f"{opened} [data-outcome=explained]")
        await page.wait_for_selector(f'#answered li[id="{late}"]')
        assert await text(page, "#open-title") == "1 to be answered"
        await customer.goto(f"{url}/c/{page_key(late)}?lang=en")
        assert await text(customer, "#state") == "Answered"
        assert "Explained" in await text(customer, "#more")
        assert await width(customer) <= PHONE["width"]
        assert await customer.evaluate("document.cookie") == ""

        await page.click("#answered [data-act=complaint-reopen]")
        await page.wait_for_selector(opened)
        await customer.reload()
        assert await text(customer, "#state") == "The answer is late"

        # Without a server nothing is lost: the same press goes again under the same key.
        await page.route("**/api/hall/**", lambda route: route.abort())
        await page.click(f"{opened} [data-outcome=corrected]")
        await page.wait_for_selector("#refusal:not([hidden])")
        await page.unroute("**/api/hall/**")
        await page.click(f"{opened} [data-outcome=corrected]")
        await page.wait_for_selector(f'#answered li[id="{late}"]')
        assert [e for e in errors if "net::ERR_FAILED" not in e] == []
        await page.close()
        await customer.close()
        stop.set()
        await serving
        assert bench.rows("complaint_answer", "outcome") == [("corrected",)]
