"""Cards at the kiosk: a token becomes the visitor's segment by a local table; nothing of it is
journalled, printed or shown.

``data_dir/card.salt`` is the branch's secret, the same file at each of its kiosks; where there is
none it is made at the first start. The table is the one that the branch pushes in ``cfg``; while
it has pushed none, ``data_dir/cards.json``, which is read anew when it changes.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from hal.api import CardReader, Health
from hal.errors import LinkUnavailable
from kiosk.errors import KioskError
from sync.cards import read_cards
from sync.errors import BadMessage

SALT_FILE = "card.salt"
SALT_BYTES = 32
TABLE_FILE = "cards.json"

log = structlog.get_logger()


def salt_in(data_dir: Path) -> bytes:
    """The branch's salt, made if there is none. Raises KioskError for one that is no salt."""
    path = data_dir / SALT_FILE
    with contextlib.suppress(FileExistsError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(SALT_BYTES))
            file.flush()
            os.fsync(file.fileno())
        log.info("card.salt_made", file=str(path))
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise KioskError(
            f"{path}: {len(salt)} bytes; expected {SALT_BYTES}: take the file of another kiosk of"
            " this branch, or delete it to make a new one (every card then has another token)"
        )
    return salt


class CardKeeper:
    """Reads cards as they come. ``identify(segment)`` is told of a card that the table has,
    ``code(text)`` of the branch's own codes. ``pushed`` gives the branch's table, None: none.
    """

    def __init__(
        self,
        reader: CardReader | None,
        data_dir: Path,
        identify: Callable[[str], None],
        *,
        code: Callable[[str], None] = lambda _: None,
        told: Callable[[Health], None] = lambda _: None,
        pushed: Callable[[], Mapping[str, str] | None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._path = data_dir / TABLE_FILE
        self._identify = identify
        self._code = code
        self._told = told
        self._pushed = pushed
        self._table: dict[str, str] = {}
        self._read_at = -1
        self._task: asyncio.Task[None] | None = None
        if reader is not None:
            reader.on_health(told)

    async def start(self) -> None:
        """Open the reader; one that is not there is seen in its health."""
        if self._reader is None:
            return
        try:
            await self._reader.open()
        except LinkUnavailable as error:
            log.warning("card.unavailable", error=str(error))
        self._told(self._reader.health)
        self._task = asyncio.create_task(self._read(self._reader), name="cards")

    async def stop(self) -> None:
        """Release the reader; harmless when there is none."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._reader is not None:
            await self._reader.close()

    async def _read(self, reader: CardReader) -> None:
        while True:
            read = await reader.next_read()
            segment = self._segments().get(read.token)
            if read.code:
                self._code(read.code)
            elif segment:
                self._identify(segment)

    def _segments(self) -> Mapping[str, str]:
        """The table; an unreadable one is told of once, and the last good one stays."""
        pushed = self._pushed()
        if pushed is not None:
            return pushed
        try:
            changed_at = self._path.stat().st_mtime_ns
        except OSError:
            return self._table
        if changed_at != self._read_at:
            self._read_at = changed_at
            try:
                self._table = read_cards(self._path.read_bytes())
            except (OSError, BadMessage) as error:
                log.error("card.table_refused", file=str(self._path), error=str(error))
        return self._table
