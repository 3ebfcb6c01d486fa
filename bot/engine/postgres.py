"""What only PostgreSQL needs: one writer at a time, sessions that a frozen process cannot keep, and sentences.

Every session of a process carries the process's own name (`application_name`), so that whoever takes it for dead can end
all of them.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from typing import TYPE_CHECKING, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bot.engine.trouble import StoreTrouble
from bot.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

SCHEMA: Final = "fletcher"  # of our own tables; those of dbos are in its own
WAIT: Final = 10  # seconds that a writer waits for another one
LONGEST: Final = 60  # seconds that one statement may take
IDLE: Final = (
    4  # seconds after which the session of a process is ended that does nothing in a transaction, as a frozen one
)
#: Whatever the database has as its default: whoever has waited for another writer has to see what that one wrote.
_COMMITTED: Final = r"-c default_transaction_isolation=read\ committed"
_CONNECT: Final = 5  # seconds for a connection
_ALONE: Final = 0x666C657463686572  # the key of the lock of whoever writes

# Signals are read on from the last one, and each row of the audit follows the one before it: so there is one writer at a
# time. The lock is of the transaction, and the limit too: a reader may take its time.
_BEGIN: Final = (
    f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE}s', true), pg_advisory_xact_lock({_ALONE})"
)


class PostgreSQL:
    """The database behind an address. Raises UsageError for an address that is none."""

    shared = True
    idle = float(IDLE)

    def __init__(self, address: str) -> None:
        url = url_of(address)
        self.name = shown(url)
        self.other = "another database with FLETCHER_DATABASE"
        self.url = url.render_as_string(hide_password=False)
        #: This process, as its sessions are called.
        self.process = f"fletcher {socket.gethostname()[:30]} {os.getpid()} {secrets.token_hex(4)}"
        self.arguments: dict[str, object] = {
            "application_name": self.process, "connect_timeout": _CONNECT, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 5000,
            "options": f"-c search_path={SCHEMA} -c lock_timeout={WAIT}s -c statement_timeout={LONGEST}s {_COMMITTED}",
        }  # fmt: skip
        self.engine = sa.create_engine(
            url, pool_size=4, max_overflow=16, pool_pre_ping=True, connect_args=self.arguments
        )
        event.listen(self.engine, "before_cursor_execute", _without_nul, retval=True)
        self.reading = self.engine.execution_options(isolation_level="REPEATABLE READ")  # one state of it
        self.writing = self.engine
        own = {**self.arguments, "options": f"-c lock_timeout={WAIT}s"}  # its migrations take their time
        self.library: dict[str, object] = {"pool_pre_ping": True, "connect_args": own}

    def alone(self, connection: Connection) -> None:
        """Wait until nobody else writes."""
        connection.exec_driver_sql(_BEGIN)

    def sentence(self, problem: DBAPIError) -> StoreTrouble:
        """A failure as a sentence."""
        said, state = str(problem.orig).strip(), getattr(problem.orig, "sqlstate", None) or ""
        first = said.splitlines()[0] if said else type(problem.orig).__name__
        low = said.lower()
        if "password authentication failed" in low or "no password supplied" in low or state.startswith("28"):
            return StoreTrouble(
                f"{self.name} does not let this user in ({first}); see the user and the password in FLETCHER_DATABASE"
            )
        if state == "3D000" or ("database" in low and "does not exist" in low):
            return StoreTrouble(
                f"there is no such database at {self.name}; `createdb` makes it, or mend FLETCHER_DATABASE"
            )
        if state == "42501":
            return StoreTrouble(
                f"this user may not make or change tables in {self.name} ({first}); `GRANT CREATE ON DATABASE` lets it"
            )
        if state == "55P03":
            return StoreTrouble(
                f"another process has kept {self.name} from being written for more than {WAIT} s; trying again helps"
            )
        if state == "57014":
            return StoreTrouble(f"{self.name} took more than {LONGEST} s for one statement; see what else it is doing")
        if state in {"53100", "58030"}:
            return StoreTrouble(f"{self.name} could not be written: its disk is full; make room on it")
        if state == "53300":
            return StoreTrouble(
                f"{self.name} has no connection left; raise its max_connections (each replica needs about 20)"
            )
        if state == "25006":
            return StoreTrouble(
                f"{self.name} only lets itself be read; FLETCHER_DATABASE has to name the primary server"
            )
        if state in {"25P03", "57P01", "57P02", "57P03"} or problem.connection_invalidated:
            return StoreTrouble(f"{self.name} ended the connection ({first})")
        if state in {"42P01", "42703", "3F000"}:
            return StoreTrouble(
                f"{self.name} lacks a table or column ({first}), so another program has changed it; give Fletcher a database of its own"
            )
        if not state:
            return StoreTrouble(
                f"{self.name} cannot be reached ({first}); see whether it runs, and the address in FLETCHER_DATABASE"
            )
        return StoreTrouble(f"{self.name} could not be read or written: {first}")

    def passes(self, problem: BaseException) -> bool:
        """Whether the library waits for this to pass, as it does by itself: no connection, no room, no answer."""
        return isinstance(problem, psycopg.OperationalError)


def _without_nul(  # the library's form
    _connection: object, _cursor: object, statement: str, values: object, _context: object, _many: object
) -> tuple[str, object]:
    """What a program printed may hold a character that no text of this database may."""
    if isinstance(values, dict) and any(isinstance(one, str) and "\0" in one for one in values.values()):
        shown = {
            name: one.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(one, str) else one
            for name, one in values.items()
        }
        return statement, shown
    return statement, values


def url_of(address: str) -> URL:
    """The address as the library knows it. Raises UsageError where it is none; what it says has no password in it."""
    if not re.match(r"postgres(ql)?://", address):
        raise UsageError(
            "FLETCHER_DATABASE has to be an address such as postgresql://user:password@host:5432/fletcher; without it "
            "runs are kept in a file of FLETCHER_HOME"
        )
    try:
        url = make_url(address).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise UsageError(
            "FLETCHER_DATABASE cannot be read as an address: postgresql://user:password@host:5432/fletcher is one, with "
            "%40 for an @ in the password"
        ) from None
    if not url.database:
        raise UsageError("FLETCHER_DATABASE names no database: postgresql://user:password@host:5432/fletcher does")
    return url


def shown(url: URL) -> str:
    """The address as it may be shown: without password and options."""
    user = f"{url.username}@" if url.username else ""
    host = url.host or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{host if isinstance(host, str) else host[0]}{port}/{url.database}"
