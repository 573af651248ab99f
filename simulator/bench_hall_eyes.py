"""Who looks at the boards of the full hall: plain readers of event streams, real Chromium, the
board's topic. Each notes when it first saw which number.
"""

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

from branch.displays import ZONE
from simulator.errors import MissingProgram, NotStarted
from simulator.mosquitto import Mosquitto
from sync.messages import BoardState, decode
from sync.mqtt import MqttTransport
from sync.topics import BOARD
from sync.transport import Message

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NUMBER = re.compile(rb'"number":"([^"]+)"')
LOOK = """
window.firstSeen = {};
const look = () => {
  const shown = '#plate:not([hidden]) #number, #recent li:not([hidden]) .number';
  for (const element of document.querySelectorAll(shown)) {
    const number = element.textContent.trim();
    if (number && !(number in window.firstSeen)) window.firstSeen[number] = Date.now();
  }
};
const everything = { subtree: true, childList: true, characterData: true, attributes: true };
new MutationObserver(look).observe(document, everything);
"""
"""The first moment at which a number can be read on the board, by the page's own clock."""


@dataclass
class Seen:
    """When which one of a kind first saw which number (Unix s)."""

    first: dict[tuple[int, str], float] = field(default_factory=dict)

    def at(self, index: int) -> Callable[[str], None]:
        """What one of them tells each number."""
        return lambda number: self.note(index, number, time.time())

    def note(self, index: int, number: str, at_s: float) -> None:
        """The first time counts."""
        self.first.setdefault((index, number), at_s)


class Reader:
    """One open event stream, read as bytes: a hundred of them cost this process little."""

    def __init__(self, address: SplitResult, path: str, told: Callable[[str], None]) -> None:
        self._host, self._port = address.hostname or "", address.port or 80
        self._path = path
        self._told = told
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Returns when the first event has come. Raises NotStarted."""
        reader, self._writer = await asyncio.open_connection(self._host, self._port)
        request = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n"
        self._writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.decode().splitlines()[0]
        if " 200 " not in status:
            raise NotStarted(f"{self._path}: {status}")
        self._task = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            for number in NUMBER.findall(line):
                self._told(number.decode())

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()


class BoardTopic:
    """Who reads the board's topic of the feed."""

    def __init__(self, broker: Mosquitto, told: Callable[[str], None]) -> None:
        self._told = told
        self._up = asyncio.Event()
        self._transport = MqttTransport(
            host=broker.host, port=broker.port, client_id="bench-board"
        )
        self._transport.listen(
            on_up=self._up.set, on_down=lambda _: None, on_messages=self._received
        )
        self._transport.subscribe(BOARD.of(zone=ZONE))

    async def open(self) -> None:
        """Returns when it is connected."""
        await self._transport.start()
        await self._up.wait()

    async def close(self) -> None:
        """Hang up."""
        await self._transport.stop()

    def _received(self, messages: list[Message]) -> None:
        for message in messages:
            for call in decode(message.payload, BoardState).calls:
                self._told(call.number)
            message.done()


class Browsers:
    """Boards in real Chromium, each in a profile of its own."""

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        self._pages: list[Any] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Browsers"]:
        """Open them. Raises MissingProgram."""
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            from playwright.async_api import async_playwright
        except ImportError:
            chromium = None
        if chromium is None:
            raise MissingProgram("chromium and playwright are needed here; run `make setup`")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for _ in range(self._count):
                context = await browser.new_context(viewport={"width": 1920, "height": 1080})
                page = await context.new_page()
                await page.add_init_script(LOOK)
                await page.goto(self._url + "/")
                self._pages.append(page)
            try:
                yield self
            finally:
                await browser.close()

    async def look(self, seen: Seen) -> None:
        """Fetch what the pages have noted."""
        for index, page in enumerate(self._pages):
            noted: dict[str, float] = await page.evaluate("window.firstSeen")
            for number, at_ms in noted.items():
                seen.note(index, number, at_ms / 1000)
