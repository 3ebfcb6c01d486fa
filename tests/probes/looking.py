"""Probes without a runbook's text, and somebody who looks as a test says."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from bot.engine.slots import Looks
from bot.probes.values import Probe, Result, Standing
from bot.runbook.document import Runbook, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.engine.contract import Parts
    from bot.engine.front import Front

Look = "Callable[[Standing, Callable[[], bool]], Result]"
GREEN, RED, DARK = (
    Result(light="green", says="good"),
    Result(light="red", says="bad"),
    Result(light="unknown", says="?"),
)


def probe(name: str, *, every: float | None = 60, cron: str = "", fail: int = 1, recover: int = 1, **more: object) -> Probe:  # fmt: skip
    """A probe of this name; what a test leaves out orders nothing."""
    runbook = Runbook(id="none", title="None", path="", sha256="")
    schedule = Schedule(every=None if cron else every, cron=cron, fail=fail, recover=recover)
    return Probe(name=name, runbook=runbook, schedule=schedule, **{"orders": "", **more})  # type: ignore[arg-type]


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, and fail where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def looks(front: Front, look: Callable[[Standing, Callable[[], bool]], Result], **more: object) -> Iterator[Looks]:
    """Somebody who looks so, over this front's store."""
    parts = cast("Parts", SimpleNamespace(probe=look))
    with Looks(front._store, parts, front.submit, **more) as looking:  # type: ignore[arg-type]
        yield looking


def standing(front: Front, name: str) -> Standing:
    """How one probe stands."""
    return next(one for one in front.probing.standings() if one.probe.name == name)


def rows(front: Front) -> dict[tuple[str, int], str]:
    """The state of every slot that is written down."""
    from bot.engine import tables as t

    with front._store.read() as c:
        return {(row.probe, row.slot): row.state for row in c.execute(t.slots.select())}
