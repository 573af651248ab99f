"""A kiosk that is frozen in the middle of a visit is started anew, with the visit's ticket.

The real command with its supervisor, its window under Xvfb, its journal and a slow printer.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import PtyPrinter
from simulator import branch_plan
from simulator.mosquitto import free_port
from simulator.parts import Part, Parts, lobby_command, start_xvfb
from simulator.screen import Description, Screen

log = logging.getLogger(__name__)

SLOW_BYTES_PER_S = 960
"""9600 baud: most of a second for a slip, long enough to be frozen in."""
START_S = 60.0


@dataclass
class Stand:
    parts: Parts
    folder: Path
    supervisor: Part
    printer: SimPrinter
    bench: Path

    def kiosk_pid(self) -> int:
        """The supervisor's child."""
        pid = self.supervisor.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return int(children[0]) if children else 0

    def runs(self, pid: int) -> bool:
        return Path(f"/proc/{pid}").exists()

    async def screen(self) -> Screen:
        return await Screen.connect(self.bench, START_S)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    parts = Parts(tmp_path)
    slow = SimPrinter(bytes_per_s=SLOW_BYTES_PER_S)
    printer = PtyPrinter(slow, tmp_path / "printer")
    await printer.plug_in()
    try:
        places = branch_plan.Places(tmp_path, free_port("127.0.0.1"), printer.address, {}, {})
        display = await start_xvfb(parts, *branch_plan.SMALL[:2])
        file = tmp_path / "kiosk.toml"
        file.write_text(branch_plan.kiosk_toml(places, branch_plan.SMALL, fullscreen=True))
        supervisor = await parts.start(
            "kiosk",
            *lobby_command("kiosk", "--config", str(file), "--supervised"),
            env={"DISPLAY": display},
        )
        yield Stand(parts, tmp_path, supervisor, slow, places.bench)
    finally:
        await parts.stop_all()
        await printer.unplug()


async def shown(screen: Screen, *names: str) -> Description:
    """The screen once it is one of ``names``."""
    seen = await screen.describe()
    while seen.screen not in names:
        seen = await screen.describe_after(seen.revision, 5)
    return seen


@pytest.mark.window
async def test_a_frozen_screen_is_started_anew_with_the_visitors_ticket(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    screen = await stand.screen()
    home = await shown(screen, "home")
    await screen.tap(home.controls["service.A"])
    number = (await shown(screen, "ticket")).largest_text
    frozen = stand.kiosk_pid()
    await screen.close()

    os.kill(frozen, signal.SIGSTOP)
    began_s = time.monotonic()
    while stand.kiosk_pid() in (frozen, 0):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    again = await stand.screen()
    seen = await shown(again, "ticket", "no_slip")
    await again.close()
    took_s = time.monotonic() - began_s
    record_property("frozen_to_shown_again_s", round(took_s, 1))
    log.info("frozen until the ticket was on the screen again: %.1f s", took_s)
    assert seen.largest_text == number
    assert stand.supervisor.process.returncode is None


@pytest.mark.window
async def test_told_to_end_it_ends_and_is_not_started_again(stand: Stand) -> None:
    screen = await stand.screen()
    await shown(screen, "home")
    await screen.close()
    kiosk = stand.kiosk_pid()
    assert await stand.parts.stop(stand.supervisor) == 0
    assert not stand.runs(kiosk)
