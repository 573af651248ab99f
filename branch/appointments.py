"""The branch's appointments: a file that `lobby appointments` or another program writes, read anew
when it changes.

A list of ``{"code": "482915", "service": "B", "at": "2026-11-30T10:30", "counter": 3}``: ``at`` is
the branch's local time, ``counter`` 0 or left out is any. Codes have six digits and begin with 0
to 7. Nothing in it says whose they are.
"""

from collections.abc import Collection
from datetime import tzinfo
from pathlib import Path

import structlog

from branch.appointment_rows import Appointment, Offered, by_token, decode_rows
from sync.settings import SettingsError

log = structlog.get_logger()


def read_appointments(
    raw: bytes, services: Collection[str], counters: Collection[int], tz: tzinfo | None
) -> dict[str, Appointment]:
    """The appointments by their code's token. Raises ValueError with the key and the reason."""
    return by_token(decode_rows(raw, Offered(services, counters, tz)))


class AppointmentBook:
    """The last good file; no ``path``: no appointments. Raises SettingsError where the first one
    is wrong or missing.
    """

    def __init__(
        self,
        path: str,
        services: Collection[str],
        counters: Collection[int],
        tz: tzinfo | None,
    ) -> None:
        self._path = Path(path) if path else None
        self._services, self._counters, self._tz = services, counters, tz
        self._seen_ns = -1
        self._found: dict[str, Appointment] = {}
        if self._path is not None:
            self._read(self._path)

    def find(self, token: str) -> Appointment | None:
        """The appointment behind a code's token; a file that became wrong is logged once, and the
        last good one stays.
        """
        if self._path is not None and self._changed_ns(self._path) != self._seen_ns:
            try:
                self._read(self._path)
            except SettingsError as error:
                log.error("appointments.refused", error=str(error), kept=len(self._found))
        return self._found.get(token)

    def _read(self, path: Path) -> None:
        self._seen_ns = self._changed_ns(path)
        try:
            self._found = read_appointments(
                path.read_bytes(), self._services, self._counters, self._tz
            )
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise SettingsError(f"{path}: {error}") from error

    @staticmethod
    def _changed_ns(path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0
