"""The line to an ESC/POS printer: opened when needed, always read, asked one thing at a time."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto

from hal.api import ByteLink
from hal.drivers.escpos_codes import ASK_STATUS, AUTOMATIC_STATUS_OFF, PADDING
from hal.drivers.escpos_status import STATUS_BYTES, Answer, AnswerDecoder, Kind
from hal.errors import LinkLost, LinkUnavailable

STATUS_TIMEOUT_S = 1.0
"""DLE EOT is answered in milliseconds; a network printer that sleeps needs some hundred."""
SEND_TIMEOUT_S = 5.0
"""A printer that takes no bytes for this long (flow control, full window) is as good as gone."""
ANSWERS_LIMIT = 64
"""Answers kept unread; a printer that says more unasked is noise: the oldest go, counted."""


class _State(Enum):
    CLOSED = auto()  # not opened yet, or lost: the next call opens it
    OPEN = auto()
    STALE = auto()  # answers to an abandoned question may still come: close, then open
    SHUT = auto()  # closed by the owner: nothing opens it but allow()


class PrinterLine:
    """Sends commands and hands out answers. ``on_in_order`` is told of each GS r answer, whoever
    waits for what, because these come whenever the printer gets to them.
    """

    def __init__(
        self,
        link: ByteLink,
        name: str,
        counters: Counter[str],
        on_in_order: Callable[[], None],
    ) -> None:
        self._link = link
        self._name = f"{name} at {link.address}"
        self._counters = counters
        self._on_in_order = on_in_order
        self._state = _State.CLOSED
        self._answers: asyncio.Queue[Answer | None] = asyncio.Queue(ANSWERS_LIMIT)
        self._reader: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the link is open and its answers can be trusted."""
        return self._state is _State.OPEN

    def allow(self) -> None:
        """Let :meth:`open` work again after :meth:`shut`."""
        if self._state is _State.SHUT:
            self._state = _State.CLOSED

    async def open(self) -> None:
        """Open the link, or a stale one anew. Raises LinkUnavailable, LinkLost."""
        if self._state is _State.SHUT:
            raise LinkUnavailable(f"{self._name}: closed")
        if self._state is _State.STALE:
            await self.drop()
        if self._state is _State.OPEN:
            return
        await self._link.open()
        self._counters["opened"] += 1
        self._answers = asyncio.Queue(ANSWERS_LIMIT)
        self._reader = asyncio.create_task(self._read(self._answers), name=f"{self._name} answers")
        self._state = _State.OPEN
        # Whoever held the line before may have left the printer in the middle of a command.
        await self.send(PADDING + AUTOMATIC_STATUS_OFF)

    async def drop(self) -> None:
        """Close the link; the next :meth:`open` opens it anew. Whoever waits gets LinkLost."""
        if self._state is not _State.SHUT:
            self._state = _State.CLOSED
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        self._queue(self._answers, None)
        await self._link.close()

    async def shut(self) -> None:
        """Close for good, until :meth:`allow`."""
        self._state = _State.SHUT
        await self.drop()

    def distrust(self) -> None:
        """A question was given up: its answers may still come, so open anew before the next."""
        if self._state is _State.OPEN:
            self._state = _State.STALE

    async def send(self, data: bytes) -> None:
        """Hand ``data`` to the operating system. Raises LinkLost."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._link.write(data)
        except TimeoutError:
            self.distrust()
            raise LinkLost(f"{self._name}: takes no bytes for {SEND_TIMEOUT_S:g} s") from None

    async def next(self, timeout_s: float) -> Answer | None:
        """The next answer, None when none comes in time. Raises LinkLost."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._answers.get()
        except TimeoutError:
            return None
        return self._told(answer)

    async def ask_status(self, behind_s: float = 0.0) -> bytes:
        """The answers to DLE EOT 1..4, or nothing when the printer is silent. Raises LinkLost.

        ``behind_s`` is how long bytes sent before may keep the line busy.
        """
        while not self._answers.empty():
            self._told(self._answers.get_nowait())
        complete = False
        status = bytearray()
        try:
            await self.send(ASK_STATUS)
            while len(status) < STATUS_BYTES:
                answer = await self.next(STATUS_TIMEOUT_S + behind_s)
                if answer is None:
                    return b""
                if answer.kind is Kind.REAL_TIME:
                    status += answer.data
            complete = True
            return bytes(status)
        finally:
            if not complete:
                self.distrust()

    def _told(self, answer: Answer | None) -> Answer:
        if answer is None:
            raise LinkLost(f"{self._name}: the link is gone")
        if answer.kind is Kind.IN_ORDER:
            self._on_in_order()
        return answer

    async def _read(self, answers: asyncio.Queue[Answer | None]) -> None:
        decoder = AnswerDecoder()
        try:
            while True:
                for answer in decoder.feed(await self._link.read()):
                    self._queue(answers, answer)
        except LinkLost:
            self.distrust()
            self._queue(answers, None)

    def _queue(self, answers: asyncio.Queue[Answer | None], answer: Answer | None) -> None:
        if answers.full():
            answers.get_nowait()
            self._counters["dropped"] += 1
        answers.put_nowait(answer)
