"""A visitor before the real kiosk: looks at the screen's description, touches controls by their
names, says why, and keeps what was seen: a picture of each step, what is read aloud, the taps.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.errors import SimulatorError
from simulator.prove.visits_house import House
from simulator.prove.visits_transcript import Step, Visit
from simulator.screen import Description

NUMBER = re.compile(r"[A-Z]\d{3,4}")
TAKE_SLIP = ("请取小票", "Take your slip")
MOVING, TURN_S = frozenset({"ticket"}), 1.8
"""Screens with something that moves, and a turn of it."""
SOON_S = 20.0
LOOK_S = 0.05
HAND_S = 0.42
"""The screen takes no touch for 400 ms after one it took."""


class Lost(SimulatorError):
    """The visitor waited for a screen that did not come."""


def on(screen: str, *controls: str, words: str = "") -> Callable[[Description], bool]:
    """Whether this screen is up, with these controls and a text that contains ``words``."""

    def shown(seen: Description) -> bool:
        return (
            seen.screen == screen
            and all(control in seen.controls for control in controls)
            and (not words or any(words in text["text"] for text in seen.texts))
        )

    return shown


def speaks(language: str) -> Callable[[Description], bool]:
    """Whether the screen is in this language."""
    return lambda seen: seen.language == language


def slip_out(seen: Description) -> bool:
    """Whether the screen says that the slip is there."""
    return any(on("ticket", words=words)(seen) for words in TAKE_SLIP)


class Visitor:
    """One person. Pictures go to ``folder``; ``spoiled`` is what goes wrong on purpose."""

    def __init__(
        self, house: House, visit: Visit, folder: Path, spoiled: frozenset[str] = frozenset()
    ) -> None:
        self.house = house
        self.visit = visit
        self.spoiled = spoiled
        self._folder = folder
        self._free_s = 0.0

    async def look(self) -> Description:
        """What is on the screen now; every number there is remembered."""
        seen = await self.house.screen.describe()
        for text in seen.texts:
            if NUMBER.fullmatch(text["text"]):
                found = (seen.screen, text["text"])
                if found not in self.visit.numbers:
                    self.visit.numbers.append(found)
        return seen

    async def sees(
        self, words: str, until: Callable[[Description], bool], within_s: float = SOON_S
    ) -> Description:
        """Wait for a screen, without touching anything."""
        seen = await self.wait(words, until, within_s)
        return await self.keep(words, seen)

    def reaches(self, seen: Description) -> None:
        """Note the upper edge (px) of the highest control of a screen."""
        highest = min(control["rect"][1] for control in seen.controls.values())
        self.visit.facts.setdefault("highest_px", []).append(highest)

    async def taps(
        self,
        control: str,
        words: str,
        until: Callable[[Description], bool],
        *,
        mode: bool = False,
        picture: bool = True,
    ) -> Description:
        """Touch a control and wait for what comes of it; ``mode``: it only asks for another way
        of being served.
        """
        spoken = await self._touch(control)
        self.visit.mode_taps += mode
        seen = await self.wait(words, until)
        return await self.keep(words, seen, tap=control, spoken=spoken, picture=picture)

    async def types(
        self, code: str, words: str, until: Callable[[Description], bool]
    ) -> Description:
        """Touch a digit after the other and wait for what comes of it."""
        spoken = [await self._touch(f"digit.{digit}") for digit in code]
        seen = await self.wait(words, until)
        return await self.keep(words, seen, tap="digit.…", spoken=" ".join(spoken))

    async def leaves(self, control: str, words: str) -> None:
        """Touch the last control; the first screen is the next visitor's, so it gets no
        picture.
        """
        await self.taps(control, words, on("home"), picture=False)

    async def _touch(self, control: str) -> str:
        """One tap; what is read aloud of the control. Raises Lost where it is not there."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._free_s - loop.time())
        seen = await self.look()
        if control not in seen.controls:
            raise Lost(
                f"{self.visit.name}: no {control!r} on {seen.screen}: {list(seen.controls)}"
            )
        target = seen.controls[control]
        await self.house.screen.tap(target)
        self._free_s = loop.time() + HAND_S
        self.visit.taps += 1
        return str(target["spoken"])

    async def wait(
        self, words: str, until: Callable[[Description], bool], within_s: float = SOON_S
    ) -> Description:
        """Look until it is there. Raises Lost."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + within_s
        while not until(seen := await self.look()):
            if loop.time() > give_up_s:
                texts = [text["text"] for text in seen.texts]
                raise Lost(f"{self.visit.name}: after {words!r} it shows {seen.screen}: {texts}")
            await asyncio.sleep(LOOK_S)
        return seen

    async def keep(
        self,
        words: str,
        seen: Description,
        *,
        tap: str = "",
        spoken: str = "",
        picture: bool = True,
        keys: Sequence[str] = (),
        heard: Sequence[str] = (),
    ) -> Description:
        """Write a step down; what is seen in the end, in the frame of its picture."""
        visit = self.visit
        if visit.ticket_taps < 0 and visit.numbers:
            visit.ticket_taps = visit.taps - visit.mode_taps
            visit.ticket_presses = visit.presses
        file = f"{visit.name}-{len(visit.steps) + 1}.png" if picture else ""
        if picture:
            seen = await self._photograph(self._folder / file, seen)
        texts = [text["text"] for text in seen.texts]
        cut = [text["text"] for text in seen.texts if text["shortened"]]
        step = Step(
            words, tap, spoken, visit.taps, seen.screen, seen.language, texts, cut, file,
            list(keys), list(heard),
        )  # fmt: skip
        visit.steps.append(step)
        return seen

    async def _photograph(self, path: Path, seen: Description) -> Description:
        """A picture and the description of the same frame, once two pictures are alike: a button
        comes up after its finger. Of a screen that moves it is the phase whose file sorts first,
        so that two runs keep the same one.
        """
        loop = asyncio.get_running_loop()
        moves = seen.screen in MOVING
        until_s = loop.time() + TURN_S
        fresh = path.with_suffix(".new")
        shots: list[bytes] = []
        while True:
            await self.house.screen.screenshot(fresh)
            again = await self.look()
            if again.revision != seen.revision:
                seen, shots = again, []
                continue
            shots.append(_taken(fresh))
            alike = len(shots) > 1 and shots[-1] == shots[-2]
            if loop.time() > until_s if moves else alike:
                _put(min(shots) if moves else shots[-1], path)
                return again
            await asyncio.sleep(LOOK_S)


def _taken(path: Path) -> bytes:
    shot = path.read_bytes()
    path.unlink()
    return shot


def _put(shot: bytes, path: Path) -> None:
    path.write_bytes(shot)
