"""What the queue remembers of the past, and no more than that. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

REMEMBERED_KEYS = 10_000
"""Idempotency keys kept: more than a branch's commands of one day."""
REMEMBERED_FINISHED = 10_000
"""Finished tickets kept: several days of a branch, for late paper news and for those who ask."""

_CommandKey = tuple[str, int, str]


@dataclass(slots=True)
class Memory:
    """``keys`` are the commands done, by (event type, counter, idempotency key); ``finished`` the
    tickets that have ended, the oldest first.
    """

    keys: OrderedDict[_CommandKey, str] = field(default_factory=OrderedDict)
    finished: deque[str] = field(default_factory=deque)

    def done(self, event_type: str, counter: int, key: str) -> bool:
        """Whether this command has made its event already."""
        return (event_type, counter, key) in self.keys

    def keep(self, event_type: str, counter: int, key: str, event_id: str) -> None:
        """The command was carried out."""
        self.keys[event_type, counter, key] = event_id
        while len(self.keys) > REMEMBERED_KEYS:
            self.keys.popitem(last=False)

    def end(self, ticket_id: str) -> list[str]:
        """The ticket has ended; returns those to forget."""
        self.finished.append(ticket_id)
        forgotten: list[str] = []
        while len(self.finished) > REMEMBERED_FINISHED:
            forgotten.append(self.finished.popleft())
        return forgotten

    def resume(self, ticket_id: str) -> None:
        """The ticket has not ended after all."""
        self.finished.remove(ticket_id)
