"""A branch on one morning, for ``lobby prove visits``: the kiosk and the branch server as a bank
starts them, with the configuration of ``deploy/``, behind a real broker; printer, card reader and
loudspeaker at the far end of their wires.

It is 10:24 on 23 November for both programs when the house opens (:mod:`simulator.prove.at`), so
that pictures taken within the minute show one clock.
"""

import asyncio
import contextlib
import hashlib
import hmac
import random
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from hal.sim.card import SimSerialReader
from hal.sim.keypad import SimSerialKeys
from hal.sim.printer import SimPrinter, Stream
from hal.sim.printer_ports import TRAY_FILE, PtyPrinter, Served, SlipTray
from hal.sim.speaker import SpeakerBench
from simulator.errors import NotStarted
from simulator.mosquitto import Mosquitto
from simulator.parts import Part, Parts, start_xvfb
from simulator.prove.databases import looking_into, mark, top
from simulator.screen import Screen
from simulator.tellers import PageTeller
from simulator.toml import toml

DEPLOY = Path(__file__).parents[2] / "deploy"
OPENS = datetime(2026, 11, 23, 10, 24, tzinfo=UTC)
SIZE = (1080, 1920)
START_S, SOON_S, LOOK_S = 60.0, 20.0, 0.05
HEARD_FASTER = 20.0
SALT = bytes(range(32))
CARD_DOMAIN = b"lobby card 1\0"
TOKEN_BYTES = 16
TRIAGE = {
    "documents": [
        {"zh": "本人身份证", "en": "Your ID card", "note_zh": "原件，复印件不行",
         "note_en": "original, no copy", "icon": "id"},
        {"zh": "银行卡或存折", "en": "Card or passbook", "note_zh": "挂失可不带",
         "note_en": "not if lost", "icon": "card"},
    ],
    "machine_min": 5,
}  # fmt: skip
"""What the second service asks for, where the configuration says nothing."""

Device = TypeVar("Device")
APPOINTMENT = {"code": "482915", "service": "B", "at": "2026-11-23T10:25"}
"""The one that the branch has."""
QUIET = {
    "quiet_s": 30.0,
    "slide_s": 120.0,
    "slides": [
        {"zh": "验证码，谁也不给", "en": "Keep your codes secret", "icon": "warn",
         "text_zh": ["银行的人不问您的验证码。"], "text_en": ["Nobody at the bank asks."]},
    ],
}  # fmt: skip
"""What is shown where nobody is: as soon and for as long as may be, for the pictures."""


class Socket(Generic[Device]):
    """Where a device stands at the end of its cable; ``make`` makes it of its end of the line."""

    def __init__(self, make: Callable[[Stream], Device]) -> None:
        self._make = make
        self._device: Device | None = None

    async def serve(self, stream: Stream) -> None:
        """Be there until the host hangs up."""
        self._device = self._make(stream)
        await asyncio.Event().wait()

    @property
    def device(self) -> Device:
        """The device, which was plugged in."""
        assert self._device is not None
        return self._device


