"""What every screen is built with: sizes, typeface, words, colours, and where touches go."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kiosk.catalogue import Catalogue
from kiosk.ui.fonts import Fonts
from kiosk.ui.tokens import (
    BODY_SIMPLE,
    CONTRAST,
    DAY,
    LEAST_CAPITAL_SIMPLE_MM,
    Colour,
    Metrics,
    Palette,
)
from kiosk.ui.touch import TouchGuard
from kiosk.view import PLAIN, Modes

Box = tuple[float, float, float, float]  # x, y downwards, width, height; reference pixels


@dataclass(frozen=True, slots=True)
class Kit:
    """The kit of one window in one set of modes."""

    metrics: Metrics
    fonts: Fonts
    catalogue: Catalogue
    guard: TouchGuard
    now_s: Callable[[], float]  # monotonic
    on_control: Callable[[str, str], None]  # control id, touch id
    served: frozenset[str]  # the optional controls that are answered; others are not drawn
    modes: Modes = PLAIN
    day: Palette = field(default_factory=lambda: DAY)

    def rgba(self, role: str) -> Colour:
        """The colour of ``role`` in this mode."""
        return (CONTRAST if self.modes.contrast else self.day)[role]

    @property
    def least_font_px(self) -> int:
        """The smallest font that the mode promises where there is room for it."""
        if self.modes.simple and self.metrics.large:
            return self.metrics.capital_px(LEAST_CAPITAL_SIMPLE_MM)
        return self.metrics.least_font_px

    def font_px(self, reference_px: float) -> int:
        """Font size of a reference size; in simple mode nothing is smaller than its body text."""
        least = BODY_SIMPLE if self.modes.simple and self.metrics.large else 0
        return self.metrics.font_px(max(reference_px, least))
