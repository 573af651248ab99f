"""Charts of the page of figures, as numbers for inline SVG: where bars begin, how long they are.
Pure. Every chart has its figures as text beside it.
"""

import msgspec

from branch.figures import Group, Share

WIDTH = 400.0
HOUR_WIDTH, HOUR_HEIGHT = 40.0, 96.0
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)
MOST_TICKS = 6


class Bar(msgspec.Struct, frozen=True):
    """A bar of a chart: its place across, its length, what stands beside it."""

    at: float
    size: float
    label: str


class RangeChart(msgspec.Struct, frozen=True):
    """Bars from the median to P90 by service, None without waits; ``ticks`` are minutes."""

    bars: dict[str, Bar | None]
    ticks: list[Bar]


def interval(found: Share) -> Bar | None:
    """The interval on a line of 0 to 100 %."""
    if found.low is None or found.high is None:
        return None
    scale = WIDTH / 100
    return Bar(round(found.low * scale, 1), round((found.high - found.low) * scale, 1), "")


def waits_chart(groups: list[Group]) -> RangeChart:
    """The waits of each service on one scale of minutes."""
    longest_ms = max((group.waits.p90_ms or 0 for group in groups), default=0)
    minutes = longest_ms / 60_000
    step = next((tick for tick in TICKS if minutes / tick <= MOST_TICKS - 1), TICKS[-1])
    count = int(minutes / step) + 1
    per_min = WIDTH / (count * step)
    bars: dict[str, Bar | None] = {}
    for group in groups:
        p50_ms, p90_ms = group.waits.p50_ms, group.waits.p90_ms
        if p50_ms is None or p90_ms is None:
            bars[group.key] = None
            continue
        at, end = (ms / 60_000 * per_min for ms in (p50_ms, p90_ms))
        bars[group.key] = Bar(round(at, 1), round(end - at, 1), "")
    ticks = [Bar(round(n * step * per_min, 1), 0.0, str(n * step)) for n in range(count + 1)]
    return RangeChart(bars, ticks)


def hours_chart(groups: list[Group]) -> list[Bar]:
    """Tickets of each hour: ``at`` is the top of the bar."""
    most = max((group.issued for group in groups), default=0) or 1
    bars = []
    for group in groups:
        size = round(HOUR_HEIGHT * group.issued / most, 1)
        bars.append(Bar(round(HOUR_HEIGHT - size, 1), size, group.key))
    return bars
