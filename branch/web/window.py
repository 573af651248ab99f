"""The display above a counter: `/window/<n>` for a small screen, open to everybody. It shows the
ticket that is called or served there, and nothing else of anybody.
"""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template

from branch.view import Branch, CounterState, CounterView
from branch.web.api import CounterNumber, known_counter
from branch.web.feed import Feed
from branch.web.words import WORDS, words_for

Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]

_SHOWN = frozenset({CounterState.CALLING, CounterState.SERVING})


class WindowPage(msgspec.Struct, frozen=True):
    """What stands above the counter. ``call`` changes with each call and recall, "" without one;
    a paused counter that still has a customer shows the customer.
    """

    build: str
    clock: str
    state: str
    number: str
    call: str


def window_page(view: CounterView, build: str) -> WindowPage:
    """The display's state and number."""
    number = (view.number or "") if view.state in _SHOWN else ""
    calling = view.state is CounterState.CALLING
    return WindowPage(
        build=build,
        clock=view.clock,
        state=view.state.value,
        number=number,
        call=f"{number}|{view.calls}" if calling else "",
    )


def window_routes(
    branch: Branch,
    feed: Feed,
    version: str,
    stale_s: float,
    stream: Callable[[Any], Response[Any]],
) -> list[HTTPRouteHandler]:
    """The pages and their events; ``stream`` makes a response of a feed's events."""

    def missing(name: str | None, lang: str) -> Template:
        context = {
            "t": words_for(lang), "counters": branch.counters(), "missing": name,
            "base": "/window",
        }  # fmt: skip
        return Template("counters.html", context=context, status_code=404 if name else 200)

    @get("/window", media_type=MediaType.HTML, include_in_schema=False)
    async def windows(lang: Language = "zh") -> Template:
        return missing(None, lang)

    @get("/window/{name:str}", media_type=MediaType.HTML, include_in_schema=False)
    async def window(name: FromPath[str], lang: Language = "zh") -> Template:
        number = int(name) if name.isascii() and name.isdecimal() else None
        if number not in branch.counters():
            return missing(name, lang)
        view, words = branch.counter(number), words_for(lang)
        context = {
            "view": view,
            "page": window_page(view, version),
            "t": words,
            # The first language leads, the other stands beside it: the lobby reads both.
            "lead": words.lang,
            "aside": "en" if words.lang == "zh" else "zh",
            "words": WORDS,
            "stale_ms": round(stale_s * 1000),
        }
        return Template("window.html", context=context)

    @get(
        "/events/window/{counter:int}",
        summary="One counter's display, live (server-sent events)",
        tags=["board"],
    )
    async def window_events(counter: CounterNumber) -> Response[Any]:
        number = known_counter(branch, counter)

        def make() -> WindowPage:
            return window_page(branch.counter(number), version)

        return stream(feed.page("window", str(number), make))

    return [windows, window, window_events]
