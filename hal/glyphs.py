"""Characters as a thermal printer draws them: ASCII in 12 x 24 dots, all others in 24 x 24, from
Noto Sans Mono CJK SC at 24 pixels, made black or white. For printers that have no such characters
of their own, and for the picture of what a simulated one printed.
"""

import os
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT_DIRECTORY = Path("/usr/share/fonts/opentype/noto")
"""Where Debian's fonts-noto-cjk puts its files; LOBBY_CJK_FONTS names another directory."""
FONT_FILES = {False: "NotoSansCJK-Regular.ttc", True: "NotoSansCJK-Bold.ttc"}
MONO_SC_FACE = 7
"""Which face of the .ttc is Noto Sans Mono CJK SC."""
GLYPH_DOTS = 24
BASELINE_DOTS = {True: 20, False: 19}
"""Row of the baseline in wide and narrow cells: the lowest at which no letter loses its foot."""
INK_LEVEL = 128


@lru_cache(maxsize=8192)
def glyph(char: str, bold: bool, wide: bool) -> Image.Image:
    """A mask, white where ink goes. Raises FileNotFoundError without the font."""
    grey = Image.new("L", (GLYPH_DOTS if wide else GLYPH_DOTS // 2, GLYPH_DOTS), 0)
    pen = ImageDraw.Draw(grey)
    pen.text((0, BASELINE_DOTS[wide]), char, fill=255, font=_font(bold), anchor="ls")
    return grey.point(lambda level: 255 if level >= INK_LEVEL else 0).convert("1")


@lru_cache(maxsize=2)
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    path = Path(os.environ.get("LOBBY_CJK_FONTS", FONT_DIRECTORY)) / FONT_FILES[bold]
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: install fonts-noto-cjk to draw slips")
    return ImageFont.truetype(str(path), GLYPH_DOTS, index=MONO_SC_FACE)
