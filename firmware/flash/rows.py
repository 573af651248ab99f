"""One row of progress a port on the terminal."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from firmware.flash.bundle import Bundle

Tell = Callable[[Path, str, int, int], None]
"""port, step, bytes done, all bytes"""


def rows(ports: list[Path], bundle: Bundle, quiet: bool) -> AbstractContextManager[Tell]:
    """Rows for these ports, or none."""
    if quiet:
        return nullcontext(lambda port, step, done, size: None)
    return _ProgressRows(ports, bundle)


class _ProgressRows:
    """Drawn while it goes on; once at the end where there is no terminal."""

    def __init__(self, ports: list[Path], bundle: Bundle) -> None:
        self._drawn = Progress(
            TextColumn("{task.fields[port]}"),
            BarColumn(24),
            TextColumn("{task.fields[written]:>6}/{task.fields[size]} B {task.fields[step]}"),
            TimeElapsedColumn(),
            console=Console(width=None if sys.stdout.isatty() else 100),
        )
        self._tasks: dict[Path, TaskID] = {
            # One more than the bytes: the clock of a row stops when its total is reached.
            port: self._drawn.add_task(
                "",
                total=bundle.size + 1,
                port=port.name,
                step="waits",
                written=0,
                size=bundle.size,
            )
            for port in ports
        }

    def __enter__(self) -> Tell:
        self._drawn.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._drawn.stop()

    def _tell(self, port: Path, step: str, done: int, size: int) -> None:
        task = self._tasks[port]
        if step == "failed":
            self._drawn.update(task, step=step)
        else:
            end = 1 if step == "done" else 0
            self._drawn.update(task, completed=done + end, written=done, step=step)
        if step in ("failed", "done"):
            self._drawn.stop_task(task)
