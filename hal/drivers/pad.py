"""Driver of a pad on any byte link: arming, acknowledged presses, liveness, hot-plug.

The session's states are those of hal.drivers.pad_state. Waiting is done by the event loop's clock;
``now_ms`` measures how long a pad has been silent.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping

from firmware.pad import link as wire
from hal.api import (
    ByteLink,
    Health,
    HealthState,
    KeyAction,
    PadIdentity,
    PadKey,
    PadPress,
    PadTrial,
)
from hal.drivers.pad_commands import COMMAND_RETRY_S, PadCommands
from hal.drivers.pad_firmware import WantedFirmware, identity_of
from hal.drivers.pad_keys import KeyDesk, TellersKeys
from hal.drivers.pad_line import PadLine, TroubleOf, no_trouble
from hal.drivers.pad_presses import PressDesk, Taken
from hal.drivers.pad_state import HEALTH, PadState
from hal.drivers.pad_talk import REASONS, KeyOf, PadTalk, Random
from hal.drivers.pad_update import PadUpdate, Progress, quietly, trial_of
from hal.errors import DeviceRefused, LinkLost

WHO_REPEAT_S = 1.0
SILENT_AFTER_S = 6.0
"""Three of the pad's heartbeats of 2 s."""
WATCH_S = 0.5

SPOKEN = (wire.PRESS, wire.KEY, wire.PING, wire.STROKE)
"""What a pad says by itself once it was greeted."""

_COUNTERS = (
    "presses",
    "repeats",
    "held_back",
    "bad_bodies",
    "unknown_frames",
    "reopened",
    "boots",
    "pad_crashes",
)
_COUNTER = {
    Taken.NEW: "presses",
    Taken.REPEATED: "repeats",
    Taken.ACKNOWLEDGED: "repeats",
    Taken.HELD_BACK: "held_back",
}


def no_keys(unique_id: str) -> bytes | None:
    """No pad has a key here."""
    return None


