"""Rating presses: armed for one visit, journalled, and only then acknowledged to the pad."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hal.api import PadPress, RatingPad
from hal.errors import HalError
from kiosk.errors import KioskError
from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import ArmPad, DisarmPad, PadRef, RatingData, UnsolicitedData

RETRY_S = 1.0
"""Pause before a press that could not be journalled is tried again; the pad keeps it meanwhile."""
REOPEN_S = 2.0
"""How soon a pad that was not there at the start is found once it is plugged in."""
REMEMBERED_VISITS = 1_000
JUST_NOW_MS = 10_000
"""Who pressed so long ago has gone."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Visit:
    ticket: str
    counter: int
    armed_at_ms: int
    over: bool = False  # pressed, disarmed, or followed by the next one: not armed again


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
        missing: Callable[[int], None] = lambda _: None,
        rated: Callable[[str, int, int], None] = lambda _ticket, _counter, _score: None,
    ) -> None:
        """``missing`` is told the counter of a pad whose link cannot be opened; ``rated`` the
        ticket, counter and score of a visit's rating that was pressed just now.
        """
        self._journal = journal
        self._pads = pads
        self._clock = clock
        self._appended = appended
        self._missing = missing
        self._rated = rated
        self._visits: dict[int, _Visit] = {}
        self._said_missing: set[int] = set()  # one log line for each time away
        self._tasks: list[asyncio.Task[None]] = []
        self._used_ms = dict.fromkeys(pads, clock.mono_ms())

    def quiet_s(self, counter: int) -> float:
        """Seconds since a visitor was asked, answered, or pressed a key there."""
        return (self._clock.mono_ms() - self._used_ms[counter]) / 1000

    async def start(self) -> None:
        """Open every pad and begin to listen; one that is not there is looked for again."""
        for counter, pad in self._pads.items():
            opened = await self._open(counter, pad)
            self._tasks.append(asyncio.create_task(self._attend(counter, pad, opened=opened)))

    async def stop(self) -> None:
        """Stop listening and close the pads; what was not acknowledged stays in them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pad in self._pads.values():
            await pad.close()

    async def arm(self, command: ArmPad) -> None:
        """Arm the counter's pad for one ticket. Raises KioskError (no such pad, or a visit that
        has had its window), HalError.
        """
        pad = self._pad(command.counter)
        known = self._visits.get(command.nonce)
        if known is not None and known.over:
            raise KioskError(
                f"counter {command.counter}: this visit was asked for its rating already;"
                " a nonce is good for one window, give the next visit one of its own"
            )
        self._close_visits(command.counter)
        self._used_ms[command.counter] = self._clock.mono_ms() + command.window_ms
        self._visits[command.nonce] = _Visit(
            command.ticket, command.counter, self._clock.mono_ms()
        )
        while len(self._visits) > REMEMBERED_VISITS:
            del self._visits[next(iter(self._visits))]
        await pad.arm(command.nonce, command.window_ms)

    async def disarm(self, command: DisarmPad) -> None:
        """End the counter's rating window. Raises KioskError, HalError."""
        pad = self._pad(command.counter)
        self._used_ms[command.counter] = self._clock.mono_ms()
        self._close_visits(command.counter)
        await pad.disarm()

    def _close_visits(self, counter: int) -> None:
        for visit in self._visits.values():
            visit.over = visit.over or visit.counter == counter

    def _pad(self, counter: int) -> RatingPad:
        try:
            return self._pads[counter]
        except KeyError:
            raise KioskError(
                f"counter {counter} has no pad here; add it under [[pads]] in kiosk.toml"
            ) from None

    async def _open(self, counter: int, pad: RatingPad) -> bool:
        try:
            await pad.open()
        except HalError as error:
            if counter not in self._said_missing:
                self._said_missing.add(counter)
                log.warning("pad.unavailable", counter=counter, error=str(error))
            self._missing(counter)
            return False
        self._said_missing.discard(counter)
        return True

    async def _attend(self, counter: int, pad: RatingPad, *, opened: bool) -> None:
        """Keep the presses of one pad for ever; a fault costs a pause, not the pad."""
        while not opened:
            await asyncio.sleep(REOPEN_S)
            opened = await self._open(counter, pad)
        while True:
            try:
                await self._take(counter, pad, await pad.next_press())
            except Exception:
                log.exception("pad.press_failed", counter=counter)
                await asyncio.sleep(RETRY_S)

    async def _take(self, counter: int, pad: RatingPad, press: PadPress) -> None:
        pressed_at_ms = self._clock.mono_ms() - press.age_ms
        self._used_ms[counter] = max(self._used_ms[counter], pressed_at_ms)
        while not self._keep(counter, pad, press, pressed_at_ms):  # noqa: ASYNC110 - the disk tells nobody
            await asyncio.sleep(RETRY_S)
        await pad.acknowledge(press)

    def _keep(self, counter: int, pad: RatingPad, press: PadPress, pressed_at_ms: int) -> bool:
        """Journal one press, once; False when it could not be made durable."""
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
                    delay_ms = max(0, pressed_at_ms - visit.armed_at_ms) if visit else 0
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
        if visit is not None and not visit.over:
            visit.over = True
            if self._clock.mono_ms() - pressed_at_ms <= JUST_NOW_MS:
                self._rated(visit.ticket, counter, press.score_1to5)
        return True
