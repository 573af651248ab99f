"""``lobby prove seeds``: simulated branches on virtual time, one a seed, under every fault of the
network and with cards and disks put back to older copies; see :mod:`simulator.prove.seed_world`.

Round i runs seed S + i, so that one seed of a long run is run again by
``lobby prove seeds --rounds 1 --seed K``. ``--without chain`` switches the comparison of chain
digests off, at both ends: sequence numbers alone do not tell a card that was put back from one
that was not, and events are lost.
"""

import gc
import hashlib
import logging
import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import structlog

from simulator import vtime
from simulator.errors import BadInput
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.seed_world import Outcome, SeedWorld

ROUNDS = 300
SAY_EVERY_S = 10.0
CHUNK = 8
"""Seeds that a process takes at a time."""
MEMORY = Path("/dev/shm")
"""Files there cost no disk; what a power cut does to them is another proof."""


def run(options: ProveOptions, say: Say) -> Proof:
    """Run the seeds; see the module. Raises BadInput for a promise that there is not."""
    if options.without - {"chain"}:
        unknown = ", ".join(sorted(options.without - {"chain"}))
        raise BadInput(f"--without {unknown}: expected chain, nothing else can be switched off")
    rounds = options.rounds or ROUNDS
    proof = Proof("seeds", rounds, options.seed)
    figures: Counter[str] = Counter()
    digest = hashlib.blake2b(digest_size=8)
    bad: list[int] = []
    began_s = said_s = time.monotonic()
    for done, outcome in enumerate(_outcomes(options, rounds), start=1):
        if _add(proof, outcome):
            bad.append(outcome.seed)
            say(f"seed {outcome.seed}: {outcome.verdict.sentences[0]}")
            say(f"  again: {_again(outcome.seed, options)}")
        most = max(figures["rest_ms_most"], outcome.figures.pop("rest_ms_most", 0))
        figures += outcome.figures
        figures["rest_ms_most"] = most
        digest.update(outcome.digest.encode())
        now_s = time.monotonic()
        if now_s - said_s >= SAY_EVERY_S:
            said_s = now_s
            say(f"{now_s - began_s:5.0f} s  {done} seeds, {proof.violation_count} violations")
    proof.details = {
        **dict(sorted(figures.items())),
        "seeds_violated": len(bad),
        "seeds_per_s": round(rounds / max(time.monotonic() - began_s, 1e-9), 1),
        "digest": digest.hexdigest(),
    }
    return proof


def live(seed: int, folder: Path, *, check_chain: bool = True) -> Outcome:
    """Run one seed on files in ``folder``, which is emptied afterwards."""
    home = Path(tempfile.mkdtemp(prefix=f"seed-{seed}-", dir=folder))

    async def world() -> Outcome:
        return await SeedWorld(seed, home, check_chain=check_chain).live()

    collects = gc.isenabled()
    gc.disable()  # a third of the time, for objects that live as long as the seed
    try:
        return vtime.run(world())
    except Exception as error:  # noqa: BLE001 - a seed that cannot be run is a finding
        outcome = Outcome(seed)
        outcome.verdict.sentences.append(f"ended by {error!r}")
        return outcome
    finally:
        if collects:
            gc.enable()
        shutil.rmtree(home)


def _outcomes(options: ProveOptions, rounds: int) -> Iterator[Outcome]:
    """Every seed's outcome, in the order of the seeds."""
    seeds = range(options.seed, options.seed + rounds)
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2**28
    home = Path(
        tempfile.mkdtemp(prefix="lobby-seeds-", dir=MEMORY if in_memory else options.folder)
    )
    one = partial(live, folder=home, check_chain="chain" not in options.without)
    try:
        if options.jobs == 1:
            before = structlog.get_config()
            quiet()
            try:
                yield from map(one, seeds)
            finally:
                structlog.configure(**before)
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(options.jobs, initializer=quiet) as pool:
            yield from pool.imap(one, seeds, CHUNK)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def quiet() -> None:
    """A simulated fault is no news: log nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _add(proof: Proof, outcome: Outcome) -> bool:
    """Count one seed; True if something was wrong with it."""
    verdict = outcome.verdict
    proof.shown += outcome.shown
    proof.stored += verdict.stored
    proof.lost += verdict.lost
    proof.doubled += verdict.doubled
    proof.ghosts += verdict.ghosts
    for sentence in verdict.sentences:
        proof.violate(f"seed {outcome.seed}: {sentence}")
    return bool(verdict.sentences)


def _again(seed: int, options: ProveOptions) -> str:
    without = "".join(f" --without {name}" for name in sorted(options.without))
    return f"lobby prove seeds --rounds 1 --seed {seed}{without}"
