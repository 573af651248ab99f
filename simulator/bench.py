"""``lobby bench``: the product's own code paths against their anchors, in one run on one machine.

Every figure is a ratio of two things measured in turn, round by round, medians of the rounds.
Absolute times
are for orientation. The anchors: an append of a record's bytes with fdatasync (the least a
durable commit can
cost), and a decoder that takes its bytes one by one.
"""

import asyncio
import os
import struct
import tempfile
import time
from binascii import crc32
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

from branch.config import BranchConfig, CounterConfig
from branch.config import BranchName as ServerName
from branch.config import ServiceConfig as ServerService
from firmware.pad import link
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.flow import Phase
from kiosk.view import CONTROL_DONE, View
from simulator.world import World
from sync.clock import system_clock

RECORD_BYTES = 228
WARM_UP = 500
ROUNDS = 1_500
STREAM_FRAMES = 4_000
STREAM_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio; ``good`` says whether it keeps its ``target`` (``at_most`` or at least)."""

    name: str
    what: str
    ratio: float
    target: float
    at_most: bool
    ours: str
    anchor: str

    @property
    def good(self) -> bool:
        """Whether the target is kept."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


async def touch_to_journal(say: Callable[[str], None]) -> list[Figure]:
    """T1: entry of the touch handler until the ticket is journalled durably, in a running
    kiosk.
    """
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        folder = Path(name)
        shown: list[View] = []
        world = _world(folder, shown.append)
        await world.start()
        journalled_at: list[float] = []
        outbox = world.kiosk.outbox
        send = outbox.appended

        def stamped() -> None:
            """The controller calls this right after the commit."""
            journalled_at.append(time.perf_counter())
            send()

        outbox.appended = stamped  # type: ignore[method-assign]
        fd = os.open(folder / "anchor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        record = os.urandom(RECORD_BYTES)
        ours: list[float] = []
        anchor: list[float] = []
        say(f"touch to journal: {WARM_UP} to warm up, {ROUNDS} counted")
        for count in range(WARM_UP + ROUNDS):
            began_s = time.perf_counter()
            os.write(fd, record)
            os.fdatasync(fd)
            anchor_s = time.perf_counter() - began_s
            service = "ABCD"[count // 900 % 4]
            began_s = time.perf_counter()
            journalled_at.clear()
            world.kiosk.tap(f"service.{service}", f"touch-{count}")
            tap_s = journalled_at[0] - began_s
            while world.kiosk.visit.phase is not Phase.TICKET:  # noqa: ASYNC110 - next turns of the loop
                await asyncio.sleep(0)
            world.kiosk.tap(CONTROL_DONE, "done")
            if count >= WARM_UP:
                ours.append(tap_s)
                anchor.append(anchor_s)
        os.close(fd)
        await world.stop()
    figures = []
    for rank, target in ((50, 1.5), (99, 5.0)):
        a, b = (quantiles(values, n=100)[rank - 1] for values in (ours, anchor))
        figures.append(
            Figure(
                f"T1 p{rank}",
                "touch to ticket journalled / append + fdatasync",
                a / b,
                target,
                at_most=True,
                ours=f"{a * 1e3:.3f} ms",
                anchor=f"{b * 1e3:.3f} ms",
            )
        )
    return figures


def stream_decoder(say: Callable[[str], None]) -> list[Figure]:
    """T8: the decoder of the pad link on a stream of presses, against one that takes byte by
    byte.
    """
    frames = [link.encode(0x05, 7, seq, os.urandom(24)) for seq in range(STREAM_FRAMES)]
    stream = b"".join(frames)
    say(f"stream decoder: {len(stream)} bytes, {STREAM_ROUNDS} rounds")
    ours: list[float] = []
    anchor: list[float] = []
    for _ in range(STREAM_ROUNDS):
        decoder = link.Decoder()
        began_s = time.perf_counter()
        found = 0
        for at in range(0, len(stream), 64):
            found += len(decoder.feed(stream[at : at + 64]))
        ours.append(time.perf_counter() - began_s)
        assert found == decoder.frames == STREAM_FRAMES
        began_s = time.perf_counter()
        assert _bytewise(stream) == STREAM_FRAMES
        anchor.append(time.perf_counter() - began_s)
    a, b = median(ours), median(anchor)
    return [
        Figure(
            "T8",
            "stream decoder / byte-wise Python (speed)",
            b / a,
            2.0,
            at_most=False,
            ours=f"{len(stream) / a / 1e6:.1f} MB/s",
            anchor=f"{len(stream) / b / 1e6:.1f} MB/s",
        )
    ]


def _bytewise(stream: bytes) -> int:
    """The anchor does the same work one byte at a time: cap, un-stuff, check, header, frame."""
    found: list[link.Frame] = []
    frame = bytearray()
    left = code = 0
    for byte in stream:
        if byte == 0:
            end = len(frame) - link.CRC_SIZE
            if end >= link.HEADER_SIZE and crc32(frame[:end]) == _number(frame, end):
                kind, boot_id, seq = struct.unpack_from(link.HEADER, frame)
                found.append(link.Frame(kind, boot_id, seq, bytes(frame[link.HEADER_SIZE : end])))
            frame.clear()
            left = code = 0
        elif len(frame) == link.MAX_FRAME:
            continue
        elif left == 0:
            if code not in (0, 0xFF):
                frame.append(0)
            code = left = byte
            left -= 1
        else:
            frame.append(byte)
            left -= 1
    return len(found)


def _number(frame: bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", frame, at)[0])


CASES = ("ticket", "link")


async def run(cases: list[str], say: Callable[[str], None]) -> dict[str, object]:
    """Measure the named cases; returns the table for the report. ``load`` is the machine's
    before and after.
    """
    before = os.getloadavg()[0]
    figures: list[Figure] = []
    if "ticket" in cases:
        figures += await touch_to_journal(say)
    if "link" in cases:
        figures += stream_decoder(say)
    return {
        "cases": cases,
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "cores": os.cpu_count(),
        "figures": [{**asdict(figure), "good": figure.good} for figure in figures],
    }


def _world(folder: Path, show: Callable[[View], None]) -> World:
    services = "ABCD"
    return World(
        folder,
        kiosk=KioskConfig(
            node="kiosk-1",
            production=False,
            branch=BranchName(zh="测量", en="Bench"),
            services=[ServiceConfig(letter, letter, letter) for letter in services],
            printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        ),
        branch=BranchConfig(
            node="branch-1",
            branch=ServerName(zh="测量", en="Bench"),
            services=[ServerService(letter, letter, letter) for letter in services],
            counters=[CounterConfig(1, list(services))],
        ),
        clock=system_clock(),
        version="bench",
        show=show,
    )
