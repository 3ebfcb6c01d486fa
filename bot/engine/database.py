"""The database: a file for one machine, PostgreSQL for several. What only one of them needs is in a file of its own."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.engine import tables
from bot.engine.sqlite import SQLite
from bot.engine.trouble import StoreTrouble
from bot.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from bot.engine.postgres import PostgreSQL

__all__ = ["Database", "StoreTrouble"]


class Database:
    """The database in a file, or behind an address where one is given; its tables are made where they are missing.

    Raises Unreachable with what stands in the way.
    """

    def __init__(self, path: Path, address: str = "") -> None:
        self.kind: SQLite | PostgreSQL = _postgres(address) if address else SQLite(path)
        self.engine = self.kind.engine
        with ExitStack() as undone:
            undone.callback(self.close)
            self._check()
            undone.pop_all()

    def close(self) -> None:
        """Give its connections back."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read one state of it."""
        with self.told(), self.kind.reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Change it, all or nothing, nobody else writing meanwhile."""
        with self.told(), self.kind.writing.begin() as connection:
            self.kind.alone(connection)
            yield connection

    def _check(self) -> None:
        with self.read() as connection:
            found = self._version(connection)
        if found is None or found < tables.VERSION:
            with self.write() as connection:  # of several that start at once, the first one makes them
                found = self._version(connection)
                if found is None:
                    self._make(connection)
                    connection.execute(sa.insert(tables.schema).values(version=tables.VERSION))
                elif found < tables.VERSION:  # every version so far has only added tables
                    self._make(connection)
                    connection.execute(sa.update(tables.schema).values(version=tables.VERSION))
        if found is not None and found > tables.VERSION:
            raise Unreachable(
                f"{self.kind.name} was written by a newer Fletcher (its tables are version {found}, this one knows "
                f"{tables.VERSION}); use that Fletcher, or {self.kind.other}"
            )

    def _make(self, connection: Connection) -> None:
        if self.kind.shared:
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS fletcher")
        tables.META.create_all(connection)

    @staticmethod
    def _version(connection: Connection) -> int | None:
        if not sa.inspect(connection).has_table(tables.schema.name):
            return None
        return connection.execute(sa.select(tables.schema.c.version)).scalar()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Failures of the database as sentences."""
        try:
            yield
        except DBAPIError as problem:
            raise self.kind.sentence(problem) from problem
        except NoConnection as problem:
            raise StoreTrouble(
                f"{self.kind.name} answers too slowly: this process uses all of its connections, and none came back in time"
            ) from problem


def _postgres(address: str) -> PostgreSQL:
    from bot.engine.postgres import PostgreSQL

    return PostgreSQL(address)
