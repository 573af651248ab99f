"""The session as a state machine: a device, a server and a line that loses what it likes; card and
server may be restored from copies, and everything that is retained is delivered in the end.
"""

import random

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sync.session import (
    BATCH,
    GREETING_MAX_MS,
    RESEND_MAX_MS,
    WINDOW,
    BeginEpoch,
    SendEvents,
    SendHello,
    Session,
    SessionState,
)
from tests.unit.sync.test_session import START, ack, welcome


class Server:
    """A server in a dozen lines. A row is what an event says; the digest of a mark is its
    history.
    """

    def __init__(self) -> None:
        self.epoch = 1
        self.rows: list[int] = []
        self.known: set[int] = set()

    @property
    def hw(self) -> int:
        return len(self.rows)

    def copy(self) -> "Server":
        twin = Server()
        twin.epoch, twin.rows, twin.known = self.epoch, list(self.rows), set(self.known)
        return twin


def digest(rows: list[int]) -> str:
    return f"{hash(tuple(rows)) & (2**64 - 1):016x}" if rows else START


class Line(RuleBasedStateMachine):
    """A device, a server, a line that loses what it likes; both can be restored from a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []  # what the device's journal says, in order
        self.said = 0
        chance = random.Random(1)
        self.session = Session(epoch=1, cursor=0, top=0, chance=chance.random)
        self.server, self.server_copy = Server(), Server()
        self.card: tuple[int, list[int]] = (1, [])
        self.now_ms = self.connect = 0

    def carry(self, effects: list, arrives: bool) -> None:
        for effect in effects:
            match effect:
                case SendHello(connect) if arrives:
                    epoch = max(self.session.epoch, self.server.epoch)
                    rows = self.server.rows if epoch == self.server.epoch else []
                    mark = welcome(connect, len(rows), digest(rows), epoch=epoch)
                    own = digest(self.rows[: len(rows)]) if len(rows) <= len(self.rows) else ""
                    self.carry(self.session.welcomed(mark, own, self.now_ms), True)
                case SendEvents(first, last) if arrives:
                    self.take(first, last)
                case BeginEpoch(epoch):
                    assert epoch > self.session.epoch
                    begun = self.session.epoch_begun(epoch, len(self.rows), self.now_ms)
                    self.carry(begun, arrives)

    def take(self, first: int, last: int) -> None:
        assert 1 <= first <= last <= len(self.rows)
        if self.session.epoch > self.server.epoch and first == 1:
            self.server.epoch, self.server.rows = self.session.epoch, []
        if self.session.epoch == self.server.epoch and first <= self.server.hw + 1:
            self.server.rows += self.rows[self.server.hw : last]
            self.server.known |= set(self.server.rows)

    @rule(count=st.integers(1, 300))
    def journal(self, count: int) -> None:
        self.rows += range(self.said, self.said + count)
        self.said += count
        self.carry(self.session.appended(len(self.rows), self.now_ms), True)

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

    @rule()
    def nobody_listens(self) -> None:
        self.carry(self.session.unheard(self.now_ms), True)

    @precondition(lambda self: self.session.state is SessionState.STREAMING)
    @rule(gaps=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), max_size=2))
    def acknowledge(self, gaps: list) -> None:
        above = [(a + self.server.hw, a + b + self.server.hw) for a, b in gaps]
        said = ack(self.server.hw, epoch=self.server.epoch, gaps=above)
        self.carry(self.session.acked(said, START, self.now_ms), True)

    @rule()
    def copy_both(self) -> None:
        self.card = (self.session.epoch, list(self.rows))
        self.server_copy = self.server.copy()

    @rule()
    def restore_the_card(self) -> None:
        epoch, rows = self.card
        self.rows = list(rows)
        self.session = Session(epoch, 0, len(self.rows), chance=self.session.chance)

    @rule()
    def restore_the_server(self) -> None:
        self.server = self.server_copy.copy()
        self.carry(self.session.server_started(self.now_ms), True)

    @invariant()
    def never_beyond_the_journal_or_the_window(self) -> None:
        assert self.session.cursor <= max(self.session.sent, self.session.cursor)
        assert self.session.sent <= self.session.top == len(self.rows)
        assert self.session.sent - self.session.cursor <= WINDOW

    def teardown(self) -> None:
        self.connect += 1
        self.carry(self.session.connected(self.connect, self.now_ms), True)
        for _ in range(2 * len(self.rows) // BATCH + 40):
            self.now_ms += RESEND_MAX_MS + GREETING_MAX_MS
            self.carry(self.session.tick(self.now_ms), True)
            said = ack(self.server.hw, epoch=self.server.epoch)
            self.carry(self.session.acked(said, START, self.now_ms), True)
        assert set(self.rows) <= self.server.known
        if self.rows:  # a new epoch reaches the server with its first event
            assert self.server.rows == self.rows
        assert self.session.cursor == len(self.rows)


TestLine = Line.TestCase
TestLine.settings = settings(stateful_step_count=40)
