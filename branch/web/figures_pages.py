"""The page of a day's figures, and the same as JSON and CSV."""

import asyncio
from collections.abc import Callable
from datetime import date as date_type, timedelta
from typing import Annotated, Any, TypeVar

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.response import Template
from sqlalchemy.exc import SQLAlchemyError

from branch.day_book import DayBook
from branch.errors import NotStored
from branch.figures import FEW, DayFigures, Share
from branch.web.figures_charts import (
    HOUR_HEIGHT,
    HOUR_WIDTH,
    WIDTH,
    hours_chart,
    interval,
    waits_chart,
)
from branch.web.figures_words import FIGURES_WORDS
from branch.web.words import words_for

FIRST_LINK = "2000-01-01"
_OF = "Business date, YYYY-MM-DD; today's if not given"
Date = Annotated[date_type | None, QueryParameter(name="date", description=_OF)]
TypedDate = Annotated[str, QueryParameter(name="date", description=_OF)]
"""As somebody wrote it into the address: the page says what is wrong with it."""
Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]
_T = TypeVar("_T")


def clock_words(ms: int | None) -> str:
    """A duration as min:s, h:min:s from an hour on, rounded half up; "" for none."""
    if ms is None:
        return ""
    minutes, seconds = divmod((ms + 500) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def percent_words(value: float | None) -> str:
    """One decimal; "" for none."""
    return "" if value is None else f"{value:.1f}"


def figures_routes(book: DayBook) -> list[HTTPRouteHandler]:
    """GET /branch, /api/branch, /branch.csv and /branch/tickets.csv."""

    @get("/branch", media_type=MediaType.HTML, include_in_schema=False)
    async def page(date: TypedDate = "", lang: Language = "zh") -> Template:
        words = FIGURES_WORDS[words_for(lang).lang]
        try:
            day = await _read(book.figures, date)
        except ValueError:
            context = _context(book, book.day(), words) | {"bad": date, "day": None}
            return Template("branch.html", context=context, status_code=400)
        return Template("branch.html", context=_context(book, day.date, words) | _drawn(day))

    @get("/api/branch", summary="A day's figures", tags=["figures"])
    async def api(date: Date = None) -> DayFigures:
        return await _read(book.figures, _iso(date))

    @get("/branch.csv", summary="A day's figures as CSV", tags=["figures"], media_type="text/csv")
    async def figures_file(date: Date = None) -> Response[bytes]:
        return _csv(await _read(book.figures_csv, _iso(date)), "figures", date)

    @get(
        "/branch/tickets.csv",
        summary="Each ticket of a day with its forecast and its wait, as CSV",
        tags=["figures"],
        media_type="text/csv",
    )
    async def tickets_file(date: Date = None) -> Response[bytes]:
        return _csv(await _read(book.tickets_csv, _iso(date)), "tickets", date)

    def _csv(text: str, name: str, date: date_type | None) -> Response[bytes]:
        disposition = f'attachment; filename="{name}-{book.day(_iso(date))}.csv"'
        return Response(
            text.encode("utf-8"),
            media_type="text/csv",
            headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
        )

    return [page, api, figures_file, tickets_file]


async def _read(read: Callable[[str], _T], date: str) -> _T:
    """Read in a thread: a call must not wait for a page. Raises ValueError, NotStored."""
    try:
        return await asyncio.to_thread(read, date)
    except SQLAlchemyError as error:
        raise NotStored("the database cannot be read; try again") from error


def _iso(date: date_type | None) -> str:
    return date.isoformat() if date else ""


def _context(book: DayBook, date: str, words: Any) -> dict[str, Any]:
    shown, now = date_type.fromisoformat(date), book.now()
    today = book.day()
    return {
        "t": words,
        "other_lang": "en" if words.lang == "zh" else "zh",
        "branch": book.branch[words.lang],
        "names": {letter: name[words.lang] for letter, name in book.services.items()},
        "date": date,
        "today": today,
        "before": (shown - timedelta(days=1)).isoformat() if date > FIRST_LINK else "",
        "after": (shown + timedelta(days=1)).isoformat() if date < today else "",
        "made": f"{now:%H:%M:%S}",
        "clock": clock_words,
        "percent": percent_words,
        "few": FEW,
        "bad": "",
    }


def _drawn(day: DayFigures) -> dict[str, Any]:
    def line(found: Share) -> Any:
        return interval(found)

    return {
        "day": day,
        "interval": line,
        "waits": waits_chart(day.services),
        "hours": hours_chart(day.hours),
        "chart_width": WIDTH,
        "hour_width": HOUR_WIDTH,
        "hour_height": HOUR_HEIGHT,
    }
