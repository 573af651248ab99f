"""A day's figures and its tickets as CSV (RFC 4180). Pure.

UTF-8 with a byte order mark, without which the spreadsheets of Chinese offices read their own code
page. A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, "CSV
injection"); numbers are written plain, an unknown one is an empty cell.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from branch.figures import (
    Cover,
    DayFigures,
    DayRows,
    Group,
    PartRow,
    Rated,
    Share,
    Spread,
    first_call,
    is_inside,
)

BOM = "\ufeff"
FIGURE_COLUMNS = ("date", "scope", "key", "measure", "unit", "value", "n", "low", "high")
TICKET_COLUMNS = (
    "date", "ticket", "service", "segment", "issued", "outcome", "wait_s", "rung", "ahead",
    "p10_s", "p50_s", "p90_s", "inside",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | int | float | None


def safe(text: str) -> str:
    """``text`` as no spreadsheet takes it for a formula."""
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The rows below their columns, with the byte order mark."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe(cell) if isinstance(cell, str) else _number(cell) for cell in row])
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else str(value)


def seconds(ms: int | None) -> str | None:
    """Ms as seconds with three decimals."""
    return None if ms is None else f"{ms // 1000}.{ms % 1000:03}"


def figures_csv(day: DayFigures) -> str:
    """One row a figure: see docs/figures.md for the measures."""
    rows: list[tuple[Cell, ...]] = []

    def one(scope: str, key: str, measure: str, unit: str, *values: Cell) -> None:
        rows.append((day.date, scope, key, measure, unit, *values, *[None] * (4 - len(values))))

    def durations(scope: str, key: str, measure: str, found: Spread) -> None:
        for name in ("mean", "p50", "p90", "longest"):
            value = seconds(getattr(found, f"{name}_ms"))
            one(scope, key, f"{measure}_{name}", "s", value, found.n)

    def part(scope: str, key: str, measure: str, found: Share) -> None:
        one(scope, key, measure, "%", found.percent, found.n, found.low, found.high)

    def group(scope: str, found: Group) -> None:
        one(scope, found.key, "issued", "tickets", found.issued)
        durations(scope, found.key, "wait", found.waits)
        durations(scope, found.key, "service", found.services)
        part(scope, found.key, "abandoned", found.abandoned)
        one(scope, found.key, "missed", "tickets", found.missed)

    def rated(scope: str, found: Rated) -> None:
        part(scope, found.key, "satisfied", found.satisfied)
        part(scope, found.key, "participation", found.participation)
        for score, count in enumerate(found.scores, start=1):
            one(scope, found.key, f"score_{score}", "ratings", count, found.satisfied.n)

    def cover(scope: str, found: Cover) -> None:
        part(scope, found.key, "forecast_inside", found.inside)
        one(scope, found.key, "forecast_no_wait", "tickets", found.no_wait)
        one(scope, found.key, "forecast_unknown", "tickets", found.unknown)

    for name in ("walk_ins", "voided", "unfinished", "served", "missed", "left"):
        one("branch", "", f"tickets_{name}", "tickets", getattr(day, name))
    group("branch", day.whole)
    rated("branch", day.rated)
    cover("branch", day.cover)
    for scope, groups in (("service", day.services), ("hour", day.hours)):
        for each in groups:
            group(scope, each)
    for scope, ratings in (("service", day.rated_services), ("teller", day.tellers)):
        for marks in ratings:
            rated(scope, marks)
    for covered in day.cover_services:
        cover("service", covered)
    for apart in day.unarmed:
        for name in ("unsolicited", "repeated", "invalid"):
            one("counter", str(apart.counter), f"presses_{name}", "presses", getattr(apart, name))
    for voice in day.voices:
        one(voice.kind, voice.code, "said", "times", voice.n)
    return table(FIGURE_COLUMNS, rows)


def tickets_csv(date: str, rows: DayRows, when: Callable[[int], str]) -> str:
    """One row a ticket of the day with its forecast and its wait. ``when`` writes a Unix time in
    ms as local ISO time.
    """
    parts: dict[str, list[PartRow]] = {}
    for part in rows.parts:
        parts.setdefault(part.ticket, []).append(part)
    forecasts = {forecast.ticket: forecast for forecast in rows.forecasts}
    found: list[tuple[Cell, ...]] = []
    for ticket in rows.tickets:
        called_at = first_call(ticket, parts.get(ticket.id, ()))
        waited_ms = None if called_at is None else max(0, called_at - ticket.issued_at)
        forecast = forecasts.get(ticket.id)
        made: tuple[Cell, ...] = (None,) * 5
        inside = None
        if forecast is not None:
            quantiles = (forecast.p10_ms, forecast.p50_ms, forecast.p90_ms)
            made = (forecast.rung, forecast.ahead, *(seconds(ms) for ms in quantiles))
            inside = None if waited_ms is None else is_inside(forecast, waited_ms)
        found.append(
            (
                date,
                ticket.number,
                ticket.service,
                ticket.segment,
                when(ticket.issued_at),
                ticket.outcome,
                seconds(waited_ms),
                *made,
                None if inside is None else int(inside),
            )
        )
    return table(TICKET_COLUMNS, found)
