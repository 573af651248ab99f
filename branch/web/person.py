"""Who asks, once the guard has let them in: for the handlers and the pages."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection

from branch.access.roles import Role
from branch.commands import AnyCommand, OpenCounter

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
