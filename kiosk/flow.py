"""One visitor at a time, as a pure state machine: events in, a new visit and effects out.

    phase      event             next       effects
    HOME       tapped service    ISSUING    Issue(service, request)
    HOME       tapped service    TRIAGE     timer idle; it has documents or a machine to show
    HOME       tapped service    HOME       timer idle; others are within it, they are shown
    HOME       tapped back       HOME       timer idle; out of the services within another one
    HOME       identified        HOME       (a card or code names the visitor's segment)
    HOME       tapped language   HOME       timer idle
    HOME       tapped access     ACCESS     timer idle
    HOME       tapped all        HOME       timer idle; simple mode shows all services
    HOME       tapped exit       HOME       timer idle; the modes end
    HOME       timed out idle    WARNING    timer second; HOME if nobody chose anything
    HOME       timed out quiet   ATTRACT    timer slide; there are words to show, nobody is there
    ATTRACT    timed out slide   ATTRACT    timer slide; the next of them
    ATTRACT    tapped anything   HOME       timer quiet; the touch itself presses nothing there
    ATTRACT    identified        HOME       timer idle
    ATTRACT    pressed low       FEEDBACK   as at HOME
    ATTRACT    guided            HOME       timer idle
    ATTRACT    somebody came     HOME       timer quiet
    ACCESS     tapped a mode     ACCESS     timer idle; it is switched, not yet used
    ACCESS     tapped go         HOME       timer idle; the modes are used from now on
    ACCESS     tapped person     ISSUING    Issue(the person's service, request)
    ACCESS     timed out idle    WARNING    timer second
    TRIAGE     tapped counter    ISSUING    Issue(service, request)
    TRIAGE     tapped machine    LOOKING    KeepArrival; the answer says where to go
    TRIAGE     tapped back       HOME       timer idle
    TRIAGE     tapped person     ISSUING    Issue(the person's service, request)
    TRIAGE     timed out idle    WARNING    timer second
    HOME       tapped feedback   FEEDBACK   timer idle; its sheets are in kiosk/feedback.py
    ACCESS     tapped feedback   FEEDBACK   timer idle; the modes as they were
    HOME, ACCESS tapped help     FEEDBACK   CallHelp, timer idle
    HOME       pressed low       FEEDBACK   timer reason; only while nobody has touched anything
    FEEDBACK   tapped            FEEDBACK   the sheet's; HOME goes on with the visit or ends it
    FEEDBACK   tapped service    as HOME    where the sheet asks for a reason: nobody opened it
    FEEDBACK   timed out idle    WARNING    timer second
    FEEDBACK   timed out ticket  HOME       -
    FEEDBACK   timed out reason  HOME       -
    HOME       tapped check in   CODE       timer idle
    CODE       tapped a digit    CODE       timer idle
    CODE       tapped the sixth  LOOKING    LookUp
    CODE       tapped erase      CODE       timer idle
    CODE       tapped back       HOME       timer idle
    CODE       tapped person     ISSUING    Issue(the person's service, request)
    LOOKING    tapped back       HOME       timer idle; what is found out is nobody's then
    LOOKING    tapped person     ISSUING    Issue(the person's service, request)
    LOOKING    code found        CODE_SAID  timer idle
    LOOKING    code found        ISSUING    Issue(its service, the code's own request, claim); of
                                            who comes back from the machine
    CODE_SAID  tapped counter    ISSUING    Issue(its service, the code's own request, claim)
    CODE_SAID  tapped counter    HOME       timer idle; nobody could be asked: the claim goes with
                                            the next ticket
    CODE_SAID  tapped later      LOOKING    SetAside; the promise to this slip is broken
    CODE_SAID  tapped again      CODE       timer idle; nobody knows the code, three times at most
    CODE_SAID  tapped back       HOME       timer idle
    CODE_SAID  tapped done       HOME       all forgotten
    CODE_SAID  tapped person     ISSUING    Issue(the person's service, request); without a number
    CODE_SAID  tapped help       FEEDBACK   CallHelp, timer idle; of who has a number already
    CODE, CODE_SAID  timed out idle  WARNING    timer second; HOME, all forgotten, for who went to
                                            the machine
    undecided  coded             LOOKING    LookUp; a code at the reader, as long as nothing is out
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
    TICKET     tapped done       HOME       -; here and below timer quiet, if there are words
    TICKET     timed out ticket  HOME       -
    NO_SLIP    tapped ack        HOME       Acknowledge
    NO_SLIP    tapped reprint    PRINTING   PrintSlip, while the ticket may be printed again
    CLOSED     timed out retry   HOME       -
    any        guided            same       (keys and speech from now on, or no more; a key puts
                                            off what would end the visit)
    any        language          same       (switches the language; timer idle where it runs)
    any        an answer         same       the sheet's, where it is still waited for
    any other  pressed low       same       (the screen is somebody else's)
    any other  coded, code found  same      (its visitor has gone, or has a ticket)
    any other  identified        same       (a card read while a ticket is out is nobody's)
    any other  timed out         same       (it ran out while what stops it was on its way)

A tap that a phase does not know changes nothing: a finger may be late. Any other pair is a mistake
of the program and raises ImpossibleStep; so does a printer's word about a ticket that is not the
one in hand. The touch that asks for a ticket carries its request id; the second half of a double
touch meets ISSUING and does nothing.
"""

