"""A pad that lost its flash: recognised at its prompt, told to staff, put back where allowed.

A board whose file system does not mount formats it and stands at MicroPython's prompt, without
firmware, key and configuration. To the driver such a pad is silent; so, for a pad that
kiosk.toml names by ``unique_id``, the port of a silent one is asked for a prompt now and then.
With ``restore = true`` the pad gets a fresh key, its configuration and the last good firmware from
this kiosk; the key is kept here before the pad has it, so a cut at any time is begun anew.

What is needed lies in ``data_dir``: the firmware that the branch wanted last, and for each pad
``pads/<unique id>.json`` with its counter and role, as it said them while it was well.
"""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from hal.api import Health, HealthState, RatingPad
from hal.errors import HalError
from hal.link import parse_address
from kiosk.config import KioskConfig, PadConfig
from kiosk.desired import DesiredKeeper, write_durably
from kiosk.pad_keys import FOLDER, KEY_SIZE

if TYPE_CHECKING:
    from firmware.flash.bundle import Bundle
    from firmware.flash.repl import RawRepl

LOOK_S = 2.0
SILENT_S = 10.0
"""A pad that restarts is back by then."""
AGAIN_S = 60.0
"""Pause before the port of a pad that stays silent is asked again."""
REOPEN_S = 2.0

ROLES = {1: "rating", 2: "caller", 3: "both"}

LOST_ROLES = "lost_roles"
"""The pad says fewer roles than it had: it works, but not as it should."""

log = structlog.get_logger()


class Met(StrEnum):
    """What stood at the port; all but NOTHING and RESTORED are details of a health row."""

    NOTHING = ""
    BLANK = "blank"
    NO_FIRMWARE_HERE = "blank_no_firmware_here"
    AT_PROMPT = "at_prompt"
    OTHER_PAD = "other_pad"
    NOT_RESTORED = "not_restored"
    RESTORED = "restored"


WHAT_TO_DO = {
    Met.BLANK: "the pad lost its flash; set restore = true under its [[pads]], or flash it",
    Met.NO_FIRMWARE_HERE: "the pad lost its flash and the branch wants no firmware for its chip;"
    " name a bundle under [updates] of branch.toml, or flash the pad",
    Met.AT_PROMPT: "the pad is in safe mode or maintenance; plug it in again",
    Met.OTHER_PAD: "another board stands at this port; see unique_id under [[pads]]",
    Met.NOT_RESTORED: "it is tried again; if it stays so, flash the pad or swap it",
}


