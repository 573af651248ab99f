"""A board without MicroPython: a Pico's drive takes a UF2 file, an ESP32-C3 takes an image.

Both end with the board at its port again, so that flashing goes on in the same command.
"""

from dataclasses import dataclass
from pathlib import Path

from firmware.flash.errors import BadUse
from firmware.flash.esp import EspImage, read_image, write_command, write_image
from firmware.flash.meeting import RETURN_S, wait_for_pad
from firmware.flash.ports import find_ports, wait_for_new_port
from firmware.flash.uf2 import HOLD, Uf2, check_drive, copy_to_drive, find_drives, read_uf2
from firmware.flash.work import Workshop


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Which MicroPython a blank board gets: a checked UF2 file for ``drive``, or a checked image.

    ``drive`` None: the one that is mounted.
    """

    file: Path
    uf2: Uf2 | None
    image: EspImage | None
    chip: str
    drive: Path | None
    erase: bool

    @property
    def sha256(self) -> str:
        """Of the file, hex."""
        checked = self.uf2 or self.image
        return checked.sha256 if checked else ""


def read_interpreter(
    uf2: Path | None,
    image: Path | None,
    chip: str,
    sha256: str | None,
    drive: Path | None,
    erase: bool,
) -> Interpreter | None:
    """What the options name; None: nothing. Raises BadUse, NotTrusted."""
    if uf2 is not None and image is not None:
        raise BadUse("--uf2 and --image", "a Pico takes the one, an ESP32-C3 the other")
    if uf2 is not None:
        return Interpreter(uf2, read_uf2(uf2, sha256), None, "rp2040", drive, erase)
    if image is not None:
        checked = read_image(image, chip, sha256)
        return Interpreter(image, None, checked, chip, None, erase)
    if drive is not None or sha256 is not None:
        raise BadUse("--drive or --sha256 without a file", "add --uf2 FILE or --image FILE")
    return None


def install(
    shop: Workshop, wanted: Interpreter, port: Path | None, ports: Path, dry_run: bool
) -> tuple[Path | None, list[str]]:
    """Bring MicroPython onto a board and wait for its port; the port, and what was done.

    A Pico that is not in drive mode and answers at ``port`` is left as it is. Raises FlashError.
    """
    name = f"{wanted.file.name} (sha256 {wanted.sha256[:16]})"
    if wanted.image is not None:
        if port is None:
            raise BadUse("--image without PORT", "name the board's port, see `lobby flash list`")
        command = write_command(port, wanted.image, wanted.chip, wanted.erase)
        if dry_run:
            return port, [f"run {' '.join(command)}"]
        with shop.lock(port):
            write_image(port, wanted.image, wanted.chip, wanted.erase)
            wait_for_pad(port, shop.keys.get)
        done = f"{name} written by esptool"
    else:
        drive = wanted.drive or _only_drive()
        if drive is None:
            if port is None or not port.exists():
                raise BadUse("no board in drive mode", HOLD)
            return port, [f"{name} not needed: {port.name} has a board that is not in drive mode"]
        check_drive(drive)
        if dry_run:
            return port, [f"copy {name} to {drive}, wait for its port"]
        before = set(find_ports(ports))
        assert wanted.uf2 is not None
        took_s = copy_to_drive(wanted.uf2, drive)
        if port is None:
            port = wait_for_new_port(ports, before, RETURN_S)
        wait_for_pad(port, shop.keys.get)
        done = f"{name} taken in {took_s:.1f} s"
    shop.note("micropython", port, "", f"{wanted.file.name} {wanted.sha256}")
    return port, [done]


def _only_drive() -> Path | None:
    drives = find_drives()
    if len(drives) > 1:
        raise BadUse(
            f"several boards in drive mode: {', '.join(map(str, drives))}",
            "name one by --drive DIR, or unplug the others",
        )
    return drives[0] if drives else None
