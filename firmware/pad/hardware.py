"""A pad on a board that MicroPython knows: keys, lamps, buzzer, displays, the USB line.

Boards differ in their pins alone, which board.py gives together with the ``machine`` module. Keys
connect their pin to ground; lamps (with their resistor) and the buzzer hang on 3.3 V outputs.

The line is the board's own USB serial port, which MicroPython offers as stdin and stdout, or a
UART. Bytes not read by the host are dropped by the USB port after its own time-out, so a write
never holds the pad up for long. On a bus the pad drives the line from the first byte of a write to
the end of the last one, and at no other time.
"""

import os
import select
import sys
import time

import micropython

from firmware.pad import keys, pad, screens, state
from firmware.pad.ticks import TICKS_MASK

TONES_HZ = {pad.ACCEPTED_TONE: 2_000, pad.ERROR_TONE: 400}
TONE_MS = 120
UART_READ_SIZE = 2_048
"""Bytes that the UART keeps: 178 ms of a full line at 115200 baud, for a turn that takes long."""
UART_WRITE_SIZE = 512
"""More than a bus burst with its trailer: one write takes all of it."""
DRIVE_SPARE_MS = 10
"""On a bus the driver is switched off after so long at the latest, beyond what the bytes take."""

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from typing import Any


class Pins:
    """Numbers of the pins; an empty tuple or None: the board has no such part."""

    rating_keys: "tuple[int, ...]" = ()
    leds: "tuple[int, ...]" = ()
    caller_keys: "tuple[int, ...]" = ()
    digits: "tuple[int, int] | None" = None  # clock, data of a TM1637
    screen: "tuple[int, int, int] | None" = None  # I2C bus, clock, data of an SSD1306
    buzzer: "int | None" = None
    uart: "tuple[int, int, int] | None" = None  # number, TX, RX
    direction: "int | None" = None  # high: the RS-485 driver is on, the receiver off


