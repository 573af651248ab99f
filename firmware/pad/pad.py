"""The pad's core: keys, lamps, and the talk with the host. Pure: no I/O, no clock.

It joins its parts: keys (firmware.pad.keys), the visitor's face (rating), presses not yet
acknowledged (kept), the guide's keys (strokes), the host (greeting). The shell calls
``received``, ``sample`` and ``due`` with the current ticks; what comes back are ``leds`` to show,
the frames that ``due`` writes, and the image of the presses that ``save_due`` asks to be saved.

A pad keeps its face when the host goes silent. Presses outlive a power cut once they are saved,
the arming does not.
"""

from firmware.pad import link
from firmware.pad.caller import Caller
from firmware.pad.greeting import (
    BEAT_MS,
    CALLING,
    FAST_HELLOS,
    GREETED,
    HELLO_FAST_MS,
    HELLO_SLOW_MS,
    HOST_SILENT_MS,
    Greeting,
)
from firmware.pad.kept import AGE_MAX_MS, MAX_KEPT, MAX_UNSOLICITED_KEPT, Store
from firmware.pad.keys import SAMPLE_MS, SAMPLES_TO_SETTLE, STUCK_MS, Keys
from firmware.pad.rating import (
    ARMED,
    IDLE,
    PRESSED,
    THANKS_MAX_MS,
    THANKS_MS,
    UNSOLICITED_GAP_MS,
    Rating,
)
from firmware.pad.strokes import ALL as GUIDE_MASK, Strokes
from firmware.pad.ticks import TICKS_HALF, TICKS_MASK, ticks_add, ticks_diff

__all__ = [
    "AGE_MAX_MS",
    "ARMED",
    "BEAT_MS",
    "CALLING",
    "FAST_HELLOS",
    "GREETED",
    "HELLO_FAST_MS",
    "HELLO_SLOW_MS",
    "HOST_SILENT_MS",
    "IDLE",
    "MAX_KEPT",
    "MAX_UNSOLICITED_KEPT",
    "PRESSED",
    "SAMPLES_TO_SETTLE",
    "SAMPLE_MS",
    "STUCK_MS",
    "THANKS_MAX_MS",
    "THANKS_MS",
    "TICKS_HALF",
    "TICKS_MASK",
    "UNSOLICITED_GAP_MS",
    "Pad",
    "ticks_add",
    "ticks_diff",
]

REPEAT_FAST_MS = 300
REPEAT_SLOW_MS = 2_000
FAST_TRIES = 5
REPORT_SEQ = 1 << 28
"""Sequence number of a boot's one REPORT: between those of presses and of the teller's keys."""
U16_MAX = 0xFFFF
NO_SLOTS = b"this pad has no key or no slots: it takes no firmware over its line"
RATING_KEYS = (1 << link.KEYS) - 1
ALL_KEYS = 2 * link.KEYS
"""Bits 0 to 4 of the mask are the visitor's keys, 0 to 3 the guide's, 5 to 9 the teller's."""

# --- tones
SILENCE = 0
ACCEPTED_TONE = 1
ERROR_TONE = 2

# --- texts for the visitor
NO_TEXT = 0
HELLO_TEXT = 1
PLEASE_RATE_TEXT = 2
THANK_YOU_TEXT = 3

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Updates(Protocol):
        """What carries updates out: firmware.pad.updating."""

        switched: bool

        def take(self, kind: int, body: bytes, rating: bool) -> bytes:
            """The body of the answer. Raises BadBody."""


