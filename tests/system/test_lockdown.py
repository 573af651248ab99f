"""Nobody gets out of the kiosk by a keyboard or a mouse: real X events at its real window."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator import branch_plan
from simulator.kiosk_stand import KioskStand
from simulator.mosquitto import free_port
from simulator.parts import Parts, start_xvfb
from tests.ui.x_input import XInput

KEYS = [
    "Escape", "Return", "Tab", "space", "BackSpace", "Delete", "Home", "Print", "Pause", "Menu",
    *(f"F{number}" for number in range(1, 13)),
    "Alt_L+F4", "Alt_L+Tab", "Alt_L+space", "Alt_L+F2", "Control_L+c", "Control_L+q",
    "Control_L+w", "Control_L+e", "Control_L+z", "Control_L+Alt_L+Delete",
    "Control_L+Alt_L+BackSpace", *(f"Control_L+Alt_L+F{number}" for number in range(1, 8)),
    "Control_L+Shift_L+Escape", "Control_L+Escape", "Super_L", "Super_L+l", "Super_L+d",
    "Super_L+q", "Shift_L+F10", "Shift_L+F12", "Control_L+F12",
]  # fmt: skip


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[KioskStand]:
    parts = Parts(tmp_path)
    try:
        display = await start_xvfb(parts, *branch_plan.SMALL[:2])
        port = free_port("127.0.0.1")
        async with KioskStand(tmp_path, parts, display, port, branch_plan.SMALL) as stand:
            yield stand
    finally:
        await parts.stop_all()


@pytest.mark.window
async def test_no_key_no_button_and_no_request_leaves_the_first_screen(stand: KioskStand) -> None:
    screen = stand.screen
    home = await screen.describe()
    assert home.screen == "home"
    x, y, width, height = home.controls["service.A"]["rect"]
    middle = (x + width // 2, y + height // 2)
    with XInput(stand.display) as hand:
        assert hand.focus()
        for keys in KEYS:
            hand.press(keys)
            await asyncio.sleep(0.03)  # two frames: its events are worked on
            assert not stand.part.ended, keys
            seen = await screen.describe()
            assert (seen.screen, seen.language) == (home.screen, home.language), keys
        for button in (2, 3, 4, 5, 6, 7, 8, 9):
            hand.click(*middle, button)
            await asyncio.sleep(0.1)
            assert (await screen.describe()).screen == "home", f"button {button}"
        hand.ask_to_close()
        await asyncio.sleep(0.3)
        assert not stand.part.ended
        assert (await screen.describe()).screen == "home"
        hand.click(*middle, 1)  # the same hand can do what it should
        async with asyncio.timeout(10):
            while (seen := await screen.describe()).screen == "home":
                await screen.describe_after(seen.revision, 1)
    os.kill(stand.pid, signal.SIGTERM)
    async with asyncio.timeout(20):
        assert await stand.part.process.wait() == 0
