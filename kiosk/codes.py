"""A visitor's code as values: what it gives a right to, and what the screen says of it. Pure."""

from dataclasses import dataclass

TAKES = frozenset({"on_time", "early", "late"})
"""States of an appointment that may become a ticket here and now."""
GONE = frozenset({"return", "machine"})
"""States after which the visitor goes to the machine: the code is not left on the screen."""
MOST_TRIES = 3
"""So many codes that nobody knows; then a person can help more than another try."""
LATER_MIN = 15
"""How long a ticket is set aside by "I come back later"."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a ticket carries of a code: its ``token``, the slot (Unix ms, 0: none known), and the
    counter that expects the visitor for ``hold_ms``. ``waited_ms``: the visitor was here so long
    before, and tried the machine.
    """

    token: str = ""
    appointment_ms: int = 0
    counter: int = 0
    hold_ms: int = 0
    waited_ms: int = 0


NO_CLAIM = Claim()


@dataclass(frozen=True, slots=True)
class CodeSaid:
    """What is known of a code. ``state`` is the branch's (:class:`sync.codes.CodeAnswer`), or
    offline (an appointment's code, nobody to ask), unreached (a slip's), back (of who tried the
    machine), return (``number`` is the code to come back with until ``clock``) or machine (there
    is none). ``request`` is the request id of its ticket: one code, one ticket. ``clock`` and
    ``day`` (ISO) are the appointment's.
    """

    state: str
    code: str
    service: str = ""
    number: str = ""
    request: str = ""
    claim: Claim = NO_CLAIM
    clock: str = ""
    day: str = ""
    counter: int = 0
    waited_min: int = 0
    limit_min: int = 0
    low_min: int | None = None
    high_min: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether somebody knows the code; another try is of no use then."""
        return self.state != "unknown"


# --- events and effects of the flow ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coded:
    """The reader has read one of the branch's codes."""

    code: str


@dataclass(frozen=True, slots=True)
class CodeFound:
    """What the branch, or this kiosk, says of the code that was looked up."""

    said: CodeSaid


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out what ``code`` is."""

    code: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """Have the ticket of this slip's code called later; once for a ``key``."""

    code: str
    key: str


@dataclass(frozen=True, slots=True)
class KeepArrival:
    """The visitor tries the machine for ``service`` first: keep the time."""

    service: str
