"""A device's session with its server, as a pure state machine: what to send, what to send again,
when.

    state      event          next       effects
    OFFLINE    connected      GREETING   hello
    GREETING   welcome ok     STREAMING  cursor set to the server's mark, send what is above it
    GREETING   tick           GREETING   hello again after the greeting time
    STREAMING  ack            STREAMING  cursor raised, send more
    STREAMING  appended       STREAMING  send, as far as the window allows
    STREAMING  tick           STREAMING  nothing acknowledged for the resend time: send again from
    the cursor
    any        welcome fork   REFUSED    stop sending, report (nothing is forgotten)
    any        disconnected   OFFLINE

An ack may only raise the cursor, a welcome may lower it: a server that was restored from a backup
asks again.
"""

from dataclasses import dataclass
from enum import Enum

from sync.messages import Ack, Welcome

WINDOW = 200
"""Most events sent and not acknowledged (design: window of at most 200)."""
BATCH = 50
"""Events a message: below the protocol's cap of 100, so that one lost message costs little."""
GREETING_MS = 3_000
RESEND_MIN_MS = 1_000
RESEND_MAX_MS = 30_000


class SessionState(Enum):
    """Where the session is."""

    OFFLINE = "offline"
    GREETING = "greeting"
    STREAMING = "streaming"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SendHello:
    """Publish a hello with this connect number."""

    connect: int


@dataclass(frozen=True, slots=True)
class SendEvents:
    """Publish events ``first`` to ``last`` (inclusive) as one message."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Acked:
    """The server has committed everything up to ``hw``."""

    hw: int


@dataclass(frozen=True, slots=True)
class Report:
    """Something a technician must know."""

    code: str
    detail: str


Effect = SendHello | SendEvents | Acked | Report


@dataclass(slots=True)
class Session:
    """``cursor`` is acknowledged, ``sent`` was sent since connecting, ``top`` is the last
    journalled.
    """

    epoch: int
    cursor: int
    top: int
    state: SessionState = SessionState.OFFLINE
    sent: int = 0
    connect: int = 0
    resent: int = 0
    _since_ms: int = 0
    _resend_ms: int = RESEND_MIN_MS

    def connected(self, connect: int, now_ms: int) -> list[Effect]:
        """The channel is up; ``connect`` is this connection's durable number."""
        self.state, self.connect, self._since_ms = SessionState.GREETING, connect, now_ms
        self._resend_ms = RESEND_MIN_MS
        return [SendHello(connect)]

    def disconnected(self) -> list[Effect]:
        """The channel is down; the cursor stays."""
        self.state = SessionState.OFFLINE
        return []

    def welcomed(self, welcome: Welcome, digest_at_hw: str, now_ms: int) -> list[Effect]:
        """``digest_at_hw`` is the device's own chain digest after ``welcome.hw``, "" if it has no
        such row.
        """
        if welcome.connect != self.connect or self.state is SessionState.OFFLINE:
            return []
        if welcome.verdict != "ok" or welcome.epoch != self.epoch:
            return self._refuse(welcome.verdict, f"server says epoch {welcome.epoch}")
        if digest_at_hw != welcome.digest:
            return self._refuse("fork", f"chains differ at {self.epoch}/{welcome.hw}")
        self.state, self.cursor, self.sent = SessionState.STREAMING, welcome.hw, welcome.hw
        self._since_ms = now_ms
        return [Acked(welcome.hw), *self._pump(now_ms)]

    def acked(self, ack: Ack, now_ms: int) -> list[Effect]:
        """A committed high-water mark; one from another epoch, or lower, or beyond the journal
        changes nothing.
        """
        if self.state is not SessionState.STREAMING or ack.epoch != self.epoch:
            return []
        if not self.cursor < ack.hw <= self.top:
            return []
        self.cursor, self._since_ms, self._resend_ms = ack.hw, now_ms, RESEND_MIN_MS
        self.sent = max(self.sent, ack.hw)
        return [Acked(ack.hw), *self._pump(now_ms)]

    def appended(self, top: int, now_ms: int) -> list[Effect]:
        """The journal has grown to ``top``."""
        self.top = top
        return self._pump(now_ms) if self.state is SessionState.STREAMING else []

    def tick(self, now_ms: int) -> list[Effect]:
        """Time has passed; call it a few times a second."""
        waited_ms = now_ms - self._since_ms
        if self.state is SessionState.GREETING and waited_ms >= GREETING_MS:
            self._since_ms = now_ms
            return [SendHello(self.connect)]
        if (
            self.state is SessionState.STREAMING
            and self.sent > self.cursor
            and waited_ms >= self._resend_ms
        ):
            self.resent += self.sent - self.cursor
            self.sent, self._since_ms = self.cursor, now_ms
            self._resend_ms = min(self._resend_ms * 2, RESEND_MAX_MS)
            return self._pump(now_ms)
        return []

    def _pump(self, now_ms: int) -> list[Effect]:
        if self.sent == self.cursor:
            self._since_ms = now_ms
        limit = min(self.top, self.cursor + WINDOW)
        effects: list[Effect] = []
        while self.sent < limit:
            last = min(self.sent + BATCH, limit)
            effects.append(SendEvents(self.sent + 1, last))
            self.sent = last
        return effects

    def _refuse(self, code: str, detail: str) -> list[Effect]:
        self.state = SessionState.REFUSED
        return [Report(code, detail)]