class SerialPad(TellersKeys):
    """One pad at the far end of a byte link.

    ``key_of`` gives the key of a pad by its unique id (hex), None if there is none;
    ``allow_unkeyed`` takes a pad without a key, which anybody on the line could play.
    A pad with firmware older than ``oldest_firmware``, or of no hash in ``firmware_hashes`` (hex,
    8 bytes of the manifest's SHA-256), works and has a warning; empty: any is right.
    ``trouble`` is what a bus knows of the pad; it goes before what the pad says of itself.
    ``session`` names this start of the host (random).
    """

    def __init__(
        self,
        link: ByteLink,
        *,
        name: str,
        now_ms: Callable[[], int],
        key_of: KeyOf = no_keys,
        allow_unkeyed: bool = False,
        oldest_firmware: str = "",
        firmware_hashes: frozenset[str] = frozenset(),
        trouble: TroubleOf = no_trouble,
        session: int | None = None,
        random: Random = os.urandom,
    ) -> None:
        self._line = PadLine(link, name)
        self._talk = PadTalk(key_of, allow_unkeyed=allow_unkeyed, random=random)
        self._name = name
        self._firmware = WantedFirmware(oldest_firmware, firmware_hashes)
        self._trouble = trouble
        self._now_ms = now_ms
        self._session = session or int.from_bytes(random(4), "little") or 1
        self._state = PadState.CLOSED
        self._identity: PadIdentity | None = None
        self._desk = PressDesk()
        self._keys = KeyDesk(self._send)
        self._ready = asyncio.Event()
        self._who_seq = 0
        self.last_crash = ""  # what a pad said of its program's last end
        self._commands = PadCommands(
            name,
            self._session,
            send=self._send,
            ready=self._ready_to_send,
            check=self._check,
        )
        self._key_of = key_of
        self._update = PadUpdate(
            name, self._session, send=self._send, ready=self._ready_to_send, check=self._check
        )
        self._heard_ms = 0
        self._asked_ms = 0
        self._status = (0, 0, 0, 0, 0)
        self._pinged = False  # by the boot that is greeted
        self._counters = dict.fromkeys(_COUNTERS, 0)
        self._own = (HealthState.UNKNOWN, "")  # of the health, what the pad's own state says
        self._health = Health(*self._own)
        self._listeners: list[Callable[[Health], None]] = []
        self._greeting_listeners: list[Callable[[PadIdentity], None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    # --- the RatingPad protocol --------------------------------------------------------------

    async def open(self) -> None:
        """Open the link and start to listen.

        Raises LinkUnavailable; a silent pad is only seen in health.
        """
        if self._state is not PadState.CLOSED:
            return
        await self._line.open()
        self._start_session()
        self._tasks = [
            asyncio.create_task(self._listen(), name=f"{self._name}: listen"),
            asyncio.create_task(self._watch(), name=f"{self._name}: watch"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def arm(self, nonce: int, window_ms: int) -> None:
        """Allow one press; returns once the pad confirms. A pad that reboots is no longer armed.

        Raises DeviceSilent, LinkLost, DeviceRefused, and ValueError for a nonce or window out of
        range.
        """
        try:
            body = wire.pack_arm(nonce, window_ms)
        except wire.BadBody as error:
            raise ValueError(str(error)) from error
        await self._commands.run(wire.ARM, body)

    async def disarm(self) -> None:
        """End the window early. Raises DeviceSilent, LinkLost, DeviceRefused."""
        await self._commands.run(wire.DISARM, b"")

    async def maintain(self) -> None:
        """Send the pad into its prompt, for a technician's tool; needs a pad with a key.

        Raises DeviceSilent, LinkLost, DeviceRefused.
        """
        await self._commands.run(wire.MAINTAIN, b"")

    async def show(self, number: str, waiting: int | None, stars: int) -> None:
        """Show the number being served, how many wait (None: not known), the teller's stars.

        Raises DeviceSilent, LinkLost, DeviceRefused (no such display), and ValueError.
        """
        known = wire.WAITING_UNKNOWN if waiting is None else min(waiting, wire.MAX_WAITING)
        try:
            body = wire.pack_show(number.encode("ascii").rjust(4), known, stars)
            wire.unpack_show(body)
        except (wire.BadBody, UnicodeError) as error:
            raise ValueError(str(error)) from error
        await self._commands.run(wire.SHOW, body)

    async def update(
        self,
        manifest: bytes,
        files: Mapping[str, bytes],
        *,
        progress: Progress = quietly,
        switching: Callable[[], None] = quietly,
    ) -> None:
        """See hal.api.UpdatablePad."""
        key = self._key_of(self._identity.unique_id) if self._identity else None
        await self._update.run(manifest, files, key, progress, switching)

    @property
    def trial(self) -> PadTrial | None:
        """What the last PING said of the firmware that runs; None before the first."""
        return trial_of(self._status[0]) if self._pinged else None

    async def next_press(self) -> PadPress:
        """Wait for the next press not delivered before."""
        return await self._desk.waiting.get()

    async def acknowledge(self, press: PadPress) -> None:
        """Tell the pad that the press is journalled.

        Never raises: a repeat is acknowledged again.
        """
        self._desk.acknowledge(press)
        if self._identity is not None and self._identity.unique_id == press.unique_id:
            with contextlib.suppress(LinkLost):
                await self._send(wire.ACK, press.boot_id, press.seq, b"")

    @property
    def identity(self) -> PadIdentity | None:
        """What the pad last said of itself."""
        return self._identity

    @property
    def health(self) -> Health:
        """State, detail and counters, now."""
        decoder = self._line.decoder
        talk = self._talk
        pad_kept, pad_dropped, pad_bad = self._status[2:]
        counters = {
            **self._counters,
            "frames": decoder.frames,
            "crc_errors": decoder.crc_errors,
            "cobs_errors": decoder.cobs_errors,
            "oversize": decoder.oversize,
            "short": decoder.short,
            "forged": talk.forged,
            "replayed": talk.replayed,
            "plain_refused": talk.plain_refused,
            "pad_kept": pad_kept,
            "pad_dropped": pad_dropped,
            "pad_bad_frames": pad_bad,
        }
        return Health(*(self._trouble() or self._own), counters)

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state or detail."""
        self._listeners.append(listener)

    def on_greeting(self, listener: Callable[[PadIdentity], None]) -> None:
        """Call ``listener`` each time the pad was greeted: what it showed before may be gone."""
        self._greeting_listeners.append(listener)

    async def close(self) -> None:
        """Stop listening and release the link; closing twice is harmless."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._line.close()
        self._become(PadState.CLOSED)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that dies of a fault in a listener or in here is seen in health too."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._show(HealthState.FAULT, "driver")
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{self._name}: {task.get_name()} ended", "exception": error}
            )

    # --- the line ----------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Read for ever; open the link again whenever it breaks."""
        while True:
            try:
                await self._ask()
                while True:
                    for result in await self._line.read():
                        if not isinstance(result, wire.Wrong):
                            await self._received(result)
            except LinkLost:
                self._become(PadState.DOWN)
            await self._line.reopen()
            self._counters["reopened"] += 1
            self._start_session()

    async def _watch(self) -> None:
        """Notice silence, and ask again while nobody has said HELLO."""
        while True:
            await asyncio.sleep(WATCH_S)
            self._show(*self._own)  # trouble may have come or gone
            now_ms = self._now_ms()
            silent = now_ms - self._heard_ms >= SILENT_AFTER_S * 1000
            if self._state is PadState.READY and silent:
                self._talk.doubted = True
                self._become(PadState.SILENT)
            elif self._state is PadState.CALLING and silent:
                self._show(HealthState.LOST, "silent")
            lonely = self._state in (PadState.CALLING, PadState.SILENT, PadState.REFUSED)
            if (lonely or self._talk.worn) and now_ms - self._asked_ms >= WHO_REPEAT_S * 1000:
                with contextlib.suppress(LinkLost):
                    await self._ask()

    def _start_session(self) -> None:
        self._talk.forget()
        self._heard_ms = self._now_ms()
        self._become(PadState.CALLING)

    async def _ask(self) -> None:
        self._asked_ms = self._now_ms()
        self._who_seq += 1
        await self._send(wire.WHO, self._session, self._who_seq, b"")

    async def _send(self, kind: int, boot_id: int, seq: int, body: bytes) -> None:
        frame = self._talk.encode(kind, boot_id, seq, body)
        if frame is not None:  # to nobody in particular a secret is not told; who asks comes again
            await self._line.write(frame)

    async def _ready_to_send(self) -> None:
        if self._state is not PadState.SILENT:  # a silent pad may hear without being heard
            await self._ready.wait()

    def _check(self) -> None:
        self._line.check()
        if self._state is PadState.REFUSED:
            raise DeviceRefused(f"{self._name}: {REASONS[self._talk.refusal]}")

    # --- what comes in -----------------------------------------------------------------------

    async def _received(self, result: wire.Frame | wire.Sealed) -> None:
        try:
            if isinstance(result, wire.Sealed):
                await self._sealed(result)
            elif result.kind == wire.HELLO:
                await self._hello(result)
            elif self._talk.believes_plain():
                if result.kind in SPOKEN and not self._known(result):
                    await self._stranger()
                else:
                    await self._dispatch(result)
        except wire.BadBody:
            self._counters["bad_bodies"] += 1

    async def _sealed(self, sealed: wire.Sealed) -> None:
        refusal = self._talk.refusal
        frame = self._talk.open(sealed)
        if frame is None:
            if self._talk.refusal != refusal:
                self._become(PadState.REFUSED)
        elif frame.kind == wire.PROOF:
            self._greeted()
            await self._send(wire.WELCOME, frame.boot_id, frame.seq, b"")
        else:
            await self._dispatch(frame)

    def _known(self, frame: wire.Frame) -> bool:
        """Whether an unkeyed pad that was greeted speaks, and not one that took its place."""
        return self._state is not PadState.CALLING and frame.boot_id == self._talk.boot_id

    async def _dispatch(self, frame: wire.Frame) -> None:
        """Act on a frame of the pad that was greeted."""
        if frame.kind == wire.DONE:
            self._commands.answered(frame)
            self._heard()
        elif frame.kind == wire.PROGRESS:
            self._update.answered(frame)
            self._heard()
        elif frame.kind == wire.PRESS:
            await self._press(frame)
        elif frame.kind == wire.KEY:
            await self._key(frame)
        elif frame.kind == wire.REPORT:
            self._counters["pad_crashes"], self.last_crash = wire.unpack_report(frame.body)
            self._heard()
            await self._send(wire.ACK, frame.boot_id, frame.seq, b"")
        elif frame.kind == wire.PING:
            self._status = wire.unpack_ping(frame.body)
            self._pinged = True
            self._heard()
            await self._send(wire.PONG, frame.boot_id, frame.seq, b"")
        else:
            self._counters["unknown_frames"] += 1

    async def _hello(self, frame: wire.Frame) -> None:
        answer = self._talk.hear_hello(frame)
        if self._state is not PadState.READY:  # anybody can say HELLO; a session it does not feed
            self._heard_ms = self._now_ms()
        if self._talk.refusal:
            self._become(PadState.REFUSED)
        elif not self._talk.hello_pending:
            self._greeted()
        await self._line.write(answer)

    def _greeted(self) -> None:
        hello = self._talk.hello
        assert hello is not None
        identity = identity_of(hello, self._talk.boot_id)
        if identity != self._identity:
            self._identity = identity
            self._counters["boots"] += 1
            self._status = (0, 0, 0, 0, 0)
            self._pinged = False
        self._talk.doubted = False
        self._heard_ms = self._now_ms()
        self._become(PadState.READY)
        for listener in self._greeting_listeners:
            listener(identity)

    async def _stranger(self) -> None:
        """A boot that has not said HELLO to us: ask, and let the pad repeat what it said."""
        self._heard_ms = self._now_ms()
        if self._state in (PadState.READY, PadState.SILENT):
            self._become(PadState.CALLING)
        if self._now_ms() - self._asked_ms >= COMMAND_RETRY_S * 1000:
            await self._ask()

    async def _press(self, frame: wire.Frame) -> None:
        nonce, score, age_ms, boot_id, flags = wire.unpack_press(frame.body)
        self._heard()
        if self._identity is None:
            return
        press = PadPress(
            self._identity.unique_id,
            boot_id,
            frame.seq,
            nonce,
            score,
            age_ms,
            restored=bool(flags & wire.RESTORED),
        )
        taken = self._desk.take(press)
        self._counters[_COUNTER[taken]] += 1
        if taken is Taken.ACKNOWLEDGED:
            await self._send(wire.ACK, boot_id, frame.seq, b"")

    async def _key(self, frame: wire.Frame) -> None:
        action, age_ms = wire.unpack_key(frame.body)
        self._heard()
        if self._identity is not None:
            unique_id = self._identity.unique_id
            key = PadKey(unique_id, frame.boot_id, frame.seq, KeyAction(action), age_ms)
            await self._keys.take(key)

    # --- state and health --------------------------------------------------------------------

    def _heard(self) -> None:
        """A known pad spoke."""
        self._heard_ms = self._now_ms()
        self._talk.doubted = False
        if self._state in (PadState.READY, PadState.SILENT):
            self._become(PadState.READY)

    def _become(self, state: PadState) -> None:
        """The only place where the session's state changes."""
        self._state = state
        if state is PadState.READY:
            self._ready.set()
            if fault := self._fault():
                self._show(HealthState.FAULT, fault)
                return
            complaint = self._firmware.complaint(self._identity)
            if complaint:
                self._show(HealthState.WARNING, complaint)
                return
        else:
            self._ready.clear()
        health, detail = HEALTH[state]
        self._show(health, detail or self._talk.refusal)

    def _fault(self) -> str:
        """What a pad that answers cannot do its work for; empty: nothing."""
        return "stuck_key" if self._status[0] & wire.FLAG_STUCK_KEY else ""

    def _show(self, state: HealthState, detail: str) -> None:
        self._own = (state, detail)
        before, self._health = self._health, Health(*(self._trouble() or self._own))
        if self._health == before:
            return
        shown = self.health
        for listener in self._listeners:
            listener(shown)
