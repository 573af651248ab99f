"""When a service takes new tickets: its hours, its daily limit, and its closing. Pure: the caller
says what time it is at the branch.

    state    means                                              becomes
    CLOSED   outside its hours                                  OPEN when it opens
    OPEN     whoever takes a ticket now is served today         the others
    CLOSING  a new ticket would not be called before closing    OPEN with a shorter line
    FULL     its daily limit of tickets is given                CLOSED

Who has a ticket is served: only joining ends.
"""

from dataclasses import dataclass
from enum import StrEnum

from sync.hours import DAY_MIN


class Joining(StrEnum):
    """Whether a new ticket of a service makes sense."""

    OPEN = "open"
    CLOSING = "closing"
    FULL = "full"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """A service's hours in minutes of the day, and how many tickets it gives on one business date
    (0: any number). Hours that end before they begin go past midnight.

    Raises ValueError for a time outside the day or a negative limit.
    """

    opens_min: int = 0
    closes_min: int = DAY_MIN
    daily_limit: int = 0

    def __post_init__(self) -> None:
        for minute in (self.opens_min, self.closes_min):
            if not 0 <= minute <= DAY_MIN:
                raise ValueError(f"minute {minute}; expected 0 to {DAY_MIN}")
        if self.opens_min == self.closes_min:
            raise ValueError("opens and closes at the same time")
        if self.daily_limit < 0:
            raise ValueError(f"daily limit {self.daily_limit}; expected 0 or more")

    def left_min(self, now_min: float) -> float:
        """Minutes until it closes; 0 while it is closed."""
        if self.opens_min < self.closes_min:
            inside = self.opens_min <= now_min < self.closes_min
            return self.closes_min - now_min if inside else 0.0
        if now_min < self.closes_min:
            return self.closes_min - now_min
        return DAY_MIN - now_min + self.closes_min if now_min >= self.opens_min else 0.0

    def joining(self, now_min: float, given: int, forecast_min: float | None) -> Joining:
        """Whether to join now. ``given``: tickets of this business date; ``forecast_min``: how
        long a new ticket may wait at most, None when that is unknown.
        """
        left_min = self.left_min(now_min)
        if not left_min:
            return Joining.CLOSED
        if self.daily_limit and given >= self.daily_limit:
            return Joining.FULL
        always = self.opens_min == 0 and self.closes_min == DAY_MIN
        if not always and forecast_min is not None and forecast_min > left_min:
            return Joining.CLOSING
        return Joining.OPEN
