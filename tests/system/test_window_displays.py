"""Number displays on a real terminal line of a real server: a call that came over MQTT appears, a
cable that is out is an alert and mended by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from hal.sim.alpha_sign import SignLine
from hal.sim.printer_ports import PtyPrinter
from sync.counter_commands import CallNext, Finish
from tests.system.test_calling_kills import fill
from tests.system.test_mqtt_commands import (
    DEADLINE_S,
    Desk,
    Server,
    broker as broker,
    desk as desk,
)

pytestmark = pytest.mark.broker

WINDOWS = """
[windows]
retry_s = 0.2
brightness = 72
[[windows.displays]]
counter = 1
address = "{address}"
station = 5
[[windows.displays]]
counter = 2
address = "{address}"
station = 6
"""


async def true(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
async def test_a_call_is_on_the_display_and_a_cable_that_is_out_is_an_alert(
    tmp_path: Path, broker: object, desk: Desk
) -> None:
    fill(tmp_path, 6)
    signs = SignLine((5, 6))
    port = PtyPrinter(signs, tmp_path / "line")
    await port.plug_in()
    server = Server(tmp_path, broker, WINDOWS.format(address=port.address))  # type: ignore[arg-type]
    await server.start()
    try:
        await server.answers()
        async with httpx.AsyncClient(base_url=server.url) as client:

            async def lost() -> list[str]:
                return list((await client.get("/healthz")).json()["alerts"])

            async def shows(station: int, text: str) -> bool:
                return signs.sign(station).text == text

            first = await desk.asks(1, CallNext(), "k1")
            await true(lambda: shows(5, first.number))
            assert signs.sign(5).blinking
            assert signs.sign(5).level == 2
            assert signs.sign(6).text == ""
            await port.unplug()
            second = await desk.asks(2, CallNext(), "k2")
            assert second.ok, "calls do not wait for displays"
            both = ["branch-1: display_lost 1", "branch-1: display_lost 2"]
            assert (await desk.asks(1, Finish(), "k3")).ok

            async def both_lost() -> bool:
                return await lost() == both

            async def none_lost() -> bool:
                return await lost() == []

            await true(both_lost)
            for sign in signs.signs.values():
                sign.power_cut()
            await port.plug_in()
            await true(lambda: shows(6, second.number))
            await true(none_lost)
            assert signs.sign(5).text == ""
    finally:
        await server.kill()
        await port.unplug()
