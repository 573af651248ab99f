"""A ticket and its paper, as a pure state machine: what is known of the slip, and what may follow.

    state          event          next           what is journalled with it
    RESERVED 0     Committed      JOURNALLED 0   ticket.issued
    JOURNALLED 0   Started        PRINTING 1     the state alone, before the first byte
    JOURNALLED 0   Blocked        NOT_PRINTED 1  ticket.print_failed 1, not_printed
    JOURNALLED 0   Interrupted    JOURNALLED 0   -      (no byte was sent: it may be printed)
    JOURNALLED 0   GivenUp        VOIDED 0       ticket.voided
    PRINTING n     Said printed   PRINTED n      ticket.printed n
    PRINTING n     Said not       NOT_PRINTED n  ticket.print_failed n, not_printed
                                  UNKNOWN n      the same, unknown: if the slip before may be out
    PRINTING n     Said unknown   UNKNOWN n      ticket.print_failed n, unknown
    PRINTING n     Interrupted    UNKNOWN n      ticket.print_failed n, unknown
    PRINTING 1     Outdated       VOIDED 1       ticket.voided
    NOT_PRINTED 1  Started        PRINTING 2     the state alone: the reprint
    UNKNOWN 1      Started        PRINTING 2     the same; its slip says that it is a copy
    PRINTED 1      Started        PRINTING 2     the same: the visitor says that there is no slip
    NOT_PRINTED n  Acknowledged   SHOWN n        the state alone
    UNKNOWN n      Acknowledged   SHOWN n        the state alone
    PRINTED n      Acknowledged   PRINTED n      -
    NOT_PRINTED n  Interrupted    NOT_PRINTED n  -
    UNKNOWN n      Interrupted    UNKNOWN n      -
    NOT_PRINTED n  GivenUp        SHOWN n        the state alone
    UNKNOWN n      GivenUp        SHOWN n        the state alone

n is the attempt, 1 or 2: a number is printed again at most once. Any other pair is a mistake of
the program and raises ImpossiblePaper. Interrupted is what a new start of the program knows of the
one before; GivenUp says that nobody stands at the screen any more, Outdated that the ticket's
business date is over. NOT_PRINTED means that no slip of this ticket came out in any attempt,
UNKNOWN that one may be in somebody's hand. Within its day a ticket is voided only where it is
certain that no byte of a slip was sent: else it stays callable. SHOWN, VOIDED and PRINTED are
settled: a restart leaves them alone.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from hal.api import Paper

ATTEMPTS = 2


class ImpossiblePaper(Exception):
    """An event that the paper's state cannot meet: a defect, not a fault of the printer."""


class State(StrEnum):
    """What is known of a ticket's paper; the value is what the journal keeps."""

    RESERVED = "reserved"  # only inside the issuing transaction
    JOURNALLED = "journalled"
    PRINTING = "printing"
    PRINTED = "printed"
    NOT_PRINTED = "not_printed"
    UNKNOWN = "unknown"
    SHOWN = "shown"
    VOIDED = "voided"


SETTLED = frozenset({State.PRINTED, State.SHOWN, State.VOIDED})


@dataclass(frozen=True, slots=True)
class TicketPaper:
    """The state. ``doubt``: a slip of an earlier attempt may be out."""

    state: State
    attempt: int
    doubt: bool = False

    @property
    def may_start(self) -> bool:
        """Whether a slip may be printed, for the first time or again."""
        return self.state is State.JOURNALLED or (
            self.state in _REPRINTED and self.attempt < ATTEMPTS
        )

    @property
    def may_be_out(self) -> bool:
        """Whether a slip of an attempt that ended may be in somebody's hand."""
        return self.state in (State.UNKNOWN, State.PRINTED)


RESERVED = TicketPaper(State.RESERVED, 0)


# --- events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Committed:
    """The ticket is durable."""


@dataclass(frozen=True, slots=True)
class Started:
    """The printer is ready for a slip; what follows must be durable before the slip's bytes."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The first slip was not begun: the printer cannot print, or the journal could not keep that
    it was begun.
    """


@dataclass(frozen=True, slots=True)
class Said:
    """The printer's word on the attempt in hand."""

    paper: Paper


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The visitor has the number from the screen."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The program that held the ticket ended before it was settled."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Nobody stands at the screen for this ticket any more."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The program ended with the slip in print, and the ticket's business date is over since."""


Event = Committed | Started | Blocked | Said | Acknowledged | Interrupted | GivenUp | Outdated

_FAILED = (State.NOT_PRINTED, State.UNKNOWN)
_REPRINTED = (*_FAILED, State.PRINTED)
_AFTER = {
    Paper.PRINTED: State.PRINTED,
    Paper.NOT_PRINTED: State.NOT_PRINTED,
    Paper.UNKNOWN: State.UNKNOWN,
}


def step(paper: TicketPaper, event: Event) -> TicketPaper:
    """The table of the module's docstring. Raises ImpossiblePaper."""
    match paper.state, event:
        case State.RESERVED, Committed():
            return replace(paper, state=State.JOURNALLED)
        case _, Started() if paper.may_start:
            return TicketPaper(State.PRINTING, paper.attempt + 1, paper.may_be_out)
        case State.JOURNALLED, Blocked():
            return TicketPaper(State.NOT_PRINTED, 1)
        case State.JOURNALLED, GivenUp():
            return replace(paper, state=State.VOIDED)
        case State.PRINTING, Said(said):
            after = _AFTER[said]
            if after is State.NOT_PRINTED and paper.doubt:
                after = State.UNKNOWN
            return TicketPaper(after, paper.attempt)
        case State.PRINTING, Interrupted():
            return TicketPaper(State.UNKNOWN, paper.attempt)
        case State.PRINTING, Outdated() if paper.attempt == 1:
            return replace(paper, state=State.VOIDED)
        case ((State.NOT_PRINTED | State.UNKNOWN), (Acknowledged() | GivenUp())):
            return replace(paper, state=State.SHOWN)
        case ((State.JOURNALLED | State.NOT_PRINTED | State.UNKNOWN), Interrupted()):
            return paper
        case State.PRINTED, Acknowledged():
            return paper
    raise ImpossiblePaper(f"{event} in {paper.state} {paper.attempt}")
