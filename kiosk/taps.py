"""What each phase does with a touch; the table is in :mod:`kiosk.flow`. Pure."""

from dataclasses import replace

from kiosk import feedback
from kiosk.code_taps import asked_for_code, tapped_code, tapped_code_said
from kiosk.codes import NO_CLAIM, KeepArrival
from kiosk.feedback import Sheet
from kiosk.view import (
    CONTROL_ACCESS,
    CONTROL_ACKNOWLEDGE,
    CONTROL_ANYWHERE,
    CONTROL_BACK,
    CONTROL_CHECK_IN,
    CONTROL_CONTRAST,
    CONTROL_COUNTER,
    CONTROL_DONE,
    CONTROL_EVERYTHING,
    CONTROL_EXIT,
    CONTROL_FINISH,
    CONTROL_GO,
    CONTROL_LANGUAGE,
    CONTROL_LEFT,
    CONTROL_LOW,
    CONTROL_MACHINE,
    CONTROL_NO_SLIP,
    CONTROL_PERSON,
    CONTROL_REPRINT,
    CONTROL_SIMPLE,
    CONTROL_STAY,
    PLAIN,
)
from kiosk.visit import (
    CHOOSING,
    Acknowledge,
    Effect,
    Issue,
    Phase,
    PrintSlip,
    StartTimer,
    StopTimer,
    Tapped,
    Ticket,
    Timer,
    Visit,
    fresh,
    home,
    sheet_timer,
    talked,
)

SERVICE_PREFIX = "service."


