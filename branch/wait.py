"""How long somebody who takes a ticket now will wait: the class-aware QLm forecast. Pure.

QLm (Ibrahim & Whitt 2011) with the line counted as the engine would call it. The mean course of
the queue is walked from one end of a service to the next: each free counter calls whom the
engine's own selection names, so head starts, rates, the promise, levels, holds and the ratio all
count. What is still to come of a service in progress is exponential with its class mean: it has no
memory, so the counters of the ticket free one of them after 1 / (sum of 1 / mean), on average.

When the ticket is called after n ends of service and a mean time M, its wait is Erlang(n) with
mean M; with unlike class means or with overtakers the shape is less than n (``_Spread``). That is
exact where all services have one mean and nobody overtakes (M/M/s, first come, first served:
Erlang(Q + 1) with mean (Q + 1) m / s), and for the first in line whatever the means are.

``forecast`` is the one door: another estimator takes its place by taking its arguments.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import merge

from branch.estimate import HIGH, LOW, MAX_AHEAD, MIDDLE, erlang_quantile, round_outward
from branch.queue import Counter, CounterState, Engine, QueueTicket, Reason
from branch.queue.selection import Selection

_ALMOST = 1 - 1e-9


class Rung(StrEnum):
    """Which rung of the ladder a forecast stands on."""

    QLM = "qlm"
    LATE = "late"
    """None was made: the ticket's event came long after its issue."""
    UNKNOWN = "unknown"
    """None can be made: no open counter serves it, or the line is too long."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Quantiles of the wait (ms from the issue), None where they are unknown; ``ahead`` is how
    many of those who wait now are called before, None where that is unknown.
    """

    rung: Rung
    ahead: int | None = None
    p10_ms: int | None = None
    p50_ms: int | None = None
    p90_ms: int | None = None

    @property
    def interval_min(self) -> tuple[int, int] | None:
        """The interval as it is printed: whole minutes, rounded outward; (0, 0) only where nobody
        is ahead.
        """
        if self.p10_ms is None or self.p90_ms is None:
            return None
        low_min, high_min = round_outward(self.p10_ms / 60_000, self.p90_ms / 60_000)
        return low_min, max(high_min, 1 if self.ahead else 0)


@dataclass(frozen=True, slots=True)
class Stream:
    """Tickets of a service and segment that are still to come, ``per_ms`` of them in a ms."""

    service: str
    segment: str
    per_ms: float


def forecast(
    engine: Engine,
    ticket: QueueTicket,
    now_ms: int,
    mean_ms: Mapping[str, float],
    *,
    also: Sequence[QueueTicket] = (),
    streams: Sequence[Stream] = (),
) -> Forecast:
    """The wait of ``ticket``: if it joins at ``now_ms``, or as it stands in the engine's lines.

    ``mean_ms``: mean service time by service letter. ``also`` join just before it; like a
    ``ticket`` that is in no line yet they must be nobody else's: they get their place in a line.
    ``streams`` come later, and count where they may be called first. Raises KeyError for a service
    without a mean.
    """
    selection = engine.selection
    open_counters = [c for c in engine.counters.values() if c.state is CounterState.OPEN]
    serving = [c for c in open_counters if selection.may_call(ticket, c.number, now_ms)]
    if not serving:
        return Forecast(Rung.UNKNOWN, _waiting(engine, also, {ticket.service}))
    reach = {service for counter in serving for service in selection.services(counter)}
    if _waiting(engine, also, reach) > MAX_AHEAD:
        return Forecast(Rung.UNKNOWN)
    selection = replace(selection, lines=engine.lines.copy(), turns=replace(engine.turns))
    for one in (*also, ticket) if ticket.line is None else also:
        selection.lines.join(one, engine.line_of(one), engine.discipline.place(one))
    beside = [
        c
        for c in open_counters
        if c not in serving and not reach.isdisjoint(selection.services(c))
    ]
    faster = [
        stream
        for stream in streams
        if stream.service in reach and _may_overtake(stream, ticket, engine, serving)
    ]
    walk = _Walk(
        selection,
        ticket,
        now_ms,
        mean_ms,
        _Pool([_Desk.of(c, mean_ms, serves=True) for c in serving]),
        _Pool([_Desk.of(c, mean_ms, serves=False) for c in beside]),
        reach,
        _arrivals(faster, now_ms),
    )
    if not walk.run():
        return Forecast(Rung.UNKNOWN, walk.ahead)
    return _quantiles(walk, now_ms - ticket.issued_at)


