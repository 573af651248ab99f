"""The pad's program: ``micropython -m firmware.pad.main``, or copied as /main.py onto a board.

It joins the pure core to a Board: the one of ``board`` on a board, ``board_host`` elsewhere.
"""

import gc
import sys

from firmware.pad import VERSION, boot, link, pad, state, station, watch
from firmware.pad.ticks import ticks_diff

READ_SIZE = 64
"""One USB packet of the RP2040."""
BLOCKED_MS = 50
"""Pause between looks at the time while the line takes no bytes: lamps still go out."""
COLLECT_BYTES = 32_000
"""A pad on a bus collects when less is free, right after its turn: 35 ms at the wrong moment cost
one."""


TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from typing import Protocol

    class Board(Protocol):
        """What a board module offers."""

        state_folder: str
        """Where key.bin and presses.bin are; empty: the pad keeps nothing."""

        def unique_id(self) -> bytes:
            """1 to 16 bytes that no other pad has."""

        def random(self, size: int) -> bytes:
            """Bytes from the hardware's chance."""

        def ticks_ms(self) -> int:
            """Milliseconds modulo 2^30."""

        def claim_line(self, kind: str, baud: int) -> None:
            """Take every byte of the line (state.USB, UART, BUS) for data from now on."""

        def keys(self) -> int:
            """Mask of the keys held down, bit 0 for key 1."""

        def show(self, leds: int) -> None:
            """Light the lamps of the mask, no others."""

        def show_digits(self, digits: bytes) -> None:
            """Show four characters on the teller's display; none: leave it dark."""

        def show_text(self, text: int, stars: int) -> None:
            """Show a text (pad.HELLO_TEXT ...) and the teller's stars to the visitor."""

        def give_tone(self, tone: int) -> None:
            """Begin a tone (pad.ACCEPTED_TONE, pad.ERROR_TONE) and return at once."""

        def start_watchdog(self, ms: int) -> None:
            """Begin to reset the board unless it is fed every ``ms``; cannot be stopped."""

        def feed_watchdog(self) -> None:
            """All is well."""

        def by_watchdog(self) -> bool:
            """Whether the chip says that its watchdog started it."""

        def reset(self) -> None:
            """Start the board anew; may return where there is no board."""

        def read_into(self, buffer: bytearray) -> int:
            """Read without waiting; the number of bytes, -1 when the line hung up."""

        def write(self, view: memoryview) -> int:
            """Hand bytes to the line; the number taken.

            Without waiting, but for a bus: there all of it is out when this returns.
            """

        def wait(self, ms: int, want_write: bool) -> None:
            """Sleep until something may have changed, at most ``ms``."""


def interpreter() -> str:
    """Name and version of what runs this program, e.g. ``micropython 1.25.0``."""
    version = sys.implementation.version
    return f"{sys.implementation.name} {version[0]}.{version[1]}.{version[2]}"


class Faces:
    """Lamps, digits, text and tones as the core says; a display is written when it changes."""

    def __init__(self, board: "Board", core: pad.Pad) -> None:
        self._board = board
        self._core = core
        self._leds = -1
        self._digits = b""
        self._text = -1
        self._stars = 0

    def turn(self) -> None:
        """Show what changed since the last turn."""
        core = self._core
        if core.leds != self._leds:
            self._leds = core.leds
            self._board.show(core.leds)
        if core.digits != self._digits:
            self._digits = core.digits
            self._board.show_digits(core.digits)
        if core.text != self._text or core.stars != self._stars:
            self._text = core.text
            self._stars = core.stars
            self._board.show_text(core.text, core.stars)
        tone = core.take_tone()
        if tone:
            self._board.give_tone(tone)


def run(board: "Board") -> None:
    """Serve the line until it hangs up; return at once in safe mode.

    What goes wrong is written down and ends in a reset.
    """
    if boot.safe_mode(board.keys()):
        return
    crashes = watch.Crashes(board.state_folder, board.by_watchdog(), board.ticks_ms())
    if crashes.careful:
        state.put_aside(board.state_folder, state.ASIDE)
    try:
        serve(board, crashes)
    except Exception as error:
        crashes.crashed(type(error).__name__ + ": " + str(error))
        crashes.will_reset()
        board.reset()
        raise


