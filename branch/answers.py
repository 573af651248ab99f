"""What commands without an event were answered: a refusal stays one, also after a restart.

A command that made an event has its answer in the ledger. Of the others the newest REMEMBERED are
kept, on disk before they are told.
"""

from collections import OrderedDict
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from branch.store import Store
from branch.tables import command_table, ticket_table
from sync.ledger import event_table

REMEMBERED = 10_000
"""As many as the queue remembers keys of commands that were carried out."""
MESSAGE_LENGTH = 200

log = structlog.get_logger()

Intent = tuple[int, str, str]
"""Counter, command and idempotency key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was done; without a ``code`` there was nothing to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """The event that a command made, and the ticket that it is about ("" for none)."""

    event: str
    ticket: str
    number: str


class Answers:
    """The answers of one database. Raises SQLAlchemyError when it cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        table = command_table.c
        newest = select(command_table).order_by(table.at.desc()).limit(REMEMBERED)
        with store.reading() as connection:
            rows = connection.execute(newest).all()
        self._known: OrderedDict[Intent, Refused] = OrderedDict(
            ((row.counter, row.command, row.key), Refused(row.code, row.message))
            for row in reversed(rows)
        )
        if len(rows) == REMEMBERED:
            with store.transaction() as connection:
                connection.execute(delete(command_table).where(table.at < rows[-1].at))

    def of(self, intent: Intent) -> Refused | None:
        """What was answered before, None for a new one."""
        return self._known.get(intent)

    def keep(self, intent: Intent, answer: Refused, now_ms: int) -> None:
        """Remember it. On a disk that takes nothing it is remembered until the next start."""
        counter, command, key = intent
        row = {
            "counter": counter, "command": command, "key": key,
            "code": answer.code, "message": answer.message[:MESSAGE_LENGTH], "at": now_ms,
        }  # fmt: skip
        try:
            with self._store.transaction() as connection:
                connection.execute(insert(command_table).values(row))
        except SQLAlchemyError:
            log.error("command.answer_not_stored", counter=counter, error=self._store.failure)
        self._known[intent] = answer
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def done(self, event_id: str) -> Done:
        """What an event of the ledger says of its ticket."""
        sub = select(event_table.c.sub).where(event_table.c.id == event_id)
        with self._store.reading() as connection:
            ticket = connection.execute(sub).scalar_one_or_none() or ""
            number = select(ticket_table.c.number).where(ticket_table.c.id == ticket)
            found = connection.execute(number).scalar_one_or_none() or ""
        return Done(event_id, ticket, found)
