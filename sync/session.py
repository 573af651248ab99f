"""A device's session with its server, as a pure state machine: what to send, what to send again,
when.

    state      event            next       effects
    OFFLINE    connected        GREETING   hello
    GREETING   welcome ok       STREAMING  cursor set to the server's mark, send what is above it
    GREETING   tick             GREETING   hello again, each time after a longer while
    GREETING   server started   GREETING   hello now
    STREAMING  ack              STREAMING  cursor raised, missing runs sent again, send more
    STREAMING  ack that misses what is acknowledged, of another server or another chain
                                GREETING   hello
    STREAMING  appended         STREAMING  send, as far as window and rate allow
    STREAMING  tick             STREAMING  no progress for the resend time: again from the cursor
    STREAMING  tick, third time in vain   GREETING   hello
    STREAMING  nobody listens, or the server has gone
                                GREETING   hello after a while
    STREAMING  server started   GREETING   hello
    any        welcome, another history   FORKED   a new epoch, then hello
    FORKED     epoch begun      GREETING   hello
    FORKED     tick             GREETING   hello: the new epoch could not be made durable
    any        the fourth new epoch in ten minutes   REFUSED   report
    any        refused          REFUSED    report; hello again after a minute, over reconnects
    any        disconnected     OFFLINE

An ack may only raise the cursor, a welcome may lower it: a server that was restored from a backup
asks again. Another history is another chain digest at the server's mark, or another epoch: this
device's card or that server was restored, and equal sequence numbers mean different events.

The resend time follows the measured round trip (RFC 6298: SRTT + 4 RTTVAR, no sample from what was
sent twice), doubles with each try in vain and is spread by chance, so that the devices of a branch
do not come back in step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from sync.messages import MAX_BATCH, Ack, Welcome

WINDOW = 200
"""Most events sent and not acknowledged, whatever the welcome says."""
BATCH = MAX_BATCH
GREETING_MS, GREETING_MAX_MS = 1_000, 20_000
RESEND_MIN_MS, RESEND_MAX_MS = 300, 30_000
RESEND_FIRST_MS = 1_000
"""Before the first measured round trip (RFC 6298 §2.1)."""
TRIES = 3
"""Resends without progress before the device asks where the server stands."""
REFUSED_MS = 60_000
EPOCHS, EPOCHS_MS = 3, 600_000
"""Most new epochs in ten minutes: with more of them, two devices have one name."""
SPREAD = 0.25
"""Waiting times vary by this share either way."""
RATE_BURST_S = 0.25
"""A limited rate may save up this much: the shell ticks that often."""


class SessionState(Enum):
    """Where the session is."""

    OFFLINE = "offline"
    GREETING = "greeting"
    STREAMING = "streaming"
    FORKED = "forked"
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
    """Everything up to ``hw`` is committed at the server."""

    hw: int


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """Place the whole retained journal under ``epoch``, then say ``epoch_begun``."""

    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a person must know."""

    code: str
    detail: str


Effect = SendHello | SendEvents | Acked | BeginEpoch | Report


def _no_spread() -> float:
    return 0.5


