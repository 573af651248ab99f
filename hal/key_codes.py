"""The keys of a Linux input device: ``struct input_event`` and the characters of a US keyboard, as
card and QR readers are delivered. Pure.
"""

import struct

EV_KEY = 1
RELEASED, PRESSED = 0, 1
INPUT_EVENT = struct.Struct("llHHi")
"""``struct input_event``: seconds, microseconds, type, code, value (linux/input.h)."""
SHIFTS = frozenset({42, 54})
ENTERS = frozenset({28, 96})
_ROWS = {
    2: b"1234567890-=",
    16: b"qwertyuiop[]",
    30: b"asdfghjkl;'`",
    44: b"zxcvbnm,./",
}
_SHIFTED_ROWS = {
    2: b"!@#$%^&*()_+",
    16: b"QWERTYUIOP{}",
    30: b'ASDFGHJKL:"~',
    44: b"ZXCVBNM<>?",
}
_EXTRA = {43: b"\\|", 57: b"  ", 55: b"**", 74: b"--", 78: b"++", 83: b"..", 98: b"//"}
_PAD = {71: 7, 72: 8, 73: 9, 75: 4, 76: 5, 77: 6, 79: 1, 80: 2, 81: 3, 82: 0}


def _keys() -> dict[int, bytes]:
    """Key code -> its character, and with shift: a US keyboard, as readers are delivered."""
    keys = dict(_EXTRA)
    for first, row in _ROWS.items():
        shifted = _SHIFTED_ROWS[first]
        keys |= {first + n: bytes([row[n], shifted[n]]) for n in range(len(row))}
    keys |= {code: b"%d%d" % (digit, digit) for code, digit in _PAD.items()}
    return keys


KEYS = _keys()