def tapped(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    """The rows of the table of :mod:`kiosk.flow` that begin with a touch."""
    control = event.control
    if visit.phase is Phase.ATTRACT:
        first, quiet = home(visit)
        # A closed branch shows controls instead of its words.
        after, effects = (first, ()) if control == CONTROL_ANYWHERE else tapped(first, event)
        return after, effects or quiet
    if control == CONTROL_LANGUAGE:
        languages = visit.languages
        language = languages[(languages.index(visit.language) + 1) % len(languages)]
        visit = replace(visit, language=language)
        if visit.phase is Phase.FEEDBACK and visit.talk is not None:
            return visit, sheet_timer(visit.talk)
        return visit, (StartTimer(Timer.IDLE),) if visit.phase in CHOOSING else ()
    if control.startswith(SERVICE_PREFIX) and visit.talk and visit.talk.sheet is Sheet.REASON:
        # The finger was on its way when the question came up: it wants its ticket.
        visit = replace(fresh(visit), language=visit.language)
    if visit.phase in (Phase.HOME, Phase.ACCESS) and control in feedback.BEGINS:
        return talked(visit, feedback.begun(control, event.touch))
    if visit.phase is Phase.FEEDBACK and visit.talk is not None:
        step = feedback.tapped(visit.talk, control, event.touch)
        return (visit, ()) if step == (visit.talk, ()) else talked(visit, step)
    if visit.phase is Phase.HOME and control.startswith(SERVICE_PREFIX):
        service = control.removeprefix(SERVICE_PREFIX)
        if service in visit.groups and not (visit.modes.simple and not visit.everything):
            after = replace(visit, path=(*visit.path, service), notice="")
            return after, (StartTimer(Timer.IDLE),)
        # Simple mode has no steps between: somebody at the counter asks for the documents.
        if service in visit.steps and not visit.modes.simple:
            after = replace(visit, phase=Phase.TRIAGE, service=service, notice="")
            return after, (StartTimer(Timer.IDLE),)
        return _asked(visit, service, event.touch)
    if visit.phase is Phase.HOME and control == CONTROL_CHECK_IN:
        return asked_for_code(visit)
    if visit.phase in (Phase.CODE, Phase.LOOKING):
        return tapped_code(visit, event)
    if visit.phase is Phase.CODE_SAID:
        return tapped_code_said(visit, event)
    if visit.phase is Phase.HOME:
        return _tapped_athome(visit, control)
    if visit.phase is Phase.ACCESS:
        return _tapped_access(visit, event)
    if visit.phase is Phase.TRIAGE:
        return _tapped_triage(visit, event)
    if visit.phase is Phase.WARNING:
        return _tapped_warning(visit, control)
    if visit.phase is Phase.TICKET and control in (CONTROL_DONE, CONTROL_ANYWHERE):
        return home(visit)
    if visit.phase is Phase.TICKET and control == CONTROL_NO_SLIP:
        return replace(visit, phase=Phase.NO_SLIP, cause="not_taken"), (StopTimer(),)
    if visit.phase is Phase.NO_SLIP and visit.ticket is not None:
        return _tapped_without_slip(visit, visit.ticket, control)
    return visit, ()


def _asked(visit: Visit, service: str, touch: str) -> tuple[Visit, tuple[Effect, ...]]:
    request = visit.claim_request or touch
    after = replace(visit, phase=Phase.ISSUING, request=request, service="", notice="")
    return after, (StopTimer(), Issue(service, request, visit.segment, visit.claim))


def _tapped_athome(visit: Visit, control: str) -> tuple[Visit, tuple[Effect, ...]]:
    visit = replace(visit, notice="" if visit.claim == NO_CLAIM else visit.notice)
    if control == CONTROL_BACK and visit.path:
        return replace(visit, path=visit.path[:-1]), (StartTimer(Timer.IDLE),)
    after = {
        CONTROL_ACCESS: replace(visit, phase=Phase.ACCESS, chosen=visit.modes),
        CONTROL_EVERYTHING: replace(visit, everything=visit.modes.simple),
        CONTROL_EXIT: replace(visit, modes=PLAIN, chosen=PLAIN, everything=False, path=()),
    }.get(control)
    return (visit, ()) if after is None else (after, (StartTimer(Timer.IDLE),))


def _tapped_access(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    chosen = visit.chosen
    if event.control == CONTROL_PERSON and visit.person:
        return _asked(visit, visit.person, event.touch)
    if event.control == CONTROL_GO:
        after = replace(visit, phase=Phase.HOME, modes=chosen, everything=False, path=())
        return after, (StartTimer(Timer.IDLE),)
    switched = {
        CONTROL_SIMPLE: replace(chosen, simple=not chosen.simple),
        CONTROL_LOW: replace(chosen, low=not chosen.low),
        CONTROL_CONTRAST: replace(chosen, contrast=not chosen.contrast),
        CONTROL_LEFT: replace(chosen, left=not chosen.left),
    }.get(event.control)
    if switched is None:
        return visit, ()
    return replace(visit, chosen=switched), (StartTimer(Timer.IDLE),)


def _tapped_triage(visit: Visit, event: Tapped) -> tuple[Visit, tuple[Effect, ...]]:
    if event.control == CONTROL_COUNTER:
        return _asked(visit, visit.service, event.touch)
    if event.control == CONTROL_PERSON and visit.person:
        return _asked(visit, visit.person, event.touch)
    if event.control == CONTROL_MACHINE:
        kept = replace(visit, phase=Phase.LOOKING, code="", said=None, service="")
        return kept, (StopTimer(), KeepArrival(visit.service))
    if event.control == CONTROL_BACK:
        return replace(visit, phase=Phase.HOME, service=""), (StartTimer(Timer.IDLE),)
    return visit, ()


def _tapped_warning(visit: Visit, control: str) -> tuple[Visit, tuple[Effect, ...]]:
    if control == CONTROL_STAY:
        after = replace(visit, phase=visit.behind, behind=Phase.HOME, left_s=0)
        return after, (StartTimer(Timer.IDLE),)
    return home(visit) if control == CONTROL_FINISH else (visit, ())


def _tapped_without_slip(
    visit: Visit, ticket: Ticket, control: str
) -> tuple[Visit, tuple[Effect, ...]]:
    if control == CONTROL_ACKNOWLEDGE:
        after, effects = home(visit)
        return after, (Acknowledge(ticket), *effects)
    if control == CONTROL_REPRINT and visit.again:
        return replace(visit, phase=Phase.PRINTING, cause="", again=False), (PrintSlip(ticket),)
    return visit, ()
