"""The queue engine against a model of plain lists, and its invariants on every event log."""

import copy
import math
from typing import Any

import pytest
from hypothesis import given, note, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

import branch.queue.memory as memory_module
from branch.queue import Counter, Discipline, Engine, ImpossibleEvent, TicketPhase, rebuild
from sync.messages import decode_event
from tests.unit.branch.events import START_MS, Stream

COUNTERS = [(1, ("A", "B")), (2, ("B",)), (3, ("A",)), (4, ("C", "A"))]
HEAD_START = Discipline(head_start_min={"priority": 5.0, "vip": 1.5})
MIN = 60_000


def new_engine(discipline: Discipline = HEAD_START) -> Engine:
    return Engine.of(COUNTERS, discipline)


def refused(engine: Engine, event: Any, says: str) -> None:
    """The event is refused with a sentence, and nothing at all has changed."""
    before = copy.deepcopy(engine)
    with pytest.raises(ImpossibleEvent, match=says):
        engine.check(event)
    with pytest.raises(ImpossibleEvent, match=says):
        engine.apply(event)
    assert engine == before


class Bench:
    """An engine and the stream that feeds it."""

    def __init__(self, discipline: Discipline = HEAD_START) -> None:
        self.engine = new_engine(discipline)
        self.stream = Stream()
        self.log: list[Any] = []

    def do(self, event: Any) -> Any:
        self.engine.apply(event)
        self.log.append(event)
        return event

    def waiting(self, number: str, service: str = "A", segment: str = "", at: int = 0) -> str:
        ticket = self.do(self.stream.issued(number, service, segment, at)).id
        self.do(self.stream.printed(ticket, at))
        return str(ticket)

    def called(self, number: str, counter: int = 1, service: str = "A") -> str:
        ticket = self.waiting(number, service)
        self.do(self.stream.called(ticket, counter))
        return ticket


def test_a_ticket_waits_once_its_number_is_known() -> None:
    bench = Bench()
    ticket = bench.do(bench.stream.issued("A001")).id
    assert bench.engine.tickets[ticket].phase is TicketPhase.ISSUED
    assert bench.engine.next_for(1, START_MS) is None
    bench.do(bench.stream.print_failed(ticket))
    found = bench.engine.next_for(1, START_MS)
    assert found is not None
    assert (found.number, found.issued_at) == ("A001", START_MS)
    assert bench.engine.next_for(2, START_MS) is None
    assert (bench.engine.waiting("A"), bench.engine.waiting("BC")) == (1, 0)


def test_late_paper_news_is_harmless() -> None:
    bench = Bench()
    for end in ("called", "started", "ended", "missed", "abandoned", "waiting"):
        ticket = bench.waiting(end)
        if end in ("called", "started", "ended", "missed"):
            bench.do(bench.stream.called(ticket, 1))
        if end in ("started", "ended", "missed"):
            bench.do(getattr(bench.stream, end)(ticket, 1))
        if end == "abandoned":
            bench.do(getattr(bench.stream, end)(ticket))
        before = copy.deepcopy(bench.engine)
        bench.engine.apply(bench.stream.printed(ticket))
        bench.engine.apply(bench.stream.print_failed(ticket))
        assert bench.engine == before
        if end in ("called", "started"):
            bench.do(bench.stream.ended(ticket, 1))


