"""One pad of ``lobby prove presses`` and whoever stands in front of it: presses its keys, looks at
its lamps, keeps a record, and cuts its power and its cable.
"""

import asyncio
import contextlib
import os
import pty
import random
import signal
import tty
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hal.errors import HalError, LinkUnavailable
from hal.sim.pad import ALL_DARK, ALL_LIT, PtyPad
from simulator.prove.presses_kiosk import Kiosk

BOARD = Path(__file__).with_name("presses_board.py")
KEY = bytes(range(32))
LOOK_S = 0.01
HOLD_S = 0.04
LIT_S = 1.5
DARK_S = 2.5
SHOWN_S = 1.2
"""So long a press is watched: it is acknowledged in milliseconds, or saved after 0.4 s."""
CUT_S = 0.7
"""A cut comes at any moment until then, or when the press is shown as accepted."""
FATE_SHARE, FATE_WRITES = 0.5, 6
"""Share of the starts that end in a torn write of the flash, and the latest one (a save is 4)."""
UNARMED = 0.15
AWAY = 0.4
"""Share of the presses whose cable is out from before the press on: they have to be saved."""
WHEN_SHOWN = 0.5
CUTS = {"": 6, "power": 8, "unplug": 2, "reset": 2, "cable": 2, "kiosk": 2}
"""What happens to a press, and how often; "" is nothing."""
DARK_PAUSE_S = (0.0, 0.3)


@dataclass(slots=True)
class Attempt:
    """One press as the visitor knows it; ``nonce`` 0: nobody had asked. ``shown``: accepted."""

    counter: int
    nonce: int
    score: int
    shown: bool = False


class Cable:
    """A line from the port that the host opens to a pad's own; pulled, it drops what is said.
    ``tap`` hears what the host says, as somebody at the cable would.
    """

    def __init__(self, port: Path, tap: Callable[[bytes], None] = lambda _: None) -> None:
        self.port = port
        self._tap = tap
        self._master = self._slave = self._pad = -1

    def plug(self) -> None:
        """The host's port is there."""
        if self._master >= 0:
            return
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self.port.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.port)
        asyncio.get_running_loop().add_reader(self._master, self._pass_on, True)

    def pull(self) -> None:
        """The host's port is gone; the pad goes on."""
        if self._master < 0:
            return
        self.port.unlink(missing_ok=True)
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def join(self, pad_port: Path) -> None:
        """Take the pad's end; it has a new one each time that it is plugged in."""
        self.part()
        self._pad = os.open(pad_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._pad, self._pass_on, False)

    def say(self, data: bytes) -> None:
        """Put bytes on the line to the pad, as somebody at the cable could."""
        os.write(self._pad, data)

    def part(self) -> None:
        """Let go of the pad's end."""
        if self._pad >= 0:
            asyncio.get_running_loop().remove_reader(self._pad)
            os.close(self._pad)
            self._pad = -1

    def _pass_on(self, from_host: bool) -> None:
        source, target = (self._master, self._pad) if from_host else (self._pad, self._master)
        # A line without a far end, or a full one, loses bytes.
        with contextlib.suppress(OSError):
            data = os.read(source, 4096)
            if from_host:
                self._tap(data)
            if target >= 0:
                os.write(target, data)


