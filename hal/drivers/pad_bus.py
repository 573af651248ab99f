"""Many pads on one half-duplex line: the host polls, each pad has a link of its own.

What a bus does, changed only by ``_become``::

    state    | means                                         | leaves for
    CLOSED   | not opened, or closed                         | POLLING by the first link's open()
    POLLING  | turns are given                               | JAMMED, DOWN
    JAMMED   | somebody speaks without end: the host listens | POLLING when it is quiet, DOWN
    DOWN     | the adapter is gone, is being opened again    | POLLING when it opens

Turns go to whoever has waited longest: a pad each ROUND_S, at once where something waits for it,
and an address where nobody stands each ABSENT_S. A turn ends with the pad's trailer, or when
nothing came in time (hal.drivers.bus_line).

Health: CLOSED unknown (lost "link" if the adapter was not there), DOWN lost "link", JAMMED fault
"jammed", POLLING ok, or a warning: "babbling" (somebody spoke out of turn), "address_twice",
"noisy". What concerns one pad is in that pad's row as well: see ``trouble``.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from firmware.pad import link as wire
from hal.api import ByteLink, Health, HealthState
from hal.drivers.bus_blame import Speakers
from hal.drivers.bus_ear import Answer
from hal.drivers.bus_line import BusLine, Miss
from hal.drivers.bus_seat import (
    ADDRESS_TWICE,
    BABBLING,
    GONE_S,
    SUSPECTED,
    Seat,
    SeatLink,
    SeatState,
    Trouble,
)
from hal.errors import LinkLost, LinkUnavailable

ROUND_S = 0.050
"""A pad is polled so often where the line has the time; the rest of it is for saving presses."""
ABSENT_S = 2.0
"""An address where nobody stands costs 41 ms each time."""
RIVALS_S = 20.0
"""How often the host asks for a second pad of the same address, which costs as much."""
JAM_S = 0.5
"""No clean answer and never silence for so long: the host stops to listen."""
LISTEN_S = 0.1
BLAMED_S = 10.0
"""How long a pad that spoke out of turn is shown as babbling after the last time."""
FIRST_TRIES = 5
"""An address where none of so many polls was answered has no pad when its link is opened."""
NOISY_SHARE = 0.1
"""More spoilt turns than a good cable has, over about the last hundred."""
_SHARE_WEIGHT = 0.01
MAX_SAID = 256


class BusState(Enum):
    """What the bus does; the table is in the module's docstring."""

    CLOSED = auto()
    POLLING = auto()
    JAMMED = auto()
    DOWN = auto()


