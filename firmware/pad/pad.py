"""The rating pad's own logic: five keys, five lamps, one press for one visit.

Pure: frames, key samples and time come in as arguments; what goes out is ``leds`` (a mask) and
the frames that ``due`` writes. Time is ticks of 1 ms that wrap at 2^30, as on the RP2040 (12.4
days).

The face, what the visitor meets; changed only by ``_face``::

    state    | ARM            | DISARM  | key pressed                   | time
    IDLE     | ARMED          | IDLE    | IDLE, kept with nonce 0       | -
    ARMED    | ARMED, anew    | IDLE    | PRESSED, kept with its nonce  | window over: IDLE
    PRESSED  | ARMED          | PRESSED | PRESSED, ignored and counted  | thanks over: IDLE

Lamps: all five while ARMED; the pressed one alone while PRESSED, that is for THANKS_MS and on
until the host has acknowledged, at most THANKS_MAX_MS; none while IDLE. An armed press that finds
the store full is counted in ``dropped`` and leaves the face ARMED: no thanks for what would be
lost.

The greeting, whether a host listens; changed only by ``_greet``::

    state    | HELLO_ACK ok | HELLO_ACK refused | WHO            | ARM, DISARM          | host
    silent CALLING  | GREETED      | CALLING, slowly   | CALLING, anew  | ignored and counted  | -
    GREETED  | GREETED      | CALLING, slowly   | CALLING, anew  | done and answered    | CALLING,
    anew

CALLING repeats HELLO, at once if it was given a command; GREETED sends PING as heartbeat, answers
commands and sends the presses kept. A pad keeps its face when the host goes silent. Not kept over
a power cut: presses and the arming.
"""

from firmware.pad import link

TICKS_MASK = (1 << 30) - 1
"""Ticks are modulo 2^30, the period of ``time.ticks_ms`` on the RP2040."""
TICKS_HALF = 1 << 29

SAMPLE_MS = 5
SAMPLES_TO_SETTLE = 4
"""Debounce: a key has moved when 4 samples 5 ms apart agree."""
STUCK_MS = 30_000
"""Nobody leans on a key for half a minute: such a key is a fault and no longer read."""
THANKS_MS = 2_000
THANKS_MAX_MS = 10_000
MAX_KEPT = 32
MAX_UNSOLICITED_KEPT = 16
"""Presses nobody asked for take at most half of the store."""
UNSOLICITED_GAP_MS = 1_000
"""A child at the keys fills no journal: one unasked press a second is kept."""
REPEAT_FAST_MS = 300
REPEAT_SLOW_MS = 2_000
FAST_TRIES = 5
HELLO_FAST_MS = 500
HELLO_SLOW_MS = 2_000
FAST_HELLOS = 10
BEAT_MS = 2_000
HOST_SILENT_MS = 6_000
"""Three heartbeats without an answer: say HELLO again."""
AGE_MAX_MS = 1 << 28
"""Ages stop at 3.1 days, before the wrap could make them young again."""
U16_MAX = 0xFFFF

IDLE = 0
ARMED = 1
PRESSED = 2

CALLING = 0
GREETED = 1


def ticks_add(ticks: int, delta_ms: int) -> int:
    """Return ``ticks`` + ``delta_ms`` modulo 2^30; no step leaves the RP2040's small integers."""
    if ticks > TICKS_MASK - delta_ms:
        return ticks - TICKS_MASK - 1 + delta_ms
    return ticks + delta_ms


def ticks_diff(end: int, start: int) -> int:
    """Return ``end`` - ``start`` in ms across the wrap, for distances under 2^29 ms (6.2 days)."""
    diff = (end - start) & TICKS_MASK
    return diff - TICKS_MASK - 1 if diff >= TICKS_HALF else diff


class _Kept:
    """A press that the host has not acknowledged."""

    def __init__(self, seq: int, nonce: int, score: int, now_ms: int) -> None:
        self.seq = seq
        self.nonce = nonce
        self.score = score
        self.pressed_at = now_ms
        self.due_at = now_ms
        self.tries = 0


