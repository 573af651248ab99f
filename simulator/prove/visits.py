"""``lobby prove visits``: one scripted visitor of each kind at the real kiosk, counted from
outside.

``lobby kiosk`` with its window under Xvfb, ``lobby branch``, mosquitto, as deploy/ configures
them; each visitor has a house of their own, fresh, at 10:24. Printer, card reader, keys and
loudspeakers are simulated at the far end of their wires. After each visitor a teller calls, the
board is read and the hall's loudspeaker heard. Pictures of every step and the transcript are in
``out/visits``; ``make docs`` makes docs/visits.md of them. ``rounds``: how often everybody comes.

Checked: one number, one slip, one ticket of the branch; three taps at most; nothing of a private
client anywhere; in low mode every control in the lower half; without paper the number is
acknowledged; on a full disk no number; no text that does not fit; what was issued offline reaches
the branch; a code is one ticket, however often it is shown; who does not see hears the number
that was issued, and touches nothing. ``--without taps``, ``slip``, ``secret``, ``low``,
``acknowledge``, ``disk``, ``sync``, ``code`` and ``ear`` spoil one visit each, to see it fail.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from simulator.errors import BadInput
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.small_disk import SmallDisk, mounts_of_our_own
from simulator.prove.visits_house import House
from simulator.prove.visits_oracle import judge
from simulator.prove.visits_people import Lost, Visitor
from simulator.prove.visits_scripts import DISK_BYTES, LEFT_BYTES, SCRIPTS, SPOILS, Script
from simulator.prove.visits_transcript import Visit

OUT = Path("out/visits")
TRANSCRIPT = "visits.json"
CALLS = {"A": 1, "B": 2, "C": 3, "D": 4, "P": 1}
"""Which counter calls a number of this letter."""


def run(options: ProveOptions, say: Say) -> Proof:
    """Play them; see the module. Raises BadInput, MissingProgram, NotStarted."""
    if options.without - set(SPOILS) or len(options.without) > 1:
        raise BadInput(f"--without: one of {', '.join(sorted(SPOILS))}")
    scripts = [
        script
        for script in SCRIPTS
        if not options.without or script.name in {SPOILS[spoil] for spoil in options.without}
    ]
    shutil.rmtree(OUT, ignore_errors=True)  # of the run before
    OUT.mkdir(parents=True)
    rounds = options.rounds or 1
    proof = Proof("visits", rounds, options.seed)
    visits: list[Visit] = []
    with mounts_of_our_own():
        for number in range(1, rounds + 1):
            folder = options.folder / f"round-{number}"
            visits = asyncio.run(
                played(folder, OUT, scripts, spoiled=options.without, jobs=options.jobs)
            )
            for script, visit in zip(scripts, visits, strict=True):
                for sentence in judge(visit, ends=script.ends, segment=script.segment):
                    proof.violate(sentence)
                proof.shown += len({number for _, number in visit.numbers})
                proof.stored += len(visit.tickets)
    (OUT / TRANSCRIPT).write_bytes(msgspec.json.format(msgspec.json.encode(visits)))
    proof.details = {
        visit.name: f"{visit.ticket_taps} taps to the ticket"
        + (f", {visit.ticket_presses} keys" if visit.ticket_presses else "")
        + (f", {visit.mode_taps} before them for the mode" if visit.mode_taps else "")
        + f", {sum(bool(step.picture) for step in visit.steps)} pictures"
        for visit in visits
    }
    say(f"transcript and pictures: {OUT}")
    return proof


async def played(
    folder: Path,
    out: Path,
    scripts: Sequence[Script],
    *,
    spoiled: frozenset[str] = frozenset(),
    jobs: int = 1,
) -> list[Visit]:
    """Each visitor in a house of their own, ``jobs`` houses at a time; pictures go to ``out``.
    Raises MissingProgram, NotStarted.
    """
    turns = asyncio.Semaphore(jobs)

    async def one(script: Script) -> Visit:
        async with turns:
            return await _visit(folder / script.name, out, script, spoiled)

    return list(await asyncio.gather(*map(one, scripts)))


async def _visit(folder: Path, out: Path, script: Script, spoiled: frozenset[str]) -> Visit:
    visit = Visit(script.name, script.title)
    disk = SmallDisk(folder / "disk", DISK_BYTES) if script.disk else None
    if disk is not None:
        disk.fill(LEFT_BYTES)
    house = House(folder, disk.folder / "kiosk" if disk else None, guide=script.guide)
    house.copies = 2 if "slip" in spoiled else 1
    try:
        async with house.open(_changes(spoiled)):
            try:
                await script.play(Visitor(house, visit, out, spoiled), disk)
            except Lost as error:
                visit.facts["lost"] = str(error)
            await _count(house, visit, spoiled)
    finally:
        if disk is not None:
            disk.unmount()
    return visit


async def _count(house: House, visit: Visit, spoiled: frozenset[str]) -> None:
    """What is on paper, in the databases, on the board and in the air when the visitor sits."""
    visit.slips = house.slips()
    visit.events = [event for event in house.events() if event[0].startswith("ticket.")]
    visit.paper = house.paper()
    if "sync" in spoiled or "lost" in visit.facts:
        return
    await house.drained()
    visit.tickets = house.tickets()
    for row in visit.tickets:
        await house.call(CALLS[row["number"][0]])
    if visit.tickets:
        await house.until(house.speaker.heard)
    visit.heard = [heard.said for heard in house.speaker.heard()]
    visit.board = await house.board()


def _changes(spoiled: frozenset[str]) -> Callable[[dict[str, Any]], None]:
    """The change to the kiosk's configuration that gives a secret away, or none."""

    def change(kiosk: dict[str, Any]) -> None:
        if "secret" in spoiled:
            kiosk["services"][0]["zh"] += " VIP"

    return change
