"""A day's figures: waits, service times, abandonment, satisfaction, and how often a forecast was
true. Pure: rows of the day in, figures out; docs/figures.md has each measure with its formula.

All durations are whole ms. Means are rounded half up; a percentile is the value of the nearest
rank; shares are in percent with one decimal, rounded half up, and have a 95 % Wilson interval. A
figure of nothing is None, never 0.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from branch.wait import Rung

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
SATISFIED = 4
"""So many of five and more."""
FEW = 30
"""Below so many cases a share says little; it is shown with its interval and a word."""

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


# --- rows ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket of the day as the table has it. Times are Unix ms."""

    id: str
    number: str
    service: str
    segment: str
    issued_at: int
    walk_in: bool
    outcome: str
    counter: int | None
    called_at: int | None
    started_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class PartRow:
    """An earlier part of a visit."""

    ticket: str
    service: str
    called_at: int
    started_at: int | None
    ended_at: int


@dataclass(frozen=True, slots=True)
class PressRow:
    """A press of a pad; ``ticket`` None for one that belongs to no visit."""

    ticket: str | None
    counter: int
    score_1to5: int
    kind: str


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """What was forecast of a ticket's wait."""

    ticket: str
    service: str
    rung: str
    ahead: int | None
    p10_ms: int | None
    p50_ms: int | None
    p90_ms: int | None


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """From ``at`` on this teller was at the counter, "" for nobody known. In order of time."""

    counter: int
    at: int
    teller: str


@dataclass(frozen=True, slots=True)
class DayRows:
    """Everything that is known of a business date."""

    tickets: Sequence[TicketRow] = ()
    parts: Sequence[PartRow] = ()
    presses: Sequence[PressRow] = ()
    forecasts: Sequence[ForecastRow] = ()
    shifts: Sequence[ShiftRow] = ()
    voices: Sequence["Voice"] = ()


# --- figures -------------------------------------------------------------------------------


class Spread(msgspec.Struct, frozen=True):
    """``n`` durations in ms."""

    n: int
    mean_ms: int | None = None
    p50_ms: int | None = None
    p90_ms: int | None = None
    longest_ms: int | None = None


class Share(msgspec.Struct, frozen=True):
    """``count`` of ``n`` in percent, from ``low`` to ``high`` with 95 % (Wilson)."""

    count: int
    n: int
    percent: float | None = None
    low: float | None = None
    high: float | None = None


class Group(msgspec.Struct, frozen=True):
    """The tickets of a service, or of an hour. ``issued`` without voided ones; ``waits`` to the
    first call, without walk-ins; ``services`` are the parts of visits at a counter; ``abandoned``
    of the tickets that are over, without walk-ins.
    """

    key: str
    issued: int
    waits: Spread
    services: Spread
    abandoned: Share
    missed: int


class Rated(msgspec.Struct, frozen=True):
    """Ratings of the visits that are ``served``: ``satisfied`` gave 4 or 5 of those who rated,
    ``participation`` is how many of the served did. ``scores`` counts 1 to 5.
    """

    key: str
    served: int
    satisfied: Share
    participation: Share
    scores: tuple[int, int, int, int, int]


class Unarmed(msgspec.Struct, frozen=True):
    """Presses at a counter that are no ratings: without a visit, after its rating, no score."""

    counter: int
    unsolicited: int
    repeated: int
    invalid: int


class Cover(msgspec.Struct, frozen=True):
    """How many waits were inside their P10-P90, of those forecast to wait at all; ``no_wait`` were
    forecast none, ``unknown`` had no forecast.
    """

    key: str
    inside: Share
    no_wait: int
    unknown: int


class Voice(msgspec.Struct, frozen=True):
    """How often something was said. ``kind``: reason (after a low rating of the day), suggestion
    or complaint; ``code`` is what.
    """

    kind: str
    code: str
    n: int


class DayFigures(msgspec.Struct, frozen=True):
    """A business date. ``unfinished`` wait, are called, served or parked now. The keys of
    ``tellers`` are opaque ids, or "counter 3" where nobody had signed in.
    """

    date: str
    issued: int
    walk_ins: int
    voided: int
    unfinished: int
    served: int
    missed: int
    left: int
    whole: Group
    services: list[Group]
    hours: list[Group]
    rated: Rated
    rated_services: list[Rated]
    tellers: list[Rated]
    unarmed: list[Unarmed]
    cover: Cover
    cover_services: list[Cover]
    voices: list[Voice]


