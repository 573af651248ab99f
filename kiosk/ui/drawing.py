"""Rounded rectangles, discs and icons with smooth edges on whole pixels.

A window without multisampling has stair-step corners. Corners and discs are therefore masks whose
edge pixels carry their exact coverage, drawn as they are (nearest), so straight sides stay sharp;
icons are SmoothLines with a disc at every corner, because SmoothLine knows no caps and joints.
"""

from functools import cache
from itertools import pairwise
from math import cos, hypot, radians, sin

from kivy.graphics import (
    BorderImage,
    Color,
    InstructionGroup,
    Rectangle,
    SmoothEllipse,
    SmoothLine,
)
from kivy.graphics.texture import Texture

from kiosk.ui.icon_shapes import GRID, ICONS, STROKE, Arc, Dot, Strokes
from kiosk.ui.tokens import Colour, Rect

# SmoothLine takes its soft edge from inside the stroke, SmoothEllipse from outside; pixels.
FEATHER = 0.5

Radii = tuple[int, int, int, int]  # top left, top right, bottom right, bottom left; pixels


class Panel:
    """A filled rectangle with rounded corners, in window pixels."""

    def __init__(self, colour: Colour, radius: int | Radii) -> None:
        radii = (radius,) * 4 if isinstance(radius, int) else radius
        reach = max(radii)
        self._colour = Color(*colour)
        self._image = BorderImage(texture=_corners(radii), border=(reach,) * 4)
        self.group = InstructionGroup()
        self.group.add(self._colour)
        self.group.add(self._image)

    def place(self, rect: Rect) -> None:
        """Move to (x, y upwards, width, height)."""
        self._image.pos = rect[:2]
        self._image.size = rect[2:]

    def paint(self, colour: Colour) -> None:
        """Change the colour."""
        self._colour.rgba = colour


def disc(x: float, y: float, radius: float) -> Rectangle:
    """A filled circle about (x, y upwards) in the current colour."""
    side = 2 * int(radius + 1)
    return Rectangle(
        texture=_disc(radius), pos=(round(x) - side // 2, round(y) - side // 2), size=(side, side)
    )


def icon(name: str, x: int, y_top: int, size: float) -> InstructionGroup:
    """The icon in the current colour, its grid's top left corner at (x, y_top upwards)."""
    unit = size / GRID
    half = STROKE * unit / 2
    group = InstructionGroup()

    def cap(at_x: float, at_y: float, radius: float) -> None:
        group.add(SmoothEllipse(pos=(at_x - radius, at_y - radius), size=(2 * radius, 2 * radius)))

    for shape in ICONS[name]:
        match shape:
            case Strokes(points):
                ends = [(x + px * unit, y_top - py * unit) for px, py in points]
                for start, end in pairwise(ends):
                    group.add(SmoothLine(points=(*start, *end), width=half + FEATHER))
                for end in ends:
                    cap(*end, half)
            case Dot(px, py, radius):
                cap(x + px * unit, y_top - py * unit, radius * unit)
            case Arc(px, py, radius, start, end):
                centre = x + px * unit, y_top - py * unit
                circle = (*centre, radius * unit, start, end)
                group.add(SmoothLine(circle=circle, width=half + FEATHER))
                for turn in () if end - start >= 360 else (start, end):
                    angle = radians(turn)
                    reach = radius * unit
                    cap(centre[0] + reach * sin(angle), centre[1] + reach * cos(angle), half)
    return group


def chevron(x: float, y: float, width: float, height: float, thickness: float) -> InstructionGroup:
    """A V in the current colour: its left end at (x, y upwards), its foot ``height`` below."""
    group = InstructionGroup()
    half = thickness / 2
    ends = [(x, y), (x + width / 2, y - height), (x + width, y)]
    for start, end in pairwise(ends):
        group.add(SmoothLine(points=(*start, *end), width=half + FEATHER))
    for at_x, at_y in ends:
        group.add(SmoothEllipse(pos=(at_x - half, at_y - half), size=(thickness, thickness)))
    return group


def _mask(side: int, coverage: list[float]) -> Texture:
    pixels = bytearray()
    for value in coverage:
        pixels += bytes((255, 255, 255, round(255 * min(1.0, max(0.0, value)))))
    texture = Texture.create(size=(side, side), colorfmt="rgba")
    texture.mag_filter = texture.min_filter = "nearest"
    texture.blit_buffer(bytes(pixels), colorfmt="rgba", bufferfmt="ubyte")
    return texture


@cache
def _corners(radii: Radii) -> Texture:
    reach = max(radii)
    side = 2 * reach + 1
    top_left, top_right, bottom_right, bottom_left = radii
    coverage = []
    for row in range(side):  # the first row of a texture is its lowest
        left, right = (bottom_left, bottom_right) if row < side / 2 else (top_left, top_right)
        for column in range(side):
            radius = left if column < side / 2 else right
            across = radius - (min(column, side - 1 - column) + 0.5)
            along = radius - (min(row, side - 1 - row) + 0.5)
            inside = across <= 0 or along <= 0
            coverage.append(1.0 if inside else radius - hypot(across, along) + 0.5)
    return _mask(side, coverage)


@cache
def _disc(radius: float) -> Texture:
    side = 2 * int(radius + 1)
    middle = side / 2
    return _mask(
        side,
        [
            radius - hypot(column + 0.5 - middle, row + 0.5 - middle) + 0.5
            for row in range(side)
            for column in range(side)
        ],
    )
