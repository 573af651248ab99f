"""A visitor's code from the pad to the ticket, touch by touch."""

from dataclasses import replace

import pytest

from kiosk.code_views import choices, code_said_view
from kiosk.codes import (
    MOST_TRIES,
    Claim,
    Coded,
    CodeFound,
    CodeSaid,
    KeepArrival,
    LookUp,
    SetAside,
)
from kiosk.feedback import CallHelp
from kiosk.flow import (
    Effect,
    Identified,
    Issue,
    Issued,
    Phase,
    StartTimer,
    StopTimer,
    Tapped,
    Ticket,
    TimedOut,
    Timer,
    Visit,
    first_visit,
    step,
)
from kiosk.view import Header, Words

HOME = first_visit("zh_CN", "P")
CLAIM = Claim("abcdefghijklmnop", 1_795_424_400_000)
HEADER = Header(Words(en=""), Words(en=""), "")
STATES = (
    "on_time", "early", "late", "other_day", "used", "unknown", "offline", "unreached", "waiting",
    "breached", "parked", "called", "over", "refused",
)  # fmt: skip


def said(state: str, code: str = "482915", number: str = "") -> CodeSaid:
    return CodeSaid(state, code, "B", number, "code-1", CLAIM)


def taps(visit: Visit, *controls: str) -> tuple[Visit, tuple[Effect, ...]]:
    effects: tuple[Effect, ...] = ()
    for number, control in enumerate(controls):
        visit, effects = step(visit, Tapped(control, f"touch-{number}"))
    return visit, effects


def typed(code: str, visit: Visit = HOME) -> Visit:
    after, effects = taps(visit, "check_in", *(f"digit.{digit}" for digit in code))
    assert (after.phase, effects) == (Phase.LOOKING, (StopTimer(), LookUp(code)))
    return after


def found(word: CodeSaid, visit: Visit = HOME) -> Visit:
    after, _ = step(typed(word.code, visit), CodeFound(word))
    assert (after.phase, after.said) == (Phase.CODE_SAID, word)
    return after


def test_six_digits_are_looked_up_and_one_may_be_taken_back() -> None:
    visit, _ = taps(HOME, "check_in", "erase", "digit.4", "digit.9", "erase", "digit.8")
    assert (visit.phase, visit.code) == (Phase.CODE, "48")
    assert taps(typed("482915"), "digit.1", "erase")[0] == typed("482915")
    assert taps(visit, "back")[0] == HOME


def test_an_answer_is_for_the_code_that_is_looked_up_now() -> None:
    left, _ = taps(typed("482915"), "back")
    assert step(left, CodeFound(said("on_time"))) == (left, ())
    other = typed("482916", left)
    assert step(other, CodeFound(said("on_time"))) == (other, ())


@pytest.mark.parametrize("state", ["on_time", "early", "late"])
def test_an_appointment_becomes_a_ticket_by_one_touch_under_its_own_request(state: str) -> None:
    visit, _ = step(HOME, Identified("vip"))
    after, effects = taps(found(said(state), visit), "counter")
    assert (after.phase, after.request) == (Phase.ISSUING, "code-1")
    assert effects == (StopTimer(), Issue("B", "code-1", "appointment", CLAIM))


def test_a_code_that_nobody_knows_may_be_typed_three_times_then_a_person_helps() -> None:
    visit = HOME
    for number in range(MOST_TRIES):
        visit = found(said("unknown"), visit)
        word = visit.said
        assert word is not None
        offered = choices(visit, word, person=True)
        assert ("again" in offered) == (number < MOST_TRIES - 1)
        assert "person" in offered
        if number < MOST_TRIES - 1:
            visit, _ = taps(visit, "again")
            assert (visit.phase, visit.code) == (Phase.CODE, "")
            visit, _ = taps(visit, "back")
    assert taps(visit, "again")[0] == visit
    _, effects = taps(visit, "person")
    assert effects[-1] == Issue("P", "touch-0", "")


def test_without_the_branch_the_next_ticket_carries_the_code() -> None:
    offline = CodeSaid("offline", "482915", request="code-1", claim=Claim("abcdefghijklmnop"))
    visit, _ = taps(found(offline), "counter")
    assert (visit.phase, visit.notice) == (Phase.HOME, "code.choose")
    visit, effects = taps(visit, "language", "service.A")
    assert effects[-1] == Issue("A", "code-1", "", Claim("abcdefghijklmnop"))
    visit, _ = step(visit, Issued(Ticket("id-1", "A001", "A")))
    assert taps(taps(visit, "x")[0], "y")[0] == visit


