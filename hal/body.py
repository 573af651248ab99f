"""What the kiosk's own body has besides screen, printer and reader: Protocols and value types, no
I/O.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hal.api import Health


class GuideKey(StrEnum):
    """The four tactile keys of the audio guidance."""

    PREVIOUS = "previous"
    NEXT = "next"
    SELECT = "select"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class KeyStroke:
    """A key went down, or up again. ``down`` False also stands for a pad that was unplugged with
    the key held.
    """

    key: GuideKey
    down: bool


class KeyPad(Protocol):
    """Four tactile keys beside the screen. Strokes come in order; none is made up twice."""

    async def open(self) -> None:
        """Listen from now on. Raises LinkUnavailable; it is tried again by itself."""

    async def next_stroke(self) -> KeyStroke:
        """Wait for the next stroke."""

    @property
    def health(self) -> Health:
        """The last known health."""

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""

    async def close(self) -> None:
        """Release it; closing twice is harmless."""


class PresenceSensor(Protocol):
    """Sees whether somebody stands before the kiosk."""

    async def open(self) -> None:
        """Begin to look. Raises LinkUnavailable."""

    @property
    def present(self) -> bool:
        """Whether somebody is there, or was a moment ago."""

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call ``listener(present)`` at each change."""

    @property
    def health(self) -> Health:
        """The last known health."""

    async def close(self) -> None:
        """Stop looking; closing twice is harmless."""


class Backlight(Protocol):
    """The light behind the screen."""

    async def open(self) -> None:
        """Take it, at full light. Raises LinkUnavailable."""

    @property
    def level(self) -> float:
        """What was asked for last, 0 to 1."""

    async def set_level(self, level: float) -> None:
        """Light, 0 to 1. Raises ValueError, DeviceRefused."""

    @property
    def health(self) -> Health:
        """The last known health."""

    async def close(self) -> None:
        """Release it; closing twice is harmless."""