class House:
    """One branch, open for one visitor. ``data_dir`` is the kiosk's. ``guide``: the kiosk has the
    keys and the speaker of the audio guide.
    """

    def __init__(self, folder: Path, data_dir: Path | None = None, *, guide: bool = False) -> None:
        self.folder = folder
        self.data_dir = data_dir or folder / "kiosk"
        self.printer = SimPrinter(on_slip=self._slip_out)
        self.card = Socket(SimSerialReader)
        self.keys = Socket(SimSerialKeys)
        self.guide = guide
        self.ear = SpeakerBench(folder / "ear", HEARD_FASTER)
        self.speaker = SpeakerBench(folder, HEARD_FASTER)
        self.copies = 1
        """How often a slip comes out; more than once is a fault of ours, to see the count fail."""
        self._tray = SlipTray(folder)
        self._parts = Parts(folder)
        self._branch: Part | None = None
        self._teller: PageTeller | None = None

    @property
    def journal(self) -> Path:
        """The kiosk's journal."""
        return self.data_dir / "journal.db"

    @property
    def branch_db(self) -> Path:
        """The branch server's database."""
        return self.folder / "branch.db"

    @contextlib.asynccontextmanager
    async def open(
        self, change: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> AsyncIterator["House"]:
        """Switch everything on, and off at the end; ``change`` may alter the kiosk's
        configuration. Raises NotStarted, MissingProgram.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as down:
            self.broker = await asyncio.to_thread(Mosquitto, self.folder)
            down.callback(self.broker.stop)
            down.push_async_callback(self._parts.stop_all)
            devices: dict[str, Served] = {"printer": self.printer, "card": self.card}
            if self.guide:
                devices["keys"] = self.keys
                self.ear.folder.mkdir(exist_ok=True)
                self.ear.plug_in()
            for name, device in devices.items():
                port = PtyPrinter(device, self.folder / name)
                await port.plug_in()
                down.push_async_callback(port.unplug)
            self.speaker.plug_in()
            self._configure(change)
            display = await start_xvfb(self._parts, *SIZE)
            self._off_s = round(OPENS.timestamp() - time.time())
            await self._start("kiosk", DISPLAY=display)
            self._http = await down.enter_async_context(
                httpx.AsyncClient(timeout=SOON_S, trust_env=False)
            )
            await self.branch_on()
            self.screen: Screen = await self._while_running(
                Screen.connect(self.folder / "bench.sock", START_S)
            )
            down.push_async_callback(self.screen.close)
            await self._while_running(self._drawn())
            await self.until(self._online)
            yield self

    def _configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """The files of deploy/, with the places and the devices of this house."""
        folder = self.folder
        (self.data_dir / "card.salt").write_bytes(SALT)
        kiosk = tomllib.loads((DEPLOY / "kiosk.toml").read_text("utf-8"))
        kiosk |= {"production": False, "data_dir": str(self.data_dir), "pads": []}
        kiosk["broker"]["port"] = self.broker.port
        kiosk["printer"]["address"] = f"serial:{folder / 'printer'}"
        kiosk["card_reader"] = {"address": f"serial:{folder / 'card'}"}
        if self.guide:
            kiosk["keys"] = {"backend": "serial", "address": f"serial:{folder / 'keys'}"}
            kiosk["speaker"] = {"address": self.ear.address}
            kiosk["content"] = QUIET
        kiosk["bench"] = {"socket": "bench.sock"}
        for service in kiosk["services"]:
            if service["letter"] == "B":
                service.update({**TRIAGE, **service})
        change(kiosk)
        (folder / "kiosk.toml").write_text(toml(kiosk), "utf-8")
        branch = tomllib.loads((DEPLOY / "branch.toml").read_text("utf-8"))
        branch["appointments"] = str(folder / "appointments.json")
        (folder / "appointments.json").write_bytes(msgspec.json.encode([APPOINTMENT]))
        branch["database"] = f"sqlite:///{self.branch_db}"
        branch["http"] |= {"port": 0, "port_search": True}
        branch["access"] = {"enabled": False}
        branch["broker"]["port"] = self.broker.port
        branch["announcements"] |= {"enabled": True, "address": self.speaker.address}
        for counter in branch["counters"]:
            counter["pad_node"] = ""
        (folder / "branch.toml").write_text(toml(branch), "utf-8")

    async def _start(self, program: str, *, piped: bool = False, **env: str) -> Part:
        """Start the kiosk or the branch server at the time of the house."""
        file = str(self.folder / f"{program}.toml")
        return await self._parts.start(
            program, sys.executable, "-m", "simulator.prove.at", str(self._off_s),
            program, "--config", file, env={"TZ": "UTC", **env}, piped=piped,
        )  # fmt: skip

    # --- the branch server ------------------------------------------------------------------

    async def branch_on(self) -> None:
        """Start the branch server. Raises NotStarted."""
        part = self._branch = await self._start("branch", piped=True)
        assert part.process.stdout is not None
        async with asyncio.timeout(START_S):
            line = (await part.process.stdout.readline()).decode()
        if not line.strip():
            await part.process.wait()
            raise NotStarted(f"the branch server did not start: {part.last_words()}")
        self._url = line.split()[1].rstrip("/")

    async def branch_off(self) -> None:
        """Switch the branch server off; the broker stays."""
        assert self._branch is not None
        await self._parts.stop(self._branch)

    async def board(self) -> str:
        """What the call board says to everybody: its page and its data."""
        answers = [await self._http.get(f"{self._url}{path}") for path in ("/", "/api/board")]
        return "\n".join(answer.text for answer in answers)

    async def call(self, counter: int) -> bool:
        """The teller at ``counter`` calls who is next; whether there was somebody."""
        url = f"{self._url}/api/counters/{counter}"
        return await PageTeller(self._http, url, random.Random()).call()

    async def _online(self) -> bool:
        health = (await self._http.get(f"{self._url}/healthz")).json()
        return bool(health.get("nodes", {}).get("kiosk-1") == "online")

    def tickets(self) -> list[dict[str, Any]]:
        """Number, segment, paper and outcome of each ticket that the branch has stored."""
        names = ("number", "segment", "paper", "outcome")
        with looking_into(self.branch_db) as db:
            rows = db.execute(f"SELECT {', '.join(names)} FROM ticket ORDER BY number").fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    # --- the kiosk --------------------------------------------------------------------------

    async def _drawn(self) -> None:
        async with asyncio.timeout(START_S):
            while (await self.screen.describe()).screen != "home":  # noqa: ASYNC110 - a process
                await asyncio.sleep(LOOK_S)

    def knows_card(self, number: str, segment: str) -> None:
        """The branch has told the kiosk of this card: its salted token and the segment."""
        secret = CARD_DOMAIN + number.encode()
        token = hmac.new(SALT, secret, hashlib.sha256).digest()[:TOKEN_BYTES].hex()
        (self.data_dir / "cards.json").write_bytes(msgspec.json.encode({token: segment}))

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and data of all that the kiosk has journalled, in order."""
        with looking_into(self.journal) as db:
            rows = db.execute("SELECT type, raw FROM event ORDER BY seq").fetchall()
        return [(kind, msgspec.json.decode(raw)["data"]) for kind, raw in rows]

    def paper(self) -> list[str]:
        """What the kiosk keeps of each ticket's paper: printed, shown (and acknowledged), ..."""
        with looking_into(self.journal) as db:
            return [state for (state,) in db.execute("SELECT state FROM paper").fetchall()]

    async def drained(self) -> None:
        """Wait until the branch has all that the kiosk has journalled. Raises NotStarted."""
        await self.until(lambda: mark(self.branch_db, "kiosk-1") >= top(self.journal))

    def slips(self) -> list[dict[str, Any]]:
        """What lies in the tray: number, lines, complete and more of each."""
        path = self.folder / TRAY_FILE
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line) for line in lines]

    def _slip_out(self, slip: Any) -> None:
        for _ in range(self.copies):
            self._tray.take(slip)

    # --- waiting ----------------------------------------------------------------------------

    async def until(self, true: Callable[[], Any], within_s: float = SOON_S) -> None:
        """Wait for what other processes bring about; ``true`` may be a coroutine function. Raises
        NotStarted.
        """
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + within_s
        while True:
            found = true()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            if loop.time() > give_up_s:
                raise NotStarted(f"waited {within_s:g} s in vain for {true}")
            await asyncio.sleep(LOOK_S)

    async def _while_running(self, work: Any) -> Any:
        """Wait for ``work`` while every part runs. Raises NotStarted."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self._parts.check()
                await asyncio.wait((task,), timeout=0.2)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
