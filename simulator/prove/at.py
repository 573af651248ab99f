"""``lobby`` with another wall clock: ``python -m simulator.prove.at SECONDS kiosk --config FILE``.

Only Unix time is moved, by so many seconds; durations are the machine's. libfaketime could do it
for any program, but its ``clock_nanosleep`` fails under Python's ``time.sleep``.
"""

import sys
import time
from collections.abc import Callable


def _moved(real: Callable[[], int], by: int) -> Callable[[], int]:
    return lambda: real() + by


def main(seconds: str, *arguments: str) -> None:
    """Move the clock, then be ``lobby`` with these arguments."""
    off_s = int(seconds)
    time.time_ns = _moved(time.time_ns, off_s * 1_000_000_000)
    real_s = time.time
    time.time = lambda: real_s() + off_s
    from lobby import main as lobby

    sys.argv[1:] = arguments
    lobby()


if __name__ == "__main__":
    main(*sys.argv[1:])
