"""The branch's appointments: a file that another program writes, read anew when it changes.

A list of ``{"code": "482915", "service": "B", "at": "2026-11-30T10:30", "counter": 3}``: ``at`` is
the branch's local time, ``counter`` 0 or left out is any. Codes have six digits and begin with 0
to 7. Nothing in it says whose they are.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

import msgspec
import structlog

from sync.codes import RETURN_FIRST, SLIP_FIRST, is_code, token_of
from sync.settings import SettingsError

log = structlog.get_logger()


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    service: str
    at: str
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Appointment:
    """``at_ms`` is the slot (Unix ms), ``counter`` the one that expects the visitor, 0: any."""

    service: str
    at_ms: int
    counter: int = 0


_decoder = msgspec.json.Decoder(list[_Line])


def read_appointments(
    raw: bytes, services: Collection[str], counters: Collection[int], tz: tzinfo | None
) -> dict[str, Appointment]:
    """The appointments by their code's token. Raises ValueError with the key and the reason."""
    try:
        lines: list[_Line] = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(f"not a list of appointments: {error}") from error
    found: dict[str, Appointment] = {}
    for number, line in enumerate(lines):
        if not is_code(line.code) or line.code[0] in (SLIP_FIRST, RETURN_FIRST):
            raise ValueError(f"[{number}].code: expected six digits, the first one 0 to 7")
        if token_of(line.code) in found:
            raise ValueError(f"[{number}].code: is there already")
        if line.service not in services:
            raise ValueError(f"[{number}].service: {line.service!r} is not one of the services")
        if line.counter and line.counter not in counters:
            raise ValueError(f"[{number}].counter: {line.counter} is not one of the counters")
        try:
            at = datetime.fromisoformat(line.at)
        except ValueError:
            raise ValueError(
                f"[{number}].at: {line.at!r}; expected a local time like 2026-11-30T10:30"
            ) from None
        local = at if at.tzinfo else at.replace(tzinfo=tz)
        at_ms = round(local.timestamp() * 1000)
        found[token_of(line.code)] = Appointment(line.service, at_ms, line.counter)
    return found


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
