"""An engine under test, the oracle beside it, and hands that do what people do in a branch."""

import copy
import random
from typing import Any

import pytest

from branch.queue import Counter, CounterState, Discipline, Engine, ImpossibleEvent
from sync import messages as m
from sync.messages import EVENT_TYPES
from tests.unit.branch.events import DATE, START_MS
from tests.unit.branch.queue_oracle import MIN, STAFF, Oracle, Rules

SEGMENTS = ("ordinary", "", "vip", "elderly", "appointment", "emergency", "corporate")
PLAIN = Rules(
    counters={
        1: ({"A": 1, "B": 2}, True, False, 1),
        2: ({"B": 1, "C": 1}, False, False, 1),
        3: ({"C": 1, "A": 2, "B": 3}, True, False, 3),
        4: ({"A": 1, "C": 1}, False, True, 1),
    },
    cash={"A"},
    head_ms={"elderly": 5 * MIN, "appointment": 30 * MIN},
    rate={"vip": 2.0, "elderly": 2.0},
    cap_ms=30 * MIN,
    emergencies={"emergency"},
)


def engine_of(rules: Rules) -> Engine:
    """The engine for the oracle's rules."""
    counters = {
        number: Counter(
            number, tuple(levels), levels=dict(levels), cash=cash, elastic=elastic,
            help_below=below, state=CounterState.ELASTIC if elastic else CounterState.OPEN,
        )
        for number, (levels, cash, elastic, below) in rules.counters.items()
    }  # fmt: skip
    discipline = Discipline(
        head_start_min={k: v / MIN for k, v in rules.head_ms.items()},
        rate=rules.rate,
        promise_min=rules.cap_ms / MIN,
        emergencies=frozenset(rules.emergencies),
        ratio=rules.ratio,
        ratio_segments=frozenset(rules.favoured),
    )
    return Engine(counters, discipline, frozenset(rules.cash))


