"""Driver of a rating pad on any byte link: arming, acknowledged presses, liveness, hot-plug.

The session, changed only by ``_become``::

    state    | means                                   | health                | leaves for
    CLOSED   | not opened, or closed                   | unknown               | CALLING by open()
    DOWN     | the link broke, is being opened again   | lost, "link"          | CALLING when it
    opens CALLING  | the link is open, no HELLO yet          | unknown, then lost    | READY by
    HELLO, REFUSED by a HELLO of
             |                                         | "silent"              | another version
    READY    | greeted: commands are answered          | ok, or fault          | CALLING by a
    frame of another boot,
             |                                         | "stuck_key"           | SILENT after
             SILENT_AFTER_S
    SILENT   | greeted once, nothing heard since       | lost, "silent"        | READY by any
    frame of the same boot REFUSED  | the pad speaks another protocol         | fault, "protocol"
       | READY by a HELLO of ours

Any state but CLOSED leaves for DOWN when the link breaks, and for CLOSED by close(). Waiting is
done by the event loop's clock; ``now_ms`` measures how long a pad has been silent.
"""

import asyncio
import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, auto

from firmware.pad import link as wire
from hal.api import ByteLink, Health, HealthState, PadIdentity, PadPress
from hal.errors import DeviceRefused, DeviceSilent, LinkLost, LinkUnavailable

COMMAND_RETRY_S = 0.25
"""Time for one answer: a frame takes 3 ms at 115200 baud, a turn of the pad 20 ms."""
COMMAND_TRIES = 12
"""At one frame in five lost each way, 12 tries fail once in 200,000 commands."""
WHO_REPEAT_S = 1.0
SILENT_AFTER_S = 6.0
"""Three of the pad's heartbeats of 2 s."""
WATCH_S = 0.5
WRITE_TIMEOUT_S = 1.0
"""A port that takes no bytes for a second has no pad behind it."""
REOPEN_S = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Pauses before the link is opened again; the last one repeats."""
MAX_WAITING = 64
"""Presses nobody has fetched; further ones stay in the pad, which repeats them."""
MAX_SEEN = 1024
"""Remembered presses: 32 times what a pad can hold."""


class PadState(Enum):
    """Where the session with a pad stands; the table is in the module's docstring."""

    CLOSED = auto()
    DOWN = auto()
    CALLING = auto()
    READY = auto()
    SILENT = auto()
    REFUSED = auto()


_HEALTH = {
    PadState.CLOSED: (HealthState.UNKNOWN, ""),
    PadState.DOWN: (HealthState.LOST, "link"),
    PadState.CALLING: (HealthState.UNKNOWN, ""),
    PadState.READY: (HealthState.OK, ""),
    PadState.SILENT: (HealthState.LOST, "silent"),
    PadState.REFUSED: (HealthState.FAULT, "protocol"),
}


