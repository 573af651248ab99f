"""``lobby prove day``: the kiosk's window through days of use, and what it takes of the machine.

The branch of ``lobby demo``, all of it real: broker, server, kiosk window under Xvfb, a printer
behind a pty, pads with their firmware; simulated people who take tickets, change the language,
switch modes on and stand there until they are asked whether they do. ``rounds`` are hours of the
branch, the short form one. Visits are made one after the other, 60 times as fast as
they would come; what passes in real time alone (a clock that is drawn each minute) is a sixtieth.
ARRIVALS_PER_HOUR are as many as one screen can take at that pace.

Every few seconds the kiosk's process is looked at. Memory is flat if the median RSS of the last
quarter of the looks is at most 4 MB above that of the second quarter: the first one builds the
screens of every mode. Handles and threads may not be more at all, but for what is open for a
moment. The short form, one hour, still builds screens of modes in its last minutes, each with
letters of new sizes, so it may grow by SHORT: it shows that the day can be played, and finds a
megabyte or a handle that leaks with each visit.
"""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median

from simulator.demo import Demo, DemoOptions
from simulator.errors import BadInput
from simulator.process import Usage, usage
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.screen import Screen

SHORT_H = 1
SPEED = 60.0
LOOKS_AN_HOUR = 12
ARRIVALS_PER_HOUR = 24.0
MODES_SHARE, DAWDLE_SHARE = 0.25, 0.004
GROWTH = 4_000_000, 3
"""Bytes between the two medians, under a thousandth of a Raspberry Pi's memory; handles, for those
that are open for a moment: a file that is written, a connection that is made.
"""
SHORT = 64_000_000, 16
VERSION = "proof"


@dataclass(slots=True)
class Looks:
    """What was seen of the kiosk's process, in order."""

    every_s: float
    seen: list[Usage] = field(default_factory=list)
    frames: tuple[int, int] = (0, 0)
    began_s: float = field(default_factory=time.monotonic)

    async def look(self, pid: int, screen: Screen) -> None:
        """Look until cancelled."""
        while True:
            self.seen.append(usage(pid))
            counted = await screen.ask(op="frames")
            self.frames = counted["drawn"], counted["dropped"]
            await asyncio.sleep(self.every_s)

    def quarter(self, number: int) -> list[Usage]:
        """The looks of the 1st to 4th quarter of the time."""
        size = len(self.seen) // 4
        return self.seen[(number - 1) * size : number * size]


def judge(looks: Looks, allowed: tuple[int, int], proof: Proof) -> None:
    """What grew from the second to the last quarter is a violation; ``allowed`` bytes and
    handles may.
    """
    if len(looks.seen) < 8:
        raise BadInput("too few looks at the kiosk to say anything: give it more hours")
    early, late = looks.quarter(2), looks.quarter(4)
    growth = median(look.rss for look in late) - median(look.rss for look in early)
    if growth > allowed[0]:
        proof.violate(f"memory is not flat: {growth / 1e6:.1f} MB more in the last quarter")
    for name in ("handles", "threads"):
        before, after = (
            median(getattr(look, name) for look in quarter) for quarter in (early, late)
        )
        if after > before + allowed[1]:
            proof.violate(f"{name} are not flat: {before:g} first, {after:g} in the last quarter")


def run(options: ProveOptions, say: Say) -> Proof:
    """Play the hours and judge. Raises BadInput, MissingProgram, NotStarted."""
    if options.without:
        raise BadInput("--without: this proof has no promise to switch off")
    hours = options.rounds or SHORT_H
    real_s = hours * 3600 / SPEED
    looks = Looks(min(3600 / SPEED / LOOKS_AN_HOUR, real_s / 24))
    proof = Proof("day", options.rounds, options.seed)
    counts: dict[str, int] = {}
    demo = Demo(
        DemoOptions(
            minutes=hours * 60, speed=SPEED, seed=options.seed, out=options.folder / "out",
            arrivals_per_hour=ARRIVALS_PER_HOUR, modes_share=MODES_SHARE,
            dawdle_share=DAWDLE_SHARE,
        ),
        VERSION, say, counts.update, looks.look,
    )  # fmt: skip
    table = asyncio.run(demo.run())
    for violation in table["violations"]:
        proof.violate(violation)
    first, last = looks.seen[0], looks.seen[-1]
    judge(looks, GROWTH if hours > SHORT_H else SHORT, proof)
    proof.details |= {
        "hours": hours,
        "looks": len(looks.seen),
        "tickets": counts.get("tickets", 0),
        "modes_chosen": counts.get("modes", 0),
        "warnings": counts.get("warnings", 0),
        "rss_mb": f"{first.rss / 1e6:.1f} at the start, {last.rss / 1e6:.1f} at the end",
        "rss_mb_by_quarter": ", ".join(
            f"{median(look.rss for look in looks.quarter(n)) / 1e6:.1f}" for n in (1, 2, 3, 4)
        ),
        "handles": f"{first.handles} at the start, {last.handles} at the end",
        "threads": f"{first.threads} at the start, {last.threads} at the end",
        "frames": f"{looks.frames[0]} drawn, {looks.frames[1]} dropped",
        "cpu_s": round(last.cpu_s - first.cpu_s, 1),
    }
    return proof
