"""The clock of `fletcher serve`: it says which probe is due when, and which due moments nobody saw. It looks at nothing.

Every replica has one: all of them say the same, and the store keeps what is said first.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError
from bot.probes.slots import between, cron_trigger, moments, trigger
from bot.probes.values import Mute
from bot.spans import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.front import Front
    from bot.probes.values import Probe
    from bot.settings_probes import Quiet, Rules

_WAKES: Final = 20.0  # seconds; a machine that slept does not count them, so that the next job would be waited for anew

_log = logging.getLogger("fletcher.clock")


@contextmanager
def clock(front: Front, probes: tuple[Probe, ...], rules: Rules) -> Iterator[None]:
    """Say what is due for as long as it lasts; these probes are the ones that are declared.

    Without any nothing is started, and what was declared before is disabled.
    """
    if not probes:
        if any(one.enabled for one in front.probing.standings()):
            front.probing.declare(())
        yield
        return
    front.probing.declare(probes)
    with _ticking(_Clock(front, probes, rules)):
        yield


@contextmanager
def _ticking(hands: _Clock) -> Iterator[None]:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.interval import IntervalTrigger

    # A job only writes a row, and the store has one writer: more threads would only wait for each other.
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)}, timezone=UTC,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )  # fmt: skip
    scheduler.add_job(hands.begin, id="begin")
    scheduler.add_job(lambda: None, IntervalTrigger(seconds=_WAKES, timezone=UTC), id="wakes")
    for number, window in enumerate(hands.rules.quiet):
        when = cron_trigger(window.cron, hands.rules.zone)
        scheduler.add_job(hands.quiet, when, id=f"quiet {number}")
    for probe in hands.probes:
        scheduler.add_job(hands.fire, trigger(probe), args=[probe], id=f"probe {probe.name}")
    scheduler.start()
    _log.info(
        "the clock goes for %s probes; a change of fletcher.toml counts from the next start on", len(hands.probes)
    )
    try:
        yield
    finally:
        hands.over.set()  # what waits for its turn is said at the next start
        scheduler.shutdown(wait=True)


class _Clock:
    """What is done when something is due; nothing of it ends the clock."""

    def __init__(self, front: Front, probes: tuple[Probe, ...], rules: Rules) -> None:
        self._front, self.probes, self.rules = front, probes, rules
        self.over = threading.Event()

    def begin(self) -> None:
        """Catch up with what was due while nobody was here."""
        self.quiet()
        for probe in self.probes:
            self.fire(probe)

    def fire(self, probe: Probe) -> None:
        """Say what was due since the newest slot that is known: the newest is looked, those before it were missed."""
        if self.over.is_set():
            return
        try:
            now = time.time()
            after = self._front.probing.known(probe.name)
            slots, more = between(probe, after, now)
            if len(slots) > 1 and (missed := self._front.probing.missed(probe.name, slots[:-1], more)):
                _log.warning(
                    "probe %s: %s slots were missed in %s; the newest is looked late", probe.name, missed, spoken(now - after)
                )  # fmt: skip
            if slots:
                self._front.probing.due(probe.name, slots[-1])
        except FletcherError as trouble:  # the next firing finds what this one could not say
            _log.warning("probe %s: that it is due could not be written down: %s", probe.name, trouble)
        except Exception:  # noqa: BLE001  # the other probes are due all the same
            _log.exception("probe %s: that it is due could not be said", probe.name)

    def quiet(self) -> None:
        """Write down which maintenance windows are open now."""
        try:
            self._front.probing.quiet(windows(self.rules, self.probes, time.time()))
        except FletcherError as trouble:
            _log.warning("maintenance windows could not be written down: %s", trouble)


def windows(rules: Rules, probes: tuple[Probe, ...], now: float) -> dict[str, Mute]:
    """The maintenance windows that are open at a moment, by probe; of several the one that lasts longest."""
    found: dict[str, Mute] = {}
    for window in rules.quiet:
        until = _open_until(window, rules.zone, now)
        for name in (window.probes or tuple(probe.name for probe in probes)) if until else ():
            if name not in found or found[name].until < until:
                found[name] = Mute(by="fletcher.toml", until=until, why=window.why or "maintenance window")
    return found


def _open_until(window: Quiet, zone: str, now: float) -> float:
    """When a window ends that is open now; 0 where it is not."""
    begun = moments(window.cron, zone, now - window.seconds, now).newest
    return begun[-1] + window.seconds if begun else 0.0
