"""What looks have come to in all, counted in the transaction that writes a result: it stays when old slots are forgotten."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam as of

from bot.engine import tables as t
from bot.engine.rows import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.probes.values import Result

#: The upper bounds, in seconds, of the classes in which the times to an agent are counted; one more has no bound.
BOUNDS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
_NAME: Final = "counts "  # before a probe's name


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one probe: its looks by light, the rooms that came to lack their agent by cause, and the times to an agent.

    `classes` count the times by BOUNDS, each time in one class; `to_agent` is their sum in seconds.
    """

    lights: dict[str, int] = {}
    failures: dict[str, int] = {}
    classes: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    to_agent: float = 0.0


_READ: Final = msgspec.json.Decoder(Counts)  # prepared before there is a second thread: see `rows`
_w = t.switches.c
_ONE: Final = sa.select(_w.value).where(_w.name == of("of_name"))
_PUT: Final = sa.update(t.switches).where(_w.name == of("of_name"))


def add(c: Connection, name: str, before: Result | None, result: Result, now: float) -> None:
    """Count one look of a probe; `before` is what the look before it came to."""
    raw = c.execute(_ONE, {"of_name": _NAME + name}).scalar()
    counted = text(counted_with(_READ.decode(raw) if raw is not None else Counts(), before, result))
    if raw is None:
        c.execute(sa.insert(t.switches).values(name=_NAME + name, value=counted, at=now))
    else:
        c.execute(_PUT, {"of_name": _NAME + name, "value": counted, "at": now})


def counts(c: Connection) -> dict[str, Counts]:
    """What was counted, by probe."""
    asked = sa.select(_w.name, _w.value).where(_w.name.startswith(_NAME))
    return {name.removeprefix(_NAME): _READ.decode(value) for name, value in c.execute(asked)}


def counted_with(counted: Counts, before: Result | None, result: Result) -> Counts:
    """The counts with one more look."""
    failures = dict(counted.failures)
    for cause, more in _failed_since(before, result).items():
        failures[cause] = failures.get(cause, 0) + more
    classes, waited = list(counted.classes), result.to_agent
    if waited is not None:
        classes[bisect_left(BOUNDS, waited)] += 1
    return Counts(
        lights={**counted.lights, result.light: counted.lights.get(result.light, 0) + 1}, failures=failures,
        classes=tuple(classes), to_agent=counted.to_agent + (waited or 0.0),
    )  # fmt: skip


def _failed_since(before: Result | None, result: Result) -> dict[str, int]:
    """How many rooms came to lack their agent, by cause: a room that lacks it from look to look is counted once.

    Only some rooms are named; where more lack it than are named, what came on top is counted.
    """
    known = {one.room for one in before.findings if one.verdict == "cause"} if before is not None else set()
    fresh: dict[str, int] = {}
    for one in result.findings:
        if one.verdict == "cause" and one.room not in known:
            fresh[one.cause] = fresh.get(one.cause, 0) + 1
    for cause, now in result.lacking.items():
        grown = now - (before.lacking.get(cause, 0) if before is not None else 0)
        if grown > fresh.get(cause, 0):
            fresh[cause] = grown
    return fresh
