"""``lobby prove powercut``: the power goes at any moment of a kiosk's or a branch's work, and
comes back.

A program of :mod:`simulator.prove.powercut_program` runs once under strace: real journal and
issuer, real store and inbox, no window, no MQTT. Its file system calls are done again on
:mod:`simulator.prove.disk`, which knows what a disk owes and what it does not. At a boundary
between two calls the power goes: what may be on the disk then, in one of five variants, is written
out as an image, opened by the product and read by :mod:`simulator.prove.powercut_check`.

``rounds`` is the least number of images of both sides together. Half of the boundaries are spread
over all, half over those next to a sync, a name, a truncation or something told. Two cuts that
leave the same bytes with the same promises are one image. What SQLite shares through memory
(``-shm``) does not survive: an image has none, or one of rubbish.

``shown`` counts (image, row) pairs: rows that a customer or a device had been told of before the
cut, ``stored`` those that are there, ``lost`` the others. ``doubled`` are numbers that were shown
before and are given again after, ``ghosts`` events that were neither told nor about to be.
``--without fsync`` runs the same programs with ``PRAGMA synchronous=NORMAL``.
"""

import hashlib
import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from simulator.errors import BadInput
from simulator.prove.disk import VARIANTS
from simulator.prove.disk_replay import SHARED_MEMORY, Boundary, Replay
from simulator.prove.powercut_check import Found, Promises, check_branch, check_kiosk
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.syscalls import Call, read_calls, record

IMAGES = 600
"""The short form."""
SIDES: dict[str, Callable[[Path, Promises], Found]] = {
    "kiosk": check_kiosk,
    "branch": check_branch,
}
KIOSK_SHARE = 0.6
PROGRAM = "simulator.prove.powercut_program"
FSYNC = "fsync"
MEMORY = Path("/dev/shm")
AT_ONCE = 64
"""Images on their way to the workers."""
PASSES = 200
"""Times that a recording is gone through for images that are new."""
NAMED = 5
IMAGES_A_BOUNDARY = 3
"""Of the five variants some leave the same bytes."""
RUBBISH_SHARE = 0.3
RUBBISH_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Image:
    """What a cut has left. ``files`` are (bytes, size): zeros at the end are left out."""

    side: str
    boundary: int
    after: str
    variant: str
    told: bytes
    next_told: bytes
    files: dict[str, tuple[bytes, int]]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.side}, cut {self.boundary} after {self.after}, {self.variant}"


@dataclass(slots=True)
class Recording:
    """One program's calls, and the boundaries between those that matter."""

    side: str
    folder: Path
    witness: Path
    calls: list[Call]
    boundaries: list[Boundary]
    told: bytes

    def replay(self) -> Iterator[tuple[int, Boundary, Replay]]:
        """Do it again: the number of each boundary and the state there."""
        replay = Replay(self.folder, self.witness)
        index = 0
        for call in self.calls:
            boundary = replay.do(call)
            if boundary is not None:
                yield index, boundary, replay
                index += 1


def run(options: ProveOptions, say: Say) -> Proof:
    """Record both programs, cut and look; see the module. Raises SimulatorError."""
    if unknown := options.without - {FSYNC}:
        raise BadInput(f"--without {', '.join(sorted(unknown))}: powercut knows {FSYNC}")
    wanted = options.rounds or IMAGES
    proof = Proof("powercut", wanted, options.seed)
    proof.details["synchronous"] = "NORMAL" if FSYNC in options.without else "FULL"
    scratch = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else options.folder
    shares = {"kiosk": round(wanted * KIOSK_SHARE)}
    shares["branch"] = wanted - shares["kiosk"]
    with tempfile.TemporaryDirectory(prefix="lobby-powercut-", dir=scratch) as images:
        for side, share in shares.items():
            if not share:
                continue
            recording = make_recording(
                side, options.folder, options.seed, without_fsync=FSYNC in options.without
            )
            say(f"{side}: {len(recording.calls)} calls, {len(recording.boundaries)} boundaries")
            tally = _Tally()
            for image, found in _check_all(
                make_images(recording, share, options.seed), Path(images), options.jobs
            ):
                tally.add(proof, image, found)
            if tally.images < share:
                proof.violate(f"{side}: only {tally.images} different images, not {share}")
            proof.details[side] = tally.table(recording)
            say(f"{side}: {tally.images} images, {tally.lost} rows lost, {tally.corrupt} corrupt")
    return proof