def serve(board: "Board", crashes: watch.Crashes) -> None:
    """Serve the line until it hangs up or the host asks for maintenance."""
    folder = board.state_folder
    line, address, baud = state.line(folder) if folder else (state.USB, 0, state.BAUD)
    board.claim_line(line, baud)
    boot_id = int.from_bytes(board.random(4), "little")
    roles = state.roles(folder) if folder else link.RATING
    hello = link.Hello(
        board.unique_id(),
        VERSION,
        interpreter(),
        roles,
        firmware_hash=boot.firmware_hash(folder),
    )
    trial = boot.Trial(folder, ticks_diff)
    if trial.pending:
        hello.flags |= link.ON_TRIAL
    now_ms = board.ticks_ms()
    core = pad.Pad(boot_id, hello, now_ms, state.key(folder) if folder else None, board.random)
    core.updates = boot.updates(folder)
    core.slot_flags = trial.flags
    saver = state.Saver(folder, core.store, now_ms)
    if crashes.last:
        core.report(crashes.crashes, crashes.last)
    board.start_watchdog(watch.WATCHDOG_MS)
    supervisor = watch.Supervisor(board.feed_watchdog)
    seat = station.Station(address, hello.unique_id, now_ms) if line == state.BUS else None
    decoder = seat or link.Decoder()
    rx = bytearray(station.READ_SIZE if seat else READ_SIZE)
    rx_view = memoryview(rx)
    tx = bytearray(station.MAX_ANSWER if seat else link.MAX_WIRE)
    tx_view = memoryview(tx)
    # A delimiter first: whatever stands half written on the line ends here.
    tx_from = 0
    tx_to = 0 if seat else 1
    faces = Faces(board, core)
    while True:
        now_ms = board.ticks_ms()
        if seat:
            seat.look(now_ms)
        count = board.read_into(rx)
        if count < 0:
            return
        supervisor.worked(watch.LINE)
        if count:
            for result in decoder.feed(rx_view[:count]):
                if not isinstance(result, link.Wrong):
                    core.received(result, now_ms)
            core.bad_frames = decoder.bad
            if not seat or seat.spoken_to:
                saver.heard(now_ms)
        core.sample(board.keys(), now_ms)
        supervisor.worked(watch.KEYS)
        if tx_from == tx_to:
            tx_from = 0
            tx_to = seat.answer_into(tx, core.due, now_ms) if seat else core.due(tx, now_ms)
            if seat and tx_to and seat.too_late(board.ticks_ms()):
                tx_to = 0
        wrote = tx_from != tx_to
        if wrote:
            tx_from += board.write(tx_view[tx_from:tx_to])
        faces.turn()  # behind the write: a display takes long, and a bus waits for nobody
        supervisor.worked(watch.TALK)
        if wrote:
            if tx_from != tx_to:
                board.wait(BLOCKED_MS, True)
            elif seat and gc.mem_free() < COLLECT_BYTES:
                gc.collect()  # while others have their turns
            continue
        if (core.maintenance or core.switched) and not (seat and seat.owes):
            if core.maintenance:
                state.write(folder + "/" + state.MAINTENANCE_FILE, b"1")
            saver.keep(now_ms)
            board.wait(BLOCKED_MS, False)  # the answer is in the port: let it go out
            crashes.will_reset()
            board.reset()
            return
        rest = core.rest_ms(now_ms)
        if seat:
            rest = seat.rest_ms(rest)
        if rest:
            rest = saver.turn(now_ms, rest)
            crashes.turn(now_ms)
            if trial.turn(now_ms, core.greeting == pad.GREETED):
                core.slot_flags = trial.flags
                hello.flags &= ~link.ON_TRIAL
        board.wait(rest, False)


def start() -> None:
    """Run on the board that this interpreter runs on."""
    if sys.platform in ("rp2", "esp32"):
        from firmware.pad import board

        run(board.board)
    else:
        from firmware.pad import board_host

        run(board_host)


if __name__ == "__main__":
    start()
