"""What a person meets on one screen of the kiosk, measured: millimetres, contrast, words, order.

Takes the screen description (kiosk/ui/describe.py) and the window's pixels; opens nothing. Sizes
are in millimetres by the configured pixel pitch, contrast is WCAG 2's ratio of colours that are
really in the picture. Sources of the limits: EN 301 549 8.3.2 and 5.1.4 (reach, capital height),
WCAG 2.2 1.4.3 and 1.4.11 (contrast).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFont

Rect = list[float]
Rgb = tuple[int, int, int]

INK_ABOVE_EM, INK_BELOW_EM = 0.80, 0.10
"""How far the glyphs of a line reach from its baseline, without the air around them."""
CAPITAL_EM = 0.733
"""Height of a capital and of a figure in Noto Sans CJK."""
AIR_EM, BLANK_EM, FULL_STOP_EM, FULL_STOPS = 0.3, 0.25, 0.6, tuple("，。？、：）”")
"""Beside the ink of a line, and more where it ends with a Chinese mark."""
LEAST_GAP_MM = 2.5
OUTSIDE_PX, INSIDE_PX = 4, 12
"""Where the ground beside a control, and the edge that sets it apart, are looked for."""
RING_PX, RING_CONTRAST = 16, 3.0
"""How far outside a control its ring is looked for, and WCAG 2.4.13's contrast."""
HAN = re.compile(r"[㐀-鿿]")
LATIN_WORD = re.compile(r"[a-z]{3,}")
BARE_KEY = re.compile(r"^[a-z_]+(\.[a-z_0-9]+)+$")
CAPITALS = re.compile(r"^[A-IK-PR-Z0-9]+$")
"""Texts whose ink is as high as a capital: no letter that hangs below the line."""
CAPITAL_ERROR = 0.04
"""Round letters overshoot, and the edge rows of the ink are half covered."""
LANGUAGE_CONTROL = "language"
"""The one control that is named in another language, on purpose."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a mode promises. ``lower_half``: nothing above the middle reacts."""

    target_mm: float = 20.0
    capital_mm: float = 7.3
    text_contrast: float = 4.5
    edge_contrast: float = 3.0
    lower_half: bool = False
    person: bool = False
    help: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that must not be, and where it is in the picture (x, y, width, height)."""

    words: str
    rect: Rect


@dataclass(slots=True)
class Measured:
    """One screen's faults and its worst figures (None: there was nothing to measure)."""

    faults: list[Fault] = field(default_factory=list)
    target_mm: float | None = None
    capital_mm: float | None = None
    text_contrast: float | None = None
    edge_contrast: float | None = None
    ring_contrast: float | None = None
    controls: int = 0
    texts: int = 0

    def refuse(self, words: str, rect: Rect) -> None:
        """Note a fault."""
        self.faults.append(Fault(words, rect))


