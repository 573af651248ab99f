"""A rating pad with two slots: compiled firmware on a littlefs of its own, started as on a board.

    SlotPad    a PtyPad whose flash is a file; it can lose its power in the middle of a write

Not modelled: the second that a real port is away after a reset, the watchdog, the line's speed.
"""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from firmware.pad.slots import MAC, MANIFEST, State, hmac_sha256
from hal.errors import HalError
from hal.sim.micropython import micropython_path
from hal.sim.pad import PtyPad

BOARD = Path(__file__).with_name("slot_board.py")
BLOCKS = 96
BLOCK = 4096
NEVER = -1
POWER_FAILED = 70
RESET = 75
NO_SLOT = 76


def make_flash(
    path: Path,
    bundle: Path,
    key: bytes,
    *,
    state: State | None = None,
    slot: str = "a",
    roles: tuple[str, ...] = ("rating",),
    other: Path | None = None,
) -> None:
    """Write the flash of a provisioned pad that runs ``bundle`` (a folder made by the flash tool);
    ``other`` is a bundle for the other slot. Raises HalError.
    """
    scratch = path.with_name(path.name + ".files")
    scratch.mkdir(exist_ok=True)
    plan: dict[str, str] = {}

    def put(name: str, data: bytes) -> None:
        file = scratch / name.strip("/").replace("/", "_")
        file.write_bytes(data)
        plan[name] = str(file)

    for source in sorted((bundle / "root").rglob("*")):
        if source.is_file():
            plan[f"/{source.relative_to(bundle / 'root')}"] = str(source)
    slots = {slot: bundle}
    if other is not None:
        slots["b" if slot == "a" else "a"] = other
    for name, folder in slots.items():
        manifest = (folder / MANIFEST).read_bytes()
        put(f"/{name}/{MANIFEST}", manifest)
        put(f"/{name}/{MAC}", hmac_sha256(key, manifest))
        for row in json.loads(manifest)["files"]:
            plan[f"/{name}/{row['file']}"] = str(folder / "slot" / row["file"])
    floor = json.loads((bundle / MANIFEST).read_bytes())["floor"]
    put("/state/slot.json", (state or State(slot, floor=floor)).text().encode())
    put("/state/key.bin", key)
    put("/state/config.json", json.dumps({"roles": list(roles)}).encode())
    table = scratch / "plan.json"
    table.write_text(json.dumps(plan), encoding="utf-8")
    path.write_bytes(b"\xff" * (BLOCK * BLOCKS))
    _at_the_bench(path, str(table))


@dataclass(frozen=True, slots=True)
class FlashContent:
    """What a flash holds: path -> SHA-256 of every file, and the state of the slots."""

    files: dict[str, str]
    state: State

    def slot(self, name: str) -> dict[str, str]:
        """The files of one slot, without the slot's folder."""
        start = f"/{name}/"
        return {
            path.removeprefix(start): sha256
            for path, sha256 in self.files.items()
            if path.startswith(start)
        }


def read_flash(path: Path) -> FlashContent:
    """Look into a flash, of a running pad too: what a power cut now would leave. Raises
    HalError.
    """
    copy = path.with_name(path.name + ".looked")
    shutil.copy(path, copy)
    table = json.loads(_at_the_bench(copy, "list"))
    return FlashContent(table["files"], State(**json.loads(table["state"] or "{}")))


def _at_the_bench(path: Path, work: str) -> str:
    done = subprocess.run(
        [micropython_path(), BOARD, path, str(BLOCKS), str(NEVER), "0", work],
        capture_output=True, text=True, check=False, env=os.environ | {"MICROPYPATH": ".frozen"},
    )  # fmt: skip
    if done.returncode:
        raise HalError(f"{path}: the flash could not be used: {done.stdout}{done.stderr}")
    return done.stdout


class SlotPad(PtyPad):
    """A PtyPad on the flash in NAME.flash, which ``make_flash`` has to write first.

    It starts again when it resets itself. ``budget`` bytes written to the flash (an erase counts
    for 64) end its power; ``power_failed`` is set then, and ``start`` plugs it in again.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        key: bytes,
        unique_id: str | None = None,
        confirm_ms: int = 10_000,
        budget: int = NEVER,
    ) -> None:
        super().__init__(folder, name, unique_id=unique_id, key=key)
        self.flash = folder / f"{name}.flash"
        self.budget = budget
        self.confirm_ms = confirm_ms
        self.power_failed = asyncio.Event()
        self.ends: list[int] = []  # exit status of each run
        self._changing = asyncio.Lock()  # two programs on one port would share its bytes
        self._watching: set[asyncio.Task[None]] = set()

    def arguments(self) -> tuple[str, ...]:
        """What is run for the board."""
        return (
            str(BOARD), str(self.flash), str(BLOCKS), str(self.budget), str(self.confirm_ms),
        )  # fmt: skip

    def program_environment(self) -> dict[str, str]:
        """Where the board finds the bench: its own flash is at /, the machine at /host."""
        return {
            "MICROPYPATH": ".frozen",
            "LOBBY_PAD_KEYS": f"/host{self.keys_path.absolute()}",
            "LOBBY_PAD_LEDS": f"/host{self.leds_path.absolute()}",
            "LOBBY_PAD_STATE": "/state",
            "LOBBY_PAD_UID": self.unique_id,
        }

    async def cut(self) -> None:
        """Take the power away now; the port stays, as with a pad on a UART."""
        async with self._changing:
            await self._end()

    async def start(self) -> None:
        async with self._changing:
            await super().start()

    async def restart(self) -> None:
        """Power up again on the same port."""
        async with self._changing:
            await super().restart()

    async def stop(self) -> None:
        async with self._changing:
            await super().stop()
        await asyncio.gather(*self._watching)

    async def _run(self) -> None:
        self.power_failed.clear()
        await super()._run()
        process = self._process
        assert process is not None
        task = asyncio.create_task(self._watch(process))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _not_started(self) -> None:
        """Its power failed first, or its program ended: ``ends`` says which."""

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Start again after a reset; note a power cut."""
        status = await process.wait()
        async with self._changing:
            if self._process is not process:
                return  # ended from here
            self.ends.append(status)
            self._process = None
            if status == RESET:
                await self._run()
            elif status == POWER_FAILED:
                self.power_failed.set()
