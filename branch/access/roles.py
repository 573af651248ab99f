"""The permission table: which role may ask for which address. Pure.

Every route of the application must find exactly one row here, or the server does not start: what
nobody thought of is closed. docs/access.md is printed from this table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing; every other method needs the page's token when a cookie says who asks."""


class Role(StrEnum):
    """What an account is for. No role contains another one: the table says it all."""

    TELLER = "teller"
    MANAGER = "manager"
    TECHNICIAN = "technician"
    ADMIN = "admin"


ANYONE: frozenset[Role] | None = None
"""No sign-in needed."""
SIGNED_IN = frozenset(Role)
COUNTERS = frozenset({Role.TELLER, Role.MANAGER, Role.ADMIN})
HALL = frozenset({Role.MANAGER, Role.ADMIN})
MACHINES = frozenset({Role.TECHNICIAN, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Row:
    """``path`` is a route as the API description writes it; a ``*`` at its end stands for any
    rest. ``roles`` None: anyone, signed in or not.
    """

    method: str
    path: str
    roles: frozenset[Role] | None

    def covers(self, method: str, path: str) -> bool:
        """Whether this row speaks of the route. HEAD is GET without a body."""
        if self.method != ("GET" if method == "HEAD" else method):
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path


TABLE = (
    # the hall's public screens
    Row("GET", "/", ANYONE),
    Row("GET", "/board", ANYONE),
    Row("GET", "/api/board", ANYONE),
    Row("GET", "/events/board", ANYONE),
    Row("GET", "/window", ANYONE),
    Row("GET", "/window/*", ANYONE),
    Row("GET", "/events/window/*", ANYONE),
    Row("GET", "/static/*", ANYONE),
    # a ticket's own page, for whoever holds its slip
    Row("GET", "/t/*", ANYONE),
    Row("GET", "/api/t/*", ANYONE),
    Row("POST", "/api/t/*", ANYONE),
    # a complaint's own page, for whoever holds its receipt
    Row("GET", "/c/*", ANYONE),
    Row("GET", "/healthz", ANYONE),
    Row("OPTIONS", "/*", ANYONE),
    # signing in and out
    Row("GET", "/sign-in", ANYONE),
    Row("POST", "/api/sign-in", ANYONE),
    Row("POST", "/api/sign-out", SIGNED_IN),
    Row("POST", "/api/sign-out-everywhere", SIGNED_IN),
    Row("GET", "/api/me", SIGNED_IN),
    Row("GET", "/schema*", SIGNED_IN),
    # counters
    Row("GET", "/counter", COUNTERS),
    Row("GET", "/counter/*", COUNTERS),
    Row("GET", "/events/counter/*", COUNTERS),
    Row("GET", "/api/counters", COUNTERS),
    Row("GET", "/api/counters/*", COUNTERS),
    Row("POST", "/api/counters/*", COUNTERS),
    # the lobby manager
    Row("GET", "/hall*", HALL),
    Row("GET", "/events/hall*", HALL),
    Row("GET", "/api/hall*", HALL),
    Row("POST", "/api/hall/*", HALL),
    # the branch's figures
    Row("GET", "/branch*", HALL),
    Row("GET", "/api/branch*", HALL),
    # machines
    Row("GET", "/metrics", MACHINES),
    Row("GET", "/devices*", MACHINES),
    Row("GET", "/api/devices*", MACHINES),
    Row("POST", "/api/devices/*", MACHINES),
)

HOMES: dict[Role, tuple[str, ...]] = {
    Role.TELLER: ("/counter",),
    Role.MANAGER: ("/hall", "/counter"),
    Role.TECHNICIAN: ("/devices", "/healthz"),
    Role.ADMIN: ("/hall", "/counter"),
}
"""Where a role begins: the first page of these that this server has."""


def table_text(table: Iterable[Row] = TABLE) -> str:
    """The table as docs/access.md shows it (Markdown)."""
    lines = ["| | | anyone | " + " | ".join(Role) + " |", "|---|---|" + "---|" * (len(Role) + 1)]
    for row in table:
        marks = ["" if row.roles is None or role not in row.roles else "yes" for role in Role]
        anyone = "yes" if row.roles is None else ""
        lines.append(f"| {row.method} | `{row.path}` | " + " | ".join([anyone, *marks]) + " |")
    return "\n".join(lines) + "\n"


class RouteNotInTable(LookupError):
    """A route that no row, or more than one, speaks of; the message says where to add it."""


def row_of(method: str, path: str, table: Iterable[Row] = TABLE) -> Row:
    """The one row of a route. Raises RouteNotInTable."""
    rows = [row for row in table if row.covers(method, path)]
    if len(rows) == 1:
        return rows[0]
    listed = " and ".join(f"{row.method} {row.path}" for row in rows)
    problem = f"has {len(rows)} rows ({listed})" if rows else "has no row"
    raise RouteNotInTable(
        f"{method} {path} {problem} in the permission table; expected one:"
        " say in branch/access/roles.py who may ask for it"
    )


def local_path(wanted: str, home: str) -> str:
    """``wanted`` if it is a path on this server, ``home`` else: nobody is sent elsewhere after
    signing in. Browsers read a backslash as a slash and skip control characters and blanks.
    """
    if not wanted.startswith("/") or wanted[1:2] in ("/", "\\"):
        return home
    if any(letter == "\\" or letter <= " " or letter == "\x7f" for letter in wanted):
        return home
    return wanted