def test_the_code_of_somebody_who_leaves_is_nobody_s() -> None:
    offline = CodeSaid("offline", "482915", request="code-1", claim=Claim("abcdefghijklmnop"))
    visit, _ = taps(found(offline), "counter")
    visit, _ = step(visit, TimedOut(Timer.IDLE))
    assert taps(visit, "finish")[0] == HOME


def test_a_broken_promise_offers_to_wait_on_or_to_come_back() -> None:
    word = said("breached", "812345", "A042")
    visit = found(word)
    assert choices(visit, word, person=True) == ("done", "later", "help")
    looking, effects = taps(visit, "later")
    assert effects == (StopTimer(), SetAside("812345", "touch-0"))
    parked, _ = step(looking, CodeFound(said("parked", "812345", "A042")))
    assert parked.phase is Phase.CODE_SAID
    assert taps(visit, "done")[0] == HOME
    for other in ("waiting", "parked", "called", "over"):
        calm = found(said(other, "812345", "A042"))
        assert taps(calm, "later")[0] == calm, "only a broken promise is made good"


@pytest.mark.parametrize("state", ["used", "waiting", "breached", "parked", "called", "over"])
def test_who_has_a_number_calls_somebody_and_gets_no_second_one(state: str) -> None:
    visit = found(said(state, "812345", "A042"), replace(HOME, language="en"))
    after, effects = taps(visit, "help")
    assert effects == (CallHelp("home", "touch-0"), StartTimer(Timer.IDLE))
    assert (after.phase, after.said) == (Phase.FEEDBACK, None), (
        "the code is not left on the screen"
    )
    assert taps(after, "done")[0] == replace(HOME, language="en")
    assert taps(found(said("on_time")), "help")[0] == found(said("on_time"))


@pytest.mark.parametrize("state", STATES)
def test_every_word_has_a_way_out_and_offers_only_what_acts(state: str) -> None:
    number = "A042" if state in STATES[8:] or state == "used" else ""
    visit = found(said(state, number=number))
    assert visit.said is not None
    offered = choices(visit, visit.said, person=True)
    assert {"done", "back"} & set(offered)
    for control in offered:
        assert taps(visit, control)[0] != visit, control
    assert {"person", "help"} & set(offered), "a person can be asked for"
    for control in {"counter", "later", "again", "person", "help"} - set(offered):
        assert taps(visit, control)[0] == visit, control


def test_a_code_at_the_reader_is_looked_up_wherever_nothing_is_out() -> None:
    for visit in (HOME, taps(HOME, "access")[0], taps(HOME, "check_in", "digit.1")[0]):
        after, effects = step(visit, Coded("482915"))
        assert (after.phase, effects) == (Phase.LOOKING, (StopTimer(), LookUp("482915")))
    out, _ = step(taps(HOME, "service.A")[0], Issued(Ticket("id-1", "A001", "A")))
    assert step(out, Coded("482915")) == (out, ())


@pytest.mark.parametrize(
    ("low", "high", "span"), [(10, 20, "10–20"), (5, 5, "5"), (None, None, "")]
)
def test_what_was_forecast_is_said_as_an_interval(
    low: int | None, high: int | None, span: str
) -> None:
    word = CodeSaid("waiting", "812345", number="A042", low_min=low, high_min=high)
    assert code_said_view(HOME, word, HEADER, Words(en=""), person=True).span == span


def test_who_goes_to_the_machine_gets_a_code_and_leaves_none_on_the_screen() -> None:
    home = first_visit("zh_CN", "P", frozenset("B"))
    visit, effects = taps(home, "language", "service.B", "machine")
    assert (visit.phase, effects[-1]) == (Phase.LOOKING, KeepArrival("B"))
    visit, _ = step(visit, CodeFound(CodeSaid("return", "", "B", "912345", clock="09:15")))
    assert (visit.phase, visit.language) == (Phase.CODE_SAID, "en")
    assert step(visit, TimedOut(Timer.IDLE)) == (home, (StopTimer(),))
    assert taps(visit, "done")[0] == home


def test_who_comes_back_from_the_machine_has_the_ticket_by_the_code_alone() -> None:
    claim = Claim(waited_ms=600_000)
    word = CodeSaid("back", "912345", "B", request="return-1", claim=claim)
    visit, effects = step(typed("912345"), CodeFound(word))
    assert (visit.phase, visit.request) == (Phase.ISSUING, "return-1")
    assert effects == (StopTimer(), Issue("B", "return-1", "", claim))
