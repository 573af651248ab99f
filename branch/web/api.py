"""The HTTP API: the board, the counters, the tellers' commands. Errors are Problem, in JSON."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Router, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, PathParameter

from branch.view import BoardView, Branch, CounterView, UnknownCounter as UnknownCounter
from branch.web.person import seated
from sync.counter_messages import KEY_EXPECTED as KEY_EXPECTED, KEY_LENGTH as KEY_LENGTH

KEY_HEADER = "Idempotency-Key"

TURN_HEADER = "Counter-Turn"

Perform = Callable[[int, str, int | None], Awaitable[CounterView]]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name=KEY_HEADER,
        min_length=1,
        max_length=KEY_LENGTH,
        pattern=r"^[!-~]+$",
        description=f"{KEY_EXPECTED}. A repeat with the same key changes nothing.",
    ),
]
Turn = Annotated[
    int | None,
    HeaderParameter(
        name=TURN_HEADER,
        description=(
            "The counter's `turn` that the command is meant for. When it is another one by now,"
            " nothing happens and the answer is `expired`. Without it every turn is right."
        ),
    ),
]
CounterNumber = Annotated[int, PathParameter(description="A configured counter's number")]


class Problem(msgspec.Struct, frozen=True):
    """An answer that is not what was asked for: ``code`` is stable, ``message`` is for people."""

    code: str
    message: str


BAD_KEY = ResponseSpec(Problem, description="The Idempotency-Key is missing or malformed")
UNKNOWN = ResponseSpec(Problem, description="There is no such counter")
REFUSED = ResponseSpec(
    Problem,
    description=(
        "The state does not allow it: busy, nobody_waiting, no_ticket, already_serving, paused,"
        " not_open, call_limit, too_soon or expired"
    ),
)
NOT_STORED = ResponseSpec(
    Problem, description="The database refuses; nothing has changed, repeat with the same key"
)


def known_counter(branch: Branch, counter: int) -> int:
    """``counter`` itself. Raises UnknownCounter."""
    if counter not in branch.counters():
        raise UnknownCounter(counter, branch.counters())
    return counter


def api_routes(branch: Branch) -> Router:
    """Everything below /api."""

    @get("/board", summary="The call board now", tags=["board"])
    async def board() -> BoardView:
        return branch.board()

    @get("/counters", summary="The numbers of the configured counters", tags=["counters"])
    async def counters() -> list[int]:
        return list(branch.counters())

    @get(
        "/counters/{counter:int}",
        summary="One counter now",
        tags=["counters"],
        responses={404: UNKNOWN},
    )
    async def counter_now(counter: CounterNumber) -> CounterView:
        return branch.counter(known_counter(branch, counter))

    def command(action: str, summary: str, perform: Perform) -> HTTPRouteHandler:
        @post(
            f"/counters/{{counter:int}}/{action}",
            status_code=200,
            summary=summary,
            tags=["commands"],
            operation_id=action,
            responses={400: BAD_KEY, 404: UNKNOWN, 409: REFUSED, 503: NOT_STORED},
        )
        async def handler(
            counter: CounterNumber,
            idempotency_key: IdempotencyKey,
            request: Request[Any, Any, Any],
            turn: Turn = None,
        ) -> CounterView:
            known_counter(branch, counter)
            if action == "call-next":
                turn = await seated(branch, request, counter, idempotency_key, turn)
            return await perform(counter, idempotency_key, turn)

        return handler

    return Router(
        path="/api",
        route_handlers=[
            board,
            counters,
            counter_now,
            command("call-next", "Call the next ticket", branch.call_next),
            command("recall", "Call the called ticket again", branch.recall),
            command("start", "The customer is at the window", branch.start),
            command("miss", "The called customer did not come (no-show)", branch.miss),
            command("finish", "End the service and ask for a rating", branch.finish),
        ],
    )
