"""What ``lobby prove`` prints: progress, the figures, each violation."""

import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from simulator import report
from simulator.errors import SimulatorError
from simulator.prove.proof import ProveOptions, prove
from sync.logs import configure_logging

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""


def run_prove(
    name: str,
    *,
    rounds: int,
    seed: int,
    jobs: int,
    without: list[str],
    report_file: Path | None,
) -> int:
    """Run one proof; exit status 0 if every promise was kept, 1 if not, 2 if it could not run."""
    configure_logging(quiet=True)
    console = Console()

    def say(line: str) -> None:
        console.print(line, highlight=False)

    if report_file is not None:
        try:
            report_file.parent.mkdir(parents=True, exist_ok=True)
            report_file.open("ab").close()
        except OSError as error:
            reason = error.strerror or error
            print(
                f"lobby prove {name}: --report {report_file}: {reason}; name a file that you may"
                " write",
                file=sys.stderr,
            )
            return 2
    say(f"prove {name}, seed {seed}")
    # What a proof has started is put away on the way out, by Ctrl-C and by a supervisor's TERM.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix=f"lobby-prove-{name}-") as folder:
            options = ProveOptions(rounds, seed, Path(folder), jobs, frozenset(without))
            proof = prove(name, options, say)
    except SimulatorError as error:
        print(f"lobby prove {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lobby prove {name}: stopped; nothing is proven", file=sys.stderr)
        return INTERRUPTED
    table = proof.table()
    if report_file is not None:
        report.write(report_file, table)
    drawn = Table(show_header=False, box=None, pad_edge=False)
    for key in ("rounds", "shown", "stored", "lost", "doubled", "ghosts", "wall_s"):
        drawn.add_row(key, str(table[key]))
    for key, value in proof.details.items():
        drawn.add_row(key, str(value))
    if report_file is not None:
        drawn.add_row("report", str(report_file))
    console.print(drawn, highlight=False)
    for violation in proof.violations:
        console.print(f"VIOLATION: {violation}", style="bold red", highlight=False)
    if not proof.clean:
        off = "".join(f" --without {promise}" for promise in without)
        again = f"lobby prove {name} --rounds {proof.rounds} --seed {seed}{off}"
        console.print(f"{proof.violation_count} violations; again: {again}", style="bold red")
        return 1
    console.print("Nothing lost, nothing twice, no ghost.", style="bold green")
    return 0
