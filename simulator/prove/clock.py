"""``lobby prove clock``: the wall clocks of kiosks and server are ten years off, and are moved by
years while everything runs: waits, order and business dates stay right.

Each program runs with libfaketime (FAKETIME_DONT_FAKE_MONOTONIC=1), which takes its wall clock
from a file that the proof rewrites; the machine's own clock is never set. CLOCK_BOOTTIME stays
true under it (0.9.10: measured at each start of this proof). Each kiosk is made a machine of its
own: a boot id of its own and a boot count hours away from the server's.

A round lets tickets queue up, moves one clock or all of them (while they run, or between two
starts of the program) by ten or twenty years or back to the truth, lets more tickets queue up and
then be called. What a customer waited is measured here, from outside, with a stopwatch:

    wait      call less issue in the ledger, within a second of the stopwatch
    service   end less start, the same
    order     no ticket is called while one that is older by 2 s waits (a busy machine may delay a
              greeting, which dates its boot that much too late), delivered
    dates     a kiosk's business date never goes back and stays within a month; no number again
    jumps     one clock.jumped for each move of a clock, on the node whose clock it was
    numbers   as in ``lobby prove kills``: nothing lost, doubled, or called without a holder
"""

import asyncio
import contextlib
import glob
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from simulator.errors import MissingProgram, SimulatorError
from simulator.prove.programs import COUNTERS
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.stand import BRANCH, Place, Stand
from simulator.prove.tellers import Tellers

ROUNDS = 6
KIOSKS = ("kiosk-1", "kiosk-2")
EVERYBODY = (*KIOSKS, BRANCH)
LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
TEN_YEARS_S = 3652 * 86_400
MOVES_S = (TEN_YEARS_S, -TEN_YEARS_S, 0)
SHORT_FORM: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("kiosk-1",), False),
    ((BRANCH,), False),
    (EVERYBODY, False),
    (("kiosk-2",), True),
    ((BRANCH,), True),
    (EVERYBODY, False),
)
"""Whose clock is moved, and whether its program is down meanwhile."""
AHEAD_MS = {"kiosk-1": 7_200_000, "kiosk-2": 55_000_000}
"""How far a kiosk's boot count is ahead of the server's."""
PACE_MS = 250.0
TELLER_PAUSE_S = 0.05
QUEUE_S, WORK_S, EVENING_S = 1.2, 2.5, 60.0
TOLERANCE_MS = 1_000
ORDER_MS = 2_000
PRIORITY = "P"
MONTH_DAYS = 31
SHARED = Path("/dev/shm")
KEPT = Path("out/prove-clock")
"""Where the files of a run with violations stay."""

_BOOT_CHECK = (
    "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME),"
    " time.clock_gettime(time.CLOCK_MONOTONIC))"
)


@dataclass(slots=True)
class Stopwatch:
    """What was seen and when, by this process's own clock (ms)."""

    tapped: dict[str, float] = field(default_factory=dict)  # touch
    shown: dict[str, float] = field(default_factory=dict)  # number, first time
    asked: dict[str, float] = field(default_factory=dict)  # teller's key, first time
    answered: dict[str, float] = field(default_factory=dict)  # teller's key
    waiting: int = -1
    """How many wait, as the server said last."""

    def heard(self, _name: str, line: dict[str, Any]) -> None:
        """A program said this."""
        now_ms = time.monotonic() * 1000
        match line["did"]:
            case "tapped":
                self.tapped.setdefault(line["touch"], now_ms)
            case "shown" if "number" in line:
                self.shown.setdefault(line["number"], now_ms)
            case "counters":
                self.waiting = line["waiting"]
            case "answered":
                self.answered.setdefault(line["key"], now_ms)


class TimedTellers(Tellers):
    """Tellers that are watched by the stopwatch when they ask."""

    watch: Stopwatch

    async def _answered(self, answer: "asyncio.Future[Any]", ended: Any) -> None:  # type: ignore[override]
        key = next(key for key, waiting in self._answers.items() if waiting is answer)
        self.watch.asked.setdefault(key, time.monotonic() * 1000)
        await super()._answered(answer, ended)


