"""The ring round the control that the keys are on."""

from kivy.graphics import Color, InstructionGroup, SmoothLine

from kiosk.ui.controls import Control
from kiosk.ui.drawing import FEATHER
from kiosk.ui.kit import Kit
from kiosk.ui.tokens import INK, PLATE, RADIUS, Rect

RING = 8
"""Plate yellow, and outside it as wide a ring of ink: one of both is seen on any ground."""
RING_CONTRAST, GAP_CONTRAST = 9, 3


class FocusRing:
    """Drawn over everything; ``group`` belongs into the root's ``canvas.after``."""

    def __init__(self) -> None:
        self.group = InstructionGroup()

    def draw(self, control: Control | None, kit: Kit) -> None:
        """Round ``control``, in the colours of its page, or nowhere."""
        self.group.clear()
        if control is None:
            return
        if kit.modes.contrast:
            rings = [(PLATE, GAP_CONTRAST, RING_CONTRAST)]
        else:
            rings = [(INK, RING, RING), (PLATE, 0, RING)]
        reach = kit.metrics.px(max(gap + thick for _, gap, thick in rings))
        x, y, width, height = _kept_in(control.rect, kit.metrics.size, reach)
        for role, gap, thick in rings:
            out = kit.metrics.px(gap + thick / 2)
            self.group.add(Color(*kit.rgba(role)))
            self.group.add(
                SmoothLine(
                    rounded_rectangle=(
                        x - out,
                        y - out,
                        width + 2 * out,
                        height + 2 * out,
                        kit.metrics.px(RADIUS) + out,
                    ),
                    width=kit.metrics.px(thick) / 2 + FEATHER,
                )
            )


def _kept_in(rect: Rect, size: tuple[int, int], reach: int) -> Rect:
    """``rect`` without what is nearer than ``reach`` to the edge of the window: there the ring
    goes over the control, as all of it must be seen.
    """
    x, y, width, height = rect
    left, bottom = max(x, reach), max(y, reach)
    right, top = min(x + width, size[0] - reach), min(y + height, size[1] - reach)
    return left, bottom, right - left, top - bottom
