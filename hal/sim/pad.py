"""Rating pads at the far end of the wire, which run the pad's own firmware.

    PtyPad     firmware.pad.main under a real MicroPython, on a pty the host opens as a serial port
    PadBench   the keys and lamps of a PtyPad, from any process, knowing two paths
    CorePad    firmware.pad.pad in this process on any ByteLink, for virtual time

Errors: InterpreterMissing (a HalError) without a MicroPython; HalError when the firmware does not
start; LinkUnavailable for a bench without its pad.
"""

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
import tty
from collections.abc import Callable
from pathlib import Path

import firmware
from firmware.pad import VERSION, boot, link, pad, slots
from firmware.pad.state import BUS, CONFIG_FILE, KEY_FILE, USB
from firmware.pad.station import MAX_ANSWER
from hal.api import ByteLink
from hal.errors import HalError, LinkLost
from hal.sim.micropython import InterpreterMissing, interpreter_name, micropython_path
from hal.sim.pad_bench import (
    ALL_DARK,
    ALL_LIT,
    POLL_S,
    PRESS_MS,
    Leds,
    PadBench,
    checked_key,
)

__all__ = [
    "ALL_DARK",
    "ALL_LIT",
    "CorePad",
    "InterpreterMissing",
    "Leds",
    "PadBench",
    "PtyPad",
    "interpreter_name",
    "micropython_path",
]

PROGRAM = ("-m", "firmware.pad.main")
STOP_S = 2.0
START_S = 10.0
"""Longest time from spawn to first lamp state: 30 ms alone, seconds on a loaded machine."""
BLOCKED_S = 0.05

FIRMWARE_ROOT = Path(firmware.__file__).parent.parent


class PtyPad(PadBench):
    """A pad under MicroPython on a pty. ``port`` (a link to the pty) is what the host opens.

    ``folder`` gets NAME.port, NAME.keys (FIFO), NAME.leds and NAME.err (the interpreter's
    complaints) and NAME.state (the pad's flash: key and kept presses). A stopped pad is an
    unplugged one: the port is gone, and comes back under the same path by start(). With an
    ``address`` it is a pad for a bus, which hal.sim.bus joins by its port. Not modelled:
    line speed and noise (wrap the host's link for that), USB enumeration, brown-outs.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        unique_id: str | None = None,
        key: bytes | None = None,
        roles: tuple[str, ...] = ("rating",),
        port: Path | None = None,
        address: int = 0,
        interpreter: Path | None = None,
        program: tuple[str, ...] = PROGRAM,
    ) -> None:
        """``program`` is what the interpreter is started with."""
        self.name = name
        self.unique_id = unique_id or name.encode()[-link.MAX_UNIQUE_ID :].hex()
        self.port = port or folder / f"{name}.port"
        self.keys_path = folder / f"{name}.keys"
        self.leds_path = folder / f"{name}.leds"
        self.error_path = folder / f"{name}.err"
        self.state_path = folder / f"{name}.state"
        self.key = key
        self.roles = roles
        self.environment: dict[str, str] = {}  # more for the next start
        self.station = address
        self._program = interpreter or micropython_path()
        self._arguments = program
        self._master = -1
        self._slave = -1
        self._process: asyncio.subprocess.Process | None = None
        super().__init__(self.keys_path, self.leds_path)

    @property
    def address(self) -> str:
        """The port as a link address."""
        return f"serial:{self.port}"

    @property
    def interpreter(self) -> str:
        """What runs the firmware, e.g. ``micropython 1.25.0``."""
        return interpreter_name(str(self._program))

    @property
    def pid(self) -> int | None:
        """Process id of the interpreter while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the interpreter runs: it may have ended by itself."""
        return self._process is not None and self._process.returncode is None

    def share_key(self, folder: Path) -> None:
        """Put the pad's key where a host looks for it: ``folder``/<unique id>.key."""
        path = folder / f"{self.unique_id}.key"
        path.touch(mode=0o600)
        path.write_bytes(self.key or b"")

    async def start(self) -> None:
        """Plug the pad in: make its port and run the firmware until its lamps answer.

        Raises HalError.
        """
        if self._process is not None:
            return
        self.state_path.mkdir(exist_ok=True)
        line = BUS if self.station else USB
        config = json.dumps({"roles": self.roles, "line": line, "address": self.station})
        (self.state_path / CONFIG_FILE).write_text(config, encoding="utf-8")
        if self.key is not None:
            (self.state_path / KEY_FILE).write_bytes(self.key)
        if not self.keys_path.exists():
            os.mkfifo(self.keys_path)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self.port.with_name(self.port.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.port)
        await self._run()

    async def stop(self) -> None:
        """Unplug the pad; only its own interpreter is ended. Stopping twice is harmless."""
        await self._end()
        # The path goes first: a host that looks for the port again must not find the dying pty.
        self.port.unlink(missing_ok=True)
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1

    async def restart(self) -> None:
        """Reset the pad, as by its watchdog: a new boot, the port stays open (a pad on a UART)."""
        await self._end()
        await self._run()

    def arguments(self) -> tuple[str, ...]:
        """Arguments of the interpreter."""
        return self._arguments

    def program_environment(self) -> dict[str, str]:
        """What the program finds there besides; ``environment`` goes above it."""
        return {
            "MICROPYPATH": f"{FIRMWARE_ROOT}:.frozen",
            "LOBBY_PAD_KEYS": str(self.keys_path.absolute()),
            "LOBBY_PAD_LEDS": str(self.leds_path.absolute()),
            "LOBBY_PAD_STATE": str(self.state_path.absolute()),
            "LOBBY_PAD_UID": self.unique_id,
        }

    async def _run(self) -> None:
        self.leds_path.unlink(missing_ok=True)
        environment = os.environ | self.program_environment() | self.environment
        # Opened here and handed over: appending to a log takes no time worth a thread.
        complaints = os.open(self.error_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._process = await asyncio.create_subprocess_exec(
                self._program,
                *self.arguments(),
                stdin=self._master,
                stdout=self._master,
                stderr=complaints,
                env=environment,
                start_new_session=True,
            )
        finally:
            os.close(complaints)
        process = self._process
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while not self._awake(process):  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(POLL_S)
        if not self.leds_path.exists():
            await self._not_started()

    async def _not_started(self) -> None:
        """The program showed no lamp and ended. Raises HalError."""
        await self.stop()
        said = self.error_path.read_text(encoding="utf-8", errors="replace")[-500:]
        raise HalError(f"{self.name}: the pad's firmware did not start: {said}")

    def _awake(self, process: asyncio.subprocess.Process) -> bool:
        return self.leds_path.exists() or process.returncode is not None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):  # wait_for may swallow a cancel
                    await process.wait()
                    return


