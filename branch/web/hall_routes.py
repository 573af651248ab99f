"""The lobby manager's page, its event stream and its API."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.response import Template

from branch.hall_view import (
    Answer,
    ComplaintList,
    HallDesk,
    HallRequest,
    HallView,
    Issue,
    OfAlert,
    OfComplaint,
    OfCounter,
    Reissue,
    ShownTicket,
    Tag,
)
from branch.web.api import BAD_KEY, NOT_STORED, IdempotencyKey, Problem, UnknownCounter
from branch.web.feed import Feed
from branch.web.hall_page import HallPage, hall_page
from branch.web.hall_words import REFUSED, hall_words
from branch.web.person import person_of
from sync.feedback import OUTCOMES

_UNKNOWN = ResponseSpec(Problem, description="There is no such counter")
_REFUSED = ResponseSpec(
    Problem,
    description=(
        "The state does not allow it: unknown_alert, not_by_hand, unknown_ticket, wrong_phase,"
        " unknown_segment, unknown_service, no_number, unknown_complaint, answered,"
        " unknown_outcome or busy"
    ),
)
Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]
Streamed = Callable[[Any], Response[Any]]


def by(request: Request[Any, Any, Any]) -> str:
    """The opaque id of who asks, "" where nobody signs in."""
    person = person_of(request)
    return person.account if person else ""


def hall_routes(
    hall: HallDesk, feed: Feed, counters: Callable[[], tuple[int, ...]], version: str,
    stream: Streamed,
) -> list[HTTPRouteHandler | Router]:  # fmt: skip
    """The page at /hall, its stream at /events/hall, and everything below /api/hall."""

    @get("/hall", media_type=MediaType.HTML, include_in_schema=False)
    async def page(lang: Language = "zh") -> Template:
        words, view = hall_words(lang), hall.view()
        made = hall_page(view, words, version)
        context = {
            "t": words,
            "page": made,
            "drawn": msgspec.json.encode(made).decode(),
            "branch": view.branch_zh if words.lang == "zh" else view.branch_en,
            "refusals": {code: words(f"refused.{code}") for code in REFUSED},
            "spoken": {
                key: words.texts[key]
                for key in (
                    "age.now", "age.seconds", "age.minutes", "age.hours", "hall.minutes",
                    "stale", "do.tag", "do.untag", "do.reissue", "do.shut", "shown.title",
                    "shown.ahead", "shown.again", "refused.busy_counter", "ticket.choose",
                )
            },
            "other_lang": "en" if words.lang == "zh" else "zh",
        }  # fmt: skip
        return Template("hall.html", context=context)

    @get("/hall/complaints", media_type=MediaType.HTML, include_in_schema=False)
    async def complaints_page(lang: Language = "zh") -> Template:
        words, view = hall_words(lang), hall.view()
        context = {
            "t": words,
            "branch": view.branch_zh if words.lang == "zh" else view.branch_en,
            "listed": hall.complaint_list(),
            "outcomes": OUTCOMES,
            "refusals": {code: words(f"refused.{code}") for code in REFUSED},
            "other_lang": "en" if words.lang == "zh" else "zh",
        }
        return Template("complaints.html", context=context)

    @get("/events/hall", summary="The hall, live (server-sent events)", tags=["hall"])
    async def events(lang: Language = "zh") -> Response[Any]:
        words = hall_words(lang)

        def make() -> HallPage:
            return hall_page(hall.view(), words, version)

        return stream(feed.page("hall", words.lang, make))

    @get("/", summary="The hall now: alerts, tickets, counters", tags=["hall"])
    async def now() -> HallView:
        return hall.view()

    @get("/complaints", summary="The complaints: open, and the last answered ones", tags=["hall"])
    async def complaints() -> ComplaintList:
        return hall.complaint_list()

    def known(counter: int) -> int:
        if counter not in counters():
            raise UnknownCounter(counter, counters())
        return counter

    def told(
        name: str,
        kind: type[HallRequest],
        summary: str,
        perform: Callable[[Any, str, str], object],
        answer: Any = HallView,
    ) -> HTTPRouteHandler:
        async def handler(
            data: JSONBody[kind],  # type: ignore[valid-type]
            idempotency_key: IdempotencyKey,
            request: Request[Any, Any, Any],
        ) -> Any:
            made = perform(data, idempotency_key, by(request))
            return hall.view() if answer is HallView else made

        handler.__annotations__["return"] = answer
        return post(
            f"/{name}",
            status_code=200,
            summary=summary,
            tags=["hall"],
            operation_id=f"hall-{name}",
            responses={400: BAD_KEY, 404: _UNKNOWN, 409: _REFUSED, 503: NOT_STORED},
        )(handler)

    api = Router(
        path="/api/hall",
        route_handlers=[
            now,
            complaints,
            told("take", OfAlert, "I will go", lambda d, k, b: hall.take(d.alert, k, b)),
            told(
                "settle", OfAlert, "An unhappy customer was recovered, a call for help answered",
                lambda d, k, b: hall.settle(d.alert, k, b),
            ),
            told(
                "reopen", OfAlert, "Take that back: the alert is open again",
                lambda d, k, b: hall.reopen(d.alert, k, b),
            ),
            told(
                "complaint-take", OfComplaint, "I see to this complaint",
                lambda d, k, b: hall.take_complaint(d.complaint, k, b),
            ),
            told(
                "complaint-answer", Answer, "The complaint is answered, and how",
                lambda d, k, b: hall.answer_complaint(d.complaint, k, b, d.outcome),
            ),
            told(
                "complaint-reopen", OfComplaint, "Take that back: the complaint is open again",
                lambda d, k, b: hall.reopen_complaint(d.complaint, k, b),
            ),
            told(
                "open-counter", OfCounter, "Open a counter, elastic or not",
                lambda d, k, b: hall.open_counter(known(d.counter), k, b),
            ),
            told(
                "close-counter", OfCounter, "Close a counter that has no customer",
                lambda d, k, b: hall.close_counter(known(d.counter), k, b),
            ),
            told(
                "tag", Tag, "Give a waiting ticket a segment; the old one again is the undo",
                lambda d, k, b: hall.tag(d.number, d.segment, k),
            ),
            told(
                "issue", Issue, "A ticket for somebody who does not use the kiosk",
                lambda d, k, b: hall.issue(d.service, d.segment, k, b), ShownTicket,
            ),
            told(
                "reissue", Reissue, "The same number again for somebody who lost the slip",
                lambda d, k, b: hall.reissue(d.number, k, b), ShownTicket,
            ),
        ],
    )  # fmt: skip
    return [page, complaints_page, events, api]
