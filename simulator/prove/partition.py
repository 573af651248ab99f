"""``lobby prove partition``: three kiosks and the branch server in network namespaces of their
own, the broker at the hub between them, and cables that are cut and mended while visitors take
tickets and tellers call them.

The programs are those of :mod:`simulator.prove.programs`, the network is that of
:mod:`simulator.prove.netns`. A round is one fault of one cable: out, interface down, everything
dropped in silence, or packets lost where the kernel can do that; or the broker is away for a
while, and who was cut off then does not hear of it: his connection is half open. Faults overlap.
``plan`` draws them from the seed; what the programs do meanwhile is real time, so a run with the
same seed is alike and not the same. Two kiosks and the branch have a short keepalive, so that both
ends give a connection up each for itself; the third kiosk has the product's own (20 s), and every
eighth round of a long form is longer than that and than the broker's patience (30 s).

In the end everything is whole, and each kiosk must have caught up within CAUGHT_UP_S. Then the
witness counts. Beyond its promises: a kiosk goes on issuing while its own cable is cut, and while
there is no broker.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import BadInput, NotStarted
from simulator.prove import databases
from simulator.prove.netns import HUB_HOST, Cut, Network
from simulator.prove.programs import COUNTERS, KEEPALIVE_VARIABLE
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.stand import BRANCH, Place, Stand
from simulator.prove.tellers import Tellers

ROUNDS = 12
KIOSKS = ("kiosk-1", "kiosk-2", "kiosk-3")
LEAVES = (*KIOSKS, BRANCH)
BROKER = "broker"
VICTIMS = (*LEAVES, BROKER)
KEEPALIVE_S = 3
PATIENT = "kiosk-3"
"""Has the product's own keepalive."""
SHORT_S = (1.0, 7.0)
BROKER_S = (0.5, 2.0)
LONG_S = (22.0, 45.0)
LONG_EVERY = 8
LONG_FROM_ROUNDS = 24
"""A run of fewer rounds has no long fault."""
APART_S = (0.2, 1.2)
NO_LONGER_HERE_S = 0.2
"""What is shown so soon after a cut, or so short before its end, does not count as shown alone."""
SURELY_ISSUES_S = 2.0
"""Who was alone for so long in all must have issued meanwhile."""
CAUGHT_UP_S = 80.0
"""Two keepalives until a dead connection is noticed, the longest pause between two tries to
connect (30 s), one try in vain (5 s), and a busy machine.
"""
LOOK_EVERY_S = 0.2
PACE_MS = 60.0
"""Between two visitors: a number every tenth of a second or so, on a machine that is not idle."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One round: ``pause_s`` after the one before, ``victim`` is cut off for ``length_s``; the
    broker, which has no ``cut``, is killed and started again.
    """

    victim: str
    cut: Cut | None
    pause_s: float
    length_s: float


