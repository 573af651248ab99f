"""The visitor's state machine: its table word by word; test_flow_walk.py walks through it."""

import itertools
from dataclasses import replace

import pytest

from kiosk import view
from kiosk.codes import Claim, CodeSaid
from kiosk.feedback import (
    CallHelp,
    Complain,
    HelpSaid,
    LowPress,
    NotRegistered,
    PrintReceipt,
    ReceiptSaid,
    Registered,
    Sheet,
    Talk,
)
from kiosk.flow import (
    Acknowledge,
    Coded,
    CodeFound,
    Declined,
    Effect,
    Event,
    Guided,
    Identified,
    ImpossibleStep,
    Issue,
    Issued,
    KeepArrival,
    LookUp,
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
    step,
)

TICKET = Ticket("id-1", "A001", "A")
OTHER = Ticket("id-2", "A002", "A")
HOME = first_visit("zh_CN")
CLAIM = Claim("abcdefghijklmnop", 1_795_424_400_000, 3, 600_000)
ON_TIME = CodeSaid("on_time", "482915", "B", request="code-1", claim=CLAIM)
VISITS = {
    Phase.HOME: HOME,
    Phase.ACCESS: Visit(Phase.ACCESS, "en", "zh_CN", person="P"),
    Phase.TRIAGE: Visit(Phase.TRIAGE, "en", "zh_CN", person="P", service="B"),
    Phase.FEEDBACK: Visit(Phase.FEEDBACK, "en", "zh_CN", talk=Talk(Sheet.MENU)),
    Phase.CODE: Visit(Phase.CODE, "en", "zh_CN", person="P", code="48291"),
    Phase.LOOKING: Visit(Phase.LOOKING, "en", "zh_CN", person="P", code="482915"),
    Phase.CODE_SAID: Visit(Phase.CODE_SAID, "en", "zh_CN", person="P", said=ON_TIME),
    Phase.WARNING: Visit(Phase.WARNING, "en", "zh_CN", behind=Phase.ACCESS, left_s=20),
    Phase.ISSUING: Visit(Phase.ISSUING, "en", "zh_CN", "vip", "t1"),
    Phase.PRINTING: Visit(Phase.PRINTING, "en", "zh_CN", "vip", "t1", TICKET),
    Phase.TICKET: Visit(Phase.TICKET, "en", "zh_CN", "vip", "t1", TICKET),
    Phase.NO_SLIP: Visit(Phase.NO_SLIP, "en", "zh_CN", "", "t1", TICKET, "paper_out", again=True),
    Phase.ATTRACT: Visit(Phase.ATTRACT, "zh_CN", "zh_CN", slides=4, slide=3),
    Phase.CLOSED: Visit(Phase.CLOSED, "en", "zh_CN", "", "t1", None, "storage_full"),
}
CONTROLS = (
    "service.A", "service.Z", view.CONTROL_LANGUAGE, view.CONTROL_DONE, view.CONTROL_NO_SLIP,
    view.CONTROL_ACKNOWLEDGE, view.CONTROL_ANYWHERE, view.CONTROL_PERSON, view.CONTROL_LISTEN,
    view.CONTROL_ACCESS, view.CONTROL_FEEDBACK, view.CONTROL_REPRINT, view.CONTROL_SIMPLE,
    view.CONTROL_LOW, view.CONTROL_CONTRAST, view.CONTROL_LEFT, view.CONTROL_GO,
    view.CONTROL_EVERYTHING,
    view.CONTROL_BACK, view.CONTROL_COUNTER, view.CONTROL_MACHINE, view.CONTROL_EXIT,
    view.CONTROL_STAY, view.CONTROL_FINISH, view.CONTROL_HELP, view.CONTROL_COMPLAINT,
    view.CONTROL_SUGGESTION, view.CONTROL_COMMITMENTS, view.CONTROL_SKIP, "why.fees",
    "suggest.seats", view.CONTROL_CHECK_IN, "digit.5", view.CONTROL_ERASE, view.CONTROL_AGAIN,
    view.CONTROL_LATER, "",
)  # fmt: skip
TAPS = tuple(Tapped(control, "t2") for control in CONTROLS)
IDLE = (StartTimer(Timer.IDLE),)
PRESS = LowPress("id-7", "A007", 2, 1)
ANSWERS: tuple[Event, ...] = (
    HelpSaid("t2", True), Registered("t2", "4071-5523", "2026-12-08"), NotRegistered("t2"),
    ReceiptSaid("4071-5523", True), PressedLow(PRESS),
)  # fmt: skip
GUIDED = (Guided(), Guided(on=False))
TIME_OUTS = tuple(TimedOut(timer) for timer in Timer)
NEWS: tuple[Event, ...] = (
    Issued(TICKET), Declined("repeated"), Refused("storage_full"), Printed("id-1"),
    Printed("id-2"), PrintFailed("id-1", "cover_open"), PrintFailed("id-2", "cover_open"),
    Reshown(OTHER, "en", "restart"), Resumed(OTHER, "en"), Coded("482915"), CodeFound(ON_TIME),
)  # fmt: skip

