"""The board and the teller's page in a real Chromium, against a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from branch.view import CounterState
from branch.web.app import create_app
from branch.web.server import bind, serve
from tests.ui.web_branch import ToyBranch, Window
from tests.ui.web_site import DESK, OVERLAPS, TV, Site, see, settled, text, width

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {}


@pytest_asyncio.fixture(loop_scope="module")
async def site(browser: Browser, settings: dict[str, Any]) -> AsyncIterator[Site]:
    branch = ToyBranch()
    app = create_app(branch, version="1", **settings)
    listener = bind("127.0.0.1", 0)
    stop, started = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
    await started.wait()
    site = Site(branch, f"http://127.0.0.1:{listener.getsockname()[1]}", browser, stop, serving)
    yield site
    for context in browser.contexts:
        await context.close()
    stop.set()
    await serving
    assert site.errors == []
    assert all(url.startswith(site.url) for url in site.requests), site.requests


# --- the board


async def test_the_board_shows_a_call(site: Site) -> None:
    page = await site.open("/", TV)
    assert not await page.is_visible("#plate")
    assert "还没有叫号" in await text(page, "#none")
    site.branch.take_ticket("A035", 3)
    await see(page, "#services li[data-letter=A] [data-waiting]", "1")
    await site.branch.call_next(1, "k")
    await see(page, "#number", "A035")
    assert await text(page, "#counter") == "1"
    assert await page.is_visible("#plate")
    assert "new" in (await page.get_attribute("#plate", "class") or "")
    await see(page, "#services li[data-letter=A] [data-waiting]", "0")


async def test_the_plate_swaps_three_times_and_stands_still(site: Site) -> None:
    page = await site.open("/", TV)
    site.branch.announce("A035", 1, "10:24")
    await see(page, "#number", "A035")
    animation = await page.evaluate(
        "(() => { const [a] = document.getElementById('plate').getAnimations();"
        " const t = a.effect.getTiming(); return [t.duration, t.iterations]; })()"
    )
    assert animation == [700, 3]
    await page.evaluate("() => document.getElementById('plate').getAnimations()[0].finish()")
    await page.wait_for_function("() => !document.getElementById('plate').getAnimations().length")
    colour = "getComputedStyle(document.getElementById('plate')).backgroundColor"
    assert await page.evaluate(colour) == "rgb(255, 204, 51)"


async def test_calls_queue_for_the_plate_and_none_is_withheld(site: Site) -> None:
    page = await site.open("/", TV, time=0)
    site.branch.announce("A001", 1, "10:24")
    await see(page, "#number", "A001")
    site.branch.announce("A002", 2, "10:24")
    site.branch.announce("A003", 3, "10:24")
    await see(page, "#recent li:nth-child(1) .number", "A003")
    assert await text(page, "#number") == "A001"
    assert await text(page, "#recent li:nth-child(2) .number") == "A002"
    await page.clock.run_for(7000)
    assert await text(page, "#number") == "A001"
    await page.clock.run_for(2000)
    await see(page, "#number", "A002")
    assert await text(page, "#recent li:nth-child(2) .number") == "A001"
    await page.clock.run_for(8000)
    await see(page, "#number", "A003")


async def test_a_long_queue_shows_the_newest_at_once(site: Site) -> None:
    page = await site.open("/", TV)
    for number in range(1, 6):
        site.branch.announce(f"A00{number}", number, "10:24")
        await see(
            page,
            f"#{'number' if number == 1 else 'recent li:nth-child(1) .number'}",
            f"A00{number}",
        ) if number < 5 else None
    await see(page, "#number", "A005")
    assert await text(page, "#recent li:nth-child(1) .number") == "A004"


async def test_a_recall_is_news_without_a_wait(site: Site) -> None:
    site.branch.announce("A035", 1, "10:24")
    page = await site.open("/", TV)
    await see(page, "#number", "A035")
    assert "new" not in (await page.get_attribute("#plate", "class") or "")
    site.branch.announce("A035", 1, "10:24")
    await page.wait_for_selector("#plate.new")
    assert not await page.is_visible("#recent li")


@pytest.mark.parametrize("settings", [{"stale_s": 0.6, "refresh_s": 0.1, "keep_alive_s": 0.1}])
async def test_a_branch_that_went_silent_makes_the_board_say_so(site: Site) -> None:
    site.branch.announce("A034", 1, "10:14")
    site.branch.announce("B017", 2, "10:20")
    site.branch.clock = "10:21"
    page = await site.open("/", TV)
    assert not await page.is_visible(".band")
    site.branch.frozen = True
    await page.wait_for_selector("body.stale")
    assert "大屏暂停更新，请听现场叫号。您的号照常有效。" in await text(page, ".band")
    assert "Your ticket is still valid." in await text(page, ".band")
    assert await text(page, ".band .at") == "停在 10:21"
    assert "Last calls before 10:21" in await text(page, "h2.when-stale")
    assert not await page.is_visible("#plate")
    rows = "#recent li:nth-child({}) .number"
    assert await text(page, rows.format(1)) == "B017"
    assert await text(page, rows.format(2)) == "A034"
    assert not await page.is_visible("[data-wait]")
    assert await text(page, "#services li[data-letter=A] .unknown") == "人数未知"
    site.branch.frozen = False
    site.branch.touch()
    await page.wait_for_selector("body:not(.stale)")
    assert await text(page, "#number") == "B017"


@pytest.mark.parametrize("settings", [{"stale_s": 0.6, "refresh_s": 0.1}])
async def test_a_stopped_server_makes_the_board_say_so_and_it_comes_back(site: Site) -> None:
    page = await site.open("/", TV)
    await see(page, "#clock", "10:24")
    port = int(site.url.rsplit(":", 1)[1])
    site.stop.set()
    await site.serving
    await page.wait_for_selector("body.stale")

    site.branch.announce("C001", 3, "10:30")
    site.stop.clear()
    app = create_app(site.branch, version="1", refresh_s=0.1)
    site.serving = asyncio.create_task(serve(app, bind("127.0.0.1", port), stop=site.stop))
    await page.wait_for_selector("body:not(.stale)")
    await see(page, "#number", "C001")
    site.errors[:] = [
        line
        for line in site.errors
        if "ERR_CONNECTION" not in line and "ERR_INCOMPLETE" not in line
    ]


async def test_the_clock_runs_on_by_itself(site: Site) -> None:
    site.branch.clock = "23:58"
    page = await site.open("/", TV, time=0)
    await see(page, "#clock", "23:58")
    await page.clock.run_for(59_000)
    assert await text(page, "#clock") == "23:58"
    await page.clock.run_for(62_000)
    assert await text(page, "#clock") == "00:00"


async def test_text_is_set_in_the_simplified_chinese_face(site: Site) -> None:
    site.branch.announce("A035", 1, "10:24")
    page = await site.open("/", TV)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("DOM.enable")
    await devtools.send("CSS.enable")
    document = await devtools.send("DOM.getDocument")
    for selector in ("h1", "#number", ".wait", ".aside"):
        node = await devtools.send(
            "DOM.querySelector", {"nodeId": document["root"]["nodeId"], "selector": selector}
        )
        fonts = await devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node["nodeId"]})
        assert {font["familyName"] for font in fonts["fonts"]} == {"Noto Sans CJK SC"}, selector


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [TV, DESK])
async def test_nothing_on_the_board_is_clipped(
    site: Site, size: dict[str, int], lang: str
) -> None:
    site.branch.waits = {"A": (100, 150), "B": None, "C": (5, 5)}
    site.branch.line = [("A001", 1)] * 128
    long_name = ("B", "个人非现金业务与综合服务", "Personal accounts and other services")
    site.branch.services = tuple(
        long_name if name[0] == "B" else name for name in site.branch.services
    )
    for index in range(6):
        site.branch.announce(f"A{1040 + index}", 12, "10:24")
    page = await site.open(f"/?lang={lang}", size)
    for state in ("live", "stale"):
        await page.evaluate(
            "stale => document.body.classList.toggle('stale', stale)", state == "stale"
        )
        overlaps = await page.evaluate(OVERLAPS)
        assert overlaps == [], (state, overlaps)
        assert await width(page) == size["width"]


# --- the teller's page


@pytest.mark.parametrize(
    ("lang", "steps"),
    [
        ("zh", ("呼叫下一位", "客户已到，开始办理", "办完，请客户评价")),
        ("en", ("Call next", "Customer is here, start", "Finish and ask for a rating")),
    ],
)
async def test_a_customer_is_served_by_keyboard_alone(
    site: Site, lang: str, steps: tuple[str, str, str]
) -> None:
    site.branch.take_ticket("B017", 18)
    page = await site.open(f"/counter/2?lang={lang}", DESK)
    label = "#primary .label"
    assert await text(page, label) == steps[0]
    await page.keyboard.press("F9")
    await see(page, ".current .number", "B017")
    await see(page, label, steps[1])
    assert "B017" in await text(page, "#said")
    await settled(page)
    await page.keyboard.press("F2")
    await page.wait_for_function("() => document.getElementById('facts').innerText.includes('2')")
    await settled(page)
    await page.keyboard.press("Enter")
    await see(page, label, steps[2])
    await settled(page)
    await page.keyboard.press("Enter")
    await see(page, label, steps[0])
    assert await page.evaluate("document.activeElement.id") == "primary"
    assert await page.get_attribute("#pad", "data-pad") == "armed"
    done = [name for name, _, _ in site.branch.commands_done]
    assert done == ["call_next", "recall", "start", "finish"]


async def test_a_customer_who_does_not_come(site: Site) -> None:
    site.branch.take_ticket("B017", 18)
    page = await site.open("/counter/2", DESK)
    await page.keyboard.press("Enter")
    await see(page, ".current .number", "B017")
    await settled(page)
    await page.keyboard.press("F4")
    await see(page, "#primary .label", "呼叫下一位")
    assert [name for name, _, _ in site.branch.commands_done] == ["call_next", "miss"]


async def test_every_button_is_reached_by_tab_and_shows_its_focus(site: Site) -> None:
    site.branch.windows[2] = Window(CounterState.CALLING, "B017", 1)
    page = await site.open("/counter/2", DESK)
    names = []
    for _ in range(4):
        names.append(
            await page.evaluate(
                "document.activeElement.dataset.action ?? document.activeElement.tagName"
            )
        )
        style = "getComputedStyle(document.activeElement).outlineWidth"
        if names[-1] != "BODY":
            assert await page.evaluate(style) == "4px", names
        await page.keyboard.press("Tab")
    assert names[:3] == ["start", "recall", "miss"]
    await page.focus('[data-action="recall"]')
    await page.keyboard.press("Enter")
    await page.wait_for_function("() => document.getElementById('facts').innerText.includes('2')")
    assert [name for name, _, _ in site.branch.commands_done] == ["recall"]


async def test_why_a_command_did_nothing_is_said_in_words(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    await page.click("#primary")
    await see(page, "#refusal", "现在没有人在等。")
    site.errors.clear()  # the browser logs every 409
    site.branch.windows[2] = Window(CounterState.SERVING, "B017", 1)
    site.branch.touch()
    await see(page, ".current .number", "B017")
    assert not await page.is_visible("#refusal")
    await settled(page)
    await page.keyboard.press("F9")
    await see(page, "#refusal", "先办完这一位")
    assert site.branch.commands_done == []


@pytest.mark.parametrize("way", ["double click", "repeated key", "held key"])
async def test_a_double_press_is_one_command(site: Site, way: str) -> None:
    for number in range(5):
        site.branch.take_ticket(f"A00{number}")
    page = await site.open("/counter/2", DESK)
    if way == "double click":
        await page.dblclick("#primary")
    elif way == "repeated key":
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
    else:
        await page.keyboard.down("Enter")
        await see(page, "#primary .label", "客户已到，开始办理")
        await settled(page)
        await page.keyboard.down("Enter")
        await page.keyboard.down("Enter")
        await page.keyboard.up("Enter")
    await see(page, ".current .number", "A000")
    await settled(page)
    assert [name for name, _, _ in site.branch.commands_done] == ["call_next"]
    assert await page.get_attribute("body", "data-state") == "calling"


async def test_a_button_that_has_just_changed_its_meaning_waits(site: Site) -> None:
    site.branch.take_ticket("A001")
    page = await site.open("/counter/2", DESK, time=0)
    await page.clock.pause_at(10_000)

    async def state() -> str | None:
        return await page.get_attribute("body", "data-state")

    await page.keyboard.press("Enter")
    async with asyncio.timeout(5):
        while await state() != "calling":  # noqa: ASYNC110 - the page's own timers stand still
            await asyncio.sleep(0.01)
    await page.clock.run_for(390)
    await page.keyboard.press("Enter")
    await page.click("#primary")
    await page.clock.run_for(20)
    await page.keyboard.press("Enter")
    async with asyncio.timeout(5):
        while await state() != "serving":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [name for name, _, _ in site.branch.commands_done] == ["call_next", "start"]
    assert site.branch.windows[2].state is CounterState.SERVING


async def test_a_press_that_was_not_answered_is_sent_again_with_its_key(site: Site) -> None:
    site.branch.take_ticket("A001")
    site.branch.take_ticket("A002")
    page = await site.open("/counter/2", DESK)
    keys: list[str] = []
    lost: list[Callable[[], Any]] = []

    async def swallow_the_first_answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if not lost:
            lost.append(route.abort)
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/call-next", swallow_the_first_answer)
    await page.click("#primary")
    await see(page, "#refusal", "没有送到服务器。请再按一次，不会重复。")
    await settled(page)
    await page.click("#primary")
    await see(page, ".current .number", "A001")
    assert len(keys) == 2
    assert keys[0] == keys[1]
    site.errors.clear()  # the browser logs the answer that it did not get


async def test_two_pages_of_one_counter_agree(site: Site) -> None:
    site.branch.take_ticket("A001")
    first = await site.open("/counter/2", DESK)
    second = await site.open("/counter/2?lang=en", DESK)
    await first.keyboard.press("F9")
    for page in (first, second):
        await see(page, ".current .number", "A001")
    assert await text(second, "#primary .label") == "Customer is here, start"


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("state", [CounterState.FREE, CounterState.CALLING, CounterState.SERVING])
async def test_a_page_320_pixels_wide_needs_no_sideways_scroll(
    site: Site, state: CounterState, lang: str
) -> None:
    number = None if state is CounterState.FREE else "A1042"
    site.branch.windows[2] = Window(state, number, 3)
    site.branch.line = [("B1001", 125)] * 9
    page = await site.open(f"/counter/2?lang={lang}", {"width": 320, "height": 640})
    assert await width(page) == 320
    boxes = await page.evaluate(
        "[...document.querySelectorAll('button, header a')].map(e => e.getBoundingClientRect())"
        ".filter(b => b.width).map(b => [b.width, b.height])"
    )
    assert all(across >= 44 and down >= 44 for across, down in boxes), boxes


async def test_the_language_changes_by_its_link(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    assert await page.get_attribute("html", "lang") == "zh-CN"
    await page.click("text=English")
    assert await text(page, "h1") == "Counter 2"
    assert await page.get_attribute("html", "lang") == "en"
    await page.click("text=中文")
    assert await text(page, "h1") == "2 号窗口"


async def test_a_counter_that_is_not_there_leads_to_those_that_are(site: Site) -> None:
    page = await site.open("/counter/7", DESK)
    site.errors.clear()  # the browser logs the 404
    assert await text(page, "h1") == "没有 7 号窗口"
    await page.click("text=5 号窗口")
    assert page.url.startswith(site.url + "/counter/5")


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_the_public_promises_fit_and_take_turns(site: Site, lang: str) -> None:
    branch = site.branch
    branch.promises = [(30, 152, 143), (40, 208, 190), (20, 61, 60), (45, 12, 11)]
    shown = "() => [...document.querySelectorAll('footer [data-promise]')]\
.filter((line) => line.offsetWidth).map((line) => line.dataset.promise).join('')"
    page = await site.open(f"/?lang={lang}", TV, time=0)
    letters = [letter for letter, _, _ in branch.services][:4]
    assert await page.evaluate(shown) == "".join(letters[:3])
    first = f"[data-promise={letters[0]}] [data-kept]"
    assert (
        await text(page, first) == {"zh": "152 人中 94% 做到", "en": "kept for 94% of 152"}[lang]
    )
    branch.promises[0] = (30, 153, 143)
    branch.touch()
    await see(page, first, {"zh": "153 人中 93% 做到", "en": "kept for 93% of 153"}[lang])
    clipped = await page.evaluate(
        "() => [...document.querySelectorAll('footer, footer .lines, footer .lines > *')]"
        ".filter((part) => part.offsetWidth && part.scrollWidth > part.clientWidth"
        " && getComputedStyle(part).display !== 'inline').map((part) => part.textContent)"
    )
    assert clipped == []
    edge = await page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('footer *')]"
        ".map((part) => part.getBoundingClientRect().right))"
    )
    assert edge <= TV["width"]
    await page.clock.run_for(10_500)
    assert await page.evaluate(shown) == letters[3]


@pytest.mark.parametrize("settings", [{"stale_s": 0.4, "refresh_s": 0.1}])
async def test_a_stale_board_says_nothing_of_kept_promises(site: Site) -> None:
    site.branch.promises = [(30, 152, 143)]
    page = await site.open("/", TV)
    assert await page.is_visible("[data-kept]")
    site.branch.frozen = True
    await page.wait_for_selector("body.stale")
    assert not await page.is_visible("[data-kept]")
    assert await page.is_visible("[data-longest]")
