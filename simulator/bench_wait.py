"""How often a wait is inside its forecast P10-P90: a branch with exponential arrivals and services
(M/M/s with classes), called by the queue engine itself, forecast by branch.wait.

Scored like the ledger: at the issue, for whoever had to wait, on the unrounded quantiles.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from branch.queue import Discipline, Engine, QueueTicket
from branch.wait import Forecast, Stream, forecast
from simulator.figure import Figure

MEAN_MS = 180_000
CUSTOMERS = 3_000
WARM_UP = 300
SEEDS = 4
Kind = tuple[str, str]
"""Service and segment."""


@dataclass(frozen=True, slots=True)
class Case:
    """A branch: its counters' services, the share of each kind, the load of a counter."""

    name: str
    counters: Mapping[int, tuple[str, ...]]
    shares: Mapping[Kind, float]
    load: float
    discipline: Discipline = field(default_factory=Discipline)
    mean_ms: Mapping[str, float] = field(default_factory=lambda: {"A": MEAN_MS})

    @property
    def per_ms(self) -> float:
        """Arrivals per ms, at which the counters together are so busy."""
        work_ms = sum(share * self.mean_ms[service] for (service, _), share in self.shares.items())
        return len(self.counters) * self.load / work_ms


CASES = (
    Case("M/M/3, first come", {n: ("A",) for n in (1, 2, 3)}, {("A", ""): 1.0}, 0.85),
    Case(
        "vip and priority",
        {n: ("A",) for n in (1, 2, 3, 4)},
        {("A", ""): 0.7, ("A", "vip"): 0.15, ("A", "priority"): 0.15},
        0.9,
        Discipline({"priority": 5.0}, {"vip": 2.0, "priority": 2.0}, 30.0),
    ),
    Case(
        "services of 3, 8 and 20 min",
        {n: ("A", "B", "C") for n in range(1, 6)},
        {("A", ""): 0.6, ("B", ""): 0.3, ("C", ""): 0.1},
        0.9,
        mean_ms={"A": MEAN_MS, "B": 480_000.0, "C": 1_200_000.0},
    ),
    Case(
        "skills",
        {1: ("A",), 2: ("A", "B"), 3: ("B", "C"), 4: ("A", "B", "C")},
        {("A", ""): 0.45, ("B", ""): 0.4, ("C", ""): 0.15},
        0.85,
        mean_ms={"A": 120_000.0, "B": 180_000.0, "C": 240_000.0},
    ),
)


def waits(case: Case, seed: int, customers: int = CUSTOMERS) -> list[tuple[Forecast, int, Kind]]:
    """Of each one called after the warm-up: the forecast, the wait in ms, the kind."""
    rng = random.Random(seed)
    engine = Engine.of(case.counters.items(), case.discipline)
    kinds, shares = list(case.shares), list(case.shares.values())
    streams = [Stream(*kind, case.per_ms * share) for kind, share in case.shares.items()]
    found: list[tuple[Forecast, int, Kind]] = []
    made: dict[str, Forecast] = {}
    busy: list[tuple[int, int]] = []
    coming_ms = 0.0
    for number in range(customers):
        coming_ms += rng.expovariate(case.per_ms)
        now_ms = round(coming_ms)
        while busy and busy[0][0] <= now_ms:
            ended_ms, free = heapq.heappop(busy)
            engine.counters[free].ticket, engine.counters[free].since = None, ended_ms
            found += _call(case, engine, ended_ms, made, busy, rng)
        (service, segment) = rng.choices(kinds, shares)[0]
        ticket = QueueTicket(str(number), str(number), service, segment, (now_ms, "", number))
        made[ticket.id] = forecast(engine, ticket, now_ms, case.mean_ms, streams=streams)
        ticket = QueueTicket(str(number), str(number), service, segment, (now_ms, "", number))
        engine.lines.join(ticket, engine.line_of(ticket), case.discipline.place(ticket))
        found += _call(case, engine, now_ms, made, busy, rng)
    return found[WARM_UP:]


def _call(
    case: Case,
    engine: Engine,
    now_ms: int,
    made: dict[str, Forecast],
    busy: list[tuple[int, int]],
    rng: random.Random,
) -> list[tuple[Forecast, int, Kind]]:
    """Let every idle counter call whom it can."""
    found = []
    for number, choice in engine.selection.assign(now_ms):
        ticket = choice.ticket
        engine.lines.leave(ticket)
        engine.counters[number].ticket, engine.counters[number].since = ticket, now_ms
        served_ms = round(rng.expovariate(1 / case.mean_ms[ticket.service]))
        heapq.heappush(busy, (now_ms + served_ms, number))
        waited_ms = now_ms - ticket.issued_at
        found.append((made.pop(ticket.id), waited_ms, (ticket.service, ticket.segment)))
    return found


def covers(
    case: Case, seeds: int = SEEDS, customers: int = CUSTOMERS
) -> dict[Kind, tuple[int, int]]:
    """(inside, all) of those who had to wait, by kind, over the seeds."""
    table = dict.fromkeys(case.shares, (0, 0))
    for seed in range(seeds):
        for found, waited_ms, kind in waits(case, seed, customers):
            if found.p10_ms is None or not found.p90_ms:
                continue
            inside, count = table[kind]
            hit = found.p10_ms <= waited_ms <= found.p90_ms
            table[kind] = (inside + hit, count + 1)
    return table


def measure(say: Callable[[str], None]) -> list[Figure]:
    """One figure a case: the share of all waits inside, and that of each kind."""
    figures = []
    for case in CASES:
        say(f"wait, {case.name}: {SEEDS} seeds of {CUSTOMERS} customers")
        table = covers(case)
        inside, count = (sum(column) for column in zip(*table.values(), strict=True))
        each = ", ".join(
            f"{service}{' ' + segment if segment else ''} {100 * hits / of:.1f} %"
            for (service, segment), (hits, of) in table.items()
        )
        figures.append(
            Figure(
                f"W {case.name}",
                "waits inside P10-P90: distance from 80 %",
                abs(inside / count - 0.8),
                0.05,
                at_most=True,
                ours=f"{100 * inside / count:.1f} % of {count}: {each}",
                anchor="80 %",
            )
        )
    return figures
