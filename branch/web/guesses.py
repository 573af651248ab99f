"""Slows down whoever tries the keys of public pages: wrong ones from one address cost a wait."""

from collections.abc import Callable
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from branch.access.throttle import Ledger, Limit
from branch.ticket_page import UnknownPage
from branch.web.api import Problem

GUESSES = Limit(free=30, first_ms=1_000, longest_ms=60_000, forget_ms=600_000)
"""Of keys that nothing has, from one address; a whole lobby may have one."""
LATER = ResponseSpec(Problem, description="Too many keys that nothing has: too_many")
_T = TypeVar("_T")


class Guesses:
    """``address`` says whence a request comes, ``now_ms`` when (Unix ms); ``unknown`` is what is
    said of a key that nothing has.
    """

    def __init__(
        self,
        address: Callable[[Request[Any, Any, Any]], str],
        now_ms: Callable[[], int],
        unknown: Problem,
    ) -> None:
        self._address = address
        self._now_ms = now_ms
        self._unknown = unknown
        self._ledger = Ledger(GUESSES)

    def guarded(
        self, request: Request[Any, Any, Any], read: Callable[[], _T]
    ) -> _T | Response[Problem]:
        """What ``read`` finds, 404 where it raises UnknownPage, 429 after too many of these."""
        at, whence = self._now_ms(), self._address(request)
        wait_ms = self._ledger.wait_ms(whence, at)
        if wait_ms:
            later = Problem("too_many", "too many unknown keys; try again later")
            return Response(
                later, status_code=429, headers={"Retry-After": str(-(-wait_ms // 1000))}
            )
        try:
            return read()
        except UnknownPage:
            self._ledger.add(whence, at)
            return Response(self._unknown, status_code=404)
