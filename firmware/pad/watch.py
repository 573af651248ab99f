"""Never stuck: a watchdog that is fed only while all goes well, and what is known of crashes.

The watchdog of the RP2040 cannot be stopped, and its resets look like any other: the pad keeps
its own count. ``/state/crash.json`` holds {"in_a_row", "crashes", "last", "ours"}. After
MAX_IN_A_ROW crashes, none of them STEADY_MS after its start, the next start leaves out what it
would read from flash: presses are put aside, roles are the default.
"""

import json

from firmware.pad import state
from firmware.pad.ticks import ticks_diff

WATCHDOG_MS = 8_000
"""The RP2040's takes 8388 at most; a save of 103 ms and a collection of 35 ms are far below."""
STEADY_MS = 60_000
MAX_IN_A_ROW = 5
MAX_LAST = 160
CRASH_FILE = "crash.json"

# --- parts that must have worked since the watchdog was last fed
LINE = 1
KEYS = 2
TALK = 4
ALL_PARTS = LINE | KEYS | TALK

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable


class Supervisor:
    """Calls ``feed`` only when every part has checked in since the last time."""

    def __init__(self, feed: "Callable[[], object]") -> None:
        self._feed = feed
        self._seen = 0

    def worked(self, part: int) -> None:
        """A part did its work."""
        self._seen |= part
        if self._seen == ALL_PARTS:
            self._seen = 0
            self._feed()


class Crashes:
    """What crash.json says; with an empty ``folder`` nothing is kept.

    ``by_watchdog``: the chip says that its watchdog started it. A power cut is no crash, and costs
    no write.
    """

    def __init__(self, folder: str, by_watchdog: bool, now_ms: int) -> None:
        self.in_a_row = 0
        self.crashes = 0
        self.last = ""
        self._ours = False
        self._path = folder + "/" + CRASH_FILE if folder else ""
        self._began = now_ms
        if self._path:
            try:
                table = json.loads(state.read(self._path, 1024).decode())
                self.in_a_row = int(table["in_a_row"])
                self.crashes = int(table["crashes"])
                self.last = str(table["last"])
                self._ours = bool(table["ours"])
            except (ValueError, KeyError, TypeError):
                pass
        # On the RP2040 a reset by the program itself reports the watchdog too.
        if by_watchdog and not self._ours:
            self.crashed("watchdog")
        self.careful = self.in_a_row >= MAX_IN_A_ROW
        if self._ours:
            self._ours = False
            self._write()

    def crashed(self, what: str) -> None:
        """Note what ended the program."""
        self.crashes += 1
        self.in_a_row += 1
        self.last = what[:MAX_LAST]
        self._write()

    def will_reset(self) -> None:
        """The next start is the program's own wish."""
        self._ours = True
        self._write()

    def turn(self, now_ms: int) -> None:
        """After STEADY_MS without a crash the next one is the first again."""
        if self.in_a_row and ticks_diff(now_ms, self._began) >= STEADY_MS:
            self.in_a_row = 0
            self._write()

    def _write(self) -> None:
        if self._path:
            table = {
                "in_a_row": self.in_a_row,
                "crashes": self.crashes,
                "last": self.last,
                "ours": self._ours,
            }
            state.write(self._path, json.dumps(table).encode())
