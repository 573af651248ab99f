"""A bank's queue once more, as plainly as it can be written: lists, no lines, no lookahead.

It reads the event log alone and imports nothing of the engine. What it knows: where each ticket
is, what each counter does, and by the rules of docs/calling.md whom a counter must call. The
invariants I1 to I10 are checked on the log as it grows.
"""

from dataclasses import dataclass, field
from typing import Any

MIN = 60_000
STAFF = {"frail", "urgent", "agreed", "mistake", "manager"}
AT = ("called", "serving")
OVER = ("done", "missed", "voided", "abandoned")


@dataclass
class Rules:
    """``counters``: number -> (services by level {letter: level}, cash, elastic, help_below)."""

    counters: dict[int, tuple[dict[str, int], bool, bool, int]]
    cash: set[str] = field(default_factory=set)
    head_ms: dict[str, int] = field(default_factory=dict)
    rate: dict[str, float] = field(default_factory=dict)
    cap_ms: int = 0
    emergencies: set[str] = field(default_factory=set)
    ratio: int = 0
    favoured: set[str] = field(default_factory=set)


@dataclass
class Shadow:
    """One ticket, from the log."""

    id: str
    service: str
    segment: str
    came: tuple[int, str, int]
    slot: int
    waited: int = 0
    phase: str = "issued"
    counter: int | None = None
    calls: int = 0
    held: int = 0
    until: int = 0
    penalty: int = 0
    agenda: list[str] = field(default_factory=list)
    back: tuple[int, str] = (0, "")
    due: int = 0
    waits: list[tuple[int, int]] = field(default_factory=list)
    since: int = 0

    @property
    def kind(self) -> str:
        if self.segment != "appointment":
            return self.segment
        on_time = self.slot and self.came[0] <= self.slot + 10 * MIN
        return "appointment" if on_time else "ordinary"

    @property
    def began(self) -> tuple[int, str, int]:
        at = self.came[0] - self.waited
        at = max(at, self.slot) if self.kind == "appointment" else at
        return (at + self.penalty, *self.came[1:])