def plan(rounds: int, seed: int, cuts: list[Cut]) -> list[Fault]:
    """The faults of a run. Each five rounds meet every victim once."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    victims: list[str] = []
    for number in range(1, rounds + 1):
        if not victims:
            victims = chance.sample(VICTIMS, len(VICTIMS))
        long = rounds >= LONG_FROM_ROUNDS and number % LONG_EVERY == 0
        victim, pause_s = victims.pop(), chance.uniform(*APART_S)
        if victim == BROKER:
            faults.append(Fault(victim, None, pause_s, chance.uniform(*BROKER_S)))
        else:
            length_s = chance.uniform(*(LONG_S if long else SHORT_S))
            faults.append(Fault(victim, chance.choice(cuts), pause_s, length_s))
    return faults


def run(options: ProveOptions, say: Say) -> Proof:
    """Cut and mend until it is enough; see the module. Raises SimulatorError."""
    if options.without:
        raise BadInput("prove partition has nothing to switch off; leave out --without")
    rounds = options.rounds or ROUNDS
    proof = Proof("partition", rounds, options.seed)
    with Network(LEAVES) as network:
        asyncio.run(_Run(options, say, proof, network).run(rounds))
    return proof


@dataclass(slots=True)
class _Away:
    """How long a program was alone in all, and how many tickets it issued then."""

    total_s: float = 0.0
    issued: int = 0


@dataclass(slots=True)
class _Figures:
    cut_off: dict[str, _Away] = field(default_factory=lambda: defaultdict(_Away))
    without_broker: dict[str, _Away] = field(default_factory=lambda: defaultdict(_Away))
    cuts: Counter[str] = field(default_factory=Counter)
    caught_up_s: dict[str, float] = field(default_factory=dict)


class _Run:
    """One run on one network."""

    def __init__(self, options: ProveOptions, say: Say, proof: Proof, network: Network) -> None:
        self._say = say
        self._proof = proof
        self._network = network
        self._seed = options.seed
        places = {
            name: Place(
                prefix=network.prefix(name),
                env={} if name == PATIENT else {KEEPALIVE_VARIABLE: str(KEEPALIVE_S)},
                broker_host=HUB_HOST,
                printer_host=network.bench_host(name),
            )
            for name in LEAVES
        }
        self._stand = Stand(
            options.folder, seed=options.seed, kiosks=KIOSKS, places=places,
            broker_host=HUB_HOST, pace_ms=PACE_MS, heard=self._heard,
        )  # fmt: skip
        self._tellers = Tellers(self._stand, COUNTERS, seed=options.seed)
        self._figures = _Figures()
        self._counters: dict[str, int] = {}
        self._seen: dict[str, set[str]] = defaultdict(set)

    async def run(self, rounds: int) -> None:
        """The whole run."""
        async with self._stand as stand:
            async with asyncio.TaskGroup() as group:
                for name in LEAVES:
                    group.create_task(stand.start(name))
            working = asyncio.create_task(self._tellers.work())
            try:
                await self._cut_and_mend(plan(rounds, self._seed, self._network.cuts))
                caught_up = await self._catch_up()
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
            await self._evening(caught_up)
        self._report()

    async def _cut_and_mend(self, faults: list[Fault]) -> None:
        free = {victim: asyncio.Lock() for victim in VICTIMS}
        async with asyncio.TaskGroup() as group:
            for number, fault in enumerate(faults, 1):
                await asyncio.sleep(fault.pause_s)
                await free[fault.victim].acquire()
                group.create_task(self._meet(fault, free[fault.victim].release))
                self._say(
                    f"{number:4}  {fault.victim} {fault.cut or 'away'} for {fault.length_s:.1f} s,"
                    f" {len(self._stand.witness.seen)} numbers shown"
                )

    async def _meet(self, fault: Fault, mended: Callable[[], None]) -> None:
        alone = KIOSKS if fault.victim == BROKER else (fault.victim,)
        self._figures.cuts[str(fault.cut or "broker away")] += 1
        counting = asyncio.create_task(self._count_issued(fault, alone))
        try:
            if fault.cut is None:
                await asyncio.shield(self._stand.kill_broker(fault.length_s))
            else:
                self._network.cut(fault.victim, fault.cut)
                try:
                    await asyncio.sleep(fault.length_s)
                finally:
                    self._network.mend(fault.victim, fault.cut)
            mended()
        finally:
            counting.cancel()

    async def _count_issued(self, fault: Fault, alone: Sequence[str]) -> None:
        """What kiosks issue while they are alone; ends a little before they are not."""
        if fault.cut is Cut.LOSS:
            return
        await asyncio.sleep(NO_LONGER_HERE_S)
        before = {name: len(self._seen[name]) for name in alone}
        await asyncio.sleep(fault.length_s - 2 * NO_LONGER_HERE_S)
        away = self._figures.without_broker if fault.cut is None else self._figures.cut_off
        for name in alone:
            away[name].total_s += fault.length_s
            away[name].issued += len(self._seen[name]) - before[name]

    async def _catch_up(self) -> bool:
        """Every cable is whole: wait until the branch has what each kiosk had journalled at this
        moment; False if one of them does not come so far in time.
        """
        stand, began_s = self._stand, time.monotonic()
        branch = stand.data_dir(BRANCH) / "branch.db"
        wanted = {name: databases.top(stand.data_dir(name) / "journal.db") for name in KIOSKS}
        while wanted and time.monotonic() - began_s < CAUGHT_UP_S:
            for name in list(wanted):
                if databases.mark(branch, name) >= wanted[name]:
                    del wanted[name]
                    passed_s = time.monotonic() - began_s
                    self._figures.caught_up_s[name] = round(passed_s, 1)
            await asyncio.sleep(LOOK_EVERY_S)
        for name, top in wanted.items():
            at = databases.mark(branch, name)
            self._proof.violate(
                f"{name} has not caught up in {CAUGHT_UP_S:.0f} s of a whole network: the branch"
                f" has {at} of {top} events"
            )
        return not wanted

    async def _evening(self, caught_up: bool) -> None:
        """Drained and stopped; then count."""
        stand, proof = self._stand, self._proof
        for name, program in stand.programs.items():
            if not program.alive:
                proof.violate(f"{name} ended by itself: {stand.last_words(name)[-300:]}")
        try:
            if not await stand.settle() and caught_up:
                proof.violate("the backlog did not drain")
        except NotStarted as error:
            proof.violate(str(error))
            return
        verdict = stand.judge()
        proof.shown, proof.stored = verdict.shown, verdict.stored
        proof.lost, proof.doubled, proof.ghosts = verdict.lost, verdict.doubled, verdict.ghosts
        for violation in verdict.violations:
            proof.violate(violation)
        for refusal, count in self._tellers.contradicted.items():
            proof.violate(f"tellers were refused {count} times: {refusal}")
        for name in ("quarantined", "bad_messages", "failed_commits", "failed_handlers"):
            if self._counters.get(name):
                proof.violate(f"the server counts {name} {self._counters[name]}")
        self._proof.details = dict(sorted(verdict.figures.items()))

    def _report(self) -> None:
        figures, proof = self._figures, self._proof
        for why, alone in (("cable", figures.cut_off), ("broker", figures.without_broker)):
            for kiosk in KIOSKS:
                away = alone[kiosk]
                if not away.issued and away.total_s >= SURELY_ISSUES_S:
                    proof.violate(f"{kiosk} issued nothing in {away.total_s:.1f} s without {why}")
        details: dict[str, Any] = {
            "cuts": dict(sorted(figures.cuts.items())),
            "packet_loss": "netem" if Cut.LOSS in self._network.cuts else "not in this kernel",
            "cut_off_s": {name: round(figures.cut_off[name].total_s, 1) for name in LEAVES},
            "without_broker_s": round(figures.without_broker[PATIENT].total_s, 1),
            "issued_cut_off": {k: figures.cut_off[k].issued for k in KIOSKS},
            "issued_without_broker": {k: figures.without_broker[k].issued for k in KIOSKS},
            "issued": {k: len(self._seen[k]) for k in KIOSKS},
            "caught_up_s": figures.caught_up_s,
            "redeliveries": self._counters.get("duplicates", 0),
        }
        proof.details = details | proof.details

    def _heard(self, name: str, line: dict[str, Any]) -> None:
        if name == BRANCH:
            self._tellers.heard(line)
            if line["did"] == "counters":
                self._counters = line
        elif line["did"] == "shown" and "number" in line:
            self._seen[name].add(line["number"])
