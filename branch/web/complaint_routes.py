"""The page of one complaint, by the code on its receipt: nobody signs in, nothing of a person."""

from collections.abc import Callable
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template

from branch.complaint_page import ComplaintPages
from branch.web.api import Problem
from branch.web.complaint_words import COMPLAINT_WORDS
from branch.web.guesses import Guesses
from branch.web.words import words_for

Language = Annotated[str, QueryParameter(name="lang", description="zh (default) or en")]


def complaint_routes(
    pages: ComplaintPages,
    address: Callable[[Request[Any, Any, Any]], str],
) -> list[HTTPRouteHandler]:
    """The page at /c/{key}."""
    unknown = Problem("unknown_complaint", "no complaint has this key")
    guesses = Guesses(address, pages.now_ms, unknown)

    @get("/c/{key:str}", media_type=MediaType.HTML, include_in_schema=False)
    async def page(
        request: Request[Any, Any, Any], key: FromPath[str], lang: Language = "zh"
    ) -> Template:
        words = COMPLAINT_WORDS[words_for(lang).lang]
        found = guesses.guarded(request, lambda: pages.state(key))
        refused = found if isinstance(found, Response) else None
        context = {
            "t": words,
            "branch": pages.branch[words.lang],
            "phone": pages.phone,
            "state": None if refused else found,
            "other_lang": "en" if words.lang == "zh" else "zh",
        }
        status = 200 if refused is None else refused.status_code or 404
        headers = {} if refused is None else refused.headers
        return Template("complaint.html", context=context, status_code=status, headers=headers)

    return [page]
