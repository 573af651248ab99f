"""The figures once more, from the raw event rows alone: plain SQL, JSON and exact arithmetic.
Imports nothing of the product.
"""

import json
import re
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import ROUND_FLOOR, Decimal, getcontext
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

getcontext().prec = 50
Z = Decimal("1.959963984540054")


@dataclass
class Visit:
    """One ticket, followed through its events."""

    id: str
    date: str
    service: str
    issued: int
    walk_in: bool
    now: str = ""
    """The service that it is for now."""
    at: int = 0
    called: int | None = None
    started: int | None = None
    ended: int = 0
    outcome: str = "open"
    first_call: int | None = None
    score: int | None = None
    parts: list[tuple[str, int]] = field(default_factory=list)

    def leave(self) -> None:
        self.at, self.called, self.started = 0, None, None


@dataclass
class Ledger:
    """What the raw events say."""

    visits: dict[str, Visit] = field(default_factory=dict)
    apart: list[tuple[int, str, int]] = field(default_factory=list)  # counter, kind, when
    shifts: list[tuple[int, int, str]] = field(default_factory=list)  # when, counter, teller
    forecasts: dict[str, tuple[str, str, int | None, int | None]] = field(default_factory=dict)


def read(path: Path) -> Ledger:
    """Fold the rows of the table ``event`` in their order of commit."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        raws = [json.loads(raw) for (raw,) in db.execute("SELECT raw FROM event ORDER BY place")]
        forecasts = db.execute(
            "SELECT ticket, service, rung, p10_ms, p90_ms FROM wait_forecast"
        ).fetchall()
    db.close()
    ledger = Ledger(forecasts={row[0]: tuple(row[1:]) for row in forecasts})
    nonces: dict[int, tuple[str, int]] = {}
    for raw in raws:
        _fold(ledger, nonces, raw)
    return ledger


def _fold(ledger: Ledger, nonces: dict[int, tuple[str, int]], raw: dict[str, Any]) -> None:
    kind, ts, data = raw["type"], raw["ts"], raw["data"]
    visit = ledger.visits.get(raw.get("sub") or "")
    counter = data.get("counter", 0)
    if kind == "ticket.issued":
        visit = Visit(raw["id"], data["business_date"], data["service"], ts, counter > 0)
        visit.now = visit.service
        if counter:
            visit.at, visit.called, visit.started = counter, ts, ts
        ledger.visits[visit.id] = visit
    elif kind == "counter.opened":
        ledger.shifts.append((ts, counter, data.get("teller", "")))
    elif kind == "counter.closed":
        ledger.shifts.append((ts, counter, ""))
    elif kind == "rating.submitted":
        _press(ledger, nonces, data, ts)
    elif kind == "rating.unsolicited":
        good = 1 <= data["score_1to5"] <= 5
        ledger.apart.append((counter, "unsolicited" if good else "invalid", ts))
    elif visit is not None:
        _follow(visit, kind, ts, data)
        if kind == "service.ended" and data["nonce"]:
            nonces[data["nonce"]] = (visit.id, counter)


def _follow(visit: Visit, kind: str, ts: int, data: dict[str, Any]) -> None:
    if kind == "ticket.called":
        visit.at, visit.called, visit.started = data["counter"], ts, None
        if visit.first_call is None and not visit.walk_in:
            visit.first_call = ts
    elif kind == "service.started":
        visit.started = ts
    elif kind == "service.ended":
        began = visit.called if visit.started is None else visit.started
        assert began is not None
        visit.parts.append((visit.now, ts - began))
        visit.outcome, visit.ended = "served", ts
    elif kind == "ticket.rejoined":
        visit.outcome = "open"
        visit.leave()
    elif kind in ("ticket.parked", "ticket.transferred", "ticket.returned"):
        if visit.called is not None:
            if visit.started is not None:
                visit.parts.append((visit.now, ts - visit.started))
            visit.leave()
            if kind != "ticket.parked":
                visit.now = data["service"]
    elif kind in ("ticket.missed", "ticket.abandoned", "ticket.voided"):
        visit.outcome = kind.removeprefix("ticket.")


def _press(
    ledger: Ledger, nonces: dict[int, tuple[str, int]], data: dict[str, Any], ts: int
) -> None:
    ticket, counter = nonces.get(data["nonce"], ("", 0))
    if not 1 <= data["score_1to5"] <= 5:
        ledger.apart.append((data["counter"], "invalid", ts))
    elif not ticket or counter != data["counter"]:
        ledger.apart.append((data["counter"], "unsolicited", ts))
    elif ledger.visits[ticket].score is not None:
        ledger.apart.append((data["counter"], "repeated", ts))
    else:
        ledger.visits[ticket].score = data["score_1to5"]


# --- as text ---------------------------------------------------------------------------------


def half_up(value: Fraction) -> int:
    return int((value + Fraction(1, 2)).__floor__())


def percent(count: int, n: int) -> str:
    tenths = half_up(Fraction(1000 * count, n))
    return f"{tenths // 10}.{tenths % 10}"


def wilson(count: int, n: int) -> str:
    """The two roots of (p - x/n)^2 = z^2 p (1 - p) / n."""
    x, size = Decimal(count), Decimal(n)
    root = (Z * Z + 4 * x * (1 - x / size)).sqrt() * Z
    low, high = ((2 * x + Z * Z + sign * root) / (2 * (size + Z * Z)) for sign in (-1, 1))

    def tenths(part: Decimal) -> str:
        found = int((part * 1000 + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
        return f"{found // 10}.{found % 10}"

    return f"{tenths(low)}–{tenths(high)}"


def clock(ms: int) -> str:
    seconds = half_up(Fraction(ms, 1000))
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02}"
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def spread(values: list[int]) -> list[str]:
    """n, mean, median, P90, longest: the least value that at least so many are not above."""
    if not values:
        return ["0", "–", "–", "–", "–"]

    def rank(share: Fraction) -> int:
        return min(v for v in values if sum(w <= v for w in values) >= share * len(values))

    mean = half_up(Fraction(sum(values), len(values)))
    figures = (mean, rank(Fraction(1, 2)), rank(Fraction(9, 10)), max(values))
    return [str(len(values)), *(clock(figure) for figure in figures)]


def share(count: int, n: int, few: str) -> str:
    if not n:
        return "–"
    return percent(count, n) + "%" + (f" {few}" if n < 30 else "")


def interval(count: int, n: int) -> str:
    return wilson(count, n) if n else "–"


def page_of(
    ledger: Ledger, date: str, services: str, tz: tzinfo, few: str = "too few"
) -> dict[str, Any]:
    """Every figure of the page of a day, as it must be read there: by table and row."""
    visits = [v for v in ledger.visits.values() if v.date == date]
    held = [v for v in visits if v.outcome != "voided"]
    hours = {v.id: datetime.fromtimestamp(v.issued / 1000, tz).hour for v in held}
    span = range(min(hours.values()), max(hours.values()) + 1) if hours else ()

    def letters(used: set[str]) -> list[str]:
        return [*services, *sorted(used - set(services))]

    page: dict[str, Any] = {
        "counts": {
            "issued": str(len(held)),
            "walk_ins": str(sum(v.walk_in for v in held)),
            "voided": str(len(visits) - len(held)),
            **{
                name: str(sum(v.outcome == outcome for v in held))
                for name, outcome in (
                    ("served", "served"), ("missed", "missed"), ("left", "abandoned"),
                    ("unfinished", "open"),
                )
            },
        }
    }  # fmt: skip

    def tickets(some: list[Visit]) -> list[str]:
        left = sum(v.outcome == "abandoned" for v in some if not v.walk_in)
        over = sum(v.outcome != "open" for v in some if not v.walk_in)
        missed = sum(v.outcome == "missed" for v in some)
        return [
            str(len(some)), str(missed), str(left), share(left, over, few), interval(left, over),
            str(over),
        ]  # fmt: skip

    def waits(some: list[Visit]) -> list[str]:
        return spread([v.first_call - v.issued for v in some if v.first_call is not None])

    groups = {s: [v for v in held if v.service == s] for s in letters({v.service for v in held} | {
        service for v in held for service, _ in v.parts
    })}  # fmt: skip
    hourly = {f"{hour:02}:00": [v for v in held if hours[v.id] == hour] for hour in span}
    page["tickets-services"] = {**{k: tickets(g) for k, g in groups.items()}, "": tickets(held)}
    page["tickets-hours"] = {k: tickets(g) for k, g in hourly.items()}
    page["waits-services"] = {**{k: waits(g) for k, g in groups.items()}, "": waits(held)}
    page["waits-hours"] = {k: waits(g) for k, g in hourly.items()}
    all_parts = [part for v in held for part in v.parts]
    page["services-services"] = {
        **{k: spread([ms for service, ms in all_parts if service == k]) for k in groups},
        "": spread([ms for _, ms in all_parts]),
    }
    page["services-hours"] = {
        k: spread([ms for v in g for _, ms in v.parts]) for k, g in hourly.items()
    }
    served = [v for v in held if v.outcome == "served"]

    def rated(some: list[Visit]) -> list[str]:
        scores = [v.score for v in some if v.score is not None]
        good = sum(score >= 4 for score in scores)
        return [
            share(good, len(scores), few), interval(good, len(scores)), "", str(len(scores)),
            str(len(some)), share(len(scores), len(some), few),
            " · ".join(str(scores.count(score)) for score in (1, 2, 3, 4, 5)),
        ]  # fmt: skip

    page["rated"] = rated(served)
    page["rated-services"] = {
        s: rated([v for v in served if v.now == s]) for s in letters({v.now for v in served})
    }
    by_teller: dict[str, list[Visit]] = defaultdict(list)
    for v in served:
        there = [t for when, counter, t in ledger.shifts if counter == v.at and when <= v.ended]
        by_teller[(there[-1] if there else "") or f"counter {v.at}"].append(v)
    page["rated-tellers"] = {key: rated(some) for key, some in by_teller.items()}
    apart: dict[str, list[int]] = {}
    for counter, kind, when in ledger.apart:
        if datetime.fromtimestamp(when / 1000, tz).date().isoformat() == date:
            row = apart.setdefault(str(counter), [0, 0, 0])
            row[("unsolicited", "repeated", "invalid").index(kind)] += 1
    page["apart"] = {key: [str(count) for count in row] for key, row in apart.items()}
    page["cover"] = _cover(ledger, held, letters, few)
    return page


def _cover(ledger: Ledger, held: list[Visit], letters: Any, few: str) -> dict[str, list[str]]:
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    table[""] = [0, 0, 0, 0]
    for v in held:
        if v.first_call is None or v.id not in ledger.forecasts:
            continue
        service, rung, p10, p90 = ledger.forecasts[v.id]
        for key in (service, ""):
            row = table[key]
            if p10 is not None and p90:
                row[0] += p10 <= v.first_call - v.issued <= p90
                row[1] += 1
            else:
                row[2 if rung == "qlm" else 3] += 1
    return {
        key: [
            share(table[key][0], table[key][1], few), interval(table[key][0], table[key][1]),
            str(table[key][1]), str(table[key][2]), str(table[key][3]),
        ]
        for key in [*letters(set(table) - {""}), ""]
    }  # fmt: skip


# --- the page ------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page of figures shows: cells by table and row, counts, texts of charts and ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, list[str]]] = {}
        self.counts: dict[str, str] = {}
        self.charts: dict[str, list[str]] = {}
        self.ids: dict[str, str] = {}
        self._table = self._chart = self._id = ""
        self._row: list[str] | None = None
        self._into: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "table":
            self._table = found.get("id", "")
            self.tables[self._table] = {}
        elif tag == "tr" and "data-key" in found:
            assert found["data-key"] not in self.tables[self._table], "a row twice"
            self._row = self.tables[self._table][found["data-key"]] = []
        elif tag == "td" and self._row is not None:
            self._into = []
        elif tag == "dd":
            self._id, self._into = found["data-count"], []
        elif tag == "svg":
            self._chart = found.get("class", "")
            self.charts.setdefault(self._chart, [])
        elif tag == "text":
            self._into = []
        if found.get("id") in ("satisfied", "participation", "empty"):
            self._open.append((tag, found["id"]))
            self.ids[found["id"]] = ""

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._into).split())
        if tag == "td" and self._row is not None:
            self._row.append(text)
        elif tag == "tr":
            self._row = None
        elif tag == "dd":
            self.counts[self._id] = text
        elif tag == "text":
            self.charts[self._chart].append(text)
        if self._open and tag == "p" and self._open[-1][0] == "p":
            self._open.pop()
        if tag == "section":
            self._open.clear()

    def handle_data(self, data: str) -> None:
        self._into.append(data)
        for _, name in self._open[-1:]:
            self.ids[name] = re.sub(r"\s+", " ", self.ids[name] + data)
