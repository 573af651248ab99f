"""Any history of a branch: the invariants I1 to I10, by an oracle that reads the log alone."""

import os
import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from branch.queue import rebuild
from sync.messages import IssuedData, TicketCalled
from tests.unit.branch.events import DATE
from tests.unit.branch.queue_oracle import MIN, STAFF, Rules
from tests.unit.branch.queue_world import (
    COUNTER_KINDS,
    PLAIN,
    SEGMENTS,
    TICKET_KINDS,
    World,
    engine_of,
    more_of,
    random_step,
)

RATIO = Rules(
    counters={1: ({"A": 1, "B": 1}, True, False, 1), 2: ({"A": 1, "B": 2}, True, False, 2),
              3: ({"B": 1, "C": 1}, True, False, 1), 4: ({"A": 1}, True, True, 1)},
    head_ms={"elderly": 5 * MIN},
    ratio=2,
    favoured={"vip", "elderly"},
)  # fmt: skip
WEIGHTS = (
    Rules(counters=PLAIN.counters),  # first come, first served
    Rules(counters=PLAIN.counters, head_ms={"vip": 3 * MIN}),
    Rules(counters=PLAIN.counters, rate={"vip": 4.0, "elderly": 2.0}, cap_ms=20 * MIN),
    Rules(counters=PLAIN.counters, head_ms={"vip": 24 * 60 * MIN}),  # strict
    RATIO,
    PLAIN,
)


def folded(world: World) -> None:
    """The state is the fold of the log, at this point too."""
    other = engine_of(world.rules)
    assert [error for _, error in rebuild(other, world.log) if error] == []
    assert other == world.engine


def play(rules: Rules, rng: random.Random, steps: int) -> World:
    world = World(rules)
    for step in range(steps):
        random_step(world, rng)
        if step % 16 == 0:
            world.agree()
    world.everybody_calls()
    world.finish()
    return world


@pytest.mark.parametrize("number", range(len(WEIGHTS)))
def test_a_hundred_histories_under_each_discipline(number: int) -> None:
    calls = Counter[str]()
    for seed in range(100):
        world = play(WEIGHTS[number], random.Random(seed), 80)
        folded(world)
        calls.update(e.data.reason for e in world.log if isinstance(e, TicketCalled))
    assert calls[""] > 100
    expected = {
        0: {"skill"}, 1: {"skill", "segment"}, 2: {"skill", "segment"}, 3: {"segment"},
        4: {"ratio", "segment"}, 5: {"segment", "emergency", "appointment", "skill"},
    }[number]  # fmt: skip
    assert expected <= set(calls), calls
    assert not set(calls) - expected - STAFF - {"", "skill"}, calls


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_hundred_thousand_histories() -> None:
    """``LOBBY_HISTORIES`` sets another number."""
    for seed in range(int(os.environ.get("LOBBY_HISTORIES", "100000"))):
        world = play(WEIGHTS[seed % len(WEIGHTS)], random.Random(seed), 60)
        if seed % 10 == 0:
            folded(world)


@given(st.randoms(use_true_random=False), st.integers(0, len(WEIGHTS) - 1), st.integers(1, 60))
def test_any_history(rng: random.Random, number: int, steps: int) -> None:
    folded(play(WEIGHTS[number], rng, steps))


class BranchMachine(RuleBasedStateMachine):
    """Customers, tellers and nonsense in any order that hypothesis can think of."""

    @initialize(number=st.integers(0, len(WEIGHTS) - 1))
    def begin(self, number: int) -> None:
        self.world = World(WEIGHTS[number])

    @rule(ms=st.sampled_from([1, 20_000, MIN, 6 * MIN, 31 * MIN]))
    def time_passes(self, ms: int) -> None:
        self.world.now += ms

    @rule(
        service=st.sampled_from("ABC"),
        segment=st.sampled_from(SEGMENTS),
        printed=st.booleans(),
        slot_min=st.integers(-15, 20),
        wanted=st.sampled_from([0, 0, 1, 4]),
        waited_ms=st.sampled_from([0, 0, 7 * MIN, 2**40]),
    )
    def arrive(
        self,
        service: str,
        segment: str,
        printed: bool,
        slot_min: int,
        wanted: int,
        waited_ms: int,
    ) -> None:
        self.world.arrive(
            service, segment, printed=printed, slot_min=slot_min, wanted=wanted,
            waited_ms=waited_ms,
        )  # fmt: skip

    @rule(counter=st.integers(1, 4))
    def call_next(self, counter: int) -> None:
        self.world.call_next(counter)

    @rule()
    def everybody_calls(self) -> None:
        self.world.everybody_calls()

    @rule(counter=st.integers(1, 4), kind=st.sampled_from(TICKET_KINDS), rng=st.randoms())
    def sense(self, counter: int, kind: str, rng: random.Random) -> None:
        has = self.world.oracle.has[counter]
        if has is not None:
            self.world.attempt(self.world.at(kind, counter, has, **more_of(kind, rng)))

    @precondition(lambda self: self.world.oracle.tickets)
    @rule(data=st.data(), kind=st.sampled_from(TICKET_KINDS), counter=st.integers(0, 5))
    def nonsense(self, data: st.DataObject, kind: str, counter: int) -> None:
        ticket = data.draw(st.sampled_from([*sorted(self.world.oracle.tickets), "nobody"]))
        self.world.attempt(self.world.at(kind, counter, ticket))

    @rule(counter=st.integers(1, 5), kind=st.sampled_from(COUNTER_KINDS))
    def open_or_close(self, counter: int, kind: str) -> None:
        self.world.attempt(self.world.of(kind, counter))

    @invariant()
    def the_engine_and_the_oracle_agree(self) -> None:
        self.world.finish()
        folded(self.world)


