"""Boards for the technician's tool: a pad's board under a real MicroPython, and a UF2 drive.

    ReplPad    a board on a pty, its flash a file that outlives it: at its prompt while it has no
               firmware, else running it, as a chip does
    Uf2Drive   the folder that a board in its ROM's drive mode shows; it takes one good file

A reset takes the port away for ``away_s`` and brings another one back under the same name, as USB
does. Not modelled: the watchdog, the line's speed.
"""

import os
import pty
import subprocess
import threading
import tty
from collections.abc import Callable, Iterable
from pathlib import Path

from firmware.flash.errors import FlashError
from firmware.flash.uf2 import read_uf2
from hal.sim.micropython import micropython_path
from hal.sim.pad_bench import PadBench

BOARD = Path(__file__).with_name("repl_board.py")
BLOCKS = 96
NEVER = -1
STOP_S = 5.0
AWAY_S = 0.2
RESET = 3
"""Exit status of repl_board.py after a reset; any other is an unplugged board."""


class ReplPad:
    """A board on a pty; the tool opens ``port``. ``die_after`` received bytes unplug it.

    ``bench`` has its keys and lamps while its firmware runs; ``resets`` counts.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        unique_id: str = "",
        die_after: int = NEVER,
        away_s: float = AWAY_S,
    ) -> None:
        self.name = name
        self.unique_id = unique_id or name.encode()[-8:].hex()
        self.port = folder / name
        self.flash = folder / f".{name}.flash"
        self.die_after = die_after
        self.away_s = away_s
        self.resets = 0
        self._keys = folder / f".{name}.keys"
        self._leds = folder / f".{name}.leds"
        self._left = folder / f".{name}.left"
        self.bench = PadBench(self._keys, self._leds)
        self._held: tuple[int, ...] = ()
        self._unplugged = threading.Event()
        self._unplugged.set()
        self._watcher: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: tuple[int, ...] = ()

    def start(self, holding: Iterable[int] = ()) -> None:
        """Plug it in, these keys (1 to 5) held until ``let_go``."""
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * (4096 * BLOCKS))
        if not self._keys.exists():
            os.mkfifo(self._keys)
        self._held = tuple(holding)
        self._unplugged.clear()
        self._power()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Unplug it; harmless twice."""
        self._unplugged.set()
        process = self._process
        if process is not None:
            process.kill()
        if self._watcher is not None:
            self._watcher.join(STOP_S)
            self._watcher = None

    def let_go(self) -> None:
        """Take the fingers off that were on the keys when it was plugged in."""
        self._held = ()

    def replug(self, holding: Iterable[int] = ()) -> None:
        """Unplug it and plug it in again, these keys held."""
        self.stop()
        self.start(holding)

    def _power(self) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        # The slave stays open until the tool is there: a pty without one hangs up at once.
        self._ends = (slave,)
        held = sum(1 << (key - 1) for key in self._held)
        arguments = [self.flash, self.unique_id, self.die_after, BLOCKS, held, self._left]
        self._process = subprocess.Popen(
            [micropython_path(), BOARD, *map(str, arguments)],
            stdin=master,
            stdout=master,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {
                "MICROPYPATH": ".frozen",
                "LOBBY_PAD_STATE": "/state",
                "LOBBY_PAD_UID": self.unique_id,
                "LOBBY_PAD_KEYS": f"/host{self._keys}",
                "LOBBY_PAD_LEDS": f"/host{self._leds}",
            },
            start_new_session=True,
        )
        os.close(master)
        fresh = self.port.with_name(f".{self.name}.port")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.port)

    def _watch(self) -> None:
        """Start it again after each reset, until it is unplugged."""
        while True:
            assert self._process is not None
            status = self._process.wait()
            self.port.unlink(missing_ok=True)
            for end in self._ends:
                os.close(end)
            if status != RESET or self._unplugged.wait(self.away_s):
                return
            self.resets += 1
            self.die_after = int(self._left.read_text())
            self._power()


class Uf2Drive:
    """A folder with INFO_UF2.TXT that watches for a UF2 file, as a Pico in its drive mode.

    A good file makes the drive vanish; ``taken`` is then its bytes, and ``restart`` is called, as
    the board comes back with what it took. A bad one is ignored, as by the ROM.
    """

    def __init__(
        self,
        folder: Path,
        *,
        board_id: str = "RPI-RP2",
        restart: Callable[[], object] = lambda: None,
    ) -> None:
        self.folder = folder
        self.taken = b""
        self._restart = restart
        self._ended = threading.Event()
        folder.mkdir(parents=True)
        (folder / "INFO_UF2.TXT").write_text(
            f"UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: {board_id}\n",
            encoding="ascii",
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End the watching."""
        self._ended.set()
        self._watcher.join(STOP_S)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for path in self.folder.glob("*.uf2"):
                try:
                    self.taken = read_uf2(path).data
                except (FlashError, OSError):
                    continue  # not whole yet, or never
                for file in list(self.folder.iterdir()):
                    file.unlink(missing_ok=True)
                self.folder.rmdir()
                self._restart()
                return
