"""The rules one by one: tables, the promise, levels, appointments, idle counters, the calendar."""

import inspect
import re
from enum import Enum

import msgspec
import pytest

import branch.queue.counter as counter_module
import branch.queue.transitions as transitions_module
from branch.queue import (
    Counter,
    CounterState,
    Discipline,
    Engine,
    Joining,
    QueueTicket,
    Reason,
    ServiceDay,
    rebuild,
)
from branch.queue.counter import COUNTER_TABLE
from branch.queue.discipline import Rank
from branch.queue.transitions import TICKET_TABLE
from sync import messages as m
from sync.hours import DAY_MIN, minute_of_day
from tests.unit.branch.events import START_MS
from tests.unit.branch.queue_oracle import MIN, Rules
from tests.unit.branch.queue_world import PLAIN, World, engine_of


def drawn(module: object) -> set[tuple[str, str, str]]:
    """The rows of the table in a module's docstring."""
    text = inspect.getdoc(module) or ""
    return set(re.findall(r"^    ([A-Z]+)\s+(\w+\.\w+)\s+([A-Z]+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("module", "table"),
    [(transitions_module, TICKET_TABLE), (counter_module, COUNTER_TABLE)],
)
def test_the_drawn_table_is_the_table(
    module: object, table: dict[tuple[Enum, type[m.Event]], Enum]
) -> None:
    coded = {
        (phase.name, str(kind.__struct_config__.tag), after.name)
        for (phase, kind), after in table.items()
    }
    assert drawn(module) == coded


def number(world: World, counter: int) -> tuple[str, str]:
    """Whom a counter calls next, and why."""
    choice = world.engine.choose(counter, world.now)
    assert choice is not None
    return choice.ticket.id, choice.reason


def test_whoever_waits_as_long_as_the_promise_is_next() -> None:
    world = World(Rules(PLAIN.counters, cap_ms=30 * MIN, rate={"vip": 4.0}))
    old = world.arrive("A", "ordinary")
    world.now += 29 * MIN
    vip = world.arrive("A", "vip")
    world.now += MIN - 1
    assert number(world, 1)[0] == old  # 30 against 4
    world.now = START_MS + 30 * MIN - 1
    world.engine.discipline.rate["vip"] = 100.0
    assert number(world, 1) == (vip, Reason.SEGMENT)
    world.now += 1
    assert number(world, 1) == (old, Reason.OLDEST)


def test_an_emergency_is_before_the_promise() -> None:
    world = World()
    old = world.arrive("A", "ordinary")
    world.now += 40 * MIN
    now = world.arrive("A", "emergency")
    assert number(world, 1) == (now, Reason.EMERGENCY)
    world.call_next(1)
    assert number(world, 3)[0] == old


def test_a_counter_helps_only_when_its_own_line_is_short() -> None:
    world = World()
    other = world.arrive("B", "ordinary")
    own = world.arrive("A", "ordinary")
    world.now += MIN
    assert number(world, 1) == (own, Reason.SKILL)
    world.call_next(1)
    world.do(world.at("service.ended", 1, own))
    assert number(world, 1) == (other, Reason.OLDEST)
    # Counter 3 helps with A while fewer than three wait for C.
    helped = World()
    cash = helped.arrive("A", "ordinary")
    waiting = [helped.arrive("C", "ordinary") for _ in range(3)]
    assert number(helped, 3)[0] == waiting[0]
    helped.do(helped.at("ticket.abandoned", 0, waiting[2]))
    assert number(helped, 3) == (cash, Reason.OLDEST)
    assert [t.id for t in helped.engine.up_next(3, helped.now, 3)] == [cash, *waiting[:2]]


def test_an_appointment_early_on_time_and_late() -> None:
    world = World()
    walk = [world.arrive("C", "ordinary") for _ in range(2)]
    early = world.arrive("C", "appointment", slot_min=20)
    # Nobody is sent away: an early one is called when nobody else waits.
    assert number(world, 4 if world.engine.counters[4].idle else 2)[0] == walk[0]
    world.now += 14 * MIN
    assert number(world, 2)[0] == walk[0]
    world.now += MIN
    assert number(world, 2) == (early, Reason.APPOINTMENT)
    late = world.arrive("C", "appointment", slot_min=-11)
    assert world.engine.tickets[late].line == ("C", "ordinary", 0)
    just = world.arrive("C", "appointment", slot_min=-10)
    assert world.engine.tickets[just].line == ("C", "appointment", 0)
    alone = World()
    only = alone.arrive("C", "appointment", slot_min=60)
    assert number(alone, 2)[0] == only


def test_several_idle_counters() -> None:
    engine = Engine({
        1: Counter(1, ("A", "B", "C"), since=5),
        2: Counter(2, ("A", "B"), since=9, levels={"A": 2}),
        3: Counter(3, ("A",), since=7),
        4: Counter(4, ("A",), since=3),
        5: Counter(5, ("A",), since=1, state=CounterState.PAUSED),
    })  # fmt: skip
    world = World()
    world.engine, world.oracle.rules = (
        engine,
        Rules({n: ({}, True, False, 1) for n in engine.counters}),
    )
    data = m.IssuedData(
        number="A1", service="A", segment="", language="en", business_date="d", band=1, request="r"
    )  # fmt: skip
    first = world.event("ticket.issued", data, "self")
    for event in (first, world.at("ticket.printed", 0, first.id)):
        engine.apply(event)
    ticket = engine.tickets[first.id]
    # The specialists first, of these the one that is idle the longest.
    assert engine.selection.counter_for(ticket, world.now) == 4
    for busy, then in ((4, 3), (3, 1), (1, 2), (2, None)):
        engine.counters[busy].ticket = ticket
        assert engine.selection.counter_for(ticket, world.now) == then
    for counter in engine.counters.values():
        counter.ticket = None
    assert [(n, c.ticket.id) for n, c in engine.selection.assign(world.now)] == [(4, first.id)]


def test_no_two_idle_counters_get_one_ticket() -> None:
    world = World()
    tickets = [world.arrive("C", "ordinary") for _ in range(3)]
    found = world.engine.selection.assign(world.now)
    assert [(n, c.ticket.id) for n, c in found] == [(2, tickets[0]), (3, tickets[1])]


def test_a_counter_that_helps_counts_those_that_are_taken() -> None:
    rules = Rules({1: ({"A": 1}, True, False, 1), 2: ({"A": 1, "B": 2}, True, False, 1)})
    world = World(rules)
    help_me, own = world.arrive("B", "ordinary"), world.arrive("A", "ordinary")
    found = world.engine.selection.assign(world.now)
    assert [(n, c.ticket.id) for n, c in found] == [(1, own), (2, help_me)]


def test_a_discipline_says_what_it_refuses() -> None:
    for wrong in ({"promise_min": -1.0}, {"ratio": -1}, {"early_min": float("inf")}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: .*expected 0 or more"):
            Discipline(**wrong)


def test_a_cash_call_at_a_counter_without_cash_is_impossible() -> None:
    world = World()
    cash = world.arrive("A", "ordinary")
    world.do(world.of("counter.opened", 4))
    assert not world.attempt(world.at("ticket.called", 4, cash))
    data = m.IssuedData(
        number="AW1", service="A", segment="", language="", business_date="d", band=10,
        request="k", counter=4,
    )  # fmt: skip
    assert not world.attempt(world.event("ticket.issued", data, "self"))
    for counter, possible in ((9, False), (1, True)):
        elsewhere = msgspec.structs.replace(data, counter=counter)
        assert world.attempt(world.event("ticket.issued", elsewhere, "self")) == possible
    world.agree()
    assert world.engine.done("ticket.issued", 1, "k")


def test_what_is_due_and_how_many_may_be_called() -> None:
    world = World()
    tickets = [world.arrive("C", "ordinary") for _ in range(3)]
    for ticket, for_ms in zip(tickets, (5 * MIN, 3 * MIN, 0), strict=True):
        world.do(world.at("ticket.parked", 0, ticket, for_ms=for_ms))
    world.now += 5 * MIN - 1
    assert [t.id for t in world.engine.due(world.now)] == [tickets[1]]
    assert [t.id for t in world.engine.due(world.now + 1)] == [tickets[1], tickets[0]]
    held = {"to_counter": 2, "hold_ms": 10 * MIN}
    for ticket, more in zip(tickets, (held, {}, {}), strict=True):
        world.do(world.at("ticket.unparked", 0, ticket, **more))
    assert [world.engine.selection.waiting_for(n, world.now) for n in (1, 2, 3)] == [0, 3, 2]


@pytest.mark.parametrize("people", [10, 1_000, 10_000])
def test_a_call_looks_at_the_lines_not_at_the_people(
    people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(PLAIN)
    for number in range(people):
        segment = ("ordinary", "vip", "elderly")[number % 3]
        ticket = QueueTicket(
            str(number), "", "ABC"[number // 3 % 3], segment, (START_MS + number, "k", number)
        )
        key = (ticket.service, segment, 0)
        engine.lines.join(ticket, key, engine.discipline.place(ticket))
    looked: list[str] = []
    rank = Discipline.rank

    def counted(self: Discipline, ticket: QueueTicket, now_ms: int) -> Rank:
        looked.append(ticket.id)
        return rank(self, ticket, now_ms)

    monkeypatch.setattr(Discipline, "rank", counted)
    for counter, lines in ((1, 6), (3, 9)):
        looked.clear()
        assert engine.choose(counter, START_MS + people) is not None
        assert len(looked) <= lines + 1  # and once more for the score that is stored


# --- other times than were known, other counters than there were ---------------------------------


def retold(world: World, delta_ms: int, since: int) -> Engine:
    """The queue of the same log, where what happened from ``since`` on was later."""
    other = engine_of(world.rules)
    other.at = lambda event: event.ts + delta_ms if event.ts >= since else event.ts
    assert [error for _, error in rebuild(other, world.log) if error] == []
    return other


def a_day_with_everything() -> World:
    world = World()
    world.arrive("C", "ordinary")
    world.now += MIN
    for _ in range(4):
        world.arrive("C", "ordinary", wanted=2)
        world.arrive("A", "elderly")
    world.now += MIN
    world.call_next(2)
    world.do(world.at("ticket.parked", 2, world.oracle.has[2] or "", for_ms=5 * MIN))
    world.call_next(2)
    world.do(world.at("service.started", 2, world.oracle.has[2] or ""))
    world.call_next(1)
    world.do(world.at("ticket.missed", 1, world.oracle.has[1] or ""))
    world.call_next(3)
    more = {"service": "A", "to_counter": 1, "hold_ms": 10 * MIN}
    world.do(world.at("ticket.transferred", 3, world.oracle.has[3] or "", **more))
    world.call_next(1)
    world.do(world.at("ticket.recalled", 1, world.oracle.has[1] or ""))
    world.do(world.of("counter.paused", 3))
    return world


@pytest.mark.parametrize("delta_ms", [-30_000, 30_000, 7 * MIN])
def test_a_shifted_queue_is_the_queue_of_shifted_events(delta_ms: int) -> None:
    since = START_MS + MIN  # the first ticket stays where it was
    world = a_day_with_everything()
    world.engine.shift(delta_ms, since)
    assert world.engine == retold(world, delta_ms, since)


def test_tickets_that_are_dated_again_take_their_place() -> None:
    world = a_day_with_everything()
    issued = {t.id: t.issued_at - 9 * MIN for t in world.engine.tickets.values()}
    world.engine.redate({**issued, "nobody": 5})
    other = engine_of(world.rules)
    other.at = lambda event: event.ts - 9 * MIN if event.id in issued else event.ts
    assert [error for _, error in rebuild(other, world.log) if error] == []
    assert other == world.engine


@pytest.mark.parametrize("kind", ["ticket.called", "ticket.parked", "ticket.abandoned", "none"])
def test_a_ticket_of_a_counter_that_is_gone(kind: str) -> None:
    """A restart without counter 3 put it into the line; what came then tells of that."""
    world = World()
    ticket = world.arrive("C", "ordinary")
    world.call_next(3)
    counter = {"ticket.called": 2, "ticket.parked": 0}.get(kind, 0)
    told = [] if kind == "none" else [world.at(kind, counter, ticket)]
    rules = Rules({n: c for n, c in PLAIN.counters.items() if n != 3}, cash=PLAIN.cash)
    engine = engine_of(rules)
    assert [e for _, e in rebuild(engine, [*world.log, *told]) if e] == []
    found = engine.tickets[ticket]
    assert found.phase.value == {"none": "waiting"}.get(kind, kind.removeprefix("ticket."))
    assert found.counter == (2 if kind == "ticket.called" else None)
    assert 3 not in engine.counters


def test_what_was_said_at_a_counter_that_is_gone_stays() -> None:
    world = World()
    ticket = world.arrive("C", "ordinary")
    world.call_next(3)
    world.do(world.of("counter.paused", 3))
    for kind in ("ticket.recalled", "service.started", "ticket.parked"):
        world.do(world.at(kind, 3, ticket))
    rules = Rules({n: c for n, c in PLAIN.counters.items() if n != 3}, cash=PLAIN.cash)
    engine = engine_of(rules)
    assert [e for _, e in rebuild(engine, world.log) if e] == []
    assert engine.parked[ticket].parked_by == 3
    assert engine.counters[4].state is CounterState.ELASTIC


# --- hours ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "minute"), [("00:00", 0), ("09:05", 545), ("23:59", 1439), ("24:00", DAY_MIN)]
)
def test_times_of_day(text: str, minute: int) -> None:
    assert minute_of_day(text) == minute


@pytest.mark.parametrize("text", ["", "9:00", "24:01", "09:60", "0900", "09:00 "])
def test_no_times_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time like 09:00"):
        minute_of_day(text)


@pytest.mark.parametrize(
    ("opens", "closes", "limit", "says"),
    [(-1, 5, 0, "minute -1"), (0, 1441, 0, "minute 1441"), (5, 5, 0, "same time"),
     (0, 5, -1, "daily limit -1")],
)  # fmt: skip
def test_a_day_that_cannot_be(opens: int, closes: int, limit: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ServiceDay(opens, closes, limit)


def test_nobody_joins_whose_turn_comes_after_closing_and_it_opens_again() -> None:
    day = ServiceDay(540, 1020)
    assert day.joining(539.9, 0, 0) is Joining.CLOSED
    assert day.joining(540, 0, 0) is Joining.OPEN
    assert day.joining(1000, 5, 20) is Joining.OPEN
    assert day.joining(1000, 5, 21) is Joining.CLOSING
    assert day.joining(1001, 5, 10) is Joining.OPEN, "the line has become shorter"
    assert day.joining(1019.5, 0, None) is Joining.OPEN
    assert day.joining(1020, 0, 0) is Joining.CLOSED


def test_a_limit_a_day() -> None:
    day = ServiceDay(daily_limit=2)
    assert [day.joining(0, given, None) for given in (1, 2, 3)] == [
        Joining.OPEN, Joining.FULL, Joining.FULL,
    ]  # fmt: skip
    assert ServiceDay().joining(1439, 10**6, 600) is Joining.OPEN, "without hours nothing closes"


def test_hours_past_midnight() -> None:
    night = ServiceDay(1320, 120)
    assert [night.left_min(at) for at in (1319, 1320, 1439, 0, 119, 120)] == [
        0, 240, 121, 120, 1, 0,
    ]  # fmt: skip


def test_engine_of_the_oracle_is_what_it_says() -> None:
    engine = engine_of(PLAIN)
    assert engine.counters[4].state is CounterState.ELASTIC
    assert engine.selection.services(engine.counters[4]) == ["C"]
