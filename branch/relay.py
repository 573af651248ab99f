"""The branch as head office's device: its whole ledger, in order of commit, as one event stream.

What the branch has committed is copied into a journal of its own (sync/journal.py), each event
with its id, and from there on everything is as between kiosk and branch: chain, epochs, resending,
acknowledgement after the commit. The cursor of the copying is in the journal's own transaction, so
a crash copies nothing twice; should it copy twice all the same, the ids say so.
"""

import asyncio
import contextlib

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from branch.store import Store
from sync.errors import BadMessage, JournalFull
from sync.journal import Journal
from sync.ledger import event_table
from sync.messages import Command, decode_envelope
from sync.outbox import Outbox
from sync.topics import HQ_FEED
from sync.transport import Transport

COPY_ROWS = 500
"""Events copied in one transaction."""
WAIT_S = 0.2
"""Events of this while are copied together."""
LOOK_EVERY_S = 5.0
"""What went unnoticed is found after this while, and a full disk is tried again."""
PLACE, DIGEST = "relay_place", "relay_digest"

log = structlog.get_logger()


class Relay:
    """Forwards ``store``'s ledger through ``journal``; both stay open until ``close``."""

    def __init__(
        self, store: Store, journal: Journal, transport: Transport, *, version: str
    ) -> None:
        self._store = store
        self._journal = journal
        self._place = int(journal.mark(PLACE, "0"))
        self._copied = asyncio.Event()
        self._find_place()  # before anything new is written into a ledger that was restored
        self._task: asyncio.Task[None] | None = None
        self.outbox = Outbox(journal, transport, version=version, on_command=_refuse, root=HQ_FEED)

    async def open(self) -> None:
        """Begin to copy and to send."""
        await self.outbox.start()
        self._task = asyncio.create_task(self._keep_copying())

    async def close(self) -> None:
        """Copy what is committed, then stop; what head office has not got is sent next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(JournalFull, SQLAlchemyError):
            while self._copy():
                pass
        await self.outbox.stop()

    def committed(self) -> None:
        """The ledger has grown."""
        self._copied.set()

    def health(self) -> dict[str, object]:
        """Whether head office answers, and how many copied events it has not confirmed."""
        return {"online": self.outbox.online, "behind": self.outbox.unacknowledged}

    def _find_place(self) -> None:
        """Begin anew if the ledger is not the one that was copied: it was restored. What is in the
        journal already is recognised by its id.
        """
        if not self._place:
            return
        with self._store.reading() as connection:
            digest = connection.execute(
                select(event_table.c.digest).where(event_table.c.place == self._place)
            ).scalar_one_or_none()
        if digest != self._journal.mark(DIGEST, ""):
            log.warning("relay.ledger_restored", place=self._place)
            self._place = 0

    async def _keep_copying(self) -> None:
        while True:
            try:
                while self._copy():  # noqa: ASYNC110 - others have their turn between
                    await asyncio.sleep(0)
            except (JournalFull, SQLAlchemyError) as error:
                log.error("relay.not_copied", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._copied.wait()
            await asyncio.sleep(WAIT_S)
            self._copied.clear()

    def _copy(self) -> int:
        """Copy the next rows; returns how many there were. Raises JournalFull,
        SQLAlchemyError.
        """
        columns = (
            event_table.c.place,
            event_table.c.node,
            event_table.c.digest,
            event_table.c.raw,
        )
        query = (
            select(*columns)
            .where(event_table.c.place > self._place)
            .order_by(event_table.c.place)
            .limit(COPY_ROWS)
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return 0
        with self._journal.transaction() as transaction:
            for _, node, _, raw in rows:
                try:
                    transaction.append_copy(decode_envelope(raw), origin=node)
                except BadMessage as error:  # it was written by us: the file is damaged
                    log.error("relay.unreadable_event", node=node, error=str(error))
            transaction.set_mark(PLACE, str(rows[-1].place))
            transaction.set_mark(DIGEST, rows[-1].digest)
        self._place = rows[-1].place
        self.outbox.appended()
        return len(rows)


async def _refuse(command: Command) -> None:
    raise RuntimeError(f"a branch takes no {type(command).__name__} from head office")