class Player:
    """A pad at a counter. ``attempts`` is all that was pressed on it."""

    def __init__(
        self, folder: Path, counter: int, kiosk: Kiosk, chance: random.Random, without: str
    ) -> None:
        self.counter = counter
        self.attempts: list[Attempt] = []
        self.cuts: Counter[str] = Counter()
        self.not_armed = 0
        name = f"pad-{counter}"
        self.cable = Cable(folder / f"{name}.line")
        self.pad = PtyPad(folder, name, key=KEY, program=(str(BOARD),))
        self._saves = folder / f"{name}.saves"
        self.pad.environment = {
            "LOBBY_PROOF_FLASH": str(folder / f"{name}.flash"),
            "LOBBY_PROOF_SAVES": str(self._saves),
            "LOBBY_PROOF_WITHOUT": without,
        }
        self._kiosk = kiosk
        self._chance = chance
        self._mortal = False  # it was started, and nobody has ended it
        self._nonce = 0

    @property
    def saves(self) -> int:
        """How often presses were saved."""
        return self._saves.stat().st_size if self._saves.exists() else 0

    async def plug_in(self, *, fate: bool = True) -> None:
        """Power and cable are there; with ``fate`` the pad may die of a write. Raises HalError."""
        if not self.pad.running:
            await self._power(fate=fate)
        self.cable.plug()

    async def unplug(self) -> None:
        """Neither power nor cable is there."""
        self.cable.pull()
        await self._off()

    async def close(self) -> None:
        """Put the pad away."""
        await self.unplug()

    async def press_once(self, nonce: int) -> bool:
        """One visit: armed or not, a press, and what befalls it; False if the pad could not be
        armed, and nobody pressed. Raises HalError.
        """
        await self.plug_in()
        unarmed = self._chance.random() < UNARMED and await self._dark()
        if not unarmed:
            self._nonce = self._nonce or nonce
            if not await self._armed():
                self.not_armed += 1
                return False
        attempt = Attempt(self.counter, 0 if unarmed else self._nonce, self._chance.randint(1, 5))
        cut = self._chance.choices(list(CUTS), list(CUTS.values()))[0]
        if self._chance.random() < AWAY:
            self.cuts["cable"] += 1
            self.cable.pull()
        self.attempts.append(attempt)  # from here on it may have been pressed
        self._nonce = 0
        with contextlib.suppress(LinkUnavailable):  # the pad died by its fate
            await self._press_and_watch(attempt, cut)
        await asyncio.sleep(self._chance.uniform(*DARK_PAUSE_S))
        return True

    async def _press_and_watch(self, attempt: Attempt, cut: str) -> None:
        loop = asyncio.get_running_loop()
        when_shown = bool(attempt.nonce) and self._chance.random() < WHEN_SHOWN
        began_s = loop.time()
        cut_at_s = began_s + self._chance.uniform(0, CUT_S)
        until_s = began_s + (SHOWN_S if attempt.nonce else CUT_S)
        held = True
        self.pad.down(attempt.score)
        try:
            while self.pad.running and loop.time() < until_s:
                await asyncio.sleep(LOOK_S)
                if held and loop.time() >= began_s + HOLD_S:
                    held = False
                    self.pad.up(attempt.score)
                if attempt.nonce and not attempt.shown:
                    attempt.shown = self.pad.accepted(attempt.score)
                if attempt.shown if when_shown or not cut else loop.time() >= cut_at_s:
                    break
        finally:
            if held:
                self.pad.up(attempt.score)
        if cut:
            await self._cut(cut)

    async def _cut(self, cut: str) -> None:
        if cut == "kiosk":
            self._kiosk.kill()
        elif cut == "cable":
            self.cuts["cable"] += 1
            self.cable.pull()
        elif self.pad.running:
            self.cuts[cut] += 1
            if cut == "unplug":
                await self.unplug()
            elif cut == "reset":
                await self._power()
            else:
                await self._kill()
                await asyncio.sleep(self._chance.uniform(*DARK_PAUSE_S))

    async def _armed(self) -> bool:
        """Whether all five lamps were lit for this visit."""
        asked = asyncio.create_task(self._kiosk.arm(self.counter, self._nonce))
        try:
            return await self.pad.wait_for_leds(ALL_LIT, LIT_S) and self.pad.running
        finally:
            # Its last word first: an ARM that is still repeated would meet the next visit.
            await asked

    async def _dark(self) -> bool:
        return await self.pad.wait_for_leds(ALL_DARK, DARK_S) and self.pad.running

    async def _off(self) -> None:
        await self._kill()
        self.cable.part()
        await self.pad.stop()

    async def _power(self, *, fate: bool = True) -> None:
        """Start the pad anew; one that dies of its fate while it starts is started once more."""
        await self._kill()
        fated = fate and self._chance.random() < FATE_SHARE
        at = self._chance.randint(1, FATE_WRITES) if fated else 0
        self.pad.environment["LOBBY_PROOF_CUT"] = str(at)
        try:
            if self.pad.port.is_symlink():
                await self.pad.restart()
            else:
                await self.pad.start()
                self.cable.join(self.pad.port)
        except HalError:
            if not fated:
                raise
            self.cable.part()
            self.cuts["torn_write"] += 1
            await self._power(fate=False)
        else:
            self._mortal = True

    async def _kill(self) -> None:
        """The power is gone: SIGKILL, at whatever instruction it was; or it was gone before."""
        if self.pad.running:
            assert self.pad.pid is not None
            with contextlib.suppress(ProcessLookupError):  # of its fate, just now
                os.kill(self.pad.pid, signal.SIGKILL)
            while self.pad.running:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_S)
        elif self._mortal:
            self.cuts["torn_write"] += 1
        self._mortal = False
