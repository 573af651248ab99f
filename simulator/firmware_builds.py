"""Versions of the pad's firmware that differ as real ones do, for proofs and tests."""

import shutil
from pathlib import Path

import firmware
from firmware.flash.bundle import Bundle, build
from firmware.flash.keys import PUBLIC_SUFFIX, make_signing_key

KEY_NAME = "signing.key"


def signing_key(folder: Path) -> Path:
    """The private key of a folder's builds, made at the first call."""
    key = folder / KEY_NAME
    if not key.exists():
        make_signing_key(key)
    return key


def public_key(folder: Path) -> Path:
    """The public half of it."""
    key = signing_key(folder)
    return key.with_name(key.name + PUBLIC_SUFFIX)


def build_firmware(
    folder: Path,
    version: str,
    *,
    chip: str = "linux",
    floor: str | None = None,
    name: str = "",
    start: str = "",
) -> Bundle:
    """Today's firmware as another version, in ``folder``/fw-``name``. ``start`` is code that its
    program runs first, such as one that ends it.
    """
    name = name or version
    source = folder / f"source-{name}"
    shutil.copytree(Path(firmware.__file__).parent / "pad", source / "pad")
    (source / "__init__.py").touch()
    (source / "pad" / "__init__.py").write_text(f'VERSION = "{version}"\n', encoding="utf-8")
    with (source / "pad" / "pad.py").open("a", encoding="utf-8") as file:
        file.write(f'\nBUILT_AS = "{name}"\n')
    with (source / "pad" / "main.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{start}\n")
    bundle, _, _ = build(
        folder / f"fw-{name}",
        chip=chip,
        signing_key=signing_key(folder),
        version=version,
        floor=floor,
        source=source,
    )
    return bundle
