"""Slots on a bench: small firmware of any version, and a folder as a provisioned pad's flash."""

import hashlib
import json
import sys
from pathlib import Path

from firmware.flash.bundle import SIGNATURE
from firmware.flash.keys import sign
from firmware.pad import slots

KEY = bytes(range(32))
CHIP = sys.platform


def files_of(version: str) -> dict[str, bytes]:
    """Three files; one of them is the same in every version."""
    return {
        "firmware/pad/core.mpy": f"core of {version};".encode() * 400,
        "firmware/pad/empty.mpy": b"",
        "firmware/pad/same.mpy": b"as ever;" * 300,
    }


def manifest_of(
    version: str, files: dict[str, bytes], *, chip: str = CHIP, floor: str = "1.0.0"
) -> bytes:
    """The manifest of these files."""
    rows = [
        {"file": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    table = {"version": version, "floor": floor, "chip": chip, "files": rows, "root": []}
    return json.dumps(table, separators=(",", ":")).encode()


def install(root: Path, version: str, key: bytes = KEY) -> bytes:
    """Make ``root`` the flash of a pad that runs ``version``; the manifest."""
    pad = slots.Slots(str(root), CHIP)
    slots.make_folders(pad.key_path)
    slots.write_atomic(pad.key_path, key)
    files = files_of(version)
    manifest = manifest_of(version, files)
    update = slots.Update(pad)
    for name in update.begin(manifest, slots.hmac_sha256(key, manifest)):
        update.write(name, 0, files[name])
        update.close(name)
    update.finish()
    pad.boot()
    pad.confirm()
    return manifest


def hash_of(manifest: bytes) -> str:
    """As a pad says it."""
    return hashlib.sha256(manifest).hexdigest()[:16]


def bundle(folder: Path, version: str, signing_key: Path, **options: str) -> Path:
    """A signed bundle of this small firmware, as `lobby flash build` writes one."""
    files = files_of(version)
    manifest = manifest_of(version, files, **options)
    for name, data in files.items():
        path = folder / "slot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / slots.MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_bytes(sign(signing_key, manifest))
    return folder
