"""Which executors there are, and who carries out which run, as rows. Each function works in the transaction of its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from bot.engine import tables as t
from bot.engine.values import Holder

if TYPE_CHECKING:
    from sqlalchemy import Connection


def executors(c: Connection) -> dict[str, Holder]:
    """The executors that are alive, by their ids, the oldest first."""
    e = t.executors.c
    found = c.execute(sa.select(e.id, e.holder).where(e.ended.is_(None)))
    known = {one: msgspec.json.decode(raw, type=Holder) for one, raw in found}
    return dict(sorted(known.items(), key=lambda item: item[1].since))


def own(c: Connection, run_id: str, executor: str) -> bool:
    """Let an executor carry out a run that nobody does; whether it is the one that does now."""
    o = t.owners.c
    owner = c.execute(sa.select(o.executor).where(o.run == run_id)).scalar()
    if owner is None:
        c.execute(sa.insert(t.owners).values(run=run_id, executor=executor))
    return owner in {None, executor}


def owner(c: Connection, run_id: str) -> str | None:
    """Who carries out a run; None while nobody does."""
    return c.execute(sa.select(t.owners.c.executor).where(t.owners.c.run == run_id)).scalar()


def taken(c: Connection, run_id: str, executor: str) -> None:
    """Write down who carries out a run now, whoever did before."""
    o = t.owners.c
    if c.execute(sa.update(t.owners).where(o.run == run_id).values(executor=executor)).rowcount == 0:
        c.execute(sa.insert(t.owners).values(run=run_id, executor=executor))


def owners(c: Connection) -> dict[str, str]:
    """Who carries out which run."""
    return {row.run: row.executor for row in c.execute(sa.select(t.owners.c.run, t.owners.c.executor))}


def inherit(c: Connection, executor: str) -> tuple[str, ...]:
    """Let an executor carry out every run of executors that are dead; which ones."""
    o, alive = t.owners.c, tuple(executors(c))
    left = tuple(c.execute(sa.select(o.run).where(o.executor.not_in(alive))).scalars())
    if left:
        c.execute(sa.update(t.owners).where(o.run.in_(left)).values(executor=executor))
    return left


def disown(c: Connection, run_id: str) -> None:
    """Forget who carried out a run that has ended."""
    c.execute(sa.delete(t.owners).where(t.owners.c.run == run_id))


def mark(c: Connection) -> str | None:
    """The mark of the folder that the executors share; None before the first one has marked it."""
    return c.execute(sa.select(t.homes.c.mark)).scalar()
