"""A technician at the real window: the four corners, the code, the self-test, the restart."""

from pathlib import Path
from typing import Any

import pytest

from kiosk.technician import hash_code
from simulator import branch_plan
from simulator.kiosk_stand import KioskStand
from simulator.mosquitto import free_port
from simulator.parts import Parts, start_xvfb
from simulator.screen import Description, Screen

CODE = "40216385"
RESTART_STATUS = 75


async def reached(screen: Screen, name: str, control: str) -> Description:
    """The screen once it is ``name`` and has the control."""
    seen = await screen.describe()
    while seen.screen != name or control not in seen.controls:
        seen = await screen.describe_after(seen.revision, 5)
    return seen


async def pressed(screen: Screen, control: dict[str, Any]) -> None:
    """Touch until it is taken: for 400 ms after a touch none is."""
    while (await screen.tap(control))["control"] is None:
        pass


@pytest.mark.window
async def test_corners_code_self_test_and_restart(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    width, height, _ = size = branch_plan.SMALL
    code_hash = hash_code(CODE, bytes(16))
    more = ["[technician]", f'code_hash = "{code_hash}"']
    try:
        display = await start_xvfb(parts, width, height)
        port = free_port("127.0.0.1")
        async with KioskStand(tmp_path, parts, display, port, size, more=more) as stand:
            screen = stand.screen
            corners = [(2, 2), (width - 3, 2), (width - 3, height - 3), (2, height - 3)]
            for x, y in corners[:3]:
                await screen.ask(op="tap", x=x, y=y)
            assert (await screen.describe()).screen == "home"
            for x, y in corners:
                await screen.ask(op="tap", x=x, y=y)
            pad = await reached(screen, "technician", "technician.leave")
            for key in (*CODE, "enter"):
                await pressed(screen, pad.controls[f"technician.key.{key}"])
            menu = await reached(screen, "technician", "technician.slip")
            words = {text["text"] for text in menu.texts}
            assert {"磁盘", "时钟", "网络", "打印机"} <= words
            await pressed(screen, menu.controls["technician.restart"])
            assert await stand.part.process.wait() == RESTART_STATUS
    finally:
        await parts.stop_all()
