"""What is decided once at power-up: which slot, and whether the pad program starts at all.

This file lies on a board as ``/boot.py`` too, beside ``/lib/slots.mpy``; there it puts the folder
of the slot that starts first on the path, so that ``/main.py`` finds its program.

Safe mode: two keys held while the pad gets power leave the program out, so that the board's own
prompt answers on USB (a technician's way in, since the running program takes Ctrl-C for data).
Maintenance: the file ``/state/maintenance`` does the same, once; a signed command makes it.
"""

import sys

TYPE_CHECKING = False  # MicroPython has no typing module; a type checker takes this as true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONFIRM_MS = 10_000
"""How long new firmware has to run well before it stays: line, keys and talk all checked in."""
SAFE_MODE_KEYS = 2
MAINTENANCE = "/state/maintenance"
TICKS_MASK = (1 << 30) - 1
"""As in firmware.pad.ticks: as /boot.py this file lies outside the package."""


def safe_mode(keys_down: int) -> bool:
    """Whether the mask of keys held at power-up asks for safe mode."""
    held = 0
    while keys_down:
        held += keys_down & 1
        keys_down >>= 1
    return held >= SAFE_MODE_KEYS


def _slots_of(state_folder: str) -> "Any":
    """The slots of the pad whose state is kept there, None for one without a slot."""
    # Not at the top: as /boot.py this file lies outside the package.
    from firmware.pad import slots

    if not state_folder or not slots.is_there(state_folder + "/slot.json"):
        return None
    return slots.Slots(state_folder[: state_folder.rfind("/")], sys.platform)


def firmware_hash(state_folder: str) -> bytes:
    """First 8 bytes of SHA-256 of the running manifest; zeros where there are no slots."""
    pad = _slots_of(state_folder)
    return bytes(pad.running_hash()) if pad else bytes(8)


def updates(state_folder: str) -> "Any":
    """What takes new firmware over the line; None for a pad without slots."""
    from firmware.pad.updating import Updating

    pad = _slots_of(state_folder)
    return Updating(pad) if pad else None


class Trial:
    """Confirms firmware that is on trial, once it has run well for CONFIRM_MS.

    Where there is a version to go back to, it must have been greeted by its host too: firmware
    that cannot talk could never be replaced over the line.
    """

    def __init__(self, state_folder: str, ticks_diff: "Callable[[int, int], int]") -> None:
        pad = _slots_of(state_folder)
        state = pad.state() if pad else None
        self._pad = pad if state and state.trying else None
        self._alone = not state or not state.active or state.active == state.trying
        self._went_back = bool(state and state.failed)
        self._met = False
        self._diff = ticks_diff
        self._began = -1

    @property
    def pending(self) -> bool:
        """Whether the firmware has still to confirm itself."""
        return self._pad is not None

    @property
    def flags(self) -> int:
        """For PING: link.FLAG_ON_TRIAL, link.FLAG_WENT_BACK."""
        from firmware.pad import link  # not at the top, as above

        on_trial = link.FLAG_ON_TRIAL if self._pad else 0
        return on_trial | (link.FLAG_WENT_BACK if self._went_back else 0)

    def turn(self, now_ms: int, greeted: bool = True) -> bool:
        """Call when all parts work and the line is idle: confirming writes to flash.

        True when it was confirmed by this call.
        """
        if not self._pad:
            return False
        self._met = self._met or greeted
        if self._began < 0:
            self._began = now_ms
        if self._diff(now_ms, self._began) < CONFIRM_MS:
            return False
        if not self._met and not self._alone:
            # As good as that, and before the ticks wrap: the greeting alone is missing.
            self._began = (now_ms - CONFIRM_MS) & TICKS_MASK
            return False
        self._pad.confirm()
        self._pad = None
        self._went_back = False
        return True


def power_up(root: str, chip: str) -> str:
    """Choose a slot and put its folder first on the path; "" when the prompt is to stay."""
    # On a board the module lies apart from both slots: none of them judges itself.
    slots = __import__("slots")
    if slots.is_there(root + MAINTENANCE):
        slots.remove(root + MAINTENANCE)
        return ""
    slot: str = slots.Slots(root, chip).boot()
    if slot:
        sys.path.insert(0, root + "/" + slot)
    return slot


if __name__ == "__main__":
    slot = power_up("", sys.platform)
