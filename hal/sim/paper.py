"""The paper of the simulated printer: what was printed, and its picture in the printer's own look.

Characters are those of :mod:`hal.glyphs`, enlarged by whole multiples, as a thermal printer does.
"""

import io
from dataclasses import dataclass

import segno
from PIL import Image, ImageDraw

from hal.glyphs import GLYPH_DOTS, glyph


@dataclass(frozen=True, slots=True)
class Cell:
    """One character: ``x`` in dots from the left of the paper, whole multiples of its size."""

    char: str
    x: int
    width: int
    height: int
    bold: bool
    wide: bool  # 24 dots instead of 12

    @property
    def dots(self) -> int:
        """Dots across."""
        return (GLYPH_DOTS if self.wide else GLYPH_DOTS // 2) * self.width


@dataclass(frozen=True, slots=True)
class TextLine:
    """One printed line; ``y`` is its upper edge in dots from the top of the slip."""

    y: int
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """What a person reads."""
        return "".join(cell.char for cell in self.cells)

    @property
    def height(self) -> int:
        """Dots down."""
        return max(cell.height for cell in self.cells) * GLYPH_DOTS


@dataclass(frozen=True, slots=True)
class QrMark:
    """A printed QR code."""

    x: int
    y: int
    text: str
    module_dots: int
    level: str  # l, m, q, h


@dataclass(frozen=True, slots=True)
class RasterMark:
    """A band of dots (GS v 0), eight to a byte, 1 is black."""

    x: int
    y: int
    width: int
    height: int
    data: bytes


def qr_modules(data: bytes, level: str) -> tuple[tuple[int, ...], ...]:
    """The modules of the smallest symbol for ``data``. Raises ValueError when there is none."""
    code = segno.make(data, error=level, boost_error=False, micro=False)
    return tuple(tuple(row) for row in code.matrix)


@dataclass(frozen=True, slots=True)
class PrintedSlip:
    """One piece of paper that left the printer. ``sequence`` counts pieces from 1.

    ``complete`` means that the printer worked it off to the cut without a break; a piece that a
    paper end, a power cut or a cleared buffer cut short is not.
    """

    sequence: int
    marks: tuple[TextLine | QrMark | RasterMark, ...]
    width: int  # dots
    height: int  # dots
    cut: bool
    complete: bool

    @property
    def lines(self) -> tuple[str, ...]:
        """The text, line by line, with the spaces that were printed."""
        return tuple(mark.text for mark in self.marks if isinstance(mark, TextLine))

    @property
    def number(self) -> str:
        """The text in the largest characters, empty when all are of normal size."""
        cells = [c for m in self.marks if isinstance(m, TextLine) for c in m.cells]
        largest = max((c.width * c.height for c in cells), default=1)
        if largest == 1:
            return ""
        return "".join(c.char for c in cells if c.width * c.height == largest)

    @property
    def qr(self) -> str | None:
        """What the (last) QR code says, None without one."""
        return next((m.text for m in reversed(self.marks) if isinstance(m, QrMark)), None)

    def image(self) -> Image.Image:
        """Draw it, one pixel a dot (8 a millimetre). Raises FileNotFoundError without the font."""
        picture = Image.new("1", (self.width, max(self.height, 1)), 1)
        for mark in self.marks:
            if isinstance(mark, QrMark):
                _draw_qr(picture, mark)
            elif isinstance(mark, RasterMark):
                band = Image.frombytes("1", (mark.width, mark.height), mark.data)
                picture.paste(0, (mark.x, mark.y), band)
            else:
                _draw_line(picture, mark)
        return picture

    def png(self) -> bytes:
        """:meth:`image` as a PNG file."""
        out = io.BytesIO()
        self.image().save(out, "PNG", dpi=(203, 203))
        return out.getvalue()


def _draw_line(picture: Image.Image, line: TextLine) -> None:
    for cell in line.cells:
        mask = glyph(cell.char, cell.bold, cell.wide)
        size = (cell.dots, cell.height * GLYPH_DOTS)
        # Characters of different heights on one line stand on its lower edge.
        top = line.y + line.height - size[1]
        picture.paste(0, (cell.x, top), mask.resize(size, Image.Resampling.NEAREST))


def _draw_qr(picture: Image.Image, mark: QrMark) -> None:
    pen = ImageDraw.Draw(picture)
    step = mark.module_dots
    for row, modules in enumerate(qr_modules(mark.text.encode(), mark.level)):
        for column, dark in enumerate(modules):
            if dark:
                x, y = mark.x + column * step, mark.y + row * step
                pen.rectangle((x, y, x + step - 1, y + step - 1), fill=0)
