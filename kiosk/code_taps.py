"""What happens around a visitor's code: the rows of :mod:`kiosk.flow` of CODE, LOOKING and
CODE_SAID. Pure.
"""

from dataclasses import replace

from kiosk import feedback
from kiosk.codes import MOST_TRIES, NO_CLAIM, TAKES, Coded, CodeFound, LookUp, SetAside
from kiosk.view import (
    CONTROL_AGAIN,
    CONTROL_BACK,
    CONTROL_COUNTER,
    CONTROL_DONE,
    CONTROL_ERASE,
    CONTROL_HELP,
    CONTROL_LATER,
    CONTROL_PERSON,
    DIGIT_PREFIX,
)
from kiosk.visit import (
    Effect,
    Issue,
    Phase,
    StartTimer,
    StopTimer,
    Tapped,
    Timer,
    Visit,
    fresh,
    home,
    talked,
)
from sync.codes import CODE_DIGITS

CODE_NOTICE = "code.choose"
IDLE = (StartTimer(Timer.IDLE),)
READS = (Phase.HOME, Phase.ACCESS, Phase.TRIAGE, Phase.CODE, Phase.CODE_SAID)
"""Where a code at the reader is this visitor's."""

Step = tuple[Visit, tuple[Effect, ...]]


def asked_for_code(visit: Visit) -> Step:
    """The pad, empty."""
    return replace(visit, phase=Phase.CODE, code="", said=None, notice="", service=""), IDLE


def coded(visit: Visit, event: Coded) -> Step:
    """A code at the reader."""
    if visit.phase is Phase.ATTRACT:
        return _look_up(fresh(visit), event.code)
    return _look_up(visit, event.code) if visit.phase in READS else (visit, ())


def found(visit: Visit, event: CodeFound) -> Step:
    """The word on the code that was looked up."""
    said = event.said
    if visit.phase is not Phase.LOOKING or said.code != visit.code:
        return visit, ()  # an earlier one's, that was left
    if said.state == "back":
        issuing = replace(visit, phase=Phase.ISSUING, request=said.request, code="")
        ask = Issue(said.service, said.request, visit.segment, said.claim)
        return issuing, (StopTimer(), ask)
    tries = visit.tries + (not said.is_known)
    return replace(visit, phase=Phase.CODE_SAID, said=said, code="", tries=tries), IDLE


def may_try_again(visit: Visit) -> bool:
    """Whether another code may be typed."""
    return visit.said is not None and not visit.said.is_known and visit.tries < MOST_TRIES


def tapped_code(visit: Visit, event: Tapped) -> Step:
    """A touch on the pad."""
    control = event.control
    asked = visit.phase is Phase.LOOKING  # its answer is on the way, or not: it can be left
    if control.startswith(DIGIT_PREFIX) and not asked:
        code = visit.code + control.removeprefix(DIGIT_PREFIX)
        return _look_up(visit, code) if len(code) >= CODE_DIGITS else (
            replace(visit, code=code), IDLE
        )  # fmt: skip
    if control == CONTROL_ERASE and not asked:
        return replace(visit, code=visit.code[:-1]), IDLE
    if control == CONTROL_BACK:
        return replace(visit, phase=Phase.HOME, code=""), IDLE
    if control == CONTROL_PERSON and visit.person:
        return _person(visit, event.touch)
    return visit, ()


def tapped_code_said(visit: Visit, event: Tapped) -> Step:
    """A touch below what is said of the code."""
    said, control = visit.said, event.control
    if said is None or control == CONTROL_DONE:
        return home(visit)
    if control == CONTROL_COUNTER and said.state in TAKES:
        issuing = replace(visit, phase=Phase.ISSUING, request=said.request, said=None)
        segment = "appointment" if said.claim.appointment_ms else visit.segment
        ask = Issue(said.service, said.request, segment, said.claim)
        return issuing, (StopTimer(), ask)
    if control == CONTROL_COUNTER and said.state == "offline":
        # Whatever service is chosen now: its ticket carries the code, the branch does the rest.
        after = replace(visit, phase=Phase.HOME, said=None, notice=CODE_NOTICE)
        return replace(after, claim=said.claim, claim_request=said.request), IDLE
    if control == CONTROL_LATER and said.state == "breached":
        looking = replace(visit, phase=Phase.LOOKING, code=said.code)
        return looking, (StopTimer(), SetAside(said.code, event.touch))
    if control == CONTROL_AGAIN and may_try_again(visit):
        return asked_for_code(visit)
    if control == CONTROL_BACK:
        return replace(visit, phase=Phase.HOME, said=None), IDLE
    if control == CONTROL_PERSON and visit.person and not said.number:
        return _person(visit, event.touch)
    if control == CONTROL_HELP and said.number:
        return talked(replace(visit, said=None), feedback.begun(control, event.touch))
    return visit, ()


def _look_up(visit: Visit, code: str) -> Step:
    after = replace(visit, phase=Phase.LOOKING, code=code, said=None, service="", notice="")
    return after, (StopTimer(), LookUp(code))


def _person(visit: Visit, touch: str) -> Step:
    after = replace(visit, phase=Phase.ISSUING, request=touch, code="", said=None)
    return after, (StopTimer(), Issue(visit.person, touch, visit.segment, NO_CLAIM))
