"""Recorded days made up for tests."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.recorded_day import COLUMNS

DATE = "2026-11-23"


@dataclass(frozen=True, slots=True)
class Person:
    """One row: ``service_s`` None abandons after ``patience_s``."""

    arrive_s: float
    service_s: float | None
    patience_s: float = 0.0
    service: str = "PS"
    segment: str = "ORD"

    def row(self, number: int) -> list[str]:
        begun_s = self.arrive_s + 5
        leave_s, start_s, end_s, outcome = (
            (begun_s, begun_s, begun_s + self.service_s, "SERVED")
            if self.service_s is not None
            else (self.arrive_s + self.patience_s, -1, -1, "ABANDONED")
        )
        return [
            f"T{number}", DATE, self.service, self.segment, f"{self.arrive_s:.3f}",
            f"{leave_s:.3f}", f"{start_s:.3f}", f"{end_s:.3f}", outcome,
        ]  # fmt: skip


def text_of(people: Sequence[Person]) -> str:
    """The day as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(person.row(number) for number, person in enumerate(people, start=1))
    return out.getvalue()


def write(folder: Path, people: Sequence[Person]) -> Path:
    """The day as a file."""
    path = folder / "day.csv"
    path.write_text(text_of(people), "utf-8")
    return path


def busy_day(rng: random.Random, people: int) -> list[Person]:
    """A day that keeps three counters busy: every fifth would leave, every fourth is VIP. At its
    end three long services are in the way of somebody impatient.
    """
    arrive_s, found = 9 * 3600.0, []
    for _ in range(people):
        arrive_s += rng.expovariate(1 / 46)
        patient = rng.random() < 0.8
        found.append(
            Person(
                round(arrive_s, 3),
                round(rng.lognormvariate(4.9, 0.7), 3) if patient else None,
                round(rng.expovariate(1 / 200), 3),
                rng.choice(("PS", "NW", "IN")),
                rng.choice(("VIP", "ORD", "ORD", "ORD")),
            )
        )
    found += [Person(round(arrive_s, 3) + number / 8, 300) for number in (1, 2, 3)]
    return [*found, Person(round(arrive_s, 3) + 0.5, None, 5)]
