"""A presence sensor and a backlight on pins of the board, by gpiozero.

A sensor's output jumps while somebody stands at its edge, so presence begins at once and ends when
nothing was seen for ``hold_s``. The backlight is a PWM pin.

gpiozero calls back from threads of its own; what they tell is passed on in the event loop. The pin
factory is named, never guessed: gpiozero's own choice falls back to others in silence.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gpiozero
from gpiozero.pins import Factory

from hal.api import Health, HealthState
from hal.errors import DeviceRefused, LinkUnavailable

HOLD_S = 3.0
"""A person who stands still is not seen by an infrared sensor for a second or two."""
PWM_HZ = 1_000
"""Above what an eye sees, also at the corner."""
CHIP = 0
PINS = range(28)
"""GPIO 0 to 27 are on a Raspberry Pi's header."""

Factories = Callable[[], Factory]


def lgpio_factory() -> Factory:
    """The kernel's own interface to the pins (/dev/gpiochip0). Raises LinkUnavailable."""
    try:
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory(CHIP)
    except Exception as error:
        raise LinkUnavailable(
            f"gpio: the pins cannot be used ({error}); install lobby-kiosk[gpio], is the user in"
            " the group `gpio`?"
        ) from error


@contextmanager
def _translated(name: str, pin: int) -> Iterator[None]:
    """gpiozero's errors as ours."""
    try:
        yield
    except gpiozero.GPIOZeroError as error:
        raise LinkUnavailable(
            f"{name} at gpio:{pin}: {str(error) or type(error).__name__}; is the pin right, does"
            " another device have it?"
        ) from error


def _checked(name: str, pin: int) -> int:
    if pin not in PINS:
        raise ValueError(f"{name}: gpio:{pin}; expected {PINS[0]} to {PINS[-1]}")
    return pin


class GpioPresence:
    """PresenceSensor on one pin, high while somebody is there (``active_high``)."""

    def __init__(
        self,
        pin: int,
        *,
        name: str,
        hold_s: float = HOLD_S,
        active_high: bool = True,
        factory: Factories = lgpio_factory,
    ) -> None:
        self._pin = _checked(name, pin)
        self._name = name
        self._hold_s = hold_s
        self._active_high = active_high
        self._factory = factory
        self._device: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._present = False
        self._changes = 0
        self._listeners: list[Callable[[bool], None]] = []

    @property
    def present(self) -> bool:
        """Whether somebody is there, or was a moment ago."""
        return self._present

    @property
    def health(self) -> Health:
        """The last known health; a sensor says nothing of itself."""
        state = HealthState.OK if self._device is not None else HealthState.UNKNOWN
        return Health(state, counters={"changes": self._changes})

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call ``listener(present)`` at each change."""
        self._listeners.append(listener)

    async def open(self) -> None:
        """Take the pin. Raises LinkUnavailable."""
        if self._device is not None:
            return
        self._loop = asyncio.get_running_loop()
        with _translated(self._name, self._pin):
            self._device = gpiozero.DigitalInputDevice(
                self._pin,
                pull_up=None,
                active_state=self._active_high,
                pin_factory=self._factory(),
            )
        self._device.when_activated = self._tell
        self._device.when_deactivated = self._tell
        self._looked()

    async def close(self) -> None:
        """Release the pin; closing twice is harmless."""
        device, self._device = self._device, None
        if device is not None:
            device.close()
        self._stay()
        self._present = False

    def _tell(self) -> None:
        """In gpiozero's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._looked)

    def _looked(self) -> None:
        if self._device is None:
            return
        if self._device.is_active:
            self._stay()
            self._become(True)
        elif self._present and self._leaving is None and self._loop is not None:
            self._leaving = self._loop.call_later(self._hold_s, self._left)

    def _left(self) -> None:
        self._leaving = None
        self._become(False)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _become(self, present: bool) -> None:
        if present is not self._present:
            self._present = present
            self._changes += 1
            for listener in self._listeners:
                listener(present)


class GpioBacklight:
    """Backlight on one PWM pin."""

    def __init__(self, pin: int, *, name: str, factory: Factories = lgpio_factory) -> None:
        self._pin = _checked(name, pin)
        self._name = name
        self._factory = factory
        self._device: Any = None
        self._level = 1.0

    @property
    def level(self) -> float:
        """What was asked for last, 0 to 1."""
        return self._level

    @property
    def health(self) -> Health:
        """The last known health; a lamp says nothing of itself."""
        return Health(HealthState.OK if self._device is not None else HealthState.UNKNOWN)

    async def open(self) -> None:
        """Take the pin, at full light. Raises LinkUnavailable."""
        if self._device is None:
            with _translated(self._name, self._pin):
                self._device = gpiozero.PWMOutputDevice(
                    self._pin, initial_value=1, frequency=PWM_HZ, pin_factory=self._factory()
                )
            self._level = 1.0

    async def set_level(self, level: float) -> None:
        """Light, 0 to 1. Raises ValueError, DeviceRefused when it is not open."""
        if not 0 <= level <= 1:
            raise ValueError(f"{self._name}: level {level}; expected 0 to 1")
        if self._device is None:
            raise DeviceRefused(f"{self._name} at gpio:{self._pin}: not open")
        self._device.value = self._level = level

    async def close(self) -> None:
        """Release the pin; closing twice is harmless."""
        device, self._device = self._device, None
        if device is not None:
            device.close()
