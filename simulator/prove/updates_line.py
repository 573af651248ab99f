"""The part of ``lobby prove updates`` that goes over a pad's own line.

The real driver updates a real MicroPython on a pty, in sealed frames, from the old version to the
new; below the pad is a littlefs in a file. A round:

    cut      once, at a random point: ``host`` the host's program ends after a byte of the line,
             ``kill`` the pad dies after one, ``flash`` its power fails within a write, ``step`` it
             dies when a step was answered, ``trial`` within what is written after the switch
    look     the pad is plugged in again; what its greeting says, and a list of its flash made by
             another program, are the old version whole or the new one whole, and the new one only
             if the host had told the pad to switch; every third pad loses its power again
    go on    the update is sent again until the pad runs the new version and has confirmed it

In half of the rounds most files of the new version are there already, as in the next update of a
pad in the field. Besides: firmware that crashes, and firmware that does not talk, goes back; what
the pad must refuse is offered to it, what the kiosk must refuse to its keeper.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.flash.bundle import Bundle
from hal.api import ByteLink
from hal.errors import DeviceRefused, HalError, LinkLost
from hal.link import link_to
from hal.registry import backend
from hal.sim.slot_pad import NEVER, SlotPad, make_flash, read_flash
from simulator.firmware_builds import build_firmware
from simulator.prove.proof import Proof, ProveOptions, Say
from simulator.prove.updates_kiosk import refused_at_the_kiosk

OLD, NEW = "1.4.0", "1.5.0"
KEY = bytes(range(32))
SOON_S = 30.0
KINDS = ("host", "kill", "flash", "step", "trial")
CRASHING = "def serve(board, crashes):\n    raise ValueError('of a proof')\n"
MUTE = """
def serve(board, crashes):
    board.show(0)
    buffer = bytearray(1)
    while board.read_into(buffer) >= 0:
        board.wait(50, False)
