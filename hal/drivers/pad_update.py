"""New firmware for a pad over its line: one step at a time, each repeated until it is answered.

The pad answers a step when its flash has it; until then nothing is sent, since a write to flash
masks interrupts and a UART would lose what comes. What the pad has already is not sent again,
whoever sent it: a run that was cut anywhere is begun anew and goes on there.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from firmware.pad import link as wire
from hal.api import PadTrial
from hal.drivers.pad_commands import Send
from hal.errors import DeviceBusy, DeviceRefused, DeviceSilent, LinkLost

STEP_RETRY_S = 1.0
"""Time for one answer: an erase takes 0.1 s, hashing a slot of 40 KiB 0.1 s, on an RP2040."""
STEP_TRIES = 15
"""At one frame in five lost each way, 15 tries fail once in ten million steps."""
SWITCH_TRIES = 3
"""The pad restarts on its first; whether it heard is seen in its greeting."""
FILE_TRIES = 3
"""A file whose bytes were wrong is sent again: what an older try left may be another version's."""
OFFERS = 3
"""How often a pad that restarted in the middle is offered the same firmware in one run."""

Progress = Callable[[int, int], None]
_Answer = tuple[int, int, int, bytes]


class _Restarted(Exception):
    """The pad knows of no update: it was started anew since the offer."""


class PadUpdate:
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
        self._answer: asyncio.Future[_Answer] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(
        self,
        manifest: bytes,
        files: Mapping[str, bytes],
        key: bytes | None,
        progress: Progress,
        switching: Callable[[], None],
    ) -> None:
        """See hal.api.UpdatablePad; ``key`` is the pad's, None: it has none."""
        self._check()
        if key is None:
            raise DeviceRefused(
                f"{self._name}: only a pad with a key takes firmware over its line"
            )
        rows = _rows(manifest)
        if missing := [name for name in rows if name not in files]:
            raise ValueError(f"the manifest names {missing[0]!r}, which is not there")
        mac = wire.Hmac(key).digest(b"", manifest)
        async with self._one_at_a_time:
            for _ in range(OFFERS):
                with contextlib.suppress(_Restarted):
                    wanted = await self._offer(manifest, mac, len(rows))
                    await self._fill([(n, files[rows[n]]) for n in wanted], progress)
                    switching()
                    await self._switch()
                    return
        raise DeviceSilent(f"{self._name}: the pad restarts again and again while it is updated")

    def answered(self, frame: wire.Frame) -> None:
        """Take a PROGRESS; one for an earlier step changes nothing. Raises BadBody."""
        answer = wire.unpack_progress(frame.body)
        current = frame.boot_id == self._session and frame.seq == self._seq
        if current and self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    # --- the steps ---------------------------------------------------------------------------

    async def _offer(self, manifest: bytes, mac: bytes, count: int) -> list[int]:
        """Offer the manifest; the numbers of the files that the pad wants."""
        await self._step(wire.OFFER, wire.pack_offer(len(manifest), mac))
        at = 0
        while True:
            part = manifest[at : at + wire.MAX_PART]
            answer, _, at, rest = await self._step(wire.OFFER_PART, wire.pack_offer_part(at, part))
            if answer == wire.OPENED:
                return [n for n in range(count) if rest[n >> 3] >> (n & 7) & 1]
            if at >= len(manifest):
                raise _Restarted

    async def _fill(self, wanted: list[tuple[int, bytes]], progress: Progress) -> None:
        size = sum(len(data) for _, data in wanted)
        done = 0
        progress(done, size)
        for file, data in wanted:
            for _ in range(FILE_TRIES):
                if await self._file(file, data, partial(_tell, progress, done, size)):
                    break
            else:
                raise DeviceRefused(f"{self._name}: file {file} arrives damaged every time")
            done += len(data)
            progress(done, size)

    async def _file(self, file: int, data: bytes, progress: Callable[[int], None]) -> bool:
        """Send one file from where the pad has it; False if its bytes are not right there."""
        _, _, at, _ = await self._step(wire.FILE_ASK, wire.pack_file(file))
        if at > len(data):
            at = 0
        while at < len(data) or not data:
            part = data[at : at + wire.MAX_PART]
            _, _, at, _ = await self._step(wire.FILE_PART, wire.pack_part(file, at, part))
            progress(at)
            if not data:
                break
        answer, _, _, _ = await self._step(wire.FILE_END, wire.pack_file(file))
        return answer == wire.PLACED

    async def _switch(self) -> None:
        """Tell the pad to start the new firmware; a lost answer is no fault, it restarts."""
        with contextlib.suppress(DeviceSilent, LinkLost, _Restarted):
            await self._step(wire.SWITCH, b"", tries=SWITCH_TRIES)

    # --- one step ----------------------------------------------------------------------------

    async def _step(self, kind: int, body: bytes, tries: int = STEP_TRIES) -> _Answer:
        self._check()
        self._seq += 1
        future = self._answer = asyncio.get_running_loop().create_future()
        try:
            await self._until_answered(kind, body, future, tries)
        finally:
            self._answer = None
            future.cancel()
        answer: _Answer = future.result()
        code, _, _, rest = answer
        if code == wire.NOTHING_OPEN:
            raise _Restarted
        if code == wire.BUSY:
            raise DeviceBusy(f"{self._name}: somebody rates, or new firmware is on trial")
        if code == wire.NOT_TAKEN:
            raise DeviceRefused(f"{self._name}: the pad says: {rest.decode(errors='replace')}")
        return answer

    async def _until_answered(
        self, kind: int, body: bytes, answer: "asyncio.Future[_Answer]", tries: int
    ) -> None:
        for _ in range(tries):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STEP_RETRY_S):
                    await self._ready()
                    await self._send(kind, self._session, self._seq, body)
                    await asyncio.shield(answer)
                    return
        raise DeviceSilent(
            f"{self._name}: no answer to a step of its update within {tries * STEP_RETRY_S:g} s"
        )


def quietly(*_: int) -> None:
    """Nobody is told."""


def trial_of(flags: int) -> PadTrial:
    """What the flags of a PING say of the firmware that runs."""
    return PadTrial(bool(flags & wire.FLAG_ON_TRIAL), bool(flags & wire.FLAG_WENT_BACK))


def _tell(progress: Progress, before: int, size: int, at: int) -> None:
    progress(before + at, size)


def _rows(manifest: bytes) -> list[str]:
    """The names of a manifest's files, in its order. Raises ValueError."""
    try:
        return [str(row["file"]) for row in json.loads(manifest)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not a manifest of firmware: {error!r}") from error
