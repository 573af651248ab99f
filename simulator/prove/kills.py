"""``lobby prove kills``: kiosks, branch server and broker are killed (SIGKILL) over and over, at
random moments and at every named crash point, while visitors take tickets and tellers call them.

The programs are those of :mod:`simulator.prove.programs`: real journal, outbox, printer driver,
MQTT client, mosquitto, ingest, store and service; the window and the web pages are not part of
this proof. Each program is started again as soon as it is dead, so the faults of one meet those of
the others. Its fate is drawn at its birth: to die at a crash point's n-th passing, to be killed at
a random moment, alone or together with another. The seed draws the fates; what the programs do
until then is real time, so a run with the same seed is alike and not the same.

A day is some hundred kills on fresh files. In the evening everything is started, drained and
stopped in good order, and the witness counts. ``rounds`` is the least number of kills; the run
goes on until every crash point of the two programs was hit often enough.
"""

import asyncio
import contextlib
import random
import shutil
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import BadInput, NotStarted
from simulator.prove.programs import COUNTERS
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.stand import BRANCH, Program, Stand
from simulator.prove.tellers import Tellers
from sync.crashpoint import CRASH_POINTS

ROUNDS = 200
DAY_KILLS = 100
POINT_HITS = 10
"""Each crash point is hit this often, or a fortieth of the rounds if that is less."""
KIOSK_POINTS = tuple(p for p in CRASH_POINTS if p.startswith(("journal.", "kiosk.", "outbox.")))
BRANCH_POINTS = tuple(p for p in CRASH_POINTS if p.startswith(("ingest.", "service.")))
PASSINGS = {
    "outbox.welcomed": 1,
    "ingest.welcomed": 2,
    "outbox.acked": 2,
    "outbox.": 6,
    "ingest.": 3,
    "service.": 6,
    "": 20,
}
"""A point is passed at most this often before it kills: how often a life of this length meets it.
The first prefix that fits counts. On a slow machine a life meets it less often, so each life that
misses a point halves it there.
"""
GIVE_UP = 5
"""So many times the rounds, whatever was hit."""
NAMED_SHARE = 0.6
"""Of the lives that end at a crash point, once all were hit often enough."""
NAMED_S = 3.0
"""A life that has not reached its point so long after it was up is killed."""
MOMENT_MS = (5, 250)
LONG_SHARE, LONG_MS = 0.08, (400, 1_200)
"""Some lives are long enough to catch up."""
FEED_MS = (2_000, 5_000)
"""How long a kiosk lives while only the branch has points to reach: it meets those with events."""
TOGETHER = 0.1
"""Share of the random kills that take another program along."""
PAUSE_MS = (0, 60)
BROKER_EVERY_S = (1.0, 4.0)
BROKER_AWAY_S = (0.0, 0.3)
SAY_EVERY_S = 5.0
KEPT = Path("out/prove-kills")
"""Where the files of a day with violations stay."""


@dataclass(slots=True)
class _Tally:
    """What all days have counted."""

    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    days: int = 0
    shown: int = 0

    def enough(self, options: ProveOptions, today: Counter[str]) -> bool:
        """Whether nothing is left to do; ``today`` are the hits of a day that is not over."""
        rounds = options.rounds or ROUNDS
        need, hits = self.need(rounds), self.points + today
        hit = all(hits[point] >= need for point in KIOSK_POINTS + BRANCH_POINTS)
        return self.kills.total() >= rounds and (hit or self.kills.total() >= GIVE_UP * rounds)

    @staticmethod
    def need(rounds: int) -> int:
        """Hits that each crash point needs."""
        return min(POINT_HITS, rounds // 40)


def run(options: ProveOptions, say: Say) -> Proof:
    """Kill until it is enough; see the module. Raises SimulatorError."""
    if options.without:
        raise BadInput("prove kills has nothing to switch off; leave out --without")
    rounds = options.rounds or ROUNDS
    proof = Proof("kills", rounds, options.seed)
    tally = _Tally()
    asyncio.run(_run(options, say, proof, tally))
    need = tally.need(rounds)
    for point in KIOSK_POINTS + BRANCH_POINTS:
        if tally.points[point] < need:
            proof.violate(f"crash point {point} was hit {tally.points[point]} times, not {need}")
    kills = tally.kills.total()
    proof.details = {
        "kills": kills,
        "kills_by_victim": dict(sorted(tally.kills.items())),
        "crash_points": {p: tally.points[p] for p in KIOSK_POINTS + BRANCH_POINTS},
        "points_not_reached": dict(sorted(tally.missed.items())),
        "days": tally.days,
        "tickets_per_kill": round(proof.stored / max(1, kills), 1),
        **dict(sorted(tally.figures.items())),
        "errors_logged": dict(sorted(tally.errors.items())),
    }
    return proof


async def _run(options: ProveOptions, say: Say, proof: Proof, tally: _Tally) -> None:
    chance = random.Random(options.seed)
    saying = asyncio.create_task(_keep_saying(say, proof, tally))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, options.jobs)):
                group.create_task(_days(options, proof, tally, chance, say))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        saying.cancel()


