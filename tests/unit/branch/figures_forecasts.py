"""Forecasts for the figures, which must not care where they come from."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from sync import messages as m
from sync.messages import AnyEvent, UnknownEvent

Forecasts = Callable[[Sequence[AnyEvent | UnknownEvent]], list[dict[str, Any]]]
"""The rows for the tickets that some events issue."""
ENDS_MS = ((-1_000, 1_000), (0, 60_000), (-60_000, 0), (1, 60_000), (-60_000, -1))
"""Where intervals begin and end from the wait that came; the last two do not contain it."""


def of_any_kind(rng: random.Random) -> Forecasts:
    """By chance, whatever the wait becomes."""

    def rows(events: Sequence[AnyEvent | UnknownEvent]) -> list[dict[str, Any]]:
        found = []
        for event in events:
            if isinstance(event, m.TicketIssued) and not event.data.counter:
                p10 = rng.choice((0, 1, 1, 240_000))
                p90 = p10 and p10 + rng.choice((60_000, 900_000))
                known = rng.random() < 0.8
                quantiles = (p10, (p10 + p90) // 2, p90) if known else (None,) * 3
                found.append(
                    _row(event, "qlm" if known else rng.choice(("late", "unknown")), quantiles)
                )
        return found

    return rows


def around(history: Sequence[AnyEvent]) -> Forecasts:
    """For those whom ``history`` calls, by turns such as contain their wait and such as do not."""
    issued = {e.id: e.ts for e in history if isinstance(e, m.TicketIssued)}
    calls = [(e.sub or "", e.ts) for e in history if isinstance(e, m.TicketCalled)]
    waits = {ticket: at - issued[ticket] for ticket, at in reversed(calls)}
    made = {
        ticket: (max(0, wait + low), wait, max(0, wait + high))
        for (ticket, wait), (low, high) in zip(
            waits.items(), itertools.cycle(ENDS_MS), strict=False
        )
    }

    def rows(events: Sequence[AnyEvent | UnknownEvent]) -> list[dict[str, Any]]:
        return [
            _row(event, "qlm", made[event.id])
            for event in events
            if isinstance(event, m.TicketIssued) and event.id in made
        ]

    return rows


def _row(event: m.TicketIssued, rung: str, quantiles: tuple[int | None, ...]) -> dict[str, Any]:
    return {
        "ticket": event.id, "service": event.data.service, "segment": "", "rung": rung,
        "ahead": None, **dict(zip(("p10_ms", "p50_ms", "p90_ms"), quantiles, strict=True)),
    }  # fmt: skip