class World:
    """Every event goes to the engine and to the oracle; they must agree on what is possible."""

    def __init__(self, rules: Rules = PLAIN) -> None:
        self.rules = rules
        self.engine = engine_of(rules)
        self.oracle = Oracle(rules)
        self.log: list[Any] = []
        self.now = START_MS
        self.line_ms = 0  # what the engine says of its lines, over time
        self._seen = START_MS
        self.oracle.now = START_MS

    def event(self, kind: str, data: Any, sub: str | None = None, src: str = "branch-1") -> Any:
        seq = len(self.log) + 1
        own = f"{src}-{seq:06}"
        return EVENT_TYPES[kind](  # type: ignore[call-arg]
            id=own, src=src, epoch=1, seq=seq, prev="0" * 16, ts=self.now,
            clk=m.Clk(boot="b", mono_ms=self.now - START_MS),
            sub=own if sub == "self" else sub, data=data,
        )  # fmt: skip

    def do(self, event: Any) -> Any:
        """It is possible: both fold it."""
        self.line_ms += self.engine.waiting("ABC") * (self.now - self._seen)
        self._seen = self.now
        self.engine.apply(event)
        self.log.append(event)
        self.oracle.read(event)
        return event

    def attempt(self, event: Any) -> bool:
        """Both must say the same of it; an impossible one changes nothing."""
        if self.oracle.possible(event):
            self.do(event)
            return True
        before = copy.deepcopy(self.engine)
        with pytest.raises(ImpossibleEvent):
            self.engine.check(event)
        with pytest.raises(ImpossibleEvent):
            self.engine.apply(event)
        assert self.engine == before
        return False

    # --- what people do ----------------------------------------------------------------------

    def arrive(
        self, service: str, segment: str, *, printed: bool = True, slot_min: int = 0,
        wanted: int = 0, services: tuple[str, ...] = (), src: str = "kiosk-1", waited_ms: int = 0,
    ) -> str:  # fmt: skip
        data = m.IssuedData(
            number=f"{service}{len(self.log):03}", service=service, segment=segment,
            language="zh_CN", business_date=DATE, band=1, request=f"r{len(self.log)}",
            appointment_ms=self.now + slot_min * MIN if segment == "appointment" else 0,
            wanted_counter=wanted, hold_ms=10 * MIN if wanted else 0, services=list(services),
            waited_ms=waited_ms,
        )  # fmt: skip
        ticket = self.do(self.event("ticket.issued", data, "self", src)).id
        if printed:
            self.do(self.event("ticket.printed", m.PrintedData(attempt=1, took_ms=1), ticket, src))
        return str(ticket)

    def call_next(self, counter: int) -> bool:
        """As a teller does, if the counter is free; the engine and the oracle choose alike."""
        slot = self.engine.counters[counter]
        if not slot.idle:
            return False
        choice = self.engine.choose(counter, self.now)
        expected, _ = self.oracle.expected(counter, self.now)
        assert (choice.ticket.id if choice else None) == (expected.id if expected else None)
        if choice is None:
            return False
        data = m.CalledData(
            counter=counter, wait_ms=self.now - choice.ticket.issued_at, key=f"k{len(self.log)}",
            reason=choice.reason, score_ms=choice.score_ms,
        )  # fmt: skip
        self.do(self.event("ticket.called", data, choice.ticket.id))
        return True

    def everybody_calls(self) -> None:
        """I2: every idle counter calls; then nobody waits whom an idle counter may serve."""
        taken = set[str]()
        for counter, choice in self.engine.selection.assign(self.now):
            assert choice.ticket.id not in taken
            taken.add(choice.ticket.id)
            assert self.engine.counters[counter].idle
            assert self.oracle.may_call(self.oracle.tickets[choice.ticket.id], counter, self.now)
        while any(self.call_next(counter) for counter in self.rules.counters):
            pass
        idle = [n for n, has in self.oracle.has.items() if not has]
        for counter in idle:
            if self.oracle.state[counter] == "open":
                assert not self.oracle.eligible(counter, self.now), "I2: no idle window"

    def at(self, kind: str, counter: int, ticket: str, **more: Any) -> Any:
        """An event of a counter about a ticket."""
        return self.event(kind, _data(kind, counter, f"k{len(self.log)}", more), ticket)

    def of(self, kind: str, counter: int) -> Any:
        """An event of a counter about itself."""
        return self.event(kind, _data(kind, counter, f"k{len(self.log)}", {}))

    def agree(self) -> None:
        """The engine's state is the oracle's."""
        engine, oracle = self.engine, self.oracle
        assert {
            t.id: (t.phase.value, t.counter, t.service, t.segment) for t in engine.tickets.values()
        } == {x.id: (x.phase, x.counter, x.service, x.segment) for x in oracle.tickets.values()}
        assert {n: (c.state.value, c.ticket.id if c.ticket else None)
                for n, c in engine.counters.items()} == {
            n: (oracle.state[n], oracle.has[n]) for n in oracle.state
        }  # fmt: skip
        in_lines = [t for line in engine.lines.by_key.values() for t in line]
        assert sorted(t.id for t in in_lines) == sorted(
            x.id for x in oracle.tickets.values() if x.phase == "waiting"
        )
        for t in in_lines:
            assert t.place == oracle.tickets[t.id].began
        assert {t.id: t.due_at for t in engine.parked.values()} == {
            x.id: x.due for x in oracle.tickets.values() if x.phase == "parked"
        }
        assert len(engine.memory.finished) == oracle.count("done", "missed", "voided", "abandoned")

    def finish(self) -> None:
        """At the end of a history: Little's law, from both ends."""
        self.agree()
        area, waits = self.oracle.little()
        assert area == waits, "I8"
        assert self.line_ms == area, "I8, by the engine's own count"