def test_impossible_events_change_nothing() -> None:
    bench = Bench()
    stream = bench.stream
    issued = bench.do(stream.issued("A001"))
    serving = bench.called("A002", 1)
    bench.do(stream.started(serving, 1))
    called = bench.called("A003", 3)
    waiting = bench.waiting("A004")
    done = bench.called("A005", 4)
    bench.do(stream.ended(done, 4))
    engine = bench.engine
    refused(engine, issued, "A001 .* issued twice")
    for about_nobody in (
        stream.printed("x"), stream.voided("x"), stream.abandoned("x"), stream.called("x", 2),
        stream.recalled("x", 2), stream.started("x", 2), stream.missed("x", 2),
        stream.ended("x", 2), stream.make("ticket.voided", stream.voided("x").data, None),
    ):  # fmt: skip
        refused(engine, about_nobody, "never issued, or long ended")
    refused(engine, stream.called(waiting, 9), "counter 9 is not configured")
    refused(engine, stream.called(waiting, 3), "counter 3 has A003, cannot call A004")
    for wrong in (2, 9):
        refused(engine, stream.recalled(called, wrong), f"A003 is at counter 3, not {wrong}")
        refused(engine, stream.started(called, wrong), f"A003 is at counter 3, not {wrong}")
        refused(engine, stream.missed(called, wrong), f"A003 is at counter 3, not {wrong}")
        refused(engine, stream.ended(serving, wrong), f"A002 is at counter 1, not {wrong}")
    for ticket, phase, counter in (
        (issued.id, "issued", 2), (waiting, "waiting", 2), (done, "done", 4),
    ):  # fmt: skip
        refused(engine, stream.started(ticket, counter), f"is {phase}")
        refused(engine, stream.recalled(ticket, counter), f"is {phase}")
        refused(engine, stream.missed(ticket, counter), f"is {phase}")
        refused(engine, stream.ended(ticket, counter), f"is {phase}")
    for ticket, phase in (
        (issued.id, "issued"), (called, "called"), (serving, "serving"), (done, "done"),
    ):  # fmt: skip
        refused(engine, stream.called(ticket, 2), f"is {phase}")
        refused(engine, stream.abandoned(ticket), f"is {phase}")
    for ticket, phase in ((called, "called"), (serving, "serving"), (done, "done")):
        refused(engine, stream.voided(ticket), f"is {phase}")
    refused(engine, stream.started(serving, 1), "A002 is serving")
    refused(engine, stream.missed(serving, 1), "A002 is serving")


def test_events_of_others_are_ignored() -> None:
    bench = Bench()
    ticket = bench.waiting("A001")
    before = copy.deepcopy(bench.engine)
    bench.do(bench.stream.rated(1, 7))
    about_it = bench.stream.rated(1, 7).data
    bench.do(bench.stream.make("rating.submitted", about_it, ticket))
    bench.do(bench.stream.device("printer", "ok"))
    bench.do(decode_event(bench.stream.unknown()))
    assert bench.engine == before


def test_the_counter_follows_its_ticket() -> None:
    bench = Bench()
    ticket = bench.waiting("A001")
    counter = bench.engine.counters[3]
    bench.do(bench.stream.called(ticket, 3, at=1000))
    assert (counter.ticket, counter.since) == (bench.engine.tickets[ticket], START_MS + 1000)
    bench.do(bench.stream.recalled(ticket, 3, "again", at=2000))
    assert (bench.engine.tickets[ticket].calls, counter.since) == (2, START_MS + 1000)
    bench.do(bench.stream.started(ticket, 3, at=3000))
    assert bench.engine.tickets[ticket].started_at == counter.since == START_MS + 3000
    bench.do(bench.stream.ended(ticket, 3, at=9000))
    assert counter == Counter(3, ("A",), None, START_MS + 9000, turn=4)


