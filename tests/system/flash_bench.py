"""What the tests of the technician's tool share: ports, keys, bundles, boards, the tool itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from firmware.flash.bundle import Bundle, build
from firmware.flash.keys import make_signing_key
from firmware.flash.registry import Registry
from firmware.flash.work import Place, Workshop
from hal.sim.repl_pad import ReplPad

ROOT = Path(__file__).parents[2]


class Bench:
    """A folder with ports, keys, two bundles and a technician's data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = folder / "ports"
        self.ports.mkdir()
        self.data = folder / "data"
        self.key = folder / "signing.key"
        self.trust = make_signing_key(self.key)
        self.boards: list[ReplPad] = []

    def bundle(self, version: str = "0.1.0", edit: tuple[str, str, str] = ("", "", ""), **options):
        """A signed bundle; ``edit`` is a file of firmware/pad, a text in it, and another."""
        source = self.folder / f"source-{version}"
        if not source.exists():
            shutil.copytree(ROOT / "firmware/pad", source / "pad")
            (source / "__init__.py").touch()
            (source / "pad/__init__.py").write_text(f'VERSION = "{version}"\n')
            boot = source / "pad/boot.py"  # a trial of ten seconds is long for a test
            boot.write_text(boot.read_text().replace("CONFIRM_MS = 10_000", "CONFIRM_MS = 100"))
            if edit[0]:
                text = (source / "pad" / edit[0]).read_text()
                assert edit[1] in text
                (source / "pad" / edit[0]).write_text(text.replace(edit[1], edit[2], 1))
        out = self.folder / f"fw-{version}-{len(list(self.folder.glob('fw-*')))}"
        chosen = {"chip": "linux", "floor": "0.1.0"} | options
        return build(out, signing_key=self.key, source=source, **chosen)[0]

    def board(self, name: str, **options) -> ReplPad:
        board = ReplPad(self.ports, name, **options)
        board.start()
        self.boards.append(board)
        return board

    def code(self, counter: int = 0) -> str:
        return Registry(self.data / "registry.db").new_code(counter, 600)

    @property
    def shop(self) -> Workshop:
        return Workshop(self.data, "m012")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"LOBBY_FLASH_DATA": str(self.data), "LOBBY_OPERATOR": "m012"}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "lobby", "flash", *map(str, arguments)]

    def lobby(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=50,
            stdin=subprocess.DEVNULL, env=self.environment | more,
        )  # fmt: skip

    def told(self, bundle: Bundle) -> list[object]:
        return ["--bundle", bundle.path, "--trust", self.trust, "--ports", self.ports]

    def ready(self, name: str, counter: int, bundle: Bundle, **options) -> ReplPad:
        """A board that was flashed and provisioned, and runs."""
        place = Place(counter, options.pop("role", "rating"), self.code(counter))
        board = self.board(name, **options)
        self.shop.flash(board.port, bundle, place, silent)
        return board


def silent(step: str, done: int, size: int) -> None:
    """No progress shown."""
