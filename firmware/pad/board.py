"""The pins of a Raspberry Pi Pico (RP2040): both roles. With board_c3.py the only `machine`."""

import machine

from firmware.pad.hardware import Hardware, Pins


class PicoPins(Pins):
    """GP numbers; GP0, GP1 and GP7 go to an RS-485 transceiver, where there is one."""

    rating_keys = (2, 3, 4, 5, 6)
    leds = (10, 11, 12, 13, 14)
    buzzer = 15
    caller_keys = (16, 17, 18, 19, 20)
    digits = (21, 22)
    screen = (0, 9, 8)
    uart = (0, 0, 1)
    direction = 7


board = Hardware(machine, PicoPins())
