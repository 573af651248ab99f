"""A visit at the kiosk as values: where it is, what can happen to it, what it asks for. Pure."""

from dataclasses import dataclass, replace
from enum import Enum

from kiosk import feedback
from kiosk.codes import (
    NO_CLAIM,
    Claim,
    Coded,
    CodeFound,
    CodeSaid,
    KeepArrival,
    LookUp,
    SetAside,
)
from kiosk.view import LANGUAGES, PLAIN, Modes

WARNING_S, WARNING_SIMPLE_S = 20, 60
"""How long "still there?" stands; EN 301 549 asks for 20 s, simple mode for no less than 60."""


class Phase(Enum):
    """Where the visit is."""

    HOME = "home"
    ATTRACT = "attract"
    ACCESS = "access"
    TRIAGE = "triage"
    FEEDBACK = "feedback"
    CODE = "code"
    LOOKING = "looking"
    CODE_SAID = "code_said"
    WARNING = "warning"
    ISSUING = "issuing"
    PRINTING = "printing"
    TICKET = "ticket"
    NO_SLIP = "no_slip"
    CLOSED = "closed"


class Timer(Enum):
    """What the shell is asked to time; starting one stops the one before. Lengths are the
    shell's.
    """

    IDLE = "idle"
    SECOND = "second"
    TICKET = "ticket"
    RETRY = "retry"
    REASON = "reason"
    QUIET = "quiet"
    SLIDE = "slide"


CHOOSING = (
    Phase.HOME,
    Phase.ACCESS,
    Phase.TRIAGE,
    Phase.CODE,
    Phase.CODE_SAID,
    Phase.FEEDBACK,
)
"""Where nobody who stands there has been asked for anything yet: the warning may come up."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The issued ticket as far as the screen needs it."""

    id: str
    number: str
    service: str


@dataclass(frozen=True, slots=True)
class Visit:
    """The state. ``cause`` says why the slip did not come, or why the kiosk is closed; ``again``
    that the ticket may be printed again. ``person`` is the letter of the service that brings a
    person, "" if there is none; ``chosen`` are the modes as switched on the accessibility sheet;
    ``behind`` is where the visit was before the warning, which stands for ``left_s`` more seconds.
    ``steps`` are the letters of services with something to read before the ticket, ``service`` the
    one that is read about; ``notice`` is the key of a word on the first screen. ``groups`` are the
    letters of services that open others, ``path`` those that are open, the outermost first.
    ``slides`` is how many pictures there are to show while nobody is there, ``slide`` which one.
    ``guided``: by keys and speech.
    ``code`` is what was typed of a code, ``said`` what is known of it, ``tries`` how many of them
    nobody knew; ``claim`` goes with the next ticket, under ``claim_request``.
    """

    phase: Phase
    language: str
    default_language: str
    segment: str = ""
    request: str = ""
    ticket: Ticket | None = None
    cause: str = ""
    again: bool = False
    person: str = ""
    modes: Modes = PLAIN
    chosen: Modes = PLAIN
    everything: bool = False
    behind: Phase = Phase.HOME
    left_s: int = 0
    steps: frozenset[str] = frozenset()
    service: str = ""
    notice: str = ""
    languages: tuple[str, ...] = LANGUAGES
    talk: feedback.Talk | None = None
    groups: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()
    slides: int = 0
    slide: int = 0
    guided: bool = False
    code: str = ""
    said: CodeSaid | None = None
    tries: int = 0
    claim: Claim = NO_CLAIM
    claim_request: str = ""

    @property
    def unhurried(self) -> bool:
        """Whether every time is the longer one: large print, or keys and speech."""
        return self.modes.simple or self.guided

    @property
    def whole_s(self) -> int:
        """How long the warning stands from its first second."""
        return WARNING_SIMPLE_S if self.unhurried else WARNING_S


# --- events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tapped:
    """A control was touched; ``touch`` is unique for the touch."""

    control: str
    touch: str


@dataclass(frozen=True, slots=True)
class Identified:
    """A card or code was recognised; ``segment`` is the queue's name for the visitor's class."""

    segment: str


@dataclass(frozen=True, slots=True)
class Neared:
    """Somebody came near; nothing was touched yet."""


