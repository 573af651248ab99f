"""Standards: each breach is raised once, at its time, and cleared once, whatever happens; an
oracle that reads the log alone says when.
"""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, strategies as st

from branch.alert_book import HOLD_MS, AlertBook
from branch.standards import Standard, Standards, standards_of
from branch.standards_config import ServiceStandardsConfig, StandardsConfig
from sync.alerts import AlertData, OfAlertData
from sync.messages import AnyEvent
from tests.unit.branch.queue_oracle import MIN
from tests.unit.branch.queue_world import PLAIN, World, random_step
from tests.unit.branch.standards_oracle import Limits, Said, StandardsOracle

LIMITS: tuple[Limits, ...] = (
    {"A": (12 * MIN, 6 * MIN, 2 * MIN, 3), "B": (5 * MIN, 0, 4 * MIN, 6), "C": (0, MIN, 0, 0)},
    {"A": (30 * MIN, 30 * MIN, 3 * MIN, 25), "B": (0, 0, 0, 1), "C": (MIN, MIN, MIN, 2)},
)


class Watched(World):
    """A branch whose standards are watched as the server does: at each event, and whenever one
    will be broken. ``said`` is what an alert was made of.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(PLAIN)
        self.limits = limits
        self.standards = Standards(
            {letter: Standard(*four) for letter, four in limits.items()}, self.engine
        )
        self.book = AlertBook()
        self.said: list[Said] = []
        self.alerts: list[AnyEvent] = []
        self.looked_at = self.now

    def do(self, event: Any) -> Any:
        self.look_until(event.ts)
        done = super().do(event)
        self.look(event.ts)
        return done

    def look_until(self, end_ms: int) -> None:
        """Time passes and nothing happens."""
        while True:
            upcoming = self.standards.breaches(self.looked_at, self.book.open)[1]
            if upcoming is None or upcoming > end_ms:
                return
            assert upcoming > self.looked_at
            self.look(upcoming)

    def look(self, now_ms: int) -> None:
        self.looked_at = now_ms
        broken, _ = self.standards.breaches(now_ms, self.book.open)
        wrong = {one.breach: one for one in broken}
        assert len(wrong) == len(broken)
        for cleared in list(self.book.clears(wrong, now_ms)):
            self._say(now_ms, "cleared", cleared)
        for one in self.book.raises(wrong):
            assert one.since_ms <= now_ms
            self._say(now_ms, "raised", one)

    def _say(self, now_ms: int, what: str, data: Any) -> None:
        self.said.append((now_ms, what, data.breach))
        event = self.event(f"alert.{what}", data)
        self.alerts.append(event)
        self.book.note(event, now_ms)

    def expected(self, end_ms: int) -> list[Said]:
        counters = {
            number: ({s for s in levels if cash or s not in self.rules.cash}, elastic, not elastic)
            for number, (levels, cash, elastic, _) in self.rules.counters.items()
        }
        return StandardsOracle(counters, self.limits).history(self.log, end_ms)


def play(limits: Limits, rng: random.Random, steps: int) -> Watched:
    world = Watched(limits)
    for _ in range(steps):
        random_step(world, rng, busy=0.25)
    world.now += rng.choice((0, 3 * MIN, 40 * MIN))
    world.look_until(world.now)
    assert sorted(world.said) == sorted(world.expected(world.now))
    once_each(world)
    return world


def once_each(world: Watched) -> None:
    """Raised and cleared by turns, raised first; what is open at the end is what was not
    cleared.
    """
    open_now: set[str] = set()
    for _, what, breach in world.said:
        assert (breach in open_now) == (what == "cleared"), (what, breach)
        (open_now.remove if what == "cleared" else open_now.add)(breach)
    assert open_now == set(world.book.open)


def test_a_hundred_histories_break_every_standard() -> None:
    counted = Counter[str]()
    for seed in range(100):
        world = play(LIMITS[seed % 2], random.Random(seed), 90)
        counted.update(f"{breach.split(':')[0]} {what}" for _, what, breach in world.said)
    for kind in ("wait", "service", "idle", "line"):
        assert counted[f"{kind} raised"] > 15, counted
        assert counted[f"{kind} cleared"] > 15, counted


@given(st.randoms(use_true_random=False), st.integers(0, 1), st.integers(1, 70))
def test_any_history(rng: random.Random, number: int, steps: int) -> None:
    play(LIMITS[number], rng, steps)


@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(0, 59))
def test_a_restart_anywhere_says_nothing_twice(rng: random.Random, steps: int, at: int) -> None:
    """The book of a new process is the fold of what the old one has journalled."""
    world = Watched(LIMITS[0])
    for step in range(steps):
        if step == at:
            book = AlertBook()
            for event in world.alerts:
                book.note(event, event.ts)
            assert book.open.keys() == world.book.open.keys()
            world.book = book
        random_step(world, rng, busy=0.25)
    world.look_until(world.now)
    assert sorted(world.said) == sorted(world.expected(world.now))
    once_each(world)


def test_a_line_is_one_alert_though_it_sways() -> None:
    world = Watched({"A": (0, 0, 0, 5)})
    tickets = [world.arrive("A", "ordinary") for _ in range(6)]
    for _ in range(10):
        world.do(world.at("ticket.abandoned", 0, tickets.pop()))
        tickets.append(world.arrive("A", "ordinary"))
    assert [what for _, what, _ in world.said] == ["raised"]
    for _ in range(2):
        world.do(world.at("ticket.abandoned", 0, tickets.pop()))
    assert [what for _, what, _ in world.said] == ["raised", "cleared"]


def test_a_counter_that_calls_is_not_idle_and_begins_anew() -> None:
    world = Watched({"A": (0, 0, 3 * MIN, 0)})
    world.do(world.of("counter.closed", 3))
    world.arrive("A", "ordinary")
    world.arrive("A", "ordinary")
    world.look_until(world.now + 3 * MIN - 1)
    assert world.said == []
    world.now += 3 * MIN
    world.look_until(world.now)
    assert [one[1:] for one in world.said] == [("raised", "idle:1")]
    assert world.call_next(1)
    world.do(world.at("ticket.missed", 1, world.oracle.has[1] or ""))
    assert [one[1:] for one in world.said[1:]] == [("cleared", "idle:1")]
    world.look_until(world.now + 3 * MIN - 1)
    assert len(world.said) == 2
    world.look_until(world.now + 3 * MIN)
    assert [one[1:] for one in world.said[2:]] == [("raised", "idle:1")]


def test_a_tag_does_not_begin_the_idle_time_anew() -> None:
    world = Watched({"A": (0, 0, 3 * MIN, 0)})
    world.do(world.of("counter.closed", 3))
    ticket = world.arrive("A", "ordinary")
    world.now += 2 * MIN
    world.do(world.at("ticket.tagged", 0, ticket, segment="vip"))
    world.look_until(world.now + MIN)
    assert world.said == [(world.now + MIN, "raised", "idle:1")]
    assert world.said == world.expected(world.now + MIN)


def test_being_served_is_not_waiting() -> None:
    world = Watched({"A": (20 * MIN, 0, 0, 0), "B": (20 * MIN, 0, 0, 0)})
    ticket = world.arrive("A", "ordinary")
    world.now += 10 * MIN
    assert world.call_next(1)
    world.do(world.at("service.started", 1, ticket))
    world.now += 15 * MIN
    moved = world.at("ticket.transferred", 1, ticket, service="B", service_ms=15 * MIN)
    world.do(moved)
    assert world.said == []
    world.look_until(world.now + 10 * MIN)
    assert world.said == [(world.now + 10 * MIN, "raised", f"wait:{ticket}")]


def test_a_try_at_the_machine_is_not_waiting() -> None:
    world = Watched({"A": (20 * MIN, 0, 0, 0)})
    ticket = world.arrive("A", "ordinary", waited_ms=10 * MIN)
    due = world.now + 20 * MIN
    world.look_until(due)
    assert world.said == [(due, "raised", f"wait:{ticket}")]


def test_a_service_has_its_own_standards_over_those_of_the_branch() -> None:
    config = StandardsConfig(
        max_wait_min=30, max_line=8, services={"B": ServiceStandardsConfig(0, None, 1.5)}
    )
    found = standards_of(config, ["A", "B"])
    assert found["A"] == Standard(30 * MIN, 30 * MIN, 3 * MIN, 8)
    assert found["B"] == Standard(0, 30 * MIN, 90_000, 8)
    assert [Standard(max_line=n).mended_line for n in (1, 5, 25)] == [0, 4, 20]


# --- the book -----------------------------------------------------------------------------------

FAULT = AlertData(kind="device", breach="device:kiosk-1:printer", since_ms=0)
PRESS = AlertData(kind="unhappy", breach="unhappy:e1", since_ms=0)


class Desk:
    """A book and its ledger."""

    def __init__(self) -> None:
        self.world = World()
        self.book = AlertBook()

    def look(self, now_ms: int, *wrong: AlertData) -> list[str]:
        by_breach = {one.breach: one for one in wrong}
        said = []
        for cleared in list(self.book.clears(by_breach, now_ms)):
            self.note("alert.cleared", cleared, now_ms)
            said.append(f"cleared {cleared.reason}")
        for one in self.book.raises(by_breach):
            self.note("alert.raised", one, now_ms)
            said.append("raised")
        return said

    def note(self, kind: str, data: Any, now_ms: int) -> None:
        event = self.world.event(kind, data)
        self.world.log.append(event)
        self.book.note(event, now_ms)

    def word(self, now_ms: int, reason: str) -> None:
        alert = next(iter(self.book.open.values()))
        self.note("alert.cleared", self.book.cleared(alert, now_ms, reason, "k", "m-1"), now_ms)


def test_a_loose_plug_is_one_alert() -> None:
    desk = Desk()
    assert desk.look(0, FAULT) == ["raised"]
    for second in range(1, 60, 2):
        assert desk.look(second * 1000) == []
        assert desk.look(second * 1000 + 900, FAULT) == []
    assert desk.look(60_000) == []
    assert desk.book.held_until() == 60_000 + HOLD_MS
    assert desk.look(60_000 + HOLD_MS) == ["cleared ended"]
    assert desk.book.held_until() is None


@pytest.mark.parametrize("reason", ["recovered", "answered"])
def test_a_person_s_word_holds_while_what_is_wrong_goes_on(reason: str) -> None:
    desk = Desk()
    assert desk.look(0, PRESS) == ["raised"]
    desk.word(1000, reason)
    assert desk.look(2000, PRESS) == []
    assert desk.book.open == {}
    (seen,) = desk.book.seen.values()
    assert (seen.cleared_ms, seen.cleared_by) == (1000, "m-1")
    assert desk.look(3000) == []
    assert desk.book.seen == {}
    assert desk.look(4000, PRESS) == ["raised"]


def test_an_undone_word_is_the_same_alert_again() -> None:
    desk = Desk()
    desk.look(0, PRESS)
    first = next(iter(desk.book.open.values())).id
    desk.word(1000, "recovered")
    data = OfAlertData(alert=first, breach=PRESS.breach, key="u", by="m-1")
    desk.note("alert.reopened", data, 2000)
    assert desk.look(3000, PRESS) == []
    assert desk.book.find(first) is desk.book.open[PRESS.breach]
    assert desk.look(4000) == ["cleared day_end"]
    assert desk.book.find(first) is None
    desk.note("alert.reopened", data, 5000)
    assert desk.book.open == {}


def test_somebody_goes() -> None:
    desk = Desk()
    desk.look(0, PRESS)
    alert = next(iter(desk.book.open.values()))
    desk.note("alert.taken", OfAlertData(alert=alert.id, breach=PRESS.breach, by="m-2"), 1)
    assert alert.taken_by == "m-2"
    desk.note("alert.taken", OfAlertData(alert="x", breach="y", key="t"), 2)
    desk.note("alert.cleared", desk.book.cleared(alert, 3, "ended"), 3)
    desk.note("alert.cleared", desk.book.cleared(alert, 4, "ended"), 4)
    assert desk.book.open == {}


def test_the_newest_requests_are_remembered() -> None:
    book, world = AlertBook(), World()
    for number in range(AlertBook.KEYS + 5):
        data = OfAlertData(alert="a", breach="b", key=f"k{number}")
        book.note(world.event("alert.taken", data), 0)
    assert len(book.done) == AlertBook.KEYS
    assert "k4" not in book.done
    assert "k5" in book.done
