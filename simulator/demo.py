"""``lobby demo``: a whole branch on this machine. Real broker, server, kiosk window and pad
firmware; simulated hands.

Everything runs on real time; arrivals and services are divided by ``speed``, timers that a bank
configures
stay real. At the end an independent count compares what people remember with what the branch
stored.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from PIL import Image

from hal.sim.pad import PtyPad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TRAY_FILE, PtyPrinter, SlipTray
from hal.sim.speaker import SpeakerBench
from simulator import branch_plan, report
from simulator.demo_accounts import GUEST, make_accounts
from simulator.errors import MissingProgram, NotStarted
from simulator.hearing import count_announcements
from simulator.mosquitto import Mosquitto
from simulator.oracle import Audit, Memory, audit
from simulator.parts import Part, Parts, lobby_command, start_xvfb
from simulator.people import Plan
from simulator.screen import Screen

LINE_BYTES_PER_S = 11_520
"""The printer's line: 115200 baud, 10 bits a byte."""
START_S = 60.0
DRAIN_S = 15.0
PICTURE_AT = 0.6
"""Share of the day after which the pictures are taken; without an end, after so many real seconds:
ENDLESS_S.
"""
ENDLESS_S = 40.0
CHROMIUM_S = 60.0
SHORT_PATH = 50
"""Characters of a path that leave room for what Chromium puts behind it."""
CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--window-size=1920,1080", "--force-prefers-reduced-motion",
)  # fmt: skip


_Benches = dict[int, tuple[str, str]]
"""Files of keys and lamps, by counter."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """``minutes`` are the branch's, None runs until it is stopped; ``out`` gets the pictures."""

    minutes: float | None = 120.0
    speed: float = 60.0
    seed: int = 1
    headless: bool = True
    out: Path = Path("out/demo")
    port: int = 8080
    arrivals_per_hour: float = branch_plan.ARRIVALS_PER_HOUR
    modes_share: float = 0.0
    dawdle_share: float = 0.0


