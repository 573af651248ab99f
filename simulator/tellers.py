"""How a simulated teller tells the branch what to do: on the page, or on the keys of a pad."""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any, Protocol

import httpx

from hal.errors import HalError
from hal.sim.pad import PadBench
from simulator.errors import SimulatorError

NEXT, RECALL, NO_SHOW, FINISH, PAUSE = range(1, 6)
NUMBER = re.compile(r"[A-Z]\d{3}\Z")
CODE = re.compile(r"E-\d\d\Z")
NOBODY = "E-02"
HAND_S = 0.5
"""Nobody is faster from key to key, and reads the digits in between."""
LOOK_S = 0.02
ANSWER_S = 7.0
"""A pad has said by then what became of a key."""
NO_NEWS_S = 0.4
"""A key that changes no digits: no code by then, and it was taken."""
TRIES = 5


class Teller(Protocol):
    """What a teller does. Each returns False when it was refused."""

    async def call(self) -> bool:
        """Call the next customer."""

    async def recall(self) -> bool:
        """Call the same one again."""

    async def miss(self) -> bool:
        """The customer did not come."""

    async def start(self) -> bool:
        """The customer is here."""

    async def finish(self) -> bool:
        """The customer is served."""


class PageTeller:
    """A teller at the page's buttons, which are its HTTP interface."""

    def __init__(self, http: httpx.AsyncClient, url: str, chance: random.Random) -> None:
        self._http = http
        self._url = url
        self._chance = chance

    async def call(self) -> bool:
        return await self._command("call-next")

    async def recall(self) -> bool:
        return await self._command("recall")

    async def miss(self) -> bool:
        return await self._command("miss")

    async def start(self) -> bool:
        return await self._command("start")

    async def finish(self) -> bool:
        return await self._command("finish")

    async def _command(self, command: str) -> bool:
        """One press of a button; a lost answer is asked for again."""
        key = f"{self._chance.getrandbits(64):016x}"
        url = f"{self._url}/{command}"
        for attempt in range(5):
            try:
                answer = await self._http.post(url, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                await asyncio.sleep(0.2 * (attempt + 1))
                continue
            if answer.status_code == httpx.codes.CONFLICT:
                return False
            answer.raise_for_status()
            return True
        raise SimulatorError(f"the branch server does not answer at {url}")


class PadTeller:
    """A teller with five keys and four digits, who believes what the digits say. ``note`` gets
    what was done and read, for the count.
    """

    def __init__(self, pad: PadBench, counter: int, note: Callable[..., Any]) -> None:
        self._pad = pad
        self._counter = counter
        self._note = note
        self._number = ""
        self._free_s = 0.0
        note("sat_down", counter=counter)

    async def call(self) -> bool:
        shown = self._pad.digits()
        if not NUMBER.match(shown):
            shown = await self._press(NEXT, lambda digits: bool(NUMBER.match(digits)), ANSWER_S)
        if not NUMBER.match(shown):
            return False
        self._number = shown
        self._note("called", counter=self._counter, number=shown)
        return True

    async def recall(self) -> bool:
        return not CODE.match(await self._press(RECALL, lambda _: False, NO_NEWS_S))

    async def start(self) -> bool:
        return not CODE.match(await self._press(NEXT, lambda _: False, NO_NEWS_S))

    async def miss(self) -> bool:
        return await self._end(NO_SHOW, "missed")

    async def finish(self) -> bool:
        return await self._end(FINISH, "served")

    async def _end(self, key: int, how: str) -> bool:
        for _ in range(TRIES):
            shown = await self._press(key, self._is_over, ANSWER_S)
            if self._is_over(shown):
                self._note("ended", counter=self._counter, number=self._number, how=how)
                return True
        raise SimulatorError(
            f"counter {self._counter}: the digits say {shown!r}, {self._number} does not end"
        )

    def _is_over(self, digits: str) -> bool:
        return digits.strip(" 0123456789") == ""

    async def _press(self, key: int, told: Callable[[str], bool], within_s: float) -> str:
        """Press, and read the digits until they tell, show a code, or are given up."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._free_s - loop.time())
        try:
            await self._pad.press_teller(key)  # a code that stood there is gone by the end of it
        except HalError:
            return ""
        self._free_s = loop.time() + HAND_S
        give_up_s = loop.time() + within_s
        shown = self._pad.digits()
        while not (told(shown) or CODE.match(shown)) and loop.time() < give_up_s:
            await asyncio.sleep(LOOK_S)
            shown = self._pad.digits()
        self._note("keyed", counter=self._counter, key=key, shown=shown)
        return shown
