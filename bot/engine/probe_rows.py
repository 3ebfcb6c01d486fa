"""Probes and their slots as rows. Each function works in the transaction of its connection, and on every database alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam as of

from bot.engine import tables as t
from bot.engine.rows import text
from bot.errors import UsageError
from bot.probes.values import Mute, Result, Standing
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

_MUTE: Final = "mute "  # what a person said, by the probe's name
_QUIET: Final = "quiet "  # what a maintenance window says
_FROM: Final = "clock "  # from when on a probe's slots are counted

# Prepared here, before there is a second thread: see `rows`.
_STANDING: Final = msgspec.json.Decoder(Standing)
_MUTED: Final = msgspec.json.Decoder(Mute)
_RESULT: Final = msgspec.json.Decoder(Result)

_p, _s, _w = t.probes.c, t.slots.c, t.switches.c
_THIS: Final = (_s.probe == of("of_probe"), _s.slot == of("of_slot"))
_ONE: Final = sa.select(_p.standing).where(_p.name == of("of_name"))
_LOCKED: Final = _ONE.with_for_update()  # where several write at once; SQLite has one writer anyway
_PUT: Final = sa.update(t.probes).where(_p.name == of("of_name"))
# The words are the same in SQLite and PostgreSQL, and those of the library are not.
_SLOT: Final = sa.text(
    "INSERT INTO slots (probe, slot, state, executor, at) VALUES (:probe, :slot, :state, '', :at) ON CONFLICT DO NOTHING"
)
_NEWEST: Final = sa.select(sa.func.max(_s.slot)).where(_s.probe == of("of_probe"))
_SINCE: Final = sa.select(_w.at).where(_w.name == of("of_name"))
_OLDER: Final = sa.update(t.slots).where(_s.probe == of("of_probe"), _s.state == "due", _s.slot < of("of_slot"))
_ENDED: Final = sa.select(t.executors.c.id).where(t.executors.c.ended.is_not(None))
_TAKEN: Final = (
    sa.select(_s.slot).where(_s.probe == of("of_probe"), _s.state == "taken", _s.executor.not_in(_ENDED)).limit(1)
)
_ALIVE: Final = sa.select(t.executors.c.id).where(t.executors.c.ended.is_(None))
_LOST: Final = (_s.state == "taken", _s.executor != of("of_executor"), _s.executor.not_in(_ALIVE))
_LEFT: Final = sa.select(_s.probe, _s.slot).where(*_LOST)
_BACK: Final = sa.update(t.slots).where(*_THIS, *_LOST)
_DUE: Final = sa.select(_s.probe, _s.slot).where(_s.state == "due").order_by(_s.slot, _s.probe)
_TAKE: Final = sa.update(t.slots).where(*_THIS, _s.state == "due")
_DONE: Final = sa.update(t.slots).where(*_THIS, _s.state == "taken", _s.executor == of("of_executor"))


# --- how probes stand ----------------------------------------------------------------------------


def standings(c: Connection, now: float) -> tuple[Standing, ...]:
    """All probes by their names, each with what keeps people from being told of it."""
    muted = _mutes(c, now)
    found = (_STANDING.decode(raw) for raw in c.execute(sa.select(_p.standing).order_by(_p.name)).scalars())
    return tuple(msgspec.structs.replace(one, mute=muted.get(one.probe.name)) for one in found)


def ordering(c: Connection) -> Iterator[Standing]:
    """The probes that are degraded and have ordered a run, one after the other, since there may be a thousand."""
    for raw in c.execute(sa.select(_p.standing)).scalars():
        one = _STANDING.decode(raw)
        if one.enabled and one.run and one.state == "degraded":
            yield one


def standing(c: Connection, name: str, *, to_write: bool = False) -> Standing:
    """How one probe stands, without its mute. Raises UsageError where there is none of that name."""
    raw: str | None = c.execute(_LOCKED if to_write else _ONE, {"of_name": name}).scalar()
    if raw is None:
        known = tuple(c.execute(sa.select(_p.name)).scalars())
        raise UsageError(f"there is no probe {named(name)}{nearest(name, known)}; `fletcher probes` lists them")
    return _STANDING.decode(raw)


def put(c: Connection, standing: Standing) -> None:
    """Write down how a probe stands, which is there already."""
    kept = msgspec.structs.replace(standing, mute=None)
    c.execute(_PUT, {"of_name": standing.probe.name, "standing": text(kept)})


def add(c: Connection, standing: Standing) -> None:
    """Write a probe down; where another replica did so first, its row stays."""
    row = {"name": standing.probe.name, "standing": text(standing)}
    c.execute(sa.text("INSERT INTO probes (name, standing) VALUES (:name, :standing) ON CONFLICT DO NOTHING"), row)


def count_missed(c: Connection, name: str, more: int) -> None:
    """Count slots that nobody looks."""
    now = standing(c, name, to_write=True)
    put(c, msgspec.structs.replace(now, missed=now.missed + more))


def _mutes(c: Connection, now: float) -> dict[str, Mute]:
    found: dict[str, Mute] = {}
    asked = sa.select(_w.name, _w.value).where(sa.or_(_w.name.startswith(_MUTE), _w.name.startswith(_QUIET)))
    for name, value in c.execute(asked):
        mute, probe = _MUTED.decode(value), name.partition(" ")[2]
        if mute.until > now and (probe not in found or mute.until > found[probe].until):
            found[probe] = mute
    return found


def mute(c: Connection, name: str, mute: Mute, now: float) -> None:
    """Write down what a person said."""
    _switch(c, _MUTE + name, text(mute), now)


def quiet(c: Connection, windows: dict[str, Mute], now: float) -> None:
    """The maintenance windows that are open now, by probe, in place of all that were."""
    c.execute(sa.delete(t.switches).where(_w.name.startswith(_QUIET)))
    for name, window in windows.items():
        _switch(c, _QUIET + name, text(window), now)


def unmute(c: Connection, name: str) -> bool:
    """Forget what keeps people from being told; whether anything did."""
    names = (_MUTE + name, _QUIET + name)
    return c.execute(sa.delete(t.switches).where(_w.name.in_(names))).rowcount > 0


def _switch(c: Connection, name: str, value: str, now: float) -> None:
    c.execute(sa.delete(t.switches).where(_w.name == name))
    row = {"name": name, "value": value, "at": now}
    c.execute(sa.text("INSERT INTO switches (name, value, at) VALUES (:name, :value, :at) ON CONFLICT DO NOTHING"), row)


# --- slots ---------------------------------------------------------------------------------------


def count_from(c: Connection, name: str, now: float) -> None:
    """Count a probe's slots from now on: what would have been due before was never to be looked."""
    _switch(c, _FROM + name, "", now)