def run(options: ProveOptions, say: Say) -> Proof:
    """Move clocks; see the module. Raises SimulatorError."""
    rounds = options.rounds or ROUNDS
    proof = Proof("clock", rounds, options.seed)
    library = _library()
    folder = options.folder / "stand"
    watch, moves = asyncio.run(_run(options, rounds, library, folder, proof, say))
    with contextlib.closing(
        sqlite3.connect(f"file:{folder / BRANCH / 'branch.db'}?mode=ro", uri=True)
    ) as db:
        ledger = Ledger(db)
    figures = ledger.judge(proof, watch, moves)
    proof.details |= figures
    if not proof.clean:
        kept = KEPT / f"seed-{options.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        say(f"the files are kept in {kept}")
    return proof


async def _run(
    options: ProveOptions, rounds: int, library: str, folder: Path, proof: Proof, say: Say
) -> tuple[Stopwatch, Counter[str]]:
    chance = random.Random(options.seed)
    watch, moves = Stopwatch(), Counter[str]()
    clocks = {name: WallClock(options.folder / f"{name}.time", library) for name in EVERYBODY}
    for name in EVERYBODY:
        clocks[name].move(chance.choice(MOVES_S))
    begun = {name: clock.off_s for name, clock in clocks.items()}
    say(f"begun with {_years(begun)}")

    def heard(name: str, line: dict[str, Any]) -> None:
        watch.heard(name, line)
        tellers.heard(line)

    stand = Stand(
        folder,
        seed=options.seed,
        kiosks=KIOSKS,
        places={name: Place(env=clock.env(AHEAD_MS.get(name))) for name, clock in clocks.items()},
        business_date="",
        pace_ms=PACE_MS,
        heard=heard,
    )
    tellers = TimedTellers(stand, COUNTERS, seed=options.seed, pause_s=TELLER_PAUSE_S)
    tellers.watch = watch
    pids: set[int] = set()

    async def start(name: str) -> None:
        pids.add((await stand.start(name)).pid)

    async with contextlib.AsyncExitStack() as way_down:
        way_down.callback(_sweep, pids)
        await way_down.enter_async_context(stand)
        for name in (BRANCH, *KIOSKS):
            await start(name)
        for number in range(rounds):
            whose, down = SHORT_FORM[number % len(SHORT_FORM)]
            if number >= len(SHORT_FORM):
                whose = chance.choice([*((name,) for name in EVERYBODY), EVERYBODY])
                down = chance.random() < 0.4
            await asyncio.sleep(QUEUE_S)
            for name in whose:
                if down:
                    await stand.stop(name)
                off_s = chance.choice([move for move in MOVES_S if move != clocks[name].off_s])
                clocks[name].move(off_s)
                moves[name] += 1
                if down:
                    await asyncio.sleep(QUEUE_S)  # kiosks go on while the server is away
                    await start(name)
            say(
                f"round {number + 1}: {_years({n: clocks[n].off_s for n in whose})}"
                f"{' while it was down' if down else ''}, {len(watch.shown)} numbers shown"
            )
            await asyncio.sleep(QUEUE_S)
            await _work(tellers)
        if not await stand.drain():
            proof.violate("the backlog did not drain")
        await _work(tellers, until=lambda: watch.waiting == 0)
        if watch.waiting:
            proof.violate(f"{watch.waiting} wait, whom no teller gets to see")
        await stand.settle()
        verdict = stand.judge()
    proof.shown, proof.stored = verdict.shown, verdict.stored
    proof.lost, proof.doubled, proof.ghosts = verdict.lost, verdict.doubled, verdict.ghosts
    for violation in verdict.violations:
        proof.violate(violation)
    proof.details = {"moves": dict(sorted(moves.items())), **verdict.figures}
    return watch, moves