class _Tally:
    """What the images of one side came to."""

    def __init__(self) -> None:
        self.variants: Counter[str] = Counter()
        self.with_loss: Counter[str] = Counter()
        self.images = self.lost = self.corrupt = self.wrong = self.rows = self.stored = 0

    def add(self, proof: Proof, image: Image, found: Found) -> None:
        """Count one image, here and in the proof."""
        self.images += 1
        self.variants[image.variant] += 1
        self.with_loss[image.variant] += bool(found.lost)
        self.rows += found.shown
        self.stored += found.stored
        self.lost += len(found.lost)
        self.corrupt += bool(found.corrupt)
        self.wrong += len(found.wrong)
        proof.shown += found.shown
        proof.stored += found.stored
        proof.lost += len(found.lost)
        proof.doubled += len(found.doubled)
        proof.ghosts += len(found.ghosts)
        if found.corrupt:
            proof.violate(f"{image.name}: corrupt: {found.corrupt}")
        if found.lost:
            proof.violate(f"{image.name}: {len(found.lost)} told and lost: {_named(found.lost)}")
        if found.doubled:
            proof.violate(f"{image.name}: given again: {_named(found.doubled)}")
        if found.ghosts:
            proof.violate(f"{image.name}: nobody was told of {_named(found.ghosts)}")
        for sentence in found.wrong:
            proof.violate(f"{image.name}: {sentence}")

    def table(self, recording: Recording) -> dict[str, object]:
        """This side's part of the report."""
        promises = Promises.read(recording.told)
        return {
            "syscalls": len(recording.calls),
            "boundaries": len(recording.boundaries),
            "boundaries_by_kind": dict(Counter(each.kind for each in recording.boundaries)),
            "promised_rows": len(promises.ids),
            "images": self.images,
            "images_by_variant": dict(self.variants),
            "images_with_loss": self.with_loss.total(),
            "rows_shown": self.rows,
            "rows_stored": self.stored,
            "rows_lost": self.lost,
            "corrupt": self.corrupt,
            "wrong": self.wrong,
        }


def make_recording(side: str, folder: Path, seed: int, *, without_fsync: bool) -> Recording:
    """Run one program under strace. Raises SimulatorError."""
    room = folder.resolve() / side
    data, witness, trace = room / "data", room / "witness.jsonl", room / "trace"
    data.mkdir(parents=True)
    command = [sys.executable, "-m", PROGRAM, side, str(data), str(witness), str(seed)]
    record([*command, *(["without-fsync"] if without_fsync else [])], trace)
    with trace.open(encoding="ascii") as lines:
        calls = _of_interest(read_calls(lines), data, witness)
    trace.unlink()
    recording = Recording(side, data, witness, calls, [], b"")
    for _, boundary, replay in recording.replay():
        recording.boundaries.append(boundary)
        recording.told = bytes(replay.told)
    _compare_end(recording)
    return recording


def _of_interest(calls: Iterable[Call], folder: Path, witness: Path) -> list[Call]:
    """Without what the interpreter does before it opens the first file of ours."""
    kept: list[Call] = []
    for call in calls:
        opens = call.name in ("open", "openat")
        if kept or (opens and _below(call, folder, witness)):
            kept.append(call)
    if not kept:
        raise BadInput(f"the recording has no call on {folder}; does strace work here?")
    return kept


def _below(call: Call, folder: Path, witness: Path) -> bool:
    path = Path(call.path(1, 0) if call.name == "openat" else call.path(0))
    return path == witness or folder in path.parents


