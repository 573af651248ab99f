"""What a process takes of the machine, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes resident, and proportional (what is shared counts by its share), open handles,
    threads, seconds of processor time since the start.
    """

    rss: int
    pss: int
    handles: int
    threads: int
    cpu_s: float


def usage(pid: int) -> Usage:
    """The usage of a process now. Raises OSError when it is gone."""
    folder = Path(f"/proc/{pid}")
    sizes = {}
    for line in (folder / "smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, size = line.split()[:2]
        sizes[name.rstrip(":")] = int(size) * 1024
    # Behind the name, which may have spaces and brackets.
    fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(
        sizes["Rss"],
        sizes["Pss"],
        len(list((folder / "fd").iterdir())),
        int(fields[17]),
        ticks / os.sysconf("SC_CLK_TCK"),
    )


def family(pid: int) -> list[int]:
    """The process and all that it started, directly or not, as far as they still run."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text("ascii").split()]
    return found