def counted_from(c: Connection) -> dict[str, float]:
    """From when on slots are counted, by probe."""
    asked = sa.select(_w.name, _w.at).where(_w.name.startswith(_FROM))
    return {name.removeprefix(_FROM): at for name, at in c.execute(asked)}


def known(c: Connection, name: str, now: float) -> float:
    """Up to when a probe's slots are known: its newest one, else since it is counted; now where it is not."""
    since: float | None = c.execute(_SINCE, {"of_name": _FROM + name}).scalar()
    return max(now if since is None else since, newest(c, name))


def newest(c: Connection, name: str) -> int:
    """The newest slot of a probe that is written down; 0 where none is."""
    return c.execute(_NEWEST, {"of_probe": name}).scalar() or 0


def forget_later(c: Connection, name: str, after: float, now: float) -> bool:
    """Remove the slots of a probe that are to come after that, by a clock that was ahead; whether there were any.

    Else none would be looked until then. What somebody looks just now stays his.
    """
    there = c.execute(sa.delete(t.slots).where(_s.probe == name, _s.slot > after, _s.state != "taken")).rowcount > 0
    since: float | None = c.execute(_SINCE, {"of_name": _FROM + name}).scalar()
    if there or (since is not None and since > after):
        count_from(c, name, now)
        return True
    return False


