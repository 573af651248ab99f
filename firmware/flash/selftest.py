"""A pad's parts, one by one, with a person's finger, eyes and ears.

The pad is at its prompt, where its own board module of the slot that starts is asked: which keys
are down, show this lamp, give a tone. The person is told what to press and asked what is to be
seen. Nothing is written to the pad.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware.flash.errors import FlashError
from firmware.flash.repl import CodeFailed, RawRepl

KEYS = 5
SLICE_MS = 250
"""How long the pad looks at its keys before it answers; the person's time is many of these."""
LET_GO_S = 5.0
FACES = ("very bad", "bad", "fair", "good", "very good")
ACTIONS = ("next", "recall", "no-show", "finish", "pause")
GUIDE = ("previous", "next", "select", "repeat")

BOARD = """
import sys, time
def _board():
    import slots
    state = slots.Slots('', sys.platform).state()
    sys.path.insert(0, '/' + (state.trying or state.active))
    if sys.platform in ('rp2', 'esp32'):
        from firmware.pad import board
        return board.board
    from firmware.pad import board_host
    return board_host
_b = _board()
def _rest():
    _b.wait(5, False)
    time.sleep(0.005)
def _keys(ms, want):
    before = -1
    for _ in range(ms // 10):
        mask = _b.keys()
        if mask == before and bool(mask) == want:
            break
        before = mask
        _rest()
    return mask
def _tone():
    _b.give_tone(1)
    for _ in range(20):
        _rest()
def _has(name):
    return getattr(_b, name, _b) is not None
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One part: ``name`` as in the registry (key-1, lamp-5), ``said`` if it failed."""

    name: str
    ok: bool
    said: str = ""


Tell = Callable[[str], None]
Ask = Callable[[str, str], bool]
"""part, question -> whether the person said yes"""


class SelfTest:
    """Goes through a pad's parts. ``wait_s``: how long a key is waited for."""

    def __init__(self, repl: RawRepl, tell: Tell, ask: Ask, wait_s: float) -> None:
        self._repl = repl
        self._tell = tell
        self._ask = ask
        self._wait_s = wait_s

    def run(self, role: str) -> list[Result]:
        """Every part that a pad of this role has. Raises FlashError."""
        try:
            self._repl.run(BOARD)
        except CodeFailed as error:
            raise FlashError(
                f"{self._repl.port}: no firmware to test with ({error.last})",
                "flash the pad first: lobby flash pad",
            ) from error
        results = []
        try:
            if role in ("rating", "both"):
                results += [self._key(at, f"key-{at + 1}", FACES[at]) for at in range(KEYS)]
                results += [self._lamp(at) for at in range(KEYS)]
                if self._has("_screen"):
                    self._repl.run("_b.show_text(2, 3)")
                    results.append(self._seen("display", "Does the display ask 请评价, 3 stars?"))
                    self._repl.run("_b.show_text(0, 0)")
            if role == "keys":
                results += [self._key(at, f"key-{at + 1}", GUIDE[at]) for at in range(len(GUIDE))]
                results += [self._lamp(at) for at in range(len(GUIDE))]
            if role in ("caller", "both"):
                results += [
                    self._key(KEYS + at, f"teller-{at + 1}", ACTIONS[at]) for at in range(KEYS)
                ]
                if self._has("_digits"):
                    self._repl.run("_b.show_digits(b'8888')")
                    results.append(self._seen("digits", "Do four eights stand on the display?"))
                    self._repl.run("_b.show_digits(b'    ')")
            if self._has("_buzzer"):
                self._tell("Listen.")
                self._repl.run("_tone()")
                results.append(self._seen("buzzer", "Did a short, high tone sound?"))
        finally:
            if self._repl.is_open:
                self._repl.run("_b.show(0)")
        return results

    def _has(self, name: str) -> bool:
        return bool(self._repl.value(f"_has({name!r})"))

    def _down(self, want: bool) -> int:
        return int(self._repl.value(f"_keys({SLICE_MS}, {want})"))

    def _key(self, at: int, name: str, meaning: str) -> Result:
        held = self._until_let_go()
        if held:
            return Result(name, False, f"{_names(held)} held down, or connected to ground")
        self._tell(f"Press {name} ({meaning}) and let it go.")
        deadline = time.monotonic() + self._wait_s
        while not (mask := self._down(True)):
            if time.monotonic() > deadline:
                return Result(name, False, f"not felt within {self._wait_s:.0f} s")
        if mask != 1 << at:
            return Result(name, False, f"{_names(mask)} answered instead")
        held = self._until_let_go()
        return Result(name, not held, f"{_names(held)} stayed down" if held else "")

    def _until_let_go(self) -> int:
        deadline = time.monotonic() + LET_GO_S
        while (mask := self._down(False)) and time.monotonic() < deadline:
            pass
        return mask

    def _lamp(self, at: int) -> Result:
        self._repl.run(f"_b.show({1 << at})")
        return self._seen(f"lamp-{at + 1}", f"Is lamp {at + 1} lit, and no other?")

    def _seen(self, name: str, question: str) -> Result:
        ok = self._ask(name, question)
        return Result(name, ok, "" if ok else "not seen or heard as it should be")


def _names(mask: int) -> str:
    names = [f"key-{at + 1}" if at < KEYS else f"teller-{at - KEYS + 1}" for at in range(2 * KEYS)]
    return " and ".join(name for at, name in enumerate(names) if mask >> at & 1)
