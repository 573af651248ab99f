"""Which alerts are open: a fold of the ledger, and what has to be said next. Pure.

    state    what is wrong, now    a person's word    becomes
    -        yes                                      open: alert.raised
    open     no                                       -: alert.cleared (ended)
    open                           recovered          seen: alert.cleared (recovered, answered)
    seen     no                                       -
    seen                           undo               open: alert.reopened

A fault of a device must be gone for HOLD_MS before its alert is cleared: a loose plug is one
alert.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sync.alerts import (
    AlertCleared,
    AlertData,
    AlertRaised,
    AlertReopened,
    AlertTaken,
    ClearedData,
)
from sync.messages import AnyEvent, UnknownEvent

HOLD_MS = 10_000
ENDED, RECOVERED, ANSWERED, DAY_END = "ended", "recovered", "answered", "day_end"
UNHAPPY, HELP, NO_SLIP, DEVICE, VIP = "unhappy", "help", "no_slip", "device", "vip"
HELD = frozenset({DEVICE})
BY_HAND = {UNHAPPY: RECOVERED, HELP: ANSWERED, NO_SLIP: ANSWERED, VIP: ANSWERED}
"""What a person's word on an alert of this kind is called; no other kind is cleared by a word."""


@dataclass(slots=True)
class OpenAlert:
    """``raised_ms`` is when it was raised (Unix ms), ``taken_by`` who goes, None: nobody yet."""

    id: str
    data: AlertData
    raised_ms: int
    taken_by: str | None = None
    cleared_ms: int = 0
    cleared_by: str = ""


@dataclass(slots=True)
class AlertBook:
    """``open`` and ``seen`` by breach: seen are those that a person has closed while what is
    wrong goes on. ``done`` are the keys of requests, the newest KEYS of them.
    """

    open: dict[str, OpenAlert] = field(default_factory=dict)
    seen: dict[str, OpenAlert] = field(default_factory=dict)
    done: dict[str, None] = field(default_factory=dict)
    _quiet_from: dict[str, int] = field(default_factory=dict)

    KEYS = 1000

    def note(self, event: AnyEvent | UnknownEvent, at: int) -> None:
        """Fold one event of the ledger; ``at`` is when it happened (Unix ms)."""
        match event:
            case AlertRaised(data=data):
                self.open[data.breach] = OpenAlert(event.id, data, at)
                self.seen.pop(data.breach, None)
            case AlertCleared(data=cleared):
                alert = self.open.pop(cleared.breach, None)
                self._quiet_from.pop(cleared.breach, None)
                if alert is not None and cleared.reason in (RECOVERED, ANSWERED):
                    alert.cleared_ms, alert.cleared_by = at, cleared.by
                    self.seen[cleared.breach] = alert
                self._keep(cleared.key)
            case AlertReopened(data=again):
                alert = self.seen.pop(again.breach, None)
                if alert is not None:
                    self.open[again.breach] = alert
                self._keep(again.key)
            case AlertTaken(data=taken):
                if taken.breach in self.open:
                    self.open[taken.breach].taken_by = taken.by
                self._keep(taken.key)

    def raises(self, wrong: Mapping[str, AlertData]) -> list[AlertData]:
        """What is wrong and has no alert, the longest first."""
        new = [one for breach, one in wrong.items() if breach not in self.open | self.seen]
        return sorted(new, key=lambda one: (one.since_ms, one.breach))

    def clears(self, wrong: Mapping[str, AlertData], now_ms: int) -> Iterator[ClearedData]:
        """The alerts whose cause is gone; what a person has seen to is forgotten with it."""
        for breach in [b for b in self.seen if b not in wrong]:
            del self.seen[breach]
        for breach, alert in list(self.open.items()):
            if breach in wrong:
                self._quiet_from.pop(breach, None)
                continue
            if alert.data.kind in HELD:
                quiet_ms = now_ms - self._quiet_from.setdefault(breach, now_ms)
                if quiet_ms < HOLD_MS:
                    continue
            over = DAY_END if alert.data.kind == UNHAPPY else ENDED
            yield self.cleared(alert, now_ms, over)

    def cleared(
        self, alert: OpenAlert, now_ms: int, reason: str, key: str = "", by: str = ""
    ) -> ClearedData:
        """The payload that closes this alert."""
        return ClearedData(
            alert=alert.id,
            breach=alert.data.breach,
            key=key,
            by=by,
            reason=reason,
            lasted_ms=max(0, now_ms - alert.data.since_ms),
        )

    def held_until(self) -> int | None:
        """When the next held alert may be cleared (Unix ms), None without one."""
        return min((at + HOLD_MS for at in self._quiet_from.values()), default=None)

    def find(self, alert_id: str) -> OpenAlert | None:
        """The alert, open or seen."""
        both = (*self.open.values(), *self.seen.values())
        return next((alert for alert in both if alert.id == alert_id), None)

    def _keep(self, key: str) -> None:
        if key:
            self.done[key] = None
            while len(self.done) > self.KEYS:
                del self.done[next(iter(self.done))]
