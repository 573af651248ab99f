"""``lobby prove diskfull``: the disk of a kiosk, of the branch server, or of both is filled to the
last bytes and freed again, over and over, while visitors take tickets and tellers call them.

The programs are those of :mod:`simulator.prove.programs`, the disks are small tmpfs in a mount
namespace of this process: they go with it, however it ends. A round fills and frees. How many
bytes stay free (0 to 64 KiB) comes from the seed, and so does whether the filler also takes what
the program gives back; SQLite so meets the end at different places: the write-ahead log, a
checkpoint, the database, the shared memory file. In a quarter of the rounds the program is killed
while the disk is full and started again, as a supervisor would, until it stays.

While a disk is full: every number that was shown is in the journal at that moment; the kiosk says
that it is out of service, and its log says why; the branch acknowledges nothing that it has not
committed, tellers are told "not stored", and kiosks go on issuing. When there is room again each
must recover by itself in time. On each evening the witness counts, and SQLite checks every page.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import BadInput, NotStarted
from simulator.prove import databases
from simulator.prove.programs import COUNTERS
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.small_disk import SmallDisk, mounts_of_our_own
from simulator.prove.stand import BRANCH, Place, Stand
from simulator.prove.tellers import Tellers

ROUNDS = 3
A_DAY = 4
"""Rounds on one disk: then its database and write-ahead log have filled it themselves."""
KIOSK, NEIGHBOUR = "kiosk-1", "kiosk-2"
"""The neighbour's disk has room."""
SIZES_MB = (7, 8)
PACE_MS = 30.0
"""Between two visitors: a kiosk issues some fifteen tickets a second then."""
LEFT_BYTES = 64 * 1024
GREEDY_SHARE = 0.6
FRESH_SHARE = 0.6
KILLED_SHARE = 0.25
WORK_S = (0.3, 1.5)
"""Time with room, before each fill: the write-ahead log is of another size each time."""
FULL_WITHIN_S = 6.0
FULL_S = (0.3, 2.5)
"""Time on the full disk, once the program has met it."""
KIOSK_BACK_S = 20.0
"""A kiosk looks every 5 s whether it can issue again; the rest is for a busy machine."""
BRANCH_BACK_S = 45.0
"""The longest pause between two tries of a device is 20 s."""
ROOM_BYTES = 1024 * 1024
"""With less than this after a round the disk is used up, and the day is over."""
LOOK_EVERY_S = 0.1
STAFF_SEE = {
    KIOSK: ("ticket.refused", "journal.full"),
    BRANCH: ("ingest.not_committed", "service.not_stored"),
}
"""Lines of their logs; the branch's health names its store's failure besides."""


@dataclass(frozen=True, slots=True)
class Round:
    """One fill: whose disks, bytes left free, whether the filler takes what is given back, whether
    the programs are started anew before it, so that their write-ahead logs are short and must
    grow, and whether they are killed on the full disk.
    """

    victims: tuple[str, ...]
    left: int
    greedy: bool
    fresh: bool
    killed: bool
    work_s: float
    full_s: float


def plan(rounds: int, seed: int) -> list[Round]:
    """The rounds of a run; each three meet the kiosk, the branch, and both."""
    chance = random.Random(seed)
    planned: list[Round] = []
    victims: list[tuple[str, ...]] = []
    for _ in range(rounds):
        if not victims:
            victims = chance.sample([(KIOSK,), (BRANCH,), (KIOSK, BRANCH)], 3)
        planned.append(
            Round(
                victims.pop(),
                left=chance.choice((0, chance.randint(0, LEFT_BYTES))),
                greedy=chance.random() < GREEDY_SHARE,
                fresh=chance.random() < FRESH_SHARE,
                killed=chance.random() < KILLED_SHARE,
                work_s=chance.uniform(*WORK_S),
                full_s=chance.uniform(*FULL_S),
            )
        )
    return planned


