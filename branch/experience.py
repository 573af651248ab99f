"""What the branch's own events say of its services: how long one takes, how many come. Pure.

A class mean is the mean of the last 200 services, drawn towards the configured one as if that had
been seen 30 times: m = (n x + 30 m0) / (n + 30). Ends below 10 s are slips of the finger.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from branch.wait import Stream

KEPT_SERVICES = 200
CONFIGURED_WEIGHS = 30
SHORTEST_MS = 10_000
HOUR_MS = 3_600_000
LEAST_SPAN_MS = HOUR_MS // 4
"""Before so much time has been seen, the pace is that of so much time."""


@dataclass(slots=True)
class Experience:
    """``configured_ms``: the expected mean service time by service letter (ms)."""

    configured_ms: Mapping[str, float]
    _services: dict[str, deque[int]] = field(default_factory=dict)
    _issued: deque[tuple[int, str, str]] = field(default_factory=deque)  # when, service, segment
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those, kept in step

    def served(self, service: str, took_ms: int) -> None:
        """A service has ended."""
        if took_ms >= SHORTEST_MS:
            kept = self._services.setdefault(service, deque(maxlen=KEPT_SERVICES))
            kept.append(took_ms)

    def issued(self, service: str, segment: str, at_ms: int) -> None:
        """A ticket was issued at ``at_ms`` (Unix ms)."""
        self._issued.append((at_ms, service, segment))
        self._counts[service, segment] += 1
        self._forget(at_ms)

    def mean_ms(self) -> dict[str, float]:
        """The class mean of each configured service (ms)."""
        found: dict[str, float] = {}
        for service, configured_ms in self.configured_ms.items():
            kept = self._services.get(service, ())
            whole = sum(kept) + CONFIGURED_WEIGHS * configured_ms
            found[service] = whole / (len(kept) + CONFIGURED_WEIGHS)
        return found

    def streams(self, now_ms: int) -> list[Stream]:
        """The pace of the last hour, by service and segment."""
        counts, span_ms = self._last_hour(now_ms)
        return [
            Stream(service, segment, count / span_ms)
            for (service, segment), count in sorted(counts.items())
        ]

    def usual_segment(self, service: str, now_ms: int) -> str:
        """The segment that most tickets of the service had in the last hour, "" for none."""
        counts, _ = self._last_hour(now_ms)
        own = [
            (count, segment) for (letter, segment), count in counts.items() if letter == service
        ]
        return max(own)[1] if own else ""

    def _last_hour(self, now_ms: int) -> tuple[Counter[tuple[str, str]], int]:
        self._forget(now_ms)
        oldest_ms = self._issued[0][0] if self._issued else now_ms
        return self._counts, min(HOUR_MS, max(LEAST_SPAN_MS, now_ms - oldest_ms))

    def _forget(self, now_ms: int) -> None:
        while self._issued and self._issued[0][0] < now_ms - HOUR_MS:
            _, service, segment = self._issued.popleft()
            self._counts[service, segment] -= 1
            if not self._counts[service, segment]:
                del self._counts[service, segment]
