"""A pad of ours as the tactile keys of the audio guide: its strokes, each handed on once, and soon
or not at all.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

from firmware.pad import link as wire
from hal.api import ByteLink, HealthState
from hal.body import GuideKey, KeyStroke
from hal.drivers.keys_held import KeysHeld
from hal.drivers.pad import SerialPad, no_keys
from hal.drivers.pad_line import TroubleOf, no_trouble, until_open
from hal.drivers.pad_state import PadState
from hal.drivers.pad_talk import KeyOf, Random
from hal.errors import LinkUnavailable

LATE_MS = 1_000
"""A key that goes down and comes to us later than that is not handed on: something else is being
said by then."""
BEAT_S = 0.25
DRAIN_MS = 100
"""After a pause of this program, what came meanwhile is read within so long."""
OTHER_ROLE = "not_keys"

_KEYS = tuple(GuideKey)


class Pauses:
    """Whether this program looked at its lines in time. The pad says how old a stroke was when it
    was sent; how long it lay in the port since then, only we can know.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._beat_ms = now_ms()
        self._resumed_ms: int | None = None

    def beat(self) -> None:
        """The program runs; to be called each BEAT_S."""
        if self._paused():
            self._resumed_ms = self._now_ms()
        self._beat_ms = self._now_ms()

    def may_be_late(self) -> bool:
        """Whether what is read now may be older than LATE_MS."""
        since = self._resumed_ms
        return self._paused() or (since is not None and self._now_ms() - since < DRAIN_MS)

    def _paused(self) -> bool:
        return self._now_ms() - self._beat_ms > LATE_MS


class KeysPad(SerialPad):
    """A pad in the role ``keys``, as hal.body.KeyPad. Arguments as those of SerialPad.

    A key that is held when the pad is lost, or greeted anew, counts as let go. A stroke that may
    have lain in the port for longer than LATE_MS is neither handed on nor acknowledged: the pad
    says it again while it is young.
    """

    def __init__(
        self,
        link: ByteLink,
        *,
        name: str,
        now_ms: Callable[[], int],
        codes: Mapping[str, Sequence[int]] | None = None,
        key_of: KeyOf = no_keys,
        allow_unkeyed: bool = False,
        trouble: TroubleOf = no_trouble,
        session: int | None = None,
        random: Random = os.urandom,
    ) -> None:
        if codes:
            raise ValueError("codes: only a keyboard has key codes")
        super().__init__(
            link,
            name=name,
            now_ms=now_ms,
            key_of=key_of,
            allow_unkeyed=allow_unkeyed,
            trouble=trouble,
            session=session,
            random=random,
        )
        self._pauses = Pauses(now_ms)
        self._last = (0, 0)  # boot id and sequence of the last stroke taken
        self._own_tasks: list[asyncio.Task[None]] = []
        self._counters |= {"pressed": 0, "late": 0}
        self._held = KeysHeld(self._counters)

    async def open(self) -> None:
        """Open the line and listen from now on. Raises LinkUnavailable; it is tried again."""
        if self._own_tasks:
            return
        self._own_tasks = [asyncio.create_task(self._beat(), name=f"{self._name}: beat")]
        try:
            await super().open()
        except LinkUnavailable:
            self._show(HealthState.LOST, "link")
            again = until_open(super().open)
            self._own_tasks.append(asyncio.create_task(again, name=f"{self._name}: open"))
            raise

    async def close(self) -> None:
        """Stop listening and release the link; closing twice is harmless."""
        tasks, self._own_tasks = self._own_tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await super().close()

    async def next_stroke(self) -> KeyStroke:
        """Wait for the next stroke."""
        return await self._held.next_stroke()

    async def _beat(self) -> None:
        while True:
            self._pauses.beat()
            await asyncio.sleep(BEAT_S)

    async def _dispatch(self, frame: wire.Frame) -> None:
        if frame.kind != wire.STROKE:
            await super()._dispatch(frame)
            return
        number, down, age_ms = wire.unpack_stroke(frame.body)
        self._heard()
        boot_id, last = self._last
        if frame.boot_id != boot_id or frame.seq > last:
            if down and (age_ms > LATE_MS or self._pauses.may_be_late()):
                self._counters["late"] += 1
                return
            self._last = (frame.boot_id, frame.seq)
            self._held.take(KeyStroke(_KEYS[number - 1], down))
        else:
            self._counters["repeats"] += 1
        await self._send(wire.ACK, frame.boot_id, frame.seq, b"")

    def _greeted(self) -> None:
        self._held.let_go()
        super()._greeted()

    def _become(self, state: PadState) -> None:
        if state is not PadState.READY:
            self._held.let_go()
        super()._become(state)

    def _fault(self) -> str:
        if self._identity is not None and not self._identity.roles & wire.GUIDE:
            return OTHER_ROLE
        return super()._fault()