"""


@dataclass(frozen=True)
class Images:
    """The two versions, and flashes of a pad that runs the old one: its other slot empty, or with
    most files of the new one.
    """

    old: Bundle
    new: Bundle
    empty: Path
    nearly: Path


class CutLink:
    """A link that calls ``cut`` when so many bytes went to the pad since ``arm``."""

    def __init__(self, inner: ByteLink, cut: Callable[[], None]) -> None:
        self._inner = inner
        self._left = 1 << 30
        self._cut = cut

    def arm(self, after: int) -> None:
        """Count from now."""
        self._left = after

    @property
    def address(self) -> str:
        return self._inner.address

    async def open(self) -> None:
        await self._inner.open()

    async def read(self, limit: int = 4096) -> bytes:
        return await self._inner.read(limit)

    async def write(self, data: bytes) -> None:
        if len(data) <= self._left:
            self._left -= len(data)
            await self._inner.write(data)
            return
        await self._inner.write(data[: self._left])
        self._left = 0
        self._cut()
        raise LinkLost("cut")

    async def close(self) -> None:
        await self._inner.close()


class Round:
    """One pad, from its old version to its confirmed new one, with a cut or two."""

    def __init__(self, folder: Path, images: Images, number: int, seed: int, proof: Proof) -> None:
        self.rng = random.Random(f"{seed} line {number}")
        self.images = images
        self.number = number
        self.kind = KINDS[number % len(KINDS)]
        self.delta = number % 2 == 1
        self.proof = proof
        self.told_to_switch = False
        self.cut_once = False
        self.cuts = 0
        self.pad = SlotPad(
            folder, f"pad-{number}", key=KEY, unique_id=f"{number:08x}", confirm_ms=0
        )
        shutil.copy(images.nearly if self.delta else images.empty, self.pad.flash)

    def wrong(self, what: str) -> None:
        self.proof.violate(f"line round {self.number} ({self.kind}): {what}")

    async def play(self) -> str:
        """The whole round; which version ran right after the cut."""
        size = 9_000 if self.delta else 60_000
        try:
            if self.kind == "flash":
                self.pad.budget = self.rng.randrange(12_000 if self.delta else 65_000)
            await self.pad.start()
            await self._cut_somewhere(self.rng.randrange(size))
            await self._plug_in(NEVER)
            if self.number % 3 == 0:
                await self._cut_again()
            first = await self._looked()
            await self._go_on()
            return first
        finally:
            await self.pad.stop()

    async def _cut_somewhere(self, at: int) -> None:
        cut = asyncio.Event()
        steps = itertools.count()
        last = self.rng.randrange(12 if self.delta else 260)

        def stepped(_done: int, _size: int) -> None:
            if self.kind == "step" and next(steps) == last:
                cut.set()

        after = at if self.kind in ("host", "kill") else 1 << 30
        async with self._driver(after, cut.set) as driver:
            going = asyncio.ensure_future(self._updated(driver, stepped))
            ends = [
                asyncio.ensure_future(cut.wait()),
                asyncio.ensure_future(self.pad.power_failed.wait()),
            ]
            try:
                await asyncio.wait([going, *ends], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (going, *ends):
                    task.cancel()
                await asyncio.gather(going, *ends, return_exceptions=True)
            if cut.is_set() or self.pad.power_failed.is_set():
                self.cuts += 1
            self.cut_once = True
            if self.kind != "host" or not cut.is_set():
                await self.pad.cut()

    async def _plug_in(self, budget: int) -> None:
        """Power for a pad that lost it; one whose host went away still has it."""
        self.pad.budget = budget
        if self.pad.pid is None:
            with contextlib.suppress(HalError):  # it may lose it before it shows a lamp
                await self.pad.restart()

    async def _cut_again(self) -> None:
        """Lose the power while it starts, or goes on with the update."""
        await self.pad.cut()
        await self._plug_in(self.rng.randrange(3_000 if self.kind == "trial" else 20_000))
        with contextlib.suppress(HalError, TimeoutError):
            async with asyncio.timeout(SOON_S), self._driver() as driver:
                going = asyncio.ensure_future(self._updated(driver))
                failed = asyncio.ensure_future(self.pad.power_failed.wait())
                await asyncio.wait([going, failed], return_when=asyncio.FIRST_COMPLETED)
                for task in (going, failed):
                    task.cancel()
                await asyncio.gather(going, failed, return_exceptions=True)
        self.cuts += self.pad.power_failed.is_set()
        await self.pad.cut()
        await self._plug_in(NEVER)

    async def _looked(self) -> str:
        """Which version runs; that it is whole, and may run."""
        async with self._driver() as driver:
            said = driver.identity.firmware_hash
        found = await asyncio.to_thread(read_flash, self.pad.flash)
        slot = found.state.trying or found.state.active
        bundle = {b.hash: b for b in (self.images.old, self.images.new)}.get(said)
        if bundle is None:
            self.wrong(f"it runs {said}, which is no version of this proof")
            return ""
        files = found.slot(slot)
        for name, data in bundle.slot_files.items():
            if files.get(name) != hashlib.sha256(data).hexdigest():
                self.wrong(f"it runs {bundle.version}, and {slot}/{name} is not of that version")
        if bundle is self.images.new and not self.told_to_switch:
            self.wrong("it runs the new version and was never told to")
        return bundle.version

    async def _go_on(self) -> None:
        """Send it again until it stays."""
        new = self.images.new
        async with self._driver() as driver:
            for _ in range(4):
                if driver.identity.firmware_hash == new.hash:
                    break
                with contextlib.suppress(HalError):
                    await self._updated(driver)
                    await _until(lambda: driver.identity.firmware_hash == new.hash)
            else:
                self.wrong("it does not run the new version after four tries")
                return
            deadline = time.monotonic() + SOON_S
            while (found := await asyncio.to_thread(read_flash, self.pad.flash)).state.trying:
                if time.monotonic() > deadline:
                    self.wrong(f"it did not confirm the new version: {found.state!r}")
                    return
                await asyncio.sleep(0.02)
        files = found.slot(found.state.active)
        wrong = [
            name
            for name, data in new.slot_files.items()
            if files.get(name) != hashlib.sha256(data).hexdigest()
        ]
        if wrong:
            self.wrong(f"confirmed, and {wrong[0]} is not of the new version")

    async def _updated(
        self, driver: Any, progress: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        new = self.images.new

        def switching() -> None:
            self.told_to_switch = True
            if self.kind == "trial" and not self.cut_once:
                # From here on a few bytes are written, until it has confirmed itself.
                self.pad.budget = self.rng.randrange(2_500)

        await driver.update(new.manifest, new.slot_files, progress=progress, switching=switching)
        if self.kind == "trial" and not self.cut_once:
            await asyncio.sleep(self.rng.random() * 0.3)

    @asynccontextmanager
    async def _driver(
        self, after: int = 1 << 30, cut: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Any]:
        async with driver_of(self.pad, after, cut) as driver:
            yield driver


@asynccontextmanager
async def driver_of(
    pad: SlotPad,
    after: int = 1 << 30,
    cut: Callable[[], None] = lambda: None,
    key_of: Callable[[str], bytes | None] = lambda _: KEY,
) -> AsyncIterator[Any]:
    """The pad's driver, greeted."""
    link = CutLink(link_to(pad.address), cut)
    driver = backend("pad", "serial")(
        link,
        name=pad.name,
        now_ms=lambda: time.monotonic_ns() // 1_000_000,
        key_of=key_of,
        random=os.urandom,
    )
    await driver.open()
    try:
        with contextlib.suppress(TimeoutError):
            await _until(lambda: driver.identity)
        if driver.identity is None:
            raise HalError(f"{pad.name}: nobody says who it is")
        link.arm(after)
        yield driver
    finally:
        await driver.close()