class Hardware:
    """What main.Board asks for, on the given pins. ``machine`` is MicroPython's module."""

    state_folder = "/state"

    def __init__(self, machine: "Any", pins: Pins) -> None:
        self._machine = machine
        self._keys = [
            (machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP), bit)
            for numbers, first in ((pins.rating_keys, 0), (pins.caller_keys, 5))
            for bit, number in [(1 << (first + at), numbers[at]) for at in range(len(numbers))]
        ]
        self._leds = [machine.Pin(number, machine.Pin.OUT, value=0) for number in pins.leds]
        self._buzzer = None if pins.buzzer is None else machine.PWM(machine.Pin(pins.buzzer))
        self._tone_until = 0
        self._watchdog: Any = None
        self._digits: screens.Digits | None = None
        self._screen: screens.Screen | None = None
        if pins.digits is not None:
            clock, data = [machine.Pin(number, machine.Pin.OUT, value=1) for number in pins.digits]
            self._digits = screens.Digits(clock, data, time.sleep_us)
        if pins.screen is not None:
            bus, clock, data = pins.screen
            i2c = machine.I2C(bus, scl=machine.Pin(clock), sda=machine.Pin(data), freq=400_000)
            if screens.ADDRESS in i2c.scan():  # the display is optional
                self._screen = screens.Screen(i2c)
        self._pins = pins
        self._uart: Any = None
        self._drive: Any = None
        if pins.direction is not None:
            # From the start, so that no floating pin holds a bus.
            self._drive = machine.Pin(pins.direction, machine.Pin.OUT, value=0)
        self._on_bus = False
        self._byte_us = 0
        self._stdin = sys.stdin.buffer
        self._stdout = sys.stdout.buffer
        self._one = bytearray(1)
        self._poll_in = select.poll()

    def unique_id(self) -> bytes:
        """The chip's own number."""
        found: bytes = self._machine.unique_id()
        return found

    def random(self, size: int) -> bytes:
        """Bytes from the system's chance."""
        return os.urandom(size)

    def ticks_ms(self) -> int:
        """Milliseconds modulo 2^30."""
        ticks: int = time.ticks_ms()  # type: ignore[assignment] # the stubs hide that it is an int
        return ticks & TICKS_MASK

    def claim_line(self, kind: str, baud: int) -> None:
        """Open the line: state.UART and BUS where the board has such pins, else the USB.

        On USB Ctrl-C becomes data: frames hold every byte value, and 0x03 must not stop the pad.
        This locks a terminal and mpremote out while the program runs; safe mode (boot.py) is the
        way in.
        """
        micropython.kbd_intr(-1)
        pins = self._pins
        if kind == state.USB or pins.uart is None:
            self._poll_in.register(sys.stdin, select.POLLIN)
            return
        number, tx, rx = pins.uart
        self._uart = self._machine.UART(
            number,
            baudrate=baud,
            tx=self._machine.Pin(tx),
            rx=self._machine.Pin(rx),
            txbuf=UART_WRITE_SIZE,
            rxbuf=UART_READ_SIZE,
            timeout=0,
        )
        self._on_bus = kind == state.BUS
        self._byte_us = 10_000_000 // baud + 1
        self._poll_in.register(self._uart, select.POLLIN)

    def keys(self) -> int:
        """Mask of the keys held down: bit 0 for key 1, bit 5 for the teller's first."""
        mask = 0
        for pin, bit in self._keys:
            if not pin.value():
                mask |= bit
        return mask

    def show(self, leds: int) -> None:
        """Light the lamps of the mask."""
        for pin in self._leds:
            pin.value(leds & 1)
            leds >>= 1

    def show_digits(self, digits: bytes) -> None:
        """Show four characters."""
        if self._digits is not None:
            self._digits.show(digits)

    def show_text(self, text: int, stars: int) -> None:
        """Show a text and stars; a display that does not answer is left alone from then on."""
        if self._screen is not None:
            try:
                self._screen.show(text, stars)
            except OSError:
                self._screen = None

    def give_tone(self, tone: int) -> None:
        """Begin a tone; ``wait`` ends it."""
        if self._buzzer is not None:
            self._buzzer.freq(TONES_HZ[tone])
            self._buzzer.duty_u16(32_768)
            self._tone_until = self.ticks_ms() + TONE_MS

    def start_watchdog(self, ms: int) -> None:
        """Begin to reset the board unless it is fed every ``ms``; cannot be stopped."""
        self._watchdog = self._machine.WDT(timeout=ms)

    def feed_watchdog(self) -> None:
        """All is well."""
        self._watchdog.feed()

    def by_watchdog(self) -> bool:
        """Whether the chip says that its watchdog started it (on the RP2040 also after reset)."""
        return bool(self._machine.reset_cause() == self._machine.WDT_RESET)

    def reset(self) -> None:
        """Start the board anew."""
        self._machine.reset()

    def read_into(self, buffer: bytearray) -> int:
        """Read what is there without waiting.

        The USB port's own read waits for every byte asked, so one at a time.
        """
        uart = self._uart
        if uart is not None:
            there: int = min(uart.any(), len(buffer))
            return (uart.readinto(buffer, there) or 0) if there else 0
        count = 0
        while count < len(buffer) and self._ready(0):
            self._stdin.readinto(self._one)
            buffer[count] = self._one[0]
            count += 1
        return count

    def _ready(self, ms: int) -> bool:
        """Wait at most ``ms`` for a byte. ``ipoll`` makes no garbage, unlike ``poll``."""
        ready = False
        for _ in self._poll_in.ipoll(ms):
            ready = True
        return ready

    def write(self, view: memoryview) -> int:
        """Hand bytes to the line; on a bus, return when the last one is out."""
        uart = self._uart
        if uart is None:
            self._stdout.write(view)
            return len(view)
        if not self._on_bus:
            return uart.write(view) or 0
        # Waiting here allocates nothing, so no collection can hold the line longer.
        most_ms = len(view) * self._byte_us // 1_000 + DRIVE_SPARE_MS
        began = time.ticks_ms()
        if self._drive is not None:
            self._drive.value(1)
        uart.write(view)
        while not uart.txdone() and time.ticks_diff(time.ticks_ms(), began) <= most_ms:
            pass
        if self._drive is not None:
            self._drive.value(0)
        return len(view)

    def wait(self, ms: int, want_write: bool) -> None:
        """Sleep until a byte comes, at most until the next sample of the keys."""
        if self._buzzer is not None and self._tone_until:
            left = self._tone_until - self.ticks_ms()
            if left <= 0 or left > TONE_MS:
                self._buzzer.duty_u16(0)
                self._tone_until = 0
        self._ready(min(ms, keys.SAMPLE_MS))