@dataclass(frozen=True, slots=True)
class Guided:
    """A key of the audio guide was pressed; ``on`` False: nobody has pressed one for long."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Issued:
    """The ticket is journalled."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Declined:
    """No ticket for this touch, though the kiosk can issue: ``code`` says why.

    Codes: numbers_exhausted, unknown_service, repeated (the touch has had its ticket).
    """

    code: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No ticket can be issued at all; ``code`` is for the technician."""

    code: str


@dataclass(frozen=True, slots=True)
class Printed:
    """The printer confirmed the slip of ``ticket``; ``again``: it may be printed once more."""

    ticket: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class PrintFailed:
    """No confirmed slip of ``ticket``; ``again``: it may be printed once more."""

    ticket: str
    cause: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Reshown:
    """A ticket from just before a restart, whose slip nobody can vouch for, in its visitor's
    language.
    """

    ticket: Ticket
    language: str
    cause: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Resumed:
    """A ticket from just before a restart of which certainly no slip was begun."""

    ticket: Ticket
    language: str


@dataclass(frozen=True, slots=True)
class PressedLow:
    """A visitor at a counter pressed one of the two lowest keys of a pad of this kiosk."""

    press: feedback.LowPress


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A timer ran out."""

    timer: Timer


Event = (
    Tapped
    | Identified
    | Guided
    | Neared
    | Issued
    | Declined
    | Refused
    | Printed
    | PrintFailed
    | Reshown
    | Resumed
    | TimedOut
    | PressedLow
    | feedback.Answer
    | Coded
    | CodeFound
)

# --- effects -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issue:
    """Issue a ticket for ``service``; the same ``request`` gives the same ticket. ``claim`` is
    what it carries of a code.
    """

    service: str
    request: str
    segment: str = ""
    claim: Claim = NO_CLAIM


@dataclass(frozen=True, slots=True)
class PrintSlip:
    """Print the slip of the issued ticket, for the first time or again."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The visitor has the number of ``ticket`` from the screen."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start ``timer``, in place of any other."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Stop whatever timer runs."""


Effect = (
    Issue
    | PrintSlip
    | Acknowledge
    | StartTimer
    | StopTimer
    | LookUp
    | SetAside
    | KeepArrival
    | feedback.Effect
)


def first_visit(
    default_language: str,
    person: str = "",
    steps: frozenset[str] = frozenset(),
    languages: tuple[str, ...] = LANGUAGES,
    groups: frozenset[str] = frozenset(),
    slides: int = 0,
) -> Visit:
    """The home screen in the branch's own language. ``person``: the letter of that service;
    ``steps``: those of services with documents or a machine to show before the ticket;
    ``languages``: what the language switch goes through; ``groups``: the letters of services that
    open others; ``slides``: how many pictures there are to show while nobody is there.
    """
    return Visit(
        Phase.HOME,
        default_language,
        default_language,
        person=person,
        steps=steps,
        languages=languages,
        groups=groups,
        slides=slides,
    )


def fresh(visit: Visit) -> Visit:
    """The first screen again, nothing left of this visit."""
    return first_visit(
        visit.default_language,
        visit.person,
        visit.steps,
        visit.languages,
        visit.groups,
        visit.slides,
    )


def home(visit: Visit) -> tuple[Visit, tuple[Effect, ...]]:
    """The visit is over."""
    return fresh(visit), (StartTimer(Timer.QUIET) if visit.slides else StopTimer(),)


_SHEET_TIMERS = {
    feedback.Sheet.REASON: Timer.REASON,
    feedback.Sheet.THANKS: Timer.TICKET,
    feedback.Sheet.RECEIPT: Timer.TICKET,
}


def sheet_timer(talk: feedback.Talk) -> tuple[Effect, ...]:
    """What times a sheet: a receipt that does not come out stays until it is acknowledged."""
    if talk.sheet is feedback.Sheet.RECEIPT and talk.receipt is not feedback.Receipt.PRINTED:
        return (StopTimer(),)
    return (StartTimer(_SHEET_TIMERS.get(talk.sheet, Timer.IDLE)),)


def sheet_ends(visit: Visit, timer: Timer) -> bool:
    """Whether this is the timer of the open sheet."""
    return visit.talk is not None and StartTimer(timer) in sheet_timer(visit.talk)


def talked(visit: Visit, step: feedback.Step) -> tuple[Visit, tuple[Effect, ...]]:
    """The visit after a step of its feedback."""
    talk, effects = step
    if talk == feedback.END:
        after, stop = home(visit)
        return after, (*effects, *stop)
    if talk == feedback.HOME:
        after = replace(visit, phase=Phase.HOME, talk=None)
        return after, (*effects, StartTimer(Timer.IDLE))
    after = replace(visit, phase=Phase.FEEDBACK, talk=talk, notice="")
    return after, (*effects, *sheet_timer(talk))
