"""The kiosk's pads brought to the firmware that the branch wants, a few at a time.

The decisions are in kiosk.rollout; here they are carried out, kept on disk and told: to the branch
in ``cfg/applied``, to the ledger as the health of a device of its own, ``pad-N-firmware``.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from hal.api import Health, HealthState, RatingPad, UpdatablePad
from hal.errors import HalError
from kiosk.config import KioskConfig
from kiosk.desired import DesiredKeeper, Refusal, write_durably
from kiosk.rollout import PadNow, PadStage, Rollout, Target
from sync.configuration import (
    AppliedConfig,
    Configuration,
    DesiredConfig,
    PadApplied,
    claimed_version,
)

LOOK_S = 1.0
RESTART_S = 60.0
"""Longest time until a pad that was told to start new firmware says what it runs."""
STATE_FILE = "pad-updates.json"
MAX_DETAIL = 80

_HEALTH = {
    PadStage.CURRENT: (HealthState.OK, ""),
    PadStage.WAITING: (HealthState.WARNING, "waiting"),
    PadStage.UPDATING: (HealthState.WARNING, "updating"),
    PadStage.TRIAL: (HealthState.WARNING, "trial"),
    PadStage.FAILED: (HealthState.FAULT, "went_back"),
    PadStage.NEWER: (HealthState.WARNING, "newer"),
}
"""Of the device ``pad-N-firmware``; the other stages are not its health."""

log = structlog.get_logger()


class PadUpdates:
    """``quiet_s(counter)`` is the time since anybody used the counter's pad; ``tell`` sends what
    was applied to the branch; ``device`` notes the health of a device; ``now_s`` measures time;
    ``taken`` gets each configuration that is in force from now on.
    """

    def __init__(
        self,
        config: KioskConfig,
        pads: Mapping[int, RatingPad],
        keeper: DesiredKeeper,
        *,
        now_s: Callable[[], float],
        quiet_s: Callable[[int], float],
        tell: Callable[[AppliedConfig], bool],
        device: Callable[[str, str, Health], None],
        taken: Callable[[Configuration], None] = lambda _: None,
    ) -> None:
        self._taken = taken
        self._node = config.node
        self._chips = {pad.counter: pad.chip for pad in config.pads if "rating" in pad.roles}
        self._pads = {c: pad for c, pad in pads.items() if isinstance(pad, UpdatablePad)}
        self._keeper = keeper
        self._now_s = now_s
        self._quiet_s = quiet_s
        self._tell = tell
        self._device = device
        self._path = Path(config.data_dir) / STATE_FILE
        given, failed = _read(self._path)
        updates = config.updates
        self._enabled = updates is not None
        self.rollout = Rollout(given=given, failed=failed)
        if updates is not None:
            self.rollout.at_once, self.rollout.quiet_s = updates.at_once, updates.quiet_s
        self._refused = (0, "")
        self._told: AppliedConfig | None = None
        self._failed_kept = dict(failed)
        self._one_at_a_time = asyncio.Lock()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read back what was wanted and begin to look after the pads, if anybody may want it."""
        if not self._enabled:
            return
        self._keeper.load()
        if self._keeper.now is not None:
            self._taken(self._keeper.now.configuration)
        self._looking = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Stop; an update that is under way goes on after the next start."""
        tasks = [*self._running.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take(self, message: DesiredConfig) -> None:
        """A configuration came from the branch."""
        async with self._one_at_a_time:
            try:
                # Signatures, and some twenty files made durable: not while the screen waits.
                if await asyncio.to_thread(self._keeper.take, message):
                    log.info("config.taken", version=self._keeper.version)
                    assert self._keeper.now is not None
                    self._taken(self._keeper.now.configuration)
                self._refused = (0, "")
            except Refusal as error:
                self._refused = (claimed_version(message.config), str(error))
                log.error("config.refused", version=self._refused[0], reason=str(error))
        self.look()

    def connected(self) -> None:
        """The branch is there (again): what was told may be lost."""
        self._told = None
        self.look()

    # --- looking ----------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("updates.not_looked")
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """See how every pad is, begin what is due, tell what changed."""
        pads = [self._pad_now(counter, pad) for counter, pad in sorted(self._pads.items())]
        targets = {pad.counter: self._target(pad.counter) for pad in pads}
        for counter in self.rollout.choose(pads, targets, self._now_s()):
            self._begin(counter)
        if self.rollout.failed != self._failed_kept:
            self._keep()
        self._report(pads, targets)

    def _pad_now(self, counter: int, pad: UpdatablePad) -> PadNow:
        identity, trial, health = pad.identity, pad.trial, pad.health.state
        if identity is None or health in (HealthState.LOST, HealthState.UNKNOWN):
            return PadNow(counter)
        return PadNow(
            counter,
            identity.unique_id,
            identity.firmware_hash,
            _version(identity.firmware),
            trial.on_trial if trial else None,
            trial.went_back if trial else None,
            self._quiet_s(counter),
        )

    def _target(self, counter: int) -> Target | None:
        desired = self._keeper.now
        bundle = desired.bundles.get(self._chips.get(counter, "")) if desired else None
        return Target(bundle.hash, _version(bundle.version)) if bundle else None

    def _report(self, pads: list[PadNow], targets: Mapping[int, Target | None]) -> None:
        rows = []
        for pad in pads:
            target = targets[pad.counter]
            stage = self.rollout.stage(pad, target)
            if target is not None and stage in _HEALTH:
                state, detail = _HEALTH[stage]
                self._device(f"pad-{pad.counter}-firmware", "firmware", Health(state, detail))
            rows.append(
                PadApplied(
                    counter=pad.counter,
                    state=stage.value,
                    unique_id=pad.unique_id,
                    firmware=".".join(map(str, pad.version)),
                    firmware_hash=pad.hash,
                    detail=self.rollout.why(pad, target)[:MAX_DETAIL],
                )
            )
        refused, reason = self._refused
        applied = AppliedConfig(
            node=self._node,
            version=self._keeper.version,
            refused=refused,
            reason=reason,
            pads=rows,
        )
        worth_telling = applied.version or applied.reason
        if worth_telling and applied != self._told and self._tell(applied):
            self._told = applied

    # --- one pad ----------------------------------------------------------------------------

    def _begin(self, counter: int) -> None:
        self.rollout.begun(counter)
        task = asyncio.create_task(self._update(counter), name=f"update pad-{counter}")
        self._running[counter] = task
        task.add_done_callback(lambda _: self._running.pop(counter, None))

    async def _update(self, counter: int) -> None:
        """Bring one pad to what is wanted, until it says that it runs it."""
        said = "stopped"
        try:
            said = await self._brought(counter)
        except HalError as error:
            said = str(error)
        except Exception as error:
            log.exception("pad.update_failed", counter=counter)
            said = repr(error)
        finally:
            self.rollout.ended(counter, self._now_s(), said)
        if said:
            log.warning("pad.not_updated", counter=counter, error=said)
        self.look()

    async def _brought(self, counter: int) -> str:
        pad = self._pads[counter]
        desired, identity = self._keeper.now, pad.identity
        bundle = desired.bundles.get(self._chips[counter]) if desired else None
        if bundle is None or identity is None:
            return "nothing to bring"
        log.info("pad.update_begun", counter=counter, version=bundle.version, hash=bundle.hash)

        def switching() -> None:
            self.rollout.switching(identity.unique_id, bundle.hash)
            self._keep()

        await pad.update(bundle.manifest, bundle.slot_files, switching=switching)
        try:
            async with asyncio.timeout(RESTART_S):
                # A pad tells its host that it started, and nobody else.
                while pad.identity == identity or pad.trial is None:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S / 4)
        except TimeoutError:
            return f"it did not come back within {RESTART_S:g} s"
        if pad.identity is not None and pad.identity.firmware_hash != bundle.hash:
            return "it did not start the new firmware"
        log.info("pad.updated", counter=counter, version=bundle.version, hash=bundle.hash)
        return ""

    def _keep(self) -> None:
        """Keep what was given and what failed. Raises nothing: the worst is one more try."""
        rollout = self.rollout
        self._failed_kept = dict(rollout.failed)
        table = {"given": rollout.given, "failed": rollout.failed}
        try:
            write_durably(self._path, json.dumps(table).encode())
        except OSError as error:
            log.error("updates.not_kept", file=str(self._path), error=str(error))


def _read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        table = json.loads(path.read_bytes())
        return dict(table["given"]), dict(table["failed"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, {}


def _version(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        return ()
