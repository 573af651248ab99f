"""A pad on a Raspberry Pi Pico (RP2040); the only `machine` import.

Keys connect their pin to ground, lamps (with their resistor) to 3.3 V level outputs. The line is
the board's own USB serial port, which MicroPython offers as stdin and stdout. Bytes not read by
the host are dropped by the port after its own time-out, so a write never holds the pad up for
long.
"""

import os
import select
import sys
import time

import machine
import micropython

from firmware.pad import pad

KEY_PINS = (2, 3, 4, 5, 6)
"""GP numbers of keys 1 to 5."""
LED_PINS = (10, 11, 12, 13, 14)
"""GP numbers of the lamps of keys 1 to 5."""

_keys = [machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP) for number in KEY_PINS]
_leds = [machine.Pin(number, machine.Pin.OUT, value=0) for number in LED_PINS]
_stdin = sys.stdin.buffer
_stdout = sys.stdout.buffer
_one = bytearray(1)
_poll_in = select.poll()
_poll_in.register(sys.stdin, select.POLLIN)

unique_id = machine.unique_id


def random(size: int) -> bytes:
    """Bytes from the system's chance."""
    return os.urandom(size)


def ticks_ms() -> int:
    """Milliseconds modulo 2^30."""
    ticks: int = time.ticks_ms()  # type: ignore[assignment] # the stubs hide that it is an int
    return ticks & pad.TICKS_MASK


def claim_line() -> None:
    """Take Ctrl-C for data: frames hold every byte value, and 0x03 must not stop the pad.

    This locks a terminal and mpremote out while the program runs; safe mode (boot.py) is the way
    in.
    """
    micropython.kbd_intr(-1)


def keys() -> int:
    """Mask of the keys held down, bit 0 for key 1."""
    mask = 0
    bit = 1
    for pin in _keys:
        if not pin.value():
            mask |= bit
        bit <<= 1
    return mask


def show(leds: int) -> None:
    """Light the lamps of the mask."""
    for pin in _leds:
        pin.value(leds & 1)
        leds >>= 1


def read_into(buffer: bytearray) -> int:
    """Read what is there without waiting.

    The port's own read waits for every byte asked, so one at a time.
    """
    count = 0
    while count < len(buffer) and _ready(0):
        _stdin.readinto(_one)
        buffer[count] = _one[0]
        count += 1
    return count


def _ready(ms: int) -> bool:
    """Wait at most ``ms`` for a byte. ``ipoll`` makes no garbage, unlike ``poll``."""
    ready = False
    for _ in _poll_in.ipoll(ms):
        ready = True
    return ready


def write(view: memoryview) -> int:
    """Hand bytes to the port."""
    _stdout.write(view)
    return len(view)


def wait(ms: int, want_write: bool) -> None:
    """Sleep until a byte comes, at most until the next sample of the keys."""
    _ready(min(ms, pad.SAMPLE_MS))
