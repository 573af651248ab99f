"""Displays of a pad: four digits (TM1637) and 128 x 64 dots (SSD1306). Pins and bus are given.

Both are written when what they show changes, never on a schedule: 0.6 ms for the digits, 26 ms for
a whole screen on a bus of 400 kHz, by the bits each protocol takes.
"""

from firmware.pad import glyphs, pad

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Segments a to g are bits 0 to 6. Letters that seven segments cannot show are blank.
_SEGMENTS = {
    "0": 0x3F, "1": 0x06, "2": 0x5B, "3": 0x4F, "4": 0x66, "5": 0x6D, "6": 0x7D, "7": 0x07,
    "8": 0x7F, "9": 0x6F, "A": 0x77, "B": 0x7C, "C": 0x39, "D": 0x5E, "E": 0x79, "F": 0x71,
    "G": 0x3D, "H": 0x76, "J": 0x1E, "L": 0x38, "N": 0x54, "O": 0x5C, "P": 0x73, "Q": 0x67,
    "R": 0x50, "S": 0x6D, "T": 0x78, "U": 0x3E, "Y": 0x6E, "-": 0x40, " ": 0x00,
}  # fmt: skip

ADDRESS = 0x3C
WIDTH = 128
PAGES = 8
TEXTS = {
    pad.NO_TEXT: "",
    pad.HELLO_TEXT: "您好",
    pad.PLEASE_RATE_TEXT: "请评价",
    pad.THANK_YOU_TEXT: "谢谢",
}
_INIT = (
    b"\xae\x20\x00\xa8\x3f\xd3\x00\x40\xa1\xc8\xda\x12\x81\x7f"
    b"\xa4\xa6\xd5\x80\xd9\xf1\xdb\x30\x8d\x14\xaf"
)


def segments(characters: bytes) -> bytes:
    """Segments of four characters."""
    return bytes([_SEGMENTS.get(chr(character), 0) for character in characters])


class Digits:
    """Four digits on a TM1637: two wires, least significant bit first, no answer awaited."""

    def __init__(self, clock: "Any", data: "Any", sleep_us: "Callable[[int], object]") -> None:
        self._clock = clock
        self._data = data
        self._sleep_us = sleep_us

    def show(self, characters: bytes) -> None:
        """Show four ASCII characters; none: dark."""
        self._command(bytes([0x40]))
        self._command(bytes([0xC0]) + segments(characters or b"    "))
        self._command(bytes([0x8C if characters else 0x80]))

    def _command(self, data: bytes) -> None:
        self._data.value(0)
        self._sleep_us(5)
        for byte in data:
            for bit in range(9):  # the ninth is the chip's acknowledgement
                self._clock.value(0)
                self._data.value((byte >> bit) & 1 if bit < 8 else 0)
                self._sleep_us(5)
                self._clock.value(1)
                self._sleep_us(5)
        self._clock.value(0)
        self._data.value(0)
        self._clock.value(1)
        self._sleep_us(5)
        self._data.value(1)


class Screen:
    """128 x 64 dots of an SSD1306: a text in the middle, stars below."""

    def __init__(self, i2c: "Any") -> None:
        self._i2c = i2c
        self._page = bytearray(1 + WIDTH)
        self._page[0] = 0x40
        i2c.writeto(ADDRESS, b"\x00" + _INIT)

    def show(self, text: int, stars: int) -> None:
        """Show a text (pad.HELLO_TEXT ...) and as many stars. Raises OSError."""
        self._i2c.writeto(ADDRESS, b"\x00\x21\x00\x7f\x22\x00\x07")
        for page in range(PAGES):
            self._draw(page, text, stars)
            self._i2c.writeto(ADDRESS, self._page)

    def _draw(self, page: int, text: int, stars: int) -> None:
        for at in range(1, 1 + WIDTH):
            self._page[at] = 0
        if page in (2, 3):
            line, half = TEXTS[text], page - 2
        elif page in (5, 6):
            line, half = "★" * stars, page - 5
        else:
            return
        column = 1 + (WIDTH - glyphs.WIDTH * len(line)) // 2
        for character in line:
            glyph = glyphs.GLYPHS[character]
            start = half * glyphs.WIDTH
            self._page[column : column + glyphs.WIDTH] = glyph[start : start + glyphs.WIDTH]
            column += glyphs.WIDTH
