"""The board's pins with the world at their other end: gpiozero's own mock pins.

Not modelled: bounce, a sensor's blind spots, what a lamp does with its current.
"""

from gpiozero.pins.mock import MockFactory, MockPWMPin


class SimBoard:
    """One board. Give ``factory`` to a driver: it gets pins of this board."""

    def __init__(self) -> None:
        self._factory = MockFactory(pin_class=MockPWMPin)

    def factory(self) -> MockFactory:
        """The pins, as a driver asks for them."""
        return self._factory

    def somebody_comes(self, pin: int) -> None:
        """The sensor's output goes up."""
        self._factory.pin(pin).drive_high()

    def somebody_goes(self, pin: int) -> None:
        """The sensor's output goes down."""
        self._factory.pin(pin).drive_low()

    def light(self, pin: int) -> float:
        """How bright the lamp at a pin is, 0 to 1."""
        return float(self._factory.pin(pin).state)