def test_a_key_counts_for_one_command_of_one_counter() -> None:
    bench = Bench()
    ticket = bench.waiting("A001")
    bench.do(bench.stream.called(ticket, 1, "k1"))
    assert bench.engine.done("ticket.called", 1, "k1")
    assert not bench.engine.done("ticket.called", 3, "k1")
    assert not bench.engine.done("ticket.recalled", 1, "k1")
    for event_type in ("recalled", "started", "ended"):
        bench.do(getattr(bench.stream, event_type)(ticket, 1, "k2"))
    assert all(
        bench.engine.done(name, 1, "k2")
        for name in ("ticket.recalled", "service.started", "service.ended")
    )
    missed = bench.called("A002", 1)
    bench.do(bench.stream.missed(missed, 1, "k3"))
    assert bench.engine.done("ticket.missed", 1, "k3")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "REMEMBERED_FINISHED", 3)
    monkeypatch.setattr(memory_module, "REMEMBERED_KEYS", 5)
    bench = Bench()
    kept = bench.waiting("B001", "B")
    for number in range(20):
        ticket = bench.called(f"A{number:03}", 3)
        bench.do(bench.stream.ended(ticket, 3, f"k{number}"))
    engine = bench.engine
    assert len(engine.memory.finished) == 3
    assert list(engine.tickets) == [kept, *engine.memory.finished]
    assert engine.tickets[ticket].phase is TicketPhase.DONE
    assert len(engine.memory.keys) == 5
    assert engine.done("service.ended", 3, "k19")
    assert list(engine.lines.by_key) == [("B", "", 0)]


def test_up_next_is_in_the_order_of_calls() -> None:
    bench = Bench()
    for number, service, segment, at in (
        ("A1", "A", "", 0), ("A2", "A", "", 1), ("B1", "B", "", 2), ("C1", "C", "", 0),
        ("A3", "A", "priority", 4 * MIN), ("A4", "A", "priority", 6 * MIN), ("A5", "A", "", 3),
    ):  # fmt: skip
        bench.waiting(number, service, segment, at)
    now = START_MS + 7 * MIN
    engine = bench.engine
    assert [t.number for t in engine.up_next(1, now, 10)] == ["A3", "A1", "A2", "B1", "A5", "A4"]
    assert [t.number for t in engine.up_next(1, now, 2)] == ["A3", "A1"]
    assert [t.number for t in engine.up_next(2, now, 10)] == ["B1"]
    calls = []
    while (ticket := engine.next_for(1, now)) is not None:
        calls.append(ticket.number)
        bench.do(bench.stream.called(ticket.id, 1))
        bench.do(bench.stream.ended(ticket.id, 1))
    assert calls == ["A3", "A1", "A2", "B1", "A5", "A4"]


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_tie_stays_a_tie_whatever_the_time_is(arrived: int, passed: int) -> None:
    waited = arrived % MIN + passed
    score = HEAD_START.score
    assert score("vip", waited) == score("", waited + 90_000)
    assert score("vip", waited) > score("", waited + 89_999)


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_a_discipline_refuses_what_is_no_weight(value: float) -> None:
    with pytest.raises(ValueError, match=r"vip: .*; expected 0 or more"):
        Discipline(head_start_min={"vip": value})
    with pytest.raises(ValueError, match="vip"):
        Discipline(rate={"vip": value})


def test_accumulating_priority_overtakes_by_rate() -> None:
    bench = Bench(Discipline(rate={"vip": 2.0}))
    bench.waiting("A1", at=0)
    bench.waiting("A2", segment="vip", at=5 * MIN)
    head = [bench.engine.next_for(1, START_MS + minute * MIN) for minute in (9, 10, 11)]
    assert [t.number for t in head if t] == ["A1", "A1", "A2"]


# --- rebuilt under another configuration ----------------------------------------------------


def rebuilt(events: list[Any], counters: list[tuple[int, tuple[str, ...]]]) -> tuple[Engine, int]:
    engine = Engine.of(counters, HEAD_START)
    problems = [error for _, error in rebuild(engine, events) if error is not None]
    return engine, len(problems)


