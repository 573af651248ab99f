"""Simulated people, in a process of their own: visitors at the kiosk, tellers at their pages,
fingers on the pads.

They see the screen's description and the slips, use the tellers' HTTP interface and the pads'
keys, and write
a diary of what they did and saw. The diary is the oracle's only witness. Times in the plan are the
branch's;
real seconds are branch seconds divided by ``speed``.

``python -m simulator.people PLAN.json``
"""

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hal.errors import HalError
from hal.sim.pad import PadBench
from simulator.errors import NotStarted, SimulatorError
from simulator.screen import Description, Screen
from simulator.tellers import PadTeller, PageTeller, Teller

QUESTION = frozenset({"reason", "thanks"})
"""After somebody else's low rating at a counter, and after a finger that met its answers."""
SLIP_S = 12.0
"""How long a visitor waits for the slip before asking for help."""
TAP_AGAIN_S = 1.0
HAND_S = 0.42
"""The screen takes no touch for 400 ms after one it took; nobody is faster than that from key to
key.
"""
CLEARS_SCREEN = 0.8
"""Share of visitors who press "done" when they have their slip."""
LOOK_S = 0.05
NOBODY_S = 0.15
LAMP_S = 1.5
"""How long a customer looks whether the pad lights up."""
PRESS_DELAY_S = (0.08, 0.5)
DOUBLE_TOUCH = 0.1
OTHER_LANGUAGE = 0.1
DAWDLE_S = 120.0
"""Longer than the kiosk waits before it asks, in large print too."""
NO_SHOW = 0.04
STRAY_PRESS = 0.03
WALK_S = 12.0
CALL_AGAIN_S = 21.0
"""A little more than the branch lets pass between two calls."""
PAUSE_S = 15.0
SERVICE_SHAPE = 3
"""Erlang-3 service times: less spread than exponential, as measured at counters."""
SCORES = (1, 2, 3, 4, 4, 5, 5, 5, 5, 5)
CLOSING_S = 1_200.0
"""After the doors close, those inside are still served for so long (branch time)."""


class Plan(msgspec.Struct, frozen=True):
    """What the demo tells its people. ``mix`` is visitors by service letter; ``minutes`` None:
    until told to stop. ``callers`` are the pads of the tellers that have one, by counter. The
    tellers at pages act by ``token``. ``modes_share`` of the visitors want other screens,
    ``dawdle_share`` stand there until the kiosk asks whether they do.
    """

    bench: str
    tray: str
    diary: str
    http: str
    pads: dict[int, tuple[str, str]]
    mix: dict[str, float]
    arrivals_per_hour: float
    service_s: float
    rating_share: float
    speed: float
    seed: int
    minutes: float | None = None
    callers: dict[int, tuple[str, str]] = {}
    token: str = ""
    modes_share: float = 0.0
    dawdle_share: float = 0.0