async def _until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.005)


def run_line(options: ProveOptions, rounds: int, proof: Proof, say: Say) -> dict[str, int]:
    """Play the rounds; counts by kind. Violations go to ``proof``."""
    return asyncio.run(_run(options, rounds, proof, say))


async def _run(options: ProveOptions, rounds: int, proof: Proof, say: Say) -> dict[str, int]:
    folder = options.folder / "line"
    folder.mkdir()
    images = _images(folder)
    counts: Counter[str] = Counter()
    # A round waits as long as it works: two pads a job.
    at_once = asyncio.Semaphore(2 * max(options.jobs, 1))

    async def one(number: int) -> None:
        async with at_once:
            course = Round(folder, images, number, options.seed, proof)
            try:
                first = await course.play()
            except (HalError, TimeoutError) as error:
                course.wrong(f"the pad is lost: {error!r}")
                return
            finally:
                for path in folder.glob(f"pad-{number}.*"):
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()
            counts[f"line_{course.kind}"] += 1
            counts["line_cuts"] += course.cuts
            counts["line_first_new" if first == NEW else "line_first_old"] += 1
            done = sum(counts[f"line_{kind}"] for kind in KINDS)
            if done % 50 == 0:
                say(f"line round {done}: {proof.violation_count} violations")

    await asyncio.gather(*(one(number) for number in range(rounds)))
    if sum(counts[f"line_{kind}"] for kind in KINDS) != rounds:
        proof.violate("not every round over the line came to its end")
    counts["line_went_back"] = await _went_back(folder, images, proof, say)
    counts["line_refused"] = await _refused(folder, images, proof, say)
    counts["kiosk_refused"] = refused_at_the_kiosk(folder, images.new, proof, say)
    return dict(sorted(counts.items()))


