"""The pad's program: ``micropython -m firmware.pad.main``, or copied as /main.py onto a board.

It joins the pure core to a Board: the module ``board`` on an RP2040, ``board_host`` elsewhere.
"""

import sys

from firmware.pad import VERSION, boot, link, pad

READ_SIZE = 64
"""One USB packet of the RP2040."""
BLOCKED_MS = 50
"""Pause between looks at the time while the line takes no bytes: lamps still go out."""


TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from typing import Protocol

    class Board(Protocol):
        """What a board module offers."""

        def unique_id(self) -> bytes:
            """1 to 16 bytes that no other pad has."""

        def random(self, size: int) -> bytes:
            """Bytes from the hardware's chance."""

        def ticks_ms(self) -> int:
            """Milliseconds modulo 2^30."""

        def claim_line(self) -> None:
            """Take every byte of the line for data from now on."""

        def keys(self) -> int:
            """Mask of the keys held down, bit 0 for key 1."""

        def show(self, leds: int) -> None:
            """Light the lamps of the mask, no others."""

        def read_into(self, buffer: bytearray) -> int:
            """Read without waiting; the number of bytes, -1 when the line hung up."""

        def write(self, view: memoryview) -> int:
            """Hand bytes to the line without waiting; the number taken."""

        def wait(self, ms: int, want_write: bool) -> None:
            """Sleep until something may have changed, at most ``ms``."""


def interpreter() -> str:
    """Name and version of what runs this program, e.g. ``micropython 1.25.0``."""
    version = sys.implementation.version
    return f"{sys.implementation.name} {version[0]}.{version[1]}.{version[2]}"


def run(board: "Board") -> None:
    """Serve the line until it hangs up; return at once in safe mode."""
    if boot.safe_mode(board.keys()):
        return
    board.claim_line()
    boot_id = int.from_bytes(board.random(4), "little")
    hello = link.pack_hello(board.unique_id(), VERSION, interpreter())
    core = pad.Pad(boot_id, hello, board.ticks_ms())
    decoder = link.Decoder()
    rx = bytearray(READ_SIZE)
    rx_view = memoryview(rx)
    tx = bytearray(link.MAX_WIRE)
    tx_view = memoryview(tx)
    # A delimiter first: whatever stands half written on the line ends here.
    tx_from = 0
    tx_to = 1
    shown = -1
    while True:
        now_ms = board.ticks_ms()
        count = board.read_into(rx)
        if count < 0:
            return
        if count:
            for result in decoder.feed(rx_view[:count]):
                if isinstance(result, link.Frame):
                    core.received(result, now_ms)
            core.bad_frames = decoder.bad
        core.sample(board.keys(), now_ms)
        if tx_from == tx_to:
            tx_from = 0
            tx_to = core.due(tx, now_ms)
        if core.leds != shown:
            shown = core.leds
            board.show(shown)
        if tx_from != tx_to:
            tx_from += board.write(tx_view[tx_from:tx_to])
            if tx_from != tx_to:
                board.wait(BLOCKED_MS, True)
        else:
            board.wait(core.rest_ms(now_ms), False)


def start() -> None:
    """Run on the board that this interpreter runs on."""
    if sys.platform == "rp2":
        from firmware.pad import board

        run(board)
    else:
        from firmware.pad import board_host

        run(board_host)


if __name__ == "__main__":
    start()