def _waiting(engine: Engine, also: Sequence[QueueTicket], services: set[str]) -> int:
    return engine.waiting(services) + sum(one.service in services for one in also)


def _quantiles(walk: "_Walk", lag_ms: int) -> Forecast:
    def at(probability: float) -> int:
        if not walk.ends:
            return lag_ms
        return lag_ms + round(erlang_quantile(walk.shape, walk.elapsed_ms, probability))

    return Forecast(Rung.QLM, walk.ahead, at(LOW), at(MIDDLE), at(HIGH))


def _may_overtake(
    stream: Stream, ticket: QueueTicket, engine: Engine, serving: Sequence[Counter]
) -> bool:
    """Whether a ticket that comes later could be called before."""
    rules = engine.discipline
    theirs, own = stream.segment, rules.class_of(ticket)
    if theirs in rules.emergencies or own in rules.emergencies:
        return own not in rules.emergencies
    if rules.ratio and (theirs in rules.ratio_segments) != (
        ticket.segment in rules.ratio_segments
    ):
        return True
    if any(
        stream.service in counter.services
        and counter.level(stream.service) < counter.level(ticket.service)
        for counter in serving
    ):
        return True
    return rules.head_start_min.get(theirs, 0.0) > rules.head_start_min.get(
        own, 0.0
    ) or rules.rate.get(theirs, 1.0) > rules.rate.get(own, 1.0)


def _arrivals(streams: Sequence[Stream], now_ms: int) -> Iterator[QueueTicket]:
    """Those who come later, one by one, at the pace of their streams; the first one after half an
    interval, so that in any time as many come as on average.
    """

    def of(index: int, stream: Stream) -> Iterator[QueueTicket]:
        number = 0
        while True:
            at = now_ms + round((number + 0.5) / stream.per_ms)
            name = f"to come {index} {number}"
            yield QueueTicket(name, name, stream.service, stream.segment, (at, name, number))
            number += 1

    return merge(
        *(of(index, stream) for index, stream in enumerate(streams)), key=lambda t: t.order
    )


@dataclass(slots=True)
class _Desk:
    """A counter on the walk; ``mean_ms`` is that of the service in progress, 0 while it is idle.
    ``due`` rises by 1 in each mean: who is due most ends next.
    """

    counter: Counter
    mean_ms: float
    serves: bool
    """Whether it may call the ticket in question."""
    due: float = 0.0

    @classmethod
    def of(cls, counter: Counter, mean_ms: Mapping[str, float], *, serves: bool) -> "_Desk":
        """The counter as it is now."""
        ticket = counter.ticket
        return cls(counter, mean_ms[ticket.service] if ticket else 0.0, serves)


@dataclass(slots=True)
class _Pool:
    """Counters of which one ends a service whenever ``due`` has risen to 1."""

    desks: list[_Desk]
    due: float = 0.0

    @property
    def rate(self) -> float:
        """Ends of service per ms."""
        return sum(1 / desk.mean_ms for desk in self.desks if desk.mean_ms)

    def left_ms(self, rate: float) -> float:
        """Until the next one ends, on average."""
        return (1 - self.due) / rate

    def pass_by(self, elapsed_ms: float) -> bool:
        """Let time pass; whether one of them is idle now that was not."""
        self.due += elapsed_ms * self.rate
        busy = [desk for desk in self.desks if desk.mean_ms]
        for desk in busy:
            desk.due += elapsed_ms / desk.mean_ms
        if self.due < _ALMOST:
            return False
        self.due = 0.0
        ends = max(busy, key=lambda desk: desk.due)
        ends.due -= 1.0
        ends.mean_ms = 0.0
        return True


