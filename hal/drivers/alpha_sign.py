"""Number displays that speak the Alpha sign protocol, one or several on a serial line.

A sign acknowledges nothing by itself, so each text is read back: only what the sign says it shows
is shown. A line that broke is opened again by the next try.
"""

import asyncio
import contextlib

from hal.api import ByteLink, CounterDisplay, Health, HealthState
from hal.drivers.alpha_codes import Answers, ask_text, dim, packet, text
from hal.errors import DeviceRefused, DeviceSilent, HalError, LinkLost, LinkUnavailable

ANSWER_S = 0.5
"""At 9600 baud question and answer are some 100 ms."""
TRIES = 3
DRAIN_S = 0.02
"""A late answer is thrown away so long after a try in vain."""


class AlphaLine:
    """Implements :class:`hal.api.DisplayLine`. One question is under way at a time."""

    def __init__(self, link: ByteLink, *, answer_s: float = ANSWER_S, tries: int = TRIES) -> None:
        self._link = link
        self._answer_s = answer_s
        self.tries = tries
        self._answers = Answers()
        self._lock = asyncio.Lock()
        self._is_open = False

    def display(self, station: int, *, brightness: int = 100) -> CounterDisplay:
        """The display with this number on the line. Raises ValueError."""
        return AlphaDisplay(self, station, brightness)

    async def close(self) -> None:
        self._is_open = False
        await self._link.close()

    async def ask(self, *packets: bytes) -> bytes | None:
        """Send the packets; the first right answer, None when there was none in time. Raises
        LinkUnavailable, LinkLost.
        """
        async with self._lock:
            try:
                if not self._is_open:
                    await self._link.open()
                    self._is_open = True
                await self._link.write(b"".join(packets))
                answer = await self._answer(self._answer_s)
                if answer is None:
                    await self._answer(DRAIN_S)
                    self._answers.clear()
            except LinkLost:
                await self.close()
                raise
            return answer

    async def _answer(self, within_s: float) -> bytes | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    if found := self._answers.feed(await self._link.read()):
                        return found[-1]
        return None


class AlphaDisplay:
    """Implements :class:`hal.api.CounterDisplay`."""

    def __init__(self, line: AlphaLine, station: int, brightness: int) -> None:
        self._line = line
        self._dim = packet(station, dim(brightness))
        self._ask = packet(station, ask_text())
        self._station = station
        self._state, self._detail = HealthState.UNKNOWN, ""
        self._shown = self._repeated = self._failed = 0

    async def show(self, number: str, *, blink: bool = False) -> None:
        wanted = text(number, blink=blink)
        sent = packet(self._station, wanted)
        said = None
        try:
            for attempt in range(self._line.tries):
                self._repeated += attempt > 0
                answer = await self._line.ask(self._dim, sent, self._ask)
                if answer == wanted:
                    self._shown += 1
                    self._state, self._detail = HealthState.OK, ""
                    return
                said = answer if answer is not None else said
            if said is None:
                raise DeviceSilent(
                    f"display {self._station}: no answer; is it on, is its address"
                    f" {self._station:02X}, are speed and wires A and B right?"
                )
            raise DeviceRefused(f"display {self._station}: told {wanted!r}, shows {said!r}")
        except HalError as error:
            self._failed += 1
            self._state, self._detail = _trouble(error)
            raise

    @property
    def health(self) -> Health:
        return Health(
            self._state,
            self._detail,
            {"shown": self._shown, "repeated": self._repeated, "failed": self._failed},
        )


def _trouble(error: HalError) -> tuple[HealthState, str]:
    if isinstance(error, DeviceRefused):
        return HealthState.FAULT, "garbled"
    return HealthState.LOST, "silent" if isinstance(error, DeviceSilent) else (
        "unavailable" if isinstance(error, LinkUnavailable) else "link"
    )  # fmt: skip
