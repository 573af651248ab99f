"""``lobby replay``: a recorded day through the real kiosk controller, the real sync and the real
branch server.
"""

import asyncio
import csv
import itertools
import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from branch.queue import Discipline, TicketPhase
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ScreenConfig, ServiceConfig
from kiosk.flow import Phase
from kiosk.view import CONTROL_ACKNOWLEDGE, CONTROL_DONE, View
from simulator import report
from simulator.errors import BadInput, SimulatorError
from simulator.oracle import Memory, audit
from simulator.recorded_day import ABANDONED, SERVED, Arrival, RecordedDay
from simulator.vtime import PacedLoop, virtual_clock
from simulator.world import World

HEAD_START_MIN = 1.5
"""What the recorded call centre gave its VIP callers (Brown et al. 2005)."""
VIP_SEGMENTS = ("VIP",)
LEAD_S = 60.0
"""The branch opens this long before the first arrival."""
DRAIN_S = 60.0
STUCK_S = 3_600.0
"""So long after the last service and the last patience has ended nobody may be left."""
MEMORY_DISK = "/dev/shm"
"""The databases of a replay are thrown away: where there is a disk in memory, commits cost no
time.
"""
FIELDS = (
    "ticket", "service", "segment", "arrive_s", "call_s", "start_s", "end_s", "wait_s", "counter",
    "outcome", "recorded_wait_s", "difference_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay. ``speed`` is virtual seconds a second, infinity for "max"; times are
    multiplied by ``stretch``.
    """

    stretch: float = 1.0
    counters: int = 4
    discipline: str = "fifo"
    head_start_min: float = HEAD_START_MIN
    speed: float = math.inf
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What became of one arrival, in seconds of the stretched day."""

    arrival: Arrival
    arrive_s: float
    number: str = ""
    call_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    wait_s: float | None = None
    counter: int | None = None
    outcome: str = ""
    recorded_wait_s: float | None = None

    @property
    def difference_s(self) -> float | None:
        """The replayed wait less the recorded one, None where either is missing or the person left
        in one and was served in the other.
        """
        as_recorded = SERVED if self.arrival.patience_s is None else ABANDONED
        if self.wait_s is None or self.recorded_wait_s is None or self.outcome != as_recorded:
            return None
        return self.wait_s - self.recorded_wait_s


@dataclass(slots=True)
class Replay:
    """One run. ``progress(done, all)`` is called as arrivals are settled."""

    day: RecordedDay
    options: ReplayOptions
    version: str
    progress: Callable[[int, int], None] = lambda _done, _all: None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    _view_changed: asyncio.Event = field(default_factory=asyncio.Event)
    _free: deque[int] = field(default_factory=deque)  # counters, the longest free first
    _medians: dict[str, float] = field(default_factory=dict)
    _settled: int = 0
    _busy_until_s: float = 0.0
    _day_s: Callable[[], float] = lambda: 0.0

    def run(self, folder: Path) -> dict[str, Any]:
        """Replay into ``folder`` (databases); returns the report's table. Raises
        SimulatorError.
        """
        began_s = time.monotonic()
        with asyncio.Runner(loop_factory=lambda: PacedLoop(self.options.speed)) as runner:
            simulated_s = runner.run(self._play(folder))
        found = audit(folder / "branch.db", [folder / "journal.db"], self.memory)
        arrivals = len(self.day.arrivals)
        if found.tickets["served"] + found.tickets["abandoned"] != arrivals:
            found.violations.append(
                f"{arrivals} arrivals, but {found.tickets['served']} served and"
                f" {found.tickets['abandoned']} abandoned"
            )
        options = self.options
        return report.build(
            found,
            version=self.version,
            seed=options.seed,
            speed="max" if math.isinf(options.speed) else options.speed,
            simulated_s=simulated_s,
            wall_s=time.monotonic() - began_s,
            waits_s=[wait_ms / 1000 for wait_ms in found.waits_ms],
            interpreter="",
            broker="in-process",
            date=self.day.date,
            arrivals=arrivals,
            counters=options.counters,
            discipline=options.discipline,
            stretch=options.stretch,
            recorded=compared(list(self.outcomes.values())),
            skipped_rows=len(self.day.skipped),
            skipped=[f"line {row.line}: {row.reason}" for row in self.day.skipped],
        )

    async def _play(self, folder: Path) -> float:
        day, options = self.day, self.options
        self._medians = day.median_service_s()
        first_s = max(0.0, day.arrivals[0].arrive_s * options.stretch - LEAD_S)
        midnight = datetime.fromisoformat(day.date).replace(tzinfo=UTC)
        midnight_ms = int(midnight.timestamp() * 1000)
        clock = virtual_clock(midnight_ms + round(first_s * 1000), options.seed)
        letters = _letters(day)
        world = World(
            folder,
            kiosk=_kiosk(letters),
            branch=_branch(letters, options.counters, day, options.stretch),
            clock=clock,
            version=self.version,
            show=self._shown,
            discipline=_discipline(options),
            business_day=day.date,
        )
        self._day_s = lambda: (clock.wall_ms() - midnight_ms) / 1000
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await world.start()
        try:
            async with asyncio.TaskGroup() as people:
                people.create_task(self._hall(world, people))
                for arrival in day.arrivals:
                    await asyncio.sleep(arrival.arrive_s * options.stretch - self._day_s())
                    ticket_id = await self._take_ticket(world, arrival, letters)
                    if arrival.patience_s is not None:
                        people.create_task(self._leave(world, ticket_id, arrival))
                await self._until_settled(world)
            if not await world.kiosk.outbox.drained(DRAIN_S):
                raise SimulatorError("the branch did not acknowledge every event of the kiosk")
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            await world.stop()
        self.memory.held = world.held
        return loop.time() - began_s

    async def _until_settled(self, world: World) -> None:
        """Wait until everybody was served or has left."""
        while self._settled < len(self.day.arrivals):
            if self._day_s() > self._busy_until_s + STUCK_S:
                left = [who.number for who in self.outcomes.values() if not who.outcome]
                raise SimulatorError(
                    f"{len(left)} people neither were served nor left: {', '.join(left[:8])}"
                )
            await world.branch.changed(world.branch.revision, DRAIN_S)

    def _shown(self, _view: View) -> None:
        self._view_changed.set()

    async def _take_ticket(self, world: World, arrival: Arrival, letters: dict[str, str]) -> str:
        """One person at the kiosk: identify, tap, read the number, clear the screen."""
        kiosk = world.kiosk
        arrive_s = arrival.arrive_s * self.options.stretch
        kiosk.identify(arrival.segment)
        self.memory.tapped += 1
        kiosk.tap(f"service.{letters[arrival.service]}", f"touch-{arrival.line}")
        if kiosk.visit.ticket is None:
            raise SimulatorError(f"line {arrival.line}: no ticket ({kiosk.visit.cause})")
        ticket = kiosk.visit.ticket
        recorded_s = arrival.waited_s
        self.outcomes[ticket.id] = Outcome(
            arrival,
            arrive_s,
            ticket.number,
            recorded_wait_s=None if recorded_s is None else recorded_s * self.options.stretch,
        )
        self.memory.shown.append(ticket.number)
        while kiosk.visit.phase is Phase.PRINTING:
            self._view_changed.clear()
            await self._view_changed.wait()
        kiosk.tap(
            CONTROL_DONE if kiosk.visit.phase is Phase.TICKET else CONTROL_ACKNOWLEDGE, "done"
        )
        return ticket.id

    async def _hall(self, world: World, people: asyncio.TaskGroup) -> None:
        """As long as somebody waits, let the teller that is free the longest call."""
        branch = world.branch
        services = {letter for slot in branch.engine.counters.values() for letter in slot.services}
        calls = itertools.count(1)
        self._free.extend(branch.counters())
        while self._settled < len(self.day.arrivals):
            revision = branch.revision
            while self._free and branch.engine.waiting(services):
                counter, key = self._free.popleft(), f"call-{next(calls)}"
                await branch.call_next(counter, key)
                people.create_task(self._serve(world, counter, key))
            await branch.changed(revision, DRAIN_S)

    async def _serve(self, world: World, counter: int, key: str) -> None:
        """Serve the called ticket for the recorded time."""
        branch = world.branch
        ticket = branch.engine.counters[counter].ticket
        assert ticket is not None
        outcome = self.outcomes[ticket.id]
        outcome.call_s = outcome.start_s = self._day_s()
        outcome.counter = counter
        outcome.wait_s = outcome.call_s - outcome.arrive_s
        await branch.start(counter, f"start-{key}")
        recorded_s = outcome.arrival.service_s or self._medians[outcome.arrival.service]
        service_s = recorded_s * self.options.stretch
        self._busy_until_s = max(self._busy_until_s, self._day_s() + service_s)
        await asyncio.sleep(service_s)
        await branch.finish(counter, f"finish-{key}")
        outcome.end_s, outcome.outcome = self._day_s(), "SERVED"
        self._free.append(counter)
        self._settle()

    async def _leave(self, world: World, ticket_id: str, arrival: Arrival) -> None:
        """Lose patience after the recorded time, unless called before."""
        branch, outcome = world.branch, self.outcomes[ticket_id]
        leave_s = outcome.arrive_s + (arrival.patience_s or 0.0) * self.options.stretch
        self._busy_until_s = max(self._busy_until_s, leave_s)
        await asyncio.sleep(leave_s - self._day_s())
        while (ticket := branch.engine.tickets.get(ticket_id)) is None or (
            ticket.phase is TicketPhase.ISSUED
        ):
            await branch.changed(branch.revision, DRAIN_S)
        if ticket.phase is TicketPhase.WAITING:
            branch.abandon(ticket_id)
            outcome.wait_s = self._day_s() - outcome.arrive_s
            outcome.outcome = "ABANDONED"
            self._settle()

    def _settle(self) -> None:
        self._busy_until_s = max(self._busy_until_s, self._day_s())
        self._settled += 1
        self.progress(self._settled, len(self.day.arrivals))


def compared(outcomes: list[Outcome]) -> dict[str, Any]:
    """The replayed waits against the recorded ones: how many could be compared, how many end
    otherwise (served, left), the largest difference (s) and whose it is.
    """
    found = [(row.difference_s, row) for row in outcomes if row.difference_s is not None]
    worst = max(found, key=lambda one: abs(one[0]), default=None)
    as_recorded = (SERVED, ABANDONED)
    return {
        "compared": len(found),
        "other_outcome": sum(
            row.outcome != as_recorded[row.arrival.patience_s is not None] for row in outcomes
        ),
        "within_2_s": sum(abs(difference_s) <= 2 for difference_s, _ in found),
        "largest_difference_s": None if worst is None else round(abs(worst[0]), 3),
        "line": None if worst is None else worst[1].arrival.line,
    }


def write_tickets(path: Path, outcomes: list[Outcome]) -> None:
    """tickets.csv: one row an arrival, times in seconds of the (stretched) day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for row in outcomes:
            times = (row.arrive_s, row.call_s, row.start_s, row.end_s, row.wait_s)
            writer.writerow(
                [
                    row.number,
                    row.arrival.service,
                    row.arrival.segment,
                    *("" if value is None else f"{value:.3f}" for value in times),
                    row.counter if row.counter is not None else "",
                    row.outcome,
                    *(
                        "" if value is None else f"{value:.3f}"
                        for value in (row.recorded_wait_s, row.difference_s)
                    ),
                ]
            )


def _letters(day: RecordedDay) -> dict[str, str]:
    """A letter for each service of the file, in order of the name."""
    services = sorted({arrival.service for arrival in day.arrivals})
    if len(services) > len(ascii_uppercase):
        raise BadInput(f"{len(services)} services; a branch has at most {len(ascii_uppercase)}")
    return dict(zip(services, ascii_uppercase, strict=False))


def _kiosk(letters: dict[str, str]) -> KioskConfig:
    return KioskConfig(
        node="kiosk-1",
        production=False,
        spare_bands=list(range(2, 10)),  # a recorded day may have more than 999 of a kind
        branch=BranchName(zh="回放", en="Replay"),
        services=[ServiceConfig(letter, name, name) for name, letter in letters.items()],
        printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        screen=ScreenConfig(language="en"),
    )


def _branch(
    letters: dict[str, str], counters: int, day: RecordedDay, stretch: float
) -> BranchConfig:
    medians = day.median_service_s()
    return BranchConfig(
        node="branch-1",
        branch=ServerName(zh="回放", en="Replay"),
        services=[
            ServerService(letter, name, name, mean_service_s=medians[name] * stretch)
            for name, letter in letters.items()
        ],
        counters=[
            CounterConfig(number, list(letters.values())) for number in range(1, counters + 1)
        ],
    )


def _discipline(options: ReplayOptions) -> Discipline:
    if options.discipline == "fifo":
        return Discipline()
    head_start = options.head_start_min * options.stretch
    return Discipline(head_start_min=dict.fromkeys(VIP_SEGMENTS, head_start))


def replay(
    day: RecordedDay,
    options: ReplayOptions,
    version: str,
    *,
    out: Path | None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Any]:
    """Replay ``day`` in a temporary folder; write tickets.csv to ``out`` if given. Raises
    SimulatorError.
    """
    run = Replay(day, options, version, progress)
    scratch = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lobby-replay-", dir=scratch) as folder:
        table = run.run(Path(folder))
    if out is not None:
        write_tickets(out, list(run.outcomes.values()))
    return table
