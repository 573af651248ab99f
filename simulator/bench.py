"""``lobby bench``: the product's own code paths against their anchors, in one run on one machine.

Every figure is a ratio of two things measured in turn, round by round, medians of the rounds.
Absolute times
are for orientation. The anchors: an append of a record's bytes with fdatasync (the least a
durable commit can
cost); those of the exchange, of the pad, of calling and of the wait are in bench_sync, bench_pad,
bench_calling and bench_wait.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles
from typing import Any

from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.flow import Phase
from kiosk.view import CONTROL_DONE, View
from simulator import bench_calling, bench_kiosk, bench_pad, bench_sync, bench_wait
from simulator.figure import Figure
from simulator.world import World
from sync.clock import system_clock

RECORD_BYTES = 228
WARM_UP = 5_000
ROUNDS = 1_500


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
            service = "ABCD"[count % 4]
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


CASES = ("ticket", "sync", "pad", "calling", "wait", "kiosk")
ALIASES = {"link": "pad"}
"""What a case was called before."""


async def run(
    cases: list[str], say: Callable[[str], None], *, short: bool = False
) -> dict[str, object]:
    """Measure the named cases; returns the table for the report. ``load`` is the machine's
    before and after. ``short``: of calling only the full hall, with fewer calls.
    """
    cases = [ALIASES.get(case, case) for case in cases]
    before = os.getloadavg()[0]
    figures: list[Figure] = []
    if "ticket" in cases:
        figures += await touch_to_journal(say)
    if "sync" in cases:
        figures += await bench_sync.measure(say)
    sizes: dict[str, dict[str, int]] = {}
    if "pad" in cases:
        found, sizes = await bench_pad.measure(say)
        figures += found
    if "calling" in cases:
        figures += await bench_calling.measure(say, short=short)
    if "wait" in cases:
        figures += bench_wait.measure(say)
    resting: dict[str, Any] = {}
    if "kiosk" in cases:
        found, resting = await bench_kiosk.measure(say, short=short)
        figures += found
    return {
        "cases": cases,
        "firmware": sizes,
        "kiosk": resting,
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
            spare_bands=list(range(2, 10)),
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
