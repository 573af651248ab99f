"""One visitor at a time, as a pure state machine: events in, a new visit and effects out.

    phase      event             next       effects
    HOME       tapped service    ISSUING    Issue(service, request)
    HOME       tapped service    TRIAGE     timer idle; it has documents or a machine to show
    HOME       identified        HOME       (a card or code names the visitor's segment)
    HOME       tapped language   HOME       timer idle
    HOME       tapped access     ACCESS     timer idle
    HOME       tapped all        HOME       timer idle; simple mode shows all services
    HOME       tapped exit       HOME       timer idle; the modes end
    HOME       timed out idle    WARNING    timer second; HOME if nobody chose anything
    ACCESS     tapped a mode     ACCESS     timer idle; it is switched, not yet used
    ACCESS     tapped go         HOME       timer idle; the modes are used from now on
    ACCESS     tapped person     ISSUING    Issue(the person's service, request)
    ACCESS     timed out idle    WARNING    timer second
    TRIAGE     tapped counter    ISSUING    Issue(service, request)
    TRIAGE     tapped machine    HOME       timer idle; says where to go, the visit is over
    TRIAGE     tapped back       HOME       timer idle
    TRIAGE     tapped person     ISSUING    Issue(the person's service, request)
    TRIAGE     timed out idle    WARNING    timer second
    WARNING    timed out second  WARNING    timer second; after the last one HOME, all forgotten
    WARNING    tapped stay       as before  timer idle, as often as the visitor likes
    WARNING    tapped finish     HOME       all forgotten
    HOME       reshown           NO_SLIP    a ticket of before a restart, same number
    HOME       resumed           PRINTING   PrintSlip; a restart came before the paper
    ISSUING    issued            PRINTING   PrintSlip
    ISSUING    declined          HOME       timer idle; this touch gets no number
    ISSUING    refused           CLOSED     timer retry; nobody gets a number
    PRINTING   printed           TICKET     timer ticket
    PRINTING   print failed      NO_SLIP    -
    TICKET     tapped no slip    NO_SLIP    -
    TICKET     tapped done       HOME       -
    TICKET     timed out ticket  HOME       -
    NO_SLIP    tapped ack        HOME       Acknowledge
    NO_SLIP    tapped reprint    PRINTING   PrintSlip, while the ticket may be printed again
    CLOSED     timed out retry   HOME       -
    any        language          same       (switches the language; timer idle where it runs)
    any other  identified        same       (a card read while a ticket is out is nobody's)
    any other  timed out         same       (it ran out while what stops it was on its way)

A tap that a phase does not know changes nothing: a finger may be late. Any other pair is a mistake
of the program and raises ImpossibleStep; so does a printer's word about a ticket that is not the
one in hand. The touch that asks for a ticket carries its request id; the second half of a double
touch meets ISSUING and does nothing.
"""

from dataclasses import dataclass, replace
from enum import Enum

from kiosk.view import (
    CONTROL_ACCESS,
    CONTROL_ACKNOWLEDGE,
    CONTROL_ANYWHERE,
    CONTROL_BACK,
    CONTROL_CONTRAST,
    CONTROL_COUNTER,
    CONTROL_DONE,
    CONTROL_EVERYTHING,
    CONTROL_EXIT,
    CONTROL_FINISH,
    CONTROL_GO,
    CONTROL_LANGUAGE,
    CONTROL_LOW,
    CONTROL_MACHINE,
    CONTROL_NO_SLIP,
    CONTROL_PERSON,
    CONTROL_REPRINT,
    CONTROL_SIMPLE,
    CONTROL_STAY,
    LANGUAGES,
    PLAIN,
    Modes,
)

SERVICE_PREFIX = "service."
MACHINE_NOTICE = "choice.machine.go"
WARNING_S, WARNING_SIMPLE_S = 20, 60
"""How long "still there?" stands; EN 301 549 asks for 20 s, simple mode for no less than 60."""


class ImpossibleStep(Exception):
    """An event that the phase cannot meet: a defect, not a fault of the branch."""


class Phase(Enum):
    """Where the visit is."""

    HOME = "home"
    ACCESS = "access"
    TRIAGE = "triage"
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
    one that is read about; ``notice`` is the key of a word on the first screen.
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

    @property
    def whole_s(self) -> int:
        """How long the warning stands from its first second."""
        return WARNING_SIMPLE_S if self.modes.simple else WARNING_S


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
class TimedOut:
    """A timer ran out."""

    timer: Timer


