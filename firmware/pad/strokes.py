"""What leads a visitor who does not see the screen: four keys, each stroke told at once. Pure.

A stroke is a key (1 previous, 2 next, 3 select, 4 repeat) that goes down or up. Strokes are told
one after the other, the next when the host has acknowledged the one before, so they come in order.

A key that goes down is an interaction: told late it would choose something else than what is being
said. So it is dropped, with an error tone, when nobody is greeted, when more than MAX_STROKES
wait, and when the host has not acknowledged it within LIFE_MS. Nothing is kept over a restart. A
key that goes up is told for UP_LIFE_MS: late it chooses nothing, untold the key would stay held.

Lamps: the host hears the keys. The lamp of a key that is held is dark.
"""

from firmware.pad import link
from firmware.pad.ticks import ticks_add, ticks_diff

FIRST_SEQ = 3 << 28
"""Sequence numbers of strokes start here, beyond those of presses, reports and actions."""
MAX_STROKES = 8
LIFE_MS = 1_000
UP_LIFE_MS = 5_000
REPEAT_MS = 100
ALL = (1 << link.GUIDE_KEYS) - 1


class _Stroke:
    def __init__(self, seq: int, key: int, down: bool, now_ms: int) -> None:
        self.seq = seq
        self.key = key
        self.down = down
        self.moved_at = now_ms
        self.due_at = now_ms
        self.told = False


class Strokes:
    """``failed`` counts keys that went down and were dropped."""

    def __init__(self) -> None:
        self.failed = 0
        self._seq = FIRST_SEQ
        self._held = 0
        self._half = 0  # keys whose stroke down was taken, and none up since
        self._strokes: list[_Stroke] = []

    @property
    def waiting(self) -> bool:
        """Whether a key is held or a stroke was not taken yet."""
        return bool(self._held or self._strokes)

    @property
    def leds(self) -> int:
        """Mask of the lamps while the host hears."""
        return ALL & ~self._held

    def sample(self, held: int, now_ms: int) -> None:
        """Take the mask of keys that are held, debounced."""
        moved = held ^ self._held
        self._held = held
        for at in range(link.GUIDE_KEYS):
            if moved & 1 << at:
                self._moved(at + 1, bool(held & 1 << at), now_ms)

    def host_lost(self) -> None:
        """Nobody is greeted; who is next takes all keys for let go."""
        for stroke in self._strokes:
            self.failed += stroke.down
        self._strokes.clear()
        self._half = 0

    def forget(self, seq: int) -> bool:
        """The host took a stroke; False if there is none of this number."""
        for at in range(len(self._strokes)):
            if self._strokes[at].seq == seq:
                self._strokes.pop(at)
                return True
        return False

    def due(self, now_ms: int) -> "tuple[int, bytes] | None":
        """Sequence number and body of the STROKE frame that is due."""
        if self._strokes:
            first = self._strokes[0]
            if ticks_diff(now_ms, first.due_at) >= 0:
                first.due_at = ticks_add(now_ms, REPEAT_MS)
                first.told = True
                age_ms = ticks_diff(now_ms, first.moved_at)
                return first.seq, link.pack_stroke(first.key, first.down, age_ms)
        return None

    def pass_time(self, now_ms: int) -> None:
        """Drop what is too old."""
        at = 0
        while at < len(self._strokes):
            if _left_ms(self._strokes[at], now_ms) > 0:
                at += 1
                continue
            gone = self._strokes.pop(at)
            self.failed += gone.down
            if gone.down and not gone.told:
                self._drop_up(gone.key, at)

    def rest_ms(self, now_ms: int, most_ms: int) -> int:
        """Time until something is due or too old, at most ``most_ms``."""
        rest = most_ms
        for stroke in self._strokes:
            rest = min(rest, _left_ms(stroke, now_ms))
        if self._strokes:
            rest = min(rest, ticks_diff(self._strokes[0].due_at, now_ms))
        return rest

    def _moved(self, key: int, down: bool, now_ms: int) -> None:
        bit = 1 << (key - 1)
        if down:
            if len(self._strokes) >= MAX_STROKES:
                self.failed += 1
                return
        elif not self._half & bit:
            return
        self._half ^= bit
        self._seq += 1
        self._strokes.append(_Stroke(self._seq, key, down, now_ms))

    def _drop_up(self, key: int, start: int) -> None:
        """The host does not know that this key was down."""
        for at in range(start, len(self._strokes)):
            if self._strokes[at].key == key:
                self._strokes.pop(at)
                return
        self._half &= ~(1 << (key - 1))


def _left_ms(stroke: _Stroke, now_ms: int) -> int:
    return (LIFE_MS if stroke.down else UP_LIFE_MS) - ticks_diff(now_ms, stroke.moved_at)
