"""What every proof takes and what it reports, and the table of the proofs there are."""

import importlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import BadInput
from simulator.prove.witness import Verdict

MAX_VIOLATIONS = 50
"""Sentences kept in a report; the count goes on."""

PROOFS = {
    "kills": "simulator.prove.kills",
    "powercut": "simulator.prove.powercut",
    "seeds": "simulator.prove.seeds",
    "diskfull": "simulator.prove.diskfull",
    "partition": "simulator.prove.partition",
    "clock": "simulator.prove.clock",
    "frames": "simulator.prove.frames",
    "updates": "simulator.prove.updates",
    "presses": "simulator.prove.presses",
    "paper": "simulator.prove.paper",
    "kiosk": "simulator.prove.kiosk",
    "visits": "simulator.prove.visits",
    "taint": "simulator.prove.taint",
    "day": "simulator.prove.day",
}
"""Name -> module with ``run(options, say) -> Proof``; its docstring says what it does."""


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """``rounds`` 0 means the proof's own short form. ``folder`` is scratch space that is emptied
    afterwards. ``without`` names promises to switch off, to see the proof fail.
    """

    rounds: int
    seed: int
    folder: Path
    jobs: int = 1
    without: frozenset[str] = frozenset()


@dataclass(slots=True)
class Proof:
    """The report. ``shown`` counts numbers that customers saw or held, ``stored`` those that the
    branch has; ``lost``, ``doubled`` and ``ghosts`` are tickets. ``details`` are the proof's own
    figures.
    """

    name: str
    rounds: int
    seed: int
    shown: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    ghosts: int = 0
    violation_count: int = 0
    violations: list[str] = field(default_factory=list)
    wall_s: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def violate(self, sentence: str) -> None:
        """Note one thing that must not be."""
        self.violation_count += 1
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(sentence)

    def count(self, verdict: Verdict, where: str) -> None:
        """Add what the witness counted; its violations are told with the place."""
        self.shown += verdict.shown
        self.stored += verdict.stored
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        self.ghosts += verdict.ghosts
        for violation in verdict.violations:
            self.violate(f"{where}: {violation}")

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.violation_count or self.lost or self.doubled or self.ghosts)

    def table(self) -> dict[str, Any]:
        """The report as it is written to a file."""
        return {**asdict(self), "clean": self.clean}


Say = Callable[[str], None]


def prove(name: str, options: ProveOptions, say: Say) -> Proof:
    """Run one proof and time it. Raises SimulatorError: BadInput for a name that there is not."""
    if name not in PROOFS:
        raise BadInput(f"no proof {name!r}; there are {', '.join(PROOFS)}")
    run: Callable[[ProveOptions, Say], Proof] = importlib.import_module(PROOFS[name]).run
    began_s = time.monotonic()
    proof = run(options, say)
    proof.wall_s = round(time.monotonic() - began_s, 1)
    return proof
