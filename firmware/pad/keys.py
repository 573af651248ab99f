"""Keys of a pad: debounced by samples, stuck keys found and left out. Pure.

A key has moved when SAMPLES_TO_SETTLE samples SAMPLE_MS apart agree. A key that is held for
STUCK_MS is stuck: reported, and no longer read until it is let go.
"""

from firmware.pad.ticks import TICKS_MASK, ticks_add, ticks_diff

SAMPLE_MS = 5
SAMPLES_TO_SETTLE = 4
STUCK_MS = 30_000
"""Nobody leans on a key for half a minute: such a key is a fault and no longer read."""


class Keys:
    """``count`` keys as masks, bit 0 for the first.

    ``raw`` is the last mask given, ``down`` the debounced one, ``stuck`` those held too long.
    """

    def __init__(self, count: int, now_ms: int) -> None:
        self.raw = 0
        self.down = 0
        self.stuck = 0
        self._count = count
        self._sampled_at = ticks_add(now_ms, TICKS_MASK + 1 - SAMPLE_MS)
        self._agreeing = bytearray(count)
        self._down_since = [now_ms] * count

    def sample(self, mask: int, now_ms: int) -> int:
        """Take the raw keys; the mask of keys that just went down.

        Calls less than SAMPLE_MS after the last sample are left out.
        """
        self.raw = mask  # even if left out: the caller must ask for the next sample soon
        if ticks_diff(now_ms, self._sampled_at) < SAMPLE_MS:
            return 0
        self._sampled_at = now_ms
        pressed = 0
        for key in range(self._count):
            bit = 1 << key
            if (mask ^ self.down) & bit:
                self._agreeing[key] += 1
                if self._agreeing[key] >= SAMPLES_TO_SETTLE:
                    self._agreeing[key] = 0
                    self.down ^= bit
                    if self.down & bit:
                        self._down_since[key] = now_ms
                        pressed |= bit
                    else:
                        self.stuck &= ~bit
            else:
                self._agreeing[key] = 0
                if (
                    self.down & ~self.stuck & bit
                    and ticks_diff(now_ms, self._down_since[key]) >= STUCK_MS
                ):
                    self.stuck |= bit
        return pressed

    def alone(self, key: int, among: int) -> bool:
        """Whether no other key of the mask ``among`` is held, stuck ones left out."""
        return not (self.raw | self.down) & ~self.stuck & ~(1 << key) & among

    @property
    def moving(self) -> bool:
        """Whether a key has not settled: sample again in SAMPLE_MS."""
        return self.raw != self.down
