"""A slip as ESC/POS bytes: pure, no I/O.

Text travels as the printer's own characters: ASCII as single bytes, everything else (full-width
punctuation too) as GB18030 between FS & and FS . — one ASCII cell is 12 x 24 dots, one GB18030
character 24 x 24, so it counts two cells. GS ! sets the size of both kinds on the printers whose
manuals were read (Epson: "all characters but HRI"; where FS ! or FS W also exist the last command
counts), so no FS ! is sent.

Text is laid out here, never by the printer: lines break between words and between Chinese
characters, closing punctuation stays with what it closes, a word too wide for the paper is printed
narrower before it is broken.

Control characters, surrogates and other unprintable text raise ValueError: a byte below 0x20 from
a text could be a command. The second to fourth bytes of GB18030 are never below 0x30, so no
character can hide one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from hal.api import Align, Feed, Pair, Qr, Rule, Slip, Text

CELL_DOTS = 12
"""Width of Font A, the printer's own ASCII font: 12 x 24 dots on every 203 dpi printer."""
LINE_GAP_SMALL_DOTS, LINE_GAP_LARGE_DOTS = 10, 16
"""White below a line: 24 + 10 = 34 dots is 1/6 inch, the default; large lines get more air."""
FONT_DOTS = 24
QR_CAPACITY_M = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213)
"""Bytes in a QR symbol of version 1..10 at error correction M: ISO/IEC 18004, table 7."""
QUIET_ZONE_MODULES = 4
"""White that a reader needs round a QR code, ISO/IEC 18004; printers add none above and below."""
FEED_LIMIT = 255
CUT_FEED_DOTS = 24
"""3 mm of white between the last line and the cut, beside what the printer needs by itself."""

INITIALISE = b"\x1b@"
KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."
FEED_AND_CUT = b"\x1dVB" + bytes([CUT_FEED_DOTS])  # GS V 66 n: partial cut
STATUS_IN_ORDER = b"\x1dr\x01"  # GS r 1: answered after everything sent before it was processed
AUTOMATIC_STATUS_OFF = b"\x1da\x00"  # GS a 0
AUTOMATIC_STATUS_ON = b"\x1da\x0e"  # GS a n: tells online/offline, errors and roll by itself
ASK_STATUS = b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"  # DLE EOT 1..4, in real time
CLEAR_BUFFERS = b"\x10\x05\x02\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE ENQ 2 (SNBC and others: recover, forget the buffer), then DLE DC4 fn 8 (Epson, Citizen)."""
PADDING = bytes(256)
"""NULs, ignored by a printer that waits for a command, longer than any block that a slip holds."""

KANJI_RUN = "\x1c&\\g<0>\x1c."
_WIDE = re.compile("[^\\x00-\\x7f]+")
_CLOSING = frozenset("。，、？！；：）》」』】”’…,.?!;:)")
_IDEOGRAPHIC_SPACE = "\u3000"


@dataclass(frozen=True, slots=True)
class Profile:
    """What differs between printers: dots across, white kept at both sides, dots to the inch;
    ``raster``: it has no GB18030 characters or no QR code, so all is drawn dot by dot.
    """

    dots_wide: int = 576
    margin_dots: int = 24
    dpi: int = 203
    raster: bool = False

    @property
    def columns(self) -> int:
        """ASCII cells in one line of normal size."""
        return (self.dots_wide - 2 * self.margin_dots) // CELL_DOTS


PAPER_80 = Profile()
PAPER_58 = Profile(dots_wide=384, margin_dots=0)
TM_T88 = Profile(dots_wide=512, margin_dots=4, dpi=180)
"""Epson TM-T88IV and later, Chinese model: 72.2 mm of paper at 180 dpi."""
RASTER_80 = Profile(raster=True)
RASTER_58 = Profile(dots_wide=384, margin_dots=0, raster=True)


def cells(text: str) -> int:
    """Width of ``text`` in ASCII cells; everything that travels as GB18030 takes two."""
    return len(text) if text.isascii() else len(text) + len("".join(_WIDE.findall(text)))


