"""``lobby prove presses``: presses on rating pads, through cuts of power and cable and deaths of
the kiosk, at random moments; each counts once, and none is lost that was shown as accepted.

Real are MicroPython and the pad's program, littlefs, the ptys, drivers, PressKeeper and the
kiosk's journal (SQLite, FULL). Of the branch there is nothing: who asks for a rating is the proof.

    power       SIGKILL of the interpreter, while it stays plugged in, or is unplugged, or reset
    torn_write  SIGKILL inside a write or erase of its flash, which is left torn
    cable       the host's port is gone, the pad goes on (a pad with power of its own)
    kiosk       SIGKILL of the kiosk's process, at random, or at a crash point of its journal

The oracle presses keys and looks at lamps (simulator.prove.presses_pad): accepted is the pressed
key's lamp alone, with 谢谢 on the display. At the end everything is plugged in, then everything is
switched off and on once more, so that whatever is repeated comes; and the journal is read with
plain SQL. ``rounds`` is the number of presses. ``--without save``: the pad does not write presses
to its flash. ``--without journal``: the host acknowledges before it has committed. The seed draws
what happens; the moments are real time, so a run with the same seed is alike and not the same.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hal.errors import HalError
from hal.sim.micropython import micropython_path
from simulator.errors import BadInput, MissingProgram, NotStarted
from simulator.prove.presses_kiosk import Kiosk, Place
from simulator.prove.presses_pad import Attempt, Player
from simulator.prove.proof import Proof, ProveOptions, Say

ROUNDS = 300
PADS = 24
SETTLE_S = 30.0
QUIET_S = 3.0
"""A pad that was greeted repeats what it has within 2 s."""
GIVE_UP_S = 8.0
"""What was shown and has not come after so long a silence does not come."""
LOOK_S = 0.25
SAY_EVERY_S = 10.0
PROMISES = frozenset({"save", "journal"})


@dataclass(frozen=True, slots=True)
class Stored:
    """One press in the journal; ``nonce`` 0: unsolicited. ``name`` is what the pad called it."""

    counter: int
    nonce: int
    score: int
    name: tuple[str, int, int]


def run(options: ProveOptions, say: Say) -> Proof:
    """Press until it is enough; see the module. Raises BadInput, MissingProgram, NotStarted."""
    if unknown := options.without - PROMISES:
        raise BadInput(f"--without {min(unknown)}: there are {', '.join(sorted(PROMISES))}")
    try:
        micropython_path()
    except HalError as error:
        raise MissingProgram(str(error)) from error
    proof = Proof("presses", options.rounds or ROUNDS, options.seed)
    try:
        asyncio.run(_Run(options, proof, say).run())
    except HalError as error:
        raise NotStarted(str(error)) from error
    return proof


class _Run:
    """All pads, their kiosk, and the count at the end."""

    def __init__(self, options: ProveOptions, proof: Proof, say: Say) -> None:
        chance = random.Random(options.seed)
        folder = options.folder
        counters = range(1, min(PADS, proof.rounds) + 1)
        ports = {counter: str(folder / f"pad-{counter}.line") for counter in counters}
        place = Place(str(folder), ports, "journal" not in options.without)
        self._proof = proof
        self._say = say
        self._journal = place.journal
        self._kiosk = Kiosk(place, random.Random(chance.random()))
        without = "save" if "save" in options.without else ""
        self._players = [
            Player(folder, counter, self._kiosk, random.Random(chance.random()), without)
            for counter in counters
        ]
        (folder / "pads").mkdir()
        for player in self._players:
            player.pad.share_key(folder / "pads")
        self._begun = self._nonces = 0

    async def run(self) -> None:
        """From the first press to the verdict. Raises HalError."""
        saying = asyncio.create_task(self._keep_saying())
        try:
            for player in self._players:
                await player.plug_in(fate=False)
            self._kiosk.start()
            try:
                async with asyncio.TaskGroup() as group:
                    for player in self._players:
                        group.create_task(self._play(player))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            await self._everything_on(GIVE_UP_S)
            for player in self._players:
                await player.unplug()
            before = len(stored_in(self._journal))
            await self._everything_on(QUIET_S)
            self._proof.details["came_with_the_last_start"] = (
                len(stored_in(self._journal)) - before
            )
        finally:
            saying.cancel()
            await self._kiosk.stop()
            for player in self._players:
                await player.close()
        self._report()

    async def _play(self, player: Player) -> None:
        while self._begun < self._proof.rounds:
            self._begun += 1
            self._nonces += 1
            if not await player.press_once(self._nonces):
                self._begun -= 1

    @property
    def _made(self) -> int:
        return sum(len(player.attempts) for player in self._players)

    async def _everything_on(self, give_up_s: float) -> None:
        """Plugged in, the kiosk up; until everything shown is there and nothing more comes, or
        nothing has come for ``give_up_s``.
        """
        await self._kiosk.restart_steady()
        for player in self._players:
            await player.plug_in(fate=False)
        until_s = time.monotonic() + SETTLE_S
        quiet_since_s, count = time.monotonic(), -1
        shown = {a.nonce for player in self._players for a in player.attempts if a.shown}
        while time.monotonic() < until_s:
            rows = stored_in(self._journal)
            if len(rows) != count:
                quiet_since_s, count = time.monotonic(), len(rows)
            missing = shown - {row.nonce for row in rows}
            if time.monotonic() - quiet_since_s >= (give_up_s if missing else QUIET_S):
                return
            await asyncio.sleep(LOOK_S)

    async def _keep_saying(self) -> None:
        began_s = time.monotonic()
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            cuts = sum((player.cuts for player in self._players), self._kiosk.cuts)
            self._say(
                f"{time.monotonic() - began_s:5.0f} s  {self._made} presses, {cuts.total()} cuts"
            )

    def _report(self) -> None:
        attempts = [attempt for player in self._players for attempt in player.attempts]
        rows = stored_in(self._journal)
        judge(self._proof, attempts, rows)
        for fault in self._kiosk.faults:
            self._proof.violate(fault)
        for player in self._players:
            if said := player.pad.error_path.read_text("utf-8", "replace"):
                self._proof.violate(f"pad {player.counter} ended by itself: {said[-300:]}")
        cuts = sum((player.cuts for player in self._players), self._kiosk.cuts)
        self._proof.details |= {
            "pads": len(self._players),
            "armed": sum(attempt.nonce > 0 for attempt in attempts),
            "unarmed": sum(not attempt.nonce for attempt in attempts),
            "stored_unsolicited": sum(not row.nonce for row in rows),
            "cuts": cuts.total(),
            **{f"cut_{name}": cuts[name] for name in sorted(cuts)},
            "restored": self._kiosk.restored,
            "repeats": self._kiosk.repeats,
            "saves": sum(player.saves for player in self._players),
            "not_armed_in_time": sum(player.not_armed for player in self._players),
        }


def stored_in(journal: Path) -> list[Stored]:
    """Every press in a kiosk's journal, read from outside."""
    sql = "SELECT raw FROM event WHERE type IN ('rating.submitted', 'rating.unsolicited')"
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)) as db:
        events: list[dict[str, Any]] = [json.loads(raw) for (raw,) in db.execute(sql)]
    found = []
    for data in (event["data"] for event in events):
        pad = data["pad"]
        name = (pad["unique_id"], pad["boot_id"], pad["seq"])
        found.append(Stored(data["counter"], data.get("nonce", 0), data["score_1to5"], name))
    return found


