"""The pins of an ESP32-C3, which has enough for one role: rating. Goes onto the pad as board.py.

Never run on silicon, nor emulated.
"""

import machine

from firmware.pad.hardware import Hardware, Pins


class C3Pins(Pins):
    """GPIO numbers; 2, 8 and 9 choose how the chip starts, 18 and 19 are USB. None is left for a
    UART."""

    rating_keys = (0, 1, 3, 4, 5)
    leds = (6, 7, 10, 20, 21)


board = Hardware(machine, C3Pins())
