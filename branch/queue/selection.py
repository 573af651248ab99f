"""Whom a free counter calls, and why that one. Pure: the server, the simulation and the forecast
of the wait ask the same functions.

1. Emergencies, then whoever waits longer than the promise, first come, first served, from all that
   the counter may serve at any level.
2. Otherwise the counter's best level: a service of a lower level counts only while fewer than
   ``help_below`` wait for the levels above it. So a counter never idles while somebody waits whom
   it may serve.
3. In ratio mode the turn of the two groups, if both wait; the better score within the group.
4. Otherwise the highest score, ties by place.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from branch.queue.counter import Counter
from branch.queue.discipline import (
    APPOINTMENT,
    SCORE_CLASS,
    Discipline,
    Rank,
)
from branch.queue.lines import Lines
from branch.queue.ticket import QueueTicket


class Reason(StrEnum):
    """Why a ticket was called before an older one that the counter could serve. The last ones are
    a teller's own word for a call out of turn.
    """

    OLDEST = ""
    EMERGENCY = "emergency"
    RATIO = "ratio"  # the turn of one of two groups
    APPOINTMENT = "appointment"
    SEGMENT = "segment"  # its head start or its rate
    SKILL = "skill"  # the older one is of a service that this counter only helps with
    FRAIL = "frail"
    URGENT = "urgent"
    AGREED = "agreed"
    MISTAKE = "mistake"
    MANAGER = "manager"


GIVEN_BY_STAFF = frozenset(
    {Reason.FRAIL, Reason.URGENT, Reason.AGREED, Reason.MISTAKE, Reason.MANAGER}
)


@dataclass(slots=True)
class Turns:
    """Calls that the ratio decided, and how many of them were of the ratio's segments."""

    calls: int = 0
    favoured: int = 0

    def favours(self, ratio: int) -> bool:
        """Whether the next one is of the ratio's segments: the sum is never off by more than a
        half, so any run of calls is off by one at most.
        """
        return self.favoured < (2 * ratio * (self.calls + 1) + 1 + ratio) // (2 * (1 + ratio))

    def count(self, *, favoured: bool) -> None:
        """One more call by turns."""
        self.calls += 1
        self.favoured += favoured


