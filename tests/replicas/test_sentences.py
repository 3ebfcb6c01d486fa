"""What is said where PostgreSQL does not take something, and what it takes that no text of it may hold."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.engine import postgres as engine
from bot.engine import rows
from bot.engine.front import Front
from bot.errors import Unreachable
from tests import postgres
from tests.replicas.several import until

if TYPE_CHECKING:
    from pathlib import Path


def test_no_such_database_is_said(server: postgres.Cluster, tmp_path: Path) -> None:
    """With what makes it."""
    with pytest.raises(Unreachable, match=r"there is no such database at .*/missing; `createdb` makes it"):
        Front(tmp_path, None, server.address("missing"))


def test_a_user_who_may_make_nothing_is_said(server: postgres.Cluster, tmp_path: Path) -> None:
    """With what lets it."""
    address = postgres.database(server.address(), "strict")
    postgres.rows(address, "create role guest login")
    with pytest.raises(Unreachable, match=r"this user may not make or change tables in .*`GRANT CREATE ON DATABASE`"):
        Front(tmp_path, None, address.replace("postgres@", "guest@"))


def test_a_writer_who_does_not_end_is_said(
    server: postgres.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, and whoever tries again writes once it has ended."""
    monkeypatch.setattr(engine, "WAIT", 1)
    with Front(tmp_path, None, postgres.database(server.address(), "busy")) as front:
        with psycopg.connect(server.address("busy"), autocommit=True) as other:
            other.execute(f"select pg_advisory_lock({engine._ALONE})")
            with pytest.raises(Unreachable, match=r"another process has kept .* from being written for more than 1 s"):
                front.claim("slack", "Ev1")
        assert front.claim("slack", "Ev1")


def test_a_database_of_another_isolation_is_written_one_after_the_other(
    server: postgres.Cluster, tmp_path: Path
) -> None:
    """Whoever has waited for another writer sees what that one wrote."""
    address = postgres.database(server.address(), "isolated")
    postgres.rows(address, "alter database isolated set default_transaction_isolation = 'serializable'")
    waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
    troubles: list[str] = []

    def second() -> None:
        try:
            front.keep("slack", "card", "second")
        except Unreachable as trouble:
            troubles.append(str(trouble))

    with Front(tmp_path, None, address) as front:
        front.keep("slack", "card", "none")
        thread = threading.Thread(target=second)
        with front._store.change() as change:
            rows.keep(change.c, "slack", "card", "first", change.now)
            thread.start()
            until(lambda: postgres.rows(address, waiting), "the second one waits")
        thread.join()
        assert (troubles, front.kept("slack", "card")) == ([], {"card": "second"})


def test_whatever_a_program_prints_is_kept(server: postgres.Cluster, tmp_path: Path) -> None:
    """The one character that the database does not take is shown as its sign."""
    with Front(tmp_path, None, postgres.database(server.address(), "texts")) as front:
        front.keep("slack", "card", "a\0b")
        assert front.kept("slack", "card") == {"card": "a\N{SYMBOL FOR NULL}b"}


def test_several_that_start_at_once_make_the_tables_once(server: postgres.Cluster, tmp_path: Path) -> None:
    """And mark one folder."""
    address, troubles = postgres.database(server.address(), "begun"), list[str]()
    begin = threading.Barrier(4)

    def start() -> None:
        begin.wait()
        try:
            with Front(tmp_path, None, address) as front:
                front.claim("web", str(time.monotonic_ns()))
        except Unreachable as trouble:
            troubles.append(str(trouble))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert postgres.rows(address, "select count(*) from homes") == [(1,)]
    assert postgres.rows(address, "select version from fletcher_schema") == [(3,)]
