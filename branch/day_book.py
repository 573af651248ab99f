"""The days of the branch, read for whoever asks: figures, files, names. From any thread."""

from datetime import date as date_type, datetime, tzinfo

from branch.config import BranchConfig
from branch.database import Database
from branch.figures import DayFigures, DayRows, day_figures
from branch.figures_csv import figures_csv, tickets_csv
from branch.figures_rows import read_day
from sync.clock import Clock


class DayBook:
    """Reads the tables when asked. Dates are business dates (ISO); each method raises ValueError
    for what is no date, SQLAlchemyError where the database cannot be read.
    """

    def __init__(
        self, config: BranchConfig, store: Database, clock: Clock, tz: tzinfo | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._tz = tz
        self.branch = {"zh": config.branch.zh, "en": config.branch.en}
        """The branch's name by language."""
        self.services = {s.letter: {"zh": s.zh, "en": s.en} for s in config.services}
        """Names of the services by letter and language."""

    def now(self) -> datetime:
        """The branch's local time."""
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz)

    def day(self, date: str = "") -> str:
        """The date that is meant: today's for ""."""
        if not date:
            return self.now().date().isoformat()
        if date_type.fromisoformat(date).isoformat() != date:
            raise ValueError(f"{date!r}; expected a date like 2026-11-23")
        return date

    def figures(self, date: str = "") -> DayFigures:
        """The figures of the day."""
        day = self.day(date)
        return day_figures(day, self._rows(day), tuple(self.services), self._hour_of)

    def figures_csv(self, date: str = "") -> str:
        """The same as CSV."""
        return figures_csv(self.figures(date))

    def tickets_csv(self, date: str = "") -> str:
        """Each ticket of the day with its forecast and its wait."""
        day = self.day(date)
        return tickets_csv(day, self._rows(day), self._local)

    def _rows(self, day: str) -> DayRows:
        with self._store.reading() as connection:
            return read_day(connection, day, self._tz)

    def _hour_of(self, ts: int) -> int:
        return datetime.fromtimestamp(ts / 1000, self._tz).hour

    def _local(self, ts: int) -> str:
        return datetime.fromtimestamp(ts / 1000, self._tz).isoformat(timespec="milliseconds")