@dataclass(slots=True)
class Session:
    """``cursor`` is acknowledged, ``sent`` was sent since the welcome, ``top`` is the last
    journalled. ``chance`` gives numbers in [0, 1). ``check_chain`` False compares sequence numbers
    alone: a proof shows what is lost then.
    """

    epoch: int
    cursor: int
    top: int
    chance: Callable[[], float] = _no_spread
    check_chain: bool = True
    state: SessionState = SessionState.OFFLINE
    sent: int = 0
    connect: int = 0
    resent: int = 0
    window: int = WINDOW
    rate_per_s: int = 0
    server_gen: str = ""
    round_trip_ms: float | None = None
    _variance_ms: float = 0.0
    _since_ms: int = 0
    _wait_ms: float = RESEND_FIRST_MS
    _tries: int = 0
    _greetings: int = 0
    _greeted_ms: int = 0
    _refused_until_ms: int = 0
    _sample: tuple[int, int] | None = None  # last of a message sent once, and when
    _mended: set[tuple[int, int]] = field(default_factory=set)
    _begun_ms: list[int] = field(default_factory=list)
    _saved: float = 0.0  # events that the rate allows now
    _saved_ms: int = 0

    def connected(self, connect: int, now_ms: int) -> list[Effect]:
        """The channel is up; ``connect`` is this connection's durable number."""
        self.connect, self._greetings = connect, 0
        if now_ms < self._refused_until_ms:
            # Some brokers end the connection with the refusal: that is no reason to hurry.
            self.state = SessionState.REFUSED
            self._wait(now_ms, self._refused_until_ms - now_ms)
            return []
        return self._greet(now_ms)

    def disconnected(self) -> list[Effect]:
        """The channel is down; the cursor stays."""
        self.state = SessionState.OFFLINE
        return []

    def welcomed(self, welcome: Welcome, digest_at_hw: str, now_ms: int) -> list[Effect]:
        """``digest_at_hw`` is the device's own chain digest after ``welcome.hw``, "" if it has no
        such row.
        """
        if self.state is not SessionState.GREETING or self._is_stale(welcome):
            return []
        if welcome.verdict in ("unknown", "revoked"):
            return self._refuse(welcome.verdict, "the server does not take this device", now_ms)
        if welcome.epoch != self.epoch or welcome.verdict == "fork":
            return self._fork(welcome, f"the server has epoch {welcome.epoch}", now_ms)
        if digest_at_hw != welcome.digest and self.check_chain:
            reason = f"the chains differ at {self.epoch}/{welcome.hw}"
            return self._fork(welcome, reason, now_ms)
        self.state, self.server_gen = SessionState.STREAMING, welcome.server_gen
        self.window = min(max(welcome.window, 1), WINDOW)
        self.rate_per_s = max(welcome.rate_per_s, 0)
        self._saved, self._saved_ms = float(BATCH), now_ms
        self._greetings = 0
        self.cursor = self.sent = min(welcome.hw, self.top)
        self._sample = None  # what was under way before will be sent twice
        self._progressed(now_ms)
        return [Acked(self.cursor), *self._pump(now_ms)]

    def _is_stale(self, welcome: Welcome) -> bool:
        """Whether it answers a hello of before this greeting: what it says may have passed. A
        server never goes below a hello's epoch; one that does not say which hello it answers is
        believed.
        """
        if welcome.connect != self.connect or welcome.epoch < self.epoch:
            return True
        return 0 < welcome.hello_mono_ms < self._greeted_ms

    def epoch_begun(self, epoch: int, top: int, now_ms: int) -> list[Effect]:
        """The retained journal stands under ``epoch`` now, with ``top`` events."""
        self.epoch, self.top, self.cursor, self.sent = epoch, top, 0, 0
        self._begun_ms.append(now_ms)
        return [] if self.state is SessionState.OFFLINE else self._greet(now_ms)

    def acked(self, ack: Ack, digest_at_hw: str, now_ms: int) -> list[Effect]:
        """A committed high-water mark; one from another epoch, or lower, or beyond the journal
        changes nothing. ``digest_at_hw`` is the device's own chain digest there.
        """
        if self.state is not SessionState.STREAMING or ack.epoch != self.epoch:
            return []
        missing = any(first <= self.cursor for first, _ in ack.gaps)
        other = self.check_chain and ack.hw > self.cursor and ack.digest not in ("", digest_at_hw)
        if ack.server_gen != self.server_gen or missing or other:
            # Only a welcome may lower the cursor, or say that the histories differ.
            return self._greet(now_ms)
        effects: list[Effect] = []
        if self.cursor < ack.hw <= self.top:
            self.cursor, self.sent = ack.hw, max(self.sent, ack.hw)
            self._measure(ack.hw, now_ms)
            self._progressed(now_ms)
            effects.append(Acked(ack.hw))
        effects += self._mend(ack.gaps)
        return effects + self._pump(now_ms)

    def appended(self, top: int, now_ms: int) -> list[Effect]:
        """The journal has grown to ``top``."""
        self.top = top
        return self._pump(now_ms) if self.state is SessionState.STREAMING else []

    def unheard(self, now_ms: int) -> list[Effect]:
        """The broker says that nobody listens, or that the server has gone: sending is no use."""
        if self.state is SessionState.STREAMING:
            self.state, self._greetings = SessionState.GREETING, 0
            self._greeted_ms = now_ms
            self._wait(now_ms, GREETING_MS)
        return []

    def refused(self, code: str, detail: str, now_ms: int) -> list[Effect]:
        """The broker does not let us say this: a person must mend it."""
        if self.state in (SessionState.OFFLINE, SessionState.REFUSED):
            return []
        return self._refuse(code, detail, now_ms)

    def server_started(self, now_ms: int) -> list[Effect]:
        """A server came up: ask it where it stands."""
        if self.state in (SessionState.OFFLINE, SessionState.FORKED):
            return []
        self._greetings = 0
        return self._greet(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Time has passed; call it a few times a second."""
        due = now_ms - self._since_ms >= self._wait_ms
        if self.state is SessionState.STREAMING:
            if self.sent == self.cursor or not due:
                return self._pump(now_ms)
            return self._try_again(now_ms)
        if self.state is SessionState.OFFLINE or not due:
            return []
        return self._greet(now_ms, again=self.state is SessionState.GREETING)

    @property
    def waits(self) -> bool:
        """Whether time alone may change something."""
        return self.state in (
            SessionState.GREETING,
            SessionState.FORKED,
            SessionState.REFUSED,
        ) or (self.state is SessionState.STREAMING and self.cursor < self.top)

    def _greet(self, now_ms: int, *, again: bool = False) -> list[Effect]:
        self.state = SessionState.GREETING
        if not again:
            self._greeted_ms = now_ms
        self._wait(now_ms, min(GREETING_MS * 2**self._greetings, GREETING_MAX_MS))
        self._greetings = min(self._greetings + 1, 8)
        return [SendHello(self.connect)]

    def _try_again(self, now_ms: int) -> list[Effect]:
        self._tries += 1
        if self._tries > TRIES:
            return self._greet(now_ms)
        self.resent += self.sent - self.cursor
        self.sent, self._sample = self.cursor, None
        self._mended.clear()
        self._wait(now_ms, min(self._resend_ms() * 2**self._tries, RESEND_MAX_MS))
        return self._pump(now_ms)

    def _mend(self, gaps: list[tuple[int, int]]) -> list[Effect]:
        """Send the missing runs again, each once until time has passed in vain."""
        effects: list[Effect] = []
        for first, last in gaps:
            last = min(last, self.sent)
            if (first, last) in self._mended or not self.cursor < first <= last:
                continue
            self._mended.add((first, last))
            self._sample = None
            self.resent += last - first + 1
            effects += _messages(first, last)
        return effects

    def _pump(self, now_ms: int) -> list[Effect]:
        if self.sent == self.cursor and self._tries == 0:
            self._progressed(now_ms)
        limit = min(self.top, self.cursor + self.window)
        if self.rate_per_s:
            limit = min(limit, self.sent + self._allowed(now_ms))
        if self.sent >= limit:
            return []
        if self._sample is None and self._tries == 0:
            self._sample = (min(self.sent + BATCH, limit), now_ms)
        effects = _messages(self.sent + 1, limit)
        self._saved -= limit - self.sent
        self.sent = limit
        return effects

    def _allowed(self, now_ms: int) -> int:
        """How many events the rate allows now."""
        passed_s = max(now_ms - self._saved_ms, 0) / 1000
        most = max(self.rate_per_s * RATE_BURST_S, 1.0)
        self._saved = min(self._saved + passed_s * self.rate_per_s, most)
        self._saved_ms = now_ms
        return max(int(self._saved), 0)

    def _measure(self, hw: int, now_ms: int) -> None:
        """One round trip at a time (RFC 6298 §2 and §3)."""
        if self._sample is None or hw < self._sample[0]:
            return
        took_ms = float(now_ms - self._sample[1])
        self._sample = None
        if self.round_trip_ms is None:
            self.round_trip_ms, self._variance_ms = took_ms, took_ms / 2
            return
        self._variance_ms += (abs(self.round_trip_ms - took_ms) - self._variance_ms) / 4
        self.round_trip_ms += (took_ms - self.round_trip_ms) / 8

    def _resend_ms(self) -> float:
        if self.round_trip_ms is None:
            return RESEND_FIRST_MS
        wanted_ms = self.round_trip_ms + 4 * self._variance_ms
        return min(max(wanted_ms, RESEND_MIN_MS), RESEND_MAX_MS)

    def _progressed(self, now_ms: int) -> None:
        self._tries = 0
        self._mended = {run for run in self._mended if run[1] > self.cursor}
        self._wait(now_ms, self._resend_ms())

    def _wait(self, now_ms: int, length_ms: float) -> None:
        self._since_ms = now_ms
        self._wait_ms = length_ms * (1 - SPREAD + 2 * SPREAD * self.chance())

    def _fork(self, welcome: Welcome, reason: str, now_ms: int) -> list[Effect]:
        self._begun_ms = [at for at in self._begun_ms if now_ms - at < EPOCHS_MS]
        if len(self._begun_ms) >= EPOCHS:
            detail = f"{reason}; {EPOCHS} new epochs already: has another device this name?"
            return self._refuse("fork", detail, now_ms)
        self.state = SessionState.FORKED
        self._wait(now_ms, GREETING_MAX_MS)
        return [BeginEpoch(max(self.epoch, welcome.epoch) + 1, reason)]

    def _refuse(self, code: str, detail: str, now_ms: int) -> list[Effect]:
        self.state = SessionState.REFUSED
        self._refused_until_ms = now_ms + REFUSED_MS
        self._wait(now_ms, REFUSED_MS)
        return [Report(code, detail)]


def _messages(first: int, last: int) -> list[Effect]:
    """Events ``first`` to ``last``, at most BATCH a message."""
    return [SendEvents(at, min(at + BATCH - 1, last)) for at in range(first, last + 1, BATCH)]