@dataclass(slots=True)
class _Spread:
    """How far the wait scatters about its mean, by two moments: x are the class means of the
    services that it waits for, each exponential. ``own`` counts those of people who are there.
    Those who overtake come at random, which doubles their part; and the longer it takes, the more
    of them come, which widens all of it by ends / own.
    """

    own: int = 0
    sum_ms: float = 0.0
    sum_squares: float = 0.0

    def count(self, mean_ms: float, *, to_come: bool = False) -> None:
        """One more service to wait for."""
        self.own += not to_come
        self.sum_ms += mean_ms
        self.sum_squares += mean_ms * mean_ms * (2 if to_come else 1)

    def shape(self, ends: int) -> float:
        """Mean squared over variance: the Erlang shape, 1 at least."""
        wider = ends / self.own
        return max(1.0, self.sum_ms**2 / self.sum_squares / wider**2)


@dataclass(slots=True)
class _Walk:
    """The mean course of the queue until ``ticket`` is called: ``elapsed_ms`` from now, after
    ``ends`` services of the counters that may call it.
    """

    selection: Selection
    ticket: QueueTicket
    now_ms: int
    mean_ms: Mapping[str, float]
    serving: _Pool
    beside: _Pool
    """Counters that cannot call the ticket, but some of those who are in its way."""
    reach: set[str]
    coming: Iterator[QueueTicket]
    elapsed_ms: float = 0.0
    ends: int = 0
    ahead: int = 0
    _next: QueueTicket | None = None
    _to_come: set[str] = field(default_factory=set)
    _spread: _Spread = field(default_factory=_Spread)

    @property
    def shape(self) -> float:
        """The shape of the Erlang distribution of the wait; ``ends`` at most."""
        return min(float(self.ends), self._spread.shape(self.ends))

    def run(self) -> bool:
        """Walk until the ticket is called; False if that is too far away."""
        self._next = next(self.coming, None)
        called = self._call()
        if not called:
            self._spread.count(len(self.serving.desks) / self.serving.rate)
        while not called and self.ends <= MAX_AHEAD:
            self._step()
            called = self._call()
        return called

    def _step(self) -> None:
        """To the next end of a service."""
        pools = [(pool, rate) for pool in (self.serving, self.beside) if (rate := pool.rate)]
        step_ms = min(pool.left_ms(rate) for pool, rate in pools)
        self.elapsed_ms += step_ms
        for pool, _ in pools:
            self.ends += pool.pass_by(step_ms) and pool is self.serving
        clock_ms = self.now_ms + self.elapsed_ms
        while self._next is not None and self._next.issued_at <= clock_ms:
            one = self._next
            self._to_come.add(one.id)
            rules = self.selection.discipline
            key = (one.service, rules.class_of(one), 0)
            self.selection.lines.join(one, key, rules.place(one))
            self._next = next(self.coming, None)

    def _call(self) -> bool:
        """Let idle counters call; whether one has called the ticket."""
        clock_ms = self.now_ms + round(self.elapsed_ms)
        idle = [d for d in (*self.serving.desks, *self.beside.desks) if not d.mean_ms]
        idle.sort(key=lambda desk: (len(desk.counter.services), desk.counter.number))
        for desk in idle:
            choice = self.selection.choose(desk.counter.number, clock_ms)
            if choice is None:
                continue
            found = choice.ticket
            if found is self.ticket:
                return True
            self.selection.lines.take(found)
            if choice.reason is Reason.RATIO:
                self.selection.turns.count(favoured=self.selection.favoured(found))
            desk.mean_ms = self.mean_ms[found.service]
            to_come = found.id in self._to_come
            self.ahead += found.service in self.reach and not to_come
            if self.ends and desk.serves:
                self._spread.count(desk.mean_ms, to_come=to_come)
        return False
