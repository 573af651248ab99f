"""Presses that the host has not acknowledged, and their image on flash. Pure.

A press is *safe* once the host has acknowledged it or an image that holds it was saved. An image
is due when a press waited in vain for the host (SAVE_ARMED_MS for one that was asked for,
SAVE_UNASKED_MS for others), and CLEAN_MS after the last press of the saved image was acknowledged:
at most two saves for a press, and none for a press that the host takes at once.

Image, little endian: ``"LP" version u8, count u8, records, CRC-32 u32``; record: boot id u32,
sequence u32, nonce u32, score u8, age u32 in ms.
"""

import struct
from binascii import crc32

from firmware.pad.ticks import TICKS_MASK, ticks_add, ticks_diff

MAX_KEPT = 32
MAX_UNSOLICITED_KEPT = 16
"""Presses nobody asked for take at most half of the store."""
SAVE_ARMED_MS = 400
SAVE_UNASKED_MS = 5_000
CLEAN_MS = 60_000
AGE_MAX_MS = 1 << 28
"""Ages stop at 3.1 days, before the wrap could make them young again."""
IMAGE_VERSION = 1
MAX_IMAGE = 8 + MAX_KEPT * 17

_HEAD = b"LP"
_RECORD = "<IIIBI"
_RECORD_SIZE = 17


class Kept:
    """A press that the host has not acknowledged; named by boot id and sequence."""

    def __init__(self, boot_id: int, seq: int, nonce: int, score: int, pressed_at: int) -> None:
        self.boot_id = boot_id
        self.seq = seq
        self.nonce = nonce
        self.score = score
        self.pressed_at = pressed_at
        self.due_at = pressed_at
        self.tries = 0
        self.saved = False
        self.restored = False


class Store:
    """At most MAX_KEPT presses, in the order in which they were pressed."""

    def __init__(self) -> None:
        self.presses: list[Kept] = []
        self.dropped = 0  # presses that found the store full
        self._stale = False  # the saved image holds presses that were acknowledged since
        self._stale_since = 0

    def add(self, press: Kept) -> bool:
        """Keep a press; False when there is no room."""
        most = MAX_KEPT if press.nonce else MAX_UNSOLICITED_KEPT
        if len(self.presses) >= most:
            self.dropped += 1
            return False
        self.presses.append(press)
        return True

    def forget(self, boot_id: int, seq: int, now_ms: int) -> "Kept | None":
        """Drop the press of this name; None if there is none."""
        for at in range(len(self.presses)):
            press = self.presses[at]
            if press.seq == seq and press.boot_id == boot_id:
                self.presses.pop(at)
                if press.saved:
                    self._stale = True
                    self._stale_since = now_ms
                return press
        return None

    def limit_ages(self, now_ms: int) -> None:
        """Keep ages below the wrap; call at least once a day."""
        for press in self.presses:
            if ticks_diff(now_ms, press.pressed_at) > AGE_MAX_MS:
                press.pressed_at = ticks_add(now_ms, TICKS_MASK + 1 - AGE_MAX_MS)
        if self._stale and ticks_diff(now_ms, self._stale_since) > CLEAN_MS:
            self._stale_since = ticks_add(now_ms, TICKS_MASK + 1 - CLEAN_MS)

    def save_in_ms(self, now_ms: int, most_ms: int) -> int:
        """Time until an image is due, 0: now; at most ``most_ms``."""
        left = most_ms
        for press in self.presses:
            if not press.saved:
                wait = SAVE_ARMED_MS if press.nonce else SAVE_UNASKED_MS
                left = min(left, wait - ticks_diff(now_ms, press.pressed_at))
        if self._stale:
            left = min(left, CLEAN_MS - ticks_diff(now_ms, self._stale_since))
        return max(left, 0)

    def image(self, now_ms: int) -> bytes:
        """All presses as they are to be saved."""
        parts = [_HEAD, bytes([IMAGE_VERSION, len(self.presses)])]
        for press in self.presses:
            age_ms = min(ticks_diff(now_ms, press.pressed_at), AGE_MAX_MS)
            parts.append(
                struct.pack(
                    _RECORD, press.boot_id, press.seq, press.nonce, press.score, max(age_ms, 0)
                )
            )
        whole = b"".join(parts)
        return whole + struct.pack("<I", crc32(whole))

    def saved(self) -> None:
        """The image just asked for is on flash."""
        for press in self.presses:
            press.saved = True
        self._stale = False

    def load(self, image: bytes, now_ms: int) -> bool:
        """Take the presses of a saved image, before any other; False if it is damaged."""
        size = len(image)
        if size < 8 or image[:2] != _HEAD or image[2] != IMAGE_VERSION:
            return False
        count = image[3]
        if count > MAX_KEPT or size != 8 + count * _RECORD_SIZE:
            return False
        if struct.unpack("<I", image[-4:])[0] != crc32(image[:-4]):
            return False
        for at in range(count):
            boot_id, seq, nonce, score, age_ms = struct.unpack_from(
                _RECORD, image, 4 + at * _RECORD_SIZE
            )
            pressed_at = ticks_add(now_ms, TICKS_MASK + 1 - min(age_ms, AGE_MAX_MS))
            press = Kept(boot_id, seq, nonce, score, pressed_at)
            press.due_at = now_ms
            press.saved = True
            press.restored = True
            self.presses.append(press)
        return True
