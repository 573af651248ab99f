"""Who tried the self-service machine first: a code keeps the time of arrival for 15 minutes.

The kiosk alone knows its codes (six digits, the first one 9), so this works without the branch and
at this kiosk only. They stand in ``data_dir/returns.json``: a restart forgets none. The
ticket of a code has one request id, so there is one.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from kiosk.desired import write_durably
from sync.clock import Clock
from sync.codes import CODE_DIGITS, RETURN_FIRST

KEPT_MS = 15 * 60_000
FILE = "returns.json"
MOST = 500
"""Codes at a time; far more than visitors within 15 minutes."""

log = structlog.get_logger()


class Return(msgspec.Struct, frozen=True):
    """When somebody chose the machine for ``service``: by this boot's clock, and by the wall."""

    service: str
    boot: str
    mono_ms: int
    wall_ms: int


class Returns:
    """``chance(n)`` gives a whole number below n. What the disk does not take stays in memory."""

    def __init__(self, data_dir: Path, clock: Clock, chance: Callable[[int], int]) -> None:
        self._path = data_dir / FILE
        self._clock = clock
        self._chance = chance
        self._kept: dict[str, Return] = {}
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Return])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            log.warning("returns.forgotten", file=str(self._path), error=str(error))

    def keep(self, service: str) -> str:
        """A code for who goes to the machine now, "" where there is none to give."""
        self._tidy()
        span = 10 ** (CODE_DIGITS - 1)
        if len(self._kept) >= MOST:
            return ""
        code = ""
        while not code or code in self._kept:
            code = f"{RETURN_FIRST}{self._chance(span):0{CODE_DIGITS - 1}}"
        clock = self._clock
        self._kept[code] = Return(service, clock.boot, clock.mono_ms(), clock.wall_ms())
        self._save()
        return code

    def find(self, code: str) -> tuple[Return, int] | None:
        """What was kept, and for how long (ms); None for a code that is not known, or not any
        more.
        """
        self._tidy()
        found = self._kept.get(code)
        return None if found is None else (found, self._age_ms(found))

    def _age_ms(self, one: Return) -> int:
        """By the boot's own clock within one boot; over a restart of the machine by the wall
        clock. A clock that was set back cannot tell.
        """
        if one.boot == self._clock.boot:
            return self._clock.mono_ms() - one.mono_ms
        return self._clock.wall_ms() - one.wall_ms

    def _tidy(self) -> None:
        over = [code for code, one in self._kept.items() if not 0 <= self._age_ms(one) <= KEPT_MS]
        for code in over:
            del self._kept[code]

    def _save(self) -> None:
        try:
            write_durably(self._path, msgspec.json.encode(self._kept))
        except OSError as error:
            log.error("returns.not_kept", error=str(error))