from dataclasses import replace

from kiosk import feedback
from kiosk.attract import following, quiet
from kiosk.code_taps import READS, coded, found
from kiosk.codes import GONE, Coded, CodeFound, KeepArrival, LookUp, SetAside
from kiosk.feedback import HelpSaid, NotRegistered, ReceiptSaid, Registered
from kiosk.taps import SERVICE_PREFIX, tapped
from kiosk.visit import (
    CHOOSING,
    Acknowledge,
    Declined,
    Effect,
    Event,
    Guided,
    Identified,
    Issue,
    Issued,
    Neared,
    Phase,
    PressedLow,
    Printed,
    PrintFailed,
    PrintSlip,
    Refused,
    Reshown,
    Resumed,
    StartTimer,
    StopTimer,
    Tapped,
    Ticket,
    TimedOut,
    Timer,
    Visit,
    first_visit,
    fresh,
    home,
    sheet_ends,
    sheet_timer,
    talked,
)

__all__ = [
    "SERVICE_PREFIX",
    "Acknowledge",
    "CodeFound",
    "Coded",
    "Declined",
    "Effect",
    "Event",
    "Guided",
    "Identified",
    "ImpossibleStep",
    "Issue",
    "Issued",
    "KeepArrival",
    "LookUp",
    "Neared",
    "Phase",
    "PressedLow",
    "PrintFailed",
    "PrintSlip",
    "Printed",
    "Refused",
    "Reshown",
    "Resumed",
    "SetAside",
    "StartTimer",
    "StopTimer",
    "Tapped",
    "Ticket",
    "TimedOut",
    "Timer",
    "Visit",
    "first_visit",
    "step",
]


PUT_OFF: dict[Phase, Timer] = {
    Phase.HOME: Timer.IDLE,
    Phase.ACCESS: Timer.IDLE,
    Phase.TRIAGE: Timer.IDLE,
    Phase.WARNING: Timer.SECOND,
    Phase.TICKET: Timer.TICKET,
}
"""What a key of the audio guide starts anew."""


class ImpossibleStep(Exception):
    """An event that the phase cannot meet: a defect, not a fault of the branch."""