async def _days(
    options: ProveOptions, proof: Proof, tally: _Tally, chance: random.Random, say: Say
) -> None:
    while not tally.enough(options, Counter()):
        tally.days += 1
        number = tally.days
        day = _Day(options, tally, proof, number, chance.getrandbits(32))
        violations = proof.violation_count
        await day.run()
        if proof.violation_count > violations:
            kept = KEPT / f"seed-{options.seed}-day-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(day.folder, kept)
            say(proof.violations[-1])
            say(f"its files are kept in {kept}")
        shutil.rmtree(day.folder)


async def _keep_saying(say: Say, proof: Proof, tally: _Tally) -> None:
    began_s = time.monotonic()
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        say(
            f"{time.monotonic() - began_s:5.0f} s  {tally.kills.total()} kills,"
            f" {tally.shown} numbers shown, {proof.violation_count} violations"
        )


class _Day:
    """One day: fresh files, some hundred kills, the count in the evening."""

    def __init__(
        self, options: ProveOptions, tally: _Tally, proof: Proof, number: int, seed: int
    ) -> None:
        self.folder = options.folder / f"day-{number}"
        self._options = options
        self._tally = tally
        self._proof = proof
        self._number = number
        self._chance = random.Random(seed)
        self._stand = Stand(self.folder, seed=seed, heard=self._heard)
        self._tellers = Tellers(self._stand, COUNTERS, seed=seed)
        self._kills = self._seen = 0
        self._points: dict[str, Counter[str]] = defaultdict(Counter)
        self._counters: dict[str, int] = {}
        self._busy = asyncio.Event()

    async def run(self) -> None:
        """Live through it."""
        async with self._stand as stand:
            working = asyncio.create_task(self._tellers.work())
            broker = asyncio.create_task(self._kill_broker())
            try:
                async with asyncio.TaskGroup() as group:
                    for name in (BRANCH, *stand.kiosks):
                        group.create_task(self._lives(name))
                broker.cancel()
                await asyncio.gather(broker, return_exceptions=True)
                await self._evening(working)
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            finally:
                for task in (broker, working):
                    task.cancel()
                await asyncio.gather(broker, working, return_exceptions=True)

    @property
    def _over(self) -> bool:
        return self._kills >= DAY_KILLS or self._tally.enough(self._options, self._today)

    @property
    def _today(self) -> Counter[str]:
        """Hits of crash points until now; the tally has them in the evening."""
        return sum(self._points.values(), Counter())

    async def _lives(self, name: str) -> None:
        """Start, die, start again."""
        stand = self._stand
        while not self._over:
            point = self._point(name)
            program = await stand.start(name, crash=point, wait_up=False)
            if point:
                await self._at_point(program, point)
            else:
                await self._at_random(program)
            await program.ended()
            self._count(program, point)
            await asyncio.sleep(self._uniform_ms(PAUSE_MS))

    def _point(self, name: str) -> str:
        """The crash point at which the next life ends, "" for a random moment."""
        behind = self._behind(name)
        points = BRANCH_POINTS if name == BRANCH else KIOSK_POINTS
        if self._only_feeds(name):
            return ""
        share = 0.9 if behind else NAMED_SHARE
        if self._chance.random() >= share:
            return ""
        point = self._chance.choice(behind or points)
        most = next(n for prefix, n in PASSINGS.items() if point.startswith(prefix))
        most = max(1, most >> self._tally.missed[point])
        return f"{point}:{self._chance.randint(1, most)}"

    def _behind(self, name: str) -> list[str]:
        """The points of a program that were not hit often enough."""
        points = BRANCH_POINTS if name == BRANCH else KIOSK_POINTS
        hits = self._tally.points + self._today
        need = self._tally.need(self._options.rounds or ROUNDS)
        return [point for point in points if hits[point] < need]

    def _only_feeds(self, name: str) -> bool:
        """Whether a kiosk has nothing left to reach, but the branch has."""
        return name != BRANCH and not self._behind(name) and bool(self._behind(BRANCH))

    async def _at_point(self, program: Program, point: str) -> None:
        await program.wait_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NAMED_S):
                await program.ended()
                return
        self._tally.missed[point.partition(":")[0]] += 1
        program.kill()

    async def _at_random(self, program: Program) -> None:
        if not await program.wait_up():
            return
        if program.name == BRANCH and self._chance.random() < 0.5:
            self._busy.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._busy.wait()
        bounds_ms = LONG_MS if self._chance.random() < LONG_SHARE else MOMENT_MS
        if self._only_feeds(program.name):
            bounds_ms = FEED_MS
        await asyncio.sleep(self._uniform_ms(bounds_ms))
        if self._chance.random() < TOGETHER:
            self._chance.choice(list(self._stand.programs.values())).kill()
        program.kill()

    def _count(self, program: Program, point: str) -> None:
        """Note a death; one that nobody ordered is a violation."""
        stand, name = self._stand, program.name
        self._kills += 1
        self._tally.kills[name.rpartition("-")[0]] += 1
        crashes = Counter(stand.crashes(name))
        if not program.killed and crashes == self._points[name]:
            self._proof.violate(f"{name} ended by itself: {stand.last_words(name)[-300:]}")
        self._points[name] = crashes
        self._tally.shown += len(stand.witness.seen) - self._seen
        self._seen = len(stand.witness.seen)
        if name == BRANCH:
            self._add_counters()

    async def _kill_broker(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*BROKER_EVERY_S))
            self._kills += 1
            self._tally.kills["broker"] += 1
            away_s = self._chance.uniform(*BROKER_AWAY_S)
            await asyncio.shield(self._stand.kill_broker(away_s))

    async def _evening(self, working: "asyncio.Task[None]") -> None:
        """Everything up, the last tickets called, drained, stopped; then count."""
        stand, proof, tally = self._stand, self._proof, self._tally
        for name in (BRANCH, *stand.kiosks):
            if not stand.programs[name].alive:
                await stand.start(name)
        working.cancel()
        began_s = time.monotonic()
        try:
            drained = await stand.settle()
        except NotStarted as error:
            proof.violate(f"day {self._number}: {error}")
            return
        tally.figures["drain_ms_most"] = max(
            tally.figures["drain_ms_most"], round((time.monotonic() - began_s) * 1000)
        )
        self._add_counters()
        if not drained:
            proof.violate(f"day {self._number}: the backlog did not drain")
        verdict = stand.judge()
        proof.count(verdict, f"day {self._number}")
        for name, value in verdict.figures.items():
            if name == "epochs":
                tally.figures[name] = max(tally.figures[name], value)
            else:
                tally.figures[name] += value
        tally.figures["tellers_asked_again"] += self._tellers.asked_again
        for refusal, count in self._tellers.contradicted.items():
            proof.violate(f"day {self._number}: tellers were refused {count} times: {refusal}")
        for name in (BRANCH, *stand.kiosks):
            tally.points += self._points[name]
            tally.errors += stand.logged(name)

    def _heard(self, name: str, line: dict[str, Any]) -> None:
        if name != BRANCH:
            return
        self._tellers.heard(line)
        if line["did"] == "counters":
            self._counters = line
            if line["events"] or line["duplicates"]:
                self._busy.set()

    def _add_counters(self) -> None:
        """What the server counted in the life that has just ended."""
        told, self._counters = self._counters, {}
        self._tally.figures["redeliveries"] += told.get("duplicates", 0)
        for name in ("skipped_events", "failed_handlers", "bad_messages", "quarantined"):
            if told.get(name):
                self._tally.figures[name] += told[name]
                self._proof.violate(f"day {self._number}: the server counts {name} {told[name]}")

    def _uniform_ms(self, bounds: tuple[int, int]) -> float:
        return self._chance.uniform(*bounds) / 1000
