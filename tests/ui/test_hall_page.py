"""The lobby manager's page in a real Chromium, over a real branch server, at 320 px."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from branch.web.app import create_app
from branch.web.server import bind, serve
from sync.messages import DeviceData
from tests.ui.web_site import WITHIN_MS, see as see_within, settled, text, width
from tests.unit.branch.bench import BranchBench
from tests.unit.branch.hall_bench import HALL

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"width": 320, "height": 640}
CARD = "#cards li"
TAPPABLE = """() => [...document.querySelectorAll('a, button')]
  .filter((e) => e.getClientRects().length)
  .map((e) => [e.textContent.trim(), e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([name]) => name)"""


async def see(page: Page, selector: str, expected: str) -> None:
    """How soon is measured elsewhere (tests/system/test_alerts.py): here the machine is busy."""
    await see_within(page, selector, expected, 8000)


@dataclass
class Branch:
    """The server, its kiosk, and whatever a page complained of."""

    bench: BranchBench
    url: str
    browser: Browser
    stop: asyncio.Event
    serving: asyncio.Task[None]
    errors: list[str] = field(default_factory=list)

    async def open(self, path: str, **how: Any) -> Page:
        page = await self.browser.new_page(viewport=PHONE, **how)  # type: ignore[arg-type]
        page.set_default_timeout(WITHIN_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.url + path)
        return page

    async def arrive(self, *numbers: str, segment: str = "ordinary") -> None:
        stream = self.bench.kiosk.stream
        first = len(stream.raws)
        for number in numbers:
            stream.printed(stream.issued(number, number[0], segment).id)
        self.bench.kiosk.send(*stream.raws[first:])
        await until(
            lambda: numbers[-1] in [t.number for t in self.bench.branch.hall.view().tickets]
        )

    async def calm(self, page: Page) -> None:
        """The page shows the newest revision and takes the next press: nothing moves any more."""
        async with asyncio.timeout(10):
            while await page.evaluate("page.revision") != self.bench.branch.revision:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await settled(page)

    async def press(self, number: str, score: int = 1) -> None:
        """A visit of this customer at counter 1 that ends in a low rating."""
        kiosk = self.bench.kiosk
        await self.arrive(number)
        await self.bench.branch.call_next(1, f"c-{number}")
        await self.bench.branch.finish(1, f"f-{number}")
        await until(lambda: any(c.key == f"arm:1:f-{number}" for c in kiosk.commands))
        (arm,) = [c for c in kiosk.commands if c.key == f"arm:1:f-{number}"]
        kiosk.stream.rated(1, arm.nonce, score)
        kiosk.send(kiosk.stream.raws[-1])

    def paper_out(self) -> None:
        data = DeviceData(device="printer", kind="printer", state="fault", detail="paper_out")
        self.bench.kiosk.stream.make("device.changed", data)
        self.bench.kiosk.send(self.bench.kiosk.stream.raws[-1])


async def until(condition: Any, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several parts, no common event
            await asyncio.sleep(0.01)


@pytest.fixture
def max_wait_min() -> float:
    """Longer than a test, but where it is told otherwise."""
    return 30.0


@pytest_asyncio.fixture(loop_scope="module")
async def branch(browser: Browser, tmp_path: Path, max_wait_min: float) -> AsyncIterator[Branch]:
    waits = msgspec.structs.replace(HALL.standards, max_wait_min=max_wait_min)
    bench = BranchBench(tmp_path, msgspec.structs.replace(HALL, standards=waits))
    async with bench:
        app = create_app(bench.branch, version="1", hall=bench.branch.hall)
        listener = bind("127.0.0.1", 0)
        stop, started = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        built = Branch(bench, url, browser, stop, serving)
        yield built
        for context in browser.contexts:
            await context.close()
        built.stop.set()
        await built.serving
        assert built.errors == []


# --- by tap -------------------------------------------------------------------------------------


async def test_an_unhappy_press_comes_up_is_taken_recovered_and_undone(branch: Branch) -> None:
    page = await branch.open("/hall", has_touch=True)
    assert await text(page, "#alerts-title") == "现在没有要处理的事"
    await branch.press("A034", 2)
    await see(page, "#alerts-title", "要您处理的 1 件")
    card = f"{CARD}[data-kind=unhappy]"
    assert await text(page, f"{card} b") == "1 号窗口，不满意"
    assert await text(page, f"{card} .note") == "A034，不满意"
    await branch.calm(page)
    await page.tap(f"{card} button:has-text('我去')")
    await see(page, f"{card} .taken", "有人去了")
    await branch.calm(page)
    await page.tap(f"{card} button:has-text('已安抚')")
    await see(page, "#alerts-title", "现在没有要处理的事")
    await branch.calm(page)
    await page.tap(f"{card} button:has-text('撤销')")
    await see(page, "#alerts-title", "要您处理的 1 件")
    assert branch.bench.alerts() == [
        "alert.raised", "alert.taken", "alert.cleared", "alert.reopened",
    ]  # fmt: skip


@pytest.mark.parametrize("max_wait_min", [0.02])
async def test_a_long_wait_opens_the_elastic_counter(branch: Branch) -> None:
    page = await branch.open("/hall?lang=en", has_touch=True)
    await branch.arrive("B001", "B002")
    card = f"{CARD}[data-kind=wait]"
    await page.wait_for_selector(card)
    await see(page, f"{card} b", "Business: waits over the promise")
    await page.wait_for_function(
        "() => document.querySelector('#cards .note').innerText.includes('1 more')"
    )
    assert await page.locator(card).count() == 1  # one card for the service
    await branch.calm(page)
    await page.tap(f"{card} button:has-text('Open counter 5')")
    await see(page, "#open", "4")
    assert branch.bench.branch.counter(5).window == "open"
    await branch.calm(page)
    await page.tap("[data-tab=counters]")
    await page.wait_for_selector("#windows", state="visible")
    assert not await page.is_visible("#cards")
    await page.tap("#windows [data-key='5'] button:has-text('Close')")
    await see(page, "#open", "3")


async def test_a_ticket_is_tagged_untagged_and_shown_again(branch: Branch) -> None:
    page = await branch.open("/hall#hall", has_touch=True)
    await branch.arrive("A001", "A002")
    row = "#tickets [data-key=A002]"
    await page.wait_for_selector(row)
    await branch.calm(page)
    await page.tap(f"{row} button")
    assert await text(page, "#ticket-number") == "A002"
    await page.tap("#segments button:has-text('贵宾')")
    await see(page, f"{row} .segment", "贵宾")
    assert "A002 · 贵宾" in await text(page, "#toast span")
    await page.tap("#undo")
    await page.wait_for_selector(f"{row} .segment", state="detached")
    await branch.calm(page)
    await page.tap(f"{row} button")
    await page.tap("#reissue")
    await see(page, "#shown-number", "A002")
    assert await text(page, "#shown-ahead") == "前面 1 人"
    await page.tap("#shown button")
    assert branch.bench.ledger().count("ticket.reissued") == 1
    assert branch.bench.ledger().count("ticket.tagged") == 2


async def test_a_ticket_without_the_kiosk_is_large_and_can_be_called(branch: Branch) -> None:
    page = await branch.open("/hall?lang=en#issue", has_touch=True)
    await page.tap("#tab-issue button:has-text('Business')")
    await see(page, "#shown-number", "BW001")
    assert (
        await page.evaluate(
            "parseFloat(getComputedStyle(document.querySelector('.plate')).fontSize)"
        )
        >= 56
    )
    assert await width(page) == 320
    await page.tap("#shown button")
    assert (await branch.bench.branch.call_next(3, "k")).number == "BW001"


# --- by keyboard --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "done"), [("zh", "现在没有要处理的事"), ("en", "Nothing needs you now")]
)
async def test_everything_by_keyboard(branch: Branch, lang: str, done: str) -> None:
    page = await branch.open(f"/hall?lang={lang}")
    await branch.press("A034")
    await page.wait_for_selector(CARD)
    await branch.calm(page)
    await tab_to(page, f"{CARD} button[data-act=take]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(f"{CARD} .taken")
    await branch.calm(page)
    # The button that was pressed is gone: the focus is on what can be done next.
    assert await page.evaluate("document.activeElement.dataset.act") == "settle"
    await page.keyboard.press("Enter")
    await see(page, "#alerts-title", done)
    await branch.arrive("A035")
    await tab_to(page, "[data-tab=hall]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#tickets [data-key=A035]")
    await branch.calm(page)
    await tab_to(page, "#tickets [data-key=A035] button")
    await page.keyboard.press("Enter")
    await tab_to(page, "#segments [data-segment=elderly]")
    await page.keyboard.press("Space")
    await page.wait_for_selector("#tickets .segment")
    await tab_to(page, "#undo")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#tickets .segment", state="detached")
    await branch.calm(page)
    await tab_to(page, "#tickets [data-key=A035] button")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    assert not await page.is_visible("#ticket")
    await tab_to(page, "[data-tab=issue]")
    await page.keyboard.press("Enter")
    await tab_to(page, "#tab-issue [data-act=issue]")
    await page.keyboard.press("Enter")
    await see(page, "#shown-number", "AW001")
    await page.keyboard.press("Escape")
    assert await width(page) == 320


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the first such element has the focus, and see that the focus shows."""
    element = page.locator(selector).first
    for _ in range(60):
        if await element.evaluate("(e) => e === document.activeElement"):
            assert await element.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {selector}")


# --- how it looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("max_wait_min", [0.02])
async def test_nothing_is_too_wide_or_too_small_for_a_thumb(branch: Branch, lang: str) -> None:
    await branch.press("A034")
    await branch.arrive("A001", "B001", segment="priority")
    branch.paper_out()
    page = await branch.open(f"/hall?lang={lang}")
    await page.wait_for_selector(f"{CARD}[data-kind=device]")
    await page.wait_for_selector(f"{CARD}[data-kind=wait]")
    kinds = await page.evaluate(
        "[...document.querySelectorAll('#cards li')].map((e) => e.dataset.kind)"
    )
    assert kinds == ["unhappy", "help", "help", "wait", "wait", "device"]
    for tab in ("alerts", "hall", "counters", "issue"):
        await page.click(f"[data-tab={tab}]")
        assert await width(page) == 320, tab
        assert await page.evaluate(TAPPABLE) == [], tab
        assert await page.evaluate("scrollY") == 0
    await page.click("[data-tab=hall]")
    await page.click("#tickets button")
    assert await page.evaluate(TAPPABLE) == []
    assert await width(page) == 320


async def test_a_lost_stream_is_said_and_nothing_goes_on(branch: Branch) -> None:
    page = await branch.open("/hall?lang=en")
    await branch.arrive("A001")
    await page.wait_for_selector("#tickets [data-key=A001]", state="attached")
    branch.stop.set()
    await branch.serving
    await page.wait_for_selector("body.stale")
    assert "Disconnected: this is how it was at" in await text(page, "#stale span")
    assert await text(page, "#link") == "Disconnected, trying again"
    await page.click("[data-tab=issue]")
    await page.click("#tab-issue button")
    await see(page, "#refusal span", "The server did not answer. Press again: it counts once.")
    app = create_app(branch.bench.branch, version="1", hall=branch.bench.branch.hall)
    listener = bind("127.0.0.1", int(branch.url.rsplit(":", 1)[1]))
    branch.stop, started = asyncio.Event(), asyncio.Event()
    branch.serving = asyncio.create_task(serve(app, listener, stop=branch.stop, started=started))
    await page.wait_for_selector("body:not(.stale)")
    await branch.calm(page)
    await page.click("#tab-issue button")
    await see(page, "#shown-number", "AW001")
    assert branch.bench.ledger().count("ticket.issued") == 1


async def test_an_answer_that_is_lost_makes_no_second_ticket(branch: Branch) -> None:
    page = await branch.open("/hall?lang=en#issue")
    keys = list[str]()

    async def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        await (route.abort() if len(keys) == 1 else route.fulfill(response=answer))

    await page.route("**/api/hall/issue", lose)
    await page.click("#tab-issue button")
    await see(page, "#refusal span", "The server did not answer. Press again: it counts once.")
    await branch.calm(page)
    await page.click("#tab-issue button")
    await see(page, "#shown-number", "AW001")
    await page.click("#shown button")
    await branch.calm(page)
    await page.click("#tab-issue button")
    await see(page, "#shown-number", "AW002")  # another press is another ticket
    assert keys[0] == keys[1] != keys[2]
    assert branch.bench.ledger().count("ticket.issued") == 2


async def test_a_page_behind_a_sign_in_sends_its_token(branch: Branch) -> None:
    page = await branch.open("/hall")
    await page.evaluate(
        "document.head.append(Object.assign(document.createElement('meta'),"
        " { name: 'csrf-token', content: 'token-1' }))"
    )
    async with page.expect_request("**/api/hall/issue") as sent:
        await page.click("[data-tab=issue]")
        await branch.calm(page)
        await page.click("#tab-issue button")
    request = await sent.value
    assert request.headers["x-csrf-token"] == "token-1"
    assert len(request.headers["idempotency-key"]) == 32