@dataclass(slots=True)
class _Tally:
    """What all days have counted."""

    figures: Counter[str] = field(default_factory=Counter)
    customers_saw: Counter[str] = field(default_factory=Counter)
    staff_saw: Counter[str] = field(default_factory=Counter)
    back_ms: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    met: Counter[str] = field(default_factory=Counter)
    """Rounds in which the program noticed, by program."""


def run(options: ProveOptions, say: Say) -> Proof:
    """Fill and free until it is enough; see the module. Raises SimulatorError."""
    if options.without:
        raise BadInput("prove diskfull has nothing to switch off; leave out --without")
    rounds = options.rounds or ROUNDS
    proof = Proof("diskfull", rounds, options.seed)
    tally = _Tally()
    with mounts_of_our_own():
        asyncio.run(_run(options, say, proof, tally, plan(rounds, options.seed)))
    for victim in (KIOSK, BRANCH):
        if rounds >= 3 and not tally.met[victim]:
            proof.violate(f"the disk of {victim} never became full to it: nothing was proved")
    proof.details = {
        "disk_full_met": dict(sorted(tally.met.items())),
        "customers_saw": dict(sorted(tally.customers_saw.items())),
        "staff_saw": dict(sorted(tally.staff_saw.items())),
        "back_ms_most": dict(sorted(tally.back_ms.items())),
        **dict(sorted(tally.figures.items())),
    }
    return proof


async def _run(
    options: ProveOptions, say: Say, proof: Proof, tally: _Tally, rounds: list[Round]
) -> None:
    chance = random.Random(options.seed)
    done = 0
    while done < len(rounds):
        folder = options.folder / f"day-{done + 1}"
        disks: dict[str, SmallDisk] = {}
        try:
            for name in (KIOSK, BRANCH):
                size = chance.choice(SIZES_MB) * 1024 * 1024
                disks[name] = SmallDisk(folder / f"disk-of-{name}", size)
            day = _Day(folder, disks, chance.getrandbits(32), proof, tally, say)
            done += await day.run(rounds[done : done + A_DAY], done + 1)
        finally:
            for disk in disks.values():
                disk.unmount()


