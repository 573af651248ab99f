"""The branch server's pages and API: `create_app` puts them together over a Branch."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.params import FromPath, QueryParameter
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Stream, Template
from litestar.static_files import create_static_files_router
from litestar.template.config import TemplateConfig
from litestar.types import Scope
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from branch.complaint_page import ComplaintPages
from branch.day_book import DayBook
from branch.errors import NotStored
from branch.hall_view import HallDesk
from branch.ticket_page import TicketPages
from branch.view import Branch, CommandRefused
from branch.web.api import (
    KEY_EXPECTED,
    KEY_HEADER,
    CounterNumber,
    Problem,
    UnknownCounter,
    api_routes,
    known_counter,
)
from branch.web.complaint_routes import complaint_routes
from branch.web.description import SCHEMES, describe_routes
from branch.web.desk_api import desk_routes
from branch.web.dialogs import dialog_choices
from branch.web.feed import KEEP_ALIVE_S, MAX_STREAMS, REFRESH_S, Feed
from branch.web.figures_pages import figures_routes
from branch.web.hall_routes import hall_routes
from branch.web.open_streams import OpenStreams
from branch.web.pages import (
    BOARD_ROWS,
    PROMISE_ROWS,
    REFUSALS,
    UP_NEXT_ROWS,
    board_page,
    counter_page,
)
from branch.web.shell import Shell
from branch.web.sign_in import ACCESS_HANDLERS, SignIn, check_routes
from branch.web.ticket_routes import ticket_routes
from branch.web.window import window_routes
from branch.web.words import WORDS, words_for

HERE = Path(__file__).parent

STALE_S = 60.0
"""A board without an update for this long says so (design tokens, board-stale)."""

RETRY_LATER_S = "5"

PROMETHEUS = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
"""Litestar adds the charset to every text."""

_log = logging.getLogger(__name__)

Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]


def create_app(
    branch: Branch,
    *,
    version: str,
    registry: CollectorRegistry | None = None,
    stale_s: float = STALE_S,
    refresh_s: float = REFRESH_S,
    keep_alive_s: float = KEEP_ALIVE_S,
    max_streams: int = MAX_STREAMS,
    sign_in: SignIn | None = None,
    hall: HallDesk | None = None,
    figures: DayBook | None = None,
    tickets: TicketPages | None = None,
    complaints: ComplaintPages | None = None,
) -> Litestar:
    """The web application over ``branch``, with the lobby manager's page where there is a
    ``hall``.

    ``version`` stands in the API description and makes open pages load anew after an update.
    ``registry`` is what /metrics shows and where the HTTP metrics are added: one application per
    registry. The application itself starts and ends the watcher of the branch. ``sign_in`` lets in
    whom the permission table lets in; without it everything is open. ``figures`` has the pages of
    figures, ``tickets`` those of single tickets, ``complaints`` those of single complaints.
    Raises RouteNotInTable.
    """
    registry = CollectorRegistry() if registry is None else registry
    feed = Feed(
        branch,
        version,
        refresh_s=refresh_s,
        keep_alive_s=keep_alive_s,
        max_streams=max_streams,
    )
    streams = Gauge("lobby_http_streams", "Event streams now open", registry=registry)
    streams.set_function(lambda: feed.open_streams)

    app = Litestar(
        route_handlers=[
            *_page_routes(branch, version, stale_s),
            *_stream_routes(branch, feed),
            *window_routes(branch, feed, version, stale_s, partial(_stream, feed)),
            *_operation_routes(branch, feed, version, registry),
            api_routes(branch),
            desk_routes(branch),
            *(sign_in.routes() if sign_in else ()),
            *_hall_routes(branch, hall, feed, version),
            *(figures_routes(figures) if figures else ()),
            *(ticket_routes(tickets, _peer(sign_in)) if tickets else ()),
            *(complaint_routes(complaints, _peer(sign_in)) if complaints else ()),
            create_static_files_router(
                path="/static",
                directories=[HERE / "static"],
                cache_control=CacheControlHeader(no_cache=True),
            ),
        ],
        guards=[sign_in.guard] if sign_in else [],
        lifespan=[_watching(feed)],
        template_config=TemplateConfig(directory=HERE / "templates", engine=JinjaTemplateEngine),
        openapi_config=OpenAPIConfig(
            title="Lobby branch server",
            version=version,
            description="Call board, counters and the tellers' commands of one branch.",
            path="/schema",
            components=SCHEMES,
            render_plugins=[
                JsonRenderPlugin(path=["/openapi.json", "/"]),
                YamlRenderPlugin(path=["/openapi.yaml"]),
            ],
        ),
        # Logging belongs to the program that this is a part of.
        logging_config=None,
        after_exception=[_log_unforeseen],
        exception_handlers={
            CommandRefused: _refused,
            NotStored: _not_stored,
            UnknownCounter: _unknown_counter,
            ValidationException: _invalid,
            HTTPException: _http_problem,
            **ACCESS_HANDLERS,
        },
    )
    check_routes(app)
    describe_routes(app, locked=sign_in is not None)
    app.state.feed = feed
    app.asgi_handler = Shell(OpenStreams(app.asgi_handler), registry)
    return app


def _peer(sign_in: SignIn | None) -> Callable[[Request[Any, Any, Any]], str]:
    """Whence a request comes."""
    if sign_in is not None:
        return sign_in.address
    return lambda request: request.client.host if request.client else ""


def _watching(feed: Feed) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        watcher = asyncio.create_task(feed.watch(), name="feed")
        watcher.add_done_callback(_report_end)
        app.state.watcher = watcher
        try:
            yield
        finally:
            feed.close()
            watcher.cancel()
            await asyncio.wait({watcher})

    return lifespan


def _report_end(watcher: asyncio.Task[None]) -> None:
    if not watcher.cancelled() and (error := watcher.exception()):
        _log.error("the live pages stopped: no more news from the branch", exc_info=error)


def _page_routes(branch: Branch, version: str, stale_s: float) -> list[HTTPRouteHandler]:
    @get(["/", "/board"], media_type=MediaType.HTML, include_in_schema=False)
    async def board(lang: Language = "zh") -> Template:
        view, words = branch.board(), words_for(lang)
        context = {
            "view": view,
            "page": board_page(view, version),
            "t": words,
            "rows": BOARD_ROWS,
            "promise_rows": PROMISE_ROWS,
            # The first language leads, the other stands beside it: the lobby reads both.
            "lead": words.lang,
            "aside": "en" if words.lang == "zh" else "zh",
            "words": WORDS,
            "stale_ms": round(stale_s * 1000),
        }
        return Template("board.html", context=context)

    @get("/counter", media_type=MediaType.HTML, include_in_schema=False)
    async def counters(lang: Language = "zh") -> Template:
        context = {"t": words_for(lang), "counters": branch.counters(), "missing": None}
        return Template("counters.html", context=context)

    @get("/counter/{name:str}", media_type=MediaType.HTML, include_in_schema=False)
    async def counter(name: FromPath[str], lang: Language = "zh") -> Template:
        words = words_for(lang)
        number = int(name) if name.isascii() and name.isdecimal() else None
        if number not in branch.counters():
            context = {"t": words, "counters": branch.counters(), "missing": name}
            return Template("counters.html", context=context, status_code=404)
        desk = branch.desk(number)
        page = counter_page(branch.counter(number), desk, words, version)
        context = {
            "t": words,
            "page": page,
            "page_json": msgspec.json.encode(page).decode(),
            "counter": number,
            "rows": UP_NEXT_ROWS,
            **dialog_choices(desk, words),
            "refusals": {code: words(f"refused.{code}") for code in REFUSALS},
            "other_lang": "en" if words.lang == "zh" else "zh",
        }
        return Template("counter.html", context=context)

    return [board, counters, counter]


def _stream(feed: Feed, events: AsyncIterator[bytes]) -> Response[Any]:
    if feed.full or feed.closed:
        problem = Problem("too_many_streams", "too many open pages; this one tries again")
        return Response(problem, status_code=503, headers={"Retry-After": RETRY_LATER_S})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(events, media_type="text/event-stream", headers=headers)


def _hall_routes(
    branch: Branch, hall: HallDesk | None, feed: Feed, version: str
) -> list[HTTPRouteHandler | Router]:
    if hall is None:
        return []
    return hall_routes(hall, feed, branch.counters, version, lambda events: _stream(feed, events))


def _stream_routes(branch: Branch, feed: Feed) -> list[HTTPRouteHandler]:
    @get("/events/board", summary="The board, live (server-sent events)", tags=["board"])
    async def board_events() -> Response[Any]:
        return _stream(feed, feed.board())

    @get(
        "/events/counter/{counter:int}",
        summary="One counter's page, live (server-sent events)",
        tags=["counters"],
    )
    async def counter_events(counter: CounterNumber, lang: Language = "zh") -> Response[Any]:
        return _stream(feed, feed.counter(known_counter(branch, counter), lang))

    return [board_events, counter_events]


def _operation_routes(
    branch: Branch, feed: Feed, version: str, registry: CollectorRegistry
) -> list[HTTPRouteHandler]:
    @get("/healthz", summary="Can the branch server serve? 200 or 503", tags=["operation"])
    async def healthz(request: Request[Any, Any, Any]) -> Response[dict[str, object]]:
        health = dict(branch.health())
        live = not request.app.state.watcher.done()
        health["ok"] = bool(health.get("ok")) and live
        health["feed"] = "live" if live else "stopped"
        health["streams"] = feed.open_streams
        health["version"] = version
        return Response(health, status_code=200 if health["ok"] else 503)

    @get(
        "/metrics",
        media_type=PROMETHEUS,
        summary="Figures for Prometheus",
        tags=["operation"],
    )
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=PROMETHEUS)

    return [healthz, metrics]


_AnyRequest = Request[Any, Any, Any]


async def _log_unforeseen(error: Exception, scope: Scope) -> None:
    if not isinstance(error, HTTPException | CommandRefused | NotStored | UnknownCounter):
        _log.error("no answer for %s", scope["path"], exc_info=error)


def _problem(status: int, code: str, message: str) -> Response[Problem]:
    return Response(Problem(code, message), status_code=status, media_type=MediaType.JSON)


def _refused(_: _AnyRequest, error: CommandRefused) -> Response[Problem]:
    return _problem(409, error.code, str(error))


def _not_stored(_: _AnyRequest, error: NotStored) -> Response[Problem]:
    answer = _problem(503, "not_stored", str(error))
    answer.headers["Retry-After"] = RETRY_LATER_S
    return answer


def _unknown_counter(_: _AnyRequest, error: UnknownCounter) -> Response[Problem]:
    return _problem(404, "unknown_counter", str(error))


def _invalid(_: _AnyRequest, error: ValidationException) -> Response[Problem]:
    if KEY_HEADER.lower() in f"{error.detail} {error.extra}".lower().replace("_", "-"):
        return _problem(400, "idempotency_key", f"header {KEY_HEADER}: expected {KEY_EXPECTED}")
    return _problem(error.status_code, "bad_request", error.detail)


def _http_problem(request: _AnyRequest, error: HTTPException) -> Response[Problem]:
    if error.status_code == 404:
        return _problem(
            404,
            "not_found",
            f"nothing at {request.url.path}; the pages are /, /window/<number> and "
            "/counter/<number>, the API is described at /schema",
        )
    code = "method_not_allowed" if error.status_code == 405 else "http_error"
    return _problem(error.status_code, code, error.detail)
