"""The report of a demo or a replay: one JSON object, the same fields for both."""

import json
from pathlib import Path
from typing import Any

from simulator.oracle import Audit


def summarise(values: list[float]) -> dict[str, float | None]:
    """Mean, median and 90th percentile (nearest rank), None for all when there is no value."""
    if not values:
        return {"mean": None, "p50": None, "p90": None}
    ordered = sorted(values)

    def rank(share: float) -> float:
        return round(ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)], 3)

    return {
        "mean": round(sum(ordered) / len(ordered), 3),
        "p50": rank(0.5),
        "p90": rank(0.9),
    }


def build(
    found: Audit,
    *,
    version: str,
    seed: int,
    speed: float | str,
    simulated_s: float,
    wall_s: float,
    waits_s: list[float],
    interpreter: str,
    broker: str,
    **more: Any,
) -> dict[str, Any]:
    """The report's table; ``more`` is what only one of the commands has."""
    return {
        "version": version,
        "seed": seed,
        "speed": speed,
        "simulated_s": round(simulated_s, 1),
        "wall_s": round(wall_s, 1),
        "tickets": found.tickets,
        "ratings": found.ratings,
        "keys": found.keys,
        "events": found.events,
        "ghost_tickets": found.ghost_tickets,
        "duplicate_numbers": found.duplicate_numbers,
        "violations": found.violations,
        "waits_s": summarise(waits_s),
        "pads": {"interpreter": interpreter},
        "broker": broker,
        **more,
    }


def write(path: Path, table: dict[str, Any]) -> None:
    """Write the report where it was asked for, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", "utf-8")
