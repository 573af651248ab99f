"""Commands to a pad: one at a time, repeated under one sequence number until answered."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from firmware.pad import link as wire
from hal.errors import DeviceRefused, DeviceSilent

COMMAND_RETRY_S = 0.25
"""Time for one answer: a frame takes 3 ms at 115200 baud, a turn of the pad 20 ms."""
COMMAND_TRIES = 12
"""At one frame in five lost each way, 12 tries fail once in 200,000 commands."""

Send = Callable[[int, int, int, bytes], Awaitable[None]]


class PadCommands:
    """``session`` names this start of the host; ``send`` writes a frame, ``ready`` waits until
    sending makes sense, ``check`` raises a HalError if it never will.
    """

    def __init__(
        self,
        name: str,
        session: int,
        *,
        send: Send,
        ready: Callable[[], Awaitable[None]],
        check: Callable[[], None],
    ) -> None:
        self._name = name
        self._session = session
        self._send = send
        self._ready = ready
        self._check = check
        self._seq = 0
        self._answer: asyncio.Future[int] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self, kind: int, body: bytes) -> None:
        """Send one command until it is answered; the pad keeps only the last.

        Raises DeviceSilent, DeviceRefused, LinkLost, and what ``check`` raises.
        """
        async with self._one_at_a_time:
            self._check()
            self._seq += 1
            answer = self._answer = asyncio.get_running_loop().create_future()
            try:
                await self._until_answered(kind, body, answer)
            finally:
                self._answer = None
                answer.cancel()
            if answer.result() != wire.OK:
                raise DeviceRefused(f"{self._name}: the pad refused the command")

    def answered(self, frame: wire.Frame) -> None:
        """Take a DONE; one for an earlier command changes nothing. Raises BadBody."""
        done = wire.unpack_done(frame.body)
        current = frame.boot_id == self._session and frame.seq == self._seq
        if current and self._answer is not None and not self._answer.done():
            self._answer.set_result(done)

    async def _until_answered(self, kind: int, body: bytes, answer: "asyncio.Future[int]") -> None:
        for _ in range(COMMAND_TRIES):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMAND_RETRY_S):
                    await self._ready()
                    await self._send(kind, self._session, self._seq, body)
                    await asyncio.shield(answer)
                    return
        raise DeviceSilent(
            f"{self._name}: no answer within {COMMAND_TRIES * COMMAND_RETRY_S:g} s;"
            " is the pad plugged in and lit?"
        )
