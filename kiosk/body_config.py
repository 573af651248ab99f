"""kiosk.toml: what belongs to the kiosk's own body, its sensor and its light. Pure."""

from collections.abc import Iterator

import msgspec

PINS = range(28)
"""GPIO 0 to 27 are on a Raspberry Pi's header."""


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