Event = (
    Tapped
    | Identified
    | Issued
    | Declined
    | Refused
    | Printed
    | PrintFailed
    | Reshown
    | Resumed
    | TimedOut
)

# --- effects -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issue:
    """Issue a ticket for ``service``; the same ``request`` gives the same ticket."""

    service: str
    request: str
    segment: str = ""


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


Effect = Issue | PrintSlip | Acknowledge | StartTimer | StopTimer


def first_visit(
    default_language: str,
    person: str = "",
    steps: frozenset[str] = frozenset(),
    languages: tuple[str, ...] = LANGUAGES,
) -> Visit:
    """The home screen in the branch's own language. ``person``: the letter of that service;
    ``steps``: those of services with documents or a machine to show before the ticket;
    ``languages``: what the language switch goes through.
    """
    return Visit(
        Phase.HOME,
        default_language,
        default_language,
        person=person,
        steps=steps,
        languages=languages,
    )


def step(visit: Visit, event: Event) -> tuple[Visit, tuple[Effect, ...]]:
    """The table of the module's docstring. Raises ImpossibleStep."""
    if isinstance(event, Tapped):
        return _tapped(visit, event)
    match visit.phase, event:
        case ((Phase.HOME | Phase.ACCESS | Phase.TRIAGE), Identified(segment)):
            return replace(visit, segment=segment), (StartTimer(Timer.IDLE),)
        case _, Identified():
            return visit, ()
        case Phase.ISSUING, Issued(ticket):
            return replace(visit, phase=Phase.PRINTING, ticket=ticket), (PrintSlip(ticket),)
        case Phase.ISSUING, Declined():
            return replace(visit, phase=Phase.HOME, request=""), (StartTimer(Timer.IDLE),)
        case Phase.ISSUING, Refused(code):
            return (
                replace(visit, phase=Phase.CLOSED, cause=code),
                (StartTimer(Timer.RETRY),),
            )
        case Phase.PRINTING, Printed(ticket_id, again) if _is(visit, ticket_id):
            return replace(visit, phase=Phase.TICKET, again=again), (StartTimer(Timer.TICKET),)
        case Phase.PRINTING, PrintFailed(ticket_id, cause, again) if _is(visit, ticket_id):
            visit = replace(visit, phase=Phase.NO_SLIP, cause=cause, again=again)
            return visit, (StopTimer(),)
        case Phase.HOME, Reshown(ticket, language, cause, again):
            visit = replace(_fresh(visit), phase=Phase.NO_SLIP, language=language)
            return replace(visit, ticket=ticket, cause=cause, again=again), (StopTimer(),)
        case Phase.HOME, Resumed(ticket, language):
            visit = replace(_fresh(visit), phase=Phase.PRINTING, language=language)
            return replace(visit, ticket=ticket), (StopTimer(), PrintSlip(ticket))
        case ((Phase.HOME | Phase.ACCESS | Phase.TRIAGE), TimedOut(Timer.IDLE)):
            if replace(visit, notice="") == _fresh(visit):
                return _fresh(visit), ()
            visit = replace(visit, behind=visit.phase, phase=Phase.WARNING, left_s=visit.whole_s)
            return visit, (StartTimer(Timer.SECOND),)
        case Phase.WARNING, TimedOut(Timer.SECOND):
            if visit.left_s <= 1:
                return _home(visit)
            return replace(visit, left_s=visit.left_s - 1), (StartTimer(Timer.SECOND),)
        case (Phase.TICKET, TimedOut(Timer.TICKET)) | (Phase.CLOSED, TimedOut(Timer.RETRY)):
            return _home(visit)
        case _, TimedOut():
            return visit, ()
    raise ImpossibleStep(f"{event} in {visit.phase}")


