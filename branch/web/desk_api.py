"""The HTTP API of the commands that carry something: transfer, park, call out of turn, and the
counter itself.
"""

from typing import Any

from litestar import Request, Router, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from branch.commands import (
    CallTicket,
    CloseCounter,
    Command,
    OpenCounter,
    Park,
    PauseCounter,
    Postpone,
    Rejoin,
    ServeNow,
    TagTicket,
    Transfer,
    Unpark,
)
from branch.view import Branch, CounterView
from branch.web.api import (
    BAD_KEY,
    NOT_STORED,
    UNKNOWN,
    CounterNumber,
    IdempotencyKey,
    Problem,
    Turn,
    known_counter,
)
from branch.web.person import seated, signed

_REFUSED = ResponseSpec(
    Problem,
    description=(
        "The state does not allow it: no_ticket, busy, paused, not_open, expired, unknown_ticket,"
        " wrong_phase, unknown_service, unknown_segment, not_served_here, not_served_there,"
        " no_change, bad_reason, too_late, no_number, unknown_note, bad_teller or personal_data"
    ),
)
_COMMANDS: dict[type[Command], str] = {
    Transfer: "Send the current ticket to another service or counter; its wait goes on",
    Park: "Set the current ticket aside",
    Postpone: "Take a waiting ticket out of the line for a while",
    Unpark: "Let a parked ticket wait again, for this counter first",
    CallTicket: "Call a waiting or parked ticket out of turn, with a reason",
    Rejoin: "Let a missed ticket wait again, in its old place",
    TagTicket: "Give a waiting ticket another segment",
    ServeNow: "Serve somebody without a ticket",
    OpenCounter: "Open the counter, or go on after a pause",
    PauseCounter: "Call nobody for a while",
    CloseCounter: "Close the counter",
}
_BRING_A_CUSTOMER = (CallTicket, ServeNow)


def desk_routes(branch: Branch) -> Router:
    """One POST a command below /api/counters/{counter}."""
    return Router(
        path="/api/counters/{counter:int}",
        route_handlers=[_route(branch, kind, summary) for kind, summary in _COMMANDS.items()],
    )


def _route(branch: Branch, kind: type[Command], summary: str) -> HTTPRouteHandler:
    name = str(kind.__struct_config__.tag)

    async def handler(
        counter: CounterNumber,
        data: JSONBody[kind],  # type: ignore[valid-type]
        idempotency_key: IdempotencyKey,
        request: Request[Any, Any, Any],
        turn: Turn = None,
    ) -> CounterView:
        command, number = signed(data, request), known_counter(branch, counter)
        if kind in _BRING_A_CUSTOMER:
            turn = await seated(branch, request, number, idempotency_key, turn)
        return await branch.perform(number, command, idempotency_key, turn)

    return post(
        f"/{name}",
        status_code=200,
        summary=summary,
        tags=["commands"],
        operation_id=name,
        responses={400: BAD_KEY, 404: UNKNOWN, 409: _REFUSED, 503: NOT_STORED},
    )(handler)