def test_a_counter_that_is_gone_leaves_its_past_as_it_was() -> None:
    bench = Bench()
    done, lost, left = bench.called("A001", 3), bench.waiting("A002"), bench.called("A003", 1)
    bench.do(bench.stream.ended(done, 3))
    bench.do(bench.stream.called(lost, 3))
    bench.do(bench.stream.started(lost, 3))
    bench.waiting("A004")
    without_3 = [(n, s) for n, s in COUNTERS if n != 3]
    engine, problems = rebuilt(bench.log, without_3)
    assert problems == 0
    assert sorted(engine.counters) == [1, 2, 4]
    assert engine.tickets[done].phase is TicketPhase.DONE
    assert engine.tickets[left].phase is TicketPhase.CALLED
    back = engine.tickets[lost]
    assert (back.phase, back.counter, back.calls) == (TicketPhase.WAITING, None, 0)
    assert back.called_at is back.started_at is None
    assert engine.next_for(4, START_MS) is back
    # It is called elsewhere, and the next restart understands that too.
    for event in (bench.stream.called(lost, 4), bench.stream.ended(lost, 4)):
        engine.apply(event)
        bench.log.append(event)
    again, problems = rebuilt(bench.log, without_3)
    assert problems == 0
    assert again == engine


def test_a_rebuild_reports_what_the_queue_refuses() -> None:
    bench = Bench()
    ticket = bench.called("A001", 1)
    bench.log.append(bench.stream.called(ticket, 2))
    bench.do(bench.stream.ended(ticket, 1))
    engine, problems = rebuilt(bench.log, COUNTERS)
    assert problems == 1
    assert engine == bench.engine


# --- any order of events --------------------------------------------------------------------

ACTIONS = ("printed", "print_failed", "voided", "abandoned")
AT_COUNTER = ("called", "recalled", "started", "missed", "ended")
ENDED = {TicketPhase.DONE, TicketPhase.MISSED, TicketPhase.VOIDED, TicketPhase.ABANDONED}