def spread(durations_ms: Iterable[int]) -> Spread:
    """Mean, median, P90 and the longest."""
    ordered = sorted(durations_ms)
    n = len(ordered)
    if not n:
        return Spread(0)

    def rank(percent: int) -> int:
        return ordered[-(-percent * n // 100) - 1]

    return Spread(n, (2 * sum(ordered) + n) // (2 * n), rank(50), rank(90), ordered[-1])


def share(count: int, n: int) -> Share:
    """``count`` of ``n`` with its Wilson interval; no percentage of nothing."""
    if not n:
        return Share(count, n)
    p, z2 = count / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == n else centre + half
    return Share(count, n, (2_000 * count + n) // (2 * n) / 10, _tenths(low), _tenths(high))


def _tenths(part: float) -> float:
    return math.floor(part * 1_000 + 0.5) / 10


@dataclass(slots=True)
class _Tally:
    issued: int = 0
    over: int = 0
    abandoned: int = 0
    missed: int = 0
    waits_ms: list[int] = field(default_factory=list)
    services_ms: list[int] = field(default_factory=list)

    def group(self, key: str) -> Group:
        return Group(
            key,
            self.issued,
            spread(self.waits_ms),
            spread(self.services_ms),
            share(self.abandoned, self.over),
            self.missed,
        )


@dataclass(slots=True)
class _Marks:
    served: int = 0
    scores: list[int] = field(default_factory=lambda: [0] * 5)

    def rated(self, key: str) -> Rated:
        one, two, three, four, five = self.scores
        n = sum(self.scores)
        return Rated(
            key,
            self.served,
            share(sum(self.scores[SATISFIED - 1 :]), n),
            share(n, self.served),
            (one, two, three, four, five),
        )


@dataclass(slots=True)
class _Covered:
    inside: int = 0
    scored: int = 0
    no_wait: int = 0
    unknown: int = 0

    def cover(self, key: str) -> Cover:
        return Cover(key, share(self.inside, self.scored), self.no_wait, self.unknown)


def first_call(ticket: TicketRow, parts: Sequence[PartRow]) -> int | None:
    """When the ticket was called for the first time (Unix ms); None for a walk-in, and before."""
    if ticket.walk_in:
        return None
    return min([part.called_at for part in parts], default=ticket.called_at)


def day_figures(
    date: str, rows: DayRows, services: Sequence[str], hour_of: Callable[[int], int]
) -> DayFigures:
    """The figures of ``rows``. ``services`` are the letters in the order of the branch; others
    follow. ``hour_of`` gives the local hour (0-23) of a Unix time in ms.
    """
    parts: dict[str, list[PartRow]] = {}
    for part in sorted(rows.parts, key=lambda part: part.called_at):
        parts.setdefault(part.ticket, []).append(part)
    tickets = [ticket for ticket in rows.tickets if ticket.outcome != "voided"]
    whole, by_service, by_hour = _tallies(tickets, parts, hour_of)
    rated, rated_services, tellers = _ratings(tickets, rows)
    cover, cover_services = _covers(tickets, parts, rows.forecasts)
    outcomes = Counter(ticket.outcome for ticket in rows.tickets)

    def in_order(found: Iterable[str]) -> list[str]:
        return [*services, *sorted(set(found) - set(services))]

    hours = range(min(by_hour), max(by_hour) + 1) if by_hour else ()
    return DayFigures(
        date=date,
        issued=len(tickets),
        walk_ins=sum(ticket.walk_in for ticket in tickets),
        voided=outcomes["voided"],
        unfinished=outcomes["open"],
        served=outcomes["served"],
        missed=outcomes["missed"],
        left=outcomes["abandoned"],
        whole=whole.group(""),
        services=[by_service.get(s, _Tally()).group(s) for s in in_order(by_service)],
        hours=[by_hour.get(hour, _Tally()).group(f"{hour:02}:00") for hour in hours],
        rated=rated.rated(""),
        rated_services=[
            rated_services.get(s, _Marks()).rated(s) for s in in_order(rated_services)
        ],
        tellers=[tellers[key].rated(key) for key in sorted(tellers)],
        unarmed=_unarmed(rows.presses),
        cover=cover.cover(""),
        cover_services=[
            cover_services.get(s, _Covered()).cover(s) for s in in_order(cover_services)
        ],
        voices=sorted(rows.voices, key=lambda one: (one.kind, -one.n, one.code)),
    )


def _of(table: dict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    found = table.get(key)
    if found is None:
        found = table[key] = make()
    return found


def _tallies(
    tickets: Iterable[TicketRow],
    parts: Mapping[str, list[PartRow]],
    hour_of: Callable[[int], int],
) -> tuple[_Tally, dict[str, _Tally], dict[int, _Tally]]:
    """Of the day, by service and by hour of the issue. A ticket counts for the service that it was
    issued for; a part at a counter for the service of the part.
    """
    whole = _Tally()
    by_service: dict[str, _Tally] = {}
    by_hour: dict[int, _Tally] = {}
    for ticket in tickets:
        earlier = parts.get(ticket.id, [])
        issued_for = earlier[0].service if earlier else ticket.service
        hour = _of(by_hour, hour_of(ticket.issued_at), _Tally)
        for tally in (whole, hour, _of(by_service, issued_for, _Tally)):
            _count(tally, ticket, first_call(ticket, earlier))
        for service, took_ms in _served_parts(ticket, earlier):
            for tally in (whole, hour, _of(by_service, service, _Tally)):
                tally.services_ms.append(took_ms)
    return whole, by_service, by_hour


def _count(tally: _Tally, ticket: TicketRow, called_at: int | None) -> None:
    tally.issued += 1
    tally.missed += ticket.outcome == "missed"
    if called_at is not None:
        tally.waits_ms.append(max(0, called_at - ticket.issued_at))
    if ticket.outcome != "open" and not ticket.walk_in:
        tally.over += 1
        tally.abandoned += ticket.outcome == "abandoned"


def _served_parts(ticket: TicketRow, earlier: Iterable[PartRow]) -> list[tuple[str, int]]:
    """(service, ms) of each part in which somebody was served: from the start, or from the call
    where a teller finished without "start".
    """
    found = [
        (part.service, max(0, part.ended_at - part.started_at))
        for part in earlier
        if part.started_at is not None
    ]
    began = ticket.started_at if ticket.started_at is not None else ticket.called_at
    if ticket.outcome == "served" and began is not None and ticket.ended_at is not None:
        found.append((ticket.service, max(0, ticket.ended_at - began)))
    return found


def _ratings(
    tickets: Iterable[TicketRow], rows: DayRows
) -> tuple[_Marks, dict[str, _Marks], dict[str, _Marks]]:
    """Of the day, by the service and by the teller that ended the visit."""
    whole = _Marks()
    by_service: dict[str, _Marks] = {}
    by_teller: dict[str, _Marks] = {}
    scores = {press.ticket: press.score_1to5 for press in rows.presses if press.kind == "rating"}
    shifts: dict[int, list[ShiftRow]] = {}
    for shift in rows.shifts:
        shifts.setdefault(shift.counter, []).append(shift)
    for ticket in tickets:
        if ticket.outcome != "served":
            continue
        teller = _teller(ticket, shifts)
        score = scores.get(ticket.id)
        for marks in (
            whole, _of(by_service, ticket.service, _Marks), _of(by_teller, teller, _Marks),
        ):  # fmt: skip
            marks.served += 1
            if score is not None:
                marks.scores[score - 1] += 1
    return whole, by_service, by_teller


def _teller(ticket: TicketRow, shifts: Mapping[int, list[ShiftRow]]) -> str:
    """Who was at the counter as the visit ended."""
    counter, ended_at = ticket.counter or 0, ticket.ended_at or 0
    known = [shift.teller for shift in shifts.get(counter, ()) if shift.at <= ended_at]
    return (known[-1] if known else "") or f"counter {counter}"


def _unarmed(presses: Iterable[PressRow]) -> list[Unarmed]:
    counts = Counter((press.counter, press.kind) for press in presses if press.kind != "rating")
    return [
        Unarmed(
            counter, *(counts[counter, kind] for kind in ("unsolicited", "repeated", "invalid"))
        )
        for counter in sorted({counter for counter, _ in counts})
    ]


def is_inside(forecast: ForecastRow, waited_ms: int) -> bool | None:
    """Whether the wait was in its interval; None where it is not scored: nothing was forecast, or
    no wait at all.
    """
    if forecast.p10_ms is None or not forecast.p90_ms:
        return None
    return forecast.p10_ms <= waited_ms <= forecast.p90_ms


def _covers(
    tickets: Iterable[TicketRow],
    parts: Mapping[str, list[PartRow]],
    forecasts: Iterable[ForecastRow],
) -> tuple[_Covered, dict[str, _Covered]]:
    """Of those called so far, by the service that was forecast."""
    whole = _Covered()
    by_service: dict[str, _Covered] = {}
    called = {
        ticket.id: (ticket, first_call(ticket, parts.get(ticket.id, ()))) for ticket in tickets
    }
    for forecast in forecasts:
        ticket, called_at = called.get(forecast.ticket, (None, None))
        if ticket is None or called_at is None:
            continue
        inside = is_inside(forecast, max(0, called_at - ticket.issued_at))
        for covered in (whole, _of(by_service, forecast.service, _Covered)):
            if inside is not None:
                covered.scored += 1
                covered.inside += inside
            elif forecast.rung == Rung.QLM:
                covered.no_wait += 1
            else:
                covered.unknown += 1
    return whole, by_service
