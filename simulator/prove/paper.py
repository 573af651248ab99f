"""``lobby prove paper``: the printer is broken in every way at every step of a ticket, and of its
reprint, while visitors take tickets on virtual time; every slip belongs to one ticket, and no
ticket is live without a slip or a visitor who said that he has the number.

Real are the kiosk's controller, journal (SQLite, FULL), outbox and printer driver and the branch's
service and store; at the far end of the wire is the ESC/POS machine of hal.sim in four makes (some
cannot clear their buffer, some have a slow line). The window, the broker and the cable's own noise
are not part of this proof. Faults:

    paper_out, near_end, cover (opened), cutter (jams), unplugged, switched_off,
    power_cut (off, on again in a second or two),
    mute (the printer's answers are lost), deaf (the host's bytes are lost)

A fault is mended soon, while the visitor looks at the screen, or long after. ``rounds`` is how
often each fault meets each step; the oracle has what visitors saw and did and the paper in the
tray, and reads both ledgers by plain SQL.

``--without confirm``: the printer's word is taken for "printed" when the bytes were sent, as most
programs do. ``--without once``: a number may be printed any number of times.
"""

import itertools
import multiprocessing
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import kiosk.paper
from hal.api import Paper, PrintResult
from hal.registry import backend
from simulator import vtime
from simulator.errors import BadInput
from simulator.prove.paper_hall import (
    FAULTS,
    KIOSK,
    MAKES,
    MENDED_S,
    STEPS,
    Broken,
    Hall,
    Printers,
    Round,
    Seen,
)
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.seeds import quiet
from simulator.prove.witness import Witness

ROUNDS = 2
A_HALL = 60
"""Rounds on one pair of databases."""
PROMISES = frozenset({"confirm", "once"})
NUMBER = re.compile(r"[A-Z][0-9]{3,4}")
REFERENCE = re.compile(r"\b([0-9a-f]{4}-[0-9a-f]{4})\b")
COPY_WORDS = ("补打", "Printed again")
ALERT_MS = 5_000
STAFF_SEE = frozenset({"paper_out", "near_end", "cover", "unplugged", "switched_off"})
"""Faults that are there without a slip too. The others show at the next slip or question."""
AGAIN_AND_AGAIN = 9


@dataclass(frozen=True, slots=True)
class _Work:
    """One hall's share, as it goes to a process."""

    folder: str
    index: int
    seed: int
    rounds: list[Round]
    without: frozenset[str]


def run(options: ProveOptions, say: Say) -> Proof:
    """Break and mend until each fault has met each step often enough. Raises SimulatorError."""
    if unknown := options.without - PROMISES:
        raise BadInput(f"--without {min(unknown)}: there are {', '.join(sorted(PROMISES))}")
    rounds = options.rounds or ROUNDS
    proof = Proof("paper", rounds, options.seed)
    planned = plan(rounds, options.seed)
    chance = random.Random(options.seed)
    works = [
        _Work(
            str(options.folder / f"hall-{index}"),
            index,
            chance.getrandbits(32),
            planned[start : start + A_HALL],
            options.without,
        )
        for index, start in enumerate(range(0, len(planned), A_HALL))
    ]
    figures: Counter[str] = Counter()
    met: Counter[str] = Counter()
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.jobs, initializer=quiet) as pool:
        for work, seen in zip(works, pool.imap(_play, works), strict=True):
            judge(proof, seen, Path(work.folder), figures, f"hall {work.index}")
            met.update(broken.fault for broken in seen.broken)
            if work.index % 10 == 9:
                say(f"{proof.shown} numbers shown, {sum(met.values())} faults")
    proof.details = {
        "faults": sum(met.values()),
        **{f"fault_{name}": met[name] for name in FAULTS},
        "steps": len(STEPS) * 2,
        **dict(sorted(figures.items())),
    }
    for name in FAULTS:
        if not met[name]:
            proof.violate(f"the fault {name} never came about: nothing was proved of it")
    return proof


def plan(rounds: int, seed: int) -> list[Round]:
    """Every fault at every step of both attempts, ``rounds`` times, in an order of chance."""
    chance = random.Random(seed)
    cells = list(itertools.product(FAULTS, STEPS, (1, 2)))
    planned = [
        Round(fault, step, attempt, chance.choice(list(MENDED_S)))
        for _ in range(rounds)
        for fault, step, attempt in cells
    ]
    chance.shuffle(planned)
    return planned


