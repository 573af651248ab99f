"""A pad without a board: stdin and stdout are the line, two files are the keys and the lamps.

For MicroPython's unix port (CPython cannot run it). Where there is no `machine`, a bench stands
in:

LOBBY_PAD_KEYS   path of a FIFO that takes lines ``down 3`` and ``up 3`` (keys 1 to 5, the
                 teller's t1 to t5); other lines are counted in ``bad_lines`` and left out
LOBBY_PAD_LEDS   path of a file that always holds five digits, ``1`` for a lit lamp, key 1 first,
                 then a line ``text stars tones digits``; replaced whole by rename, so that any
                 number of readers see one state or the next
LOBBY_PAD_STATE  folder of key.bin and the rest; without it the pad has no key, keeps nothing
LOBBY_PAD_UID    the pad's unique id, hex, at most 16 bytes

A line from the FIFO is held for HOLD_SAMPLES samples before the next is taken: a bench on a busy
machine that writes late, or all at once, still presses its keys long enough.

stdin and stdout are the line whatever config.json says, USB, UART or bus; a bus is joined by
hal.sim.bus. They need O_NONBLOCK, else a reader of the line that stops would stop the pad. Not
modelled:
bounce of contacts, brightness, USB enumeration.
"""

import os
import select
import sys
import time

from firmware.pad import link, pad

DEFAULT_UNIQUE_ID = "00000000706164"
MAX_LINE = 16
KEY_NAMES = (b"1", b"2", b"3", b"4", b"5", b"t1", b"t2", b"t3", b"t4", b"t5")
HOLD_SAMPLES = pad.SAMPLES_TO_SETTLE + 2

_stdin = sys.stdin.buffer
_stdout = sys.stdout.buffer
_one = bytearray(1)
_poll_in = select.poll()
_poll_in.register(_stdin, select.POLLIN)
_poll_out = select.poll()
_poll_out.register(_stdin, select.POLLIN)
_poll_out.register(_stdout, select.POLLOUT)
_poll_line_and_keys = select.poll()
_poll_line_and_keys.register(_stdin, select.POLLIN)

state_folder = os.getenv("LOBBY_PAD_STATE") or ""
_leds_path = os.getenv("LOBBY_PAD_LEDS")
_keys_path = os.getenv("LOBBY_PAD_KEYS")
_poll_keys = None
_keys_fifo = None
if _keys_path:
    # Opened for both directions: neither the open waits for a writer nor does the last writer's
    # leaving look like an end.
    _keys_fifo = open(_keys_path, "r+b")  # noqa: SIM115 - open for the program's life
    _poll_keys = select.poll()
    _poll_keys.register(_keys_fifo, select.POLLIN)
    _poll_line_and_keys.register(_keys_fifo, select.POLLIN)

_line = bytearray(MAX_LINE)
_line_size = 0
_down = 0
_hold = 0
_held_at = 0
bad_lines = 0
_shown = [0, 0, 0, 0]  # lamps, text, stars, tones
_digits = ""


def random(size: int) -> bytes:
    """Bytes from the system's chance."""
    return os.urandom(size)


def ticks_ms() -> int:
    """Milliseconds modulo 2^30."""
    ticks: int = time.ticks_ms()  # type: ignore[assignment] # the stubs hide that it is an int
    return ticks & pad.TICKS_MASK


def unique_id() -> bytes:
    """The id given by the environment."""
    return bytes.fromhex(os.getenv("LOBBY_PAD_UID") or DEFAULT_UNIQUE_ID)


def claim_line(kind: str, baud: int) -> None:
    """Nothing to do: a pty in raw mode is any of the lines, and keeps bytes as they are."""


def keys() -> int:
    """Mask of the keys that the bench holds down, bit 0 for key 1."""
    global _line_size, _hold, _held_at
    if _hold:
        now_ms = ticks_ms()
        if pad.ticks_diff(now_ms, _held_at) >= pad.SAMPLE_MS:
            _held_at = now_ms
            _hold -= 1
    while _keys_fifo and _poll_keys and not _hold and _poll_keys.poll(0):
        _keys_fifo.readinto(_one)
        if _one[0] == 10:
            _take_line(bytes(_line[:_line_size]))
            _line_size = 0
            _hold = HOLD_SAMPLES
            _held_at = ticks_ms()
        elif _line_size < MAX_LINE:
            _line[_line_size] = _one[0]
            _line_size += 1
    return _down


def _take_line(line: bytes) -> None:
    global _down, bad_lines
    words = line.split()
    if len(words) != 2 or words[1] not in KEY_NAMES:
        bad_lines += 1
        return
    bit = 1 << KEY_NAMES.index(words[1])
    if words[0] == b"down":
        _down |= bit
    elif words[0] == b"up":
        _down &= ~bit
    else:
        bad_lines += 1


def show(leds: int) -> None:
    """Light the lamps of the mask."""
    _shown[0] = leds
    _write_shown()


def show_digits(digits: bytes) -> None:
    """Show the teller's four characters."""
    global _digits
    _digits = digits.decode()
    _write_shown()


def show_text(text: int, stars: int) -> None:
    """Show a text and stars."""
    _shown[1] = text
    _shown[2] = stars
    _write_shown()


def give_tone(tone: int) -> None:
    """Count a tone."""
    _shown[3] += 1
    _write_shown()


def _write_shown() -> None:
    if _leds_path:
        leds = _shown[0]
        text = "".join(["1" if leds & (1 << key) else "0" for key in range(link.KEYS)])
        text += f"\n{_shown[1]} {_shown[2]} {_shown[3]} {_digits}"
        with open(_leds_path + ".new", "w") as file:
            file.write(text + "\n")
        os.rename(_leds_path + ".new", _leds_path)


def start_watchdog(ms: int) -> None:
    """There is none."""


def feed_watchdog() -> None:
    """There is none."""


def by_watchdog() -> bool:
    """There is none."""
    return False


def reset() -> None:
    """The program ends, and whoever started it starts it again."""


def read_into(buffer: bytearray) -> int:
    """Read what is there without waiting; -1 when the line hung up."""
    count = 0
    while count < len(buffer):
        ready = _poll_in.poll(0)
        if not ready:
            break
        if not ready[0][1] & select.POLLIN:
            return -1
        try:
            got = _stdin.readinto(_one)
        except OSError:
            return -1  # a pty whose slave was closed answers EIO
        if got == 0:
            return -1
        if not got:
            break
        buffer[count] = _one[0]
        count += 1
    return count


def write(view: memoryview) -> int:
    """Hand bytes to the line; 0 while its buffer is full."""
    try:
        return _stdout.write(view) or 0
    except OSError:
        return 0  # hung up: read_into is about to say so


def wait(ms: int, want_write: bool) -> None:
    """Sleep until a byte or a key line comes (or the line takes bytes again), at most ``ms``."""
    if _hold:
        ms = min(ms, pad.SAMPLE_MS)
    if want_write:
        _poll_out.poll(ms)
    elif _hold:
        _poll_in.poll(ms)
    else:
        _poll_line_and_keys.poll(ms)