@dataclass(slots=True)
class Demo:
    """One run. ``say`` prints a line, ``progress`` gets the people's counts as they go."""

    options: DemoOptions
    version: str
    say: Callable[[str], None]
    progress: Callable[[dict[str, int]], None] = lambda _counts: None
    watch: Callable[[int, Screen], Awaitable[None]] | None = None
    """Looks at the kiosk's process and screen until it is cancelled, before the kiosk ends."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _pictures: list[str] = field(default_factory=list)
    _branch_s: float = 0.0
    _closing: bool = False
    _announcements: dict[str, int] = field(default_factory=dict)

    async def run(self) -> dict[str, Any]:
        """Play; returns the report's table. Raises SimulatorError, HalError. Ctrl-C closes the
        doors.
        """
        began_s = time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        self.options.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="lobby-demo-") as name:
            folder = Path(name)
            parts = Parts(folder)
            broker: Mosquitto | None = None
            try:
                broker = await asyncio.to_thread(Mosquitto, folder)
                self.say(f"{broker.version} on {broker.host}:{broker.port}")
                found, interpreter = await self._with_devices(folder, parts, broker)
            except BaseException:
                self._keep_logs(folder)
                raise
            finally:
                await parts.stop_all()
                if broker is not None:
                    await asyncio.to_thread(broker.stop)
            if not found.clean:
                self._keep_logs(folder)
        speed = self.options.speed
        return report.build(
            found,
            version=self.version,
            seed=self.options.seed,
            speed=speed,
            simulated_s=self._branch_s,
            wall_s=time.monotonic() - began_s,
            waits_s=[wait_ms / 1000 * speed for wait_ms in found.waits_ms],
            interpreter=interpreter,
            broker=broker.version,
            pictures=self._pictures,
            announcements=self._announcements,
        )

    async def _with_devices(
        self, folder: Path, parts: Parts, broker: Mosquitto
    ) -> tuple[Audit, str]:
        """Plug in the printer and the pads, then the rest."""
        tray = SlipTray(folder)
        last_slip: list[Any] = []

        def slip_out(slip: Any) -> None:
            tray.take(slip)
            last_slip[:] = [slip]

        printer = PtyPrinter(
            SimPrinter(on_slip=slip_out, bytes_per_s=LINE_BYTES_PER_S), folder / "printer"
        )
        speaker = SpeakerBench(folder, self.options.speed)
        speaker.plug_in()
        keys = folder / "kiosk" / "pads"
        keys.mkdir(parents=True)
        pads, callers = _pads(folder)
        boards = [*pads.values(), *(pad for n, pad in callers.items() if pad is not pads[n])]
        for pad in boards:
            pad.share_key(keys)
        try:
            await printer.plug_in()
            for pad in boards:
                await pad.start()
            interpreter = next(iter(pads.values())).interpreter
            self.say(f"1 printer, {len(boards)} pads under {interpreter}")
            places = branch_plan.Places(
                folder,
                broker.port,
                printer.address,
                {n: pad.address for n, pad in pads.items()},
                {n: pad.address for n, pad in callers.items()},
                speaker.address,
            )
            found = await self._with_programs(places, parts, _benches(pads), _benches(callers))
        finally:
            for pad in boards:
                await pad.stop()
            await printer.unplug()
        self._announcements, wrong = count_announcements(speaker.heard(), places.branch_db)
        found.violations.extend(wrong)
        if last_slip:
            self._save("slip.png", last_slip[0].image())
        return found, interpreter

    async def _with_programs(
        self, places: branch_plan.Places, parts: Parts, benches: _Benches, callers: _Benches
    ) -> Audit:
        folder, options = places.folder, self.options
        accounts = await asyncio.to_thread(make_accounts, folder)
        url, server = await self._start_branch(places, parts)
        if not options.headless:
            self.say(f"sign in  {GUEST}, password {accounts.password}")
        display = None if options.headless else os.environ.get("DISPLAY")
        size = branch_plan.LARGE if display is None else branch_plan.SMALL
        if display is None:
            display = await start_xvfb(parts, size[0], size[1])
        kiosk_file = folder / "kiosk.toml"
        toml = branch_plan.kiosk_toml(places, size, fullscreen=options.headless)
        kiosk_file.write_text(toml, "utf-8")
        kiosk = await parts.start(
            "kiosk", *lobby_command("kiosk", "--config", str(kiosk_file)), env={"DISPLAY": display}
        )
        screen = await self._answering(parts, Screen.connect(places.bench, START_S))
        await self._answering(parts, self._open(screen, url))
        self.say(f"kiosk window {size[0]} x {size[1]} on display {display}")
        plan = Plan(
            bench=str(places.bench),
            tray=str(folder / TRAY_FILE),
            diary=str(folder / "diary.jsonl"),
            http=url.rstrip("/"),
            pads=benches,
            mix=branch_plan.MIX,
            arrivals_per_hour=options.arrivals_per_hour,
            service_s=branch_plan.SERVICE_S,
            rating_share=branch_plan.RATING_SHARE,
            speed=options.speed,
            seed=options.seed,
            minutes=options.minutes,
            callers=callers,
            token=accounts.token,
            modes_share=options.modes_share,
            dawdle_share=options.dawdle_share,
        )
        plan_file = folder / "plan.json"
        plan_file.write_bytes(msgspec.json.encode(plan))
        people = await parts.start(
            "people", sys.executable, "-m", "simulator.people", str(plan_file), piped=True
        )
        pictures = asyncio.create_task(self._take_pictures(screen, url, folder))
        watching = None
        if self.watch is not None:
            watching = asyncio.ensure_future(self.watch(kiosk.process.pid, screen))
        try:
            await self._watch(parts, people)
            if options.minutes is not None:  # on a slow machine the day is over sooner
                await asyncio.wait((pictures,), timeout=CHROMIUM_S)
        finally:
            looking = [task for task in (pictures, watching) if task is not None]
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
        await self._drained(url, places)
        await screen.close()
        await parts.stop(kiosk)
        await parts.stop(server)
        memory = Memory.of(folder / "diary.jsonl")
        if not options.headless:
            memory.alone = False
            _add_guests(memory, folder / TRAY_FILE)
        return audit(places.branch_db, [places.journal], memory)

    async def _start_branch(self, places: branch_plan.Places, parts: Parts) -> tuple[str, Part]:
        file = places.folder / "branch.toml"
        file.write_text(
            branch_plan.branch_toml(places, self.options.port, self.options.speed), "utf-8"
        )
        part = await parts.start(
            "branch", *lobby_command("branch", "--config", str(file)), piped=True
        )
        url = ""
        assert part.process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                for _ in range(2 + len(branch_plan.COUNTERS)):
                    line = (await part.process.stdout.readline()).decode().strip()
                    if not line:
                        break
                    self.say(line)
                    url = url or line.split()[1]
        except TimeoutError:
            pass
        if not url:
            await part.process.wait()
            raise NotStarted(f"the branch server did not start: {part.last_words()}")
        return url, part

    async def _open(self, screen: Screen, url: str) -> None:
        """Wait until the kiosk shows its first screen and the server has heard of it."""
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(START_S):
            while (await screen.describe()).screen != "home":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
            while (await self._health(http, url)).get("nodes", {}).get("kiosk-1") != "online":  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def _answering(self, parts: Parts, work: Any) -> Any:
        """Wait for ``work`` while every part runs. Raises NotStarted with the last words of one
        that ended.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                parts.check()
                await asyncio.wait((task,), timeout=0.2)
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        try:
            return task.result()
        except TimeoutError:
            raise NotStarted(f"the kiosk was not ready after {START_S:g} s") from None

    async def _watch(self, parts: Parts, people: Part) -> None:
        """Follow the people until they go home; Ctrl-C closes the doors once, a second one stops
        everything.
        """
        assert people.process.stdout is not None
        stopping = asyncio.create_task(self._stop.wait())
        reading = asyncio.create_task(people.process.stdout.readline())
        try:
            while True:
                waiting = {reading} if self._stop.is_set() else {reading, stopping}
                await asyncio.wait(waiting, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done() and people.process.returncode is None and not self._closing:
                    self._closing = True
                    self.say("closing the doors; those inside are still served")
                    people.process.send_signal(signal.SIGTERM)
                if reading.done():
                    line = reading.result()
                    if not line:
                        break
                    counts = msgspec.json.decode(line, type=dict[str, int])
                    self._branch_s = float(counts.pop("branch_s"))
                    self.progress({"branch_s": int(self._branch_s), **counts})
                    reading = asyncio.create_task(people.process.stdout.readline())
                elif people.process.returncode is None:
                    parts.check()
        finally:
            reading.cancel()
            stopping.cancel()
        if await people.process.wait() != 0:
            raise NotStarted(f"the people gave up: {people.last_words()}")

    async def _take_pictures(self, screen: Screen, url: str, folder: Path) -> None:
        """kiosk.png and board.png, while the branch is busy."""
        options = self.options
        delay_s = ENDLESS_S
        if options.minutes is not None:
            delay_s = options.minutes * 60 / options.speed * PICTURE_AT
        await asyncio.sleep(delay_s)
        for _ in range(400):
            seen = await screen.describe()
            if seen.screen == "home" and seen.language == "zh_CN":
                target = folder / "kiosk.png"
                await screen.screenshot(target)
                if (await screen.describe()).revision == seen.revision:
                    self._save("kiosk.png", Image.open(target))
                    break
            await asyncio.sleep(0.05)
        await self._picture_of_board(url)

    async def _picture_of_board(self, url: str) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            raise MissingProgram(
                "chromium is not installed; run `make setup`, or `apt-get install chromium`"
            )
        target = self.options.out / "board.png"
        # Chromium keeps sockets there, whose paths may not have more than 107 characters.
        short = tempfile.gettempdir() if len(tempfile.gettempdir()) < SHORT_PATH else "/tmp"
        with tempfile.TemporaryDirectory(prefix="lobby-chromium-", dir=short) as profile:
            process = await asyncio.create_subprocess_exec(
                program, *CHROMIUM_FLAGS, f"--user-data-dir={profile}", f"--screenshot={target}",
                url, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "TMPDIR": profile},
            )  # fmt: skip
            try:
                await asyncio.wait_for(process.wait(), CHROMIUM_S)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if target.exists():
            self._pictures.append(str(target))
        else:
            self.say(f"chromium drew no picture of the board (status {process.returncode})")

    async def _drained(self, url: str, places: branch_plan.Places) -> None:
        """Wait until the server has what the kiosk journalled: the count must not race the
        line.
        """
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + DRAIN_S
        async with httpx.AsyncClient(trust_env=False) as http:
            before = -1
            while loop.time() < give_up_s:
                await asyncio.sleep(0.5)
                events = (await self._health(http, url)).get("events", 0)
                if events == before:
                    return
                before = events

    @staticmethod
    async def _health(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
        with contextlib.suppress(httpx.TransportError, ValueError):
            answer: dict[str, Any] = (await http.get(f"{url.rstrip('/')}/healthz")).json()
            return answer
        return {}

    def _save(self, name: str, picture: Image.Image) -> None:
        target = self.options.out / name
        picture.save(target)
        self._pictures.append(str(target))

    def _keep_logs(self, folder: Path) -> None:
        """After a failure the logs and the databases stay, next to the pictures."""
        target = self.options.out / "failed"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in [*folder.glob("*.log"), *folder.glob("*.jsonl"), *folder.rglob("*.db*")]:
            if path.is_file():
                shutil.copy(path, target / path.name)
        self.say(f"logs and databases are kept in {target}")


def _pads(folder: Path) -> tuple[dict[int, PtyPad], dict[int, PtyPad]]:
    """The visitors' pads and the tellers', by counter; one board may be both."""
    pads: dict[int, PtyPad] = {}
    callers: dict[int, PtyPad] = {}
    for n in branch_plan.COUNTERS:
        shared = branch_plan.CALLER_PADS.get(n) not in (None, "apart")
        roles = ("rating", "caller") if shared else ("rating",)
        pads[n] = PtyPad(folder, f"pad-{n}", key=os.urandom(32), roles=roles)
        if shared:
            callers[n] = pads[n]
        elif n in branch_plan.CALLER_PADS:
            callers[n] = PtyPad(folder, f"caller-{n}", key=os.urandom(32), roles=("caller",))
    return pads, callers


def _benches(pads: dict[int, PtyPad]) -> _Benches:
    return {n: (str(pad.keys_path), str(pad.leds_path)) for n, pad in pads.items()}


def _add_guests(memory: Memory, tray: Path) -> None:
    """On a real display a guest may tap too: a slip that no simulated person took is the
    guest's.
    """
    if not tray.exists():
        return
    taken = set(memory.held)
    for line in tray.read_bytes().splitlines():
        number = msgspec.json.decode(line)["number"]
        if number not in taken:
            memory.tapped += 1
            memory.shown.append(number)
            memory.held.append(number)
