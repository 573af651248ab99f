"""A server's database through SQLAlchemy Core: SQLite at a branch, PostgreSQL or SQLite at head
office.

SQLite runs in WAL with ``synchronous=FULL``: a commit returns after the data is on the medium.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, insert, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from branch.errors import StoreUnusable
from branch.tables import about_table
from sync.ledger import metadata

SCHEMA_VERSION = 1

_READING = "reading"
"""Execution option of a connection that only reads: it needs no write lock."""


class Database:
    """One database, written by one program. Every write goes through ``transaction``."""

    def __init__(self, url: str, tables: Sequence[Table] | None = None) -> None:
        """Open or create the database with these ``tables``, all if not given. Raises
        StoreUnusable.
        """
        self.failure = ""
        """Why the last transaction was not committed, "" when it was."""
        try:
            self.name = name = make_url(url).render_as_string(hide_password=True)
            self._engine = create_engine(url)
        except NoSuchModuleError:
            raise StoreUnusable(
                f"{name}: no database of this kind is known; expected sqlite or postgresql"
            ) from None
        except ArgumentError:
            raise StoreUnusable(
                "database: not the URL of a database; expected a file name or"
                " dialect://user@host/name"
            ) from None
        except ImportError as error:
            raise StoreUnusable(f"{name}: its driver is not installed ({error})") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        try:
            self._refuse_other_schema(name)
            metadata.create_all(self._engine, tables=tables)
            for table in metadata.sorted_tables if tables is None else tables:
                for index in table.indexes:  # of a table that an older version made
                    index.create(self._engine, checkfirst=True)
            with self.transaction() as connection:
                self._about(connection, "schema", str(SCHEMA_VERSION))
                self.server_gen = self._about(connection, "server_gen", secrets.token_hex(8))
        except SQLAlchemyError as error:
            self.close()
            hint = "is the server running, may this user connect?"
            if self._engine.dialect.name == "sqlite":
                hint = "is the folder there and writable? Keep the file, it is the ledger."
            raise StoreUnusable(f"{name}: {cause(error)}; {hint}") from error
        except StoreUnusable:
            self.close()
            raise

    def _refuse_other_schema(self, name: str) -> None:
        """Before anything is written into a database of another version."""
        with self.reading() as connection:
            if not inspect(connection).has_table(about_table.name):
                return
            version = connection.execute(
                select(about_table.c.value).where(about_table.c.name == "schema")
            ).scalar_one_or_none()
        if version not in (None, str(SCHEMA_VERSION)):
            raise StoreUnusable(
                f"{name}: schema {version}, this version knows {SCHEMA_VERSION};"
                " install the version that wrote it"
            )

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed (and durable) at the end of the block, or undone. Raises
        SQLAlchemyError; ``failure`` says why until the next one succeeds.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self.failure = cause(error)
            raise
        self.failure = ""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads: it works while nothing can be written."""
        with self._engine.connect().execution_options(**{_READING: True}) as connection:
            yield connection

    @staticmethod
    def _about(connection: Connection, name: str, default: str) -> str:
        row = connection.execute(
            select(about_table.c.value).where(about_table.c.name == name)
        ).one_or_none()
        if row is not None:
            return str(row.value)
        connection.execute(insert(about_table).values(name=name, value=default))
        return default


def cause(error: SQLAlchemyError) -> str:
    """What the database said, without the statement and its parameters."""
    return str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]


def _begin_sqlite(connection: Connection) -> None:
    # The driver would begin at the first write only: neither the reads before it nor a savepoint
    # would belong to the transaction.
    reading = connection.get_execution_options().get(_READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.close()
