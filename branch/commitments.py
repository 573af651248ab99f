"""The public commitment: how many of a day's customers were called within the promised wait. Pure.

A customer counts once, with the first call, or as soon as the promise is broken without one:
somebody who still waits after it, or left after it, is not forgotten. Who leaves before it proves
nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Day:
    """``people`` and ``kept`` by service, and whose ticket is among them."""

    settled: set[str] = field(default_factory=set)
    people: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


class Commitments:
    """``promised_ms`` is the longest promised wait by service; 0 or absent: none. Dates are ISO,
    waits are ms from the issue, or from the slot of an appointment that came early.
    """

    def __init__(self, promised_ms: Mapping[str, int]) -> None:
        self.promised_ms = {letter: ms for letter, ms in promised_ms.items() if ms > 0}
        self._days: dict[str, _Day] = {}

    def called(self, date: str, ticket: str, service: str, waited_ms: int) -> None:
        """The customer was called, for the first time or again."""
        self._settle(date, ticket, service, kept=self._kept(service, waited_ms))

    def left(self, date: str, ticket: str, service: str, waited_ms: int) -> None:
        """The customer has gone without being served."""
        if not self._kept(service, waited_ms):
            self._settle(date, ticket, service, kept=False)

    def of(self, date: str, waiting: Iterable[tuple[str, str, int]]) -> dict[str, tuple[int, int]]:
        """Customers and those whose promise was kept, by service with a promise. ``waiting`` are
        tickets of ``date`` in line: id, service, wait so far. Earlier days are forgotten.
        """
        for past in [known for known in self._days if known < date]:
            del self._days[past]
        day = self._days.get(date, _Day())
        late = Counter(
            service
            for ticket, service, waited_ms in waiting
            if ticket not in day.settled and not self._kept(service, waited_ms)
        )
        return {s: (day.people[s] + late[s], day.kept[s]) for s in self.promised_ms}

    def _kept(self, service: str, waited_ms: int) -> bool:
        limit_ms = self.promised_ms.get(service)
        return limit_ms is None or waited_ms <= limit_ms

    def _settle(self, date: str, ticket: str, service: str, *, kept: bool) -> None:
        if service not in self.promised_ms:
            return
        day = self._days.setdefault(date, _Day())
        if ticket not in day.settled:
            day.settled.add(ticket)
            day.people[service] += 1
            day.kept[service] += kept