def add_slots(c: Connection, name: str, slots: Iterable[int], state: str, now: float) -> int:
    """Write slots down; how many of them nobody had written before."""
    rows = [{"probe": name, "slot": slot, "state": state, "at": now} for slot in slots]
    return sum(c.execute(_SLOT, row).rowcount for row in rows)


def overtaken(c: Connection, name: str, slot: int, now: float) -> int:
    """What is due from before is looked no more, since this slot is newer; how many that were."""
    return c.execute(_OLDER, {"of_probe": name, "of_slot": slot, "state": "missed", "at": now}).rowcount


def looked_now(c: Connection, name: str) -> bool:
    """Whether a look of it goes on, wherever; what one has left that is dead does not."""
    return c.execute(_TAKEN, {"of_probe": name}).scalar() is not None


def due(c: Connection) -> tuple[tuple[str, int], ...]:
    """What is due: (probe, slot), the oldest first."""
    return tuple((probe, slot) for probe, slot in c.execute(_DUE))


def take(c: Connection, name: str, slot: int, executor: str, now: float) -> bool:
    """Take a slot that is due; whether nobody else has."""
    values = {"state": "taken", "executor": executor, "at": now}
    return c.execute(_TAKE, {"of_probe": name, "of_slot": slot, **values}).rowcount == 1


def done(c: Connection, name: str, slot: int, executor: str, result: Result, now: float) -> bool:
    """Write down what came of a look; whether the slot was still this executor's."""
    this = {"of_probe": name, "of_slot": slot, "of_executor": executor}
    return c.execute(_DONE, {**this, "state": "done", "result": text(result), "at": now}).rowcount == 1


def left(c: Connection, but: str) -> tuple[tuple[str, int], ...]:
    """What an executor has taken that is alive no more; `but` is who asks."""
    return tuple((probe, slot) for probe, slot in c.execute(_LEFT, {"of_executor": but}))


def give_back(c: Connection, name: str, slot: int, but: str, now: float) -> bool:
    """Make one of these due again; whether nobody else has."""
    this = {"of_probe": name, "of_slot": slot, "of_executor": but}
    return c.execute(_BACK, {**this, "state": "due", "executor": "", "at": now}).rowcount == 1


def result(c: Connection, name: str, slot: int) -> Result | None:
    """What came of a slot, None while nothing did."""
    raw: str | None = c.execute(sa.select(_s.result).where(_s.probe == name, _s.slot == slot)).scalar()
    return _RESULT.decode(raw) if raw else None


def forget(c: Connection, before: float, rows: int) -> int:
    """Remove the rows of slots that are older, and those beyond so many; how many that were. All stay counted.

    The newest of each probe stays, since it says up to when its slots are known.
    """
    last = c.execute(sa.select(_s.slot).order_by(_s.slot.desc()).offset(rows).limit(1)).scalar()
    other = t.slots.alias()
    newest = sa.select(sa.func.max(other.c.slot)).where(other.c.probe == _s.probe).scalar_subquery()
    old = (_s.slot < max(before, last or 0), _s.slot < newest, _s.state.in_(("done", "missed")))
    return c.execute(sa.delete(t.slots).where(*old)).rowcount


def history(c: Connection, name: str, after: int, most: int) -> tuple[tuple[int, str, Result | None], ...]:
    """The newest slots of a probe after that one, the oldest first: each with its state, and what came of it."""
    asked = sa.select(_s.slot, _s.state, _s.result).where(_s.probe == name, _s.slot > after)
    found = c.execute(asked.order_by(_s.slot.desc()).limit(most)).all()
    return tuple((slot, state, _RESULT.decode(raw) if raw else None) for slot, state, raw in reversed(found))