class Pad:
    """One pad. ``boot_id`` is a random u32, new at each boot; ``key`` its secret, None: unkeyed.

    Call ``received`` for every frame, ``sample`` with the mask of keys held down (bit 0 is key
    1), then ``due`` until it returns 0, then wait at most ``rest_ms``; ``leds`` is to be shown
    after each call. ``random`` gives that many bytes of the hardware's chance.
    """

    def __init__(
        self,
        boot_id: int,
        hello: link.Hello,
        now_ms: int,
        key: "bytes | None" = None,
        random: "Callable[[int], bytes]" = bytes,
    ) -> None:
        self.boot_id = boot_id
        self.bad_frames = 0  # set by the shell from its decoder, reported in PING
        self.ignored = 0  # presses and commands that the tables answer with "ignored"
        self.unknown = 0  # frames of a kind, size or sender that a pad does not know
        self.store = Store()
        self.stars = 0  # the teller's, for the visitor's display
        self.maintenance = False  # the host asked for it: reset into the prompt once all is said
        self._keyed = key is not None
        self._report = b""
        self._report_seq = 0
        self._report_at = now_ms
        self._roles = hello.roles
        self._keys = Keys(ALL_KEYS, now_ms)
        self._caller = Caller(now_ms)
        self._strokes = Strokes()
        self._said_accepted = False
        self._said_failed = 0
        self._rating = Rating(boot_id, now_ms)
        self._greeting = Greeting(boot_id, hello, key, random, now_ms)
        self._host = 0
        self._command_seq = 0
        self._answer = link.OK
        self._answer_due = False
        self.updates: Updates | None = None  # set by the shell where there are slots
        self.slot_flags = 0  # set by the shell: link.FLAG_ON_TRIAL, link.FLAG_WENT_BACK
        self._update_host = 0
        self._update_seq = 0
        self._progress = b""
        self._progress_due = False

    @property
    def kept(self) -> int:
        """Presses not acknowledged yet."""
        return len(self.store.presses)

    @property
    def dropped(self) -> int:
        """Presses that found the store full."""
        return self.store.dropped

    @property
    def leds(self) -> int:
        """Mask of the lamps that are lit."""
        if self._roles & link.GUIDE:
            return self._strokes.leds if self._greeting.state == GREETED else 0
        return self._rating.leds

    @property
    def face(self) -> int:
        """IDLE, ARMED or PRESSED."""
        return self._rating.face

    @property
    def accepted(self) -> bool:
        """Whether the visitor is told that the press counts: a steady lamp."""
        return self._rating.face == PRESSED and self._rating.safe

    @property
    def digits(self) -> bytes:
        """Four characters for the teller's display; none without that role."""
        return self._caller.digits if self._roles & link.CALLER else b""

    @property
    def text(self) -> int:
        """What the visitor's display says: a text's number."""
        if not self._roles & link.RATING:
            return NO_TEXT
        if self.face == ARMED:
            return PLEASE_RATE_TEXT
        return THANK_YOU_TEXT if self.accepted else HELLO_TEXT

    def take_tone(self) -> int:
        """The tone to give now, once for each occasion."""
        accepted = self.accepted
        tone = ACCEPTED_TONE if accepted and not self._said_accepted else SILENCE
        self._said_accepted = accepted
        failed = self._caller.failed + self._strokes.failed
        if failed != self._said_failed:
            self._said_failed = failed
            tone = ERROR_TONE
        return tone

    @property
    def greeting(self) -> int:
        """CALLING or GREETED."""
        return self._greeting.state

    @property
    def refused(self) -> int:
        """Frames that the key's holder did not send, or not now."""
        return self._greeting.refused

    @property
    def stuck(self) -> int:
        """Mask of the keys that are stuck."""
        return self._keys.stuck

    @property
    def switched(self) -> bool:
        """Whether new firmware is to be started, and the host knows it: restart."""
        return self.updates is not None and self.updates.switched and not self._progress_due

    def report(self, crashes: int, last: str) -> None:
        """Tell the host of the last crash until it has acknowledged."""
        self._report = link.pack_report(crashes, last)
        self._report_seq = REPORT_SEQ

    # --- what comes in -------------------------------------------------------------------

    def received(self, frame: "link.Frame | link.Sealed", now_ms: int) -> None:
        """Take one frame from the line.

        Never raises: what does not fit is counted in ``unknown``, what nobody trusted sent in
        ``refused``.
        """
        self._pass_time(now_ms)
        before = self._greeting.state
        checked = self._greeting.checked(frame, now_ms)
        if checked is not None:
            try:
                known = self._dispatch(checked, now_ms)
            except link.BadBody:
                known = False
            if not known:
                self.unknown += 1
        self._greeting_changed(before, now_ms)

    def sample(self, mask: int, now_ms: int) -> None:
        """Take the raw keys; calls less than SAMPLE_MS after the last sample are left out."""
        pressed = self._keys.sample(mask, now_ms)
        if self._roles & link.GUIDE:
            held = self._keys.down & ~self._keys.stuck & GUIDE_MASK
            self._strokes.sample(held, now_ms)
            pressed &= ~GUIDE_MASK
        if pressed:
            self._pass_time(now_ms)
            for key in range(ALL_KEYS):
                if pressed & 1 << key:
                    self._pressed(key, now_ms)

    # --- what goes out -------------------------------------------------------------------

    def due(self, buffer: bytearray, now_ms: int) -> int:
        """Write the next frame into ``buffer`` (link.MAX_WIRE bytes); return its size, 0: none."""
        self._pass_time(now_ms)
        greeting = self._greeting
        if self._answer_due:
            self._answer_due = False
            body = link.pack_done(self._answer)
            return greeting.encode_into(buffer, link.DONE, self._host, self._command_seq, body)
        if self._progress_due:
            self._progress_due = False
            return greeting.encode_into(
                buffer, link.PROGRESS, self._update_host, self._update_seq, self._progress
            )
        size = greeting.due(buffer, now_ms)
        if size or greeting.state != GREETED:
            return size
        if ticks_diff(now_ms, greeting.beat_at) >= 0:
            greeting.beat_at = ticks_add(now_ms, BEAT_MS)
            body = self._status()
            return greeting.encode_into(buffer, link.PING, self.boot_id, greeting.note(), body)
        if self._report and ticks_diff(now_ms, self._report_at) >= 0:
            self._report_at = ticks_add(now_ms, REPEAT_SLOW_MS)
            return greeting.encode_into(
                buffer, link.REPORT, self.boot_id, self._report_seq, self._report
            )
        stroke = self._strokes.due(now_ms)
        if stroke is not None:
            return greeting.encode_into(buffer, link.STROKE, self.boot_id, stroke[0], stroke[1])
        action = self._caller.due(now_ms)
        if action is not None:
            return greeting.encode_into(buffer, link.KEY, self.boot_id, action[0], action[1])
        for press in self.store.presses:
            if ticks_diff(now_ms, press.due_at) >= 0:
                press.tries += 1
                pause_ms = REPEAT_FAST_MS if press.tries < FAST_TRIES else REPEAT_SLOW_MS
                press.due_at = ticks_add(now_ms, pause_ms)
                body = link.pack_press(
                    press.nonce,
                    press.score,
                    ticks_diff(now_ms, press.pressed_at),
                    press.boot_id,
                    link.RESTORED if press.restored else 0,
                )
                return greeting.encode_into(buffer, link.PRESS, self.boot_id, press.seq, body)
        return 0

    def rest_ms(self, now_ms: int) -> int:
        """Longest wait before the next turn, 0..BEAT_MS, if neither a byte nor a key moves.

        Ask after ``due``, which leaves no answer behind.
        """
        rest = SAMPLE_MS if self._keys.moving else BEAT_MS
        rest = min(rest, ticks_diff(self._greeting.beat_at, now_ms))
        rest = self._rating.rest_ms(now_ms, rest)
        rest = self._caller.rest_ms(now_ms, rest)
        rest = self._strokes.rest_ms(now_ms, rest)
        if self._greeting.state == GREETED:
            for press in self.store.presses:
                rest = min(rest, ticks_diff(press.due_at, now_ms))
        return max(rest, 0)

    # --- changes -------------------------------------------------------------------------

    def _dispatch(self, frame: link.Frame, now_ms: int) -> bool:
        """Act on a frame; False for one that a pad does not know."""
        if self._greeting.take(frame, now_ms):
            return True
        kind = frame.kind
        if kind == link.ARM or kind == link.DISARM or kind == link.SHOW or kind == link.MAINTAIN:
            self._command(frame, now_ms)
        elif kind == link.ACK:
            link.check_empty("ACK", frame.body)
            press = self.store.forget(frame.boot_id, frame.seq, now_ms)
            if press is not None:
                self._rating.acknowledged(press)
            elif self._report and frame.seq == REPORT_SEQ and frame.boot_id == self.boot_id:
                self._report = b""
            elif frame.boot_id != self.boot_id or not (
                self._strokes.forget(frame.seq) or self._caller.forget(frame.seq)
            ):
                self.ignored += 1
        elif link.OFFER <= kind <= link.ABANDON:
            self._updating(frame, now_ms)
        elif kind == link.DENY:
            code = link.unpack_deny(frame.body)
            if frame.boot_id != self.boot_id or not self._caller.deny(frame.seq, code, now_ms):
                self.ignored += 1
        else:
            return False
        self._greeting.heard(now_ms)
        return True

    def _command(self, frame: link.Frame, now_ms: int) -> None:
        """ARM, DISARM, SHOW; a repeat of the last one is answered again and changes nothing."""
        nonce = 0
        window_ms = 0
        number = b""
        waiting = stars = 0
        role = link.RATING
        if frame.kind == link.ARM:
            nonce, window_ms = link.unpack_arm(frame.body)
        elif frame.kind == link.MAINTAIN:
            link.check_empty("MAINTAIN", frame.body)
            role = self._roles if self._keyed else 0  # never for a plain frame
        elif frame.kind == link.SHOW:
            role = link.RATING | link.CALLER
            number, waiting, stars = link.unpack_show(frame.body)
        else:
            link.check_empty("DISARM", frame.body)
        same_host = frame.boot_id == self._host
        if self._greeting.state == CALLING:
            self.ignored += 1
            self._greeting.call_now(now_ms)
            return
        if same_host and frame.seq < self._command_seq:
            self.ignored += 1
            return
        self._answer_due = True
        if same_host and frame.seq == self._command_seq:
            return
        self._host = frame.boot_id
        self._command_seq = frame.seq
        self._answer = link.OK if self._roles & role else link.REFUSED
        if self._answer != link.OK:
            return
        if frame.kind == link.MAINTAIN:
            self.maintenance = True
        elif number:
            self._caller.show(number, waiting, now_ms)
            self.stars = stars
        elif nonce:
            self._rating.arm(nonce, window_ms, now_ms)
        else:
            self._rating.disarm()

    def _updating(self, frame: link.Frame, now_ms: int) -> None:
        """OFFER to ABANDON; a repeat of the last one is answered again and changes nothing."""
        if self._greeting.state == CALLING:
            self.ignored += 1
            self._greeting.call_now(now_ms)
            return
        same_host = frame.boot_id == self._update_host
        if same_host and frame.seq < self._update_seq:
            self.ignored += 1
            return
        if not same_host or frame.seq > self._update_seq or not self._progress:
            if self._keyed and self.updates is not None:
                used = self.face != IDLE or self._caller.waiting or self._strokes.waiting
                self._progress = self.updates.take(frame.kind, frame.body, used)
            else:
                self._progress = link.pack_progress(link.NOT_TAKEN, rest=NO_SLOTS)
            self._update_host = frame.boot_id
            self._update_seq = frame.seq
        self._progress_due = True

    def _pressed(self, key: int, now_ms: int) -> None:
        """One debounced press; two keys of one role at once are nobody's wish."""
        if key >= link.KEYS:
            if self._roles & link.CALLER and self._keys.alone(key, RATING_KEYS << link.KEYS):
                self._caller.press(key - link.KEYS, now_ms)
            else:
                self.ignored += 1
            return
        press = None
        if self._roles & link.RATING and self._keys.alone(key, RATING_KEYS):
            press = self._rating.press(key, now_ms)
        if press is None:
            self.ignored += 1
        elif self.store.add(press):
            self._rating.keep(press, now_ms)

    def _greeting_changed(self, before: int, now_ms: int) -> None:
        state = self._greeting.state
        if state == CALLING:
            self._answer_due = self._progress_due = False
        elif before == CALLING:
            for press in self.store.presses:
                press.due_at = now_ms
                press.tries = 0

    def _pass_time(self, now_ms: int) -> None:
        # Every stored tick is either compared here at least every BEAT_MS or not compared at all:
        # none grows old enough to look like the future.
        self.store.limit_ages(now_ms)
        self._greeting.pass_time(now_ms)
        if self._greeting.state == CALLING:
            self._answer_due = self._progress_due = False
            self._caller.host_lost()
            self._strokes.host_lost()
        self._caller.pass_time(now_ms)
        self._strokes.pass_time(now_ms)
        self._rating.pass_time(now_ms)

    def _status(self) -> bytes:
        flags = self.slot_flags | (link.FLAG_STUCK_KEY if self.stuck else 0)
        if self.kept >= MAX_KEPT:
            flags |= link.FLAG_STORE_FULL
        return link.pack_ping(
            flags,
            self.stuck,
            self.kept,
            min(self.store.dropped, U16_MAX),
            min(self.bad_frames + self.refused, U16_MAX),
        )
