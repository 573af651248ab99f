"""branch.toml: services, counters, segments and the rules of calling, and what is checked of
them. Pure.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from branch.queue.calendar import ServiceDay
from sync.hours import DAY_MIN, minute_of_day

DAY_MAX_MIN = 24 * 60.0
RATES_WITHIN = 4.0
"""The greatest rate over the least one: with more, the slowest starve."""
LEVELS = range(1, 10)
MOST_CALLS = 10
NAME = re.compile(r"[a-z][a-z0-9_]{0,15}$")

Problems = Iterator[tuple[str, str]]


class ServiceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service; ``mean_service_s`` is the expected length of one service, for the wait
    interval. ``cash``: only counters with cash serve it. Hours are "HH:MM", empty: always; a limit
    of 0 tickets a day is none. ``within`` is the service that this one is a kind of: whoever
    serves that one serves it too.
    """

    letter: str
    zh: str
    en: str
    mean_service_s: float = 300.0
    cash: bool = False
    opens: str = ""
    closes: str = ""
    daily_limit: int = 0
    within: str = ""


class CounterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One counter, the services it serves, and the kiosks (nodes) that its pads are plugged into:
    ``pad_node`` has the visitors' rating pad, ``caller_node`` the teller's keys and digits.
    ``levels`` names the services that it only helps with (2 to 9): they are called while
    fewer than ``help_below`` wait for the better levels. ``elastic``: closed until it is needed.
    """

    number: int
    services: list[str]
    pad_node: str = ""
    caller_node: str = ""
    cash: bool = True
    levels: dict[str, int] = {}
    help_below: int = 1
    elastic: bool = False


class SegmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Customers with weights of their own: score = ``head_start_min`` + ``rate`` * minutes waited.
    ``social``: never below a commercial one. ``emergency``: before everybody.
    """

    name: str
    head_start_min: float = 0.0
    rate: float = 1.0
    social: bool = False
    emergency: bool = False


SEGMENTS = (
    SegmentConfig("ordinary"),
    SegmentConfig("corporate"),
    SegmentConfig("vip", rate=2.0),
    SegmentConfig("elderly", 5.0, 2.0, social=True),
    SegmentConfig("disabled", 5.0, 2.0, social=True),
    SegmentConfig("pregnant", 5.0, 2.0, social=True),
    SegmentConfig("military", 5.0, 2.0, social=True),
    SegmentConfig("priority", 5.0, 2.0, social=True),  # a kiosk's "a person, please"
    SegmentConfig("appointment", 30.0),
    SegmentConfig("emergency", emergency=True),
)
"""Where branch.toml has no [[segments]]."""


class QueueConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calling. ``head_start_min`` by segment stands above that of the segment itself. Whoever
    waits ``promise_min`` is next, whatever the score (0: never). ``ratio`` r calls r of
    ``ratio_segments`` for each one of the others (0: by score).
    """

    head_start_min: dict[str, float] = msgspec.field(default_factory=lambda: {"priority": 5.0})
    overnight: bool = False
    """Whether a ticket that still waits is called on the next business date."""
    promise_min: float = 30.0
    ratio: int = 0
    ratio_segments: list[str] = []
    same_teller_min: float = 10.0
    """So long a ticket waits for one counter, then for anyone."""
    calls: int = 3
    call_gap_s: float = 20.0
    missed_back_min: float = 30.0
    missed_penalty_min: float = 0.0


def service_day(service: ServiceConfig) -> ServiceDay:
    """The service's hours and limit. Raises ValueError."""
    opens = minute_of_day(service.opens) if service.opens else 0
    closes = minute_of_day(service.closes) if service.closes else DAY_MIN
    return ServiceDay(opens, closes, service.daily_limit)


def segments_of(queue: QueueConfig, segments: Sequence[SegmentConfig]) -> list[SegmentConfig]:
    """The segments with the head starts of [queue.head_start_min]."""
    known = {segment.name: segment for segment in segments}
    for name, minutes in queue.head_start_min.items():
        one = known.get(name, SegmentConfig(name))
        known[name] = msgspec.structs.replace(one, head_start_min=minutes)
    return list(known.values())


