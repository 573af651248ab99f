"""A recorded day of arrivals, read from CSV: who came when, for what, how long it took, who lost
patience.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date as date_type
from pathlib import Path
from statistics import median

from simulator.errors import BadInput

COLUMNS = (
    "ticket", "date", "service", "segment", "arrive_s", "leave_queue_s", "start_s", "end_s",
    "outcome",
)  # fmt: skip
DAY_S = 86_400
SERVED, ABANDONED = "SERVED", "ABANDONED"
USUAL_SERVICE_S = 180.0
"""The mean of a recorded bank call centre: for a day on which nobody was served."""
FIRST_YEAR = 1970
"""Times are Unix time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One person. Times in seconds of the day; ``service_s`` None: takes the median of the
    service.

    ``patience_s`` None: never abandons. ``waited_s`` is the wait that was recorded, until the
    service began or the person left; None for one that would be negative.
    """

    line: int
    ticket: str
    service: str
    segment: str
    arrive_s: float
    service_s: float | None
    patience_s: float | None
    waited_s: float | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be replayed: its line in the file (the heading is line 1), and why."""

    line: int
    reason: str


@dataclass(slots=True)
class RecordedDay:
    """The arrivals of one date, in order of time, and what was skipped."""

    date: str
    arrivals: list[Arrival] = field(default_factory=list)
    skipped: list[BadRow] = field(default_factory=list)

    def median_service_s(self) -> dict[str, float]:
        """Median service time by service, over the rows that were served; a service without any
        takes the day's, a day without any 180 s.
        """
        served: dict[str, list[float]] = {arrival.service: [] for arrival in self.arrivals}
        for arrival in self.arrivals:
            if arrival.service_s is not None:
                served[arrival.service].append(arrival.service_s)
        everything = [service_s for times in served.values() for service_s in times]
        overall = median(everything) if everything else USUAL_SERVICE_S
        return {service: median(times) if times else overall for service, times in served.items()}


def parse_map(options: Iterable[str]) -> dict[str, str]:
    """``--map ours=theirs`` options as a table. Raises BadInput."""
    names: dict[str, str] = {}
    for option in options:
        ours, sign, theirs = option.partition("=")
        if not sign or not theirs or ours not in COLUMNS:
            raise BadInput(
                f"--map {option}: expected OURS=THEIRS, where OURS is one of {', '.join(COLUMNS)}"
            )
        names[ours] = theirs
    return names


def read(path: Path, *, date: str | None, names: Mapping[str, str] | None = None) -> RecordedDay:
    """Read one date of ``path``; ``date`` None takes the only one there is. Raises BadInput."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = _columns(path, rows.fieldnames or [], names or {})
            table = [(rows.line_num, row) for row in rows]
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    dates = sorted({_text(row, columns["date"]) for _, row in table} - {""})
    if date is None:
        if len(dates) != 1:
            raise BadInput(
                f"{path}: has {len(dates)} dates; choose one with --date: {_some(dates)}"
            )
        date = dates[0]
    elif date not in dates:
        raise BadInput(f"{path}: nothing on {date}; it has: {_some(dates)}")
    if not _is_date(date):
        raise BadInput(f"{path}: the date {date!r} is not written YYYY-MM-DD")
    day = RecordedDay(date)
    for line, row in table:
        if _text(row, columns["date"]) not in (date, ""):
            continue
        try:
            day.arrivals.append(_arrival(line, {k: row[v] for k, v in columns.items()}))
        except ValueError as error:
            day.skipped.append(BadRow(line, str(error)))
    day.arrivals.sort(key=lambda a: (a.arrive_s, a.line))
    if not day.arrivals:
        raise BadInput(f"{path}: no row of {date} can be used; first: {day.skipped[0].reason}")
    return day


def _columns(path: Path, present: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    present = list(present)
    columns = {ours: names.get(ours, ours) for ours in COLUMNS}
    missing = [(ours, theirs) for ours, theirs in columns.items() if theirs not in present]
    if missing:
        ours, theirs = missing[0]
        raise BadInput(
            f"{path}: no column {theirs!r}; it has: {', '.join(present) or 'none'}."
            f" If it has another name there, say --map {ours}=NAME"
        )
    return columns


def _arrival(line: int, row: Mapping[str, str | None]) -> Arrival:
    for name in ("date", "service", "outcome"):
        if not _text(row, name):
            raise ValueError(f"{name} is missing")
    arrive_s = _seconds(row, "arrive_s")
    outcome = _text(row, "outcome").upper()
    service_s = patience_s = None
    if outcome == SERVED:
        waited_s = _seconds(row, "start_s") - arrive_s
        service_s = _seconds(row, "end_s") - _seconds(row, "start_s")
        if service_s <= 0:
            raise ValueError(f"service of {service_s:g} s (end_s - start_s); expected more than 0")
    elif outcome == ABANDONED:
        waited_s = patience_s = _seconds(row, "leave_queue_s") - arrive_s
        if patience_s < 0:
            raise ValueError(f"left {-patience_s:g} s before it arrived")
    else:
        raise ValueError(f"outcome {outcome!r}; expected {SERVED} or {ABANDONED}")
    return Arrival(
        line=line,
        ticket=_text(row, "ticket"),
        service=_text(row, "service"),
        segment=_text(row, "segment") or "ORD",
        arrive_s=arrive_s,
        service_s=service_s,
        patience_s=patience_s,
        waited_s=waited_s if waited_s >= 0 else None,
    )


def _seconds(row: Mapping[str, str | None], name: str) -> float:
    text = _text(row, name)
    if not text:
        raise ValueError(f"{name} is missing")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a number of seconds") from None
    if not 0 <= value <= 2 * DAY_S:
        raise ValueError(f"{name} {text} is not a second of the day")
    return value


def _text(row: Mapping[str, str | None], name: str) -> str:
    """The field without spaces around it, "" where the row is too short to have it."""
    return (row[name] or "").strip()


def _is_date(text: str) -> bool:
    try:
        day = date_type.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and day.year >= FIRST_YEAR


def _some(dates: list[str]) -> str:
    return ", ".join(dates[:5]) + (f" … {dates[-1]}" if len(dates) > 5 else "") or "none"
