"""Any walk through the visitor's state machine."""

import itertools

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kiosk.codes import CodeSaid
from kiosk.feedback import (
    CallHelp,
    Complain,
    HelpSaid,
    NotRegistered,
    PrintReceipt,
    Receipt,
    ReceiptSaid,
    Registered,
    Sheet,
)
from kiosk.flow import (
    Acknowledge,
    Coded,
    CodeFound,
    Declined,
    Event,
    Guided,
    Identified,
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
    SetAside,
    StartTimer,
    StopTimer,
    Tapped,
    Ticket,
    TimedOut,
    Timer,
    first_visit,
    step,
)
from tests.unit.kiosk.test_flow import CLAIM, CONTROLS, GUIDED, PRESS

WALKED = first_visit("zh_CN", "P", frozenset("B"), groups=frozenset("A"), slides=4)


class Walk(RuleBasedStateMachine):
    """A shell that answers each effect once, and people who tap whatever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.visit = WALKED
        self.asked: Issue | None = None
        self.printing: Ticket | None = None
        self.timer: Timer | None = None
        self.requests: list[str] = []
        self.prints: dict[str, int] = {}
        self.looking: str | None = None
        self.touches = itertools.count(1)
        self.tickets = itertools.count(1)
        self.last_touch = "touch-0"
        self.unanswered: list[CallHelp | Complain | PrintReceipt] = []

    def happen(self, event: Event) -> None:
        before = self.visit
        self.visit, effects = step(before, event)
        for effect in effects:
            match effect:
                case Issue():
                    assert self.asked is None, "a second ticket asked for before the first answer"
                    self.asked = effect
                    self.requests.append(effect.request)
                case LookUp(code) | SetAside(code):
                    self.looking = code
                case KeepArrival():
                    self.looking = ""
                case PrintSlip(ticket):
                    assert self.printing is None
                    assert ticket == self.visit.ticket
                    self.printing = ticket
                    self.prints[ticket.id] = self.prints.get(ticket.id, 0) + 1
                case Acknowledge(ticket):
                    assert (before.phase, ticket) == (Phase.NO_SLIP, before.ticket)
                case CallHelp() | Complain() | PrintReceipt():
                    self.unanswered.append(effect)
                case StartTimer(timer):
                    self.timer = timer
                case StopTimer():
                    self.timer = None
        held = before.ticket
        if held is not None and self.visit.ticket != held:
            assert self.visit.phase is Phase.HOME
            assert event in (TimedOut(Timer.TICKET), Tapped("done", self.last_touch),
                             Tapped("anywhere", self.last_touch),
                             Tapped("acknowledge", self.last_touch))  # fmt: skip
        if before.phase is Phase.NO_SLIP and self.visit.phase is not Phase.NO_SLIP:
            way_out = "acknowledge" if self.visit.phase is Phase.HOME else "reprint"
            assert event == Tapped(way_out, self.last_touch)

    @rule(control=st.sampled_from(CONTROLS), twice=st.booleans())
    def tap(self, control: str, twice: bool) -> None:
        """Any tap is possible at any time; a bouncing panel says it twice, with one name."""
        self.last_touch = f"touch-{next(self.touches)}"
        for _ in range(1 + twice):
            asked = self.asked
            self.happen(Tapped(control, self.last_touch))
            if asked is not None:
                assert self.asked is asked

    @rule(segment=st.sampled_from(["vip", "priority"]))
    def identify(self, segment: str) -> None:
        self.happen(Identified(segment))

    @rule(key=st.sampled_from(GUIDED))
    def guide(self, key: Guided) -> None:
        self.happen(key)

    @rule(timer=st.sampled_from(Timer))
    def late_time_out(self, timer: Timer) -> None:
        """A timer may have run out while what stops it was on its way."""
        if timer is self.timer:
            self.timer = None
        self.happen(TimedOut(timer))

    @precondition(lambda self: self.timer is not None)
    @rule()
    def time_out(self) -> None:
        timer, self.timer = self.timer, None
        assert timer is not None
        self.happen(TimedOut(timer))

    @precondition(lambda self: self.asked is not None)
    @rule(answer=st.sampled_from(["issued", "declined", "refused"]))
    def answer(self, answer: str) -> None:
        asked, self.asked = self.asked, None
        assert asked is not None
        number = next(self.tickets)
        ticket = Ticket(f"id-{number}", f"A{number:03d}", asked.service)
        answers: dict[str, Event] = {
            "issued": Issued(ticket),
            "declined": Declined("numbers_exhausted"),
            "refused": Refused("storage_full"),
        }
        self.happen(answers[answer])

    @rule()
    def show_code(self) -> None:
        self.happen(Coded("482915"))

    @precondition(lambda self: self.looking is not None)
    @rule(state=st.sampled_from(["on_time", "unknown", "offline", "breached", "used", "back"]))
    def look_up(self, state: str) -> None:
        """The answer may come when its visitor has left the pad."""
        code, self.looking = self.looking, None
        assert code is not None
        number = "" if state in ("on_time", "unknown", "offline", "back") else "A042"
        request = f"code-{next(self.touches)}"
        self.happen(CodeFound(CodeSaid(state, code, "A", number, request, CLAIM)))

    @precondition(lambda self: self.printing is not None)
    @rule(printed=st.booleans())
    def printer_says(self, printed: bool) -> None:
        ticket, self.printing = self.printing, None
        assert ticket is not None
        again = self.prints[ticket.id] < 2
        failed = PrintFailed(ticket.id, "silent", again)
        self.happen(Printed(ticket.id, again) if printed else failed)

    @precondition(lambda self: self.unanswered)
    @rule(good=st.booleans())
    def answer_a_sheet(self, good: bool) -> None:
        """Whatever the visitor did meanwhile."""
        match self.unanswered.pop(0):
            case CallHelp(request=request):
                self.happen(HelpSaid(request, good))
            case Complain(request=request) if good:
                self.happen(Registered(request, f"{request}-number", "2026-12-08"))
            case Complain(request=request):
                self.happen(NotRegistered(request))
            case PrintReceipt(number, _):
                self.happen(ReceiptSaid(number, good))

    @rule()
    def press_low(self) -> None:
        self.happen(PressedLow(PRESS))

    @precondition(lambda self: self.visit.phase is Phase.HOME)
    @rule(begun=st.booleans())
    def restart(self, begun: bool) -> None:
        ticket = Ticket(f"id-{next(self.tickets)}", "A999", "A")
        self.happen(Reshown(ticket, "en", "restart") if begun else Resumed(ticket, "en"))

    @invariant()
    def a_number_is_printed_again_at_most_once(self) -> None:
        assert all(count <= 2 for count in self.prints.values())

    @invariant()
    def one_issue_a_request(self) -> None:
        own = [name for name in self.requests if not name.startswith("code-")]
        assert len(own) == len(set(own))

    @invariant()
    def a_ticket_in_hand_is_shown(self) -> None:
        showing = self.visit.phase in (Phase.PRINTING, Phase.TICKET, Phase.NO_SLIP)
        assert showing == (self.visit.ticket is not None)

    @invariant()
    def nothing_waits_for_nobody(self) -> None:
        assert (self.visit.phase is Phase.ISSUING) == (self.asked is not None)
        assert (self.visit.phase is Phase.PRINTING) == (self.printing is not None)

    @invariant()
    def a_sheet_is_open_in_its_phase_alone(self) -> None:
        visit = self.visit
        behind = visit.behind if visit.phase is Phase.WARNING else visit.phase
        assert (visit.talk is not None) == (behind is Phase.FEEDBACK)

    @invariant()
    def home_belongs_to_the_next_visitor(self) -> None:
        """What is left of a visitor on the home screen is wiped by a running timer."""
        visit = self.visit
        if visit.phase is Phase.HOME and visit != WALKED:
            assert (visit.ticket, visit.request, visit.cause) == (None, "", "")
            assert self.timer is Timer.IDLE

    @invariant()
    def the_right_timer_runs(self) -> None:
        expected = {
            Phase.TICKET: {Timer.TICKET},
            Phase.CLOSED: {Timer.RETRY},
            Phase.ACCESS: {Timer.IDLE},
            Phase.TRIAGE: {Timer.IDLE},
            Phase.CODE: {Timer.IDLE},
            Phase.CODE_SAID: {Timer.IDLE},
            Phase.WARNING: {Timer.SECOND},
            Phase.ATTRACT: {Timer.SLIDE},
        }
        talk = self.visit.talk
        if self.visit.phase is Phase.HOME:
            assert self.timer in (None, Timer.IDLE, Timer.QUIET)
        elif self.visit.phase is Phase.FEEDBACK and talk is not None:
            sheets = {Sheet.REASON: Timer.REASON, Sheet.THANKS: Timer.TICKET}
            wanted = sheets.get(talk.sheet, Timer.IDLE)
            if talk.sheet is Sheet.RECEIPT:
                printed = talk.receipt is Receipt.PRINTED
                assert self.timer is (Timer.TICKET if printed else None)
            else:
                assert self.timer is wanted
        else:
            assert self.timer in expected.get(self.visit.phase, {None})


TestWalk = Walk.TestCase
