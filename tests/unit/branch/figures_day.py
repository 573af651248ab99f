"""A day of the real kiosk, its pads and the real branch server on virtual time: people come, wait,
leave, rate or do not; some press without being asked.
"""

import asyncio
import random

from branch.commands import OpenCounter
from tests.unit.kiosk.bench import Bench

PEOPLE = 60
TELLERS = {1: "t-12", 2: ""}
"""By counter; nobody signs in at the second one."""


async def play(bench: Bench, rng: random.Random, people: int = PEOPLE) -> None:
    """Play the day on a started bench with pads at counters 1 and 2, one after another where two
    are at once: the bench has one pair of hands.
    """
    for counter, teller in TELLERS.items():
        if teller:
            await bench.branch.perform(counter, OpenCounter(teller=teller), "morning")
    done = asyncio.Event()
    tellers = [asyncio.create_task(_serve(bench, rng, n, done)) for n in TELLERS]
    for _ in range(people):
        await asyncio.sleep(rng.expovariate(1 / 50))
        view = await bench.take(rng.choice("AAABBP"))
        if rng.random() < 0.15:
            asyncio.create_task(_leave(bench, view.number, rng.uniform(30, 900)))  # noqa: RUF006
    done.set()
    await asyncio.gather(*tellers)
    await asyncio.sleep(60)


async def _leave(bench: Bench, number: str, patience_s: float) -> None:
    await asyncio.sleep(patience_s)
    for ticket in bench.branch.engine.tickets.values():
        if ticket.number == number and ticket.phase.value == "waiting":
            bench.branch.abandon(ticket.id)
            return


async def _serve(bench: Bench, rng: random.Random, counter: int, done: asyncio.Event) -> None:
    branch, turn = bench.branch, 0
    while not done.is_set() or branch.engine.waiting("ABP"):
        turn += 1
        key = f"{counter}-{turn}"
        if branch.engine.next_for(counter, bench.clock().wall_ms()) is None:
            await asyncio.sleep(5)
            continue
        await branch.call_next(counter, f"c{key}")
        await asyncio.sleep(rng.uniform(5, 20))
        if rng.random() < 0.08:
            await branch.miss(counter, f"m{key}")
            continue
        if rng.random() < 0.9:
            await branch.start(counter, f"s{key}")
        await asyncio.sleep(rng.lognormvariate(4.6, 0.6))
        await branch.finish(counter, f"f{key}")
        if counter in bench.pads:
            await asyncio.sleep(rng.uniform(1, 7))
            if rng.random() < 0.7:
                await bench.pads[counter].press(rng.choice((1, 2, 3, 4, 4, 5, 5, 5, 5)))
            elif rng.random() < 0.3:
                await asyncio.sleep(30)  # the pad is dark again
                await bench.pads[counter].press(5)