class PadRestorer:
    """``device`` notes the health of a device; ``now_s`` measures time."""

    def __init__(
        self,
        config: KioskConfig,
        pads: Mapping[int, RatingPad],
        keeper: DesiredKeeper,
        *,
        now_s: Callable[[], float],
        device: Callable[[str, str, Health], None],
    ) -> None:
        self._folder = Path(config.data_dir) / FOLDER
        self._configs = {
            pad.counter: pad
            for pad in config.pads
            if pad.unique_id
            and "rating" in pad.roles
            and parse_address(pad.address).scheme == "serial"
        }
        self._pads = {counter: pads[counter] for counter in self._configs if counter in pads}
        self._keeper = keeper
        self._now_s = now_s
        self._device = device
        self._silent_since: dict[int, float] = {}
        self._again_at: dict[int, float] = {}
        self._said: dict[int, Met] = {}
        self._lost_roles: set[int] = set()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look after the pads that kiosk.toml names."""
        if self._pads:
            self._looking = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Stop; a pad that is being written is begun anew after the next start."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def health_of(self, counter: int, health: Health) -> Health:
        """What the row of a pad says: more than "silent" where more is known."""
        said = self._said.get(counter)
        if said is not None and health.state in (HealthState.UNKNOWN, HealthState.LOST):
            return Health(HealthState.FAULT, said.value)
        self._said.pop(counter, None)
        if counter in self._lost_roles and health.state is HealthState.OK:
            return Health(HealthState.WARNING, LOST_ROLES, health.counters)
        return health

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for counter, pad in self._pads.items():
                try:
                    await self._look(counter, pad)
                except Exception:
                    log.exception("pad.not_looked_after", counter=counter)

    async def _look(self, counter: int, pad: RatingPad) -> None:
        now_s = self._now_s()
        self._remember(counter, pad)
        health = pad.health
        if (health.state, health.detail) != (HealthState.LOST, "silent"):
            self._silent_since.pop(counter, None)
            return
        since = self._silent_since.setdefault(counter, now_s)
        if now_s - since < SILENT_S or now_s < self._again_at.get(counter, 0.0):
            return
        await pad.close()
        try:
            met = await asyncio.to_thread(self._met, self._configs[counter])
        except Exception:
            log.exception("pad.not_restored", counter=counter)
            met = Met.NOT_RESTORED
        self._again_at[counter] = self._now_s() + AGAIN_S
        await self._reopened(pad)
        if met is Met.NOTHING:
            self._said.pop(counter, None)
            return
        if met is Met.RESTORED:
            self._said.pop(counter, None)
            self._device(f"pad-{counter}", "pad", Health(HealthState.WARNING, met.value))
            return
        if self._said.get(counter) is not met:
            log.error("pad.at_its_prompt", counter=counter, found=met.value, hint=WHAT_TO_DO[met])
        self._said[counter] = met
        self._device(f"pad-{counter}", "pad", Health(HealthState.FAULT, met.value))

    async def _reopened(self, pad: RatingPad) -> None:
        """Give the port back to the driver; it may be away for a second after a restart."""
        while True:
            with contextlib.suppress(HalError):
                await pad.open()
                return
            await asyncio.sleep(REOPEN_S)

    # --- what a pad is ----------------------------------------------------------------------

    def _place_path(self, counter: int) -> Path:
        return self._folder / f"{self._configs[counter].unique_id}.json"

    def _remember(self, counter: int, pad: RatingPad) -> None:
        """Keep counter and role of a pad that is well, if they are news."""
        identity = pad.identity
        if identity is None or identity.unique_id != self._configs[counter].unique_id:
            return
        place = {"counter": counter, "role": ROLES.get(identity.roles, ROLES[1])}
        kept = self._place(counter)
        if _fewer(place["role"], kept.get("role")):
            # Without its config.json a pad takes itself for a rating pad.
            if counter not in self._lost_roles:
                self._lost_roles.add(counter)
                log.error("pad.lost_roles", counter=counter, pad=identity.unique_id)
                self._device(f"pad-{counter}", "pad", self.health_of(counter, pad.health))
            return
        self._lost_roles.discard(counter)
        if place != kept:
            try:
                write_durably(self._place_path(counter), json.dumps(place).encode())
            except OSError as error:
                log.error("pad.place_not_kept", counter=counter, error=str(error))

    def _place(self, counter: int) -> dict[str, object]:
        try:
            table = json.loads(self._place_path(counter).read_bytes())
        except (OSError, ValueError):
            return {}
        return table if isinstance(table, dict) else {}

    # --- in a thread ------------------------------------------------------------------------

    def _met(self, config: PadConfig) -> Met:
        """Ask the port for a prompt, and put the pad back if it may be."""
        from firmware.flash.errors import FlashError, NoPad
        from firmware.flash.keys import REVOKED_SUFFIX
        from firmware.flash.pads import look
        from firmware.flash.repl import RawRepl

        port = Path(parse_address(config.address).target)
        try:
            with RawRepl(port) as repl:
                found = look(repl)
                if found.unique_id != config.unique_id:
                    return Met.OTHER_PAD
                if found.state == "on trial" and config.restore:
                    repl.reset()  # a restore that was cut before its last step
                    return Met.RESTORED
                if found.state in ("ready", "on trial"):
                    return Met.AT_PROMPT
                revoked = (self._folder / f"{config.unique_id}{REVOKED_SUFFIX}").exists()
                if revoked or not config.restore:
                    return Met.BLANK
                desired = self._keeper.now
                bundle = desired.bundles.get(config.chip) if desired else None
                if bundle is None:
                    return Met.NO_FIRMWARE_HERE
                log.warning("pad.restoring", counter=config.counter, pad=config.unique_id)
                self._put_back(repl, config, bundle)
        except NoPad:
            return Met.NOTHING
        except (FlashError, OSError) as error:
            log.error("pad.not_restored", counter=config.counter, error=str(error))
            return Met.NOT_RESTORED
        log.warning(
            "pad.restored", counter=config.counter, pad=config.unique_id, version=bundle.version
        )
        return Met.RESTORED

    def _put_back(self, repl: "RawRepl", config: PadConfig, bundle: "Bundle") -> None:
        """Key, configuration, firmware, restart. Raises FlashError, OSError."""
        from firmware.flash.pads import flash, provision

        key = secrets.token_bytes(KEY_SIZE)
        _write_secret(self._folder / f"{config.unique_id}.key", key)
        role = str(self._place(config.counter).get("role", ROLES[1]))
        provision(repl, key, config.counter, role)
        flash(repl, bundle, key, lambda *_: None)
        repl.reset()


def _fewer(role: object, before: object) -> bool:
    """Whether a pad that had the role ``before`` lost one: it says that it is a rating pad."""
    return role == ROLES[1] and before in (ROLES[2], ROLES[3])


def _write_secret(path: Path, key: bytes) -> None:
    """Replace a pad's key, durably, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".part")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    write_durably(path, key)
