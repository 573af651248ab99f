"""One address of a bus, and the byte link to the pad that stands there.

::

    state     | one pad answers | several answer | none answers
    ABSENT    | TAKEN           | DISPUTED       | ABSENT
    TAKEN     | TAKEN           | TAKEN          | ABSENT after GONE_S
    DISPUTED  | TAKEN           | DISPUTED       | ABSENT

A pad that has its seat keeps it: polls name its tag, so another one of the same address cannot
disturb it. Of two that are there from the start, neither is taken, unless the configuration names
one. Either way the address is in trouble, ``address_twice``.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from firmware.pad import link as wire
from hal.api import HealthState
from hal.errors import LinkLost, LinkUnavailable

GONE_S = 2.5
"""A pad that answers no poll for so long has left: 50 rounds, or 25 of a line full of noise."""
SHORT_BURST = 96
"""Two or three small frames go together; more in one burst would be lost together as well."""
MAX_WAITING = 8
"""Frames for a pad that wait for its turn; then writing waits."""
MAX_UNREAD = 1 << 14
"""Bytes of a pad that nobody reads; older ones go, the pad says again what matters."""

Trouble = tuple[HealthState, str]

ADDRESS_TWICE = "address_twice"
BABBLING = "babbling"
SUSPECTED = "babbling_suspected"


class SeatState(Enum):
    """Who stands at an address; the table is in the module's docstring."""

    ABSENT = auto()
    TAKEN = auto()
    DISPUTED = auto()


class Seat:
    """``want`` is the tag of the one pad that may stand here, None: any. Times are the loop's."""

    def __init__(self, address: int, want: int | None) -> None:
        self.address = address
        self.want = want
        self.state = SeatState.ABSENT
        self.tag = 0
        self.rivals: set[int] = set()  # tags of others at this address; 0 for one without a name
        self.tries = 0  # polls since the bus was opened
        self.due_at_s = 0.0
        self.answered_at_s = 0.0
        self.rivals_at_s = 0.0  # when others are to be looked for again
        self.blamed: Trouble | None = None  # it spoke out of turn, or may have
        self.blamed_until_s = 0.0
        self.turn = 0  # the number of the last burst to this address
        self.unanswered: bytes | None = None  # that burst's data, while its answer was not heard
        self.waiting: deque[bytes] = deque()
        self.unread = bytearray()
        self.is_open = False
        self.changed = asyncio.Event()

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong here that the pad itself cannot say."""
        if self.blamed is not None:
            return self.blamed
        if not self.rivals:
            return None
        taken = self.state is SeatState.TAKEN
        return HealthState.WARNING if taken else HealthState.FAULT, ADDRESS_TWICE

    def blame(self, detail: str, until_s: float) -> None:
        """This pad spoke out of turn, or may have; a suspicion takes no certainty back."""
        if self.blamed is None or detail == BABBLING:
            self.blamed = (HealthState.FAULT, detail)
        self.blamed_until_s = until_s

    def take(self, now_s: float) -> None:
        """The pad with ``tag`` stands here from now on."""
        self.state = SeatState.TAKEN
        self.answered_at_s = now_s
        self.changed.set()

    def lose(self, state: SeatState = SeatState.ABSENT) -> None:
        """Nobody stands here any more: the link breaks."""
        self.state = state
        if state is SeatState.ABSENT:
            self.rivals.clear()
        self.hang_up()

    def hang_up(self) -> None:
        """The link breaks; whoever opens it again finds the pad."""
        self.is_open = False
        self.waiting.clear()
        self.unanswered = None
        self.unread.clear()
        self.changed.set()

    def hear(self, data: bytes) -> None:
        """Bytes of the pad, for whoever reads."""
        if self.is_open and data:
            self.unread += data
            del self.unread[:-MAX_UNREAD]
            self.changed.set()

    def next_burst(self) -> bytes:
        """What goes out with the next poll: the last burst again if it was not answered, else what
        waits, whole writes.
        """
        if self.unanswered is not None:
            return self.unanswered
        self.turn = (self.turn + 1) & 0xFF
        burst = b""
        while self.waiting and (not burst or len(burst) + len(self.waiting[0]) <= SHORT_BURST):
            burst += self.waiting.popleft()
            self.changed.set()
        self.unanswered = burst
        return burst

    async def change(self) -> None:
        """Wait until something here has changed."""
        self.changed.clear()
        await self.changed.wait()


class SeatLink:
    """The pad at one address as a ByteLink. ``join`` opens the bus if need be and waits until it
    has looked for the pad; ``wake`` tells it that something waits.
    """

    def __init__(
        self,
        name: str,
        seat: Seat,
        join: Callable[[Seat], Awaitable[None]],
        wake: Callable[[Seat], None],
    ) -> None:
        self._name = name
        self._seat = seat
        self._join = join
        self._wake = wake

    @property
    def address(self) -> str:
        return self._name

    async def open(self) -> None:
        seat = self._seat
        if seat.is_open:
            raise LinkUnavailable(f"{self._name}: already open; a pad has one owner")
        await self._join(seat)
        if seat.state is SeatState.DISPUTED:
            raise LinkUnavailable(
                f"{self._name}: several pads have the address {seat.address}; give each its own"
            )
        if seat.state is SeatState.ABSENT:
            raise LinkUnavailable(
                f"{self._name}: no pad answers at address {seat.address}; is it plugged in, is"
                " its address right?"
            )
        seat.is_open = True

    async def read(self, limit: int = 4096) -> bytes:
        seat = self._seat
        while not seat.unread:
            if not seat.is_open:
                raise LinkLost(f"{self._name}: the pad left the bus, or the link was closed")
            await seat.change()
        data = bytes(seat.unread[:limit])
        del seat.unread[:limit]
        return data

    async def write(self, data: bytes) -> None:
        seat = self._seat
        while True:
            if not seat.is_open:
                raise LinkLost(f"{self._name}: the pad left the bus, or the link was closed")
            if len(seat.waiting) < MAX_WAITING:
                break
            await seat.change()
        for at in range(0, len(data), wire.MAX_BURST):
            seat.waiting.append(data[at : at + wire.MAX_BURST])
        self._wake(seat)

    async def close(self) -> None:
        self._seat.hang_up()
