"""Fingers and eyes for a simulated rating pad, usable from any process that knows two paths."""

import asyncio
import contextlib
import errno
import os
from pathlib import Path

from firmware.pad import link
from firmware.pad.pad import THANK_YOU_TEXT
from hal.errors import LinkUnavailable

POLL_S = 0.01
PRESS_MS = 80
"""A quick touch of a finger; the pad needs 20 ms."""

Leds = tuple[bool, ...]
ALL_LIT: Leds = (True,) * link.KEYS
ALL_DARK: Leds = (False,) * link.KEYS


def checked_key(key: int) -> int:
    """Return ``key`` if a pad has it. Raises ValueError."""
    if not 1 <= key <= link.KEYS:
        raise ValueError(f"a pad has keys 1 to {link.KEYS}, there is no key {key}")
    return key


class PadBench:
    """Fingers and eyes on a PtyPad: what a bench or a simulated customer does, from any process.

    Any number of benches may look; two that press at once press the same keys, as two people
    would.
    """

    def __init__(self, keys_path: str | Path, leds_path: str | Path) -> None:
        self._keys_path = Path(keys_path)
        self._leds_path = Path(leds_path)

    def down(self, key: int) -> None:
        """Push key 1..5 down. Raises LinkUnavailable if no pad runs there."""
        self._write(f"down {checked_key(key)}\n")

    def up(self, key: int) -> None:
        """Let key 1..5 go. Raises LinkUnavailable if no pad runs there."""
        self._write(f"up {checked_key(key)}\n")

    async def press(self, key: int, hold_ms: int = PRESS_MS) -> None:
        """Press key 1..5 and let it go. Raises LinkUnavailable if no pad runs there."""
        self.down(key)
        try:
            await asyncio.sleep(hold_ms / 1000)
        finally:
            self.up(key)

    async def press_teller(self, key: int, hold_ms: int = PRESS_MS) -> None:
        """Press the teller's key 1..5 and let it go. Raises LinkUnavailable."""
        self._write(f"down t{checked_key(key)}\n")
        try:
            await asyncio.sleep(hold_ms / 1000)
        finally:
            self._write(f"up t{key}\n")

    def digits(self) -> str:
        """The teller's four characters now; empty where there is no such display."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            shown = self._leds_path.read_text(encoding="ascii").splitlines()[1]
            return shown.split(" ", 3)[3]
        return ""

    def leds(self) -> Leds:
        """The five lamps now, key 1 first; all dark where no pad has run yet."""
        try:
            text = self._leds_path.read_text(encoding="ascii")
        except FileNotFoundError:
            return ALL_DARK
        return tuple(digit == "1" for digit in text[: link.KEYS])

    def accepted(self, key: int) -> bool:
        """Whether a visitor is told that the press of ``key`` counts: its lamp alone, 谢谢."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            lamps, shown = self._leds_path.read_text(encoding="ascii").splitlines()[:2]
            alone = "".join("1" if key == n else "0" for n in range(1, link.KEYS + 1))
            return lamps == alone and shown.split(" ", 1)[0] == str(THANK_YOU_TEXT)
        return False

    async def wait_for_leds(self, lamps: Leds, within_s: float) -> bool:
        """Wait until the lamps are exactly these; False if they were not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.leds() != lamps:  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(POLL_S)
                return True
        return False

    def _write(self, line: str) -> None:
        try:
            fd = os.open(self._keys_path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            raise LinkUnavailable(
                f"{self._keys_path}: no pad reads these keys; is it running?"
            ) from error
        try:
            os.write(fd, line.encode())
        except (BlockingIOError, BrokenPipeError) as error:
            raise LinkUnavailable(f"{self._keys_path}: the pad reads no keys") from error
        finally:
            os.close(fd)
