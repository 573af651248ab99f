"""T2, T11 and T12 in the running kiosk: the real program with its window under Xvfb, 1080 × 1920.

A finger of the bench socket touches through Kivy's own dispatch. "Touch-handler entry" is the
moment before the release is handed to it; "visible answer" is the frame that shows the touch.
Anchors of the same run: a bare FULL commit, a round trip over a pty, a trivial Kivy page, a
trivial page in Chromium's kiosk mode. The printer is simulated at the far end of a pty; the branch
server is the real one. Absolute times are those of Mesa's software renderer: a Raspberry Pi has
another one.
"""

import asyncio
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from hal.sim.printer import SimPrinter, Stream
from simulator import bench_pad_end, branch_plan
from simulator.bench_backlog import fill
from simulator.bench_kiosk_anchors import chromium_pss, trivial_page
from simulator.errors import NotStarted
from simulator.figure import Figure
from simulator.kiosk_stand import KioskStand
from simulator.mosquitto import Mosquitto, free_port
from simulator.parts import Parts, lobby_command, start_xvfb
from simulator.process import Usage, usage
from simulator.screen import Description, Screen

LINE_BYTES_PER_S = 11_520
"""115200 baud, 10 bits a byte."""
STARTS, SHORT_STARTS = 5, 2
VISITS, SHORT_VISITS = 60, 12
BACKLOG = 52_500
"""Three weeks of one branch: it drains for as long as the visits of a run take."""
LOOK_S = 20.0
"""How long processor time is looked at."""
SWALLOW_S = 0.42
"""The screen takes no touch for 400 ms after one it took."""
SLIP_S = 10.0
MB = 1e6
TRIPS = 300

_Say = Callable[[str], None]


class Stamped:
    """A printer that notes when bytes come, before it works on them."""

    def __init__(self, printer: SimPrinter) -> None:
        self._printer = printer
        self.came: list[tuple[float, int]] = []

    async def serve(self, stream: Stream) -> None:
        """Be the printer, with an ear on the line."""
        await self._printer.serve(_Ear(stream, self.came))


class _Ear:
    def __init__(self, stream: Stream, came: list[tuple[float, int]]) -> None:
        self._stream, self._came = stream, came

    async def read(self, limit: int = 4096) -> bytes:
        data = await self._stream.read(limit)
        self._came.append((time.monotonic(), len(data)))
        return data

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)


@dataclass
class Taken:
    """Seconds, one of each for a visit; and how many visits were while events were being sent."""

    first_byte: list[float] = field(default_factory=list)
    line: list[float] = field(default_factory=list)
    """From the first byte of the slip to its paper, over what the line needs for its bytes."""
    seen: list[float] = field(default_factory=list)
    seen_printing: list[float] = field(default_factory=list)
    syncing: int = 0


