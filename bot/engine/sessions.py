"""What executors ask PostgreSQL about themselves and about each other, by the clock of the database."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as of
from sqlalchemy.dialects.postgresql import insert

from bot.engine import tables as t

STALE: Final = 6.0  # seconds after which a heartbeat is too old, and its process taken for dead
_KEPT: Final = 86400.0  # seconds for which an executor that has ended is remembered

_e, _l = t.executors.c, t.leaders.c
_NOW: Final = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)  # one clock for all of them
_UP: Final = _NOW - sa.cast(sa.extract("epoch", sa.func.pg_postmaster_start_time()), sa.Float)
_KEY: Final = sa.func.hashtextextended(of("of_id", type_=sa.String), 7)
_MINE: Final = sa.func.pg_backend_pid()
TRY: Final = sa.select(sa.func.pg_try_advisory_lock(_KEY))
GIVE: Final = sa.select(sa.func.pg_advisory_unlock(_KEY))
ASK: Final = sa.select(1)
BORN: Final = sa.insert(t.executors).values(id=of("of_id"), holder=of("of_holder"), beat=_NOW, session=_MINE)
_ALIVE: Final = (_e.id == of("of_id"), _e.ended.is_(None))
STANDS: Final = sa.select(_e.id).where(*_ALIVE)
BEATS: Final = sa.update(t.executors).where(*_ALIVE).values(beat=_NOW, session=_MINE)
DIES: Final = sa.update(t.executors).where(*_ALIVE).values(ended=_NOW)
FORGET: Final = sa.delete(t.executors).where(_e.ended < _NOW - _KEPT)
PEERS: Final = sa.select(_e.id, _e.holder, _NOW - _e.beat, _UP).where(_e.ended.is_(None), _e.id != of("of_id"))
#: Who is heard of: nobody may be there who would take a silent one for dead.
HEARD: Final = sa.select(_e.id).where(_e.ended.is_(None), sa.or_(_NOW - _e.beat <= STALE, _UP < STALE))
_SESSIONS: Final = sa.table("pg_stat_activity", sa.column("pid"), sa.column("application_name"))
END: Final = sa.select(sa.func.pg_terminate_backend(_SESSIONS.c.pid)).where(
    _SESSIONS.c.application_name == of("of_process"), _SESSIONS.c.pid != _MINE
)
_DEAD: Final = ~sa.exists().where(_e.id == _l.executor, _e.ended.is_(None))
_WANTED: Final = insert(t.leaders).values(name=of("of_name"), executor=of("of_id"), until=_NOW + STALE)
LEAD: Final = _WANTED.on_conflict_do_update(
    index_elements=["name"], set_={"executor": _WANTED.excluded.executor, "until": _WANTED.excluded.until},
    where=sa.or_(_l.executor == of("of_id"), _l.until < _NOW, _DEAD),
).returning(_l.name)  # fmt: skip
RESIGN: Final = sa.delete(t.leaders).where(_l.executor == of("of_id"))
