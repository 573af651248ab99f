"""A visit by keys and speech: it has the longer times, and what it had ends with it."""

from dataclasses import replace

import pytest

from kiosk.flow import Guided, Phase, StartTimer, Tapped, TimedOut, Timer, first_visit, step
from kiosk.times import length_s
from kiosk.visit import sheet_timer
from sync.offer import Content
from tests.unit.kiosk.test_flow import HOME, IDLE, VISITS

PUT_OFF = {
    Phase.HOME: Timer.IDLE, Phase.ACCESS: Timer.IDLE, Phase.TRIAGE: Timer.IDLE,
    Phase.WARNING: Timer.SECOND, Phase.TICKET: Timer.TICKET,
}  # fmt: skip


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ATTRACT])
def test_a_key_of_the_guide_puts_off_what_ends_the_visit(phase: Phase) -> None:
    visit = VISITS[phase]
    guided, effects = step(visit, Guided())
    timer = PUT_OFF.get(phase)
    sheet = sheet_timer(visit.talk) if phase is Phase.FEEDBACK and visit.talk else ()
    assert effects == ((StartTimer(timer),) if timer else sheet)
    left_s = 60 if phase is Phase.WARNING else visit.left_s
    assert guided == replace(visit, guided=True, left_s=left_s)
    assert step(guided, Guided(on=False)) == (replace(visit, left_s=left_s), ())


def test_a_key_of_the_guide_ends_the_public_words() -> None:
    home = first_visit("zh_CN", slides=4)
    attract = replace(home, phase=Phase.ATTRACT, slide=3)
    assert step(attract, Guided()) == (replace(home, guided=True), IDLE)
    assert step(attract, Guided(on=False)) == (attract, ())


def test_keys_and_speech_have_the_longer_times_and_end_with_the_visit() -> None:
    plain, guided = HOME, step(HOME, Guided())[0]
    kept = [timer for timer in Timer if timer not in (Timer.QUIET, Timer.SLIDE)]
    lengths = [
        [length_s(timer, one, 15.0, Content()) for timer in kept] for one in (plain, guided)
    ]
    assert lengths == [[45.0, 1.0, 15.0, 5.0, 30.0], [90.0, 1.0, 60.0, 5.0, 30.0]]
    warned, effects = step(guided, TimedOut(Timer.IDLE))
    assert (warned.phase, warned.left_s) == (Phase.WARNING, 60), "somebody listens at home"
    assert effects == (StartTimer(Timer.SECOND),)
    assert step(replace(warned, left_s=1), TimedOut(Timer.SECOND))[0] == HOME
    ticket = replace(VISITS[Phase.TICKET], guided=True)
    assert step(ticket, Tapped("done", "t2"))[0] == HOME
    to_machine, _ = step(replace(VISITS[Phase.TRIAGE], guided=True), Tapped("machine", "t2"))
    assert (to_machine.guided, to_machine.phase) == (True, Phase.LOOKING), "it is still said"
