"""The line to a pad: whole frames out, results of the decoder in, opened again when it breaks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from firmware.pad import link as wire
from hal.api import ByteLink, HealthState
from hal.errors import LinkLost, LinkUnavailable

WRITE_TIMEOUT_S = 1.0
"""A port that takes no bytes for a second has no pad behind it."""
REOPEN_S = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Pauses before the link is opened again; the last one repeats."""

TroubleOf = Callable[[], tuple[HealthState, str] | None]
Result = wire.Frame | wire.Sealed | wire.Wrong


def no_trouble() -> tuple[HealthState, str] | None:
    """Nobody knows more of the pad than its own line does."""
    return None


async def until_open(open_link: Callable[[], Awaitable[None]]) -> None:
    """Try until ``open_link`` no longer raises LinkUnavailable, with the pauses of REOPEN_S."""
    tries = 0
    while True:
        await asyncio.sleep(REOPEN_S[min(tries, len(REOPEN_S) - 1)])
        tries += 1
        with contextlib.suppress(LinkUnavailable):
            await open_link()
            return


class PadLine:
    """Frames on a byte link; ``is_open`` is False from the first failure until it opens again."""

    def __init__(self, link: ByteLink, name: str) -> None:
        self._link = link
        self._name = name
        self._writing = asyncio.Lock()
        self.decoder = wire.Decoder()
        self.is_open = False

    async def open(self) -> None:
        """Open the link. Raises LinkUnavailable."""
        await self._link.open()
        self.decoder.reset()
        self.is_open = True

    async def reopen(self) -> None:
        """Close the link and try until it can be opened again."""
        await self._link.close()
        self.is_open = False
        await until_open(self.open)

    async def close(self) -> None:
        """Close the link; closing twice is harmless."""
        self.is_open = False
        await self._link.close()

    async def read(self) -> list[Result]:
        """What the next bytes complete, maybe nothing. Raises LinkLost.

        Whoever waits for what came before goes first: a press is journalled while the line rests.
        """
        await asyncio.sleep(0)
        try:
            return self.decoder.feed(await self._link.read())
        except LinkLost:
            self.is_open = False
            raise

    async def write(self, frame: bytes) -> None:
        """Write one whole frame. Raises LinkLost.

        A delimiter goes in front, so that noise since the last frame does not cost this one. A
        line that takes nothing is closed; its reader opens it anew.
        """
        self.check()
        try:
            async with self._writing, asyncio.timeout(WRITE_TIMEOUT_S):
                await self._link.write(wire.DELIMITER + frame)
        except TimeoutError as error:
            await self._link.close()
            raise LinkLost(
                f"{self._name}: {self._link.address} took no bytes for {WRITE_TIMEOUT_S:g} s"
            ) from error
        except LinkLost:
            await self._link.close()
            raise

    def check(self) -> None:
        """Raise LinkLost unless the line is open."""
        if not self.is_open:
            raise LinkLost(f"{self._name}: {self._link.address} is not open")
