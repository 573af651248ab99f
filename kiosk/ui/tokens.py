"""Colours, sizes and times of the screens. Pure: no Kivy.

Positions are *reference pixels*, y downwards, of the two kiosks the design is drawn for: 21.5 inch
portrait (1080 × 1920, 0.2479 mm a pixel) and 10.1 inch landscape (1280 × 800, 0.16996 mm).
:class:`Metrics` turns them into the pixels of the real window.
"""

import math
from dataclasses import dataclass

from kiosk.ui import WindowError

Colour = tuple[float, float, float, float]
Rect = tuple[int, int, int, int]


def colour(code: str, alpha: float = 1.0) -> Colour:
    """``#RRGGBB`` as four numbers from 0 to 1."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, alpha


INK = colour("#12202E")
PAPER = colour("#E6EAE9")
CARD = colour("#FFFFFF")
MUTED = colour("#46545F")
LIP = colour("#697883")
RULE = colour("#9AA7AF")
ACTION = colour("#0B5A4A")
ACTION_LIP = colour("#05342A")
PLATE = colour("#FFCC33")  # "this one": the number, and nothing else
NOTICE = colour("#FFF0C2")
MIST = colour("#C6D0D6")
STRIP = colour("#22384A")
CLEAR: Colour = (0.0, 0.0, 0.0, 0.0)

RADIUS = 28
FACE_RADIUS = 25
EDGE = 3
DROP = 8  # how far a pressed face moves down; the height of a lip
STUB_RADIUS = 6.5  # the discs of the tear edge
STUB_STEP = 26

# EN 301 549 asks for 0.7° of a capital; 0.0122 × the 600 mm a customer stands away.
LEAST_CAPITAL_MM = 7.3
LEAST_TARGET_MM = 20.0
CAPITAL_EM = 0.733  # of Noto Sans CJK, both weights; digits are as high

PRESS_UP_S = 0.08
CHEVRON_S = 0.5
CHEVRONS_FOR_S = 12.0
SWALLOW_S = 0.4  # after an accepted release; also the copy of a touch that some panels deliver

LARGE_SIZE = (1080, 1920)
SMALL_SIZE = (1280, 800)


@dataclass(frozen=True, slots=True)
class Metrics:
    """A window's size in pixels and its pitch in millimetres, and the lengths that follow.

    A window of another shape than the reference shows the page centred and as large as it fits.
    """

    size: tuple[int, int]
    pixel_pitch_mm: float

    def __post_init__(self) -> None:
        width, height = self.size
        if width < 1 or height < 1:
            raise WindowError(f"window size {width} × {height}: both must be at least 1 pixel")
        if not 0 < self.pixel_pitch_mm < math.inf:
            raise WindowError(f"pixel pitch {self.pixel_pitch_mm} mm: must be above 0")

    @property
    def large(self) -> bool:
        """Whether the portrait layout is drawn, rather than the small landscape one."""
        return self.size[1] > self.size[0]

    @property
    def reference(self) -> tuple[int, int]:
        """The size in which positions are given."""
        return LARGE_SIZE if self.large else SMALL_SIZE

    @property
    def scale(self) -> float:
        """Window pixels a reference pixel."""
        return min(self.size[0] / self.reference[0], self.size[1] / self.reference[1])

    def px(self, length: float) -> int:
        """Whole window pixels of a length in reference pixels."""
        return round(length * self.scale)

    def x(self, x: float) -> int:
        """Window x of a reference x."""
        return round((self.size[0] - self.reference[0] * self.scale) / 2 + x * self.scale)

    def y(self, y: float) -> int:
        """Kivy's y (upwards) of a reference y (downwards)."""
        margin = (self.size[1] - self.reference[1] * self.scale) / 2
        return self.size[1] - round(margin + y * self.scale)

    def rect(self, x: float, y: float, width: float, height: float) -> Rect:
        """Kivy's (x, y, width, height) of a reference rectangle; edges fall on whole pixels."""
        left, right, top, bottom = self.x(x), self.x(x + width), self.y(y), self.y(y + height)
        return left, bottom, right - left, top - bottom

    @property
    def least_font_px(self) -> int:
        """The smallest font whose capitals are 7.3 mm high on this screen."""
        return math.ceil(LEAST_CAPITAL_MM / (CAPITAL_EM * self.pixel_pitch_mm))

    def font_px(self, reference_px: float) -> int:
        """Font size of a reference size, never below the smallest legal one."""
        return max(self.px(reference_px), self.least_font_px)

    @property
    def least_target_px(self) -> int:
        """20 mm in window pixels."""
        return math.ceil(LEAST_TARGET_MM / self.pixel_pitch_mm)