def _compare_end(recording: Recording) -> None:
    """The model ended with the very files that the program has left: it missed nothing."""
    *_, (_, _, replay) = recording.replay()
    model = {
        name: bytes(file.live)
        for name, file in replay.disk.names.items()
        if not name.endswith(SHARED_MEMORY)
    }
    real = {
        path.name: path.read_bytes()
        for path in recording.folder.iterdir()
        if not path.name.endswith(SHARED_MEMORY)
    }
    differ = sorted(name for name in model | real if model.get(name) != real.get(name))
    if differ or recording.witness.read_bytes() != recording.told:
        raise BadInput(
            f"{', '.join(differ) or 'the witness'}: the replayed calls end with another content"
            " than the program did; the recording is not complete"
        )


# --- images ------------------------------------------------------------------------------------


def make_images(recording: Recording, wanted: int, seed: int) -> Iterator[Image]:
    """At least ``wanted`` different images, if there are so many: all variants of the chosen
    boundaries, of others as long as there are others, then again with other tosses.
    """
    made: set[bytes] = set()
    used: set[int] = set()
    for toss in range(PASSES):
        missing = wanted - len(made)
        if missing <= 0:
            return
        if len(used) == len(recording.boundaries):
            used.clear()
        chosen = _choose(recording.boundaries, used, missing)
        used |= chosen
        for index, boundary, replay in recording.replay():
            if index not in chosen:
                continue
            told = bytes(replay.told)
            for variant in VARIANTS:
                chance = random.Random(f"{seed} {recording.side} {index} {variant} {toss}")
                left = replay.disk.image(variant, chance)
                digest = _digest(left, told)
                if digest not in made:
                    made.add(digest)
                    files = _packed(left, chance)
                    coming = recording.told[len(told) :].partition(b"\n")[0]
                    yield Image(recording.side, index, boundary.call, variant, told, coming, files)


def _choose(boundaries: list[Boundary], used: set[int], images: int) -> set[int]:
    """Boundaries for so many images that are not used yet: half of them spread over all, half
    over those right after or before what is more than a write.
    """
    wanted = -(-images // IMAGES_A_BOUNDARY)
    telling = {
        near
        for index, boundary in enumerate(boundaries)
        if boundary.kind != "write"
        for near in (index - 1, index)
        if near >= 0
    }
    chosen = set(_spread(sorted(telling - used), -(-wanted // 2)))
    rest = [index for index in range(len(boundaries)) if index not in chosen | used]
    return chosen | set(_spread(rest, wanted - len(chosen)))


def _spread(items: list[int], count: int) -> list[int]:
    """``count`` of these at even distances, the last among them."""
    if count >= len(items):
        return items
    return [items[(step + 1) * len(items) // count - 1] for step in range(count)]


def _digest(files: dict[str, bytes], told: bytes) -> bytes:
    digest = hashlib.blake2b(told, digest_size=16)
    for name, data in sorted(files.items()):
        if not name.endswith(SHARED_MEMORY):
            digest.update(f"/{name}/{len(data)}/".encode())
            digest.update(data.rstrip(b"\0"))
    return digest.digest()


def _packed(files: dict[str, bytes], chance: random.Random) -> dict[str, tuple[bytes, int]]:
    packed = {}
    for name, data in files.items():
        if not name.endswith(SHARED_MEMORY):
            packed[name] = (data.rstrip(b"\0"), len(data))
        elif chance.random() < RUBBISH_SHARE:
            packed[name] = (chance.randbytes(RUBBISH_BYTES), RUBBISH_BYTES)
    return packed


def _check_all(images: Iterator[Image], scratch: Path, jobs: int) -> Iterator[tuple[Image, Found]]:
    if jobs <= 1:
        for image in images:
            yield image, check_image(image, scratch)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as workers:
        while batch := list(islice(images, AT_ONCE)):
            folders = [scratch] * len(batch)
            yield from zip(batch, workers.map(check_image, batch, folders), strict=True)


def check_image(image: Image, scratch: Path) -> Found:
    """Write the image out and look at it; the folder is emptied before."""
    folder = scratch / str(os.getpid())
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    for name, (data, size) in image.files.items():
        with (folder / name).open("wb") as file:
            file.write(data)
            file.truncate(size)
    return SIDES[image.side](folder, Promises.read(image.told, image.next_told))


def _named(which: list[str]) -> str:
    return ", ".join(which[:NAMED]) + (" …" if len(which) > NAMED else "")