class Pad:
    """One pad. ``boot_id`` is a random u32, new at each boot; ``hello`` the body of its HELLO.

    Call ``received`` for every frame, ``sample`` with the mask of keys held down (bit 0 is key
    1), then ``due`` until it returns 0, then wait at most ``rest_ms``; ``leds`` is to be shown
    after each call.
    """

    def __init__(self, boot_id: int, hello: bytes, now_ms: int) -> None:
        self.boot_id = boot_id
        self.leds = 0
        self.stuck = 0
        self.bad_frames = 0  # set by the shell from its decoder, reported in PING
        self.dropped = 0  # presses that found the store full
        self.ignored = (
            0  # events that the tables above answer with "ignored", and unasked presses too fast
        )
        self.unknown = 0  # frames of a kind, size or sender that a pad does not know
        self.face = IDLE
        self.greeting = CALLING
        self._hello = hello
        self._kept: list[_Kept] = []
        self._press_seq = 0
        self._note_seq = 0
        self._nonce = 0
        self._shown_seq = 0
        self._face_until = now_ms
        self._thanks_until = now_ms
        self._gap = False
        self._gap_until = now_ms
        self._beat_at = now_ms
        self._hellos = 0
        self._host_until = now_ms
        self._host = 0
        self._command_seq = 0
        self._answer = link.OK
        self._answer_due = False
        self._sampled_at = ticks_add(now_ms, TICKS_MASK + 1 - SAMPLE_MS)
        self._raw = 0
        self._down = 0
        self._counts = bytearray(link.KEYS)
        self._down_since = [now_ms] * link.KEYS

    @property
    def kept(self) -> int:
        """Presses not acknowledged yet."""
        return len(self._kept)

    # --- what comes in -------------------------------------------------------------------

    def received(self, frame: link.Frame, now_ms: int) -> None:
        """Take one good frame from the host.

        Never raises: what does not fit is counted in ``unknown``.
        """
        self._pass_time(now_ms)
        try:
            known = self._dispatch(frame, now_ms)
        except link.BadBody:
            known = False
        if known:
            self._host_until = ticks_add(now_ms, HOST_SILENT_MS)
        else:
            self.unknown += 1

    def sample(self, mask: int, now_ms: int) -> None:
        """Take the raw keys; calls less than SAMPLE_MS after the last sample are left out."""
        self._raw = mask  # even if left out: rest_ms must ask for the next sample soon
        if ticks_diff(now_ms, self._sampled_at) < SAMPLE_MS:
            return
        self._pass_time(now_ms)
        self._sampled_at = now_ms
        pressed = 0
        for key in range(link.KEYS):
            bit = 1 << key
            if (mask ^ self._down) & bit:
                self._counts[key] += 1
                if self._counts[key] >= SAMPLES_TO_SETTLE:
                    self._counts[key] = 0
                    self._down ^= bit
                    if self._down & bit:
                        self._down_since[key] = now_ms
                        pressed |= bit
                    else:
                        self.stuck &= ~bit
            else:
                self._counts[key] = 0
                if (
                    self._down & ~self.stuck & bit
                    and ticks_diff(now_ms, self._down_since[key]) >= STUCK_MS
                ):
                    self.stuck |= bit
        # Only now: a key let go in the same sample must not look as if it were still held.
        if pressed:
            for key in range(link.KEYS):
                if pressed & 1 << key:
                    self._pressed(key, now_ms)

    # --- what goes out -------------------------------------------------------------------

    def due(self, buffer: bytearray, now_ms: int) -> int:
        """Write the next frame into ``buffer`` (link.MAX_WIRE bytes); return its size, 0: none."""
        self._pass_time(now_ms)
        if self._answer_due:
            self._answer_due = False
            body = link.pack_done(self._answer)
            return link.encode_into(buffer, link.DONE, self._host, self._command_seq, body)
        if ticks_diff(now_ms, self._beat_at) >= 0:
            self._note_seq += 1
            self._limit_ages(now_ms)
            if self.greeting == CALLING:
                self._hellos += 1
                fast = self._hellos < FAST_HELLOS
                self._beat_at = ticks_add(now_ms, HELLO_FAST_MS if fast else HELLO_SLOW_MS)
                return link.encode_into(
                    buffer, link.HELLO, self.boot_id, self._note_seq, self._hello
                )
            self._beat_at = ticks_add(now_ms, BEAT_MS)
            return link.encode_into(
                buffer, link.PING, self.boot_id, self._note_seq, self._status()
            )
        if self.greeting == GREETED:
            for kept in self._kept:
                if ticks_diff(now_ms, kept.due_at) >= 0:
                    kept.tries += 1
                    pause_ms = REPEAT_FAST_MS if kept.tries < FAST_TRIES else REPEAT_SLOW_MS
                    kept.due_at = ticks_add(now_ms, pause_ms)
                    body = link.pack_press(
                        kept.nonce, kept.score, ticks_diff(now_ms, kept.pressed_at)
                    )
                    return link.encode_into(buffer, link.PRESS, self.boot_id, kept.seq, body)
        return 0

    def rest_ms(self, now_ms: int) -> int:
        """Longest wait before the next turn, 0..BEAT_MS, if neither a byte nor a key moves.

        Ask after ``due``, which leaves no answer behind.
        """
        rest = SAMPLE_MS if self._raw != self._down else BEAT_MS
        rest = min(rest, ticks_diff(self._beat_at, now_ms))
        if self.face != IDLE:
            until = self._face_until
            if self.face == PRESSED and ticks_diff(now_ms, until) >= 0:
                until = self._thanks_until
            rest = min(rest, ticks_diff(until, now_ms))
        if self.greeting == GREETED:
            for kept in self._kept:
                rest = min(rest, ticks_diff(kept.due_at, now_ms))
        return max(rest, 0)

    # --- changes -------------------------------------------------------------------------

    def _dispatch(self, frame: link.Frame, now_ms: int) -> bool:
        """Act on a frame; False for one that a pad does not know."""
        kind = frame.kind
        if kind == link.WHO:
            link.check_empty("WHO", frame.body)
            self._greet(CALLING, now_ms)
        elif kind == link.ARM or kind == link.DISARM:
            self._command(frame, now_ms)
        elif frame.boot_id != self.boot_id:
            return False
        elif kind == link.HELLO_ACK:
            protocol, answer = link.unpack_hello_ack(frame.body)
            if protocol == link.PROTOCOL and answer == link.OK:
                self._greet(GREETED, now_ms)
            else:
                self._greet(CALLING, now_ms)
                self._hellos = FAST_HELLOS
                self._beat_at = ticks_add(now_ms, HELLO_SLOW_MS)
        elif kind == link.ACK:
            link.check_empty("ACK", frame.body)
            self._forget(frame.seq)
        elif kind == link.PONG:
            link.check_empty("PONG", frame.body)
        else:
            return False
        return True

    def _command(self, frame: link.Frame, now_ms: int) -> None:
        """ARM and DISARM; a repeat of the last one is answered again and changes nothing."""
        nonce = 0
        window_ms = 0
        if frame.kind == link.ARM:
            nonce, window_ms = link.unpack_arm(frame.body)
        else:
            link.check_empty("DISARM", frame.body)
        same_host = frame.boot_id == self._host
        if self.greeting == CALLING:
            self.ignored += 1
            self._beat_at = now_ms
            return
        if same_host and frame.seq < self._command_seq:
            self.ignored += 1
            return
        self._answer_due = True
        if same_host and frame.seq == self._command_seq:
            return
        self._host = frame.boot_id
        self._command_seq = frame.seq
        self._answer = link.OK
        if nonce:
            self._nonce = nonce
            self._face(ARMED, now_ms, window_ms)
        elif self.face == ARMED:
            self._face(IDLE, now_ms, 0)

    def _pressed(self, key: int, now_ms: int) -> None:
        """One debounced press."""
        others = (self._raw | self._down) & ~self.stuck & ~(1 << key)
        if others or self.face == PRESSED:
            self.ignored += 1
        elif self.face == ARMED:
            if self._keep(self._nonce, key, now_ms, MAX_KEPT):
                self._shown_seq = self._press_seq
                self._thanks_until = ticks_add(now_ms, THANKS_MAX_MS)
                self._face(PRESSED, now_ms, THANKS_MS, 1 << key)
        elif self._gap:
            self.ignored += 1
        else:
            self._gap = True
            self._gap_until = ticks_add(now_ms, UNSOLICITED_GAP_MS)
            self._keep(0, key, now_ms, MAX_UNSOLICITED_KEPT)

    def _keep(self, nonce: int, key: int, now_ms: int, most: int) -> bool:
        if len(self._kept) >= most:
            self.dropped += 1
            return False
        self._press_seq += 1
        self._kept.append(_Kept(self._press_seq, nonce, key + 1, now_ms))
        return True

    def _forget(self, seq: int) -> None:
        for at in range(len(self._kept)):
            if self._kept[at].seq == seq:
                self._kept.pop(at)
                if seq == self._shown_seq:
                    self._shown_seq = 0
                return
        self.ignored += 1

    def _face(self, state: int, now_ms: int, lasts_ms: int, leds: int = 0) -> None:
        """The only place where the face and its lamps change."""
        self.face = state
        self._face_until = ticks_add(now_ms, lasts_ms)
        self.leds = (1 << link.KEYS) - 1 if state == ARMED else leds

    def _greet(self, state: int, now_ms: int) -> None:
        """The only place where the greeting changes."""
        if state == CALLING:
            self._hellos = 0
            self._beat_at = now_ms
            self._answer_due = False
        elif self.greeting == CALLING:
            self._beat_at = ticks_add(now_ms, BEAT_MS)
            for kept in self._kept:
                kept.due_at = now_ms
                kept.tries = 0
        self.greeting = state

    def _pass_time(self, now_ms: int) -> None:
        # Every stored tick is either compared here at least every BEAT_MS or not compared at all:
        # none grows old enough to look like the future.
        if self._gap and ticks_diff(now_ms, self._gap_until) >= 0:
            self._gap = False
        if self.greeting == GREETED and ticks_diff(now_ms, self._host_until) >= 0:
            self._greet(CALLING, now_ms)
        if self.face != IDLE and ticks_diff(now_ms, self._face_until) >= 0:
            waits = self.face == PRESSED and self._shown_seq
            if not waits or ticks_diff(now_ms, self._thanks_until) >= 0:
                self._face(IDLE, now_ms, 0)

    def _limit_ages(self, now_ms: int) -> None:
        for kept in self._kept:
            if ticks_diff(now_ms, kept.pressed_at) > AGE_MAX_MS:
                kept.pressed_at = ticks_add(now_ms, TICKS_MASK + 1 - AGE_MAX_MS)

    def _status(self) -> bytes:
        flags = link.FLAG_STUCK_KEY if self.stuck else 0
        if len(self._kept) >= MAX_KEPT:
            flags |= link.FLAG_STORE_FULL
        return link.pack_ping(
            flags,
            self.stuck,
            len(self._kept),
            min(self.dropped, U16_MAX),
            min(self.bad_frames, U16_MAX),
        )
