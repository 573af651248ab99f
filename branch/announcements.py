"""Which call is said next: one at a time, in the order of the calls. Pure: time is an argument, in
ms of any clock that only goes forward.

    state      becomes
    WAITING    SPEAKING by next(); dropped: too old, replaced, settled, quiet
    SPEAKING   over by ended(); WAITING again while repeats are left and the call stands

There is at most one announcement of a ticket in the line, and one is SPEAKING at most. First
sayings go before repeats, both in the order in which they became due.
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum


class Drop(StrEnum):
    """Why something was not said."""

    TOO_OLD = "too_old"
    REPLACED = "replaced"  # called again, or called elsewhere, before it was said
    SETTLED = "settled"  # served, missed, parked or sent on
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Rules:
    """``sayings`` of each call in all, ``repeat_ms`` from the end of one to the next;
    ``max_age_ms`` from being due to the begin at most; ``pause_ms`` between two announcements.
    """

    sayings: int = 1
    repeat_ms: int = 10_000
    max_age_ms: int = 45_000
    pause_ms: int = 500


@dataclass(frozen=True, slots=True)
class Announcement:
    """One call to say. ``saying`` is 1 for the first time; it is due at ``due_ms``."""

    ticket: str
    number: str
    counter: int
    due_ms: int
    saying: int = 1


class Announcements:
    """The line of announcements. ``dropped`` counts by reason."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._waiting: dict[str, Announcement] = {}
        self._speaking: Announcement | None = None
        self._stands = False
        """Whether what is being said is still the newest word on its ticket."""
        self._free_ms = 0
        self.dropped: Counter[Drop] = Counter()

    @property
    def waiting(self) -> int:
        """How many are in the line."""
        return len(self._waiting)

    def called(self, ticket: str, number: str, counter: int, now_ms: int) -> None:
        """A ticket is called, or called again: this is the newest word on it."""
        self._forget(ticket, Drop.REPLACED)
        self._waiting[ticket] = Announcement(ticket, number, counter, now_ms)

    def settled(self, ticket: str) -> None:
        """Nobody needs to hear this call any more; what is being said is said to its end."""
        self._forget(ticket, Drop.SETTLED)

    def next(self, now_ms: int, *, quiet: bool = False) -> Announcement | None:
        """Begin the next one; None while one is spoken, or none is due. Old ones are dropped, in
        quiet hours all that are due.
        """
        if self._speaking is not None or now_ms < self._free_ms:
            return None
        for one in sorted(self._waiting.values(), key=_order):
            if one.due_ms > now_ms:
                continue
            del self._waiting[one.ticket]
            if quiet:
                self.dropped[Drop.QUIET] += 1
            elif now_ms - one.due_ms > self._rules.max_age_ms:
                self.dropped[Drop.TOO_OLD] += 1
            else:
                self._speaking, self._stands = one, True
                return one
        return None

    def ended(self, now_ms: int) -> None:
        """What was begun is over, heard or not. Raises ValueError when nothing was begun."""
        one, self._speaking = self._speaking, None
        if one is None:
            raise ValueError("nothing is being said")
        self._free_ms = now_ms + self._rules.pause_ms
        if self._stands and one.saying < self._rules.sayings:
            due_ms = now_ms + self._rules.repeat_ms
            self._waiting[one.ticket] = replace(one, due_ms=due_ms, saying=one.saying + 1)

    def wait_ms(self, now_ms: int) -> int | None:
        """How long until next() may have one; None: until something happens."""
        if self._speaking is not None or not self._waiting:
            return None
        due_ms = min(one.due_ms for one in self._waiting.values())
        return max(0, due_ms - now_ms, self._free_ms - now_ms)

    def _forget(self, ticket: str, why: Drop) -> None:
        if self._waiting.pop(ticket, None) is not None:
            self.dropped[why] += 1
        if self._speaking is not None and self._speaking.ticket == ticket:
            self._stands = False


def _order(one: Announcement) -> tuple[bool, int]:
    return one.saying > 1, one.due_ms