def step(visit: Visit, event: Event) -> tuple[Visit, tuple[Effect, ...]]:
    """The table of the module's docstring. Raises ImpossibleStep."""
    if isinstance(event, Tapped):
        return tapped(visit, event)
    match visit.phase, event:
        case _, Coded():
            return coded(visit, event)
        case _, CodeFound():
            return found(visit, event)
        case phase, Identified(segment) if phase in READS:
            return replace(visit, segment=segment), (StartTimer(Timer.IDLE),)
        case Phase.ATTRACT, Identified(segment):
            return replace(fresh(visit), segment=segment), (StartTimer(Timer.IDLE),)
        case Phase.ATTRACT, PressedLow(press):
            return talked(fresh(visit), (feedback.pressed(press), ()))
        case _, PressedLow(press):
            if replace(visit, notice="") != fresh(visit):
                return visit, ()
            return talked(visit, (feedback.pressed(press), ()))
        case _, (HelpSaid() | Registered() | NotRegistered() | ReceiptSaid()):
            return _answered(visit, event)
        case _, Identified():
            return visit, ()
        case Phase.HOME, TimedOut(Timer.QUIET):
            return quiet(visit)
        case Phase.ATTRACT, TimedOut(Timer.SLIDE):
            return following(visit)
        case phase, Neared():
            came = phase is Phase.ATTRACT
            return (fresh(visit), (StartTimer(Timer.QUIET),)) if came else (visit, ())
        case Phase.ATTRACT, Guided(on=True):
            return _guided(fresh(visit), on=True)
        case _, Guided(on):
            return _guided(visit, on=on)
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
            visit = replace(fresh(visit), phase=Phase.NO_SLIP, language=language)
            return replace(visit, ticket=ticket, cause=cause, again=again), (StopTimer(),)
        case Phase.HOME, Resumed(ticket, language):
            visit = replace(fresh(visit), phase=Phase.PRINTING, language=language)
            return replace(visit, ticket=ticket), (StopTimer(), PrintSlip(ticket))
        case Phase.FEEDBACK, TimedOut(timer) if not sheet_ends(visit, timer):
            return visit, ()
        case _, TimedOut(Timer.IDLE) if visit.phase in CHOOSING:
            if replace(visit, notice="") == fresh(visit):
                return fresh(visit), (StartTimer(Timer.QUIET),) if visit.slides else ()
            if visit.said is not None and visit.said.state in GONE:
                return home(visit)
            visit = replace(visit, behind=visit.phase, phase=Phase.WARNING, left_s=visit.whole_s)
            return visit, (StartTimer(Timer.SECOND),)
        case Phase.WARNING, TimedOut(Timer.SECOND):
            if visit.left_s <= 1:
                return home(visit)
            return replace(visit, left_s=visit.left_s - 1), (StartTimer(Timer.SECOND),)
        case (Phase.TICKET, TimedOut(Timer.TICKET)) | (Phase.CLOSED, TimedOut(Timer.RETRY)):
            return home(visit)
        case Phase.FEEDBACK, TimedOut(Timer.TICKET | Timer.REASON):
            return home(visit)
        case _, TimedOut():
            return visit, ()
    raise ImpossibleStep(f"{event} in {visit.phase}")


def _answered(visit: Visit, answer: feedback.Answer) -> tuple[Visit, tuple[Effect, ...]]:
    """The sheet's own step. Behind the warning it goes on, and the warning stays."""
    if visit.talk is None:
        return visit, ()
    step = feedback.heard(visit.talk, answer)
    if step == (visit.talk, ()):
        return visit, ()
    if visit.phase is Phase.FEEDBACK:
        return talked(visit, step)
    return replace(visit, talk=step[0]), step[1]


def _guided(visit: Visit, *, on: bool) -> tuple[Visit, tuple[Effect, ...]]:
    visit = replace(visit, guided=on)
    if on and visit.phase is Phase.FEEDBACK and visit.talk is not None:
        return visit, sheet_timer(visit.talk)
    if not on or visit.phase not in PUT_OFF:
        return visit, ()
    left_s = visit.whole_s if visit.phase is Phase.WARNING else visit.left_s
    return replace(visit, left_s=left_s), (StartTimer(PUT_OFF[visit.phase]),)


def _is(visit: Visit, ticket_id: str) -> bool:
    return visit.ticket is not None and visit.ticket.id == ticket_id
