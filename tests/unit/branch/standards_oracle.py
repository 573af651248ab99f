"""The standards once more, from the raw log alone: when each one was broken and mended.

It reads events by their names and keeps plain dicts; it shares no code with branch.standards and
asks no engine. Between two events nothing but time changes, so each gap of the log is looked at
once.
"""

from collections.abc import Iterator
from typing import Any

from sync.messages import Event

Limits = dict[str, tuple[int, int, int, int]]
"""By service: max wait, max service, max idle (ms), max line (people); 0 for none."""
Said = tuple[int, str, str]
"""When (Unix ms), "raised" or "cleared", the breach."""
LATE_MS = 10 * 60_000


class StandardsOracle:
    """``counters``: what each serves (never cash where it has none), and whether it begins
    open.
    """

    def __init__(self, counters: dict[int, tuple[set[str], bool, bool]], limits: Limits) -> None:
        self.limits = limits
        self.serves = {number: services for number, (services, _, _) in counters.items()}
        self.rests = {
            number: "elastic" if elastic else "closed"
            for number, (_, elastic, _) in counters.items()
        }
        self.state = {
            number: "open" if is_open else self.rests[number]
            for number, (_, _, is_open) in counters.items()
        }
        self.since = dict.fromkeys(counters, 0)
        self.at: dict[int, str | None] = dict.fromkeys(counters)
        self.tickets: dict[str, dict[str, Any]] = {}

    def history(self, log: list[Event], end_ms: int) -> list[Said]:
        """All that must have been said by ``end_ms``, in order of time."""
        said: list[Said] = []
        known: set[str] = set()
        for index, event in enumerate(log):
            self._read(event)
            until = log[index + 1].ts if index + 1 < len(log) else end_ms
            dues = dict(self._dues())
            now = {breach for breach, due in dues.items() if due <= event.ts}
            now |= set(self._lines(known))
            said += [(event.ts, "cleared", breach) for breach in sorted(known - now)]
            said += [(event.ts, "raised", breach) for breach in sorted(now - known)]
            known = now
            for breach, due in sorted(dues.items(), key=lambda one: one[1]):
                if event.ts < due <= until:
                    said.append((due, "raised", breach))
                    known.add(breach)
        return said

    def _dues(self) -> Iterator[tuple[str, int]]:
        for ticket, t in self.tickets.items():
            wait, service, _, _ = self.limits.get(t["service"], (0, 0, 0, 0))
            if t["phase"] == "waiting" and wait:
                yield f"wait:{ticket}", self._began(t) + t["served"] + wait
            if t["phase"] == "serving" and service:
                yield f"service:{ticket}:{t['counter']}", t["started"] + service
        for number, services in self.serves.items():
            if self.state[number] != "open" or self.at[number] is not None:
                continue
            found = [
                max(self.since[number], t["joined"], self._held(t, number))
                + self.limits[t["service"]][2]
                for t in self.tickets.values()
                if t["phase"] == "waiting" and t["service"] in services
                and self.limits.get(t["service"], (0, 0, 0, 0))[2]
            ]  # fmt: skip
            if found:
                yield f"idle:{number}", min(found)

    def _lines(self, known: set[str]) -> Iterator[str]:
        for service, (_, _, _, most) in self.limits.items():
            people = sum(
                t["phase"] == "waiting" and t["service"] == service for t in self.tickets.values()
            )
            breach = f"line:{service}"
            if most and people > (most - max(1, most // 5) if breach in known else most):
                yield breach

    def _began(self, t: dict[str, Any]) -> int:
        slot: int = t["slot"]
        if t["segment"] == "appointment" and slot and t["issued"] - slot <= LATE_MS:
            return max(int(t["issued"]), slot)
        return int(t["issued"])

    def _held(self, t: dict[str, Any], number: int) -> int:
        for_whom, until = t["held"]
        if for_whom in (0, number) or self.state.get(for_whom) not in ("open", "paused"):
            return 0
        return int(until)

    # --- one event ----------------------------------------------------------------------------

    def _read(self, event: Event) -> None:
        kind, data, ts = str(event.__struct_config__.tag), event.data, event.ts  # type: ignore[attr-defined]
        group = kind.split(".", maxsplit=1)[0]
        if kind == "ticket.issued":
            self.tickets[event.id] = {
                "service": data.service, "segment": data.segment, "issued": ts,
                "slot": data.appointment_ms, "phase": "issued", "served": 0, "joined": ts,
                "held": (data.wanted_counter, ts + data.hold_ms), "started": 0, "counter": 0,
            }  # fmt: skip
        elif group == "counter":
            number = data.counter
            self.state[number] = {
                "opened": "open", "paused": "paused", "closed": self.rests[number],
            }[kind.split(".")[1]]  # fmt: skip
            if self.at[number] is None:
                self.since[number] = ts
        elif group in ("ticket", "service"):
            self._move(kind.split(".")[1], data, ts, event.sub or "")

    def _move(self, verb: str, data: Any, ts: int, ticket: str) -> None:
        t = self.tickets[ticket]
        before = t["phase"]
        match verb:
            case "printed" | "print_failed":
                if before == "issued":
                    t["phase"] = "waiting"
            case "called":
                t.update(phase="called", counter=data.counter, held=(0, 0))
                self.at[data.counter], self.since[data.counter] = ticket, ts
            case "started":
                t.update(phase="serving", started=ts)
                self.since[t["counter"]] = ts
            case "ended" | "missed" | "voided" | "abandoned":
                t["phase"] = verb
            case "parked":
                t["phase"] = "parked"
                t["served"] += data.service_ms
            case "transferred" | "returned":
                t.update(
                    phase="waiting",
                    service=data.service,
                    held=(data.to_counter, ts + data.hold_ms),
                )
                t["served"] += data.service_ms
            case "unparked":
                t.update(phase="waiting", held=(data.to_counter, ts + data.hold_ms))
            case "rejoined":
                t["phase"] = "waiting"
            case "tagged":
                t["segment"] = data.segment
        if before in ("called", "serving") and t["phase"] not in ("called", "serving"):
            self.at[t["counter"]], self.since[t["counter"]] = None, ts
        if t["phase"] == "waiting" and before not in ("waiting", "issued"):
            t["joined"] = ts
