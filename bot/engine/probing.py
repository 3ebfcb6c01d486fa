"""The probes of one store, as doors see them: which there are, when they are due, how they stand, whom they are told.

Nothing is looked here: what is due is written down, and whoever executes takes it (`slots`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from bot.engine import probe_rows
from bot.errors import Unreachable
from bot.probes.values import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.engine.store import Change, Store
    from bot.engine.values import Person
    from bot.probes.values import Mute, Probe, Result


_NEVER: Final = 1 << 40  # a slot after all others
_AHEAD: Final = 300.0  # seconds that the clock of another replica may be before ours
_log = logging.getLogger("fletcher.probes")


class Probing:
    """The probes of a store. Every method that names one raises UsageError where there is none of that name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- what is declared ------------------------------------------------------------------------

    def declare(self, probes: Iterable[Probe]) -> None:
        """These are the probes from now on; one that is gone is disabled, and stays with what is known of it.

        One that is new, comes back or has another schedule is counted from now on: earlier slots were never its own.
        """
        wanted = {probe.name: probe for probe in probes}
        with self._store.change() as change:
            there = {one.probe.name: one for one in probe_rows.standings(change.c, change.now)}
            for name, probe in wanted.items():
                before = there.get(name)
                if before is None:
                    probe_rows.add(change.c, Standing(probe=probe, since=change.now))
                elif before.probe != probe or not before.enabled:
                    self._again(change, probe)
                if before is None or not before.enabled or _when(before.probe) != _when(probe):
                    probe_rows.count_from(change.c, name, change.now)
                if probe_rows.forget_later(change.c, name, change.now + _AHEAD, change.now):
                    _log.warning(
                        "probe %s: slots were written down by a clock that was ahead; it is due from now on", name
                    )
            for name, one in there.items():
                if name not in wanted and one.enabled:
                    gone = probe_rows.standing(change.c, name, to_write=True)
                    probe_rows.put(change.c, msgspec.structs.replace(gone, enabled=False))
                    probe_rows.overtaken(change.c, name, _NEVER, change.now)  # what is due is looked no more

    @staticmethod
    def _again(change: Change, probe: Probe) -> None:
        """What another runbook or target has shown says nothing of this one; a new threshold or channel changes nothing."""
        now = probe_rows.standing(change.c, probe.name, to_write=True)
        if now.enabled and _what(now.probe) == _what(probe):
            probe_rows.put(change.c, msgspec.structs.replace(now, probe=probe))
        else:
            anew = Standing(probe=probe, since=change.now, missed=now.missed, skipped=now.skipped)
            probe_rows.put(change.c, anew)

    def standings(self) -> tuple[Standing, ...]:
        """How each probe stands, by name, those that are disabled too."""
        with self._store.read() as c:
            return probe_rows.standings(c, time.time())

    # --- slots -----------------------------------------------------------------------------------

    def known(self, name: str) -> float:
        """Up to when its slots are known, in seconds since the epoch."""
        with self._store.read() as c:
            return probe_rows.known(c, name, time.time())

    def due(self, name: str, slot: int) -> bool:
        """Its look of this slot is due; whether nobody had said so before, and it will be made.

        What is still due from before is looked no more. Where a look of it still goes on, or a newer slot is known, this
        one is missed.
        """
        with self._store.change() as change:
            late = probe_rows.newest(change.c, name) > slot
            busy = late or probe_rows.looked_now(change.c, name)
            if not probe_rows.add_slots(change.c, name, [slot], "missed" if busy else "due", change.now):
                return False
            missed = busy or probe_rows.overtaken(change.c, name, slot, change.now)
            if missed:
                probe_rows.count_missed(change.c, name, missed)
        if missed:
            why = (
                "a newer one is known" if late else "an earlier look still goes on" if busy else "nobody looked in time"
            )
            _log.warning("probe %s: a slot is missed: %s", name, why)
        self._store.looks.set()
        return not busy

    def missed(self, name: str, slots: Iterable[int], more: int = 0) -> int:
        """These slots were missed, and as many older ones that are only counted; how many nobody had said before."""
        slots = tuple(slots)
        with self._store.change() as change:
            fresh = probe_rows.add_slots(change.c, name, slots, "missed", change.now)
            if fresh and fresh == len(slots):
                fresh += more
            if fresh:
                probe_rows.count_missed(change.c, name, fresh)
        return fresh

    def look_now(self, name: str) -> bool:
        """A look of it is due now; False where one goes on already. Raises Unreachable for one that is disabled."""
        with self._store.read() as c:
            if not probe_rows.standing(c, name).enabled:
                raise Unreachable(f"probe {name} is no longer declared in fletcher.toml, so that nobody looks")
            if probe_rows.looked_now(c, name):
                return False
        return self.due(name, int(time.time()))

    def result(self, name: str, slot: int) -> Result | None:
        """What came of a slot; None while nothing did, and once it is forgotten."""
        with self._store.read() as c:
            return probe_rows.result(c, name, slot)

    def history(self, name: str, after: int = 0, most: int = 20) -> tuple[tuple[int, str, Result | None], ...]:
        """Its slots after that one, the newest so many, the oldest first: (slot, state, what came of it)."""
        with self._store.read() as c:
            return probe_rows.history(c, name, after, most)

    # --- whom it is told -------------------------------------------------------------------------

    def mute(self, names: Iterable[str], mute: Mute, person: Person) -> None:
        """Tell nobody of these probes until then; they are looked all the same."""
        with self._store.change() as change:
            for name in names:
                probe_rows.standing(change.c, name)
                probe_rows.mute(change.c, name, mute, change.now)
                until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(mute.until))
                why = f": {mute.why}" if mute.why else ""
                change.audit("", person, f"muted the probe {name} until {until}{why}")

    def unmute(self, names: Iterable[str], person: Person) -> None:
        """Tell of these probes again, also while a maintenance window lasts."""
        with self._store.change() as change:
            for name in names:
                probe_rows.standing(change.c, name)
                if probe_rows.unmute(change.c, name):
                    change.audit("", person, f"unmuted the probe {name}")

    def quiet(self, windows: dict[str, Mute]) -> None:
        """The maintenance windows that are open now, by probe; there are no others."""
        with self._store.change() as change:
            probe_rows.quiet(change.c, windows, change.now)

    def acknowledge(self, name: str, person: Person) -> None:
        """Somebody sees to it, until its state changes. Raises Unreachable where nothing is wrong."""
        with self._store.change() as change:
            now = probe_rows.standing(change.c, name, to_write=True)
            if now.state not in {"degraded", "unknown"}:
                raise Unreachable(f"probe {name} is {now.state}, so that there is nothing to acknowledge")
            probe_rows.put(change.c, msgspec.structs.replace(now, acknowledged=person.name, acknowledged_at=change.now))
            change.audit("", person, f"acknowledged that the probe {name} is {now.state}")


def _when(probe: Probe) -> tuple[float | None, str, str]:
    return probe.schedule.every, probe.schedule.cron, probe.zone


def _what(probe: Probe) -> tuple[str, dict[str, str], str, str, str]:
    return probe.runbook.id, probe.inputs, probe.config, probe.target, probe.here