TestBranchMachine = BranchMachine.TestCase
TestBranchMachine.settings = settings(stateful_step_count=30)


def test_a_counter_without_cash_never_gets_a_cash_ticket() -> None:
    """E3: 10^5 calls that a teller makes or may make, at counters of every kind."""
    rng, asked = random.Random(3), 0
    while asked < 100_000:
        world = World(PLAIN)
        engine = world.engine
        engine.apply(world.of("counter.opened", 4))
        for _ in range(500):
            world.now += rng.randint(0, 40_000)
            data = IssuedData(
                number="A001", service=rng.choice("AABC"), segment=rng.choice(SEGMENTS),
                language="en", business_date=DATE, band=1, request="r",
            )  # fmt: skip
            ticket = world.event("ticket.issued", data, "self")
            world.log.append(ticket)
            engine.apply(ticket)
            engine.apply(world.at("ticket.printed", 0, ticket.id))
            for number, counter in engine.counters.items():
                choice = engine.choose(number, world.now)
                asked += choice is not None
                if choice is not None:
                    assert counter.cash or choice.ticket.service not in PLAIN.cash
                    if counter.idle and rng.random() < 0.5:
                        engine.apply(world.at("ticket.called", number, choice.ticket.id))
                elif counter.ticket is not None:
                    engine.apply(world.at("service.ended", number, counter.ticket.id))
                if counter.ticket is not None:
                    assert counter.cash or counter.ticket.service not in PLAIN.cash
                    if rng.random() < 0.4:
                        engine.apply(world.at("service.ended", number, counter.ticket.id))


@given(st.randoms(use_true_random=False), st.sampled_from([2.0, 3.0, 4.0]), st.integers(0, 5))
def test_no_more_overtake_than_arrive_in_the_bound(
    rng: random.Random, rate: float, head_min: int
) -> None:
    """E6: of the VIPs that came after an ordinary customer and were called before, none came
    later than the score allows: A_j <= A_i + W_i (1 - 1/b) + H/b.
    """
    rules = Rules(
        counters={1: ({"A": 1}, True, False, 1), 2: ({"A": 1}, True, False, 1)},
        rate={"vip": rate}, head_ms={"vip": head_min * MIN},
    )  # fmt: skip
    world = World(rules)
    came: dict[str, tuple[int, str]] = {}
    called: dict[str, int] = {}
    for _ in range(60):
        world.now += rng.randint(0, 90_000)
        if rng.random() < 0.6:
            segment = rng.choice(("vip", "ordinary"))
            came[world.arrive("A", segment)] = (world.now, segment)
        counter = rng.randint(1, 2)
        has = world.oracle.has[counter]
        if has:
            world.attempt(world.at("service.ended", counter, has))
        if world.call_next(counter):
            called[world.oracle.has[counter] or ""] = world.now
    for ticket, (came_at, segment) in came.items():
        if segment == "vip" or ticket not in called:
            continue
        waited = called[ticket] - came_at
        latest = came_at + waited * (1 - 1 / rate) + head_min * MIN / rate
        overtakers = [
            other for other, (at, kind) in came.items()
            if at > came_at and called.get(other, called[ticket]) < called[ticket]
        ]  # fmt: skip
        arrivals = [
            other for other, (at, kind) in came.items()
            if kind == "vip" and came_at < at <= latest
        ]  # fmt: skip
        assert set(overtakers) <= set(arrivals)


@settings(deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 6 * MIN), st.sampled_from([0, 0, 1, 9 * MIN, 15 * MIN, 2**50])),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_who_was_at_the_machine_passes_nobody_who_came_before_and_none_by_15_minutes(
    arrivals: list[tuple[int, int]],
) -> None:
    """E4: the kept arrival is a place in the line, bounded by what is claimed and 15 minutes."""
    world = World(Rules(counters={1: ({"A": 1}, True, False, 1)}))
    came: dict[str, tuple[int, int]] = {}
    for gap_ms, waited_ms in arrivals:
        world.now += gap_ms
        came[world.arrive("A", "ordinary", waited_ms=waited_ms)] = (world.now, waited_ms)
    order: list[str] = []
    while world.call_next(1):
        order.append(world.oracle.has[1] or "")
        world.do(world.at("service.ended", 1, order[-1]))
    assert sorted(order) == sorted(came)
    for place, ticket in enumerate(order):
        issued, waited_ms = came[ticket]
        for passed in order[place + 1 :]:
            behind_ms = issued - came[passed][0]
            assert behind_ms <= min(waited_ms, 15 * MIN), "passed by more than was kept"


def test_the_ratio_holds_while_both_wait() -> None:
    world = World(RATIO)
    for _ in range(60):
        world.arrive("A", "vip")
        world.arrive("A", "ordinary")
    for _ in range(90):
        world.now += 1000
        assert world.call_next(1)
        world.do(world.at("service.ended", 1, world.oracle.has[1] or ""))
    calls = [e for e in world.log if isinstance(e, TicketCalled)]
    segments = [world.oracle.tickets[call.sub or ""].segment for call in calls]
    assert segments[:6] == ["vip", "ordinary", "vip", "vip", "ordinary", "vip"]
    assert segments.count("vip") == 60
