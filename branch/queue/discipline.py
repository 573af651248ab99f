"""Who is next: score ``H_segment + b_segment * wait_minutes``, ties by ticket order. Pure.

FIFO is H = 0, b = 1 for everybody; a head start is H > 0 with equal b (reference: Mandelbaum et
al., the
"Anonymous Bank" gave its VIP callers 1.5 minutes). Equal b bounds overtaking: a ticket is passed
only by
those that came within H minutes after it.
"""

import math
from dataclasses import dataclass, field

MS_PER_MIN = 60_000


@dataclass(frozen=True, slots=True)
class Discipline:
    """``head_start_min`` is H in minutes, ``rate`` is b (score per waited minute); 0 and 1 where
    not named. Raises ValueError for a value that is negative or not finite.
    """

    head_start_min: dict[str, float] = field(default_factory=dict)
    rate: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for segment, value in (*self.head_start_min.items(), *self.rate.items()):
            if not 0 <= value < math.inf:
                raise ValueError(f"{segment}: {value}; expected 0 or more")

    def score(self, segment: str, waited_ms: int) -> float:
        """The score in minutes; the highest is called."""
        head_start_ms = self.head_start_min.get(segment, 0.0) * MS_PER_MIN
        # Summed in ms, where whole numbers are exact: a tie stays a tie whatever the time is.
        return (head_start_ms + self.rate.get(segment, 1.0) * waited_ms) / MS_PER_MIN
