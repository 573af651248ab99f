"""The page of one ticket, on a customer's phone: nobody signs in, nothing of a person is asked."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Template

from branch.ticket_page import TicketPages, TicketState
from branch.web.api import NOT_STORED, Problem
from branch.web.guesses import LATER, Guesses
from branch.web.ticket_words import TICKET_WORDS
from branch.web.words import words_for
from sync.feedback import REASONS

_UNKNOWN = ResponseSpec(Problem, description="No ticket of these days has this key")
_REFUSED = ResponseSpec(
    Problem, description="Said already, or too early: rated, not_served, not_low, said,"
    " unknown_reason",
)  # fmt: skip
Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]


class Rating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One to five, five is the best."""

    score_1to5: Annotated[int, msgspec.Meta(ge=1, le=5)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the reasons."""

    reason: Annotated[str, msgspec.Meta(max_length=16)]


def ticket_routes(
    pages: TicketPages,
    address: Callable[[Request[Any, Any, Any]], str],
) -> list[HTTPRouteHandler]:
    """The page at /t/{key} and what it asks for below /api/t/{key}."""
    unknown = Problem("unknown_ticket", "no ticket of these days has this key")
    guarded = Guesses(address, lambda: pages.now_ms(), unknown).guarded

    def after(key: str, do: Callable[[], None]) -> TicketState:
        do()
        return pages.state(key)

    @get("/t/{key:str}", media_type=MediaType.HTML, include_in_schema=False)
    async def page(
        request: Request[Any, Any, Any], key: FromPath[str], lang: Language = "zh"
    ) -> Template:
        words = TICKET_WORDS[words_for(lang).lang]
        found = guarded(request, lambda: pages.state(key))
        shown = None if isinstance(found, Response) else found
        context = {
            "t": words,
            "branch": pages.branch[words.lang],
            "key": key if shown else "",
            "state": msgspec.json.encode(shown).decode() if shown else "null",
            "texts": msgspec.json.encode(words.texts).decode(),
            "reasons": REASONS,
            "other_lang": "en" if words.lang == "zh" else "zh",
        }
        status = 200 if shown else found.status_code or 404  # type: ignore[union-attr]
        return Template("ticket.html", context=context, status_code=status)

    @get(
        "/api/t/{key:str}", summary="Where a ticket stands", tags=["ticket"],
        responses={404: _UNKNOWN, 429: LATER},
    )  # fmt: skip
    async def now(request: Request[Any, Any, Any], key: FromPath[str]) -> Any:
        return guarded(request, lambda: pages.state(key))

    @post(
        "/api/t/{key:str}/rating", status_code=200, summary="Rate the visit, once",
        tags=["ticket"], responses={404: _UNKNOWN, 409: _REFUSED, 429: LATER, 503: NOT_STORED},
    )  # fmt: skip
    async def rate(
        request: Request[Any, Any, Any], key: FromPath[str], data: JSONBody[Rating]
    ) -> Any:
        return guarded(request, lambda: after(key, lambda: pages.rate(key, data.score_1to5)))

    @post(
        "/api/t/{key:str}/reason", status_code=200, summary="Why the rating was low, once",
        tags=["ticket"], responses={404: _UNKNOWN, 409: _REFUSED, 429: LATER, 503: NOT_STORED},
    )  # fmt: skip
    async def say_why(
        request: Request[Any, Any, Any], key: FromPath[str], data: JSONBody[Why]
    ) -> Any:
        return guarded(request, lambda: after(key, lambda: pages.say_why(key, data.reason)))

    return [page, now, rate, say_why]
