"""Writes firmware/pad/glyphs.py: the characters of the pad's display, from the screens' font.

``python -m tests.golden.make_pad_glyphs``. Needs fonts-noto-cjk. Only the characters that the
texts need.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from kiosk.ui.fonts import SC_FACE

CHARACTERS = "您好请评价谢★"
SIZE = 16
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
TARGET = Path(__file__).parent.parent.parent / "firmware" / "pad" / "glyphs.py"


def glyph(character: str) -> bytes:
    """32 bytes: the upper eight rows of 16 columns, then the lower; bit 0 is the top row."""
    font = ImageFont.truetype(FONT, SIZE, index=SC_FACE)
    image = Image.new("L", (SIZE, SIZE), 0)
    left, top, right, bottom = font.getbbox(character)
    at = ((SIZE - (right - left)) / 2 - left, (SIZE - (bottom - top)) / 2 - top)
    ImageDraw.Draw(image).text(at, character, fill=255, font=font)
    dots = image.tobytes()
    return bytes(
        sum(1 << row for row in range(8) if dots[(half * 8 + row) * SIZE + column] >= 110)
        for half in (0, 1)
        for column in range(SIZE)
    )


def content() -> str:
    """The module's text."""
    lines = [
        '"""Characters of the pad\'s display, 16 x 16 dots, drawn from Noto Sans CJK SC.',
        "",
        "Each: 16 columns of the upper eight rows, then of the lower; bit 0 is the top row.",
        "Written by tests/golden/make_pad_glyphs.py.",
        '"""',
        "",
        f"WIDTH = {SIZE}",
        "GLYPHS = {",
    ]
    for character in CHARACTERS:
        first, second = (glyph(character)[at : at + SIZE] for at in (0, SIZE))
        lines += [
            f'    "{character}": (',
            f"        {_hex(first)}",
            f"        {_hex(second)}",
            "    ),",
        ]
    return "\n".join([*lines, "}", ""])


def _hex(data: bytes) -> str:
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


if __name__ == "__main__":
    TARGET.write_text(content(), encoding="utf-8")
