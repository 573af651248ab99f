"""The pad's displays: what their chips understand of what is written to them."""

import pytest

from firmware.pad import glyphs, pad, screens


class Wire:
    """One of two wires, both seen by a chip."""

    def __init__(self, chip: "Tm1637", name: str) -> None:
        self.chip = chip
        self.name = name

    def value(self, level: int) -> None:
        self.chip.moved(self.name, level)


class Tm1637:
    """Start: data falls while the clock is high; stop: it rises; a bit at each rising clock."""

    def __init__(self) -> None:
        self.levels = {"clock": 1, "data": 1}
        self.bits: list[int] = []
        self.commands: list[bytes] = []

    def moved(self, name: str, level: int) -> None:
        before = self.levels[name]
        self.levels[name] = level
        if name == "data" and self.levels["clock"] and level != before:
            if level:  # stop
                assert len(self.bits) % 9 == 1  # the clock rises once more for the stop
                octets = [self.bits[at : at + 8] for at in range(0, len(self.bits) - 1, 9)]
                self.commands.append(
                    bytes(sum(bit << at for at, bit in enumerate(octet)) for octet in octets)
                )
            self.bits = []
        elif name == "clock" and level and not before:
            self.bits.append(self.levels["data"])


def shown(characters: bytes) -> list[bytes]:
    chip = Tm1637()
    screens.Digits(Wire(chip, "clock"), Wire(chip, "data"), lambda us: None).show(characters)
    return chip.commands


def test_a_number_reaches_the_digits():
    # A, 0, 4, 2 on segments a to g.
    assert shown(b"A042") == [b"\x40", b"\xc0\x77\x3f\x66\x5b", b"\x8c"]


def test_nothing_to_show_is_dark():
    assert shown(b"") == [b"\x40", b"\xc0\x00\x00\x00\x00", b"\x80"]


def test_what_seven_segments_cannot_show_is_blank():
    assert screens.segments(b"K-7 ") == b"\x00\x40\x07\x00"


class Ssd1306:
    """Takes writes of one page each after the window was set."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.pages: list[bytes] = []

    def writeto(self, address: int, data: bytes) -> None:
        assert address == screens.ADDRESS
        if data[0] == 0:
            self.commands.append(bytes(data[1:]))
            self.pages = []
        else:
            assert data[0] == 0x40
            self.pages.append(bytes(data[1:]))

    def dots(self) -> list[str]:
        return [
            "".join("#" if page[column] >> row & 1 else "." for column in range(screens.WIDTH))
            for page in self.pages
            for row in range(8)
        ]


@pytest.mark.parametrize("text", sorted(screens.TEXTS))
@pytest.mark.parametrize("stars", [0, 1, 5])
def test_a_text_stands_in_the_middle_with_its_stars_below(text, stars):
    chip = Ssd1306()
    screen = screens.Screen(chip)
    assert chip.commands[0][0] == 0xAE
    screen.show(text, stars)
    dots = chip.dots()
    assert len(dots) == 64
    lit = [row for row, line in enumerate(dots) if "#" in line]
    assert all(16 <= row < 32 or 40 <= row < 56 for row in lit)
    for rows, line in ((dots[16:32], screens.TEXTS[text]), (dots[40:56], "★" * stars)):
        left = (screens.WIDTH - 16 * len(line)) // 2
        lit_columns = {at for row in rows for at, dot in enumerate(row) if dot == "#"}
        assert lit_columns <= set(range(left, left + 16 * len(line)))
        for at, character in enumerate(line):
            glyph = glyphs.GLYPHS[character]
            drawn = [row[left + 16 * at : left + 16 * at + 16] for row in rows]
            for column in range(16):
                for row in range(16):
                    bit = glyph[row // 8 * 16 + column] >> row % 8 & 1
                    assert (drawn[row][column] == "#") == bool(bit)


def test_only_the_characters_of_the_texts_take_flash():
    used = set("".join(screens.TEXTS.values())) | {"★"}
    assert used == set(glyphs.GLYPHS)
    assert pad.NO_TEXT in screens.TEXTS
    for glyph in glyphs.GLYPHS.values():
        assert len(glyph) == 32
        assert sum(byte.bit_count() for byte in glyph) > 40
