"""A slip as dots (GS v 0), for printers without Chinese characters or without QR codes: the same
lines at the same places as :mod:`hal.drivers.escpos_codes` would let the printer draw them.

Some 45 (58 mm) or 60 kB a slip instead of 0.7: 4 or 5 s at 115200 baud, so USB or a network.
Bands of 24 rows, each a command of its own, so that a printer begins before the last is there and
a small buffer never holds half a command; white rows are a feed.
"""

import segno
from PIL import Image, ImageDraw

from hal.api import Align, Qr
from hal.drivers.escpos_codes import FONT_DOTS, QUIET_ZONE_MODULES, Output, Profile, Spans
from hal.glyphs import glyph

BAND_ROWS = 24
FEED_ROWS = 255
"""ESC J n feeds at most that much."""


class RasterOutput(Output):
    """Draws each line as it is asked for. ``rows`` counts what is drawn or fed since the start."""

    def __init__(self, profile: Profile, opening: bytes) -> None:
        super().__init__(profile, opening, margins=False)

    def line(self, spans: Spans, size: tuple[int, int], align: Align) -> None:
        width, height = self.checked(size)
        cells = [
            (char, bold, not char.isascii()) for text, bold in spans for char in self.plain(text)
        ]
        picture = self._blank(height * FONT_DOTS)
        used = sum(FONT_DOTS * width // (1 if wide else 2) for _, _, wide in cells)
        x = self._start(used, align)
        for char, bold, wide in cells:
            mask = glyph(char, bold, wide)
            dots = (mask.width * width, FONT_DOTS * height)
            picture.paste(1, (x, 0), mask.resize(dots, Image.Resampling.NEAREST))
            x += dots[0]
        self._emit(picture)
        self._white(self.gap_below(height))

    def feed(self, lines: int) -> None:
        self._white(self.checked_feed(lines) * (FONT_DOTS + self.gap_below(1)))

    def qr(self, qr: Qr) -> None:
        data, modules, module_dots = self.fitting_qr(qr)
        side = modules * module_dots
        picture = self._blank(side)
        pen = ImageDraw.Draw(picture)
        left = self._start(side, Align.CENTRE)
        code = segno.make(data, error="m", boost_error=False, micro=False)
        for row, line in enumerate(code.matrix):
            for column, dark in enumerate(line):
                if dark:
                    x, y = left + column * module_dots, row * module_dots
                    pen.rectangle((x, y, x + module_dots - 1, y + module_dots - 1), fill=1)
        self._white(QUIET_ZONE_MODULES * module_dots)
        self._emit(picture)
        self._white(QUIET_ZONE_MODULES * module_dots)

    def _blank(self, rows: int) -> Image.Image:
        return Image.new("1", (self.profile.dots_wide, rows), 0)

    def _start(self, used: int, align: Align) -> int:
        free = max(self.profile.dots_wide - 2 * self.profile.margin_dots - used, 0)
        return self.profile.margin_dots + (free // 2 if align is Align.CENTRE else 0)

    def _emit(self, picture: Image.Image) -> None:
        for top in range(0, picture.height, BAND_ROWS):
            rows = min(BAND_ROWS, picture.height - top)
            band = picture.crop((0, top, picture.width, top + rows))
            if band.getbbox() is None:
                self._white(rows)
                continue
            data = band.tobytes()
            self.add(
                b"\x1dv0\x00"
                + (len(data) // rows).to_bytes(2, "little")
                + rows.to_bytes(2, "little")
                + data
            )

    def _white(self, rows: int) -> None:
        while rows > 0:
            self.add(b"\x1bJ" + bytes([min(rows, FEED_ROWS)]))
            rows -= FEED_ROWS
