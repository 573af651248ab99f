"""Which pad gets new firmware next, and how each stands. Pure: time is an argument.

A pad is updated when it is there, has another firmware than is wanted for its chip, not a newer
one, and nobody has used it for a while; ``at_once`` pads at a time, and a pad counts until it has
confirmed what it got. One that went back to its firmware before stops the rollout of that
firmware at this kiosk: what fails on one pad is not given to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

RETRY_S = (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Pauses after a try that failed on the way; the last one repeats."""


class PadStage(StrEnum):
    """How a pad stands to what is wanted; the words of ``cfg/applied``."""

    NONE = "none"
    ABSENT = "absent"
    CURRENT = "current"
    WAITING = "waiting"
    UPDATING = "updating"
    TRIAL = "trial"
    FAILED = "failed"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Target:
    """Firmware that is wanted: its manifest's hash as a pad says it, and its version."""

    hash: str
    version: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PadNow:
    """What is known of a pad. ``hash`` "" while nobody is greeted; ``quiet_s`` since anybody used
    it; ``on_trial`` and ``went_back`` None until it said so.
    """

    counter: int
    unique_id: str = ""
    hash: str = ""
    version: tuple[int, ...] = ()
    on_trial: bool | None = None
    went_back: bool | None = None
    quiet_s: float = 0.0


@dataclass(slots=True)
class _Try:
    count: int = 0
    not_before_s: float = 0.0
    said: str = ""


@dataclass(slots=True)
class Rollout:
    """``given`` is unique id -> hash of the firmware that was switched to last, ``failed`` the
    same of what did not stay; both outlive a restart of the kiosk.
    """

    at_once: int = 1
    quiet_s: float = 60.0
    given: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    updating: set[int] = field(default_factory=set)
    _tries: dict[int, _Try] = field(default_factory=dict)

    def stage(self, pad: PadNow, target: Target | None) -> PadStage:
        """How a pad stands; notes a pad that went back."""
        if pad.counter in self.updating:
            return PadStage.UPDATING
        if target is None:
            return PadStage.NONE
        if not pad.hash:
            return PadStage.ABSENT
        if pad.hash == target.hash:
            if pad.on_trial is False:
                self._tries.pop(pad.counter, None)
                self.failed.pop(pad.unique_id, None)
                return PadStage.CURRENT
            return PadStage.TRIAL
        if pad.went_back and self.given.get(pad.unique_id) == target.hash:
            self.failed[pad.unique_id] = target.hash
        if self.failed.get(pad.unique_id) == target.hash:
            return PadStage.FAILED
        return PadStage.NEWER if pad.version > target.version else PadStage.WAITING

    def choose(
        self, pads: Sequence[PadNow], targets: Mapping[int, Target | None], now_s: float
    ) -> list[int]:
        """The counters whose pads are to be updated now."""
        stages = {pad.counter: self.stage(pad, targets.get(pad.counter)) for pad in pads}
        taken = sum(stage in (PadStage.UPDATING, PadStage.TRIAL) for stage in stages.values())
        stopped = set(self.failed.values())
        ready = [
            pad
            for pad in pads
            if stages[pad.counter] is PadStage.WAITING
            and (target := targets.get(pad.counter)) is not None
            and target.hash not in stopped
            and pad.quiet_s >= self.quiet_s
            and pad.on_trial is False
            and now_s >= self._try(pad.counter).not_before_s
        ]
        ready.sort(key=lambda pad: self._try(pad.counter).count)
        return [pad.counter for pad in ready[: max(0, self.at_once - taken)]]

    def why(self, pad: PadNow, target: Target | None) -> str:
        """Why a pad waits, or has failed; "" if there is nothing to say."""
        stage = self.stage(pad, target)
        if stage is PadStage.FAILED:
            return "it went back to the firmware before"
        if stage is PadStage.WAITING and target is not None:
            if target.hash in self.failed.values():
                return "stopped: another pad went back"
            return self._try(pad.counter).said
        return ""

    def begun(self, counter: int) -> None:
        """The pad of a counter is being updated."""
        self.updating.add(counter)

    def switching(self, unique_id: str, hash_: str) -> None:
        """A pad is about to be told to start this firmware."""
        self.given[unique_id] = hash_

    def ended(self, counter: int, now_s: float, said: str = "") -> None:
        """The try is over; ``said`` is why it failed, "": the pad runs what it got."""
        self.updating.discard(counter)
        tried = self._try(counter)
        tried.said = said
        if said:
            pause_s = RETRY_S[min(tried.count, len(RETRY_S) - 1)]
            tried.count += 1
            tried.not_before_s = now_s + pause_s

    def _try(self, counter: int) -> _Try:
        return self._tries.setdefault(counter, _Try())
