"""Rating presses: armed for one visit, journalled, and only then acknowledged to the pad."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hal.api import PadPress, RatingPad
from hal.errors import DeviceError, HalError
from kiosk.errors import KioskError
from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import ArmPad, DisarmPad, PadRef, RatingData, UnsolicitedData

RETRY_S = 1.0
"""Pause before a press that could not be journalled is tried again; the pad keeps it meanwhile."""
REMEMBERED_VISITS = 1_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Visit:
    ticket: str
    counter: int
    armed_at_ms: int


class PressKeeper:
    """Arms the pads and keeps their presses. A press is counted once however often its pad repeats
    it.
    """

    def __init__(
        self,
        journal: Journal,
        pads: dict[int, RatingPad],
        clock: Clock,
        appended: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._pads = pads
        self._clock = clock
        self._appended = appended
        self._visits: dict[int, _Visit] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open every pad and begin to listen."""
        for counter, pad in self._pads.items():
            try:
                await pad.open()
            except HalError as error:
                log.warning("pad.unavailable", counter=counter, error=str(error))
            self._tasks.append(asyncio.create_task(self._listen(counter, pad)))

    async def stop(self) -> None:
        """Stop listening and close the pads; what was not acknowledged stays in them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pad in self._pads.values():
            await pad.close()

    async def arm(self, command: ArmPad) -> None:
        """Arm the counter's pad for one ticket. Raises KioskError (no such pad), DeviceError."""
        pad = self._pad(command.counter)
        self._visits[command.nonce] = _Visit(
            command.ticket, command.counter, self._clock.mono_ms()
        )
        while len(self._visits) > REMEMBERED_VISITS:
            del self._visits[next(iter(self._visits))]
        await pad.arm(command.nonce, command.window_ms)

    async def disarm(self, command: DisarmPad) -> None:
        """End the counter's rating window. Raises KioskError, DeviceError."""
        await self._pad(command.counter).disarm()

    def _pad(self, counter: int) -> RatingPad:
        try:
            return self._pads[counter]
        except KeyError:
            raise KioskError(
                f"counter {counter} has no pad here; add it under [[pads]] in kiosk.toml"
            ) from None

    async def _listen(self, counter: int, pad: RatingPad) -> None:
        while True:
            press = await pad.next_press()
            while not self._keep(counter, pad, press):  # noqa: ASYNC110 - the disk tells nobody
                await asyncio.sleep(RETRY_S)
            try:
                await pad.acknowledge(press)
            except (DeviceError, HalError) as error:
                log.warning("pad.acknowledge_failed", counter=counter, error=str(error))

    def _keep(self, counter: int, pad: RatingPad, press: PadPress) -> bool:
        identity = pad.identity
        origin = PadRef(
            unique_id=press.unique_id,
            boot_id=press.boot_id,
            seq=press.seq,
            firmware=identity.firmware if identity else "",
            interpreter=identity.interpreter if identity else "",
        )
        request = f"press:{press.unique_id}:{press.boot_id}:{press.seq}"
        visit = self._visits.get(press.nonce)
        try:
            with self._journal.transaction() as transaction:
                if transaction.request(request) is not None:
                    return True
                if press.nonce:
                    delay_ms = (
                        max(0, self._clock.mono_ms() - visit.armed_at_ms - press.age_ms)
                        if visit
                        else 0
                    )
                    transaction.append(
                        "rating.submitted",
                        RatingData(
                            counter=counter,
                            score_1to5=press.score_1to5,
                            nonce=press.nonce,
                            delay_ms=delay_ms,
                            pad=origin,
                        ),
                        sub=visit.ticket if visit else None,
                        request=request,
                    )
                else:
                    transaction.append(
                        "rating.unsolicited",
                        UnsolicitedData(counter=counter, score_1to5=press.score_1to5, pad=origin),
                        request=request,
                    )
        except JournalFull as error:
            log.error("rating.not_kept", counter=counter, error=str(error))
            return False
        self._appended()
        return True
