"""The MicroPython on which simulated devices run their own firmware."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from hal.errors import HalError

INTERPRETER_VARIABLE = "LOBBY_MICROPYTHON"
CACHED_INTERPRETER = "lobby/micropython-1.25/micropython"
"""Where deploy/micropython puts it, under the user's cache folder."""
OLDEST_INTERPRETER = (1, 24)


class InterpreterMissing(HalError):
    """There is no MicroPython to run the firmware on; the message says how to get it."""


def micropython_path() -> Path:
    """Path of the interpreter: $LOBBY_MICROPYTHON, the cache of ``make setup``, or PATH.

    Raises InterpreterMissing.
    """
    if named := os.environ.get(INTERPRETER_VARIABLE):
        if not os.access(named, os.X_OK):
            raise InterpreterMissing(f"{INTERPRETER_VARIABLE}={named}: no such program")
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if os.access(cache / CACHED_INTERPRETER, os.X_OK):
        return cache / CACHED_INTERPRETER
    if (found := shutil.which("micropython")) and _version(found) >= OLDEST_INTERPRETER:
        return Path(found)
    raise InterpreterMissing(
        f"no MicroPython {'.'.join(map(str, OLDEST_INTERPRETER))} or later: run `make setup`,"
        f" or name one in {INTERPRETER_VARIABLE}"
    )


@functools.cache
def interpreter_name(path: str) -> str:
    """What the interpreter calls itself, e.g. ``micropython 1.25.0``."""
    code = "import sys; i = sys.implementation; print(i[0], '.'.join(str(n) for n in i[1][:3]))"
    done = subprocess.run(
        [path, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InterpreterMissing(f"{path} does not run: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def _version(path: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in interpreter_name(path).split()[1].split("."))
    except (InterpreterMissing, OSError, IndexError, ValueError):
        return ()