def calling_problems(
    services: Sequence[ServiceConfig],
    counters: Sequence[CounterConfig],
    queue: QueueConfig,
    segments: Sequence[SegmentConfig],
) -> Problems:
    """(key, what is wrong with it) of all that does not fit together."""
    yield from _queue(queue)
    yield from _segments(queue, segments)
    yield from _fairness(queue, segments_of(queue, segments))
    for index, service in enumerate(services):
        try:
            service_day(service)
        except ValueError as error:
            yield f"services[{index}]", f"opens, closes, daily_limit: {error}"
    cash = {service.letter for service in services if service.cash}
    for index, counter in enumerate(counters):
        yield from _counter(f"counters[{index}]", counter, cash)


def _queue(queue: QueueConfig) -> Problems:
    for name, minutes in queue.head_start_min.items():
        if not 0 <= minutes <= DAY_MAX_MIN:
            yield (
                f"queue.head_start_min.{name}",
                f"{minutes}; expected 0 to {DAY_MAX_MIN:g} minutes",
            )
    for name in ("promise_min", "same_teller_min", "missed_back_min", "missed_penalty_min"):
        value = getattr(queue, name)
        if not 0 <= value <= DAY_MAX_MIN:
            yield f"queue.{name}", f"{value}; expected 0 to {DAY_MAX_MIN:g} minutes"
    if not 0 <= queue.call_gap_s <= 600:
        yield "queue.call_gap_s", f"{queue.call_gap_s}; expected 0 to 600 s"
    if not 1 <= queue.calls <= MOST_CALLS:
        yield "queue.calls", f"{queue.calls}; expected 1 to {MOST_CALLS}"
    if not 0 <= queue.ratio <= 10:
        yield "queue.ratio", f"{queue.ratio}; expected 0 (by score) to 10"


def _segments(queue: QueueConfig, segments: Sequence[SegmentConfig]) -> Problems:
    names = [segment.name for segment in segments]
    for index, segment in enumerate(segments):
        key = f"segments[{index}]"
        if not NAME.match(segment.name):
            yield f"{key}.name", f"{segment.name!r}; expected a-z, 0-9 and _, at most 16"
        if names.index(segment.name) != index:
            yield f"{key}.name", f"{segment.name!r} is there already"
        if not 0 <= segment.head_start_min <= DAY_MAX_MIN:
            yield (
                f"{key}.head_start_min",
                f"{segment.head_start_min}; expected 0 to {DAY_MAX_MIN:g} minutes",
            )
        if not 0.1 <= segment.rate <= 10:
            yield f"{key}.rate", f"{segment.rate}; expected 0.1 to 10"
    for name in queue.ratio_segments:
        if name not in names:
            yield "queue.ratio_segments", f"{name!r} is not one of the segments"
    if queue.ratio and not queue.ratio_segments:
        yield "queue.ratio_segments", "none; a ratio needs the segments that it favours"


def _fairness(queue: QueueConfig, segments: Sequence[SegmentConfig]) -> Problems:
    weighed = [s for s in segments if not s.emergency]
    rates = [1.0, *(s.rate for s in weighed)]  # 1: whoever is of no segment
    if max(rates) > RATES_WITHIN * min(rates):
        yield (
            "segments",
            f"rates from {min(rates):g} to {max(rates):g}; the greatest may be {RATES_WITHIN:g}"
            " times the least, or the slowest wait for ever",
        )
    commercial = [s for s in weighed if not s.social and s.name != "appointment"]
    for social in (s for s in weighed if s.social):
        for other in commercial:
            if social.rate < other.rate or social.head_start_min < other.head_start_min:
                yield (
                    "segments",
                    f"{social.name} would wait behind {other.name}; a social segment has at least"
                    " the rate and the head start of every other",
                )
        if queue.ratio and social.name not in queue.ratio_segments:
            yield (
                "queue.ratio_segments",
                f"{social.name} is missing; a ratio may not favour others before a social segment",
            )


def _counter(key: str, counter: CounterConfig, cash: set[str]) -> Problems:
    for letter, level in counter.levels.items():
        if letter not in counter.services:
            yield f"{key}.levels.{letter}", "is not one of the counter's services; add it there"
        if level not in LEVELS:
            yield f"{key}.levels.{letter}", f"{level}; expected 1 (its own) to {LEVELS[-1]}"
    if not 1 <= counter.help_below <= 100:
        yield f"{key}.help_below", f"{counter.help_below}; expected 1 to 100 people"
    if not counter.cash:
        for letter in counter.services:
            if letter in cash:
                yield (
                    f"{key}.services",
                    f"{letter!r} is a cash service; the counter has cash = false",
                )
