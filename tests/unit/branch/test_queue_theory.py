"""The selection in closed forms: the means of queueing theory, within three standard errors."""

import heapq
import math
import random
from collections.abc import Sequence

import pytest

from branch.queue import Counter, Discipline, Engine, QueueTicket, TicketPhase

SERVICE_MS = 100_000
"""One mean service: fine enough that rounding to ms is nothing."""
WARM = 2_000


def erlang_c(servers: int, load: float) -> float:
    """The probability of a wait in M/M/s, by the recursion of Erlang's B."""
    b = 1.0
    for k in range(1, servers + 1):
        b = load * b / (k + load * b)
    rho = load / servers
    return b / (1 - rho * (1 - b))


def kleinrock(
    servers: int, rho: float, shares: Sequence[float], b: Sequence[float]
) -> list[float]:
    """Mean waits of an accumulating priority queue, in mean services; ``b`` ascending."""
    w0 = erlang_c(servers, servers * rho) / servers
    rhos = [share * rho for share in shares]
    found: list[float] = []
    for p in range(len(b)):
        top = w0 / (1 - rho) - sum(rhos[i] * found[i] * (1 - b[i] / b[p]) for i in range(p))
        bottom = 1 - sum(rhos[i] * (1 - b[p] / b[i]) for i in range(p + 1, len(b)))
        found.append(top / bottom)
    return found


def simulate(
    servers: int, rho: float, shares: Sequence[float], b: Sequence[float], *, customers: int,
    seed: int,
) -> list[float]:  # fmt: skip
    """Mean waits by class of one run, in mean services: the engine's own lines and selection."""
    rng = random.Random(seed)
    discipline = Discipline(rate={f"c{k}": rate for k, rate in enumerate(b)})
    engine = Engine({n: Counter(n, ("A",)) for n in range(1, servers + 1)}, discipline)
    waits: list[list[int]] = [[] for _ in b]
    coming, count = 0.0, 0
    busy: list[tuple[int, int, QueueTicket]] = []
    while count < customers:
        now = round(coming)
        if busy and busy[0][0] <= now:
            now, number, _ = heapq.heappop(busy)
            engine.counters[number].ticket = None
        else:
            (kind,) = rng.choices(range(len(b)), shares)
            ticket = QueueTicket(
                str(count), str(count), "A", f"c{kind}", (now, "k", count), TicketPhase.WAITING
            )
            engine.lines.join(ticket, ("A", f"c{kind}", 0), discipline.place(ticket))
            coming += rng.expovariate(servers * rho / SERVICE_MS)
            count += 1
        for counter in engine.counters.values():
            if counter.ticket is None and engine.lines.by_key:
                choice = engine.choose(counter.number, now)
                assert choice is not None
                engine.lines.leave(choice.ticket)
                counter.ticket = choice.ticket
                if int(choice.ticket.id) >= WARM:
                    waits[int(choice.ticket.segment[1:])].append(now - choice.ticket.issued_at)
                ends = now + round(rng.expovariate(1 / SERVICE_MS))
                heapq.heappush(busy, (ends, counter.number, choice.ticket))
    return [sum(w) / len(w) / SERVICE_MS for w in waits]


@pytest.mark.parametrize(
    ("servers", "load", "c", "wq"),
    [(1, 0.5, 0.5, 1.0), (3, 2.4, 288 / 445, 1.078651685), (5, 4.5, 0.762493221, 1.524986441)],
)
def test_the_formulas_are_those_of_the_tables(
    servers: int, load: float, c: float, wq: float
) -> None:
    assert erlang_c(servers, load) == pytest.approx(c, abs=1e-9)
    rho = load / servers
    assert kleinrock(servers, rho, [1.0], [1.0])[0] == pytest.approx(wq, abs=1e-8)


def test_accumulating_priority_in_the_published_figures() -> None:
    assert kleinrock(5, 0.9, [0.8, 0.2], [1, 2]) == pytest.approx([1.6758, 0.9217], abs=1e-4)
    assert kleinrock(5, 0.9, [0.8, 0.2], [1, 4]) == pytest.approx([1.7630, 0.5730], abs=1e-4)
    three = kleinrock(6, 0.9, [0.6, 0.25, 0.15], [1, 2, 4])
    assert three == pytest.approx([1.5689, 0.8686, 0.5004], abs=1e-4)


@pytest.mark.parametrize(
    ("servers", "rho", "shares", "b"),
    [
        (3, 0.8, [1.0], [1.0]),  # M/M/3, first come, first served
        (5, 0.9, [0.8, 0.2], [1.0, 2.0]),
        (6, 0.9, [0.6, 0.25, 0.15], [1.0, 2.0, 4.0]),
    ],
)
def test_the_engine_has_the_means_of_theory(
    servers: int, rho: float, shares: list[float], b: list[float]
) -> None:
    runs = [
        simulate(servers, rho, shares, b, customers=12_000, seed=1000 * servers + seed)
        for seed in range(12)
    ]
    for kind, exact in enumerate(kleinrock(servers, rho, shares, b)):
        means = [run[kind] for run in runs]
        mean = sum(means) / len(means)
        spread = math.sqrt(sum((x - mean) ** 2 for x in means) / (len(means) - 1) / len(means))
        assert abs(mean - exact) <= 3 * spread, (kind, mean, exact, spread)
        assert spread < 0.12 * exact, "too wide to prove anything"