class People:
    """Everybody in the branch."""

    def __init__(self, plan: Plan, screen: Screen, http: httpx.AsyncClient) -> None:
        self._plan = plan
        self._screen = screen
        self._http = http
        self._diary = Path(plan.diary).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._line: asyncio.Queue[str] = asyncio.Queue()
        self._doors_open = True
        self._told = asyncio.Event()
        self._slips_read = 0
        self._hand_free_s = 0.0
        self.counts: Counter[str] = Counter()

    async def live(self) -> None:
        """Open the doors, serve, close, serve those inside, go home."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        tellers = [
            asyncio.create_task(self._teller(counter)) for counter in sorted(self._plan.pads)
        ]
        background = [
            asyncio.create_task(self._report(began_s)),
            asyncio.create_task(self._kiosk_line()),
        ]
        try:
            await self._first_failure(self._arrivals(), tellers, background)
            self._doors_open = False
            await self._first_failure(self._serve_those_inside(tellers), tellers, background)
        finally:
            for task in (*tellers, *background):
                task.cancel()
            await asyncio.gather(*tellers, *background, return_exceptions=True)
            self._tell(began_s)
            self._diary.close()

    def close_doors(self) -> None:
        """Let nobody in any more."""
        self._told.set()

    @staticmethod
    async def _first_failure(work: Awaitable[None], *watched: list["asyncio.Task[None]"]) -> None:
        """Wait for ``work``; what fails in the background fails here."""
        main = asyncio.ensure_future(work)
        others = [task for group in watched for task in group if not task.done()]
        while not main.done():
            done, _ = await asyncio.wait((main, *others), return_when=asyncio.FIRST_COMPLETED)
            for task in done - {main}:
                others.remove(task)
                task.result()
        main.result()

    async def _arrivals(self) -> None:
        plan = self._plan
        loop = asyncio.get_running_loop()
        chance = random.Random(f"{plan.seed}-arrivals")
        end_s = None if plan.minutes is None else loop.time() + self._real(plan.minutes * 60)
        letters, weights = list(plan.mix), list(plan.mix.values())
        while True:
            pause_s = self._real(chance.expovariate(plan.arrivals_per_hour / 3600))
            if end_s is not None:
                pause_s = min(pause_s, max(0.0, end_s - loop.time()))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):  # wait_for may swallow a cancel
                    await self._told.wait()
            if self._told.is_set() or (end_s is not None and loop.time() >= end_s):
                return
            self._line.put_nowait(chance.choices(letters, weights)[0])

    async def _serve_those_inside(self, tellers: list["asyncio.Task[None]"]) -> None:
        await self._line.join()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(2.0, self._real(CLOSING_S))):
                await asyncio.gather(*tellers)

    # --- at the kiosk -----------------------------------------------------------------------

    async def _kiosk_line(self) -> None:
        chance = random.Random(f"{self._plan.seed}-visitors")
        while True:
            letter = await self._line.get()
            await self._visit(letter, chance)
            self._line.task_done()

    async def _visit(self, letter: str, chance: random.Random) -> None:
        seen = await self._clear_screen()
        if chance.random() < OTHER_LANGUAGE and "language" in seen.controls:
            await self._touch(seen, "language")
            await self._screen.describe_after(seen.revision, TAP_AGAIN_S)
            seen = await self._clear_screen()  # somebody's question may have come up
        if self._plan.modes_share and chance.random() < self._plan.modes_share:
            seen = await self._choose_modes(seen, chance)
        if self._plan.dawdle_share and chance.random() < self._plan.dawdle_share:
            seen = await self._dawdle(seen, chance)
        tile = f"service.{letter}"
        offered = [name for name in seen.controls if name.startswith("service.")]
        if tile not in offered:  # large print shows two services and a person
            tile = chance.choice(offered)
        self._note("tapped", service=tile[-1])
        await self._touch(seen, tile, twice=chance.random() < DOUBLE_TOUCH)
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + SLIP_S
        while seen.screen in {"home", *QUESTION} and loop.time() < give_up_s:
            seen = await self._after_touch(seen)
            if seen.screen in QUESTION:
                seen = await self._clear_screen()  # it came under the finger
            if tile in seen.controls:
                await self._touch(seen, tile)
        if seen.screen not in ("ticket", "no_slip"):
            self._note("refused", screen=seen.screen)
            return
        number = seen.largest_text
        self._note("shown", number=number)
        self.counts["tickets"] += 1
        await self._take_slip(number, seen)
        if chance.random() < CLEARS_SCREEN:
            seen = await self._screen.describe()
            if "done" in seen.controls:
                await self._touch(seen, "done")

    async def _choose_modes(self, seen: Description, chance: random.Random) -> Description:
        """Switch some modes on, look, and go back to the first screen."""
        await self._touch(seen, "access")
        seen = await self._after_touch(seen)
        for name in ("access.simple", "access.low", "access.contrast", "access.left"):
            if name in seen.controls and chance.random() < 0.5:
                await self._touch(seen, name)
                seen = await self._screen.describe_after(seen.revision, TAP_AGAIN_S)
        if "access.go" in seen.controls:
            await self._touch(seen, "access.go")
        self.counts["modes"] += 1
        return await self._clear_screen()

    async def _dawdle(self, seen: Description, chance: random.Random) -> Description:
        """Change the language and stand there until the warning has counted a little."""
        await self._touch(seen, "language")
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + DAWDLE_S
        while seen.screen != "idle" and loop.time() < give_up_s:
            seen = await self._screen.describe_after(seen.revision, TAP_AGAIN_S)
        if seen.screen == "idle":
            self.counts["warnings"] += 1
            await asyncio.sleep(chance.uniform(0, 4))
            seen = await self._screen.describe()
            answer = chance.choice(("stay", "finish"))
            if answer in seen.controls:
                await self._touch(seen, answer)
        return await self._clear_screen()

    async def _take_slip(self, number: str, seen: Description) -> None:
        """Wait for the paper; without it, read the number again and confirm it."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + SLIP_S
        while loop.time() < give_up_s:
            if any(slip == number for slip in self._new_slips()):
                self._note("held", number=number)
                return
            if seen.screen == "no_slip":
                self._note("acknowledged", number=number)
                await self._touch(seen, "acknowledge")
                return
            seen = await self._screen.describe_after(seen.revision, LOOK_S)
        self._note("no_slip", number=number)

    async def _clear_screen(self) -> Description:
        """The next visitor's touch clears what the one before left."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + 3 * SLIP_S
        seen = await self._screen.describe()
        while seen.screen != "home":
            for control in ("done", "acknowledge", "finish", "access.go", "back", "skip"):
                if control in seen.controls:
                    await self._touch(seen, control)
            if loop.time() > give_up_s:
                raise NotStarted(f"the kiosk's screen stays at {seen.screen!r}")
            seen = await self._screen.describe_after(seen.revision, TAP_AGAIN_S)
        return seen

    async def _touch(self, seen: Description, control: str, *, twice: bool = False) -> None:
        """Touch a control, as soon as a hand can; ``twice`` is the double touch of an impatient
        finger.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._hand_free_s - loop.time())
        self._note("touched", control=control)
        await self._screen.tap(seen.controls[control])
        if twice:
            await self._screen.tap(seen.controls[control])
        self._hand_free_s = loop.time() + HAND_S

    async def _after_touch(self, seen: Description) -> Description:
        """The screen once it is another than ``seen``, or after the patience of a finger."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + TAP_AGAIN_S
        now = seen
        while now.screen == seen.screen and (left_s := give_up_s - loop.time()) > 0:
            now = await self._screen.describe_after(now.revision, left_s)
        return now

    def _new_slips(self) -> list[str]:
        """Numbers of the slips that came out since the last look."""
        tray = Path(self._plan.tray)
        if not tray.exists():
            return []
        with tray.open("rb") as file:
            file.seek(self._slips_read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._slips_read += len(whole)
        slips = [json.loads(line) for line in whole.splitlines()]
        return [slip["number"] for slip in slips if slip["complete"]]

    # --- at the counters --------------------------------------------------------------------

    async def _teller(self, counter: int) -> None:
        plan = self._plan
        chance = random.Random(f"{plan.seed}-teller-{counter}")
        pad = PadBench(*plan.pads[counter])
        teller = self._hands(counter, chance)
        while True:
            if not await teller.call():
                if not self._doors_open and self._line.empty():
                    return
                await asyncio.sleep(NOBODY_S)
                continue
            self.counts["called"] += 1
            await self._sleep(WALK_S)
            if chance.random() < NO_SHOW:
                await self._sleep(CALL_AGAIN_S - WALK_S)
                await teller.recall()
                await self._sleep(WALK_S)
                await teller.miss()
                continue
            await teller.start()
            rate = SERVICE_SHAPE / plan.service_s
            await self._sleep(chance.gammavariate(SERVICE_SHAPE, 1 / rate))
            await teller.finish()
            self.counts["served"] += 1
            await self._rate(counter, pad, chance)
            await self._sleep(PAUSE_S)

    def _hands(self, counter: int, chance: random.Random) -> Teller:
        """A pad's keys where the teller has them, else the page."""
        paths = self._plan.callers.get(counter)
        if paths is not None:
            return PadTeller(PadBench(*paths), counter, self._note)
        return PageTeller(self._http, f"{self._plan.http}/api/counters/{counter}", chance)

    async def _rate(self, counter: int, pad: PadBench, chance: random.Random) -> None:
        """Press a key if the pad lights up; now and then somebody presses a dark pad."""
        wants = chance.random() < self._plan.rating_share
        lit = await pad.wait_for_leds((True,) * 5, LAMP_S) if wants else False
        stray = chance.random() < STRAY_PRESS
        if not (lit or stray):
            return
        await asyncio.sleep(chance.uniform(*PRESS_DELAY_S))
        score = chance.choice(SCORES)
        try:
            await pad.press(score)
        except HalError:
            return
        self._note("pressed", counter=counter, score=score)
        self.counts["pressed"] += 1

    # --- the rest ---------------------------------------------------------------------------

    def _real(self, branch_s: float) -> float:
        return branch_s / self._plan.speed

    async def _sleep(self, branch_s: float) -> None:
        await asyncio.sleep(self._real(branch_s))

    def _note(self, did: str, **details: Any) -> None:
        at_s = round(asyncio.get_running_loop().time(), 3)
        self._diary.write(json.dumps({"did": did, "at_s": at_s, **details}) + "\n")

    async def _report(self, began_s: float) -> None:
        while True:
            self._tell(began_s)
            await asyncio.sleep(0.5)

    def _tell(self, began_s: float) -> None:
        passed_s = (asyncio.get_running_loop().time() - began_s) * self._plan.speed
        sys.stdout.write(json.dumps({"branch_s": round(passed_s), **self.counts}) + "\n")
        sys.stdout.flush()


async def live(plan: Plan) -> None:
    """Play the plan; SIGTERM closes the doors. Raises SimulatorError."""
    screen = await Screen.connect(Path(plan.bench), 60.0)
    headers = {"Authorization": f"Bearer {plan.token}"} if plan.token else {}
    async with httpx.AsyncClient(timeout=10, trust_env=False, headers=headers) as http:
        people = People(plan, screen, http)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, people.close_doors)
        await people.live()
    await screen.close()


def main(plan_path: str) -> int:
    """Exit status 0 when the day was played to its end."""
    plan = msgspec.json.decode(Path(plan_path).read_bytes(), type=Plan)
    try:
        asyncio.run(live(plan))
    except SimulatorError as error:
        sys.stderr.write(f"people: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
