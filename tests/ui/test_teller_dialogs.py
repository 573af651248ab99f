"""The teller's dialogs in a real Chromium: keys, focus, one command an intent, 320 pixels."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from branch.commands import CallTicket, Park, ServeNow, TagTicket, Transfer, Unpark
from branch.view import CounterState
from branch.web.actions import KEYS
from branch.web.app import create_app
from branch.web.server import bind, serve
from tests.ui.web_branch import ToyBranch, Window
from tests.ui.web_site import DESK, Site, see, settled, text, width

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NARROW = {"width": 320, "height": 640}
SERVING = ("transfer", "park", "unpark", "rejoin", "postpone", "tag", "keys")
FREE = ("call-ticket", "walk-in")


@pytest_asyncio.fixture(loop_scope="module")
async def site(browser: Browser) -> AsyncIterator[Site]:
    branch = ToyBranch()
    branch.line = [("A036", 26), ("A038", 9), ("B018", 22), ("B019", 19)]
    branch.parked, branch.missed = ["A012", "A014"], ["B003"]
    branch.windows[2] = Window(CounterState.SERVING, "B017", 1)
    app = create_app(branch, version="1")
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


def free(site: Site) -> None:
    """Nobody is at counter 2."""
    site.branch.windows[2] = Window()
    site.branch.touch()


async def ask(page: Page, name: str) -> None:
    """Open a dialog by its key."""
    await settled(page)
    await page.keyboard.press(KEYS[name])
    await page.wait_for_selector(f"#ask-{name}[open]")


async def closed(page: Page) -> None:
    await page.wait_for_function("() => !document.querySelector('dialog[open]')")


FOCUS = """() => {
  const at = document.activeElement;
  const ring = at.matches('[type=radio], [type=checkbox]') ? at.closest('label') : at;
  return {
    inside: !!at.closest('dialog[open]'),
    name: at.name || at.className || at.id,
    ring: getComputedStyle(ring).outlineWidth,
  };
}"""


@pytest.mark.parametrize("name", SERVING + FREE)
async def test_a_dialog_holds_the_focus_and_escape_gives_it_back(site: Site, name: str) -> None:
    if name in FREE:
        free(site)
    page = await site.open("/counter/2", DESK)
    before = await page.evaluate("document.activeElement.id")
    await ask(page, name)
    seen: list[object] = []
    for _ in range(9):
        focus = await page.evaluate(FOCUS)
        assert focus["inside"], (name, seen)
        assert focus["ring"] == "4px", (name, focus)
        seen.append(focus["name"])
        await page.keyboard.press("Tab")
    stops = len(set(seen))
    assert seen[:stops] == seen[stops : 2 * stops][: len(seen[:stops])] or 2 * stops > len(seen)
    await page.keyboard.press("F9")  # keys of the page rest
    await page.keyboard.press("Escape")
    await closed(page)
    assert await page.evaluate("document.activeElement.id") == before == "primary"
    assert site.branch.commands_done == []


async def test_the_last_stop_leads_to_the_first_and_back(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    await ask(page, "park")
    assert (await page.evaluate(FOCUS))["name"] == "minutes"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate("document.activeElement.hasAttribute('data-cancel')")
    await page.keyboard.press("Tab")
    assert (await page.evaluate(FOCUS))["name"] == "minutes"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")  # on "cancel"
    await closed(page)
    assert site.branch.commands_done == []


async def test_each_command_carries_what_was_chosen(site: Site) -> None:
    page = await site.open("/counter/2", DESK)

    async def done() -> Any:
        await closed(page)
        await settled(page)
        return site.branch.commands.pop()[0]

    await ask(page, "transfer")
    await page.keyboard.press("c")
    await page.keyboard.press("Tab")
    await page.keyboard.type("5")
    for key in ("Tab", "Space", "Tab"):
        await page.keyboard.press(key)
    await page.keyboard.type("form")
    await page.keyboard.press("Enter")
    assert await done() == Transfer(service="C", counter=5, back=True, note="form signed")
    await ask(page, "park")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert await done() == Park(minutes=5)
    await ask(page, "unpark")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert await done() == Unpark(number="A014")
    await ask(page, "tag")
    await page.keyboard.type("z9")  # in no list: the server says what of it
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert await done() == TagTicket(number="Z9", segment="elderly")
    free(site)
    await page.wait_for_selector("body[data-state=free]")
    await ask(page, "call-ticket")
    await page.keyboard.type("b0")
    await see(page, "#ask-call-ticket [role=option]:first-child b", "B018")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("5")
    await page.keyboard.press("Enter")
    assert await done() == CallTicket(number="B019", reason="manager")
    await ask(page, "walk-in")
    await page.keyboard.press("d")
    await page.keyboard.press("Enter")
    assert await done() == ServeNow(service="D")


async def test_what_is_missing_is_said_in_the_dialog(site: Site) -> None:
    free(site)
    page = await site.open("/counter/2", DESK)
    await ask(page, "call-ticket")
    await page.keyboard.press("Enter")
    alert = "#ask-call-ticket [role=alert]"
    await see(page, alert, "请先给出号码。")
    await page.keyboard.type("A036")
    await page.keyboard.press("Enter")
    await see(page, alert, "请先选原因。")
    assert (await page.evaluate(FOCUS))["name"] == "reason"
    assert site.branch.commands_done == []


async def test_a_double_press_in_a_dialog_is_one_command(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    await ask(page, "park")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await closed(page)
    await settled(page)
    await page.dblclick(".other[data-action=park]")  # opens it, and presses nothing in it
    await page.wait_for_selector("#ask-park[open]")
    await settled(page)
    await page.dblclick("#ask-park .primary")
    await closed(page)
    await settled(page)
    assert [name for name, _, _ in site.branch.commands_done] == ["park", "park"]
    assert len({key for _, key in site.branch.commands}) == 2


async def test_while_a_command_is_under_way_no_other_is_sent(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    sent: list[str] = []
    answer = asyncio.Event()

    async def slow(route: Route) -> None:
        sent.append(route.request.url.rsplit("/", 1)[1])
        await answer.wait()
        await route.continue_()

    await page.route("**/api/counters/**", slow)
    await ask(page, "park")
    for _ in range(3):
        await page.keyboard.press("Enter")
    await page.click("#ask-park .primary", force=True)
    await page.keyboard.press("Escape")  # the dialog goes, the command stays
    await closed(page)
    for key in ("F6", "Enter", "F9"):
        await page.keyboard.press(key)
    assert await page.locator("dialog[open]").count() == 0
    assert sent == ["park"]
    answer.set()
    await see(page, "#done", "B017 已暂存。")
    await settled(page)
    assert sent == ["park"]
    assert [name for name, _, _ in site.branch.commands_done] == ["park"]


async def test_an_unanswered_command_keeps_its_key_until_it_is_another_intent(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    keys: list[str] = []

    async def no_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) < 4:
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/park", no_answer)
    await ask(page, "park")
    alert = "#ask-park [role=alert]"
    for _ in range(2):
        await page.keyboard.press("Enter")
        await see(page, alert, "没有送到服务器。请再按一次，不会重复。")
        await settled(page)
    await page.keyboard.press("ArrowDown")
    for _ in range(2):
        await page.keyboard.press("Enter")
        await settled(page)
    await closed(page)
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert [command for command, _ in site.branch.commands] == [Park(minutes=5)]
    site.errors.clear()  # the browser logs the answers that it did not get


async def test_a_stale_page_is_told_so_and_looks_again(site: Site) -> None:
    """The stream says nothing (and what it said is no longer shared): the page asks by itself."""
    page = await site.open("/counter/2?lang=en", DESK)
    await page.wait_for_function("() => document.querySelector('#elapsed').innerText > '00:01'")
    site.branch.frozen = True
    site.branch.windows[2] = Window(CounterState.CALLING, "A040", 1, turn=7)
    await ask(page, "park")
    await page.keyboard.press("Enter")
    await see(page, ".current .number", "A040")
    await closed(page)
    await see(
        page, "#refusal", "The counter has changed since: nothing was done. Look and press again."
    )
    site.errors.clear()  # the browser logs every 409
    assert site.branch.commands_done == []
    await settled(page)
    await page.keyboard.press("Enter")
    await page.wait_for_function("() => !document.body.hasAttribute('data-guarded')")
    assert [name for name, _, _ in site.branch.commands_done] == ["start"]
    site.branch.frozen = False
    site.branch.touch()


async def test_the_page_sends_its_turn_and_the_token_of_its_session(site: Site) -> None:
    site.branch.windows[2].turn = 41
    page = await site.open("/counter/2", DESK)
    sent: list[dict[str, str]] = []
    page.on("request", lambda request: sent.append(request.headers))
    await settled(page)
    await ask(page, "park")
    await page.keyboard.press("Enter")
    await closed(page)
    posts = [headers for headers in sent if "idempotency-key" in headers]
    assert [headers["counter-turn"] for headers in posts] == ["41"]
    assert "x-csrf-token" not in posts[0]
    await page.evaluate(
        "document.head.append(Object.assign(document.createElement('meta'),"
        " {name: 'csrf-token', content: 'of-this-session'}))"
    )
    await ask(page, "park")
    await page.keyboard.press("Enter")
    await closed(page)
    (last,) = [h for h in sent if "idempotency-key" in h][1:]
    assert last["x-csrf-token"] == "of-this-session"


async def test_who_listens_hears_roles_names_and_the_call(site: Site) -> None:
    page = await site.open("/counter/2?lang=en", DESK)
    await ask(page, "transfer")
    dialog = page.get_by_role("dialog", name="Transfer B017")
    assert await dialog.get_by_role("radio", name="C Business").count() == 1
    assert await dialog.get_by_role("combobox", name="Counter").count() == 1
    assert await dialog.get_by_role("checkbox", name="Comes back here afterwards").count() == 1
    assert await dialog.get_by_role("combobox", name="Note for the next teller").count() == 1
    await page.keyboard.press("Escape")
    await closed(page)
    await ask(page, "unpark")
    active = page.locator("[role=combobox]:focus")
    option = await active.get_attribute("aria-activedescendant")
    assert "A012" in await text(page, f"#{option}")
    assert await page.get_attribute(f"#{option}", "aria-selected") == "true"
    await page.keyboard.press("Escape")
    site.branch.windows[2] = Window(CounterState.CALLING, "A038", 1, reason="segment")
    site.branch.touch()
    await see(page, "#said", "Calling A038, Called before others: Priority customer")
    assert await page.get_attribute("#said", "role") == "status"
    assert await page.get_by_role("group", name="This counter").count() == 1


async def test_every_button_shows_its_key_and_each_key_is_one_action(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    shown = await page.evaluate(
        "[...document.querySelectorAll('button[data-action]')]"
        ".map((b) => [b.dataset.action, b.querySelector('kbd').innerText || b.dataset.key])"
    )
    assert dict(shown) == {name: KEYS[name] for name, _ in shown}
    assert set(dict(shown)) == set(KEYS) - {"start"}
    keys = [key for key in KEYS.values() if key != "Enter"]
    assert len(set(keys)) == len(keys)
    await ask(page, "keys")
    table = await text(page, "#ask-keys dl")
    assert all(key in table for key in KEYS.values())


CLIPPED = """(root) => {
  const wrong = [];
  const parts = 'button,a,label,legend,h1,h2,dt,dd,li,input,select,p,b,time,kbd,span';
  const targets = 'button, a, select, input[type=text], label:has(input), [role=option]';
  for (const e of document.querySelector(root).querySelectorAll(parts)) {
    if (!e.checkVisibility() || e.closest('.unseen')) continue;
    const box = e.getBoundingClientRect();
    const name = `${e.tagName} ${e.className} "${e.innerText || e.name}"`;
    if (box.left < 0 || box.right > innerWidth + 0.5) wrong.push(name + ' outside');
    const whole = getComputedStyle(e).display !== 'inline' && e.tagName !== 'SELECT';
    if (whole && e.scrollWidth > e.clientWidth + 1) wrong.push(name + ' too wide');
    const high = e.scrollHeight > e.clientHeight + 1;
    if (e.matches('button') && high) wrong.push(name + ' too high');
    if (e.matches(targets) && (box.width < 44 || box.height < 44)) wrong.push(name + ' small');
  }
  return wrong;
}"""


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [(768, 1024), (1024, 768), (1280, 800), (1920, 1080)])
async def test_the_longest_number_fits_every_screen(
    site: Site, size: tuple[int, int], lang: str
) -> None:
    site.branch.windows[2] = Window(CounterState.CALLING, "A1042", 3, reason="appointment")
    page = await site.open(f"/counter/2?lang={lang}", {"width": size[0], "height": size[1]})
    assert await page.evaluate(CLIPPED, "body") == []
    assert await width(page) == size[0]


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_nothing_is_clipped_at_320_pixels(site: Site, lang: str) -> None:
    long = Window(
        CounterState.SERVING, "A1042", 3, pad="lost", segment="disabled", reason="appointment",
        note="a note of eighty characters, which is all that the server takes from a page 12",
    )  # fmt: skip
    site.branch.windows[2] = long
    site.branch.line = [("B1001", 125), ("A1002", 28), *site.branch.line]
    page = await site.open(f"/counter/2?lang={lang}", NARROW)

    async def fits(where: str, root: str) -> None:
        assert await page.evaluate(CLIPPED, root) == [], where
        assert await width(page) == 320, where

    for window in (long, Window(CounterState.CALLING, "A1042", 1), Window(CounterState.PAUSED)):
        site.branch.windows[2] = window
        site.branch.touch()
        await page.wait_for_selector(f"body[data-state={window.state.value}]")
        await fits(window.state.value, "body")
    for window, names in ((long, SERVING), (Window(), FREE)):
        site.branch.windows[2] = window
        site.branch.touch()
        await page.wait_for_selector(f"body[data-state={window.state.value}]")
        for name in names:
            await ask(page, name)
            await page.evaluate("dialogs.refuse('X'.repeat(20))")
            await fits(name, f"#ask-{name}")
            wide = f"(d => d.scrollWidth - d.clientWidth)(document.getElementById('ask-{name}'))"
            assert await page.evaluate(wide) <= 0, name
            await page.keyboard.press("Escape")
            await closed(page)


async def test_an_answer_that_comes_after_its_news_still_names_the_ticket(site: Site) -> None:
    page = await site.open("/counter/2", DESK)
    number = "B017"

    async def late(route: Route) -> None:
        answer = await route.fetch()
        free(site)
        await page.wait_for_selector("body[data-state=free]")
        await route.fulfill(response=answer)

    await page.route("**/park", late)
    await ask(page, "park")
    await page.keyboard.press("Enter")
    await closed(page)
    await page.wait_for_function(
        "(number) => document.querySelector('#done').innerText.includes(number)", arg=number
    )