def judge(proof: Proof, attempts: list[Attempt], rows: list[Stored]) -> None:
    """Compare what was pressed, and shown, with what is stored; all wrongs go into ``proof``.

    A press that was armed when the visitor looked, and not any more when he pressed, may be there
    as one that nobody had asked for.
    """
    proof.shown = sum(attempt.shown for attempt in attempts)
    proof.stored = len(rows)
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            proof.doubled += count - 1
            proof.violate(f"the press {name} is stored {count} times")
    armed = {attempt.nonce: attempt for attempt in attempts if attempt.nonce}
    by_nonce = Counter(row.nonce for row in rows if row.nonce)
    for nonce, count in by_nonce.items():
        if count > 1:
            proof.doubled += count - 1
            proof.violate(f"visit {nonce} has {count} ratings")
    for row in rows:
        attempt = armed.get(row.nonce)
        if row.nonce and attempt is None:
            proof.ghosts += 1
            proof.violate(f"visit {row.nonce} has a rating, and nobody pressed")
        elif attempt and (attempt.counter, attempt.score) != (row.counter, row.score):
            proof.violate(
                f"visit {row.nonce}: key {attempt.score} was pressed at counter"
                f" {attempt.counter}, {row.score} of counter {row.counter} is stored"
            )
    for nonce, attempt in armed.items():
        if attempt.shown and not by_nonce[nonce]:
            proof.lost += 1
            proof.violate(
                f"counter {attempt.counter} showed the rating {attempt.score} of visit {nonce} as"
                " accepted, and it is not stored"
            )
    may_be = Counter(
        (attempt.counter, attempt.score) for attempt in attempts if not by_nonce[attempt.nonce]
    )
    unasked = Counter((row.counter, row.score) for row in rows if not row.nonce)
    for (counter, score), count in (unasked - may_be).items():
        proof.ghosts += count
        proof.violate(f"counter {counter}: {count} unsolicited presses of {score} too many")