def _play(work: _Work) -> Seen:
    """One hall, in whatever process."""
    with _once_off(off="once" in work.without):
        hall = Hall(
            Path(work.folder), MAKES[work.index % len(MAKES)], _printers(work.without), work.seed
        )
        return vtime.run(hall.run(work.rounds))


def _printers(without: frozenset[str]) -> Printers:
    driver: Any = backend("printer", "escpos")
    if "confirm" not in without:
        return driver  # type: ignore[no-any-return]

    class TrustsBytes(driver):  # type: ignore[misc]
        """Takes "sent" for "printed"."""

        async def print_slip(self, *args: Any, **more: Any) -> PrintResult:
            result: PrintResult = await super().print_slip(*args, **more)
            sent = result.paper is Paper.UNKNOWN
            return PrintResult(Paper.PRINTED) if sent else result

    return TrustsBytes


@contextmanager
def _once_off(*, off: bool) -> Iterator[None]:
    kept = kiosk.paper.ATTEMPTS
    if off:
        kiosk.paper.ATTEMPTS = AGAIN_AND_AGAIN
    try:
        yield
    finally:
        kiosk.paper.ATTEMPTS = kept


# --- the count ---------------------------------------------------------------------------------


def judge(proof: Proof, seen: Seen, folder: Path, figures: Counter[str], where: str) -> None:
    """Compare what visitors saw and held with both ledgers; all wrongs go into ``proof``."""
    witness = Witness()
    for touch in seen.tapped:
        witness.tapped(touch)
    for number in seen.shown:
        witness.shown(KIOSK, number)
    slips: list[tuple[str, tuple[str, ...]]] = []
    for number, lines, whole in seen.paper:
        # The tail of a slip whose head was torn off is paper, and no slip.
        is_slip = whole and NUMBER.fullmatch(number) is not None
        witness.slip(number, lines, complete=is_slip)
        if is_slip:
            slips.append((number, lines))
    verdict = witness.judge(folder / "branch.db", {KIOSK: folder / "journal.db"})
    proof.count(verdict, where)
    for name in ("slips", "scraps", "reprints", "paper_unknown", "voided"):
        figures[name] += verdict.figures[name]
    figures["acknowledged"] += len(seen.acknowledged)
    figures["reprints_asked"] += seen.reprints_asked
    figures["place_not_reached"] += seen.not_met
    for sentence in (
        *_live_without(seen, slips, folder / "journal.db"),
        *_unmarked_copies(slips),
        *_late_alerts(seen.broken, folder / "journal.db", figures),
    ):
        proof.violate(f"{where}: {sentence}")


def _events(journal: Path, *types: str) -> list[dict[str, Any]]:
    marks = ", ".join("?" * len(types))
    sql = f"SELECT raw FROM event WHERE type IN ({marks}) ORDER BY epoch, seq"
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return [msgspec.json.decode(raw) for (raw,) in db.execute(sql, types)]


def _live_without(
    seen: Seen, slips: list[tuple[str, tuple[str, ...]]], journal: Path
) -> Iterator[str]:
    """Tickets that would be called and that nobody has, on paper or by his own word."""
    voided = {event["sub"] for event in _events(journal, "ticket.voided")}
    held = {number for number, _ in slips} | set(seen.acknowledged)
    for event in _events(journal, "ticket.issued"):
        number = event["data"]["number"]
        if event["id"] not in voided and number not in held:
            yield f"{number} is live, without a slip and without an acknowledgement"


def _unmarked_copies(slips: list[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """The second slip of a number says so, the first does not."""
    out: Counter[str] = Counter()
    for number, lines in slips:
        out[number] += 1
        marked = any(word in line for line in lines for word in COPY_WORDS)
        if out[number] > 1 and not marked:
            yield f"{number} came out again and does not say that it is a copy"


def _late_alerts(broken: list[Broken], journal: Path, figures: Counter[str]) -> Iterator[str]:
    """A fault that stays is in the device's row within five seconds."""
    rows = [
        (event["ts"], event["data"]["state"])
        for event in _events(journal, "device.changed")
        if event["data"]["device"] == "printer"
    ]
    for fault in broken:
        due_ms = fault.at_ms + ALERT_MS
        if fault.fault not in STAFF_SEE or fault.mended_ms <= due_ms:
            continue
        figures["alerts_due"] += 1
        states = [state for ts, state in rows if ts <= due_ms]
        if not states or states[-1] == "ok":
            yield f"{fault.fault} at {fault.at_ms} had no row {ALERT_MS} ms later"
