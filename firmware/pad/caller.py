"""What the teller meets: five keys and four digits. Pure.

A key is an action (link.NEXT .. link.PAUSE), told to the host until it acknowledges or denies it.
A denied action gives an error tone, and the digits show the host's code for CODE_MS. An action
older than LIFE_MS is dropped the same way, with NO_ANSWER: a "next" that arrives late calls
somebody to a teller who has gone on. Nothing of it is kept over a power cut.

Otherwise the digits show the number being served; every ROUND_MS they show for WAITING_MS how many
people wait, if the host knows.
"""

from firmware.pad import link
from firmware.pad.ticks import ticks_add, ticks_diff

FIRST_SEQ = 1 << 29
"""Sequence numbers of actions start here, those of presses at 1: one ACK serves both."""
MAX_ACTIONS = 4
LIFE_MS = 5_000
REPEAT_MS = 300
ROUND_MS = 5_000
WAITING_MS = 1_000
DASHES = b"----"
"""What stands there while no host is known."""
BLANK = b"    "
CODE_MS = 3_000
"""How long a code stands there, unless a key is pressed before."""
NO_ANSWER = b"E-04"
"""The code of an action that nobody took."""


class _Action:
    def __init__(self, seq: int, action: int, now_ms: int) -> None:
        self.seq = seq
        self.action = action
        self.pressed_at = now_ms
        self.due_at = now_ms


class Caller:
    """``digits`` (4 ASCII bytes) are to be shown; ``failed`` counts actions that the host denied
    or nobody took.
    """

    def __init__(self, now_ms: int) -> None:
        self.digits = DASHES
        self.failed = 0
        self.ignored = 0
        self._seq = FIRST_SEQ
        self._actions: list[_Action] = []
        self._number = BLANK
        self._waiting = link.WAITING_UNKNOWN
        self._known = False
        self._round_at = now_ms
        self._code = b""
        self._code_at = now_ms

    @property
    def waiting(self) -> bool:
        """Whether an action was not taken yet."""
        return bool(self._actions)

    def press(self, key: int, now_ms: int) -> None:
        """One debounced key, 0 for the first. The same action twice in a row counts once until it
        is taken: nobody means two customers by an impatient finger.
        """
        self._code = b""
        action = key + 1
        for waiting in self._actions:
            if waiting.action == action:
                self.ignored += 1
                return
        if len(self._actions) >= MAX_ACTIONS:
            self.ignored += 1
            return
        self._seq += 1
        self._actions.append(_Action(self._seq, action, now_ms))

    def show(self, number: bytes, waiting: int, now_ms: int) -> None:
        """Take the number being served, and how many wait (link.WAITING_UNKNOWN: not known)."""
        self._number = number
        self._waiting = waiting
        self._known = True
        self._round_at = now_ms
        self.pass_time(now_ms)

    def host_lost(self) -> None:
        """Nobody knows any more what is being served."""
        self._known = False

    def forget(self, seq: int) -> bool:
        """The host took an action; False if there is none of this number."""
        for at in range(len(self._actions)):
            if self._actions[at].seq == seq:
                self._actions.pop(at)
                return True
        return False

    def deny(self, seq: int, code: bytes, now_ms: int) -> bool:
        """The host did not carry an action out; False if there is none of this number."""
        if not self.forget(seq):
            return False
        self._fail(code, now_ms)
        self.pass_time(now_ms)
        return True

    def due(self, now_ms: int) -> "tuple[int, bytes] | None":
        """Sequence number and body of the next KEY frame that is due."""
        for waiting in self._actions:
            if ticks_diff(now_ms, waiting.due_at) >= 0:
                waiting.due_at = ticks_add(now_ms, REPEAT_MS)
                age_ms = ticks_diff(now_ms, waiting.pressed_at)
                return waiting.seq, link.pack_key(waiting.action, age_ms)
        return None

    def pass_time(self, now_ms: int) -> None:
        """Drop what is too old, and turn the digits."""
        while self._actions and ticks_diff(now_ms, self._actions[0].pressed_at) >= LIFE_MS:
            self._actions.pop(0)
            self._fail(NO_ANSWER, now_ms)
        if self._code and ticks_diff(now_ms, self._code_at) >= CODE_MS:
            self._code = b""
        if self._code:
            self.digits = self._code
            return
        if not self._known:
            self.digits = DASHES
            return
        in_round = ticks_diff(now_ms, self._round_at)
        if in_round >= ROUND_MS:
            self._round_at = now_ms
            in_round = 0
        if in_round < ROUND_MS - WAITING_MS or self._waiting == link.WAITING_UNKNOWN:
            self.digits = self._number
        else:
            self.digits = b"%4d" % self._waiting

    def rest_ms(self, now_ms: int, most_ms: int) -> int:
        """Time until something is due or changes, at most ``most_ms``."""
        rest = most_ms
        for waiting in self._actions:
            rest = min(rest, ticks_diff(waiting.due_at, now_ms))
            rest = min(rest, LIFE_MS - ticks_diff(now_ms, waiting.pressed_at))
        if self._code:
            rest = min(rest, CODE_MS - ticks_diff(now_ms, self._code_at))
        if self._known and self._waiting != link.WAITING_UNKNOWN:
            in_round = ticks_diff(now_ms, self._round_at)
            until = ROUND_MS - WAITING_MS
            rest = min(rest, (until if in_round < until else ROUND_MS) - in_round)
        return rest

    def _fail(self, code: bytes, now_ms: int) -> None:
        self.failed += 1
        self._code = code
        self._code_at = now_ms
