"""The tellers' pads: keys go to the branch server, digits come back.

A key is acknowledged to its pad when the server has carried it out, and denied with a code that
the digits show when it has not:

    E-01  the server is not there: nothing was done
    E-02  nobody waits for this counter
    E-03  not possible now (nobody was called, the customer is here, paused, pressed too soon)
    E-04  too late, or no answer in time: nothing was done unless the number changes
    E-05  the branch server does not know this pad of this counter (``caller_node``)
    E-06  the server could not store it: nothing was done

A key is asked about every ASK_EVERY_MS until it is answered, always under its own name, so a lost
message or a server that starts anew cost neither the key nor a second customer. The last question
is so early that it has expired at the broker by KEY_LIFE_MS. Nothing of it is kept over a restart
of the kiosk: the pad repeats what it was not told.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from hal.api import CallerPad, Health, HealthState, KeyAction, PadIdentity, PadKey
from hal.errors import HalError
from kiosk.errors import KioskError
from sync.clock import Clock
from sync.pad_messages import KEY_LIFE_MS, ShowPad, TellerAction, TellerAnswer, TellerKey
from sync.topics import ASK

ASK_EVERY_MS = 700
LAST_ASK_MS = KEY_LIFE_MS - 1000 * (ASK.expiry_s or 0)
FRESH_MS = 1_000
"""A key that comes to us older may have been asked about by a kiosk that has ended since."""
REOPEN_S = 2.0
"""How soon a pad that was not there at the start is found once it is plugged in."""
SHOW_AGAIN_S = 2.0
"""Pause before digits that a pad did not take are tried again."""
MAX_PRESSED = 8
"""Keys that wait for the one before them: twice what a pad keeps."""
DIGITS = 4
UNKNOWN = "----"
PAUSED = "PAUS"
CALLER_ROLE = 2
"""The bit of the role in what a pad says of itself."""

OFFLINE_CODE = "E-01"
REFUSED_CODE = "E-03"
LATE_CODE = "E-04"
_CODES = {
    "nobody_waiting": "E-02",
    "expired": LATE_CODE,
    "not_here": "E-05",
    "not_stored": "E-06",
}
"""Every other reason is REFUSED_CODE."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Desk:
    """One counter's pad. ``shown`` is what the server said, None while nobody knows."""

    counter: int
    pad: CallerPad
    pressed: asyncio.Queue[tuple[PadKey, int]] = field(
        default_factory=lambda: asyncio.Queue(MAX_PRESSED)
    )
    shown: ShowPad | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    able: bool = True