class Oracle:
    """Fold events with ``read``; every check is an assertion."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tickets: dict[str, Shadow] = {}
        self.state = {n: "elastic" if c[2] else "open" for n, c in rules.counters.items()}
        self.has: dict[int, str | None] = dict.fromkeys(rules.counters)
        self.turns: list[bool] = []
        self.now = 0
        self.area_ms = 0  # of waiting tickets over time
        self.calls = 0

    # --- whom to call -------------------------------------------------------------------------

    def staffed(self, counter: int) -> bool:
        return self.state.get(counter) in ("open", "paused")

    def serves(self, counter: int, service: str) -> bool:
        levels, cash, _, _ = self.rules.counters[counter]
        return service in levels and (cash or service not in self.rules.cash)

    def may_call(self, ticket: Shadow, counter: int, t: int) -> bool:
        if ticket.phase != "waiting" or not self.serves(counter, ticket.service):
            return False
        return ticket.held in (0, counter) or t >= ticket.until or not self.staffed(ticket.held)

    def eligible(self, counter: int, t: int) -> list[Shadow]:
        return [x for x in self.tickets.values() if self.may_call(x, counter, t)]

    def waited(self, ticket: Shadow, t: int) -> int:
        return t - ticket.began[0]

    def over_cap(self, ticket: Shadow, t: int) -> bool:
        return bool(self.rules.cap_ms) and self.waited(ticket, t) >= self.rules.cap_ms

    def head_ms(self, ticket: Shadow, t: int) -> int:
        if ticket.kind == "appointment" and t < ticket.slot - 5 * MIN:
            return 0
        return self.rules.head_ms.get(ticket.kind, 0)

    def score(self, ticket: Shadow, t: int) -> float:
        rate = self.rules.rate.get(ticket.kind, 1.0)
        return self.head_ms(ticket, t) + rate * self.waited(ticket, t)

    def level(self, ticket: Shadow, counter: int) -> int:
        return self.rules.counters[counter][0][ticket.service]

    def levels_open(self, counter: int, pool: list[Shadow]) -> set[int]:
        below = self.rules.counters[counter][3]
        return {
            level
            for level in self.rules.counters[counter][0].values()
            if sum(self.level(x, counter) < level for x in pool) < below
        }

    def favours(self) -> bool:
        """Of n + 1 turns, as near to r of r + 1 as whole calls can be; half way is for them."""
        r, n = self.rules.ratio, len(self.turns) + 1
        # the whole number nearest to n * r / (1 + r)
        nearest = (2 * n * r + (1 + r)) // (2 * (1 + r))
        return sum(self.turns) < nearest

    def expected(self, counter: int, t: int) -> tuple[Shadow | None, str]:
        """The ticket that the counter must call and the reason that the log must give."""
        pool = self.eligible(counter, t)
        if not pool:
            return None, ""
        oldest = min(pool, key=lambda x: x.began)
        first = [x for x in pool if x.kind in self.rules.emergencies]
        first = first or [x for x in pool if self.over_cap(x, t)]
        if first:
            chosen = min(first, key=lambda x: x.began)
            return chosen, "" if chosen is oldest else "emergency"
        levels = self.levels_open(counter, pool)
        usable = [x for x in pool if self.level(x, counter) in levels]
        reason = ""
        if self.rules.ratio and len({x.segment in self.rules.favoured for x in usable}) == 2:
            turn = self.favours()
            usable = [x for x in usable if (x.segment in self.rules.favoured) == turn]
            reason = "ratio"
        best = max(self.score(x, t) for x in usable)
        chosen = min((x for x in usable if self.score(x, t) == best), key=lambda x: x.began)
        if reason or chosen is oldest:
            return chosen, reason
        if self.level(chosen, counter) < self.level(oldest, counter):
            return chosen, "skill"
        return chosen, "appointment" if chosen.segment == "appointment" else "segment"

    # --- what is possible -----------------------------------------------------------------------

    def possible(self, event: Any) -> bool:
        """Whether the log may go on with ``event``."""
        kind, data = event.__struct_config__.tag, event.data
        counter = getattr(data, "counter", 0)
        if kind == "ticket.issued":
            if event.id in self.tickets:
                return False
            return not counter or self._free(counter, data.service)
        if kind.startswith("counter."):
            state = self.state.get(counter)
            if kind == "counter.opened":
                return state is not None
            if kind == "counter.paused":
                return state == "open"
            return state in ("open", "paused") and self.has[counter] is None
        ticket = self.tickets.get(event.sub or "")
        if ticket is None:
            return False
        at = ticket.phase in AT and ticket.counter == counter
        return {
            "ticket.printed": True,
            "ticket.print_failed": True,
            "ticket.voided": ticket.phase == "issued",
            "ticket.abandoned": ticket.phase in ("waiting", "parked"),
            "ticket.called": ticket.phase in ("waiting", "parked")
            and self._free(counter, ticket.service),
            "ticket.recalled": at and ticket.phase == "called",
            "ticket.missed": at and ticket.phase == "called",
            "service.started": at and ticket.phase == "called",
            "service.ended": at,
            "ticket.parked": at or (ticket.phase == "waiting" and counter == 0),
            "ticket.transferred": at,
            "ticket.returned": at,
            "ticket.unparked": ticket.phase == "parked",
            "ticket.rejoined": ticket.phase == "missed",
            "ticket.tagged": ticket.phase == "waiting",
        }[kind]

    def _free(self, counter: int, service: str) -> bool:
        return (
            self.state.get(counter) == "open"
            and self.has[counter] is None
            and (service not in self.rules.cash or self.rules.counters[counter][1])
        )

    # --- the log -----------------------------------------------------------------------------

    def read(self, event: Any) -> None:
        """One more event of the log. Checks the invariants that it can break."""
        kind, data, t = event.__struct_config__.tag, event.data, event.ts
        assert t >= self.now, "I10: time goes forward"
        self.area_ms += self.count("waiting") * (t - self.now)
        self.now = t
        counter = getattr(data, "counter", 0)
        if kind == "ticket.issued":
            self._issue(event)
        elif kind.startswith("counter."):
            elastic = self.rules.counters[counter][2]
            self.state[counter] = {
                "counter.opened": "open", "counter.paused": "paused",
                "counter.closed": "elastic" if elastic else "closed",
            }[kind]  # fmt: skip
        else:
            self._about(kind, data, t, self.tickets[event.sub])
        self._conserved()

    def _issue(self, event: Any) -> None:
        data, t = event.data, event.ts
        ticket = Shadow(
            event.id, data.service, data.segment, (t, event.src, event.seq), data.appointment_ms,
            min(max(data.waited_ms, 0), 15 * MIN), held=data.wanted_counter,
            until=t + data.hold_ms, agenda=list(data.services),
        )  # fmt: skip
        self.tickets[event.id] = ticket
        if data.counter:
            assert self.has[data.counter] is None, "I9: one ticket per window"
            ticket.phase, ticket.counter, ticket.held = "serving", data.counter, 0
            self.has[data.counter] = ticket.id

    def _about(self, kind: str, data: Any, t: int, ticket: Shadow) -> None:
        before = ticket.phase
        if kind in ("ticket.printed", "ticket.print_failed"):
            if before == "issued":
                self._wait(ticket, t)
            return
        if kind == "ticket.called":
            self._call(data, t, ticket)
        elif kind == "ticket.recalled":
            ticket.calls += 1
        elif kind == "service.started":
            ticket.phase = "serving"
        elif kind == "ticket.tagged":
            ticket.segment = data.segment
        else:
            self._leave(kind, data, t, ticket)
        if before == "waiting" and ticket.phase != "waiting":
            ticket.waits.append((ticket.since, t))

    def _leave(self, kind: str, data: Any, t: int, ticket: Shadow) -> None:
        if ticket.phase in AT:
            self.has[ticket.counter or 0] = None
        if kind == "ticket.parked":
            ticket.phase, ticket.counter, ticket.calls = "parked", None, 0
            ticket.due = t + data.for_ms if data.for_ms else 0
        elif kind == "ticket.unparked":
            ticket.held, ticket.until = data.to_counter, t + data.hold_ms
            self._wait(ticket, t)
        elif kind == "ticket.transferred":
            if data.back and not ticket.back[0]:
                ticket.back = (data.counter, ticket.service)
            ticket.service, ticket.held, ticket.until = (
                data.service, data.to_counter, t + data.hold_ms
            )  # fmt: skip
            self._wait(ticket, t)
        elif kind == "ticket.returned":
            ticket.back, ticket.service = (0, ""), data.service
            ticket.held, ticket.until = data.to_counter, t + data.hold_ms
            self._wait(ticket, t)
        elif kind == "ticket.rejoined":
            ticket.penalty += data.penalty_ms
            self._wait(ticket, t)
        else:
            ticket.phase = {
                "ticket.voided": "voided", "ticket.abandoned": "abandoned",
                "ticket.missed": "missed", "service.ended": "done",
            }[kind]  # fmt: skip

    def _wait(self, ticket: Shadow, t: int) -> None:
        ticket.phase, ticket.counter, ticket.calls, ticket.since = "waiting", None, 0, t

    def _call(self, data: Any, t: int, ticket: Shadow) -> None:
        assert self.has[data.counter] is None, "I9: one ticket per window"
        assert ticket.service not in self.rules.cash or self.rules.counters[data.counter][1], "E3"
        if data.reason not in STAFF and ticket.phase == "waiting":
            self._fair(data, t, ticket)
        if data.reason == "ratio":
            self.turns.append(ticket.segment in self.rules.favoured)
            self._ratio()
        ticket.phase, ticket.counter, ticket.calls = "called", data.counter, 1
        ticket.held, ticket.due = 0, 0
        self.has[data.counter] = ticket.id
        self.calls += 1

    # --- the invariants --------------------------------------------------------------------------

    def _fair(self, data: Any, t: int, ticket: Shadow) -> None:
        pool = self.eligible(data.counter, t)
        assert ticket in pool
        expected, reason = self.expected(data.counter, t)
        assert (expected, reason) == (ticket, data.reason), "I3: the best of them, and why"
        above = ticket.kind in self.rules.emergencies or self.over_cap(ticket, t)
        assert data.score_ms == (0 if above else round(self.score(ticket, t))), "I3: its score"
        for other in pool:
            if (other.service, other.kind) == (ticket.service, ticket.kind):
                assert other.began >= ticket.began, "I1: first in, first out"
            if self.over_cap(other, t) and ticket.kind not in self.rules.emergencies:
                assert self.over_cap(ticket, t), "I5: nobody passes whom the promise is broken to"
            passed = other.began < ticket.began and data.reason in ("segment", "appointment")
            if passed and self.level(other, data.counter) == self.level(ticket, data.counter):
                self._bound(other, ticket, t)

    def _bound(self, passed: Shadow, ticket: Shadow, t: int) -> None:
        """I4, solved for the arrival of the one who passes."""
        b_i = self.rules.rate.get(passed.kind, 1.0)
        b_j = self.rules.rate.get(ticket.kind, 1.0)
        ahead = self.head_ms(ticket, t) - self.head_ms(passed, t)
        a_i, a_j = passed.began[0], ticket.began[0]
        latest = a_i + (t - a_i) * (1 - b_i / b_j) + ahead / b_j
        assert a_j <= latest + 1e-3, "I4: who passes came soon enough after"

    def _ratio(self) -> None:
        r, favoured = self.rules.ratio, 0
        for n, turn in enumerate(reversed(self.turns[-50:]), 1):
            favoured += turn
            assert abs(favoured - r / (1 + r) * n) <= 1, "I6: the ratio holds over any run"

    def count(self, *phases: str) -> int:
        return sum(x.phase in phases for x in self.tickets.values())

    def _conserved(self) -> None:
        at = {x.counter: x.id for x in self.tickets.values() if x.phase in AT}
        assert at == {n: x for n, x in self.has.items() if x is not None}, "I9"
        parts = self.count("issued", "waiting", "parked", *AT, *OVER)
        assert parts == len(self.tickets), "I7: nobody is lost"

    def little(self) -> tuple[int, int]:
        """I8: the area under the line, and the sum of its waits (ms): equal, exactly."""
        waits = sum(b - a for x in self.tickets.values() for a, b in x.waits)
        waits += sum(self.now - x.since for x in self.tickets.values() if x.phase == "waiting")
        return self.area_ms, waits
