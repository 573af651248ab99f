"""Who is next: score ``H_segment + b_segment * wait_minutes``, ties by ticket order. Pure.

FIFO is H = 0, b = 1 for everybody; a head start is H > 0 with equal b (reference: Mandelbaum et
al., the
"Anonymous Bank" gave its VIP callers 1.5 minutes). Equal b bounds overtaking: a ticket is passed
only by
those that came within H minutes after it.
"""

from dataclasses import dataclass, field

MS_PER_MIN = 60_000


@dataclass(frozen=True, slots=True)
class Discipline:
    """``head_start_min`` is H in minutes, ``rate`` is b (score per waited minute); 0 and 1 where
    not named.
    """

    head_start_min: dict[str, float] = field(default_factory=dict)
    rate: dict[str, float] = field(default_factory=dict)

    def score(self, segment: str, waited_ms: int) -> float:
        """The score in minutes; the highest is called."""
        rate = self.rate.get(segment, 1.0)
        return self.head_start_min.get(segment, 0.0) + rate * waited_ms / MS_PER_MIN
