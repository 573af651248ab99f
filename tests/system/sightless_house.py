"""A kiosk as somebody meets it who does not see it: the real program and window, a slip printer,
four keys on a real pty (letters, or a pad's firmware under MicroPython), and an ear at the player.
"""

import asyncio
import os
import secrets
import sys
import tty
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from hal.link import Descriptor
from hal.sim.keypad import SimPadKeys, SimSerialKeys
from hal.sim.pad import PtyPad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import TcpPrinter
from hal.sim.speaker import Begun, SpeakerBench
from simulator.ears import WITHIN_S, NeverHeard, Sightless
from simulator.mosquitto import free_port
from simulator.parts import Parts, start_xvfb
from simulator.screen import Screen

SIZE = (1280, 800)
TOML = """
node = "kiosk-1"
production = false
data_dir = "data"
ticket_screen_s = 8.0
[branch]
zh = "示例支行"
en = "Example branch"
[screen]
width = {width}
height = {height}
pixel_pitch_mm = 0.16996
fullscreen = false
language = "{language}"
[broker]
port = {broker}
[[services]]
letter = "A"
zh = "现金业务"
en = "Cash"
[[services]]
letter = "B"
zh = "非现金业务"
en = "Cards and accounts"
[[services.documents]]
zh = "本人身份证"
en = "Your ID card"
note_zh = "原件，复印件不行"
note_en = "original, no copy"
[[services]]
letter = "P"
zh = "长者·需要人工"
en = "A person, please"
priority = true
[printer]
address = "{printer}"
[keys]
backend = "{backend}"
address = "{keys}"
[speaker]
address = "{speaker}"
[bench]
socket = "bench.sock"
"""


class SightlessHouse(Sightless):
    """``speed``: how many times faster than a person the ear hears. ``by_pad``: the keys are a pad
    of ours, with a key, plugged in as ``pad``.
    """

    def __init__(
        self, folder: Path, *, language: str = "en", speed: float = 40.0, by_pad: bool = False
    ) -> None:
        super().__init__(SpeakerBench(folder, speed))
        self.pad = PtyPad(folder, "keys", key=secrets.token_bytes(32), roles=("keys",))
        self._by_pad = by_pad
        self.folder = folder
        self.language = language
        self.paper = SimPrinter()
        self.port = TcpPrinter(self.paper)

    async def __aenter__(self) -> Self:
        self._way_down = AsyncExitStack()
        self.ear.plug_in()
        await self.port.plug_in()
        self._way_down.push_async_callback(self.port.unplug)
        address = await self._plug_in_pad() if self._by_pad else self._plug_in_letters()
        parts = Parts(self.folder)
        self._way_down.push_async_callback(parts.stop_all)
        config = self.folder / "kiosk.toml"
        config.write_text(
            TOML.format(
                width=SIZE[0], height=SIZE[1], language=self.language, broker=free_port(),
                printer=self.port.address, speaker=self.ear.address,
                backend="pad" if self._by_pad else "serial", keys=address,
            ),
            "utf-8",
        )  # fmt: skip
        display = await start_xvfb(parts, *SIZE)
        self.kiosk = await parts.start(
            "kiosk", sys.executable, "-m", "lobby", "kiosk", "--config", str(config),
            env={"DISPLAY": display},
        )  # fmt: skip
        self.screen = await Screen.connect(self.folder / "bench.sock", WITHIN_S)
        self._way_down.push_async_callback(self.screen.close)
        if self._by_pad:
            await self.heard(True)
        return self

    def _plug_in_letters(self) -> str:
        keys, far = os.openpty()
        tty.setraw(far)
        stream = Descriptor(keys, "keys")
        self._way_down.callback(os.close, keys)
        self._way_down.callback(os.close, far)
        self._way_down.callback(stream.release)
        self.keys = SimSerialKeys(stream)
        return f"serial:{os.ttyname(far)}"

    async def _plug_in_pad(self) -> str:
        known = self.folder / "data" / "pads"
        known.mkdir(parents=True)
        self.pad.share_key(known)
        await self.pad.start()
        self._way_down.push_async_callback(self.pad.stop)
        self.keys = SimPadKeys(self.pad)
        return self.pad.address

    async def heard(self, heard: bool) -> None:
        """Wait until the pad's lamps say whether the kiosk hears its keys."""
        assert await self.pad.wait_for_leds((*[heard] * 4, False), WITHIN_S), self.pad.leds()

    async def __aexit__(self, *_: object) -> None:
        await self._way_down.aclose()

    async def shown(self, screen: str) -> None:
        """What a sighted person would see, to compare with."""
        async with asyncio.timeout(WITHIN_S):
            seen = await self.screen.describe()
            while seen.screen != screen:
                seen = await self.screen.describe_after(seen.revision, 1.0)

    async def _until(self, fits: Callable[[Begun], bool], what: str) -> Begun:
        try:
            return await super()._until(fits, what)
        except NeverHeard as error:
            seen = await self.screen.describe()
            raise AssertionError(f"{error} at {seen.screen}; {self.kiosk.last_words()}") from None
