"""The public commitment: how many of a day's customers were called within the promised wait. Pure.

A customer counts once, with the first call, or as soon as the promise is broken without one:
somebody who still waits after it, or left after it, is not forgotten. Who leaves before it proves
nothing.
"""

from collections.abc import Iterable, Mapping


class Commitments:
    """``promised_ms`` is the longest promised wait by service; 0 or absent: none. Dates are ISO,
    waits are ms from the issue, or from the slot of an appointment that came early.
    """

    def __init__(self, promised_ms: Mapping[str, int]) -> None:
        self.promised_ms = {letter: ms for letter, ms in promised_ms.items() if ms > 0}
        self._settled: dict[str, dict[str, tuple[str, bool]]] = {}

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
        for past in [day for day in self._settled if day < date]:
            del self._settled[past]
        settled = self._settled.get(date, {})
        found = {letter: (0, 0) for letter in self.promised_ms}
        late = (
            (service, False)
            for ticket, service, waited_ms in waiting
            if ticket not in settled and not self._kept(service, waited_ms)
        )
        for service, kept in (*settled.values(), *late):
            people, were_kept = found[service]
            found[service] = (people + 1, were_kept + kept)
        return found

    def _kept(self, service: str, waited_ms: int) -> bool:
        limit_ms = self.promised_ms.get(service)
        return limit_ms is None or waited_ms <= limit_ms

    def _settle(self, date: str, ticket: str, service: str, *, kept: bool) -> None:
        if service in self.promised_ms:
            self._settled.setdefault(date, {}).setdefault(ticket, (service, kept))
