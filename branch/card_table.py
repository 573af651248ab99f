"""The branch's table of cards: a file that may change while the server runs."""

from pathlib import Path

import structlog

from branch.calling_config import segments_of
from branch.config import BranchConfig
from sync.cards import read_cards
from sync.errors import BadMessage
from sync.settings import SettingsError

log = structlog.get_logger()


class CardTable:
    """The last good table. ``segments`` are those of this branch. Raises SettingsError, with the
    file and the reason, where there is none to begin with.
    """

    def __init__(self, path: Path, kiosks: list[str], segments: frozenset[str]) -> None:
        self.kiosks = frozenset(kiosks)
        self._path = path
        self._segments = segments
        self._seen_ns = self._changed_ns()
        self.cards: dict[str, str] = self._read()

    def look(self) -> bool:
        """Whether another table is in force now; a wrong one is logged, and the last one stays."""
        changed_ns = self._changed_ns()
        if changed_ns == self._seen_ns:
            return False
        self._seen_ns = changed_ns
        before = self.cards
        try:
            self.cards = self._read()
        except SettingsError as error:
            log.error("cards.refused", error=str(error), kept=len(before))
        return self.cards != before

    def _read(self) -> dict[str, str]:
        try:
            cards = read_cards(self._path.read_bytes())
        except OSError as error:
            raise SettingsError(
                f"{self._path}: {error.strerror}; `lobby cards add` makes it"
            ) from error
        except BadMessage as error:
            raise SettingsError(f"{self._path}: {error}") from error
        for place, segment in enumerate(cards.values(), 1):
            if segment not in self._segments:
                raise SettingsError(
                    f"{self._path}: card {place}: segment {segment!r}; expected one of"
                    f" {', '.join(sorted(self._segments))}"
                )
        return cards

    def _changed_ns(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0


def card_table_of(config: BranchConfig) -> CardTable | None:
    """The table that branch.toml names, None if it names none. Raises SettingsError."""
    if config.cards is None:
        return None
    names = frozenset(segment.name for segment in segments_of(config.queue, config.segments))
    return CardTable(Path(config.cards.table), config.cards.kiosks, names)