def _tapped(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    control = event.control
    if control == CONTROL_LANGUAGE:
        languages = visit.languages
        language = languages[(languages.index(visit.language) + 1) % len(languages)]
        idle = visit.phase in (Phase.HOME, Phase.ACCESS, Phase.TRIAGE)
        return replace(visit, language=language), (StartTimer(Timer.IDLE),) if idle else ()
    if visit.phase is Phase.HOME and control.startswith(SERVICE_PREFIX):
        service = control.removeprefix(SERVICE_PREFIX)
        # Simple mode has no steps between: somebody at the counter asks for the documents.
        if service in visit.steps and not visit.modes.simple:
            after = replace(visit, phase=Phase.TRIAGE, service=service, notice="")
            return after, (StartTimer(Timer.IDLE),)
        return _asked(visit, service, event.touch)
    if visit.phase is Phase.HOME:
        return _tapped_at_home(visit, control)
    if visit.phase is Phase.ACCESS:
        return _tapped_access(visit, event)
    if visit.phase is Phase.TRIAGE:
        return _tapped_triage(visit, event)
    if visit.phase is Phase.WARNING:
        return _tapped_warning(visit, control)
    if visit.phase is Phase.TICKET and control in (CONTROL_DONE, CONTROL_ANYWHERE):
        return _home(visit)
    if visit.phase is Phase.TICKET and control == CONTROL_NO_SLIP:
        return replace(visit, phase=Phase.NO_SLIP, cause="not_taken"), (StopTimer(),)
    if visit.phase is Phase.NO_SLIP and visit.ticket is not None:
        return _tapped_without_slip(visit, visit.ticket, control)
    return visit, ()


def _asked(visit: Visit, service: str, touch: str) -> tuple[Visit, tuple[Effect, ...]]:
    return (
        replace(visit, phase=Phase.ISSUING, request=touch, service="", notice=""),
        (StopTimer(), Issue(service, touch, visit.segment)),
    )


def _tapped_at_home(visit: Visit, control: str) -> tuple[Visit, tuple[Effect, ...]]:
    visit = replace(visit, notice="")
    after = {
        CONTROL_ACCESS: replace(visit, phase=Phase.ACCESS, chosen=visit.modes),
        CONTROL_EVERYTHING: replace(visit, everything=visit.modes.simple),
        CONTROL_EXIT: replace(visit, modes=PLAIN, chosen=PLAIN, everything=False),
    }.get(control)
    return (visit, ()) if after is None else (after, (StartTimer(Timer.IDLE),))


def _tapped_access(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    chosen = visit.chosen
    if event.control == CONTROL_PERSON and visit.person:
        return _asked(visit, visit.person, event.touch)
    if event.control == CONTROL_GO:
        after = replace(visit, phase=Phase.HOME, modes=chosen, everything=False)
        return after, (StartTimer(Timer.IDLE),)
    switched = {
        CONTROL_SIMPLE: replace(chosen, simple=not chosen.simple),
        CONTROL_LOW: replace(chosen, low=not chosen.low),
        CONTROL_CONTRAST: replace(chosen, contrast=not chosen.contrast),
    }.get(event.control)
    if switched is None:
        return visit, ()
    return replace(visit, chosen=switched), (StartTimer(Timer.IDLE),)


def _tapped_triage(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    if event.control == CONTROL_COUNTER:
        return _asked(visit, visit.service, event.touch)
    if event.control == CONTROL_PERSON and visit.person:
        return _asked(visit, visit.person, event.touch)
    after = {
        CONTROL_MACHINE: replace(_fresh(visit), language=visit.language, notice=MACHINE_NOTICE),
        CONTROL_BACK: replace(visit, phase=Phase.HOME, service=""),
    }.get(event.control)
    return (visit, ()) if after is None else (after, (StartTimer(Timer.IDLE),))


def _tapped_warning(visit: Visit, control: str) -> tuple[Visit, tuple[Effect, ...]]:
    if control == CONTROL_STAY:
        after = replace(visit, phase=visit.behind, behind=Phase.HOME, left_s=0)
        return after, (StartTimer(Timer.IDLE),)
    return _home(visit) if control == CONTROL_FINISH else (visit, ())


def _tapped_without_slip(
    visit: Visit, ticket: Ticket, control: str
) -> tuple[Visit, tuple[Effect, ...]]:
    if control == CONTROL_ACKNOWLEDGE:
        after, effects = _home(visit)
        return after, (Acknowledge(ticket), *effects)
    if control == CONTROL_REPRINT and visit.again:
        return replace(visit, phase=Phase.PRINTING, cause="", again=False), (PrintSlip(ticket),)
    return visit, ()


def _is(visit: Visit, ticket_id: str) -> bool:
    return visit.ticket is not None and visit.ticket.id == ticket_id


def _home(visit: Visit) -> tuple[Visit, tuple[Effect, ...]]:
    return _fresh(visit), (StopTimer(),)


def _fresh(visit: Visit) -> Visit:
    return first_visit(visit.default_language, visit.person, visit.steps, visit.languages)
