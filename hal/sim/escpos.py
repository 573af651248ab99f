"""The print side of the simulated ESC/POS machine: takes commands off the buffer, makes marks.

Each :meth:`Interpreter.step` consumes one character or one command, or nothing when its bytes have
not all come yet; it never decides on half a command, so any splitting gives the same paper. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hal.glyphs import GLYPH_DOTS
from hal.sim.paper import Cell, QrMark, RasterMark, TextLine, qr_modules

LF, CR, NUL = 0x0A, 0x0D, 0x00
ESC, FS, GS = 0x1B, 0x1C, 0x1D
DEFAULT_SPACING_DOTS = 34
"""ESC 2: 1/6 inch at 203 dpi."""
TOP_WHITE_DOTS = 24
"""White above the first line. In life it is the way from head to cutter, some 12 mm."""
DPI = 203
QR_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}
QR_MODULE_RANGE = range(1, 17)
BLOCK_LIMIT = 1024
"""Longest GS ( k block taken in whole; a longer one is skipped as it comes."""
BAND_LIMIT = 3072
"""Bytes of one GS v 0 taken in whole: it has to fit the receive buffer."""
NO_GLYPH = "\u3013"
"""The geta mark, what a printer with a CJK font shows for a code it has no character for."""
PARAMETERS = {
    **{(ESC, ord(c)): 0 for c in "@2"},
    **{(ESC, ord(c)): 1 for c in "!EGadJ3RtM-"},
    **{(FS, ord(c)): 0 for c in "&."},
    **{(FS, ord(c)): 1 for c in "!"},
    **{(GS, ord(c)): 1 for c in "!ra"},
    **{(GS, ord(c)): 2 for c in "LWP"},
}
"""Bytes after the two that name a command. GS V, GS v and GS ( are of variable length."""


@dataclass(slots=True)
class Settings:
    """What ESC @ puts back."""

    width: int = 1
    height: int = 1
    bold: bool = False
    centred: bool = False
    right: bool = False
    kanji: bool = False
    spacing: int = DEFAULT_SPACING_DOTS
    margin: int = 0
    area: int = 0  # 0: the whole paper
    unit_x: int = DPI
    unit_y: int = DPI
    qr_level: str = "l"
    qr_module_dots: int = 3
    qr_data: bytes = b""


@dataclass(slots=True)
class Page:
    """The paper since the last cut."""

    width: int
    marks: list[TextLine | QrMark | RasterMark] = field(default_factory=list)
    y: int = TOP_WHITE_DOTS


@dataclass(slots=True)
class Step:
    """What one step did."""

    consumed: int
    line_printed: bool = False
    cut: bool = False
    reset: bool = False  # ESC @
    ask: int | None = None  # GS r n
    automatic: int | None = None  # GS a n
    refused: str = ""  # why the command had no effect


class Interpreter:
    """The command interpreter of one printer with paper ``width`` dots wide."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.settings = Settings()
        self.page = Page(width)
        self._line: list[Cell] = []
        self._used = 0  # dots across
        self._skip = 0  # bytes still to come of a block that is not understood

    @property
    def is_blank(self) -> bool:
        """Whether nothing was printed since the last cut."""
        return not self.page.marks

    def reset(self) -> None:
        """Forget the print buffer and all settings, keep the paper."""
        self.forget_line()
        self.settings = Settings()

    def forget_line(self) -> None:
        """Forget the line that was not printed yet, keep the settings."""
        self._line.clear()
        self._used = self._skip = 0

    def new_page(self) -> Page:
        """Take the paper out and start a new piece."""
        page, self.page = self.page, Page(self._width)
        return page

    def step(self, data: bytearray) -> Step:
        """Do what the head of ``data`` says; ``consumed`` 0 asks for more bytes."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            return Step(skipped)
        first = data[0]
        if first in (NUL, CR):
            return Step(1)
        if first == LF:
            return self._print_line(1)
        if first in (ESC, FS, GS):
            return self._command(data) if len(data) > 1 else Step(0)
        if first < 0x20 or first == 0x7F:
            return Step(1, refused="control byte without a meaning")
        return self._character(data)

    # --- characters ------------------------------------------------------------------------

    def _character(self, data: bytearray) -> Step:
        first, kanji = data[0], self.settings.kanji
        size, wide = 1, False
        if kanji and 0x81 <= first <= 0xFE:
            if len(data) < 2:
                return Step(0)
            size, wide = (4 if 0x30 <= data[1] <= 0x39 else 2), True
            if len(data) < size:
                return Step(0)
        refused = ""
        try:
            char = bytes(data[:size]).decode("gb18030" if wide else "cp437")
        except UnicodeDecodeError:
            char, refused = NO_GLYPH, "no such GB18030 character"
        settings = self.settings
        cell = Cell(char, 0, settings.width, settings.height, settings.bold, wide)
        if self._line and self._used + cell.dots > self._area():
            return self._print_line(0)  # full: the character begins the next line
        self._line.append(cell)
        self._used += cell.dots
        return Step(size, refused=refused)

    def _area(self) -> int:
        room = max(self._width - self.settings.margin, GLYPH_DOTS)
        return min(self.settings.area or room, room)

    def _start(self, width: int) -> int:
        free = max(self._area() - width, 0)
        if self.settings.centred:
            free //= 2
        elif not self.settings.right:
            free = 0
        return self.settings.margin + free

    def _print_line(self, consumed: int) -> Step:
        height = 0
        if self._line:
            x, cells = self._start(self._used), []
            for cell in self._line:
                cells.append(Cell(cell.char, x, cell.width, cell.height, cell.bold, cell.wide))
                x += cell.dots
            line = TextLine(self.page.y, tuple(cells))
            self.page.marks.append(line)
            height = line.height
            self._line.clear()
            self._used = 0
        self.page.y += max(height, self.settings.spacing)
        return Step(consumed, line_printed=height > 0)

    # --- commands --------------------------------------------------------------------------

    def _command(self, data: bytearray) -> Step:
        key = (data[0], data[1])
        if key == (GS, ord("(")):
            return self._block(data)
        if key == (GS, ord("V")):
            return self._cut(data)
        if key == (GS, ord("v")):
            return self._raster(data)
        count = PARAMETERS.get(key)
        if count is None:
            return Step(2, refused="unknown command")
        if len(data) < 2 + count:
            return Step(0)
        done = Step(2 + count)
        self._apply(key, bytes(data[2 : 2 + count]), done)
        return done

    def _apply(self, key: tuple[int, int], p: bytes, done: Step) -> None:
        settings, name = self.settings, chr(key[1])
        match (key[0], name):
            case (0x1B, "@"):
                self.reset()
                done.reset = True
            case (0x1B, "!"):
                settings.bold = bool(p[0] & 0x08)
                settings.height, settings.width = 1 + (p[0] >> 4 & 1), 1 + (p[0] >> 5 & 1)
            case (0x1B, "E" | "G"):
                settings.bold = bool(p[0] & 1)
            case (0x1B, "a"):
                self._align(p[0], done)
            case (0x1B, "d"):
                self._feed(p[0] * settings.spacing, done)
            case (0x1B, "J"):
                self._feed(p[0] * DPI // settings.unit_y, done)
            case (0x1B, "2"):
                settings.spacing = DEFAULT_SPACING_DOTS
            case (0x1B, "3"):
                settings.spacing = p[0] * DPI // settings.unit_y
            case (0x1B, "M") if p[0] not in (0, 48):
                done.refused = "this printer has no such font"
            case (0x1C, "&" | "."):
                settings.kanji = name == "&"
            case (0x1D, "!") if p[0] & 0x88:
                done.refused = "size beyond 8 x 8"
            case (0x1D, "!"):
                settings.width, settings.height = 1 + (p[0] >> 4), 1 + (p[0] & 7)
            case (0x1D, "L"):
                settings.margin = self._horizontal(p)
            case (0x1D, "W"):
                settings.area = self._horizontal(p)
            case (0x1D, "P"):
                settings.unit_x, settings.unit_y = p[0] or DPI, p[1] or DPI
            case (0x1D, "r") if p[0] in (1, 2, 49, 50):
                done.ask = p[0] & 3
            case (0x1D, "r"):
                done.refused = "no such status"
            case (0x1D, "a"):
                done.automatic = p[0]

    def _horizontal(self, p: bytes) -> int:
        return min(int.from_bytes(p, "little") * DPI // self.settings.unit_x, self._width)

    def _align(self, n: int, done: Step) -> None:
        if self._line or n not in (0, 1, 2, 48, 49, 50):
            done.refused = "alignment is 0..2, at the beginning of a line"
            return
        self.settings.centred, self.settings.right = n & 3 == 1, n & 3 == 2

    def _feed(self, dots: int, done: Step) -> None:
        if self._line:
            done.line_printed = self._print_line(0).line_printed
            dots -= self.settings.spacing
        self.page.y += max(dots, 0)

    def _cut(self, data: bytearray) -> Step:
        if len(data) < 3:
            return Step(0)
        mode = data[2]
        feeds = mode in (65, 66)
        if not feeds and mode not in (0, 1, 48, 49):
            return Step(3, refused="no such cut")
        if feeds and len(data) < 4:
            return Step(0)
        consumed = 4 if feeds else 3
        if self._line:
            return Step(consumed, refused="a cut works at the beginning of a line only")
        if feeds:
            self.page.y += data[3] * DPI // self.settings.unit_y
        return Step(consumed, cut=True)

    def _raster(self, data: bytearray) -> Step:
        if len(data) < 8:
            return Step(0)
        across, down = (int.from_bytes(data[at : at + 2], "little") for at in (4, 6))
        size = across * down
        if (
            data[2] != ord("0")
            or data[3] not in (0, 48)
            or self._line
            or not 0 < size <= BAND_LIMIT
        ):
            self._skip = size
            return Step(8, refused="only small bands of plain dots, at the beginning of a line")
        if len(data) < 8 + size:
            return Step(0)
        x = self._start(across * 8)
        band = RasterMark(x, self.page.y, across * 8, down, bytes(data[8 : 8 + size]))
        self.page.marks.append(band)
        self.page.y += down
        return Step(8 + size, line_printed=True)

    def _block(self, data: bytearray) -> Step:
        if len(data) < 5:
            return Step(0)
        size = int.from_bytes(data[3:5], "little")
        if data[2] != ord("k") or not 3 <= size <= BLOCK_LIMIT:
            self._skip = size
            return Step(5, refused="unknown command")
        if len(data) < 5 + size:
            return Step(0)
        body = bytes(data[5 : 5 + size])
        done = Step(5 + size)
        if body[0] != 49:
            done.refused = "no such code"
            return done
        self._qr(body[1], body[2:], done)
        return done

    def _qr(self, function: int, p: bytes, done: Step) -> None:
        actions: dict[int, Callable[[bytes], str]] = {
            65: lambda p: "" if p[0] == 50 else "only QR model 2",
            67: self._qr_size,
            69: self._qr_error_level,
            80: self._qr_store,
            81: self._qr_print,
        }
        action = actions.get(function)
        done.refused = action(p) if action else "no such QR function"
        done.line_printed = function == 81 and not done.refused

    def _qr_size(self, p: bytes) -> str:
        if p[0] not in QR_MODULE_RANGE:
            return "QR modules are 1..16 dots"
        self.settings.qr_module_dots = p[0]
        return ""

    def _qr_error_level(self, p: bytes) -> str:
        level = QR_LEVELS.get(p[0])
        self.settings.qr_level = level or self.settings.qr_level
        return "" if level else "QR error correction is 48..51"

    def _qr_store(self, p: bytes) -> str:
        self.settings.qr_data = p[1:]
        return ""

    def _qr_print(self, _: bytes) -> str:
        settings = self.settings
        if self._line or not settings.qr_data:
            return "a QR code needs data and the beginning of a line"
        try:
            text = settings.qr_data.decode()
            modules = len(qr_modules(settings.qr_data, settings.qr_level))
        except ValueError:
            return "these data make no QR code"
        dots = modules * settings.qr_module_dots
        if dots > self._area():
            return "the QR code is wider than the paper"
        x = self._start(dots)
        self.page.marks.append(
            QrMark(x, self.page.y, text, settings.qr_module_dots, settings.qr_level)
        )
        self.page.y += dots
        return ""