class SerialPad:
    """One pad at the far end of a byte link. ``session`` names this start of the host (random)."""

    def __init__(
        self,
        link: ByteLink,
        *,
        name: str,
        now_ms: Callable[[], int],
        session: int | None = None,
    ) -> None:
        self._link = link
        self._name = name
        self._now_ms = now_ms
        self._session = session or int.from_bytes(os.urandom(4), "little") or 1
        self._state = PadState.CLOSED
        self._decoder = wire.Decoder()
        self._identity: PadIdentity | None = None
        self._presses: asyncio.Queue[PadPress] = asyncio.Queue(MAX_WAITING)
        self._seen: OrderedDict[tuple[str, int, int], bool] = OrderedDict()
        self._ready = asyncio.Event()
        self._commanding = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._who_seq = 0
        self._command_seq = 0
        self._answer: asyncio.Future[int] | None = None
        self._heard_ms = 0
        self._asked_ms = 0
        self._status = (0, 0, 0, 0, 0)
        self._counters = dict.fromkeys(
            (
                "presses",
                "repeats",
                "held_back",
                "bad_bodies",
                "unknown_frames",
                "reopened",
                "boots",
            ),
            0,
        )
        self._health = Health(HealthState.UNKNOWN)
        self._listeners: list[Callable[[Health], None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    # --- the RatingPad protocol --------------------------------------------------------------

    async def open(self) -> None:
        """Open the link and start to listen.

        Raises LinkUnavailable; a silent pad is only seen in health.
        """
        if self._state is not PadState.CLOSED:
            return
        await self._link.open()
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
        await self._command(wire.ARM, body)

    async def disarm(self) -> None:
        """End the window early. Raises DeviceSilent, LinkLost, DeviceRefused."""
        await self._command(wire.DISARM, b"")

    async def next_press(self) -> PadPress:
        """Wait for the next press not delivered before."""
        return await self._presses.get()

    async def acknowledge(self, press: PadPress) -> None:
        """Tell the pad that the press is journalled.

        Never raises: a repeat is acknowledged again.
        """
        self._remember((press.unique_id, press.boot_id, press.seq), acknowledged=True)
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
        decoder = self._decoder
        pad_kept, pad_dropped, pad_bad = self._status[2:]
        counters = {
            **self._counters,
            "frames": decoder.frames,
            "crc_errors": decoder.crc_errors,
            "cobs_errors": decoder.cobs_errors,
            "oversize": decoder.oversize,
            "short": decoder.short,
            "pad_kept": pad_kept,
            "pad_dropped": pad_dropped,
            "pad_bad_frames": pad_bad,
        }
        return Health(self._health.state, self._health.detail, counters)

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state or detail."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Stop listening and release the link; closing twice is harmless."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()
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
                    for result in self._decoder.feed(await self._link.read()):
                        if isinstance(result, wire.Frame):
                            await self._received(result)
            except LinkLost:
                self._become(PadState.DOWN)
            await self._reopen()
            self._start_session()

    async def _reopen(self) -> None:
        await self._link.close()
        tries = 0
        while True:
            await asyncio.sleep(REOPEN_S[min(tries, len(REOPEN_S) - 1)])
            tries += 1
            with contextlib.suppress(LinkUnavailable):
                await self._link.open()
                self._counters["reopened"] += 1
                return

    async def _watch(self) -> None:
        """Notice silence, and ask again while nobody has said HELLO."""
        while True:
            await asyncio.sleep(WATCH_S)
            now_ms = self._now_ms()
            silent = now_ms - self._heard_ms >= SILENT_AFTER_S * 1000
            if self._state is PadState.READY and silent:
                self._become(PadState.SILENT)
            elif self._state is PadState.CALLING and silent:
                self._show(HealthState.LOST, "silent")
            if (
                self._state in (PadState.CALLING, PadState.SILENT, PadState.REFUSED)
                and now_ms - self._asked_ms >= WHO_REPEAT_S * 1000
            ):
                with contextlib.suppress(LinkLost):
                    await self._ask()

    def _start_session(self) -> None:
        self._decoder.reset()
        self._heard_ms = self._now_ms()
        self._become(PadState.CALLING)

    async def _ask(self) -> None:
        self._asked_ms = self._now_ms()
        self._who_seq += 1
        await self._send(wire.WHO, self._session, self._who_seq, b"")

    async def _send(self, kind: int, boot_id: int, seq: int, body: bytes) -> None:
        # A delimiter in front, so that noise since the last frame does not cost this one.
        await self._write(wire.DELIMITER + wire.encode(kind, boot_id, seq, body))

    async def _write(self, data: bytes) -> None:
        """Write whole frames, one at a time.

        A line that takes nothing is closed and opened anew.
        """
        if self._state in (PadState.CLOSED, PadState.DOWN):
            raise LinkLost(f"{self._name}: {self._link.address} is not open")
        try:
            async with self._writing, asyncio.timeout(WRITE_TIMEOUT_S):
                await self._link.write(data)
        except TimeoutError as error:
            await self._link.close()
            raise LinkLost(
                f"{self._name}: {self._link.address} took no bytes for {WRITE_TIMEOUT_S:g} s"
            ) from error
        except LinkLost:
            await self._link.close()
            raise

    # --- commands ----------------------------------------------------------------------------

    async def _command(self, kind: int, body: bytes) -> None:
        """Send one command until it is answered; one at a time, the pad keeps only the last."""
        async with self._commanding:
            if self._state in (PadState.CLOSED, PadState.DOWN):
                raise LinkLost(f"{self._name}: {self._link.address} is not open")
            if self._state is PadState.REFUSED:
                raise DeviceRefused(
                    f"{self._name}: the pad's firmware does not speak protocol {wire.PROTOCOL};"
                    " bring it up to date"
                )
            self._command_seq += 1
            seq = self._command_seq
            answer = self._answer = asyncio.get_running_loop().create_future()
            try:
                for _ in range(COMMAND_TRIES):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(COMMAND_RETRY_S):
                            if self._state is not PadState.SILENT:
                                await self._ready.wait()
                            await self._send(kind, self._session, seq, body)
                            await asyncio.shield(answer)
                            break
                else:
                    raise DeviceSilent(
                        f"{self._name}: no answer within {COMMAND_TRIES * COMMAND_RETRY_S:g} s;"
                        " is the pad plugged in and lit?"
                    )
            finally:
                self._answer = None
                answer.cancel()
            if answer.result() != wire.OK:
                raise DeviceRefused(f"{self._name}: the pad refused the command")

    # --- what comes in -----------------------------------------------------------------------

    async def _received(self, frame: wire.Frame) -> None:
        try:
            await self._dispatch(frame)
        except wire.BadBody:
            self._counters["bad_bodies"] += 1

    async def _dispatch(self, frame: wire.Frame) -> None:
        if frame.kind == wire.HELLO:
            await self._hello(frame)
        elif frame.kind == wire.DONE:
            done = wire.unpack_done(frame.body)
            self._heard()
            current = frame.boot_id == self._session and frame.seq == self._command_seq
            if current and self._answer is not None and not self._answer.done():
                self._answer.set_result(done)
        elif frame.kind in (wire.PRESS, wire.PING):
            if (
                self._identity is None
                or self._state is PadState.CALLING
                or (frame.boot_id != self._identity.boot_id)
            ):
                await self._stranger()
            elif frame.kind == wire.PRESS:
                await self._press(self._identity, frame)
            else:
                self._status = wire.unpack_ping(frame.body)
                self._heard()
                await self._send(wire.PONG, frame.boot_id, frame.seq, b"")
        else:
            self._counters["unknown_frames"] += 1

    async def _hello(self, frame: wire.Frame) -> None:
        protocol = wire.hello_protocol(frame.body)
        if protocol != wire.PROTOCOL:
            self._heard_ms = self._now_ms()
            self._become(PadState.REFUSED)
            refusal = wire.pack_hello_ack(wire.REFUSED)
            await self._send(wire.HELLO_ACK, frame.boot_id, frame.seq, refusal)
            return
        _, unique_id, firmware, interpreter = wire.unpack_hello(frame.body)
        identity = PadIdentity(unique_id.hex(), frame.boot_id, protocol, firmware, interpreter)
        if identity != self._identity:
            self._identity = identity
            self._counters["boots"] += 1
            self._status = (0, 0, 0, 0, 0)
        await self._send(wire.HELLO_ACK, frame.boot_id, frame.seq, wire.pack_hello_ack())
        self._heard_ms = self._now_ms()
        self._become(PadState.READY)

    async def _stranger(self) -> None:
        """A boot that has not said HELLO to us: ask, and let the pad repeat what it said."""
        self._heard_ms = self._now_ms()
        if self._state in (PadState.READY, PadState.SILENT):
            self._become(PadState.CALLING)
        if self._now_ms() - self._asked_ms >= COMMAND_RETRY_S * 1000:
            await self._ask()

    async def _press(self, identity: PadIdentity, frame: wire.Frame) -> None:
        nonce, score, age_ms = wire.unpack_press(frame.body)
        self._heard()
        key = (identity.unique_id, frame.boot_id, frame.seq)
        acknowledged = self._seen.get(key)
        if acknowledged is not None:
            self._counters["repeats"] += 1
            if acknowledged:
                await self._send(wire.ACK, frame.boot_id, frame.seq, b"")
        elif self._presses.full():
            self._counters["held_back"] += 1
        else:
            self._counters["presses"] += 1
            self._remember(key, acknowledged=False)
            self._presses.put_nowait(PadPress(*key, nonce, score, age_ms))

    def _remember(self, key: tuple[str, int, int], *, acknowledged: bool) -> None:
        self._seen[key] = acknowledged
        self._seen.move_to_end(key)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    # --- state and health --------------------------------------------------------------------

    def _heard(self) -> None:
        """A known pad spoke."""
        self._heard_ms = self._now_ms()
        if self._state in (PadState.READY, PadState.SILENT):
            self._become(PadState.READY)

    def _become(self, state: PadState) -> None:
        """The only place where the session's state changes."""
        self._state = state
        if state is PadState.READY:
            self._ready.set()
            if self._status[0] & wire.FLAG_STUCK_KEY:
                self._show(HealthState.FAULT, "stuck_key")
                return
        else:
            self._ready.clear()
        self._show(*_HEALTH[state])

    def _show(self, state: HealthState, detail: str) -> None:
        if (state, detail) == (self._health.state, self._health.detail):
            return
        self._health = Health(state, detail)
        shown = self.health
        for listener in self._listeners:
            listener(shown)
