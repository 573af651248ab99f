"""What is really on the screen, read from its pixels."""

from itertools import pairwise

import pytest
import segno
from PIL import Image, ImageChops, ImageDraw, ImageFont

from kiosk.ui import fonts
from kiosk.ui.tokens import CAPITAL_EM, LEAST_CAPITAL_MM
from kiosk.view import Printing
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess

pytestmark = pytest.mark.window

PLATE, NOTICE, CARD, INK = (255, 204, 51), (255, 240, 194), (255, 255, 255), (18, 32, 46)
NOT_A_CHARACTER = "\U000fffff"  # drawn as .notdef, the empty box


@pytest.fixture(scope="module", params=["large", "small"])
def kiosk(request, display, tmp_path_factory):
    size, pitch_mm = views.SIZES[request.param]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("pixels"))
    yield process
    assert process.close() == 0


def _count(image: Image.Image, colour) -> int:
    blank = Image.new("RGB", image.size, colour)
    return ImageChops.difference(image, blank).convert("L").histogram()[0]


def _text(screen, words):
    (found,) = [text for text in screen["texts"] if text["text"] == words]
    return found


def _inked(image: Image.Image, text) -> Image.Image:
    """The text's box, black on white whatever its colours are."""
    x, y, width, height = text["rect"]
    box = image.crop((x, y, x + width, y + height)).convert("L")
    ground = box.getpixel((0, 0))
    return box.point(lambda value: 0 if abs(value - ground) > 90 else 255)


def _likeness(drawn: Image.Image, words: str, text, bold: bool) -> float:
    """How much of the ink of ``words``, set by another program, is drawn; 0 to 1."""
    faces = fonts.load()
    face = ImageFont.truetype(faces.bold if bold else faces.regular, text["font_px"])
    other = Image.new("L", drawn.size, 255)
    at = (0, text["baseline"] - text["rect"][1])
    ImageDraw.Draw(other).text(at, words, font=face, fill=0, anchor="ls")
    other = other.point(lambda value: 0 if value < 128 else 255)
    both = ImageChops.lighter(drawn, other).histogram()[0]
    either = ImageChops.darker(drawn, other).histogram()[0]
    return both / either


@pytest.mark.parametrize("words", ["现金业务", "理财与贷款"])
def test_chinese_is_drawn_with_its_own_glyphs(kiosk, words):
    text = _text(kiosk.show(views.home("zh_CN")), words)
    drawn = _inked(kiosk.picture(), text)
    likeness = _likeness(drawn, words, text, bold=True)
    assert likeness > 0.75
    assert _likeness(drawn, NOT_A_CHARACTER * len(words), text, bold=True) < likeness / 2
    assert _likeness(drawn, words[2:] + words[:2], text, bold=True) < likeness - 0.25


def test_the_smallest_capital_is_high_enough_in_ink(kiosk):
    screen = kiosk.show(views.out_of_service("en"))
    text = _text(screen, "K1 STORAGE-FULL")
    assert text["font_px"] == min(each["font_px"] for each in screen["texts"])
    box = ImageChops.invert(_inked(kiosk.picture(), text)).getbbox()
    assert box is not None
    ink_px = box[3] - box[1]
    assert ink_px == pytest.approx(text["font_px"] * CAPITAL_EM, abs=2.5)
    assert (ink_px + 1) * kiosk.pitch_mm >= LEAST_CAPITAL_MM


def test_yellow_is_the_number_and_nothing_else(kiosk):
    width, height = kiosk.size
    for number, name in enumerate(views.gallery("en")):
        kiosk.show(views.gallery(("zh_CN", "en")[number % 2])[name])
        share = _count(kiosk.picture(), PLATE) / (width * height)
        if name.startswith(("ticket", "no-slip")):
            assert share > 0.12, name
        else:
            assert share == 0, name


def test_the_notice_band_is_there_when_it_is_needed(kiosk):
    kiosk.show(views.home("zh_CN"))
    assert _count(kiosk.picture(), NOTICE) == 0
    screen = kiosk.show(views.home_offline("zh_CN"))
    picture = kiosk.picture()
    assert _count(picture, NOTICE) > 0.03 * picture.width * picture.height
    words = [text["text"] for text in screen["texts"]]
    assert "网络暂时断开，取号照常" in words
    assert words.count("前面人数未知") == 4
    assert not any("分钟" in each or "分" in each for each in words)


def test_the_code_has_its_modules_and_its_quiet_zone(kiosk):
    url = "https://q.example.com/t/7KQ2M9XA"
    kiosk.show(views.no_slip("en", None))
    without = kiosk.picture()
    kiosk.show(views.no_slip("en", url))
    picture = kiosk.picture()
    rows = [list(row) for row in segno.make_qr(url, error="m").matrix]
    wide = kiosk.size == views.LARGE[0]
    card = (48, 932, 468, 1352) if wide else (874, 186, 1218, 530)
    code = picture.crop(card)
    ink = ImageChops.difference(code, Image.new("RGB", code.size, CARD)).convert("L")
    # Corners of the card are round; what is inside them is white but for the code.
    box = ink.crop((30, 30, ink.width - 30, ink.height - 30)).getbbox()
    assert box is not None
    left, top, right, bottom = box
    module = (right - left) / len(rows)
    assert module == (bottom - top) / len(rows) == int(module) >= 6
    assert min(left, top) + 30 >= 4 * module
    assert min(ink.width - right, ink.height - bottom) - 30 >= 4 * module
    for row, modules in enumerate(rows):
        for column, dark in enumerate(modules):
            at = (
                int(left + 30 + (column + 0.5) * module),
                int(top + 30 + (row + 0.5) * module),
            )
            assert code.getpixel(at) == (INK if dark else CARD), (row, column)
    assert without.crop(card) != code


def test_the_chevrons_point_down_one_after_another_once_the_slip_is_out(kiosk):
    where = (464, 1752, 616, 1900) if kiosk.size == views.LARGE[0] else (1096, 636, 1250, 780)

    def lit(image: Image.Image) -> int | None:
        """The lowest row of full ink among the chevrons."""
        box = image.crop(where)
        ground = Image.new("RGB", box.size, INK)
        ink = ImageChops.difference(box, ground).convert("L").point(lambda v: 255 * (v == 0))
        found = ink.getbbox()
        return found[3] if found else None

    kiosk.show(views.ticket("zh_CN", Printing.RUNNING))
    assert lit(kiosk.picture()) is None
    kiosk.show(views.ticket("zh_CN", Printing.DONE))
    lowest: list[int] = []

    def three(image: Image.Image) -> bool:
        row = lit(image)
        if row is not None and (not lowest or lowest[-1] != row):
            lowest.append(row)
        return len(lowest) == 3

    kiosk.picture_when(three)
    assert all(lower > upper for upper, lower in pairwise(lowest))
