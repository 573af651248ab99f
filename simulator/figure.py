"""One measured ratio and its target."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``good`` says whether the ratio keeps its ``target`` (``at_most``, or at least)."""

    name: str
    what: str
    ratio: float
    target: float
    at_most: bool
    ours: str
    anchor: str

    @property
    def good(self) -> bool:
        """Whether the target is kept."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target
