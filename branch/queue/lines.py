"""The waiting lines: one for each service, class and counter that it is held for. Pure.

All tickets of a line have the same score but for their place, so only its head can be next; in a
line that is held for another counter, only the first ticket whose time there is over.
"""

import bisect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from branch.queue.ticket import LineKey, QueueTicket

Released = Callable[[QueueTicket], bool]
"""Whether a ticket that is held for a counter may be called by others."""


def _place(ticket: QueueTicket) -> tuple[int, str, int]:
    return ticket.place


@dataclass(slots=True)
class Lines:
    """Tickets of a line are in order of their place; an empty line is not kept."""

    by_key: dict[LineKey, list[QueueTicket]] = field(default_factory=dict)

    def join(self, ticket: QueueTicket, key: LineKey, place: tuple[int, str, int]) -> None:
        """The ticket waits."""
        ticket.line, ticket.place = key, place
        bisect.insort(self.by_key.setdefault(key, []), ticket, key=_place)

    def leave(self, ticket: QueueTicket) -> None:
        """The ticket does not wait any more; harmless for one that does not."""
        if ticket.line is None:
            return
        self.take(ticket)
        ticket.line = None

    def copy(self) -> "Lines":
        """The same tickets in lines of their own, to look ahead in."""
        return Lines({key: list(line) for key, line in self.by_key.items()})

    def take(self, ticket: QueueTicket) -> None:
        """Remove a waiting ticket from these lines; it keeps what it knows of its place."""
        assert ticket.line is not None
        line = self.by_key[ticket.line]
        del line[bisect.bisect_left(line, ticket.place, key=_place)]
        if not line:
            del self.by_key[ticket.line]

    def waiting(self, services: Collection[str]) -> int:
        """How many wait for any of ``services``."""
        return sum(len(line) for key, line in self.by_key.items() if key[0] in services)

    def heads(
        self, services: Collection[str], counter: int, released: Released
    ) -> Iterator[QueueTicket]:
        """The first ticket of each line that ``counter`` may call."""
        for (service, _, held_for), line in self.by_key.items():
            if service not in services:
                continue
            if held_for in (0, counter):
                yield line[0]
            else:
                found = next(filter(released, line), None)
                if found is not None:
                    yield found

    def callable_by(
        self, services: Collection[str], counter: int, released: Released
    ) -> Iterator[tuple[LineKey, list[QueueTicket]]]:
        """The lines of ``services`` with those of their tickets that ``counter`` may call, in
        order.
        """
        for key, line in self.by_key.items():
            if key[0] not in services:
                continue
            if key[2] in (0, counter):
                yield key, line
            elif found := list(filter(released, line)):
                yield key, found
