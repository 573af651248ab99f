"""A branch as a teller meets it: the server in a process of its own, a real mosquitto, tickets as
a kiosk sends them, pages in a real Chromium. The tellers have a keyboard and eyes, nothing else.
"""

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, Page, async_playwright

from branch.access.accounts import Accounts
from branch.access.config import AccessConfig
from branch.access.passwords import Passwords, new_password
from branch.access.roles import Role
from simulator.mosquitto import Mosquitto, free_port
from simulator.parts import Part, Parts, lobby_command
from sync.messages import Clk, IssuedData, State, decode
from sync.mqtt import MqttTransport
from sync.topics import EVT, SRV_STATE
from sync.transport import Message
from tests.ui.web_site import DESK, FLAGS
from tests.unit.branch.events import START_MS, Stream

SOON_S = 20.0
GUARD_MS = 450
"""Longer than a page swallows a second press. The pages' clock is moved on by it."""
BRANCH = """
node = "branch-1"
[branch]
zh = "示例支行"
en = "Example branch"
[http]
port = {http}
[broker]
host = "{host}"
port = {port}
[queue]
call_gap_s = 0.1
[[services]]
letter = "A"
zh = "现金"
en = "Cash"
cash = true
[[services]]
letter = "B"
zh = "非现金"
en = "Accounts"
[[services]]
letter = "C"
zh = "对公"
en = "Business"
[[counters]]
number = 2
services = ["A", "B"]
pad_node = "kiosk-1"
[[counters]]
number = 3
services = ["B", "C"]
"""
ACCOUNT = "teller-1"
ABOUT_TELLERS = {"ticket", "service", "counter"}
"""What a teller's command makes an event of; the server notes broken standards besides."""


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several programs, no common event
            await asyncio.sleep(0.02)


