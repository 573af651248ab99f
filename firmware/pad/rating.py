"""What the visitor meets: five lamps, one press for one visit. Pure.

The face, changed only by ``_become``::

    state    | ARM            | DISARM  | key pressed                   | time
    IDLE     | ARMED          | IDLE    | IDLE, kept with nonce 0       | -
    ARMED    | ARMED, anew    | IDLE    | PRESSED, kept with its nonce  | window over: IDLE
    PRESSED  | ARMED          | PRESSED | PRESSED, ignored and counted  | thanks over: IDLE

Lamps: all five while ARMED; the pressed one alone while PRESSED, for THANKS_MS and on until the
press is safe (acknowledged by the host, or saved on flash), at most THANKS_MAX_MS; none while
IDLE. The lamp blinks from BLINK_AFTER_MS on while the press is not safe: only a steady lamp says
"accepted". An armed press that finds the store full leaves the face ARMED: no thanks for what
would be lost.
"""

from firmware.pad import link
from firmware.pad.kept import Kept
from firmware.pad.ticks import ticks_add, ticks_diff

THANKS_MS = 2_000
THANKS_MAX_MS = 10_000
BLINK_MS = 250
UNSOLICITED_GAP_MS = 1_000
"""A child at the keys fills no journal: one unasked press a second is kept."""

IDLE = 0
ARMED = 1
PRESSED = 2

ALL = (1 << link.KEYS) - 1


class Rating:
    """``face`` and ``leds`` (a mask, bit 0 for key 1) are to be shown after each call."""

    def __init__(self, boot_id: int, now_ms: int) -> None:
        self.face = IDLE
        self.leds = 0
        self._boot_id = boot_id
        self._press_seq = 0
        self._nonce = 0
        self._pressed_leds = 0
        self._shown: Kept | None = None
        self._pressed_at = now_ms
        self._until = now_ms
        self._gap = False
        self._gap_until = now_ms

    @property
    def safe(self) -> bool:
        """Whether the press being shown can no longer be lost."""
        return self._shown is None or self._shown.saved

    def arm(self, nonce: int, window_ms: int, now_ms: int) -> None:
        """Light up for one visit."""
        self._nonce = nonce
        self._until = ticks_add(now_ms, window_ms)
        self._become(ARMED, ALL)

    def disarm(self) -> None:
        """End the window; thanks that are shown stay."""
        if self.face == ARMED:
            self._become(IDLE, 0)

    def press(self, key: int, now_ms: int) -> "Kept | None":
        """The press to be kept for a key that was pressed alone; None: it is ignored."""
        if self.face == PRESSED or (self.face == IDLE and self._gap):
            return None
        nonce = self._nonce if self.face == ARMED else 0
        if not nonce:
            self._gap = True
            self._gap_until = ticks_add(now_ms, UNSOLICITED_GAP_MS)
        return Kept(self._boot_id, self._press_seq + 1, nonce, key + 1, now_ms)

    def keep(self, press: Kept, now_ms: int) -> None:
        """The store took the press."""
        self._press_seq = press.seq
        if press.nonce:
            self._shown = press
            self._pressed_at = now_ms
            self._until = ticks_add(now_ms, THANKS_MS)
            self._pressed_leds = 1 << (press.score - 1)
            self._become(PRESSED, self._pressed_leds)

    def acknowledged(self, press: Kept) -> None:
        """The host has the press."""
        if press is self._shown:
            self._shown = None

    def pass_time(self, now_ms: int) -> None:
        """Let windows and thanks end, and the lamp blink."""
        if self._gap and ticks_diff(now_ms, self._gap_until) >= 0:
            self._gap = False
        if self.face == ARMED and ticks_diff(now_ms, self._until) >= 0:
            self._become(IDLE, 0)
        elif self.face == PRESSED:
            shown_ms = ticks_diff(now_ms, self._pressed_at)
            if shown_ms >= (THANKS_MS if self.safe else THANKS_MAX_MS):
                self._shown = None
                self._become(IDLE, 0)
            elif self.safe or shown_ms // BLINK_MS % 2 == 0:
                self.leds = self._pressed_leds
            else:
                self.leds = 0

    def rest_ms(self, now_ms: int, most_ms: int) -> int:
        """Time until the lamps change by themselves, at most ``most_ms``."""
        if self.face == ARMED:
            return min(most_ms, ticks_diff(self._until, now_ms))
        if self.face == PRESSED:
            shown_ms = ticks_diff(now_ms, self._pressed_at)
            if self.safe:
                return min(most_ms, THANKS_MS - shown_ms)
            return min(most_ms, BLINK_MS - shown_ms % BLINK_MS)
        return most_ms

    def _become(self, face: int, leds: int) -> None:
        """The only place where the face changes."""
        self.face = face
        self.leds = leds