class CallerKeeper:
    """Keys and digits of the tellers. ``ask`` publishes a key, False when the server is not
    there.
    """

    def __init__(
        self,
        callers: Mapping[int, CallerPad],
        clock: Clock,
        ask: Callable[[TellerKey], bool],
        *,
        opened_elsewhere: Iterable[object] = (),
        told: Callable[[int, Health], None] = lambda _counter, _health: None,
    ) -> None:
        """``opened_elsewhere`` are pads of the visitors too, which somebody else opens and closes.
        ``told`` hears how the others are, by counter.
        """
        self._clock = clock
        self._ask = ask
        self._told = told
        self._desks = {counter: _Desk(counter, pad) for counter, pad in callers.items()}
        shared = {id(pad) for pad in opened_elsewhere}
        self._own = [desk for desk in self._desks.values() if id(desk.pad) not in shared]
        self._answers: dict[str, asyncio.Future[TellerAnswer]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for desk in self._own:
            desk.pad.on_health(lambda health, d=desk: told(d.counter, health))  # type: ignore[misc]
        for desk in self._desks.values():
            desk.pad.on_greeting(lambda identity, d=desk: self._greeted(d, identity))  # type: ignore[misc]

    async def start(self) -> None:
        """Open the pads and begin to listen; one that is not there is looked for again."""
        for desk in self._own:
            self._tasks.append(asyncio.create_task(self._open(desk)))
        for desk in self._desks.values():
            for work in (self._hear, self._carry_out, self._keep_showing):
                self._tasks.append(asyncio.create_task(work(desk)))

    async def stop(self) -> None:
        """Stop listening and close the pads; what was not answered stays in them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for desk in self._own:
            await desk.pad.close()

    def show(self, command: ShowPad) -> None:
        """Show this on the counter's digits, now and whenever the pad comes back. Raises
        KioskError (no such pad).
        """
        desk = self._desks.get(command.counter)
        if desk is None:
            raise KioskError(
                f"counter {command.counter} has no caller pad here; add it under [[pads]] in"
                ' kiosk.toml, with roles = ["caller"]'
            )
        desk.shown = command
        desk.changed.set()

    def answered(self, answer: TellerAnswer) -> None:
        """The server's word on a key."""
        future = self._answers.get(answer.key)
        if future is not None and not future.done():
            future.set_result(answer)

    def offline(self) -> None:
        """Nobody tells us any more what is being served."""
        for desk in self._desks.values():
            if desk.shown is not None:
                desk.shown = None
                desk.changed.set()

    # --- keys -------------------------------------------------------------------------------

    async def _open(self, desk: _Desk) -> None:
        said = False
        while True:
            try:
                await desk.pad.open()
            except HalError as error:
                if not said:
                    log.warning("caller.unavailable", counter=desk.counter, error=str(error))
                said = True
                self._told(desk.counter, _UNAVAILABLE)
                await asyncio.sleep(REOPEN_S)
            else:
                return

    async def _hear(self, desk: _Desk) -> None:
        """Note when each key was pressed, whatever is still being done."""
        while True:
            key = await desk.pad.next_key()
            await desk.pressed.put((key, self._clock.mono_ms() - key.age_ms))

    async def _carry_out(self, desk: _Desk) -> None:
        """One key after the other: a "finish" before the "next" that follows it."""
        while True:
            key, pressed_ms = await desk.pressed.get()
            try:
                code = await self._code(desk.counter, key, pressed_ms)
                if code:
                    await desk.pad.deny_key(key, code)
                else:
                    await desk.pad.acknowledge_key(key)
            except Exception:
                log.exception("caller.key_failed", counter=desk.counter)

    async def _code(self, counter: int, key: PadKey, pressed_ms: int) -> str:
        """Have a key carried out; the code of what was not, "" if it was."""
        name = f"{key.unique_id}:{key.boot_id}:{key.seq}"
        answer = self._answers[name] = asyncio.get_running_loop().create_future()
        asked = key.age_ms > FRESH_MS
        try:
            while (age_ms := self._clock.mono_ms() - pressed_ms) < KEY_LIFE_MS:
                if age_ms <= LAST_ASK_MS and self._ask(self._question(counter, key, name, age_ms)):
                    asked = True
                elif not asked:
                    break
                wait_ms = min(ASK_EVERY_MS, KEY_LIFE_MS - age_ms)
                await asyncio.wait((answer,), timeout=wait_ms / 1000)
                if answer.done():
                    said = answer.result()
                    return "" if said.ok else _CODES.get(said.reason, REFUSED_CODE)
        finally:
            del self._answers[name]
        log.warning("caller.unanswered", counter=counter, action=key.action.name, asked=asked)
        return LATE_CODE if asked else OFFLINE_CODE

    def _question(self, counter: int, key: PadKey, name: str, age_ms: int) -> TellerKey:
        return TellerKey(
            key=name,
            counter=counter,
            action=_ACTIONS[key.action],
            age_ms=age_ms,
            boot=self._clock.boot,
            mono_ms=self._clock.mono_ms(),
        )

    # --- digits -----------------------------------------------------------------------------

    def _greeted(self, desk: _Desk, identity: PadIdentity) -> None:
        """The pad may be another one, or have forgotten what it showed."""
        desk.able = bool(identity.roles & CALLER_ROLE)
        if not desk.able:
            log.warning(
                "caller.no_digits",
                counter=desk.counter,
                pad=identity.unique_id,
                hint='the pad has no teller\'s keys; its config.json must say "caller"',
            )
        desk.changed.set()

    async def _keep_showing(self, desk: _Desk) -> None:
        said = False
        while True:
            await desk.changed.wait()
            desk.changed.clear()
            if not desk.able:
                continue
            try:
                await desk.pad.show(*shown_on_digits(desk.shown))
                said = False
            except HalError as error:
                if not said:
                    log.warning("caller.not_shown", counter=desk.counter, error=str(error))
                said = True
                await asyncio.sleep(SHOW_AGAIN_S)
                desk.changed.set()
            except Exception:
                log.exception("caller.show_failed", counter=desk.counter)


_UNAVAILABLE = Health(HealthState.LOST, "unavailable")
_ACTIONS: dict[KeyAction, TellerAction] = {
    KeyAction.NEXT: "next",
    KeyAction.RECALL: "recall",
    KeyAction.NO_SHOW: "no_show",
    KeyAction.FINISH: "finish",
    KeyAction.PAUSE: "pause",
}


def shown_on_digits(shown: ShowPad | None) -> tuple[str, int | None, int]:
    """Four characters, people waiting and stars, as a pad takes them.

    A number of five keeps its last four: A1042 is 1042, the band and the three digits that tell
    the tickets of one service apart.
    """
    if shown is None:
        return UNKNOWN, None, 0
    number = shown.number[-DIGITS:].encode("ascii", "replace").decode()
    if not number and shown.paused:
        number = PAUSED
    waiting = None if shown.waiting is None or shown.waiting < 0 else shown.waiting
    return number, waiting, min(max(shown.stars, 0), 5)
