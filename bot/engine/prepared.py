"""Statements that are carried out for every step, or many times a second. Building one costs more than carrying it out.

What they are about is given as `of_…`; what is written, by the names of the columns.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as of

from bot.engine import tables as t

_a, _r, _s = t.attempts.c, t.runs.c, t.steps.c

STATE: Final = sa.select(_r.state).where(_r.id == of("of_run"))
CANCELLED: Final = sa.select(_r.cancelled_by).where(_r.id == of("of_run"))
PUT: Final = sa.update(t.runs).where(_r.id == of("of_run"))

STEP: Final = sa.update(t.steps).where(_s.run == of("of_run"), _s.name == of("of_step"))

BEGIN: Final = sa.insert(t.attempts)
_TRIED: Final = (_a.run == of("of_run"), _a.step == of("of_step"), _a.part == of("of_part"))
END: Final = sa.update(t.attempts).where(*_TRIED, _a.number == of("of_number"))
LAST: Final = sa.select(_a.number, _a.memory, _a.outcome).where(*_TRIED).order_by(_a.number.desc()).limit(1)

HEAD: Final = sa.select(t.audit.c.seq, t.audit.c.hash).order_by(t.audit.c.seq.desc()).limit(1)
AUDIT: Final = sa.insert(t.audit)

SIGNALS: Final = (
    sa.select(t.signals.c.id, t.signals.c.run, t.signals.c.kind)
    .where(t.signals.c.id > of("of_after"))
    .order_by(t.signals.c.id)
)
