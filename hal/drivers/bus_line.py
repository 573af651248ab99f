"""The wire of a pads' bus: one turn at a time, and what is heard between turns."""

import asyncio
import contextlib
from enum import Enum, auto

from firmware.pad import link as wire
from hal.api import ByteLink
from hal.drivers.bus_ear import Answer, Ear
from hal.drivers.pad_line import until_open
from hal.errors import LinkLost

ANSWER_S = 0.040
"""From the end of a poll to the first byte: the pad's 30 ms (station.LATE_MS, ANSWER_MS), the rest
the adapter's.
"""
GAP_S = 0.020
"""Longest pause inside an answer: adapters deliver in pieces, at worst each 16 ms."""
EARLY_S = 0.0015
"""No pad answers sooner: what is heard before is somebody else."""
WRITE_TIMEOUT_S = 1.0
BITS_PER_BYTE = 10


class Miss(Enum):
    """A turn without an answer."""

    SILENT = auto()
    SPOILT = auto()  # bytes came, and not the answer


class BusLine:
    """Turns on a byte link. ``early`` says of the last turn that somebody spoke into the poll."""

    def __init__(self, link: ByteLink, baud: int) -> None:
        self._link = link
        self._byte_s = BITS_PER_BYTE / baud
        self._ear = Ear()
        self._inbox = bytearray()
        self._lost: LinkLost | None = None
        self._heard = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.early = False
        self.counters = dict.fromkeys(
            ("polls", "answers", "silent", "spoilt", "late", "unasked_bytes"), 0
        )

    @property
    def address(self) -> str:
        """Where the adapter is."""
        return self._link.address

    async def open(self) -> None:
        """Open the link and listen. Raises LinkUnavailable."""
        await self._link.open()
        self._lost = None
        self._inbox.clear()
        self._heard.clear()
        self._ear = Ear()
        self._reader = asyncio.create_task(self._read(), name=f"{self.address}: listen")

    async def close(self) -> None:
        """Release the link; closing twice is harmless."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        await self._link.close()

    async def reopen(self) -> None:
        """Close the link and try until it can be opened again."""
        await self.close()
        await until_open(self.open)

    async def ask(self, poll: bytes, address: int, turn: int) -> Answer | Miss:
        """One turn: a burst out, a burst back. Raises LinkLost."""
        self.check()
        self.counters["polls"] += 1
        await self._write(poll)
        now_s = asyncio.get_running_loop().time
        sent_s = now_s() + len(poll) * self._byte_s
        until_s = sent_s + ANSWER_S
        last_s = until_s + (1 + wire.MAX_BURST + wire.TRAILER_SIZE) * self._byte_s + GAP_S
        heard = spoilt = self.early = False
        while until_s > now_s():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await self._heard.wait()
            self.check()
            if not self._heard.is_set():
                break
            if not heard:
                heard = True
                self.early = now_s() < sent_s + EARLY_S
            for answer in self._take_heard():
                if answer.address == address and answer.turn == turn:
                    self.counters["answers"] += 1
                    return answer
                self.counters["late"] += 1
                spoilt = True
            until_s = min(last_s, max(until_s, now_s() + GAP_S))
        miss = Miss.SPOILT if spoilt or (heard and self._ear.strays()) else Miss.SILENT
        self.counters[miss.name.lower()] += 1
        return miss

    def unasked(self) -> tuple[list[Answer], bytes]:
        """What came since the last turn, while nobody had one: answers, and bytes of none."""
        answers = self._take_heard()
        strays = self._ear.strays()
        self.counters["late"] += len(answers)
        self.counters["unasked_bytes"] += len(strays)
        return answers, strays

    async def wait(self, event: asyncio.Event, for_s: float) -> None:
        """Wait for the event or until the time is over. Raises LinkLost."""
        self.check()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await event.wait()
        self.check()

    def check(self) -> None:
        """Raise LinkLost if the line broke."""
        if self._lost is not None:
            raise self._lost

    def _take_heard(self) -> list[Answer]:
        data = bytes(self._inbox)
        self._inbox.clear()
        self._heard.clear()
        return self._ear.feed(data)

    async def _read(self) -> None:
        try:
            while True:
                self._inbox += await self._link.read()
                self._heard.set()
        except LinkLost as error:
            self._lost = error
            self._heard.set()

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._link.write(data)
        except TimeoutError as error:
            raise LinkLost(
                f"{self.address}: took no bytes for {WRITE_TIMEOUT_S:g} s; is the adapter in"
                " order?"
            ) from error
