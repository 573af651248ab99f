"""What the branch wants of this kiosk: taken whole or not at all, kept on disk, never older.

Below ``data_dir``: ``desired.json`` is the last good message without its firmware, and
``firmware/<hash>/`` each bundle that it names, in the form of the flash tool, so that a pad can be
updated, and a reformatted one restored, while the branch is away. Both are written aside and
renamed; the message last.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from kiosk.config import UpdatesConfig
from kiosk.errors import KioskError
from sync.configuration import (
    Configuration,
    DesiredConfig,
    FirmwareBundle,
    WantedFirmware,
    read_configuration,
    signed_bytes,
)
from sync.errors import BadMessage
from sync.messages import decode, encode

if TYPE_CHECKING:
    from firmware.flash.bundle import Bundle

DESIRED_FILE = "desired.json"
FIRMWARE_FOLDER = "firmware"

log = structlog.get_logger()


class Refusal(KioskError):
    """A configuration that this kiosk does not take; the text is what staff read at the branch."""


@dataclass(frozen=True)
class Desired:
    """A configuration that is in force: its text, and a bundle for each chip that it names."""

    configuration: Configuration
    text: str
    bundles: "Mapping[str, Bundle]" = field(default_factory=dict)


class DesiredKeeper:
    """The last good configuration. ``chips`` are those of this kiosk's pads."""

    def __init__(
        self,
        data_dir: Path,
        node: str,
        settings: UpdatesConfig | None,
        chips: frozenset[str] = frozenset(),
    ) -> None:
        self._data_dir = data_dir
        self._node = node
        self._settings = settings
        self._chips = chips
        self.now: Desired | None = None

    @property
    def version(self) -> int:
        """Of the configuration that is in force, 0: none."""
        return self.now.configuration.version if self.now else 0

    @property
    def cards(self) -> dict[str, str] | None:
        """The branch's table of cards, None if it has pushed none."""
        cards = self.now.configuration.cards if self.now else msgspec.UNSET
        return None if cards is msgspec.UNSET else cards

    def load(self) -> None:
        """Read back what was kept; what is damaged counts as none and is fetched again."""
        path = self._data_dir / DESIRED_FILE
        try:
            message = decode(path.read_bytes(), DesiredConfig)
            configuration = self._verified(message)
            self.now = self._desired(configuration, message.config)
        except FileNotFoundError:
            return
        except (OSError, BadMessage, KioskError) as error:
            log.error("config.not_kept", file=str(path), error=str(error))

    def take(self, message: DesiredConfig) -> bool:
        """Put a configuration into force and on disk; False if it is in force already.

        Raises Refusal; what was in force stays.
        """
        if self.now is not None and message.config == self.now.text:
            return False
        configuration = self._verified(message)
        self._check_place(configuration)
        try:
            for wanted in configuration.firmware:
                self._keep(wanted, message.bundles)
            desired = self._desired(configuration, message.config)
            self._check_age(desired)
            kept = msgspec.structs.replace(message, bundles=[])
            write_durably(self._data_dir / DESIRED_FILE, encode(kept))
        except OSError as error:
            raise Refusal(f"it cannot be kept on this kiosk's disk: {error}") from error
        self.now = desired
        self._tidy(desired)
        return True

    # --- checks -----------------------------------------------------------------------------

    def _verified(self, message: DesiredConfig) -> Configuration:
        from firmware.flash.errors import FlashError
        from firmware.flash.keys import verify

        if self._settings is None:
            raise Refusal("this kiosk takes none: kiosk.toml has no [updates]")
        signed = signed_bytes(message.config)
        try:
            verify(Path(self._settings.config_key), signed, message.signature, "the configuration")
        except FlashError as error:
            raise Refusal(error.what) from error
        try:
            return read_configuration(message.config)
        except BadMessage as error:
            raise Refusal(str(error)) from error

    def _check_place(self, configuration: Configuration) -> None:
        version = configuration.version
        if configuration.node != self._node:
            raise Refusal(f"it is for {configuration.node}, this is {self._node}")
        if version < self.version:
            raise Refusal(f"configuration {version} is older than {self.version}, which is here")
        if version == self.version:
            raise Refusal(f"another configuration {version} is here already")
        chips = {wanted.chip for wanted in configuration.firmware}
        if chips and not chips & self._chips:
            here = ", ".join(sorted(self._chips)) or "not there"
            raise Refusal(f"firmware for {', '.join(sorted(chips))}; the pads here are {here}")

    def _check_age(self, desired: Desired) -> None:
        from firmware.pad.slots import version_of

        for chip, bundle in desired.bundles.items():
            before = self.now.bundles.get(chip) if self.now else None
            if before is not None and version_of(bundle.version) < version_of(before.version):
                raise Refusal(
                    f"firmware {bundle.version} is older than {before.version}, which was wanted"
                    " before; build it anew under a higher version"
                )

    # --- firmware on disk -------------------------------------------------------------------

    def _folder(self, wanted: WantedFirmware) -> Path:
        return self._data_dir / FIRMWARE_FOLDER / wanted.hash

    def _read(self, folder: Path, wanted: WantedFirmware) -> "Bundle":
        """A bundle of ours, checked to its last byte. Raises Refusal."""
        from firmware.flash.bundle import read_bundle
        from firmware.flash.errors import FlashError

        assert self._settings is not None
        if not self._settings.firmware_key:
            raise Refusal("firmware needs updates.firmware_key in kiosk.toml")
        try:
            bundle = read_bundle(folder, Path(self._settings.firmware_key))
        except (FlashError, ValueError, KeyError, TypeError) as error:
            raise Refusal(f"firmware {wanted.version}: {error}") from error
        if (bundle.chip, bundle.version) != (wanted.chip, wanted.version):
            raise Refusal(
                f"firmware {bundle.version} for {bundle.chip} came as {wanted.version} for"
                f" {wanted.chip}"
            )
        return bundle

    def _desired(self, configuration: Configuration, text: str) -> Desired:
        bundles = {
            wanted.chip: self._read(self._folder(wanted), wanted)
            for wanted in configuration.firmware
        }
        return Desired(configuration, text, bundles)

    def _keep(self, wanted: WantedFirmware, sent: list[FirmwareBundle]) -> None:
        """Write a bundle that is not here yet. Raises Refusal, OSError."""
        from firmware.flash.bundle import SIGNATURE
        from firmware.pad.slots import MANIFEST

        folder = self._folder(wanted)
        if folder.exists():
            try:
                self._read(folder, wanted)
            except Refusal:
                shutil.rmtree(folder)
            else:
                return
        found = next((bundle for bundle in sent if bundle.sha256 == wanted.manifest), None)
        if found is None:
            raise Refusal(f"firmware {wanted.version} for {wanted.chip} did not come along")
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        write_durably(fresh / MANIFEST, found.manifest)
        write_durably(fresh / SIGNATURE, found.signature)
        for name, data in found.files.items():
            if name in _names(found.manifest):
                write_durably(fresh / name, data)
        self._read(fresh, wanted)
        fresh.rename(folder)
        _sync(folder.parent)

    def _tidy(self, desired: Desired) -> None:
        """Throw away firmware that nothing names any more."""
        wanted = {one.hash for one in desired.configuration.firmware}
        for folder in (self._data_dir / FIRMWARE_FOLDER).glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)


def _names(manifest: bytes) -> set[str]:
    """The files that a manifest names, by their path in the bundle's folder."""
    table = json.loads(manifest)
    names = {
        f"{folder}/{row['file']}"
        for folder, rows in (("slot", table["files"]), ("root", table["root"]))
        for row in rows
    }
    return {name for name in names if ".." not in name.split("/")}


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file whole, durably. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".part")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