@asynccontextmanager
async def _anchors(folder: Path) -> AsyncIterator[Callable[[], tuple[float, float]]]:
    """Gives what measures (a commit, a round trip over a pty), in seconds."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    echo = context.Process(target=bench_pad_end.echo, args=(there,), daemon=True)
    echo.start()
    path, trip = bench_pad_end.round_trip()
    here.send(path)
    await asyncio.to_thread(here.recv)
    commit = bench_pad_end.commit(folder / "anchor.db")
    try:
        yield lambda: (commit(), trip())
    finally:
        echo.kill()
        echo.join()


async def starts(
    parts: Parts, display: str, folder: Path, count: int, say: _Say
) -> tuple[list[Figure], float, dict[str, Any]]:
    """T11, the frame period of the trivial page, and what kiosk and page take at rest."""
    size = branch_plan.LARGE[:2]
    ours: list[float] = []
    anchor: list[float] = []
    period_s, page, kiosk, idle, busy = 0.0, None, None, 0.0, 0.0
    say(f"first frame: {count} starts of the kiosk and of a trivial page, in turn")
    for number in range(count + 1):  # the first ones fill the caches
        last = number == count
        took_s, period, at_rest = await trivial_page(
            parts, display, size, folder, first_only=not last
        )
        stand = KioskStand(folder, parts, display, free_port("127.0.0.1"))
        async with stand:
            if number:
                anchor.append(took_s)
                ours.append(stand.took_s)
            if last:
                say(f"at rest and at a tap a second, {LOOK_S:g} s each")
                await asyncio.sleep(4)
                period_s, page, kiosk = period, at_rest, usage(stand.pid)
                idle = await _processor(stand)
                tapping = asyncio.create_task(_tap_each_second(stand.screen))
                busy = await _processor(stand)
                tapping.cancel()
                await asyncio.gather(tapping, return_exceptions=True)
                after = usage(stand.pid)
    assert page is not None
    assert kiosk is not None
    chromium = await chromium_pss(parts, display, size)
    a, b = median(ours), median(anchor)
    resting = {
        "idle": {"rss_mb": round(kiosk.rss / MB, 1), "cpu_percent": round(idle * 100, 1)},
        "a_tap_a_second": {
            "rss_mb": round(after.rss / MB, 1),
            "cpu_percent": round(busy * 100, 1),
        },
    }
    say(f"kiosk at rest: {_told(kiosk)}, {idle:.1%} of a core")
    say(f"at a tap a second: {_told(after)}, {busy:.1%} of a core")
    figures = [
        Figure(
            "T11", f"first frame that takes touches / trivial Kivy page, {count} starts", a / b,
            1.25, at_most=True, ours=f"{a:.2f} s", anchor=f"{b:.2f} s",
        ),
        Figure(
            "T11 Chromium", "PSS / Chromium in kiosk mode", kiosk.pss / chromium, 0.5,
            at_most=True, ours=f"{kiosk.pss / MB:.0f} MB", anchor=f"{chromium / MB:.0f} MB",
        ),
        Figure(
            "T11 page", "PSS / (trivial Kivy page + 60 MB)", kiosk.pss / (page.pss + 60 * MB), 1.0,
            at_most=True, ours=f"{kiosk.pss / MB:.0f} MB", anchor=f"{page.pss / MB:.0f} + 60 MB",
        ),
    ]  # fmt: skip
    return figures, period_s, resting


def _told(used: Usage) -> str:
    return f"RSS {used.rss / MB:.0f} MB, {used.handles} handles, {used.threads} threads"


async def _processor(stand: KioskStand) -> float:
    """The share of one core that the kiosk takes."""
    before, began_s = usage(stand.pid).cpu_s, time.monotonic()
    await asyncio.sleep(LOOK_S)
    return (usage(stand.pid).cpu_s - before) / (time.monotonic() - began_s)


async def _tap_each_second(screen: Screen) -> None:
    """Visit after visit, each touch a second after the one before."""
    while True:
        seen = await screen.describe()
        for name in ("service.A", "done", "acknowledge"):
            if name in seen.controls:
                await screen.tap(seen.controls[name])
                break
        await asyncio.sleep(1)


async def visits(
    parts: Parts, display: str, folder: Path, count: int, say: _Say
) -> tuple[Taken, float, float]:
    """T2 and T12: tickets while a backlog drains; and the medians of (commit, round trip)."""
    folder = folder / "visits"
    (folder / "kiosk").mkdir(parents=True)
    say(f"a journal with {BACKLOG} events that the branch server does not have")
    await asyncio.to_thread(fill, folder / "kiosk" / "journal.db", BACKLOG)
    broker = await asyncio.to_thread(Mosquitto, folder)
    taken = Taken()
    paper: list[float] = []
    line = Stamped(
        SimPrinter(on_slip=lambda _: paper.append(time.monotonic()), bytes_per_s=LINE_BYTES_PER_S)
    )
    try:
        port = free_port("127.0.0.1")
        places = branch_plan.Places(folder, broker.port, "", {}, {})
        (folder / "branch.toml").write_text(branch_plan.branch_toml(places, port, 1), "utf-8")
        await parts.start("branch", *lobby_command("branch", "-c", str(folder / "branch.toml")))
        async with _anchors(folder) as measure:
            anchors = [measure() for _ in range(TRIPS)]
            stand = KioskStand(folder, parts, display, broker.port, printer=line)
            async with stand:
                say(f"{count} visits while it drains")
                for _ in range(count):
                    await _visit(stand.screen, line, paper, taken)
                    anchors += [measure() for _ in range(5)]
                    taken.syncing += _unsent(folder / "kiosk" / "journal.db") > 0
    finally:
        await asyncio.to_thread(broker.stop)
    commit_s, trip_s = (median(side) for side in zip(*anchors, strict=True))
    return taken, commit_s, trip_s


async def _visit(screen: Screen, line: Stamped, paper: list[float], taken: Taken) -> None:
    home = await _reached(screen, "home")
    await asyncio.sleep(SWALLOW_S)
    line.came.clear()
    paper.clear()
    felt = await screen.tap(home.controls["service.A"])
    taken.seen.append(felt["seen_ms"] / 1000)
    async with asyncio.timeout(SLIP_S):
        while not paper:  # noqa: ASYNC110 - another loop's paper
            await asyncio.sleep(0.005)
    touched_s = felt["lifted_at_s"]
    first_s = next(at_s for at_s, _ in line.came if at_s >= touched_s)  # no look of its own before
    taken.first_byte.append(first_s - touched_s)
    # The slip itself: what came after the printer's answer to the question before it.
    slip = next(n for n, (_, size) in enumerate(line.came) if size > 50)
    size = sum(size for _, size in line.came[slip:])
    taken.line.append((paper[0] - line.came[slip][0]) / (size / LINE_BYTES_PER_S))
    shown = await _reached(screen, "ticket", "no_slip")
    await asyncio.sleep(SWALLOW_S)
    felt = await screen.tap(shown.controls["done" if shown.screen == "ticket" else "acknowledge"])
    taken.seen_printing.append(felt["seen_ms"] / 1000)


async def _reached(screen: Screen, *names: str) -> Description:
    seen = await screen.describe()
    async with asyncio.timeout(SLIP_S):
        while seen.screen not in names:
            seen = await screen.describe_after(seen.revision, 1)
    return seen


def _unsent(journal: Path) -> int:
    sql = (
        "SELECT (SELECT max(seq) FROM event) -"
        " (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'acked')"
    )
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)) as db:
        return int(db.execute(sql).fetchone()[0] or 0)


async def measure(say: _Say, *, short: bool = False) -> tuple[list[Figure], dict[str, Any]]:
    """T2, T11, T12; and what the kiosk takes at rest. Raises SimulatorError."""
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        folder = Path(name)
        parts = Parts(folder)
        try:
            display = await start_xvfb(parts, *branch_plan.LARGE[:2])
            count = SHORT_STARTS if short else STARTS
            figures, period_s, resting = await starts(parts, display, folder, count, say)
            count = SHORT_VISITS if short else VISITS
            taken, commit_s, trip_s = await visits(parts, display, folder, count, say)
        finally:
            await parts.stop_all()
    if not taken.syncing:
        raise NotStarted("the backlog drained before the first visit: nothing was measured")
    say(f"{taken.syncing} of {count} visits while events were sent")
    return [*figures, *_slip(taken, commit_s, trip_s), *_answers(taken, period_s)], resting


def _slip(taken: Taken, commit_s: float, trip_s: float) -> list[Figure]:
    least_s = commit_s + trip_s
    anchor = f"{commit_s * 1e3:.3f} + {trip_s * 1e3:.3f} ms"
    figures = []
    for rank, target in ((50, 3.0), (99, 10.0)):
        ours = quantiles(taken.first_byte, n=100, method="inclusive")[rank - 1]
        figures.append(
            Figure(
                f"T2 p{rank}", "touch to the printer's first byte / (commit + pty round trip)",
                ours / least_s, target, at_most=True, ours=f"{ours * 1e3:.2f} ms", anchor=anchor,
            )
        )  # fmt: skip
    figures.append(
        Figure(
            "T2 line", "first byte of the slip to its paper / its bytes on the line",
            median(taken.line), 1.1, at_most=True, ours="", anchor=f"{LINE_BYTES_PER_S} B/s",
        )
    )  # fmt: skip
    return figures


def _answers(taken: Taken, period_s: float) -> list[Figure]:
    figures = []
    for name, what, seen in (
        ("T12", "touch to the frame that shows it / frame period", taken.seen),
        ("T12 ticket", "the same on the ticket's screen", taken.seen_printing),
    ):
        for rank in (50, 95):
            ours = quantiles(seen, n=100, method="inclusive")[rank - 1]
            figures.append(
                Figure(
                    f"{name} p{rank}", what, ours / period_s, 2.0, at_most=True,
                    ours=f"{ours * 1e3:.1f} ms", anchor=f"{period_s * 1e3:.1f} ms",
                )
            )  # fmt: skip
    return figures
