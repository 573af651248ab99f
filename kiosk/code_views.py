"""From a visitor's code to its screens. Pure."""

from datetime import date

from kiosk.code_taps import may_try_again
from kiosk.codes import LATER_MIN, TAKES, CodeSaid
from kiosk.dates import day_words
from kiosk.view import (
    CONTROL_AGAIN,
    CONTROL_BACK,
    CONTROL_COUNTER,
    CONTROL_DONE,
    CONTROL_HELP,
    CONTROL_LATER,
    CONTROL_PERSON,
    CodeSaidView,
    CodeView,
    Header,
    Words,
)
from kiosk.visit import Phase, Visit
from sync.codes import is_code


def code_view(visit: Visit, top: Header, *, reader: bool, person: bool) -> CodeView:
    """The pad."""
    digits = visit.code if is_code(visit.code) or visit.phase is Phase.CODE else ""
    return CodeView(
        visit.language, top, digits, visit.phase is Phase.LOOKING, reader, person, visit.modes
    )


def code_said_view(
    visit: Visit, said: CodeSaid, top: Header, name: Words, *, person: bool
) -> CodeSaidView:
    """What is known, and what can be done; ``name`` is the service's."""
    span = ""
    if said.low_min is not None and said.high_min is not None:
        low, high = said.low_min, said.high_min
        span = f"{low}–{high}" if low != high else f"{low}"
    return CodeSaidView(
        visit.language, top, said.state, choices(visit, said, person=person), name, said.number,
        said.clock, _day(said), said.counter, said.waited_min, said.limit_min, span, LATER_MIN,
        visit.modes,
    )  # fmt: skip


def _day(said: CodeSaid) -> Words:
    return day_words(date.fromisoformat(said.day)) if said.day else Words(en="")


def choices(visit: Visit, said: CodeSaid, *, person: bool) -> tuple[str, ...]:
    """The control ids that are offered, the first one is the primary one. Who has a number
    already gets no second one for a person: somebody is called.
    """
    helped = (CONTROL_PERSON,) if person else ()
    if said.number:
        helped = (CONTROL_HELP,)
    if said.state == "other_day":
        return (CONTROL_DONE, CONTROL_BACK, *helped)
    if said.state == "early":
        return (CONTROL_COUNTER, CONTROL_DONE, CONTROL_BACK, *helped)
    if said.state in TAKES or said.state == "offline":
        return (CONTROL_COUNTER, CONTROL_BACK, *helped)
    if said.state == "breached":
        return (CONTROL_DONE, CONTROL_LATER, *helped)
    if may_try_again(visit):
        return (CONTROL_AGAIN, CONTROL_BACK, *helped)
    return (CONTROL_DONE, *helped)
