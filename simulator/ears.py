"""Somebody who does not see the kiosk: four keys under the fingers, and an ear at the player."""

import asyncio
import re
from collections.abc import Callable

from hal.body import GuideKey
from hal.sim.keypad import SimKeys, press
from hal.sim.speaker import Begun, SpeakerBench
from simulator.errors import SimulatorError

WITHIN_S = 40.0
MOST_CONTROLS = 12
LOOK_S = 0.02
DIGITS = {
    "en": "zero one two three four five six seven eight nine",
    "zh_CN": "零 一 二 三 四 五 六 七 八 九",
}


class NeverHeard(SimulatorError):
    """What was waited for was not said; the message has all that was."""


class Sightless:
    """``keys`` may come later than the ear, before the first press. Nothing is heard twice: what
    was said before the sound that was waited for is passed over.
    """

    keys: SimKeys

    def __init__(self, ear: SpeakerBench) -> None:
        self.ear = ear
        self.presses = 0
        self._heard = 0

    @property
    def transcript(self) -> list[str]:
        """Everything that was begun, without the names of the languages."""
        return [said(begun) for begun in self.ear.begun()]

    async def press(self, *keys: GuideKey) -> None:
        """Press keys, one after the other, as somebody does who knows the way."""
        for key in keys:
            self.presses += 1
            await press(self.keys, key)

    async def hold(self, key: GuideKey, hold_s: float = 1.2) -> None:
        """Hold a key."""
        self.presses += 1
        await press(self.keys, key, hold_s)

    async def hears(self, pattern: str) -> Begun:
        """Wait until something is said that was not waited for before. Raises NeverHeard."""
        return await self._until(
            lambda begun: re.search(pattern, said(begun)) is not None, pattern
        )

    async def go_to(self, label: str) -> str:
        """Press next until a control of that name is heard; what was said of it. Raises
        NeverHeard.
        """
        for _ in range(MOST_CONTROLS):
            await self.press(GuideKey.NEXT)
            begun = await self._until(lambda _: True, "anything")
            if said(begun).startswith(label):
                return said(begun)
        raise NeverHeard(f"no {label!r}: {self.transcript}")

    async def _until(self, fits: Callable[[Begun], bool], what: str) -> Begun:
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    for begun in self.ear.begun()[self._heard :]:
                        self._heard += 1
                        if fits(begun):
                            return begun
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise NeverHeard(f"never heard {what!r} after {self.transcript}") from None


def said(begun: Begun) -> str:
    """What was said, in all languages, as one line."""
    return " ".join(line.partition(" ")[2] for line in begun.said.splitlines())


def number_in(text: str, language: str) -> str:
    """The ticket's number as it was heard: "A, zero, four, two" is A042; "" for none."""
    names = DIGITS[language].split()
    digit = "|".join(names)
    found = re.search(rf"([A-Z])((?:, (?:{digit}))+)", text)
    if found is None:
        return ""
    return found[1] + "".join(str(names.index(name)) for name in found[2].split(", ")[1:])
