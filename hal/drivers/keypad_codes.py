"""From a keypad's bytes to strokes. Pure.

A USB keypad is a keyboard: ``struct input_event`` of its device file. A serial one, like a small
board behind a USB port, sends a byte a stroke: p, n, s, r for a key that goes down, P, N, S, R for
one that goes up.
"""

from collections.abc import Iterator, Mapping, Sequence

from hal.body import GuideKey, KeyStroke
from hal.key_codes import EV_KEY, INPUT_EVENT, PRESSED, RELEASED

CODES: Mapping[GuideKey, tuple[int, ...]] = {
    GuideKey.PREVIOUS: (103, 105, 72, 75),  # up, left; on a number pad 8, 4
    GuideKey.NEXT: (108, 106, 80, 77, 15),  # down, right; 2, 6; tab
    GuideKey.SELECT: (28, 96, 57, 76),  # enter, that of a number pad, space; 5
    GuideKey.REPEAT: (138, 59, 82, 19),  # help, F1; 0; R
}
"""Key codes of linux/input-event-codes.h: those of a keyboard and of a number pad."""
LETTERS = {ord(key.value[0]): key for key in GuideKey}


class KeyboardDecoder:
    """Reads ``struct input_event``; repeats by the kernel are no strokes. ``codes`` stand in the
    place of CODES, key by key. Raises ValueError for a code given to two keys.
    """

    def __init__(self, codes: Mapping[GuideKey, Sequence[int]] | None = None) -> None:
        table = {**CODES, **(codes or {})}
        self._keys = {code: key for key, numbers in table.items() for code in numbers}
        if len(self._keys) != sum(len(set(numbers)) for numbers in table.values()):
            raise ValueError("a key code is given to two keys")
        self._part = b""

    def feed(self, data: bytes) -> Iterator[KeyStroke]:
        """Take bytes of the device file, give each stroke."""
        data = self._part + data
        whole = len(data) - len(data) % INPUT_EVENT.size
        self._part = data[whole:]
        for _, _, kind, code, value in INPUT_EVENT.iter_unpack(data[:whole]):
            if kind == EV_KEY and code in self._keys and value in (PRESSED, RELEASED):
                yield KeyStroke(self._keys[code], value == PRESSED)

    def drop(self) -> None:
        """Forget half an event."""
        self._part = b""


class LetterDecoder:
    """Reads a byte a stroke; anything else is passed over."""

    def feed(self, data: bytes) -> Iterator[KeyStroke]:
        """Take bytes of the line, give each stroke."""
        for byte in data:
            key = LETTERS.get(byte | 0x20)
            if key is not None:
                yield KeyStroke(key, bool(byte & 0x20))

    def drop(self) -> None:
        """A byte is whole or not there."""
