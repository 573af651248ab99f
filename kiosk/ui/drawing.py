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
    Mesh,
    Rectangle,
    SmoothEllipse,
    SmoothLine,
)
from kivy.graphics.texture import Texture

from kiosk.ui.icon_shapes import GRID, ICONS, STROKE, Arc, Dot, Sector, Strokes
from kiosk.ui.tokens import Colour, Rect

# SmoothLine takes its soft edge from inside the stroke, SmoothEllipse from outside; pixels.
FEATHER = 0.5

# Two triangles for each field of a grid of four by four points but the middle one.
_RING = [
    4 * row + column + step
    for row in range(3)
    for column in range(3)
    if (row, column) != (1, 1)
    for step in (0, 1, 4, 1, 5, 4)
]

Radii = tuple[int, int, int, int]  # top left, top right, bottom right, bottom left; pixels


class Panel:
    """A rectangle with rounded corners, in window pixels, filled; ``hollow`` leaves out what lies
    further inside than the corners reach, for one that is covered there: a pixel drawn twice costs
    twice.
    """

    def __init__(self, colour: Colour, radius: int | Radii, *, hollow: bool = False) -> None:
        radii = (radius,) * 4 if isinstance(radius, int) else radius
        reach = max(radii)
        self._colour = Color(*colour)
        self._reach = reach
        self._image: BorderImage | Mesh = (
            Mesh(texture=_corners(radii), mode="triangles", indices=_RING)
            if hollow
            else BorderImage(texture=_corners(radii), border=(reach,) * 4)
        )
        self.group = InstructionGroup()
        self.group.add(self._colour)
        self.group.add(self._image)

    def place(self, rect: Rect) -> None:
        """Move to (x, y upwards, width, height)."""
        if isinstance(self._image, Mesh):
            self._image.vertices = _grid(rect, self._reach)
            return
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
            case Sector(px, py, radius, start, end):
                reach = radius * unit
                group.add(
                    SmoothEllipse(
                        pos=(x + px * unit - reach, y_top - py * unit - reach),
                        size=(2 * reach, 2 * reach),
                        angle_start=start,
                        angle_end=end,
                    )
                )
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


def _grid(rect: Rect, reach: int) -> list[float]:
    """Four by four vertices (x, y, u, v), lowest row first, as a BorderImage's."""
    x, y, width, height = rect
    side = 2 * reach + 1
    texels = [at / side for at in (0, reach, side - reach, side)]
    across = list(zip((x, x + reach, x + width - reach, x + width), texels, strict=True))
    up = list(zip((y, y + reach, y + height - reach, y + height), texels, strict=True))
    return [value for at_y, v in up for at_x, u in across for value in (at_x, at_y, u, v)]


def _mask(rows: list[bytes]) -> Texture:
    """A white texture of square ``rows`` of alpha, the lowest row first."""
    alpha = b"".join(rows)
    pixels = bytearray(b"\xff") * (4 * len(alpha))
    pixels[3::4] = alpha
    texture = Texture.create(size=(len(rows), len(rows)), colorfmt="rgba")
    texture.mag_filter = texture.min_filter = "nearest"
    texture.blit_buffer(bytes(pixels), colorfmt="rgba", bufferfmt="ubyte")
    return texture


def _alpha(coverage: float) -> int:
    return round(255 * min(1.0, max(0.0, coverage)))


@cache
def _quarter(radius: int, reach: int) -> list[bytes]:
    """One corner, ``reach`` pixels square, its rounded point first."""
    return [
        bytes(
            255
            if row >= radius or column >= radius
            else _alpha(radius - hypot(radius - row - 0.5, radius - column - 0.5) + 0.5)
            for column in range(reach)
        )
        for row in range(reach)
    ]


@cache
def _corners(radii: Radii) -> Texture:
    reach = max(radii)
    top_left, top_right, bottom_right, bottom_left = (_quarter(each, reach) for each in radii)
    lower = [
        left + b"\xff" + right[::-1] for left, right in zip(bottom_left, bottom_right, strict=True)
    ]
    upper = [left + b"\xff" + right[::-1] for left, right in zip(top_left, top_right, strict=True)]
    return _mask([*lower, b"\xff" * (2 * reach + 1), *upper[::-1]])


@cache
def _disc(radius: float) -> Texture:
    side = 2 * int(radius + 1)
    at = [index + 0.5 - side / 2 for index in range(side)]
    return _mask([bytes(_alpha(radius - hypot(x, y) + 0.5) for x in at) for y in at])
