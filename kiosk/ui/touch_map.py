"""From where a touch panel says that a finger is to where it is on the picture. Pure.

Positions are shares of the picture: x from the left, y from the top, 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MATRIX = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ROTATIONS = {
    0: MATRIX,
    90: (0.0, -1.0, 1.0, 1.0, 0.0, 0.0),
    180: (-1.0, 0.0, 1.0, 0.0, -1.0, 1.0),
    270: (0.0, 1.0, 0.0, -1.0, 0.0, 1.0),
}
"""Clockwise, as libinput counts; the rows of libinput's calibration matrix."""


@dataclass(frozen=True, slots=True)
class TouchMap:
    """``x' = a·x + b·y + c, y' = d·x + e·y + f``."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    @classmethod
    def of(
        cls, matrix: Sequence[float], rotation: int, *, invert_x: bool, invert_y: bool
    ) -> "TouchMap":
        """The panel's ``matrix`` first, then inverted, then turned. Raises KeyError for another
        rotation than those of ROTATIONS.
        """
        found = cls(*matrix)
        if invert_x:
            found = cls(-1.0, 0.0, 1.0).after(found)
        if invert_y:
            found = cls(e=-1.0, f=1.0).after(found)
        return cls(*ROTATIONS[rotation]).after(found)

    def after(self, first: "TouchMap") -> "TouchMap":
        """What ``first`` and then this one do."""
        return TouchMap(
            self.a * first.a + self.b * first.d,
            self.a * first.b + self.b * first.e,
            self.a * first.c + self.b * first.f + self.c,
            self.d * first.a + self.e * first.d,
            self.d * first.b + self.e * first.e,
            self.d * first.c + self.e * first.f + self.f,
        )

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place on the picture, kept inside it."""
        return (
            min(max(self.a * x + self.b * y + self.c, 0.0), 1.0),
            min(max(self.d * x + self.e * y + self.f, 0.0), 1.0),
        )


AS_IT_COMES = TouchMap()
