"""What ``lobby demo`` and ``lobby replay`` print: progress, the addresses to open, a summary."""

import asyncio
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hal.errors import HalError
from simulator import bench, recorded_day, report
from simulator.demo import Demo, DemoOptions
from simulator.errors import SimulatorError
from simulator.replay import ReplayOptions, replay
from sync.logs import configure_logging

LINE_EVERY_S = 600
"""Without a terminal, one progress line each ten branch minutes."""


def run_demo(options: DemoOptions, version: str, report_file: Path | None) -> int:
    """Play the demo; returns the exit status: 0 only if nothing is lost, doubled or ghost."""
    console = Console()
    until = "until Ctrl-C" if options.minutes is None else f"{options.minutes:g} branch minutes"
    console.print(f"A branch for {until}, {options.speed:g} times as fast as life.")
    show, done = _demo_progress(console, options)
    try:
        demo = Demo(options, version, lambda line: console.print(line, highlight=False), show)
        table = asyncio.run(demo.run())
    except (SimulatorError, HalError) as error:
        done()
        print(f"lobby demo: {error}", file=sys.stderr)
        return 2
    done()
    return _finish(console, table, report_file)


def run_replay(
    csv_file: Path,
    *,
    date: str | None,
    names: list[str],
    options: ReplayOptions,
    out: Path | None,
    report_file: Path | None,
    version: str,
) -> int:
    """Replay a recorded day; returns the exit status."""
    configure_logging(quiet=True)
    console = Console()
    try:
        day = recorded_day.read(csv_file, date=date, names=recorded_day.parse_map(names))
        console.print(
            f"{day.date}: {len(day.arrivals)} arrivals, {len(day.skipped)} rows skipped,"
            f" {options.counters} counters, {options.discipline}",
            highlight=False,
        )
        for row in day.skipped[:10]:
            console.print(f"  line {row.line} skipped: {row.reason}", highlight=False)
        if len(day.skipped) > 10:
            console.print(f"  … and {len(day.skipped) - 10} more, all in the report")
        with Progress(
            TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, disable=not console.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("replaying", total=len(day.arrivals))
            table = replay(
                day,
                options,
                version,
                out=out,
                progress=lambda settled, _all: bar.update(task, completed=settled),
            )
    except SimulatorError as error:
        print(f"lobby replay: {error}", file=sys.stderr)
        return 2
    if out is not None:
        console.print(f"tickets  {out}", highlight=False)
    return _finish(console, table, report_file)


def parse_speed(text: str) -> float:
    """``max`` or a number above 0. Raises ValueError."""
    if text == "max":
        return math.inf
    value = float(text)
    if not value > 0 or math.isinf(value):
        raise ValueError(f"{text!r}: expected max, or a number above 0")
    return value


_Counts = dict[str, int]


def _demo_progress(
    console: Console, options: DemoOptions
) -> tuple[Callable[[_Counts], None], Callable[[], None]]:
    if console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(), console=console,
        )  # fmt: skip
        total = None if options.minutes is None else options.minutes * 60
        task = bar.add_task("branch open", total=total, told="starting")
        bar.start()

        def draw(counts: _Counts) -> None:
            bar.update(task, completed=counts["branch_s"], told=_told(counts))

        return draw, bar.stop
    last_s = [-LINE_EVERY_S]

    def line(counts: _Counts) -> None:
        if counts["branch_s"] - last_s[0] >= LINE_EVERY_S:
            last_s[0] = counts["branch_s"]
            console.print(f"{counts['branch_s'] // 60:4d} min  {_told(counts)}", highlight=False)

    return line, lambda: None


def _told(counts: _Counts) -> str:
    return (
        f"{counts.get('tickets', 0)} tickets, {counts.get('served', 0)} served,"
        f" {counts.get('pressed', 0)} presses"
    )


def _finish(console: Console, table: dict[str, Any], report_file: Path | None) -> int:
    if report_file is not None:
        report.write(report_file, table)
    summary = Table(show_header=False, box=None, pad_edge=False)
    for name in ("tickets", "ratings", "keys", "events"):
        told = ", ".join(f"{key} {value}" for key, value in table[name].items())
        summary.add_row(name, told)
    waits = table["waits_s"]
    if waits["mean"] is not None:
        summary.add_row(
            "waits",
            f"mean {waits['mean']:.0f} s, median {waits['p50']:.0f} s, P90 {waits['p90']:.0f} s",
        )
    summary.add_row(
        "count",
        f"lost {table['events']['lost']}, doubled {table['events']['duplicated']},"
        f" ghost tickets {table['ghost_tickets']}, numbers twice {table['duplicate_numbers']}",
    )
    if (recorded := table.get("recorded")) and recorded["compared"]:
        summary.add_row(
            "recorded",
            f"{recorded['compared']} waits compared, {recorded['within_2_s']} within 2 s, largest"
            f" difference {recorded['largest_difference_s']:.3f} s (line {recorded['line']});"
            f" {recorded['other_outcome']} ended otherwise",
        )
    for picture in table.get("pictures", []):
        summary.add_row("picture", picture)
    if report_file is not None:
        summary.add_row("report", str(report_file))
    console.print(summary, highlight=False)
    for violation in table["violations"]:
        console.print(f"VIOLATION: {violation}", style="bold red", highlight=False)
    if table["violations"]:
        return 1
    console.print("Nothing lost, nothing twice, no ghost.", style="bold green")
    return 0


def run_bench(
    cases: list[str],
    *,
    as_json: bool,
    report_file: Path | None,
    short: bool = False,
    check: bool = False,
) -> int:
    """Measure; exit status 0 whatever the figures are: they are told, not asserted, unless
    ``check`` asks for status 1 where one is missed.
    """
    configure_logging(quiet=True)
    unknown = [case for case in cases if case not in (*bench.CASES, *bench.ALIASES)]
    if unknown:
        print(
            f"lobby bench: no case {unknown[0]!r}; there are {', '.join(bench.CASES)}",
            file=sys.stderr,
        )
        return 2
    console = Console(stderr=as_json)
    table = asyncio.run(bench.run(cases or list(bench.CASES), console.print, short=short))
    if report_file is not None:
        report.write(report_file, table)
    figures: Any = table["figures"]
    status = 1 if check and not all(figure["good"] for figure in figures) else 0
    if as_json:
        print(json.dumps(table, indent=2, ensure_ascii=False))
        return status
    drawn = Table("case", "what", "ratio", "target", "ours", "anchor")
    for figure in figures:
        bound = "at most" if figure["at_most"] else "at least"
        drawn.add_row(
            figure["name"],
            figure["what"],
            f"{figure['ratio']:.2f}" + ("" if figure["good"] else "  missed"),
            f"{bound} {figure['target']:g}",
            figure["ours"],
            figure["anchor"],
        )
    console.print(drawn)
    console.print(f"load {table['load']} on {table['cores']} cores", highlight=False)
    return status