class CorePad:
    """The firmware's core in this process on a ByteLink, with the bench verbs of PadBench.

    Waits by the event loop's clock, so it runs on virtual time. Not modelled: the interpreter,
    the board, line speed, debounce of a real contact.
    """

    def __init__(
        self,
        far_end: ByteLink,
        *,
        now_ms: Callable[[], int],
        boot_ids: Callable[[], int],
        unique_id: str = "c07e",
        key: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
        root: str = "",
        bad_versions: frozenset[str] = frozenset(),
        roles: int = link.RATING,
    ) -> None:
        """``root`` is a folder with the slots of a board, empty: there are none; firmware of
        ``bad_versions`` crashes as soon as it starts.
        """
        self.unique_id = unique_id
        self._root = root
        self._bad_versions = bad_versions
        self._roles = roles
        self._link = far_end
        self._now_ms = now_ms
        self._boot_ids = boot_ids
        self._key = key
        self._random = random
        self._flash = b""
        self._core = self._made(0)
        self._decoder = link.Decoder()
        self._keys = 0
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def interpreter(self) -> str:
        """What runs the firmware's core: this process's Python."""
        return f"cpython {sys.version_info.major}.{sys.version_info.minor} core"

    @property
    def core(self) -> pad.Pad:
        """The core, for counts."""
        return self._core

    async def start(self) -> None:
        """Plug the pad in. Raises LinkUnavailable."""
        if self._tasks:
            return
        await self._link.open()
        self._boot()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._turn())]

    async def stop(self) -> None:
        """Unplug the pad. Stopping twice is harmless."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    async def restart(self) -> None:
        """Reset the pad: a new boot, the link stays open."""
        self._boot()

    def down(self, key: int) -> None:
        """Push key 1..5 down."""
        self._keys |= 1 << (checked_key(key) - 1)
        self._moved.set()

    def up(self, key: int) -> None:
        """Let key 1..5 go."""
        self._keys &= ~(1 << (checked_key(key) - 1))
        self._moved.set()

    async def press(self, key: int, hold_ms: int = PRESS_MS) -> None:
        """Press key 1..5 and let it go."""
        self.down(key)
        try:
            await asyncio.sleep(hold_ms / 1000)
        finally:
            self.up(key)

    async def press_teller(self, key: int, hold_ms: int = PRESS_MS) -> None:
        """Press the teller's key 1..5 and let it go."""
        bit = 1 << (link.KEYS + checked_key(key) - 1)
        self._keys |= bit
        self._moved.set()
        try:
            await asyncio.sleep(hold_ms / 1000)
        finally:
            self._keys &= ~bit
            self._moved.set()

    def digits(self) -> str:
        """The teller's four characters now; empty without that role."""
        return self._core.digits.decode()

    def leds(self) -> Leds:
        """The five lamps now, key 1 first."""
        return tuple(bool(self._core.leds & 1 << key) for key in range(link.KEYS))

    def _boot(self) -> None:
        if self._core.updates is not None:
            self._core.updates.take(link.ABANDON, b"", False)  # its open file goes with the power
        if self._root:
            board = slots.Slots(self._root, sys.platform)
            while board.boot() and self._version() in self._bad_versions:
                pass  # its watchdog, or its own supervisor, starts it again
        self._core = self._made(self._boot_ids())
        self._core.store.load(self._flash, self._ticks())
        self._start_line()
        self._moved.set()

    def _made(self, boot_id: int) -> pad.Pad:
        folder = f"{self._root}/state" if self._root else ""
        hello = link.Hello(
            bytes.fromhex(self.unique_id), self._version(), self.interpreter, self._roles
        )
        hello.firmware_hash = boot.firmware_hash(folder)
        core = pad.Pad(boot_id, hello, self._ticks(), self._key, self._random)
        core.updates = boot.updates(folder)
        self._trial = boot.Trial(folder, pad.ticks_diff)
        core.slot_flags = self._trial.flags
        return core

    def _version(self) -> str:
        """Of the slot that runs."""
        if not self._root:
            return VERSION
        state = slots.Slots(self._root, sys.platform).state()
        manifest = Path(self._root) / (state.trying or state.active) / slots.MANIFEST
        return str(json.loads(manifest.read_bytes())["version"])

    def _start_line(self) -> None:
        self._decoder = link.Decoder()

    def _hear(self, data: bytes) -> None:
        for result in self._decoder.feed(data):
            if not isinstance(result, link.Wrong):
                self._core.received(result, self._ticks())
        self._core.bad_frames = self._decoder.bad

    def _ticks(self) -> int:
        return self._now_ms() & pad.TICKS_MASK

    async def _read(self) -> None:
        while True:
            try:
                data = await self._link.read()
            except LinkLost:
                await self._link.close()
                await self._link.open()
                continue
            self._hear(data)
            self._moved.set()

    async def _speak(self, buffer: bytearray) -> None:
        while size := self._core.due(buffer, self._ticks()):
            await self._write(bytes(buffer[:size]))

    async def _write(self, data: bytes) -> None:
        # A host that does not read costs a frame, not the keys.
        with contextlib.suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(BLOCKED_S):
                await self._link.write(data)

    def _rest_ms(self) -> int:
        return max(self._core.rest_ms(self._ticks()), 1)

    async def _turn(self) -> None:
        buffer = bytearray(MAX_ANSWER)
        while True:
            self._moved.clear()
            self._core.sample(self._keys, self._ticks())
            await self._speak(buffer)
            if self._core.switched:
                self._boot()
                continue
            if self._trial.turn(self._ticks(), self._core.greeting == pad.GREETED):
                self._core.slot_flags = self._trial.flags
            store = self._core.store
            rest_ms = self._rest_ms()
            save_in_ms = store.save_in_ms(self._ticks(), rest_ms)
            if save_in_ms <= 0:
                self._flash = store.image(self._ticks())
                store.saved()
                continue
            rest_s = min(rest_ms, save_in_ms) / 1000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):  # wait_for may swallow a cancel
                    await self._moved.wait()