def measure(
    screen: dict[str, Any], picture: Image.Image, pitch_mm: float, limits: Limits
) -> Measured:
    """Measure ``screen`` as drawn in ``picture``, whose pixels are ``pitch_mm`` wide."""
    found = Measured(controls=len(screen["controls"]), texts=len(screen["texts"]))
    _places(screen, found)
    for control in screen["controls"]:
        _control(control, screen, picture, pitch_mm, limits, found)
    for text in screen["texts"]:
        _text(text, picture, pitch_mm, limits, found)
    _order(screen["controls"], found)
    _gaps(screen["controls"], pitch_mm, found)
    _language(screen, found)
    if not screen["spoken"] or "\n" in screen["spoken"]:
        found.refuse(f"it says nothing of itself: {screen['spoken']!r}", [0, 0, *screen["size"]])
    if limits.person and not any(c["id"] in ("person", "service.P") for c in screen["controls"]):
        found.refuse("no way to a person", [0, 0, *screen["size"]])
    if limits.help and not any(c["id"] == "help" for c in screen["controls"]):
        found.refuse("no way to call for help", [0, 0, *screen["size"]])
    return found


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG 2's contrast ratio, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Rgb) -> float:
    parts = [value / 255 for value in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --- places ----------------------------------------------------------------------------------


def inside(inner: Rect, outer: Rect) -> bool:
    """Whether ``inner`` lies within ``outer``."""
    return (
        inner[0] >= outer[0]
        and inner[1] >= outer[1]
        and inner[0] + inner[2] <= outer[0] + outer[2]
        and inner[1] + inner[3] <= outer[1] + outer[3]
    )


def overlap(one: Rect, other: Rect) -> bool:
    """Whether two rectangles share an area."""
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def ink_of(text: dict[str, Any]) -> Rect:
    """Where a text's glyphs are."""
    x, _, width, _ = text["rect"]
    top = text["baseline"] - INK_ABOVE_EM * text["font_px"]
    return [x, top, width, (INK_ABOVE_EM + INK_BELOW_EM) * text["font_px"]]


def _places(screen: dict[str, Any], found: Measured) -> None:
    window: Rect = [0, 0, *screen["size"]]
    for control in screen["controls"]:
        if not inside(control["rect"], window):
            found.refuse(f"{control['id']} leaves the window", control["rect"])
    for one, other in combinations(screen["controls"], 2):
        if overlap(one["rect"], other["rect"]):
            found.refuse(f"{one['id']} lies on {other['id']}", one["rect"])
    for text in screen["texts"]:
        words, ink = text["text"], ink_of(text)
        if text["shortened"] or (text["room_px"] and text["rect"][2] > text["room_px"]):
            found.refuse(f"{words!r} has not enough room", ink)
        if not inside(ink, window):
            found.refuse(f"{words!r} leaves the window", ink)
        for control in screen["controls"]:
            if overlap(ink, control["rect"]) and not inside(ink, control["rect"]):
                found.refuse(f"{words!r} crosses the edge of {control['id']}", ink)
    for one, other in combinations(screen["texts"], 2):
        if overlap(ink_of(one), ink_of(other)):
            found.refuse(f"{one['text']!r} lies on {other['text']!r}", ink_of(one))


def _gaps(controls: list[dict[str, Any]], pitch_mm: float, found: Measured) -> None:
    for one, other in combinations(controls, 2):
        x, y, width, height = one["rect"]
        grown = [
            x - LEAST_GAP_MM / pitch_mm,
            y - LEAST_GAP_MM / pitch_mm,
            width + 2 * LEAST_GAP_MM / pitch_mm,
            height + 2 * LEAST_GAP_MM / pitch_mm,
        ]
        if overlap(grown, other["rect"]) and not overlap(one["rect"], other["rect"]):
            found.refuse(
                f"{one['id']} is nearer than {LEAST_GAP_MM} mm to {other['id']}", one["rect"]
            )


def _order(controls: list[dict[str, Any]], found: Measured) -> None:
    """Keys and reading go by rows, each from left to right."""
    for one, following in pairwise(controls):
        x, y, _, height = one["rect"]
        next_x, next_y = following["rect"][:2]
        lower = next_y >= y + height / 2
        beside = abs(next_y - y) < height / 2 and next_x > x
        if not (lower or beside):
            found.refuse(f"{following['id']} comes after {one['id']}", following["rect"])


# --- sizes and contrast ------------------------------------------------------------------------


def _control(
    control: dict[str, Any],
    screen: dict[str, Any],
    picture: Image.Image,
    pitch_mm: float,
    limits: Limits,
    found: Measured,
) -> None:
    name, rect = control["id"], control["rect"]
    side_mm = min(rect[2:]) * pitch_mm
    found.target_mm = _least(found.target_mm, side_mm)
    if side_mm < limits.target_mm:
        found.refuse(f"{name}: {side_mm:.1f} mm, at least {limits.target_mm:g}", rect)
    if limits.lower_half and rect[1] < screen["size"][1] / 2:
        found.refuse(f"{name} is above the middle", rect)
    spoken = control["spoken"]
    if not control["label"] or not spoken or "\n" in spoken or "{" in spoken:
        found.refuse(f"{name} has no label or nothing to read aloud: {spoken!r}", rect)
    ratios = [max(line) for line in _edges(rect, picture) if line]
    if not ratios:
        return
    ratio = min(ratios)
    found.edge_contrast = _least(found.edge_contrast, ratio)
    if ratio < limits.edge_contrast:
        found.refuse(f"{name}: edge {ratio:.2f}:1, at least {limits.edge_contrast:g}", rect)


def _edges(rect: Rect, picture: Image.Image) -> Iterator[list[float]]:
    """For lines across a control's four sides: the contrast of each pixel to what is outside."""
    x, y, width, height = (int(value) for value in rect)
    for share in (0.3, 0.5, 0.7):
        across, down = x + int(share * width), y + int(share * height)
        for start, step in (
            ((across, y), (0, 1)),
            ((across, y + height - 1), (0, -1)),
            ((x, down), (1, 0)),
            ((x + width - 1, down), (-1, 0)),
        ):
            outside = start[0] - OUTSIDE_PX * step[0], start[1] - OUTSIDE_PX * step[1]
            if not (0 <= outside[0] < picture.width and 0 <= outside[1] < picture.height):
                continue
            ground = _pixel(picture, *outside)
            line = [
                contrast(ground, _pixel(picture, start[0] + n * step[0], start[1] + n * step[1]))
                for n in range(INSIDE_PX)
                if 0 <= start[0] + n * step[0] < picture.width
                and 0 <= start[1] + n * step[1] < picture.height
            ]
            yield line


def measure_ring(
    control: dict[str, Any], plain: Image.Image, ringed: Image.Image, found: Measured
) -> None:
    """Measure the ring of a control that the keys are on: WCAG 2.4.13 compares the same pixels
    with it and without it. It must be seen on each side that is in the window.
    """
    sides = [
        max(contrast(_pixel(plain, *at), _pixel(ringed, *at)) for at in line)
        for line in _outside(control["rect"], plain)
    ]
    found.ring_contrast = _least(found.ring_contrast, min(sides))
    if min(sides) < RING_CONTRAST:
        found.refuse(f"{control['id']}: ring {min(sides):.2f}:1, at least 3", control["rect"])


def _outside(rect: Rect, picture: Image.Image) -> Iterator[list[tuple[int, int]]]:
    """The pixels before the middle of a control's four sides."""
    x, y, width, height = (int(value) for value in rect)
    across, down = x + width // 2, y + height // 2
    for start, step in (
        ((across, y - 1), (0, -1)),
        ((across, y + height), (0, 1)),
        ((x - 1, down), (-1, 0)),
        ((x + width, down), (1, 0)),
    ):
        line = [(start[0] + n * step[0], start[1] + n * step[1]) for n in range(RING_PX)]
        inside_it = [p for p in line if 0 <= p[0] < picture.width and 0 <= p[1] < picture.height]
        if inside_it:
            yield inside_it


def _pixel(picture: Image.Image, x: int, y: int) -> Rgb:
    red, green, blue = picture.getpixel((x, y))  # type: ignore[misc]
    return int(red), int(green), int(blue)


def _text(
    text: dict[str, Any], picture: Image.Image, pitch_mm: float, limits: Limits, found: Measured
) -> None:
    words, rect = text["text"], ink_of(text)
    capital_mm = text["font_px"] * CAPITAL_EM * pitch_mm
    found.capital_mm = _least(found.capital_mm, capital_mm)
    if capital_mm < limits.capital_mm - 1e-6:
        found.refuse(f"{words!r}: {capital_mm:.1f} mm, at least {limits.capital_mm:g}", rect)
    if CAPITALS.match(words):  # what is below the line may not be theirs
        rect = [*rect[:3], rect[3] - (INK_BELOW_EM - 0.03) * text["font_px"]]
    box = picture.crop(_whole(rect))
    colours = sorted(box.getcolors(box.width * box.height) or [], reverse=True)
    if len(colours) < 2:
        found.refuse(f"{words!r}: nothing is drawn there", rect)
        return
    ground, ink = (_rgb(colour) for _, colour in colours[:2])
    ratio = contrast(ground, ink)
    found.text_contrast = _least(found.text_contrast, ratio)
    if ratio < limits.text_contrast:
        found.refuse(f"{words!r}: {ratio:.2f}:1, at least {limits.text_contrast:g}", rect)
    drawn = _drawn(box, ground, ink)
    blanks = len(words) - len(words.strip())
    air_em = AIR_EM + BLANK_EM * blanks + FULL_STOP_EM * words.endswith(FULL_STOPS)
    air_px = air_em * text["font_px"]
    if drawn is None or drawn[2] - drawn[0] < text["rect"][2] - air_px:
        found.refuse(f"{words!r}: not all of it is to be seen", rect)
        return
    high_mm = (drawn[3] - drawn[1]) * pitch_mm
    if CAPITALS.match(words) and abs(high_mm - capital_mm) > (
        CAPITAL_ERROR * capital_mm + 2.5 * pitch_mm
    ):
        found.refuse(f"{words!r}: {high_mm:.1f} mm high, said {capital_mm:.1f}", rect)


def _rgb(colour: object) -> Rgb:
    assert isinstance(colour, tuple)
    return int(colour[0]), int(colour[1]), int(colour[2])


def _drawn(box: Image.Image, ground: Rgb, ink: Rgb) -> tuple[int, int, int, int] | None:
    """The box around the pixels that are nearer to ``ink`` than to ``ground``."""
    apart = ImageChops.difference(box, Image.new("RGB", box.size, ground)).convert("L")
    full = ImageChops.difference(
        Image.new("RGB", (1, 1), ink), Image.new("RGB", (1, 1), ground)
    ).convert("L")
    half = max(int(full.getpixel((0, 0))) // 2, 1)  # type: ignore[arg-type]
    return apart.point(lambda value: 255 if value >= half else 0).getbbox()


def _whole(rect: Rect) -> tuple[int, int, int, int]:
    x, y, width, height = rect
    return int(x), int(y), int(x + width), int(y + height)


def _least(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)


# --- words -----------------------------------------------------------------------------------


def _language(screen: dict[str, Any], found: Measured) -> None:
    """No word of another language, no bare key, no unfilled placeholder."""
    switches = [c for c in screen["controls"] if c["id"] == LANGUAGE_CONTROL]
    foreign = {word for control in switches for word in (control["label"], control["spoken"])}
    said = [(text["text"], ink_of(text)) for text in screen["texts"]]
    said.append((screen["spoken"], [0, 0, *screen["size"]]))
    said += [(c[part], c["rect"]) for c in screen["controls"] for part in ("label", "spoken")]
    wrong = LATIN_WORD if screen["language"].startswith("zh") else HAN
    for words, rect in said:
        if BARE_KEY.match(words) or "{" in words:
            found.refuse(f"{words!r} is a key, not a text", rect)
        if words not in foreign and wrong.search(words):
            found.refuse(f"{words!r} is not in {screen['language']}", rect)


# --- the marked picture ------------------------------------------------------------------------


def marked(picture: Image.Image, faults: list[Fault]) -> Image.Image:
    """The picture with a red frame and a number at each fault, and the faults' words below."""
    line = 30
    sheet = Image.new("RGB", (picture.width, picture.height + line * (len(faults) + 1)), "white")
    sheet.paste(picture)
    pen = ImageDraw.Draw(sheet)
    face = _face(22)
    for number, fault in enumerate(faults, 1):
        left, top, right, bottom = _whole(fault.rect)
        pen.rectangle((left - 3, top - 3, right + 3, bottom + 3), outline="red", width=4)
        pen.text((left + 4, top - 2), str(number), fill="red", font=face)
        place = 10, picture.height + line * number - line // 2
        pen.text(place, f"{number}  {fault.words}", fill="red", font=face)
    return sheet


def _face(px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from kiosk.ui import fonts

    return ImageFont.truetype(fonts.load().regular, px)