# The table of the module's docstring: (phase, event) -> (next phase, effects).
TABLE: dict[tuple[Phase, Event], tuple[Phase, tuple[Effect, ...]]] = {
    (Phase.HOME, Tapped("service.A", "t2")): (
        Phase.ISSUING,
        (StopTimer(), Issue("A", "t2", "")),
    ),
    (Phase.HOME, Tapped("service.Z", "t2")): (
        Phase.ISSUING,
        (StopTimer(), Issue("Z", "t2", "")),
    ),
    (Phase.HOME, Tapped("language", "t2")): (Phase.HOME, (StartTimer(Timer.IDLE),)),
    (Phase.HOME, Identified("vip")): (Phase.HOME, (StartTimer(Timer.IDLE),)),
    (Phase.HOME, TimedOut(Timer.IDLE)): (Phase.HOME, ()),  # nobody chose anything
    (Phase.HOME, Tapped("access", "t2")): (Phase.ACCESS, IDLE),
    (Phase.HOME, Tapped("everything", "t2")): (Phase.HOME, IDLE),
    (Phase.HOME, Tapped("exit", "t2")): (Phase.HOME, IDLE),
    (Phase.ACCESS, Tapped("language", "t2")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Identified("vip")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Tapped("access.simple", "t2")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Tapped("access.low", "t2")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Tapped("access.left", "t2")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Tapped("access.contrast", "t2")): (Phase.ACCESS, IDLE),
    (Phase.ACCESS, Tapped("access.go", "t2")): (Phase.HOME, IDLE),
    (Phase.ACCESS, Tapped("person", "t2")): (Phase.ISSUING, (StopTimer(), Issue("P", "t2", ""))),
    (Phase.ACCESS, TimedOut(Timer.IDLE)): (Phase.WARNING, (StartTimer(Timer.SECOND),)),
    (Phase.TRIAGE, Tapped("language", "t2")): (Phase.TRIAGE, IDLE),
    (Phase.TRIAGE, Identified("vip")): (Phase.TRIAGE, IDLE),
    (Phase.TRIAGE, Tapped("counter", "t2")): (Phase.ISSUING, (StopTimer(), Issue("B", "t2", ""))),
    (Phase.TRIAGE, Tapped("person", "t2")): (Phase.ISSUING, (StopTimer(), Issue("P", "t2", ""))),
    (Phase.TRIAGE, Tapped("machine", "t2")): (Phase.LOOKING, (StopTimer(), KeepArrival("B"))),
    (Phase.TRIAGE, Tapped("back", "t2")): (Phase.HOME, IDLE),
    (Phase.TRIAGE, TimedOut(Timer.IDLE)): (Phase.WARNING, (StartTimer(Timer.SECOND),)),
    (Phase.HOME, Tapped("feedback", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.HOME, Tapped("help", "t2")): (Phase.FEEDBACK, (CallHelp("home", "t2"), *IDLE)),
    (Phase.HOME, PressedLow(PRESS)): (Phase.FEEDBACK, (StartTimer(Timer.REASON),)),
    (Phase.ACCESS, Tapped("feedback", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.ACCESS, Tapped("help", "t2")): (Phase.FEEDBACK, (CallHelp("home", "t2"), *IDLE)),
    (Phase.FEEDBACK, Tapped("language", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.FEEDBACK, Tapped("help", "t2")): (Phase.FEEDBACK, (CallHelp("menu", "t2"), *IDLE)),
    (Phase.FEEDBACK, Tapped("complaint", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.FEEDBACK, Tapped("suggestion", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.FEEDBACK, Tapped("commitments", "t2")): (Phase.FEEDBACK, IDLE),
    (Phase.FEEDBACK, Tapped("back", "t2")): (Phase.HOME, IDLE),
    (Phase.FEEDBACK, TimedOut(Timer.IDLE)): (Phase.WARNING, (StartTimer(Timer.SECOND),)),
    (Phase.ATTRACT, TimedOut(Timer.SLIDE)): (Phase.ATTRACT, (StartTimer(Timer.SLIDE),)),
    (Phase.ATTRACT, Identified("vip")): (Phase.HOME, IDLE),
    (Phase.ATTRACT, PressedLow(PRESS)): (Phase.FEEDBACK, (StartTimer(Timer.REASON),)),
    (Phase.WARNING, TimedOut(Timer.SECOND)): (Phase.WARNING, (StartTimer(Timer.SECOND),)),
    (Phase.WARNING, Tapped("stay", "t2")): (Phase.ACCESS, IDLE),
    (Phase.WARNING, Tapped("finish", "t2")): (Phase.HOME, (StopTimer(),)),
    (Phase.HOME, Reshown(OTHER, "en", "restart")): (Phase.NO_SLIP, (StopTimer(),)),
    (Phase.HOME, Resumed(OTHER, "en")): (Phase.PRINTING, (StopTimer(), PrintSlip(OTHER))),
    (Phase.ISSUING, Issued(TICKET)): (Phase.PRINTING, (PrintSlip(TICKET),)),
    (Phase.ISSUING, Declined("repeated")): (Phase.HOME, (StartTimer(Timer.IDLE),)),
    (Phase.ISSUING, Refused("storage_full")): (Phase.CLOSED, (StartTimer(Timer.RETRY),)),
    (Phase.PRINTING, Printed("id-1")): (Phase.TICKET, (StartTimer(Timer.TICKET),)),
    (Phase.PRINTING, PrintFailed("id-1", "cover_open")): (Phase.NO_SLIP, (StopTimer(),)),
    (Phase.TICKET, Tapped("no_slip", "t2")): (Phase.NO_SLIP, (StopTimer(),)),
    (Phase.TICKET, Tapped("done", "t2")): (Phase.HOME, (StopTimer(),)),
    (Phase.TICKET, Tapped("anywhere", "t2")): (Phase.HOME, (StopTimer(),)),
    (Phase.TICKET, TimedOut(Timer.TICKET)): (Phase.HOME, (StopTimer(),)),
    (Phase.NO_SLIP, Tapped("acknowledge", "t2")): (
        Phase.HOME,
        (Acknowledge(TICKET), StopTimer()),
    ),
    (Phase.NO_SLIP, Tapped("reprint", "t2")): (Phase.PRINTING, (PrintSlip(TICKET),)),
    (Phase.CLOSED, TimedOut(Timer.RETRY)): (Phase.HOME, (StopTimer(),)),
    (Phase.HOME, Tapped("check_in", "t2")): (Phase.CODE, IDLE),
    **{
        (phase, Coded("482915")): (Phase.LOOKING, (StopTimer(), LookUp("482915")))
        for phase in (
            Phase.HOME,
            Phase.ATTRACT,
            Phase.ACCESS,
            Phase.TRIAGE,
            Phase.CODE,
            Phase.CODE_SAID,
        )
    },
    **{
        (phase, Tapped("person", "t2")): (Phase.ISSUING, (StopTimer(), Issue("P", "t2", "")))
        for phase in (Phase.CODE, Phase.LOOKING, Phase.CODE_SAID)
    },
    **{
        (phase, Tapped("back", "t2")): (Phase.HOME, IDLE)
        for phase in (Phase.CODE, Phase.LOOKING, Phase.CODE_SAID)
    },
    (Phase.CODE, Tapped("digit.5", "t2")): (Phase.LOOKING, (StopTimer(), LookUp("482915"))),
    (Phase.CODE, Tapped("erase", "t2")): (Phase.CODE, IDLE),
    (Phase.LOOKING, CodeFound(ON_TIME)): (Phase.CODE_SAID, IDLE),
    (Phase.CODE_SAID, Tapped("counter", "t2")): (
        Phase.ISSUING,
        (StopTimer(), Issue("B", "code-1", "appointment", CLAIM)),
    ),
    (Phase.CODE_SAID, Tapped("done", "t2")): (Phase.HOME, (StopTimer(),)),
    **{
        (phase, event): row
        for phase in (Phase.CODE, Phase.CODE_SAID)
        for event, row in (
            (Identified("vip"), (phase, IDLE)),
            (Tapped("language", "t2"), (phase, IDLE)),
            (TimedOut(Timer.IDLE), (Phase.WARNING, (StartTimer(Timer.SECOND),))),
        )
    },
}


@pytest.mark.parametrize(
    ("phase", "event"),
    list(itertools.product(Phase, (*TAPS, Identified("vip"), *TIME_OUTS, *NEWS, *ANSWERS))),
    ids=str,
)
def test_every_pair_is_what_the_table_says(phase: Phase, event: Event) -> None:
    visit = VISITS[phase]
    expected = TABLE.get((phase, event))
    if expected is not None:
        after, effects = step(visit, event)
        assert (after.phase, effects) == expected
        deciding = (
            Phase.HOME, Phase.ATTRACT, Phase.ISSUING, Phase.ACCESS, Phase.TRIAGE, Phase.FEEDBACK,
            Phase.CODE, Phase.LOOKING, Phase.CODE_SAID,
        )  # fmt: skip
        if after.phase is Phase.HOME and phase not in deciding:
            assert after == HOME
    elif phase is Phase.ATTRACT and isinstance(event, Tapped):
        after, effects = step(first_visit("zh_CN", slides=4), event)
        assert step(visit, event) == (after, effects or (StartTimer(Timer.QUIET),))
    elif event in NEWS and not isinstance(event, Coded | CodeFound):
        with pytest.raises(ImpossibleStep, match=phase.name):
            step(visit, event)
    elif event == Tapped("language", "t2"):
        after, effects = step(visit, event)
        assert (after.phase, after.language, effects) == (phase, "zh_CN", ())
    else:
        assert step(visit, event) == (visit, ()), "a late finger, card or timer changes nothing"


def test_every_row_of_the_table_can_happen() -> None:
    assert {phase for phase, _ in TABLE} == set(Phase)
    for (phase, event), (after, _) in TABLE.items():
        visit, _ = step(VISITS[phase], event)
        assert visit.phase is after
        if after is not phase:
            assert visit != VISITS[phase]


def test_what_a_visit_carries() -> None:
    visit, _ = step(HOME, Identified("vip"))
    visit, _ = step(visit, Tapped("language", "t1"))
    visit, effects = step(visit, Tapped("service.B", "t2"))
    assert effects[-1] == Issue("B", "t2", "vip")
    assert (visit.language, visit.request) == ("en", "t2")
    declined, _ = step(visit, Declined("numbers_exhausted"))
    assert (declined.language, declined.segment, declined.request) == ("en", "vip", "")
    closed, _ = step(visit, Refused("storage_full"))
    assert (closed.cause, closed.ticket) == ("storage_full", None)
    ticket = Ticket("id-9", "B001", "B")
    visit, _ = step(visit, Issued(ticket))
    failed, _ = step(visit, PrintFailed("id-9", "silent"))
    assert (failed.ticket, failed.cause) == (ticket, "silent")
    visit, _ = step(visit, Printed("id-9"))
    not_taken, _ = step(visit, Tapped("no_slip", "t3"))
    assert (not_taken.ticket, not_taken.cause) == (ticket, "not_taken")
    again, _ = step(HOME, Reshown(ticket, "en", "restart"))
    assert (again.ticket, again.language, again.cause) == (ticket, "en", "restart")
    resumed, _ = step(HOME, Resumed(ticket, "en"))
    assert (resumed.ticket, resumed.language, resumed.default_language) == (ticket, "en", "zh_CN")


def test_a_slip_is_printed_again_only_while_the_ticket_may_be() -> None:
    visit = VISITS[Phase.PRINTING]
    for news in (Printed("id-1", again=False), PrintFailed("id-1", "cutter", again=False)):
        spent, _ = step(visit, news)
        spent, _ = step(spent, Tapped("no_slip", "t3"))
        assert step(spent, Tapped("reprint", "t4")) == (spent, ())
    for news in (Printed("id-1", again=True), PrintFailed("id-1", "cutter", again=True)):
        open_, _ = step(visit, news)
        open_, _ = step(open_, Tapped("no_slip", "t3"))
        once, effects = step(open_, Tapped("reprint", "t4"))
        assert (once.phase, effects) == (Phase.PRINTING, (PrintSlip(TICKET),))
        assert step(once, Tapped("reprint", "t5")) == (once, ()), "the second half of a double tap"


def taps(visit: Visit, *controls: str) -> Visit:
    """The visit after these touches."""
    for number, control in enumerate(controls):
        visit, _ = step(visit, Tapped(control, f"touch-{number}"))
    return visit


def test_the_warning_can_be_put_off_as_often_as_the_visitor_likes() -> None:
    visit = taps(HOME, "language")
    for _ in range(12):
        visit, effects = step(visit, TimedOut(Timer.IDLE))
        assert (visit.phase, visit.left_s, effects) == (
            Phase.WARNING, 20, (StartTimer(Timer.SECOND),),
        )  # fmt: skip
        visit, _ = step(visit, TimedOut(Timer.SECOND))
        assert visit.left_s == 19
        visit, effects = step(visit, Tapped("stay", "touch"))
        assert (visit, effects) == (taps(HOME, "language"), IDLE)


@pytest.mark.parametrize(("modes", "whole_s"), [((), 20), (("access.simple",), 60)])
def test_after_the_last_second_everything_is_forgotten(
    modes: tuple[str, ...], whole_s: int
) -> None:
    visit = taps(HOME, "access", *modes, "access.go", "language")
    visit, effects = step(visit, TimedOut(Timer.IDLE))
    seconds = 0
    while visit.phase is Phase.WARNING:
        assert effects == (StartTimer(Timer.SECOND),)
        visit, effects = step(visit, TimedOut(Timer.SECOND))
        seconds += 1
    assert (visit, effects, seconds) == (HOME, (StopTimer(),), whole_s)


def test_modes_are_used_when_the_visitor_is_ready_and_end_with_the_visit() -> None:
    sheet = taps(HOME, "access", "access.simple", "access.contrast", "access.low", "access.low")
    assert (sheet.modes, sheet.chosen) == (view.PLAIN, view.Modes(simple=True, contrast=True))
    visit = taps(sheet, "access.go")
    assert visit.modes == view.Modes(simple=True, contrast=True)
    assert not visit.everything
    assert taps(visit, "everything").everything
    assert taps(visit, "access").chosen == visit.modes
    assert taps(visit, "exit") == HOME
    visit, _ = step(taps(visit, "service.A"), Issued(TICKET))
    visit, _ = step(visit, Printed("id-1"))
    assert visit.modes.simple, "the number is in large print too"
    assert taps(visit, "done") == HOME


def test_the_left_hand_is_a_mode_like_the_others() -> None:
    visit = taps(HOME, "access", "access.left", "access.go")
    assert visit.modes == view.Modes(left=True)
    assert taps(visit, "access", "access.left", "access.go").modes == view.PLAIN
    visit, _ = step(taps(visit, "service.A"), Issued(TICKET))
    visit, _ = step(visit, Printed("id-1"))
    assert visit.modes.left
    assert taps(visit, "done") == HOME, "the next visitor's screens are as ever"


def test_in_simple_mode_one_touch_is_a_ticket() -> None:
    visit = taps(HOME, "access", "access.simple", "access.go")
    _, effects = step(visit, Tapped("service.A", "touch-9"))
    assert effects[-1] == Issue("A", "touch-9", "")


def test_all_services_is_for_simple_mode_and_a_person_where_there_is_one() -> None:
    assert not taps(HOME, "everything").everything
    sheet = taps(HOME, "access")
    assert taps(sheet, "person") == sheet, "no such service is configured"
    visit, effects = step(taps(first_visit("en", "P"), "access"), Tapped("person", "t7"))
    assert (visit.phase, effects[-1]) == (Phase.ISSUING, Issue("P", "t7", ""))
    visit, _ = step(visit, Issued(Ticket("id-3", "P001", "P")))
    visit, _ = step(visit, PrintFailed("id-3", "silent"))
    assert taps(visit, "acknowledge") == first_visit("en", "P")


def test_a_service_with_something_to_read_shows_it_before_the_ticket() -> None:
    home = first_visit("zh_CN", "P", frozenset("B"))
    _, effects = step(home, Tapped("service.A", "t1"))
    assert effects[-1] == Issue("A", "t1", "")
    visit, effects = step(taps(home, "language"), Tapped("service.B", "t1"))
    assert (visit.phase, visit.service, effects) == (Phase.TRIAGE, "B", IDLE)
    assert taps(visit, "back") == taps(home, "language")
    visit, effects = step(visit, Tapped("counter", "t2"))
    assert effects[-1] == Issue("B", "t2", "")


def test_simple_mode_has_no_step_between() -> None:
    home = first_visit("zh_CN", "P", frozenset("B"))
    simple = taps(home, "access", "access.simple", "access.go")
    _, effects = step(simple, Tapped("service.B", "t1"))
    assert effects[-1] == Issue("B", "t1", "")


def test_feedback_keeps_the_visit_until_something_was_said() -> None:
    home = taps(first_visit("zh_CN", "P"), "access", "access.low", "access.go", "language")
    assert taps(home, "feedback", "suggestion", "back", "back") == home
    assert taps(home, "help", "done") == home
    assert taps(home, "feedback", "suggestion", "suggest.seats", "done") == first_visit(
        "zh_CN", "P"
    )


def test_a_receipt_without_paper_is_not_forgotten() -> None:
    visit, effects = step(taps(HOME, "feedback", "complaint"), Tapped("why.fees", "t9"))
    assert effects == (Complain("fees", "t9"), StopTimer())
    visit, effects = step(visit, Registered("t9", "4071-5523", "2026-12-08"))
    assert effects == (PrintReceipt("4071-5523", "2026-12-08"), StopTimer())
    failed, effects = step(visit, ReceiptSaid("4071-5523", False))
    assert effects == (StopTimer(),)
    assert all(step(failed, TimedOut(timer)) == (failed, ()) for timer in Timer)
    assert taps(failed, "acknowledge") == HOME
    printed, effects = step(visit, ReceiptSaid("4071-5523", True))
    assert effects == (StartTimer(Timer.TICKET),)
    assert step(printed, TimedOut(Timer.TICKET)) == (HOME, (StopTimer(),))


def test_a_low_press_asks_only_on_a_screen_that_nobody_uses() -> None:
    used = taps(HOME, "language")
    assert step(used, PressedLow(PRESS)) == (used, ())
    noticed = replace(HOME, notice="home.closing")
    asked, _ = step(noticed, PressedLow(PRESS))
    assert asked.talk == Talk(Sheet.REASON, press=PRESS)
    assert asked.notice == ""
    assert step(asked, TimedOut(Timer.REASON))[0].phase is Phase.HOME
    assert step(asked, TimedOut(Timer.TICKET)) == (asked, ())
    _, effects = step(asked, Tapped("service.A", "t1"))
    assert effects[-1] == Issue("A", "t1", ""), "the finger was on its way to the tile"
    switched, effects = step(asked, Tapped("language", "t1"))
    assert (switched.language, effects) == ("en", (StartTimer(Timer.REASON),))


def test_an_answer_behind_the_warning_is_there_when_the_visitor_stays() -> None:
    visit, _ = step(HOME, Tapped("help", "t1"))
    warned, _ = step(visit, TimedOut(Timer.IDLE))
    told, effects = step(warned, HelpSaid("t1", True))
    assert (told.phase, effects) == (Phase.WARNING, ())
    assert taps(told, "stay") == step(visit, HelpSaid("t1", True))[0]
