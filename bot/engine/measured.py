"""What is measured of a whole deployment, read from the store in one go: every replica tells the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec import Struct

from bot.engine import probe_rows, switch
from bot.engine import tables as t
from bot.engine.counts import Counts, counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.engine.store import Store
    from bot.probes.values import Hold, Standing


class Measured(Struct, frozen=True, kw_only=True):
    """Times are seconds since the epoch.

    `newest` is the newest slot of each probe, 0 for none, and `known` up to when its slots are known. `due` is the oldest slot that
    is due and that nobody has taken, and since when that is so. `waiting` counts open questions, `waiting_since` is when
    the oldest was asked.
    """

    at: float
    standings: tuple[Standing, ...]
    known: Mapping[str, float]
    newest: Mapping[str, int]
    due: float | None
    counts: Mapping[str, Counts]
    runs: Mapping[str, int]
    waiting: int
    waiting_since: float | None
    hold: Hold | None


def measured(store: Store) -> Measured:
    """All of it, as it is now."""
    r, s, a = t.runs.c, t.slots.c, t.approvals.c
    now = time.time()
    with store.read() as c:
        standings = tuple(one for one in probe_rows.standings(c, now) if one.enabled)
        names = [one.probe.name for one in standings]
        newest = {name: probe_rows.newest(c, name) for name in names}
        since = probe_rows.counted_from(c)
        states = c.execute(sa.select(r.state, sa.func.count()).group_by(r.state))
        open_ = sa.select(sa.func.count(), sa.func.min(r.changed_at)).join(t.approvals, a.run == r.id)
        waiting, asked = c.execute(open_.where(r.state == "waiting", a.kind.is_(None))).one()
        return Measured(
            at=now, standings=standings, newest=newest, known={name: max(since.get(name, now), newest[name]) for name in names},
            due=c.execute(sa.select(sa.func.min(s.at)).where(s.state == "due", s.probe.in_(names))).scalar(), counts=counts(c),
            runs={state: int(count) for state, count in states}, waiting=waiting, waiting_since=asked, hold=switch.held(c),
        )  # fmt: skip