@dataclass
class Teller:
    """One teller: presses keys, reads the page, and notes what each press was meant to do."""

    page: Page
    counter: int
    account: str
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    """(event type, ticket's number, fields that matter), in order."""

    async def key(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for one in keys:
            await self.page.keyboard.press(one)

    async def types(self, text: str) -> None:
        await self.page.keyboard.type(text)

    async def ready(self) -> None:
        """The moment in which the page swallows a second press is over."""
        await self.page.clock.fast_forward(GUARD_MS)
        await self.page.wait_for_selector("body:not([data-guarded])")

    async def reads(self, selector: str, pattern: str) -> str:
        """Wait until this part of the page says so; returns what it says."""
        await self.page.wait_for_function(
            "([where, what]) => [...document.querySelectorAll(where)]"
            ".some((e) => e.checkVisibility() && new RegExp(what).test(e.innerText))",
            arg=[selector, pattern],
        )
        return (await self.page.locator(selector).first.inner_text()).strip()

    async def state(self, state: str) -> None:
        await self.page.wait_for_selector(f"body[data-state={state}]")
        await self.ready()

    async def number(self) -> str:
        return (await self.page.inner_text(".current .number")).strip()

    def meant(self, event: str, number: str, **fields: Any) -> None:
        if event == "counter.opened":
            fields["teller"] = self.account
        self.diary.append((event, number, fields))

    # --- whole steps --------------------------------------------------------------------------

    async def call(self, number: str, reason: str = "") -> None:
        """F9: this one must come, for this reason."""
        await self.key("F9")
        await self.reads(".current .number", f"^{number}$")
        await self.state("calling")
        if not any(event == "counter.opened" for event, _, _ in self.diary):
            self.meant("counter.opened", "")  # it stood open, for nobody: now it is this teller's
        self.meant("ticket.called", number, reason=reason)

    async def start(self) -> None:
        await self.key("Enter")
        await self.state("serving")
        self.meant("service.started", await self.number())

    async def finish(self) -> None:
        """Enter: the visit ends here."""
        number = await self.number()
        await self.key("Enter")
        await self.state("free")
        self.meant("service.ended", number)

    async def serve(self, number: str, reason: str = "") -> None:
        await self.call(number, reason)
        await self.start()
        await self.finish()


class TellerHouse:
    """Starts and ends everything. ``issue`` is the kiosk's verb; ``kill`` and ``start`` again are
    what happens to servers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issued: dict[str, int] = {}
        """Number -> Unix ms of issue."""
        self._stream = Stream("kiosk-1")
        self._starts: list[State] = []
        self._names = itertools.count(1)
        self.errors: list[str] = []

    async def __aenter__(self) -> Self:
        self._way_down = AsyncExitStack()
        broker = await asyncio.to_thread(Mosquitto, self.folder)
        self._way_down.callback(broker.stop)
        self.port = free_port(broker.host)
        self.url = f"http://127.0.0.1:{self.port}"
        toml = BRANCH.format(host=broker.host, port=broker.port, http=self.port)
        (self.folder / "branch.toml").write_text(toml, "utf-8")
        self._password = new_password()
        accounts = Accounts(self.folder / AccessConfig().accounts)
        made = accounts.add(ACCOUNT, Role.TELLER, Passwords().hash(self._password), 0)
        self._account = made.id
        accounts.close()
        self._parts = Parts(self.folder)
        self._way_down.push_async_callback(self._parts.stop_all)
        self._kiosk = MqttTransport(host=broker.host, port=broker.port, client_id="kiosk-1")
        self._kiosk.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=self._hear)
        self._kiosk.subscribe(SRV_STATE.of())
        await self._kiosk.start()
        self._way_down.push_async_callback(self._kiosk.stop)
        self.server = await self.start()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        assert chromium, "no Chromium: `make setup` installs it"
        playwright = await self._way_down.enter_async_context(async_playwright())
        self.browser: Browser = await playwright.chromium.launch(
            executable_path=chromium, args=FLAGS
        )
        self._way_down.push_async_callback(self.browser.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._way_down.aclose()

    async def start(self) -> Part:
        """Start the server, wait until it is there."""
        known = len(self._starts)
        self.server = await self._parts.start(
            "branch", *lobby_command("branch", "--config", str(self.folder / "branch.toml"))
        )
        await until(lambda: len(self._starts) > known and self._starts[-1].status == "online")
        return self.server

    async def kill(self) -> None:
        """The server dies where it stands."""
        self.server.process.send_signal(signal.SIGKILL)
        await self.server.process.wait()

    async def teller(self, counter: int, lang: str = "zh", **page: Any) -> Teller:
        """Somebody sits down at a counter's page and signs in."""
        options = {"viewport": DESK, **page}
        opened = await self.browser.new_page(**options)
        opened.set_default_timeout(15000)
        opened.on("pageerror", lambda error: self.errors.append(str(error)))
        await opened.clock.install()
        await opened.goto(f"{self.url}/counter/{counter}?lang={lang}")
        teller = Teller(opened, counter, self._account)
        await teller.types(ACCOUNT)
        await teller.key("Tab")
        await teller.types(self._password)
        await teller.key("Enter")
        await opened.wait_for_url(f"**/counter/{counter}?lang={lang}")
        await teller.ready()
        return teller

    async def issue(self, *numbers: str, segment: str = "ordinary", ago_s: float = 0.0) -> None:
        """A kiosk has given these, in this order; the server has them."""
        first = len(self._stream.raws)
        for place, number in enumerate(numbers):
            now = time.time_ns() // 1_000_000 - round(ago_s * 1000) + place
            at, clk = (
                now - START_MS,
                Clk(boot="b", mono_ms=now - START_MS, quality="ntp", err_ms=1),
            )
            data = IssuedData(
                number=number, service=number[0], segment=segment, language="zh",
                business_date=datetime.now().astimezone().date().isoformat(), band=1,
                request=f"touch-{next(self._names)}",
            )  # fmt: skip
            ticket = self._stream.make("ticket.issued", data, "self", at, clk=clk)
            self._stream.printed(ticket.id, at)
            self.issued[number] = now
        raws = self._stream.raws[first:]
        self._kiosk.publish(EVT, EVT.of(node="kiosk-1"), b"[" + b",".join(raws) + b"]")
        await until(
            lambda: numbers[-1] in {row[0] for row in self.rows("SELECT number FROM ticket")}
        )

    def _hear(self, messages: list[Message]) -> None:
        for message in messages:
            self._starts.append(decode(message.payload, State))
            message.done()

    # --- the independent count ----------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the server's file says, read by plain SQL."""
        path = self.folder / "branch.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return list(db.execute(sql))

    def ledger(self) -> list[dict[str, Any]]:
        """The server's own events about tickets and counters as they were written, in order."""
        rows = self.rows("SELECT raw FROM event WHERE node = 'branch-1' ORDER BY seq")
        events = [json.loads(raw) for (raw,) in rows]
        return [e for e in events if e["type"].split(".")[0] in ABOUT_TELLERS]

    def numbers(self) -> dict[str, str]:
        """Ticket id -> number, from the events alone."""
        raws = self.rows("SELECT raw FROM event WHERE type = 'ticket.issued'")
        return {
            event["id"]: event["data"]["number"] for (raw,) in raws for event in [json.loads(raw)]
        }