@dataclass(frozen=True, slots=True)
class Choice:
    """The ticket to call, why, and its score in ms."""

    ticket: QueueTicket
    reason: Reason
    score_ms: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """Chooses from ``lines`` under ``discipline``. ``cash`` are the services that only a cash
    counter serves.
    """

    lines: Lines
    counters: dict[int, Counter]
    discipline: Discipline
    turns: Turns
    cash: frozenset[str]

    def services(self, counter: Counter) -> list[str]:
        """What the counter may serve at any level: never cash where there is none."""
        return [s for s in counter.services if counter.cash or s not in self.cash]

    def released(self, ticket: QueueTicket, now_ms: int) -> bool:
        """A held ticket is anyone's when its time is over or nobody is at its counter."""
        counter = self.counters.get(ticket.held_for)
        return now_ms >= ticket.held_until or counter is None or not counter.staffed

    def choose(
        self, number: int, now_ms: int, taken: Collection[str] = frozenset()
    ) -> Choice | None:
        """Whom counter ``number`` calls now, without those ``taken``; None when nobody waits for
        it.
        """
        counter = self.counters[number]
        heads = self._heads(counter, now_ms, taken)
        if not heads:
            return None
        rank = self.discipline.rank
        ranked = sorted((rank(head, now_ms), head) for head in heads)
        first, best = ranked[0]
        oldest = min(heads, key=lambda t: t.place)
        if first[0] < SCORE_CLASS:
            reason = Reason.OLDEST if best is oldest else Reason.EMERGENCY
            return self._choice(best, reason, now_ms)
        open_levels = self._open_levels(counter, now_ms, taken)
        ranked = [one for one in ranked if counter.level(one[1].service) in open_levels]
        by_turn = False
        if self.discipline.ratio:
            groups = {self.favoured(ticket) for _, ticket in ranked}
            if len(groups) > 1:
                turn = self.turns.favours(self.discipline.ratio)
                ranked = [one for one in ranked if self.favoured(one[1]) == turn]
                by_turn = True
        best = ranked[0][1]
        reason = Reason.RATIO if by_turn else self._why(best, oldest, counter)
        return self._choice(best, reason, now_ms)

    def favoured(self, ticket: QueueTicket) -> bool:
        """Whether the ticket is of the ratio's segments."""
        return ticket.segment in self.discipline.ratio_segments

    def may_call(self, ticket: QueueTicket, number: int, now_ms: int) -> bool:
        """Whether ``number`` may serve this ticket at all, now: its services, cash, a hold."""
        counter = self.counters[number]
        return ticket.service in self.services(counter) and (
            ticket.held_for in (0, number) or self.released(ticket, now_ms)
        )

    def up_next(self, number: int, now_ms: int, limit: int) -> list[QueueTicket]:
        """The first ``limit`` tickets that the counter may call, best first, as things stand
        now.
        """
        counter = self.counters[number]
        open_levels = self._open_levels(counter, now_ms, frozenset())
        found: list[QueueTicket] = []
        for _, line in self.lines.callable_by(
            self.services(counter), number, lambda t: self.released(t, now_ms)
        ):
            found += line[:limit]

        def key(ticket: QueueTicket) -> tuple[bool, Rank]:
            rank = self.discipline.rank(ticket, now_ms)
            later = rank[0] == SCORE_CLASS and counter.level(ticket.service) not in open_levels
            return (later, rank)

        return sorted(found, key=key)[:limit]

    def waiting_for(self, number: int, now_ms: int) -> int:
        """How many the counter may call."""
        return sum(
            len(line)
            for _, line in self.lines.callable_by(
                self.services(self.counters[number]), number, lambda t: self.released(t, now_ms)
            )
        )

    def counter_for(self, ticket: QueueTicket, now_ms: int) -> int | None:
        """Which of several idle counters takes a waiting ticket: the one that serves it first of
        all, with the fewest skills, idle the longest; None when none is idle for it.
        """
        idle = [
            c for c in self.counters.values() if c.idle and self.may_call(ticket, c.number, now_ms)
        ]
        if not idle:
            return None
        best = min(idle, key=lambda c: (c.level(ticket.service), *_least_skilled(c)))
        return best.number

    def assign(self, now_ms: int) -> list[tuple[int, Choice]]:
        """Every call that idle counters can make now, each ticket once; the least skilled first,
        so that those who can do more are left for those who need more.
        """
        idle = sorted((c for c in self.counters.values() if c.idle), key=_least_skilled)
        found: list[tuple[int, Choice]] = []
        taken: set[str] = set()
        for counter in idle:
            choice = self.choose(counter.number, now_ms, taken)
            if choice is not None:
                taken.add(choice.ticket.id)
                found.append((counter.number, choice))
        return found

    def _heads(self, counter: Counter, now_ms: int, taken: Collection[str]) -> list[QueueTicket]:
        services = self.services(counter)

        def released(ticket: QueueTicket) -> bool:
            return self.released(ticket, now_ms)

        if not taken:
            return list(self.lines.heads(services, counter.number, released))
        return [
            head
            for _, line in self.lines.callable_by(services, counter.number, released)
            if (head := next((t for t in line if t.id not in taken), None)) is not None
        ]

    def _open_levels(
        self, counter: Counter, now_ms: int, taken: Collection[str]
    ) -> frozenset[int]:
        """The levels that the counter calls from now."""
        services = self.services(counter)
        levels = sorted({counter.level(service) for service in services})
        if len(levels) < 2:
            return frozenset(levels)
        waiting = dict.fromkeys(levels, 0)
        for key, line in self.lines.callable_by(
            services, counter.number, lambda t: self.released(t, now_ms)
        ):
            free = sum(t.id not in taken for t in line) if taken else len(line)
            waiting[counter.level(key[0])] += free
        above, found = 0, set[int]()
        for level in levels:
            if above < counter.help_below:
                found.add(level)
            above += waiting[level]
        return frozenset(found)

    def _choice(self, ticket: QueueTicket, reason: Reason, now_ms: int) -> Choice:
        return Choice(ticket, reason, self.discipline.score_ms(ticket, now_ms))

    @staticmethod
    def _why(best: QueueTicket, oldest: QueueTicket, counter: Counter) -> Reason:
        if best is oldest:
            return Reason.OLDEST
        if counter.level(best.service) < counter.level(oldest.service):
            return Reason.SKILL
        return Reason.APPOINTMENT if best.segment == APPOINTMENT else Reason.SEGMENT


def _least_skilled(counter: Counter) -> tuple[int, int, int]:
    return (len(counter.services), counter.since, counter.number)