def wrap(text: str, columns: int) -> list[str]:
    """Break ``text`` into lines of at most ``columns`` cells (at least 2)."""
    if cells(text) <= columns:
        return [text]
    lines, line, width = [], "", 0
    for piece in _pieces(text):
        piece_width = cells(piece)
        if width + piece_width <= columns:
            line, width = line + piece, width + piece_width
            continue
        if piece.isspace():  # the break replaces it
            lines.append(line)
            line, width = "", 0
            continue
        if line:
            lines.append(line.rstrip(" "))
        line, width = "", 0
        for char in piece:
            if width + cells(char) > columns:
                lines.append(line)
                line, width = "", 0
            line, width = line + char, width + cells(char)
    if line or not lines:
        lines.append(line)
    return lines


def encode(slip: Slip, profile: Profile = PAPER_80, *, opening: bytes = b"") -> bytes:
    """All bytes of ``slip``, from ESC @ to the cut; ``opening`` are commands behind ESC @. Raises
    ValueError for unprintable text.
    """
    out = _output(profile, opening)
    for item in slip.items:
        match item:
            case Text():
                width = _fitting_width(item.text, item.width, profile.columns)
                for line in wrap(item.text, profile.columns // width):
                    out.line([(line, item.bold)], (width, item.height), item.align)
            case Pair():
                for spans in _pair_lines(item, profile.columns):
                    out.line(spans, (item.width, item.height), Align.LEFT)
            case Rule():
                out.line([("-" * profile.columns, False)], (1, 1), Align.LEFT)
            case Feed():
                out.feed(item.lines)
            case Qr():
                out.qr(item)
    return out.finish()


def _output(profile: Profile, opening: bytes) -> "Output":
    if not profile.raster:
        return Output(profile, opening)
    from hal.drivers.escpos_raster import RasterOutput  # Pillow, only where it is needed

    return RasterOutput(profile, opening)


Spans = list[tuple[str, bool]]  # text and whether it is bold


def _pair_lines(pair: Pair, columns: int) -> Iterator[Spans]:
    room = columns // _in_range(pair.width, 1, 8, "Pair.width")
    gap = room - cells(pair.left) - cells(pair.right)
    if gap >= 1:
        yield [(pair.left + " " * gap, False), (pair.right, pair.bold_right)]
        return
    for line in wrap(pair.left, room):
        yield [(line, False)]
    for line in wrap(pair.right, room):
        yield [(" " * (room - cells(line)) + line, pair.bold_right)]


def _fitting_width(text: str, width: int, columns: int) -> int:
    """The width asked for, or the largest below it at which no word is broken."""
    if _in_range(width, 1, 8, "Text.width") == 1 or cells(text) * width <= columns:
        return width
    longest = max(cells(piece) for piece in _pieces(text))
    while width > 1 and longest * width > columns:
        width -= 1
    return width


def _pieces(text: str) -> Iterator[str]:
    """What may not be broken: ASCII words, single wide characters with the punctuation after."""
    piece = ""
    for char in text:
        joins = char in _CLOSING or (
            bool(piece) and char.isascii() and piece[-1].isascii() and char != " " != piece[-1]
        )
        if piece and not (joins and piece != " "):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


class Output:
    """Collects bytes and sends a setting only when it changes."""

    def __init__(self, profile: Profile, opening: bytes, *, margins: bool = True) -> None:
        self.profile = profile
        self._size = (1, 1)
        self._bold = False
        self._align = Align.LEFT
        self._gap = 0  # line spacing last set, in dots
        width = profile.dots_wide - 2 * profile.margin_dots
        self._bytes = bytearray(INITIALISE + opening + KANJI_OFF)
        # One motion unit is one dot, whatever the printer's own default is.
        self._bytes += b"\x1dP" + bytes([profile.dpi, profile.dpi])
        if margins:
            self._bytes += b"\x1dL" + profile.margin_dots.to_bytes(2, "little")
            self._bytes += b"\x1dW" + width.to_bytes(2, "little")

    def line(self, spans: Spans, size: tuple[int, int], align: Align) -> None:
        """One line that fits."""
        width, height = self.checked(size)
        self._place(align)
        self._space(height)
        if (width, height) != self._size:
            self._size = (width, height)
            self._bytes += b"\x1d!" + bytes([(width - 1) << 4 | (height - 1)])
        for text, bold in spans:
            if text and bold != self._bold:
                self._bold = bold
                self._bytes += b"\x1bE" + bytes([bold])
            self._bytes += _encode_text(text)
        self._bytes += b"\n"

    def feed(self, lines: int) -> None:
        """Blank lines."""
        if self.checked_feed(lines):
            self._space(1)
            self._bytes += b"\x1bd" + bytes([lines])

    def qr(self, qr: Qr) -> None:
        """A QR code with its quiet zone."""
        data, _, module_dots = self.fitting_qr(qr)
        self._place(Align.CENTRE)
        white = b"\x1bJ" + bytes([QUIET_ZONE_MODULES * module_dots])
        self._bytes += (
            white
            + b"\x1d(k\x04\x001A2\x00"  # model 2
            + b"\x1d(k\x03\x001C"
            + bytes([module_dots])
            + b"\x1d(k\x03\x001E1"  # error correction M: 15 % may be dirty
            + b"\x1d(k"
            + (len(data) + 3).to_bytes(2, "little")
            + b"1P0"
            + data
            + b"\x1d(k\x03\x001Q0"
            + white
        )

    def add(self, data: bytes) -> None:
        """Bytes as they are."""
        self._bytes += data

    def finish(self) -> bytes:
        """Everything, with the cut."""
        return bytes(self._bytes + FEED_AND_CUT)

    # --- what all ways of drawing have in common ---------------------------------------------

    def fitting_qr(self, qr: Qr) -> tuple[bytes, int, int]:
        """The code's data, its modules across and the dots of one, so that it fits the paper."""
        data = _qr_data(qr.text)
        modules = next(21 + 4 * v for v, room in enumerate(QR_CAPACITY_M) if len(data) <= room)
        width = self.profile.dots_wide - 2 * self.profile.margin_dots
        module_dots = min(_in_range(qr.module_dots, 1, 16, "Qr.module_dots"), width // modules)
        return data, modules, module_dots

    @staticmethod
    def checked(size: tuple[int, int]) -> tuple[int, int]:
        """Width and height. Raises ValueError."""
        return _in_range(size[0], 1, 8, "width"), _in_range(size[1], 1, 8, "height")

    @staticmethod
    def checked_feed(lines: int) -> int:
        """Lines of a feed. Raises ValueError."""
        return _in_range(lines, 0, FEED_LIMIT, "Feed.lines")

    @staticmethod
    def plain(text: str) -> str:
        """The text itself. Raises ValueError for one that cannot be printed."""
        _encode_text(text)
        return text

    @staticmethod
    def gap_below(height: int) -> int:
        """Dots of white below a line."""
        return LINE_GAP_SMALL_DOTS if height == 1 else LINE_GAP_LARGE_DOTS

    def _place(self, align: Align) -> None:
        if align is not self._align:
            self._align = align
            self._bytes += b"\x1ba" + bytes([align is Align.CENTRE])

    def _space(self, height: int) -> None:
        gap = height * FONT_DOTS + self.gap_below(height)
        if gap != self._gap:
            self._gap = gap
            self._bytes += b"\x1b3" + bytes([gap])


def _encode_text(text: str) -> bytes:
    if not text.replace(_IDEOGRAPHIC_SPACE, "").isprintable():
        char = next(c for c in text if not (c.isprintable() or c == _IDEOGRAPHIC_SPACE))
        name = unicodedata.name(char, "a control character")
        raise ValueError(
            f"{text!r}: U+{ord(char):04X} ({name}) cannot be printed; take it out of the text"
        )
    if text.isascii():
        return text.encode()
    return _WIDE.sub(KANJI_RUN, text).encode("gb18030")


def _qr_data(text: str) -> bytes:
    limit = QR_CAPACITY_M[-1]
    data = text.encode()
    if not text or not text.isprintable() or len(data) > limit:
        raise ValueError(
            f"QR text {text!r}: expected 1..{limit} bytes without control characters,"
            f" got {len(data)}; shorten the address"
        )
    return data


def _in_range(value: int, low: int, high: int, name: str) -> int:
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low}..{high}, got {value}")
    return value