def _data(kind: str, counter: int, key: str, more: dict[str, Any]) -> Any:
    own: dict[str, Any] = {"counter": counter, "key": key, **more}
    match kind:
        case "ticket.called":
            return m.CalledData(wait_ms=0, **{"reason": "manager", **own})
        case "ticket.recalled" | "service.started" | "ticket.missed":
            return m.AtCounterData(**own)
        case "service.ended":
            return m.EndedData(service_ms=1, nonce=0, **own)
        case "ticket.parked":
            return m.ParkedData(**own)
        case "ticket.unparked":
            return m.UnparkedData(**own)
        case "ticket.transferred":
            return m.TransferredData(**{"service": "B", **own})
        case "ticket.returned":
            return m.ReturnedData(**{"service": "B", "to_counter": 1, **own})
        case "ticket.rejoined":
            return m.RejoinedData(**own)
        case "ticket.tagged":
            return m.TaggedData(**{"segment": "vip", **own})
        case "counter.opened":
            return m.OpenedData(**own)
        case "counter.paused" | "counter.closed":
            return m.NotOpenData(**own)
        case "ticket.voided":
            return m.VoidedData(reason="restart")
        case "ticket.abandoned":
            return m.AbandonedData(wait_ms=0)
        case _:
            return m.PrintedData(attempt=1, took_ms=1)


TICKET_KINDS = (
    "ticket.printed", "ticket.voided", "ticket.abandoned", "ticket.called", "ticket.recalled",
    "service.started", "ticket.missed", "service.ended", "ticket.parked", "ticket.unparked",
    "ticket.transferred", "ticket.returned", "ticket.rejoined", "ticket.tagged",
)  # fmt: skip
COUNTER_KINDS = ("counter.opened", "counter.paused", "counter.closed")


def more_of(kind: str, rng: random.Random) -> dict[str, Any]:
    """What such an event may say besides."""
    counter = rng.choice((0, 0, 1, 2, 3, 4))
    held = {"to_counter": counter, "hold_ms": 10 * MIN if counter else 0}
    match kind:
        case "ticket.transferred":
            return {"service": rng.choice("ABC"), "back": rng.random() < 0.4, **held}
        case "ticket.returned":
            return {"service": rng.choice("ABC"), "to_counter": rng.randint(1, 4),
                    "hold_ms": 10 * MIN}  # fmt: skip
        case "ticket.unparked":
            return held
        case "ticket.parked":
            return {"for_ms": rng.choice((0, 0, 3 * MIN))}
        case "ticket.rejoined":
            return {"penalty_ms": rng.choice((0, 0, 2 * MIN))}
        case "ticket.tagged":
            return {"segment": rng.choice(SEGMENTS)}
        case "ticket.called":
            return {"reason": rng.choice(sorted(STAFF))}
        case _:
            return {}


def random_step(world: World, rng: random.Random, busy: float = 0.35) -> None:
    """Something that may happen in a branch."""
    dice = rng.random()
    if dice < 0.2:
        world.now += rng.choice((0, 1, 1_000, 20_000, MIN, 4 * MIN, 11 * MIN))
    elif dice < 0.2 + busy:
        world.arrive(
            rng.choice("AABC"), rng.choice(SEGMENTS), printed=rng.random() < 0.9,
            slot_min=rng.randint(-15, 20), wanted=rng.choice((0, 0, 0, 1, 3)),
            services=tuple(rng.sample("ABC", rng.choice((0, 0, 1, 2)))),
            src=rng.choice(("kiosk-1", "kiosk-2")),
            waited_ms=rng.choice((0, 0, 0, 4 * MIN, 15 * MIN, 60 * MIN, -1)),
        )  # fmt: skip
    elif dice < 0.8:
        counter = rng.randint(1, 4)
        has = world.oracle.has[counter]
        if has is None:
            world.call_next(counter)
        else:
            kind = rng.choice((
                "service.started", "service.ended", "service.ended", "ticket.missed",
                "ticket.transferred", "ticket.parked", "ticket.recalled", "ticket.returned",
            ))  # fmt: skip
            world.attempt(world.at(kind, counter, has, **more_of(kind, rng)))
    elif dice < 0.86:
        world.attempt(world.of(rng.choice(COUNTER_KINDS), rng.randint(1, 4)))
    elif dice < 0.9:
        world.everybody_calls()
    elif world.oracle.tickets:
        kind = rng.choice(TICKET_KINDS)
        ticket = rng.choice(sorted(world.oracle.tickets))
        counter = rng.choice((0, 1, 2, 3, 4, 9))
        world.attempt(world.at(kind, counter, ticket, **more_of(kind, rng)))