async def _work(tellers: Tellers, until: Callable[[], bool] | None = None) -> None:
    """Let tellers work for a while, or until something is so."""
    working = asyncio.create_task(tellers.work())
    if until is None:
        await asyncio.sleep(WORK_S)
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENING_S):
                while not until():  # noqa: ASYNC110 - it changes with what is heard
                    await asyncio.sleep(0.1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await asyncio.sleep(0.2)  # what was asked is answered


class WallClock:
    """A program's wall clock: the machine's, ``off_s`` seconds away."""

    def __init__(self, file: Path, library: str) -> None:
        self._file = file
        self._library = library
        self.off_s = 0

    def move(self, off_s: int) -> None:
        """Show another time from now on."""
        self.off_s = off_s
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{off_s:+d}\n", "ascii")
        fresh.replace(self._file)  # a program may be reading it

    def env(self, ahead_ms: int | None) -> dict[str, str]:
        """The environment of a program with this clock; ``ahead_ms`` makes it another machine."""
        other = {} if ahead_ms is None else {"LOBBY_PROOF_BOOT": f"{self._file.stem}:{ahead_ms}"}
        return other | {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def _sweep(pids: set[int]) -> None:
    """Remove the shared memory that libfaketime leaves behind of programs that ended hard."""
    for pid in pids:
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            (SHARED / name).unlink(missing_ok=True)


def _library() -> str:
    """Where libfaketime is; tried, because other versions fake CLOCK_BOOTTIME all the same."""
    found = sorted(glob.glob(LIBRARY))
    if not found:
        raise MissingProgram("libfaketime is not installed: deploy/setup --apt faketime")
    off_s = TEN_YEARS_S
    env = {
        "LD_PRELOAD": found[0], "FAKETIME": f"{off_s:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    check = subprocess.Popen(
        [sys.executable, "-c", _BOOT_CHECK],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said, complaint = check.communicate()
    _sweep({check.pid})
    try:
        wall_s, boot_s, mono_s = (float(part) for part in said.split())
    except ValueError:
        raise SimulatorError(f"{found[0]} does not work: {complaint.strip()[-200:]}") from None
    if abs(wall_s - off_s - time.time()) > 60:
        raise SimulatorError(f"{found[0]} does not move the wall clock")
    own_s = time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic()
    if max(abs(boot_s - own_s[0]), abs(mono_s - own_s[1])) > 60:
        raise SimulatorError(f"{found[0]} moves CLOCK_BOOTTIME too; 0.9.10 does not")
    return found[0]


def _years(offs_s: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {round(s / (365.25 * 86_400)):+d} years" for name, s in offs_s.items()
    )


class Ledger:
    """The branch's ledger and table, read with plain SQL."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        self.events: list[dict[str, Any]] = [
            msgspec.json.decode(row["raw"])
            for row in db.execute("SELECT raw FROM event ORDER BY place")
        ]
        self.table = {row["id"]: dict(row) for row in db.execute("SELECT * FROM ticket")}
        self.number: dict[str, str] = {
            e["id"]: e["data"]["number"] for e in self._of("ticket.issued")
        }
        self.touch = {e["id"]: e["data"]["request"] for e in self._of("ticket.issued")}

    def _of(self, event_type: str) -> Iterator[dict[str, Any]]:
        return (event for event in self.events if event["type"] == event_type)

    def judge(self, proof: Proof, watch: Stopwatch, moves: Counter[str]) -> dict[str, Any]:
        """Compare with the stopwatch; returns figures."""
        waits = list(self._judge_waits(proof, watch))
        services = list(self._judge_services(proof, watch))
        compared = self._judge_order(proof, watch)
        self._judge_dates(proof)
        jumps = Counter(event["src"] for event in self._of("clock.jumped"))
        for name in EVERYBODY:
            if jumps[name] != moves[name]:
                proof.violate(
                    f"{name}: {jumps[name]} clock.jumped, its clock was moved {moves[name]} times"
                )
        if not waits or not services or not compared:
            proof.violate("too few tickets were called to compare anything")
        return {
            "jumps_journalled": dict(sorted(jumps.items())),
            "waits_compared": len(waits),
            "wait_longest_ms": round(max((wait for wait, _ in waits), default=0)),
            "wait_off_ms_most": round(max((off for _, off in waits), default=0)),
            "services_compared": len(services),
            "service_off_ms_most": round(max(services, default=0)),
            "pairs_in_order": compared,
            "years_in_ts": sorted({time.gmtime(e["ts"] / 1000).tm_year for e in self.events}),
        }

    def _judge_waits(self, proof: Proof, watch: Stopwatch) -> Iterator[tuple[float, float]]:
        """What the ledger and the table say of each wait, and how far it is off."""
        for event in self._of("ticket.called"):
            ticket, key = event["sub"], event["data"]["key"]
            number = self.number[ticket]
            if not {number}.issubset(watch.shown) or key not in watch.answered:
                continue
            row = self.table[ticket]
            tapped = watch.tapped.get(self.touch[ticket], watch.shown[number])
            least = watch.asked[key] - watch.shown[number]
            most = watch.answered[key] - tapped
            for what, wait in (
                ("its event", event["data"]["wait_ms"]),
                ("the table", row["called_at"] - row["issued_at"]),
            ):
                off = max(least - wait, wait - most, 0.0)
                if off > TOLERANCE_MS:
                    proof.violate(f"{number} waited {least:.0f} ms, {what} says {wait} ms")
                yield most, off

    def _judge_services(self, proof: Proof, watch: Stopwatch) -> Iterator[float]:
        started = {e["sub"]: e["data"]["key"] for e in self._of("service.started")}
        for event in self._of("service.ended"):
            first, last = started.get(event["sub"], ""), event["data"]["key"]
            if not {first, last}.issubset(watch.answered):
                continue
            least = watch.asked[last] - watch.answered[first]
            most = watch.answered[last] - watch.asked[first]
            took = event["data"]["service_ms"]
            off = max(least - took, took - most, 0.0)
            if off > TOLERANCE_MS:
                proof.violate(
                    f"{self.number[event['sub']]} was served {least:.0f} ms,"
                    f" its event says {took} ms"
                )
            yield off

    def _judge_order(self, proof: Proof, watch: Stopwatch) -> int:
        """Nobody is called while one who is older waits; returns the pairs compared."""
        ready: dict[str, int] = {}
        called: dict[str, int] = {}
        for place, event in enumerate(self.events):
            if event["type"] in ("ticket.printed", "ticket.print_failed"):
                ready.setdefault(event["sub"], place)
            elif event["type"] == "ticket.called":
                called[event["sub"]] = place
        compared = 0
        for ticket, place in called.items():
            at = watch.tapped.get(self.touch[ticket])  # it was issued after that
            for other, since in ready.items():
                seen = watch.shown.get(self.number[other])
                if since > place or called.get(other, place + 1) <= place:
                    continue  # not there yet, or gone
                if at is None or seen is None or not self._same_line(ticket, other):
                    continue
                if self.table[other]["outcome"] == "voided":
                    continue
                compared += 1
                if at - seen > ORDER_MS:
                    proof.violate(
                        f"{self.number[ticket]} was called before {self.number[other]},"
                        f" which was {at - seen:.0f} ms older"
                    )
        return compared

    def _same_line(self, one: str, other: str) -> bool:
        """Priority has a head start: compared are tickets of one kind."""
        return self._is_priority(one) == self._is_priority(other)

    def _is_priority(self, ticket: str) -> bool:
        return self.number[ticket].startswith(PRIORITY)

    def _judge_dates(self, proof: Proof) -> None:
        dates: dict[str, list[str]] = defaultdict(list)
        for event in self._of("ticket.issued"):
            dates[event["src"]].append(event["data"]["business_date"])
        for node, given in dates.items():
            if given != sorted(given):
                proof.violate(f"{node}: the business date went back: {sorted(set(given))}")
            first, last = date.fromisoformat(min(given)), date.fromisoformat(max(given))
            if (last - first).days > MONTH_DAYS:
                proof.violate(f"{node}: the business date went from {first} to {last}")
        again = [n for n, count in Counter(self.number.values()).items() if count > 1]
        if again and all(len(set(given)) == 1 for given in dates.values()):
            proof.violate(f"numbers given again on one business date: {', '.join(again)}")