class _Day:
    """Fresh disks and files, a few rounds, the count in the evening."""

    def __init__(
        self,
        folder: Path,
        disks: dict[str, SmallDisk],
        seed: int,
        proof: Proof,
        tally: _Tally,
        say: Say,
    ) -> None:
        self._disks = disks
        self._proof = proof
        self._tally = tally
        self._say = say
        self._where = ""
        places = {name: Place(data_dir=disk.folder / "data") for name, disk in disks.items()}
        self._stand = Stand(
            folder, seed=seed, kiosks=(KIOSK, NEIGHBOUR), places=places, pace_ms=PACE_MS,
            heard=self._heard,
        )  # fmt: skip
        self._tellers = Tellers(self._stand, COUNTERS, seed=seed)
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._closed = 0
        self._failed_commits = self._last_count = 0
        self._health: dict[str, Any] = {}

    async def run(self, rounds: list[Round], first: int) -> int:
        """Live through it; returns how many rounds there was room for."""
        done = 0
        async with self._stand as stand:
            for name in (BRANCH, *stand.kiosks):
                await stand.start(name)
            working = asyncio.create_task(self._tellers.work())
            try:
                for number, planned in enumerate(rounds, first):
                    self._where = f"round {number}"
                    await self._round(planned)
                    done += 1
                    if any(disk.free_bytes < ROOM_BYTES for disk in self._disks.values()):
                        break
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
            await self._evening()
        return done

    # --- a round ------------------------------------------------------------------------------

    async def _round(self, planned: Round) -> None:
        await asyncio.sleep(planned.work_s)
        self._say(
            f"{self._where}: {' and '.join(planned.victims)}, {planned.left} bytes left"
            f"{', fresh' if planned.fresh else ''}{', greedy' if planned.greedy else ''}"
            f"{', killed' if planned.killed else ''};"
            f" {len(self._stand.witness.seen)} numbers shown"
        )
        async with asyncio.TaskGroup() as group:
            for victim in planned.victims:
                group.create_task(self._fill_and_free(victim, planned))

    async def _fill_and_free(self, victim: str, planned: Round) -> None:
        disk = self._disks[victim]
        if planned.fresh:
            await self._restart(victim)
        tried = self._trouble(victim)
        issued = self._issued()
        disk.fill(planned.left)
        filling = asyncio.create_task(
            disk.keep_full(planned.left) if planned.greedy else asyncio.sleep(0)
        )
        try:
            met = await self._until(lambda: self._trouble(victim) > tried, FULL_WITHIN_S)
            self._tally.met[victim] += met
            self._tally.figures["rounds_without_trouble"] += not met
            if planned.killed:
                await self._kill_on_full_disk(victim)
            until_s = time.monotonic() + planned.full_s
            while time.monotonic() < until_s:
                await self._look(victim)
                await asyncio.sleep(LOOK_EVERY_S)
            if victim == BRANCH:
                self._tally.figures["issued_while_branch_full"] += self._issued() - issued
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            disk.free()
        await self._back(victim)

    def _trouble(self, victim: str) -> int:
        """Rises as the program meets a full disk."""
        if victim == KIOSK:
            return self._closed
        return self._failed_commits + self._tellers.not_stored

    def _issued(self) -> int:
        return sum(len(seen) for seen in self._seen.values())

    async def _look(self, victim: str) -> None:
        """What must hold at every moment on a full disk."""
        if victim == KIOSK:
            seen = set(self._seen[KIOSK])
            self._unjournalled(KIOSK, seen)
            return
        for kiosk in self._stand.kiosks:
            program = self._stand.programs[kiosk]
            if not (program.alive and program.up):
                continue
            # In this order: neither the top nor the mark ever falls, so what is acknowledged here
            # is no more than what the kiosk believes, and the mark is no less than it was then.
            top = databases.top(self._journal(kiosk))
            behind = await program.backlog()
            mark = databases.mark(self._branch_db, kiosk)
            if behind is None or behind[0] < 0:
                continue
            self._tally.figures["acknowledged_checks"] += 1
            if top - behind[0] > mark:
                self._violate(
                    f"{kiosk} was told that {top - behind[0]} events are committed, there are"
                    f" {mark}"
                )

    async def _restart(self, victim: str) -> None:
        try:
            await self._stand.stop(victim)
        except NotStarted as error:
            self._violate(str(error))
        await self._stand.start(victim)

    async def _kill_on_full_disk(self, victim: str) -> None:
        """Kill it, and start it again and again, as a supervisor would, until it stays or until
        there is room.
        """
        program = self._stand.programs[victim]
        program.kill()
        await program.ended()
        self._tally.figures["killed_on_full_disk"] += 1
        await self._start(victim)

    async def _start(self, victim: str) -> bool:
        program = await self._stand.start(victim, wait_up=False)
        if await program.wait_up(FULL_WITHIN_S):
            return True
        program.kill()
        await program.ended()
        self._tally.figures["starts_in_vain"] += 1
        return False

    async def _back(self, victim: str) -> None:
        """There is room again: it must work by itself."""
        began_s = time.monotonic()
        program = self._stand.programs[victim]
        if not program.alive:
            if not program.killed and program.up:
                self._violate(f"{victim} ended by itself: {self._stand.last_words(victim)[-300:]}")
            if not await self._start(victim):
                self._violate(f"{victim} does not start although there is room again")
                return
        limit_s = KIOSK_BACK_S if victim == KIOSK else BRANCH_BACK_S
        works = self._kiosk_issues() if victim == KIOSK else self._branch_commits()
        if await self._until(works, limit_s):
            took_ms = round((time.monotonic() - began_s) * 1000)
            self._tally.back_ms[victim] = max(self._tally.back_ms[victim], took_ms)
        else:
            self._violate(f"{victim} does not work {limit_s:.0f} s after there is room again")

    def _kiosk_issues(self) -> Callable[[], bool]:
        before = len(self._seen[KIOSK])
        return lambda: len(self._seen[KIOSK]) > before

    def _branch_commits(self) -> Callable[[], bool]:
        before = databases.mark(self._branch_db, NEIGHBOUR)

        def works() -> bool:
            self._stand.programs[BRANCH].tell(do="health")
            healthy = self._health.get("ok") is True and self._health.get("store") == "ok"
            return healthy and databases.mark(self._branch_db, NEIGHBOUR) > before

        return works

    async def _until(self, true: Callable[[], bool], limit_s: float) -> bool:
        give_up_s = time.monotonic() + limit_s
        while not true():
            if time.monotonic() > give_up_s:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True

    # --- the evening --------------------------------------------------------------------------

    async def _evening(self) -> None:
        """Drained and stopped; then count and check every page."""
        stand, proof, tally = self._stand, self._proof, self._tally
        try:
            if not await stand.drain(BRANCH_BACK_S):
                self._violate("the backlog did not drain")
            await stand.settle()
        except NotStarted as error:
            self._violate(str(error))
            return
        verdict = stand.judge()
        proof.count(verdict, self._where)
        for refusal, count in self._tellers.contradicted.items():
            self._violate(f"tellers were refused {count} times: {refusal}")
        for path in (self._branch_db, *map(self._journal, stand.kiosks)):
            for text in databases.damage(path):
                self._violate(f"{path.name} of {path.parent.parent.name} is damaged: {text}")
            tally.figures["databases_checked"] += 1
        held = {number for number, _ in stand.witness.slips}
        journalled = set[str]().union(*(databases.numbers(self._journal(k)) for k in stand.kiosks))
        self._unjournalled("any kiosk", set(stand.witness.seen) | held, journalled)
        for victim, names in STAFF_SEE.items():
            logged = stand.logged(victim)
            tally.staff_saw.update({name: logged[name] for name in names})
            if self._trouble(victim) and not any(logged[name] for name in names):
                self._violate(f"the log of {victim} does not say that its disk was full")
        tally.figures["tellers_told_not_stored"] += self._tellers.not_stored
        for name in ("events", "slips", "voided", "paper_unknown"):
            tally.figures[name] += verdict.figures[name]

    def _unjournalled(
        self, kiosk: str, shown: set[str], journalled: set[str] | None = None
    ) -> None:
        """Every number that came out of a kiosk is in its journal."""
        if journalled is None:
            journalled = databases.numbers(self._journal(kiosk))
        self._tally.figures["journal_checks"] += 1
        missing = sorted(shown - journalled)
        if missing:
            self._tally.figures["unjournalled"] += len(missing)
            self._violate(
                f"{len(missing)} numbers of {kiosk} are in no journal: {', '.join(missing[:6])}"
            )

    # --- what is where, and what is heard -------------------------------------------------------

    @property
    def _branch_db(self) -> Path:
        return self._stand.data_dir(BRANCH) / "branch.db"

    def _journal(self, kiosk: str) -> Path:
        return self._stand.data_dir(kiosk) / "journal.db"

    def _heard(self, name: str, line: dict[str, Any]) -> None:
        if name == BRANCH:
            self._tellers.heard(line)
            if line["did"] == "counters":
                # A server that was started again counts from 0.
                before, self._last_count = self._last_count, line["failed_commits"]
                self._failed_commits += max(line["failed_commits"] - before, 0)
            elif line["did"] == "health":
                self._health = line
        elif line["did"] == "shown":
            if "number" in line:
                self._seen[name].add(line["number"])
            if line["screen"] == "out_of_service":
                self._tally.customers_saw[f"out of service, {line['code']}"] += 1
                self._closed += name == KIOSK
                if name != KIOSK:
                    self._violate(f"{name} closed, and its disk has room")

    def _violate(self, sentence: str) -> None:
        self._proof.violate(f"{self._where}: {sentence}")