def _images(folder: Path) -> Images:
    old = build_firmware(folder, OLD)
    new = build_firmware(folder, NEW, floor=OLD)
    # Most of its files are those of the new version, as after an update before.
    before = build_firmware(folder, "1.3.9", floor="1.3.9")
    empty, nearly = folder / "empty.flash", folder / "nearly.flash"
    make_flash(empty, old.path, KEY)
    make_flash(nearly, old.path, KEY, other=before.path)
    return Images(old, new, empty, nearly)


async def _went_back(folder: Path, images: Images, proof: Proof, say: Say) -> int:
    """Firmware that crashes, and firmware that says nothing, ends after three starts."""
    went_back = 0
    for name, code in (("crashing", CRASHING), ("mute", MUTE)):
        bad = build_firmware(folder, "1.6.0", floor=OLD, name=name, start=code)
        pad = SlotPad(folder, name, key=KEY, unique_id="0badc0de", confirm_ms=0)
        shutil.copy(images.empty, pad.flash)
        await pad.start()
        try:
            async with driver_of(pad) as driver:
                starts = await _restarted(pad, driver, bad)
                await _until(lambda: driver.trial is not None)
                if driver.identity.firmware_hash != images.old.hash or not driver.trial.went_back:
                    proof.violate(f"{name} firmware: it runs {driver.identity.firmware_hash}")
                else:
                    went_back += 1
                    say(f"went back: {name} firmware, after {starts} restarts by hand")
        except (HalError, TimeoutError) as error:
            proof.violate(f"{name} firmware: the pad is lost: {error!r}")
        finally:
            await pad.stop()
    return went_back


async def _restarted(pad: SlotPad, driver: Any, bad: Bundle) -> int:
    """Update to bad firmware and plug the pad in anew until its old one talks; how often."""
    boots = driver.health.counters["boots"]
    await driver.update(bad.manifest, bad.slot_files)
    starts = 0
    while starts < 5:
        with contextlib.suppress(TimeoutError):
            await _until(lambda: driver.health.counters["boots"] > boots, within_s=2.0)
            break
        starts += 1
        await pad.restart()
    return starts


async def _refused(folder: Path, images: Images, proof: Proof, say: Say) -> int:
    """What a pad must not take over its line; it says why and goes on with what it runs."""
    chip = build_firmware(folder, "1.6.0", chip="rp2", name="other-chip")
    older = build_firmware(folder, "1.3.8", floor="1.3.8")
    damaged = dict(images.new.slot_files)
    damaged["firmware/pad/pad.mpy"] = bytes(len(damaged["firmware/pad/pad.mpy"]))
    cases = [
        ("another chip", chip.manifest, chip.slot_files, KEY, "firmware for 'rp2'"),
        ("older than the floor", older.manifest, older.slot_files, KEY, "older than 1.4.0"),
        ("a damaged file", images.new.manifest, damaged, KEY, "damaged every time"),
        ("under another key", images.new.manifest, damaged, bytes(32), "this pad's key"),
    ]
    pad = SlotPad(folder, "refusing", key=KEY, unique_id="0badc0de", confirm_ms=0)
    shutil.copy(images.empty, pad.flash)
    await pad.start()
    refused = 0
    try:
        for name, manifest, files, key, must_say in cases:
            greeted: list[bool] = []

            def key_of(_: str, key: bytes = key, greeted: list[bool] = greeted) -> bytes:
                return key if greeted else KEY

            async with driver_of(pad, key_of=key_of) as driver:
                greeted.append(True)
                said = "taken"
                try:
                    await driver.update(manifest, files)
                except DeviceRefused as error:
                    said = str(error)
                if must_say in said:
                    refused += 1
                    say(f"refused over the line, {name}: {said}")
                else:
                    proof.violate(f"{name}: {said}, expected a refusal with {must_say!r}")
        await pad.restart()
        async with driver_of(pad) as driver:
            if driver.identity.firmware_hash != images.old.hash:
                proof.violate("after what it refused the pad does not run its old version")
    except (HalError, TimeoutError) as error:
        proof.violate(f"the pad that has to refuse is lost: {error!r}")
    finally:
        await pad.stop()
    return refused
