"""What the tests of the pages share: a site with its browser, and how to read a page."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, Request

from tests.ui.web_branch import ToyBranch

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TV = {"width": 1920, "height": 1080}
DESK = {"width": 1280, "height": 800}
WITHIN_MS = 15_000
"""A page that does not show by then what happened never will. How soon it does is measured by
`lobby bench calling`."""


@dataclass
class Site:
    """A running server, a browser, and everything that a page of it complained of or asked for."""

    branch: ToyBranch
    url: str
    browser: Browser
    stop: asyncio.Event
    serving: asyncio.Task[None]
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def open(self, path: str, size: dict[str, int], **clock: Any) -> Page:
        page = await self.browser.new_page(viewport=size)  # type: ignore[arg-type]
        page.set_default_timeout(WITHIN_MS)
        page.on("request", lambda request: self._note(request))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text))
        if clock:
            await page.clock.install(**clock)
        await page.goto(self.url + path)
        return page

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)


async def text(page: Page, selector: str) -> str:
    return (await page.inner_text(selector)).strip()


async def see(page: Page, selector: str, expected: str, within_ms: int = WITHIN_MS) -> None:
    """Wait until the element shows exactly this."""
    await page.wait_for_function(
        "([where, what]) => document.querySelector(where)?.innerText.trim() === what",
        arg=[selector, expected],
        timeout=within_ms,
    )


async def settled(page: Page) -> None:
    """The page takes the next press: the time in which it swallows a second one is over."""
    await page.wait_for_selector("body:not([data-guarded])")


async def width(page: Page) -> int:
    return int(await page.evaluate("document.documentElement.scrollWidth"))


OVERLAPS = """() => {
  const parts = 'h1,h2,.date,time,.number,.digits,.label,.letter,.name,'
    + '.people,.wait,.unknown,footer p,.band b,.band span';
  const seen = [...document.querySelectorAll(parts)].filter((e) => e.getClientRects().length);
  const box = (e) => {  // across as far as the text goes, down as far as its em
    const range = document.createRange();
    range.selectNodeContents(e);
    const text = range.getBoundingClientRect();
    const em = parseFloat(getComputedStyle(e).fontSize);
    const top = (text.top + text.bottom - em) / 2;
    const cut = getComputedStyle(e).overflow === 'hidden';
    const right = cut ? Math.min(text.right, e.getBoundingClientRect().right) : text.right;
    return { left: text.left, right, top, bottom: top + em, height: em };
  };
  const boxes = seen.map((e) => [e.className || e.tagName, e, box(e)]);
  const wrong = [];
  const frame = document.body.getBoundingClientRect();
  for (const [name, e, b] of boxes) {
    const outside = b.left < frame.left || b.right > frame.right || b.bottom > frame.bottom;
    if (outside) wrong.push(name + ' outside');
    for (const [other, f, c] of boxes) {
      if (e === f || e.contains(f) || f.contains(e)) continue;
      const across = Math.min(b.right, c.right) - Math.max(b.left, c.left);
      const down = Math.min(b.bottom, c.bottom) - Math.max(b.top, c.top);
      const both = across > 1 && down > Math.min(b.height, c.height) / 2;
      if (both) wrong.push(e.innerText + ' on ' + f.innerText);
    }
  }
  return wrong;
}"""
