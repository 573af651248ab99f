"""Who asks, once the guard has let them in: for the handlers and the pages."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection

from branch.access.roles import Role
from branch.commands import AnyCommand, OpenCounter
from branch.view import Branch, CounterState

_KEY = "person"


@dataclass(frozen=True, slots=True)
class Person:
    """``account`` is the pseudonym that the ledger may know. ``csrf`` is the page's token, "" for
    a program: nobody can make a browser send its header.
    """

    account: str
    name: str
    role: Role
    csrf: str = ""


def note_person(connection: ASGIConnection[Any, Any, Any, Any], person: Person) -> None:
    """For ``person_of`` and, as ``request.state.person``, for the templates."""
    connection.scope["state"][_KEY] = person


def person_of(request: Request[Any, Any, Any]) -> Person | None:
    """None where no sign-in is needed, or in an application without it."""
    person: Person | None = request.scope["state"].get(_KEY)
    return person


def signed(command: AnyCommand, request: Request[Any, Any, Any]) -> AnyCommand:
    """``command`` with what the server knows better than the page: who opens a counter."""
    person = person_of(request)
    if person is not None and isinstance(command, OpenCounter):
        return msgspec.structs.replace(command, teller=person.account)
    return command


async def seated(
    branch: Branch, request: Request[Any, Any, Any], counter: int, key: str, turn: int | None
) -> int | None:
    """Before a customer is called: if the open, free counter is somebody else's in the ledger, it
    is the signed-in teller's from now on. Returns the turn that the call is meant for then. Raises
    CommandRefused, NotStored.

    Else a teller who found the counter open would work, and be rated, under another one's id.
    """
    person = person_of(request)
    if person is None or person.role is not Role.TELLER:
        return turn
    view = branch.counter(counter)
    free = view.state is CounterState.FREE and view.window == "open"
    if not free or view.teller == person.account or turn not in (None, view.turn):
        return turn
    opened = await branch.perform(counter, OpenCounter(teller=person.account), _seat(key), turn)
    return None if turn is None else opened.turn


def _seat(key: str) -> str:
    """A key that follows from the call's: letters alone, as no person's number has them."""
    made = hashlib.sha256(f"seat {key}".encode()).digest()[:24]
    return "".join(chr(ord("a") + byte % 26) for byte in made)