class QueueMachine(RuleBasedStateMachine):
    """Devices, tellers and nonsense at random; an independent model of phases decides."""

    tickets = Bundle("tickets")

    @initialize(head_start=st.sampled_from([0.0, 1.5, 5.0]))
    def begin(self, head_start: float) -> None:
        self.discipline = Discipline(head_start_min={"vip": head_start})
        self.head_start_ms = round(head_start * MIN)
        self.engine = new_engine(self.discipline)
        self.streams = {node: Stream(node) for node in ("kiosk-1", "kiosk-2", "branch-1")}
        self.log: list[Any] = []
        self.model: dict[str, tuple[str, int | None]] = {}
        self.about: dict[str, tuple[str, str, tuple[int, str, int]]] = {}
        self.now = 0

    def feed(self, event: Any, possible: bool) -> None:
        if possible:
            self.engine.apply(event)
            self.log.append(event)
        else:
            refused(self.engine, event, ".")

    @rule(ms=st.integers(0, 4 * MIN))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(
        target=tickets,
        node=st.sampled_from(["kiosk-1", "kiosk-2"]),
        service=st.sampled_from("ABC"),
        segment=st.sampled_from(["", "vip"]),
        printed=st.booleans(),
    )
    def issue(self, node: str, service: str, segment: str, printed: bool) -> str:
        stream = self.streams[node]
        event = stream.issued(f"{service}{len(self.model):03}", service, segment, self.now)
        self.feed(event, True)
        self.model[event.id] = ("issued", None)
        self.about[event.id] = (service, segment, (event.ts, event.src, event.seq))
        if printed:
            self.act(event.id, "printed")
        return str(event.id)

    @rule(ticket=tickets, action=st.sampled_from(ACTIONS))
    def act(self, ticket: str, action: str) -> None:
        phase, counter = self.model[ticket]
        event = getattr(self.streams["kiosk-1"], action)(ticket, self.now)
        if action in ("printed", "print_failed"):
            self.feed(event, True)
            if phase == "issued":
                self.model[ticket] = ("waiting", None)
        else:
            possible = phase == ("issued" if action == "voided" else "waiting")
            self.feed(event, possible)
            if possible:
                self.model[ticket] = (action, counter)

    @rule(ticket=tickets, action=st.sampled_from(AT_COUNTER), counter=st.integers(1, 5))
    def at_counter(self, ticket: str, action: str, counter: int) -> None:
        """Mostly nonsense: any ticket, any counter."""
        phase, at = self.model[ticket]
        event = getattr(self.streams["branch-1"], action)(ticket, counter, at=self.now)
        busy = any(m[1] == counter and m[0] in ("called", "serving") for m in self.model.values())
        possible = {
            "called": phase == "waiting" and counter <= 4 and not busy,
            "recalled": phase == "called" and at == counter,
            "started": phase == "called" and at == counter,
            "missed": phase == "called" and at == counter,
            "ended": phase in ("called", "serving") and at == counter,
        }[action]
        self.feed(event, possible)
        if possible and action != "recalled":
            after = {"started": "serving", "ended": "done"}.get(action, action)
            self.model[ticket] = (after, counter)

    @rule(counter=st.integers(1, 4))
    def call_next(self, counter: int) -> None:
        if self.engine.counters[counter].ticket is not None:
            return
        now_ms = START_MS + self.now
        found = self.engine.next_for(counter, now_ms)
        services = dict(COUNTERS)[counter]
        eligible = {
            ticket: self.about[ticket]
            for ticket, (phase, _) in self.model.items()
            if phase == "waiting" and self.about[ticket][0] in services
        }
        assert (found is None) == (not eligible)
        if found is None:
            return
        note(f"counter {counter} calls {found.number}")
        service, segment, order = self.about[found.id]

        def handicap(about: tuple[str, str, tuple[int, str, int]]) -> int:
            return about[2][0] - (self.head_start_ms if about[1] == "vip" else 0)

        # I3: the argmax of the score; with equal rates that is the earliest corrected arrival.
        best = min((handicap(about), about[2]) for about in eligible.values())
        assert (handicap(eligible[found.id]), order) == best
        # I1: nobody of the same class and service came before.
        assert not [
            about for about in eligible.values() if about[:2] == (service, segment)
            and about[2] < order
        ]  # fmt: skip
        # I4: whoever is passed came at most the head start earlier.
        ahead = self.head_start_ms if segment == "vip" else 0
        assert all(order[0] <= about[2][0] + ahead for about in eligible.values())
        self.feed(self.streams["branch-1"].called(found.id, counter, at=self.now), True)
        self.model[found.id] = ("called", counter)

    @rule(counter=st.integers(1, 4), action=st.sampled_from(["started", "ended", "missed"]))
    def teller(self, counter: int, action: str) -> None:
        """Mostly sense: the ticket that is there."""
        ticket = self.engine.counters[counter].ticket
        if ticket is not None:
            self.at_counter(ticket.id, action, counter)

    @invariant()
    def phases_are_those_of_the_model(self) -> None:
        assert {t.id: (t.phase.value, t.counter) for t in self.engine.tickets.values()} == {
            ticket: (phase, counter) for ticket, (phase, counter) in self.model.items()
        }

    @invariant()
    def tickets_are_conserved(self) -> None:
        # I7: issued = waiting + called + serving + ended + reserved; each waiting one in one line.
        phases = [t.phase for t in self.engine.tickets.values()]
        in_lines = [t.id for line in self.engine.lines.by_key.values() for t in line]
        assert len(in_lines) == len(set(in_lines)) == phases.count(TicketPhase.WAITING)
        assert len(self.engine.memory.finished) == sum(phase in ENDED for phase in phases)
        assert len(phases) == len(self.model)
        assert all(line for line in self.engine.lines.by_key.values())

    @invariant()
    def a_counter_has_one_ticket(self) -> None:
        # I9, in both directions.
        at = [t for t in self.engine.tickets.values() if t.phase.value in ("called", "serving")]
        assert {t.counter: t.id for t in at} == {
            n: c.ticket.id for n, c in self.engine.counters.items() if c.ticket is not None
        }
        assert len({t.counter for t in at}) == len(at)

    @invariant()
    def the_log_gives_the_same_engine(self) -> None:
        other = new_engine(self.discipline)
        assert [error for _, error in rebuild(other, self.log) if error] == []
        assert other == self.engine


TestQueueMachine = QueueMachine.TestCase
