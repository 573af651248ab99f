"""The session against a model: whatever is lost, everything is delivered in the end, in order,
once counted.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sync.messages import Ack, Welcome
from sync.session import (
    BATCH,
    GREETING_MS,
    RESEND_MAX_MS,
    RESEND_MIN_MS,
    WINDOW,
    Acked,
    Report,
    SendEvents,
    SendHello,
    Session,
    SessionState,
)

START = "0" * 16


def welcome(connect: int, hw: int, digest: str = START, **other: object) -> Welcome:
    fields: dict = {"epoch": 1, "verdict": "ok"} | other
    return Welcome(connect=connect, hw=hw, digest=digest, server_gen="g", server_ts=0, **fields)


def ack(hw: int, epoch: int = 1) -> Ack:
    return Ack(epoch=epoch, hw=hw, server_gen="g")


def streaming(top: int = 0, hw: int = 0) -> Session:
    session = Session(epoch=1, cursor=0, top=top)
    session.connected(1, 0)
    session.welcomed(welcome(1, hw), START, 0)
    return session


def test_greets_then_sends_from_the_servers_mark() -> None:
    session = Session(epoch=1, cursor=7, top=7)
    assert session.connected(3, 0) == [SendHello(3)]
    effects = session.welcomed(welcome(3, 5), START, 10)
    assert effects == [Acked(5), SendEvents(6, 7)]
    assert session.state is SessionState.STREAMING


def test_a_welcome_of_an_earlier_connection_changes_nothing() -> None:
    session = Session(epoch=1, cursor=0, top=2)
    session.connected(2, 0)
    assert session.welcomed(welcome(1, 0), START, 1) == []
    assert session.state is SessionState.GREETING
    session.disconnected()
    assert session.welcomed(welcome(2, 0), START, 1) == []


def test_the_window_holds_back_what_is_not_acknowledged() -> None:
    session = streaming(top=WINDOW + 30)
    assert session.sent == WINDOW
    assert session.acked(ack(10), 5)[1:] == [SendEvents(WINDOW + 1, WINDOW + 10)]


def test_batches_are_bounded() -> None:
    session = Session(epoch=1, cursor=0, top=WINDOW)
    session.connected(1, 0)
    sent = [e for e in session.welcomed(welcome(1, 0), START, 0) if isinstance(e, SendEvents)]
    assert all(e.last - e.first < BATCH for e in sent)
    assert sent[0].first == 1
    assert sent[-1].last == WINDOW


def test_resends_from_the_cursor_with_growing_patience() -> None:
    session = streaming(top=3)
    now_ms, patience = 0, []
    for _ in range(8):
        waited = 0
        while not (effects := session.tick(now_ms + waited)):
            waited += 250
        assert effects == [SendEvents(1, 3)]
        patience.append(waited)
        now_ms += waited
    assert patience[0] == RESEND_MIN_MS
    assert patience == sorted(patience)
    assert patience[-1] == RESEND_MAX_MS
    assert session.resent == 24


def test_says_hello_again_when_nobody_answers() -> None:
    session = Session(epoch=1, cursor=0, top=0)
    session.connected(4, 0)
    assert session.tick(GREETING_MS - 1) == []
    assert session.tick(GREETING_MS) == [SendHello(4)]


def test_acks_only_raise_the_cursor() -> None:
    session = streaming(top=9, hw=5)
    for useless in (ack(5), ack(3), ack(10), ack(8, epoch=2)):
        assert session.acked(useless, 1) == []
    assert session.cursor == 5
    assert session.acked(ack(8), 1) == [Acked(8)]
    session.disconnected()
    assert session.acked(ack(9), 2) == []


def test_stops_at_a_fork_and_forgets_nothing() -> None:
    for wrong, own_digest in (
        (welcome(1, 3, "1" * 16), START),
        (welcome(1, 9), ""),
        (welcome(1, 0, verdict="fork"), START),
        (welcome(1, 0, epoch=2), START),
    ):
        session = Session(epoch=1, cursor=2, top=5)
        session.connected(1, 0)
        (report,) = session.welcomed(wrong, own_digest, 0)
        assert isinstance(report, Report)
        assert session.state is SessionState.REFUSED
        assert session.appended(6, 1) == []
        assert session.tick(99_999) == []
        assert session.cursor == 2


class Lossy(RuleBasedStateMachine):
    """A server that keeps what arrives in order, and a channel that loses whatever it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(epoch=1, cursor=0, top=0)
        self.server_hw = 0
        self.now_ms = 0
        self.connect = 0
        self.chance = st.booleans()

    def carry(self, effects: list, arrives: bool) -> None:
        for effect in effects:
            match effect:
                case SendHello(connect) if arrives:
                    mark = welcome(connect, self.server_hw)
                    self.carry(self.session.welcomed(mark, START, self.now_ms), True)
                case SendEvents(first, last) if arrives:
                    if first <= self.server_hw + 1:
                        self.server_hw = max(self.server_hw, last)
                case Acked(hw):
                    assert hw <= self.server_hw

    @rule(count=st.integers(1, 400))
    def journal(self, count: int) -> None:
        self.carry(self.session.appended(self.session.top + count, self.now_ms), True)

    @rule(arrives=st.booleans())
    def come_up(self, arrives: bool) -> None:
        self.connect += 1
        self.carry(self.session.connected(self.connect, self.now_ms), arrives)

    @rule()
    def go_down(self) -> None:
        self.session.disconnected()

    @rule(ms=st.integers(1, 40_000), arrives=st.booleans())
    def pass_time(self, ms: int, arrives: bool) -> None:
        self.now_ms += ms
        self.carry(self.session.tick(self.now_ms), arrives)

    @precondition(lambda self: self.session.state is SessionState.STREAMING)
    @rule(arrives=st.booleans())
    def acknowledge(self, arrives: bool) -> None:
        if arrives:
            self.carry(self.session.acked(ack(self.server_hw), self.now_ms), True)

    @invariant()
    def never_ahead_of_the_server(self) -> None:
        assert self.session.cursor <= self.server_hw <= self.session.top
        assert self.session.sent - self.session.cursor <= WINDOW or not self.session.sent

    def teardown(self) -> None:
        self.come_up(True)
        for _ in range(self.session.top // BATCH + 20):
            self.now_ms += RESEND_MAX_MS
            self.carry(self.session.tick(self.now_ms), True)
            self.carry(self.session.acked(ack(self.server_hw), self.now_ms), True)
        assert self.session.cursor == self.session.top == self.server_hw


TestLossy = Lossy.TestCase
TestLossy.settings = settings(stateful_step_count=40)


@given(st.integers(0, 500), st.integers(0, 500))
def test_whatever_the_mark_the_rest_follows_without_a_gap(top: int, hw: int) -> None:
    hw = min(hw, top)
    session = Session(epoch=1, cursor=0, top=top)
    session.connected(1, 0)
    sent = [e for e in session.welcomed(welcome(1, hw), START, 0) if isinstance(e, SendEvents)]
    covered = [seq for e in sent for seq in range(e.first, e.last + 1)]
    assert covered == list(range(hw + 1, min(top, hw + WINDOW) + 1))