class PolledBus:
    """The host's end of a bus on ``link``. ``note`` takes a sentence for the log, each once.

    Each pad's link comes from ``seat``; ``close`` ends all of them.
    """

    def __init__(
        self,
        link: ByteLink,
        *,
        name: str,
        baud: int = 115_200,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._line = BusLine(link, baud)
        self._name = name
        self._note = note
        self._said: set[str] = set()
        self._state = BusState.CLOSED
        self._seats: dict[int, Seat] = {}
        self._speakers = Speakers()
        self._opening = asyncio.Lock()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._fine_at_s = 0.0  # when a turn last ended in an answer or in silence
        self._babbling_until_s = 0.0
        self._rivals_at_s = 0.0
        self._suspect: Seat | None = None  # the first whose turn was spoilt since
        self._last: Seat | None = None  # the last that answered
        self._spoilt_share = 0.0
        self._counters = {"jams": 0, "reopened": 0}
        self._health = Health(HealthState.UNKNOWN)
        self._listeners: list[Callable[[Health], None]] = []

    def seat(self, address: int, unique_id: str = "") -> SeatLink:
        """The link to the pad at an address; ``unique_id`` (hex) decides where two have it.

        Raises ValueError for an address out of range or given twice.
        """
        if address not in wire.ADDRESSES or address in self._seats:
            raise ValueError(
                f"{self._name}: address {address}: expected 1 to {wire.ADDRESSES[-1]}, each once"
            )
        want = wire.tag_of(bytes.fromhex(unique_id)) if unique_id else None
        seat = self._seats[address] = Seat(address, want)
        return SeatLink(f"{self._line.address}#{address}", seat, self._join, self._wake)

    def trouble(self, address: int) -> Trouble | None:
        """What the bus knows of the pad at an address that the pad itself cannot say."""
        trouble = self._seats[address].trouble
        if trouble is None and self._state is BusState.JAMMED:
            return HealthState.LOST, "bus_jammed"
        return trouble

    @property
    def health(self) -> Health:
        """State, detail and counters, now."""
        counters = self._line.counters | self._counters
        return Health(self._health.state, self._health.detail, counters)

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state or detail."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Hang up every pad and release the link; closing twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._line.close()
        self._become(BusState.CLOSED)

    # --- links of pads -----------------------------------------------------------------------

    async def _join(self, seat: Seat) -> None:
        """Open the bus if it is closed; wait until somebody stands there or does not."""
        async with self._opening:
            if self._state is BusState.CLOSED:
                try:
                    await self._line.open()
                except LinkUnavailable:
                    self._show(HealthState.LOST, "link")
                    raise
                self._begin()
                self._task = asyncio.create_task(self._run(), name=f"{self._name}: turns")
                self._task.add_done_callback(self._ended)
        while seat.state is SeatState.ABSENT and seat.tries < FIRST_TRIES:
            self._check()
            await seat.change()
        self._check()

    def _check(self) -> None:
        if self._state is not BusState.POLLING:
            what = "is jammed" if self._state is BusState.JAMMED else "is not open"
            raise LinkUnavailable(f"{self._name}: {self._line.address} {what}")

    def _wake(self, seat: Seat) -> None:
        seat.due_at_s = min(seat.due_at_s, self._now_s())
        self._woken.set()

    # --- turns -------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Give turns for ever; open the line again whenever it breaks."""
        while True:
            try:
                while True:
                    await self._next_turn()
            except LinkLost:
                self._become(BusState.DOWN)
            await self._line.reopen()
            self._counters["reopened"] += 1
            self._begin()

    def _begin(self) -> None:
        """The line is open, and quiet as far as anybody knows: look for every pad."""
        self._fine_at_s = now_s = self._now_s()
        for seat in self._seats.values():
            seat.tries = 0
            seat.due_at_s = now_s
        self._become(BusState.POLLING)

    async def _next_turn(self) -> None:
        """One turn for whoever has waited longest; wait until one is due. Raises LinkLost."""
        seat = min(self._seats.values(), key=lambda seat: seat.due_at_s)
        self._woken.clear()
        began_s = self._now_s()
        if seat.due_at_s > began_s:
            await self._line.wait(self._woken, seat.due_at_s - began_s)
            return
        _, strays = self._line.unasked()
        if strays:
            self._blame([], strays)  # an answer that comes late blames nobody
        if seat.state is SeatState.TAKEN:
            again = await self._poll(seat)
            seat.due_at_s = began_s + (0 if again else ROUND_S)
        else:
            seat.tries += 1
            soon = await self._look_for(seat) or seat.tries < FIRST_TRIES
            seat.due_at_s = self._now_s() + (ROUND_S if soon else ABSENT_S)
            seat.changed.set()
        if self._now_s() - self._fine_at_s >= JAM_S:
            await self._listen_out()
        self._judge()

    async def _poll(self, seat: Seat) -> bool:
        """The turn of a pad that has its seat; whether it should have another one soon."""
        burst = seat.next_burst()
        answer = await self._turn(seat, wire.POLL, wire.TAG_BITS, seat.tag, burst)
        now_s = self._now_s()
        if isinstance(answer, Miss):
            if now_s - seat.answered_at_s >= GONE_S:
                seat.lose()
            return False
        seat.unanswered = None
        seat.answered_at_s = now_s
        seat.hear(answer.data)
        if now_s >= max(seat.rivals_at_s, self._rivals_at_s):
            self._rivals_at_s = now_s + RIVALS_S / len(self._seats)  # not all of them in a row
            await self._look_for_rivals(seat)
        return answer.more or bool(seat.waiting)

    async def _look_for(self, seat: Seat) -> bool:
        """A turn for whoever stands where nobody is known to; whether to look again soon."""
        answer = await self._ask(seat, wire.POLL, 0, 0)
        if answer is Miss.SILENT:
            seat.lose()
            return False
        found = answer if isinstance(answer, Answer) else await self._single_out(seat)
        if found is None:
            return True
        seat.tag = found.tag
        await self._look_for_rivals(seat)
        there = {seat.tag, *seat.rivals}
        if seat.rivals and seat.want not in there:
            seat.lose(SeatState.DISPUTED)
            return False
        if seat.rivals and seat.want is not None:
            seat.rivals = there - {seat.want}
            seat.tag = seat.want
        seat.take(self._now_s())
        return True

    async def _single_out(self, seat: Seat) -> Answer | None:
        """Ask for one low bit of the tag after the other until one pad answers alone."""
        tag = 0
        for bits in range(1, wire.TAG_BITS + 1):
            for with_one in (tag, tag | 1 << (bits - 1)):
                answer = await self._ask(seat, wire.POLL, bits, with_one)
                if isinstance(answer, Answer):
                    return answer
                tag = with_one
                if answer is Miss.SPOILT:
                    break
            else:
                return None  # neither: it was noise
        return None

    async def _look_for_rivals(self, seat: Seat) -> None:
        """Ask for others with this address; noise once or twice is nobody."""
        seat.rivals_at_s = self._now_s() + RIVALS_S
        answer: Answer | Miss = Miss.SPOILT
        for _ in range(3):
            answer = await self._ask(seat, wire.OTHERS, wire.TAG_BITS, seat.tag)
            if answer is not Miss.SPOILT:
                break
        if answer is Miss.SILENT:
            seat.rivals.clear()
        elif answer is Miss.SPOILT:  # somebody answers, and not alone
            seat.rivals = {0}
            self._say(f"more than two pads have the address {seat.address}; give each its own")
        else:
            seat.rivals = {answer.tag}
            names = [await self._named(seat, tag) for tag in (seat.tag, answer.tag)]
            self._say(
                f"two pads have the address {seat.address}: {' and '.join(names)}; give one of"
                " them another with `lobby flash line`"
            )

    async def _named(self, seat: Seat, tag: int) -> str:
        """The unique id behind a tag, as the pad says it in HELLO."""
        who = wire.encode(wire.WHO, 1, 1)
        for _ in range(3):  # it hears the question in one turn and answers in the next
            name = self._speakers.name(tag)
            if name:
                return name
            answer = await self._ask(seat, wire.POLL, wire.TAG_BITS, tag, who)
            if isinstance(answer, Answer) and tag == seat.tag:
                seat.hear(answer.data)
        return self._speakers.name(tag) or f"one with the tag {tag:04x}"

    async def _ask(
        self, seat: Seat, kind: int, bits: int, tag: int, data: bytes = b""
    ) -> Answer | Miss:
        """A turn of a number of its own, asked once."""
        seat.turn = (seat.turn + 1) & 0xFF
        return await self._turn(seat, kind, bits, tag, data)

    async def _turn(
        self, seat: Seat, kind: int, bits: int, tag: int, data: bytes
    ) -> Answer | Miss:
        poll = wire.burst(data, kind, seat.address, seat.turn, bits, tag)
        answer = await self._line.ask(poll, seat.address, seat.turn)
        spoilt = answer is Miss.SPOILT
        self._spoilt_share += (spoilt - self._spoilt_share) * _SHARE_WEIGHT
        if not spoilt:
            self._fine_at_s = self._now_s()
            self._suspect = None
        elif self._suspect is None and not self._line.early:
            self._suspect = seat  # the first of them all, and not spoken into
        if isinstance(answer, Answer):
            self._last = seat
            self._speakers.heard(answer)
        return answer

    # --- who speaks out of turn --------------------------------------------------------------

    def _blame(self, answers: list[Answer], strays: bytes) -> bool:
        """Find out who spoke without a turn; whether anybody is named."""
        until_s = self._now_s() + BLAMED_S
        places = {(answer.address, answer.tag) for answer in answers}
        place, unique_id = self._speakers.who(strays)
        if place is not None:
            places.add(place)
        elif unique_id:
            self._babbling_until_s = until_s
            self._say(f"the pad {unique_id} speaks without being asked; take it off the bus")
        for address, tag in places:
            self._babbling_until_s = until_s
            seat = self._seats.get(address)
            if seat is not None:
                seat.blame(BABBLING, until_s)
            name = self._speakers.name(tag) or f"with the tag {tag:04x}"
            self._say(
                f"the pad at address {address}, {name}, speaks without being asked; take it off"
                " the bus"
            )
        return bool(places or unique_id)

    async def _listen_out(self) -> None:
        """Say nothing until the line is quiet, and find out who keeps it busy. Raises LinkLost."""
        suspect = self._suspect or self._last
        self._line.unasked()
        named = False
        never = asyncio.Event()
        while True:
            await self._line.wait(never, LISTEN_S)
            answers, strays = self._line.unasked()
            if not answers and not strays:
                break
            if self._state is not BusState.JAMMED:
                self._counters["jams"] += 1
                self._become(BusState.JAMMED)
            named = self._blame(answers, strays) or named
            if not named and suspect is not None:
                suspect.blame(SUSPECTED, self._now_s() + BLAMED_S)
        if self._state is BusState.JAMMED:
            self._begin()
        self._fine_at_s = self._now_s()

    # --- state and health --------------------------------------------------------------------

    def _become(self, state: BusState) -> None:
        """The only place where the bus's state changes."""
        self._state = state
        if state is not BusState.POLLING:
            for seat in self._seats.values():
                seat.lose()
        if state is BusState.CLOSED:
            self._show(HealthState.UNKNOWN, "")
        elif state is BusState.DOWN:
            self._show(HealthState.LOST, "link")
        elif state is BusState.JAMMED:
            self._show(HealthState.FAULT, "jammed")
        else:
            self._judge()

    def _judge(self) -> None:
        """Health while turns are given."""
        now_s = self._now_s()
        for seat in self._seats.values():
            if seat.blamed is not None and now_s >= seat.blamed_until_s:
                seat.blamed = None
        if now_s < self._babbling_until_s:
            self._show(HealthState.WARNING, BABBLING)
        elif any(seat.rivals for seat in self._seats.values()):
            self._show(HealthState.WARNING, ADDRESS_TWICE)
        elif self._spoilt_share > NOISY_SHARE:
            self._show(HealthState.WARNING, "noisy")
        else:
            self._show(HealthState.OK, "")

    def _show(self, state: HealthState, detail: str) -> None:
        if (state, detail) == (self._health.state, self._health.detail):
            return
        self._health = Health(state, detail)
        for listener in self._listeners:
            listener(self.health)

    def _say(self, sentence: str) -> None:
        if sentence not in self._said and len(self._said) < MAX_SAID:
            self._said.add(sentence)
            self._note(f"{self._line.address}: {sentence}")

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A task that dies of a fault in a listener or in here is seen in health too."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._become(BusState.DOWN)
            self._show(HealthState.FAULT, "driver")
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{self._name}: {task.get_name()} ended", "exception": error}
            )

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
