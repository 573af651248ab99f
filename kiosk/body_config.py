"""kiosk.toml: what belongs to the kiosk's own body, its sensor and its light. Pure."""

from collections.abc import Iterator
from math import isfinite
from typing import Literal

import msgspec

PINS = range(28)
"""GPIO 0 to 27 are on a Raspberry Pi's header."""
MATRIX_NUMBERS, FLAT = 6, 0.01


class PresenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sensor that sees whether somebody stands before the kiosk, on a pin of the board;
    presence ends when nothing was seen for ``hold_s``.
    """

    pin: int
    backend: str = "gpio"
    hold_s: float = 3.0
    active_high: bool = True


class BacklightConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The light behind the screen, on a pin of the board: down to ``dim_level`` (0 to 1) when
    nobody was there or touched anything for ``dim_after_min``.
    """

    pin: int
    backend: str = "gpio"
    dim_after_min: float = 5.0
    dim_level: float = 0.3


class TouchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where touches come from, and where they are on the picture. Without a ``device`` they are
    the window system's, with one (``/dev/input/by-path/…``) that panel's alone: never both, or a
    finger would count twice. ``matrix`` as libinput's calibration, then inverted, then turned
    clockwise by ``rotation`` degrees.
    """

    device: str = ""
    rotation: Literal[0, 90, 180, 270] = 0
    invert_x: bool = False
    invert_y: bool = False
    matrix: list[float] = msgspec.field(default_factory=lambda: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0])


def touch_problems(touch: TouchConfig) -> Iterator[tuple[str, str]]:
    """The same for ``[screen.touch]``."""
    if touch.device and not touch.device.startswith("/dev/input/"):
        yield "screen.touch.device", f"{touch.device!r}; expected a file below /dev/input/"
    if len(touch.matrix) != MATRIX_NUMBERS:
        yield "screen.touch.matrix", f"{len(touch.matrix)} numbers; expected {MATRIX_NUMBERS}"
        return
    a, b, _, d, e, _ = touch.matrix
    if not (all(map(isfinite, touch.matrix)) and abs(a * e - b * d) >= FLAT):
        yield "screen.touch.matrix", f"{touch.matrix}: touches would not be all over the picture"


def body_problems(
    presence: PresenceConfig | None, backlight: BacklightConfig | None
) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of all that cannot work."""
    for name, part in (("presence", presence), ("backlight", backlight)):
        if part is not None and part.backend != "gpio":
            yield f"{name}.backend", f"{part.backend!r}; expected gpio"
        if part is not None and part.pin not in PINS:
            yield f"{name}.pin", f"{part.pin}; expected {PINS[0]} to {PINS[-1]}"
    if presence is not None and not 0 < presence.hold_s <= 60:
        yield "presence.hold_s", f"{presence.hold_s:g}; expected more than 0, at most 60 seconds"
    if backlight is not None:
        if presence is not None and presence.pin == backlight.pin:
            yield "backlight.pin", f"{backlight.pin} is the pin of presence too"
        if not 1 <= backlight.dim_after_min <= 1440:
            yield (
                "backlight.dim_after_min",
                (f"{backlight.dim_after_min:g}; expected 1 to 1440 minutes"),
            )
        if not 0.1 <= backlight.dim_level <= 1:
            yield (
                "backlight.dim_level",
                (f"{backlight.dim_level:g}; expected 0.1 to 1: a dark screen looks broken"),
            )
