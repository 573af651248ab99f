"""A small branch for the pages' tests: it keeps a line and serves it first come, first served.

It does not model: services per counter (each serves all), rating windows, estimates, storage.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from branch.commands import AnyCommand, OpenCounter, PauseCounter
from branch.desk_view import DeskView, ListedTicket, NamedService, OtherCounter
from branch.view import (
    BoardView,
    Call,
    CommandRefused,
    CounterState,
    CounterView,
    PromiseLine,
    ServiceLine,
    WaitingTicket,
)

SERVICES = (
    ("A", "现金", "Cash"),
    ("B", "非现金", "Accounts"),
    ("C", "对公", "Business"),
    ("D", "理财贷款", "Advice"),
)
RECENT = 6


@dataclass
class Window:
    """One counter."""

    state: CounterState = CounterState.FREE
    number: str | None = None
    calls: int = 0
    pad: str = "ready"
    since_ms: int = 0
    waited_min: int = 18
    turn: int = 0
    note: str = ""
    reason: str = ""
    segment: str = ""


@dataclass
class ToyBranch:
    """Implements branch.view.Branch in memory; bench verbs: take_ticket, touch, freeze."""

    numbers: tuple[int, ...] = (1, 2, 3, 5)
    services: tuple[tuple[str, str, str], ...] = SERVICES
    waits: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    promises: list[tuple[float, int, int]] = field(default_factory=list)
    clock: str = "10:24"
    healthy: bool = True
    frozen: bool = False
    revision: int = 1
    boards_made: int = 0
    commands_done: list[tuple[str, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.windows = {number: Window() for number in self.numbers}
        self.line: list[tuple[str, int]] = []
        self.calls: list[Call] = []
        self.parked: list[str] = []
        self.missed: list[str] = []
        self.commands: list[tuple[AnyCommand, str]] = []
        self._answers: dict[str, CounterView] = {}
        self._news = asyncio.Event()

    # --- bench verbs

    def take_ticket(self, number: str, waited_min: int = 0) -> None:
        self.line.append((number, waited_min))
        self.touch()

    def touch(self) -> None:
        """Something changed."""
        self.revision += 1
        self._news.set()
        self._news = asyncio.Event()

    def announce(self, number: str, counter: int, clock: str) -> None:
        """A call that came from anywhere."""
        self.calls = [call for call in self.calls if call.number != number]
        self.calls.insert(0, Call(number, counter, clock, seq=self.revision))
        self.touch()

    # --- what the pages ask

    def board(self) -> BoardView:
        self.boards_made += 1
        return BoardView(
            revision=self.revision,
            branch_zh="示例银行·滨江支行",
            branch_en="Example Bank, Riverside",
            date_zh="11月23日 星期一",
            date_en="Monday 23 November",
            clock=self.clock,
            latest=self.calls[0] if self.calls else None,
            recent=tuple(self.calls[1:RECENT]),
            services=tuple(
                ServiceLine(letter, zh, en, self._waiting(letter), self.waits.get(letter, (0, 0)))
                for letter, zh, en in self.services
            ),
            hours="9:00–17:00",
            complaints_phone="400-000-0000",
            promises=tuple(
                PromiseLine(letter, zh, en, longest_min, people, kept)
                for (letter, zh, en), (longest_min, people, kept) in zip(
                    self.services, self.promises, strict=False
                )
            ),
        )

    def _waiting(self, letter: str) -> int:
        return sum(1 for number, _ in self.line if number.startswith(letter))

    def counter(self, counter: int) -> CounterView:
        window = self.windows[counter]
        _, zh, en = self._service(window.number)
        return CounterView(
            revision=self.revision,
            counter=counter,
            state=window.state,
            services_zh="现金、非现金",
            services_en="Cash, Accounts",
            number=window.number,
            service_zh=zh,
            service_en=en,
            waited_min=window.waited_min if window.number else None,
            since_ms=window.since_ms,
            calls=window.calls,
            pad=window.pad,
            waiting=len(self.line),
            up_next=tuple(
                WaitingTicket(number, *self._service(number)[1:], waited)
                for number, waited in self.line[:8]
            ),
            clock=self.clock,
            turn=window.turn,
            note=window.note,
            note_by=5 if window.note else 0,
            reason=window.reason,
            segment=window.segment,
            promise_min=30.0,
            parked=tuple(self.parked),
        )

    def _service(self, number: str | None) -> tuple[str, str, str]:
        for service in self.services:
            if number and number.startswith(service[0]):
                return service
        return ("", "", "")

    def desk(self, counter: int) -> DeskView:
        return DeskView(
            services=tuple(NamedService(*service, True) for service in self.services),
            counters=tuple(OtherCounter(n, "ABCD", "open") for n in self.numbers if n != counter),
            segments=("ordinary", "elderly", "vip"),
            notes=("form signed", "document missing", "缺证件"),
            waiting=tuple(self._listed(number, waited) for number, waited in self.line),
            parked=tuple(self._listed(number, 9) for number in self.parked),
            missed=tuple(self._listed(number, 9, 4) for number in self.missed),
        )

    def _listed(self, number: str, waited_min: int, minutes: int | None = None) -> ListedTicket:
        return ListedTicket(number, *self._service(number)[1:], waited_min, minutes=minutes)

    def counters(self) -> tuple[int, ...]:
        return self.numbers

    async def changed(self, revision: int, timeout_s: float) -> int:
        while self.frozen:
            await self._news.wait()
        if self.revision <= revision:
            news = self._news
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), timeout_s)
        return self.revision

    def health(self) -> dict[str, object]:
        return {"ok": self.healthy, "broker": "connected"}

    # --- commands

    async def call_next(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        def do(window: Window) -> None:
            if window.state is not CounterState.FREE:
                raise CommandRefused("busy", "the counter has a customer")
            if not self.line:
                raise CommandRefused("nobody_waiting", "nobody is waiting")
            number, window.waited_min = self.line.pop(0)
            window.state, window.number, window.calls = CounterState.CALLING, number, 1
            window.pad = "ready"
            self.announce(number, counter, self.clock)

        return self._once("call_next", counter, key, do, turn)

    async def recall(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        def do(window: Window) -> None:
            self._need_calling(window)
            window.calls += 1
            self.announce(str(window.number), counter, self.clock)

        return self._once("recall", counter, key, do, turn)

    async def start(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        def do(window: Window) -> None:
            self._need_calling(window)
            window.state = CounterState.SERVING

        return self._once("start", counter, key, do, turn)

    async def miss(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        def do(window: Window) -> None:
            self._need_calling(window)
            window.state, window.number = CounterState.FREE, None

        return self._once("miss", counter, key, do, turn)

    async def finish(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        def do(window: Window) -> None:
            if window.state is not CounterState.SERVING:
                raise CommandRefused("no_ticket", "nobody is being served")
            window.state, window.number, window.pad = CounterState.FREE, None, "armed"

        return self._once("finish", counter, key, do, turn)

    async def perform(
        self, counter: int, command: AnyCommand, key: str, turn: int | None = None
    ) -> CounterView:
        def do(window: Window) -> None:
            if isinstance(command, PauseCounter) and window.state is CounterState.FREE:
                window.state = CounterState.PAUSED
            elif isinstance(command, OpenCounter):
                window.state = CounterState.FREE

        view = self._once(str(command.__struct_config__.tag), counter, key, do, turn)
        self.commands.append((command, key))
        return view

    @staticmethod
    def _need_calling(window: Window) -> None:
        if window.state is CounterState.SERVING:
            raise CommandRefused("already_serving", "the customer is here")
        if window.state is not CounterState.CALLING:
            raise CommandRefused("no_ticket", "no ticket is called")

    def _once(
        self,
        name: str,
        counter: int,
        key: str,
        do: Callable[[Window], None],
        turn: int | None = None,
    ) -> CounterView:
        if key not in self._answers:
            window = self.windows[counter]
            if turn not in (None, window.turn):
                raise CommandRefused("expired", f"it is turn {window.turn}")
            do(window)
            window.turn += 1
            self.commands_done.append((name, counter, key))
            self.touch()
            self._answers[key] = self.counter(counter)
        return self._answers[key]
