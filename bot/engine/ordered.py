"""What looks order: a diagnosis once a probe is degraded, and whatever else a look asks for; each once."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from msgspec.structs import replace

from bot.engine import probe_rows
from bot.engine import tables as t
from bot.engine.database import StoreTrouble
from bot.engine.values import DIAGNOSE, Order, Person
from bot.errors import FletcherError
from bot.runbook import shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.engine.store import Store
    from bot.probes.values import Probe, Result, Standing, Want

CLOCK: Final = Person("clock", "clock")
_ROOM: Final = "room"  # the input that a finding gives
AGAIN: Final = 300.0  # seconds in which a trouble that comes back is the same one
_SETTLED: Final = 10.0  # seconds after which what should have been ordered was forgotten by a process that died

_log = logging.getLogger("fletcher.probes")


def run_id(name: str, slot: int) -> str:
    """The id of the run that is ordered when a probe becomes degraded in a slot."""
    return f"{name}.{slot}"


def noted(standing: Standing, slot: int, now: float) -> Standing:
    """A probe that has become degraded, with the run that is ordered for it.

    One that comes and goes is one trouble: what was ordered a moment ago is not ordered again.
    """
    if standing.ordered and now - standing.ordered_at < AGAIN:
        return replace(standing, run=standing.ordered)
    run = run_id(standing.probe.name, slot)
    return replace(standing, run=run, ordered=run, ordered_at=now)


class Orders:
    """Places orders in the name of the clock; what is there already is not placed again."""

    def __init__(self, store: Store, submit: Callable[[Order], str]) -> None:
        self._store, self._submit = store, submit
        self._refused: set[str] = set()

    def after(self, standing: Standing, result: Result) -> None:
        """Order what this result asks for."""
        if standing.run == run_id(standing.probe.name, standing.slot):
            self._degraded(standing)
        for want in result.wants:
            self._place(standing.probe, want.id, lambda want=want: self._wanted(standing.probe, want))  # type: ignore[misc]

    def again(self) -> None:
        """Order what a process was about to order when it died."""
        with self._store.read() as c:
            found = [one for one in probe_rows.ordering(c) if time.time() - one.since > _SETTLED]
        for standing in found:
            self._degraded(standing)

    def _degraded(self, standing: Standing) -> None:
        probe, last = standing.probe, standing.last
        rooms = tuple(one.room for one in last.findings[:1] if one.room) if last is not None else ()
        self._place(probe, standing.run, lambda: self._order(probe, standing.run, probe.orders, rooms, {}))

    def _place(self, probe: Probe, run: str, order: Callable[[], Order]) -> None:
        if run in self._refused:
            return
        try:
            if self._known(run):
                return
            self._submit(order())
        except StoreTrouble as trouble:
            _log.warning("probe %s: run %s is not ordered yet: %s", probe.name, run, trouble)
        except FletcherError as trouble:
            if not self._known(run):  # else another replica was quicker
                self._refused.add(run)  # said once
                _log.error("probe %s: run %s could not be ordered: %s", probe.name, run, trouble)
        else:
            _log.info("probe %s orders run %s", probe.name, run, extra={"run": run})

    def _known(self, run: str) -> bool:
        with self._store.read() as c:
            return c.execute(sa.select(t.runs.c.id).where(t.runs.c.id == run)).scalar() is not None

    def _wanted(self, probe: Probe, want: Want) -> Order:
        return self._order(probe, want.id, want.runbook, want.rooms, want.inputs)

    @staticmethod
    def _order(probe: Probe, run: str, runbook: str, rooms: tuple[str, ...], inputs: dict[str, str]) -> Order:
        """The order as a person would place it, in the folder and for the target of the probe."""
        if runbook != DIAGNOSE.id:
            from bot.settings import targets

            here = Path(probe.here)
            document = targets(os.environ, here, here / probe.config if probe.config else None).document
            path = shelf.shelf(document.runbooks if document is not None else ()).find(runbook).path.absolute()
            known = {one.name for one in shelf.read(path).inputs}
            if rooms and _ROOM in known and _ROOM not in inputs:
                inputs = {**inputs, _ROOM: rooms[0]}
            runbook = str(path)
        return Order(
            id=run, runbook=runbook, person=CLOCK, at=time.time(), inputs=inputs, rooms=rooms, here=probe.here, config=probe.config,
            target=probe.target, live=True,
        )  # fmt: skip
