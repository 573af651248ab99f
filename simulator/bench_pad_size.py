"""What the pad's firmware takes: bytes of flash by file, bytes of RAM while it works.

Flash is what mpy-cross makes of each file for an RP2040. RAM is the heap in use under MicroPython
on this machine, compiled files and all: its words have 64 bits, and the same objects take about
half of it on the RP2040. Stack and static memory of the interpreter are not in it.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from firmware.flash.bundle import compile_firmware
from hal.link import link_to
from hal.registry import backend
from hal.sim.pad import PtyPad
from sync.clock import system_clock

PICO, HERE = "rp2", "linux"
PRESSES = 1_000
BOARD = Path(__file__).with_name("bench_pad_board.py")
KEY = bytes(range(32))
WINDOW_MS = 90_000
HOLD_MS = 8
"""The pad's clock runs ten times as fast: it samples a key every 0.5 ms."""
SOON_S = 10.0
ENOUGH_S = 120.0

_Say = Callable[[str], None]


def flash_bytes(chip: str = PICO) -> dict[str, int]:
    """Path on the pad -> bytes, of one slot. Raises BadUse."""
    slot, _ = compile_firmware(chip)
    return {item.file: len(item.data) for item in slot}


async def ram_bytes(say: _Say) -> dict[str, int]:
    """The heap in use when all is imported, when it was greeted, and after PRESSES presses that
    were armed, acknowledged and shown. Raises HalError, BadUse.
    """
    say(f"RAM of the pad's program: {PRESSES} presses")
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        folder = Path(name)
        slot, _ = compile_firmware(HERE)
        for item in slot:
            path = folder / "slot" / item.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.data)
        pad = PtyPad(folder, "pad-1", key=KEY, program=(str(BOARD),))
        ask, told = folder / "ask", folder / "told"
        pad.environment = {
            "MICROPYPATH": f"{folder / 'slot'}:.frozen",
            "LOBBY_BENCH_ASK": str(ask),
            "LOBBY_BENCH_RAM": str(told),
        }
        driver = backend("pad", "serial")(
            link_to(pad.address),
            name="pad-1",
            now_ms=system_clock().mono_ms,
            key_of=lambda _: KEY,
        )
        await pad.start()
        try:
            await driver.open()
            async with asyncio.timeout(ENOUGH_S):
                await driver.arm(1, WINDOW_MS)
                greeted = await _asked(ask, told)
                for nonce in range(2, PRESSES + 2):
                    await pad.press(1 + nonce % 5, HOLD_MS)
                    await driver.acknowledge(await driver.next_press())
                    await driver.arm(nonce, WINDOW_MS)
                pressed = await _asked(ask, told)
        finally:
            await driver.close()
            await pad.stop()
        imported = _lines(told)[0]
    return {"imported": imported, "greeted": greeted, f"after_{PRESSES}_presses": pressed}


async def _asked(ask: Path, told: Path) -> int:
    """What the pad's program says now."""
    before = len(_lines(told))
    os.close(os.open(ask, os.O_CREAT | os.O_WRONLY, 0o600))
    async with asyncio.timeout(SOON_S):
        while len(_lines(told)) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return _lines(told)[-1]


def _lines(told: Path) -> list[int]:
    return [int(line) for line in told.read_text("ascii").split()]
