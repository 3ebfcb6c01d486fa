"""From a schedule to its slots: the moments at which a probe is due, the same on every machine.

An interval has its slots at whole multiples of it since the epoch, moved by a part of it that the probe's name decides, so
that a thousand probes are not due at once. A cron expression is due as it says in its time zone; a time that the clock
skips is due once, when as much time has passed (02:30 comes at 03:30), and one that comes twice is due twice.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from zlib import crc32

from bot import cron as crons

if TYPE_CHECKING:
    from bot.probes.values import Probe

_MOST: Final = 1000  # slots that are told one by one; older ones are only counted
_BACK: Final = 31 * 86400.0  # seconds; of a cron expression the slots before are not counted, since that takes long


class Trigger(Protocol):
    """What APScheduler asks when a job is due next."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first moment that is not before `now`."""


class Slots(NamedTuple):
    """The newest slots of a span of time, the oldest first, and how many older ones there were."""

    newest: tuple[int, ...]
    more: int = 0


def between(probe: Probe, after: float, until: float) -> Slots:
    """The slots of a probe after one moment, up to and with another."""
    if until <= after:
        return Slots(())
    if probe.schedule.every is not None:
        every, begin = int(probe.schedule.every), offset(probe.name, probe.schedule.every)
        first = math.floor((after - begin) / every) + 1
        last = math.floor((until - begin) / every)
        kept = range(max(first, last - _MOST + 1), last + 1)
        return Slots(tuple(begin + n * every for n in kept), max(0, last + 1 - first - len(kept)))
    return moments(probe.schedule.cron, probe.zone, after, until)


def moments(cron: str, zone: str, after: float, until: float) -> Slots:
    """The moments of a cron expression after one moment, up to and with another."""
    trigger = cron_trigger(cron, zone)
    found: list[int] = []
    begin = datetime.fromtimestamp(math.floor(max(after, until - _BACK)) + 1, UTC)
    due = trigger.get_next_fire_time(None, begin)
    while due is not None and due.timestamp() <= until:
        at = int(due.timestamp())
        if not found or at > found[-1]:  # a time that the clock skips may be the same moment as one that it does not
            found.append(at)
        due = trigger.get_next_fire_time(due, due)
    return Slots(tuple(found[-_MOST:]), max(0, len(found) - _MOST))


def offset(name: str, every: float) -> int:
    """By how many seconds the slots of a probe are moved: the same on every replica, and in every process."""
    return crc32(name.encode()) % int(every)


def trigger(probe: Probe) -> Trigger:
    """When APScheduler wakes for a probe."""
    if probe.schedule.every is None:
        return cron_trigger(probe.schedule.cron, probe.zone)
    from apscheduler.triggers.interval import IntervalTrigger

    begin = datetime.fromtimestamp(offset(probe.name, probe.schedule.every), UTC)
    made: Trigger = IntervalTrigger(seconds=int(probe.schedule.every), start_date=begin, timezone=UTC)
    return made


@lru_cache(maxsize=256)
def cron_trigger(text: str, zone: str) -> Trigger:
    """A cron expression as APScheduler has it: it counts weekdays from Monday, and wants a day that is both kinds.

    Raises ValueError for one that is none.
    """
    from zoneinfo import ZoneInfo

    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    said = crons.cron(text)
    if not isinstance(said, crons.Cron):
        raise ValueError(said)  # noqa: TRY004  # it is a text that says what is wrong
    time = {"month": _listed(said.months, 12), "hour": _listed(said.hours, 24), "minute": _listed(said.minutes, 60)}
    at = UTC if zone == "UTC" else ZoneInfo(zone)  # which a machine without time zones has, too
    days = _listed(said.days, 31)
    weekdays = "*" if len(said.weekdays) == 7 else ",".join(crons.WEEKDAYS[day] for day in said.weekdays)
    both = [{"day": days, "day_of_week": weekdays}]
    made = [
        CronTrigger(**time, **one, second="0", timezone=at)
        for one in ([{"day": days}, {"day_of_week": weekdays}] if said.either else both)
    ]
    found: Trigger = made[0] if len(made) == 1 else OrTrigger(made)
    return found


def _listed(values: tuple[int, ...], all_of_them: int) -> str:
    return "*" if len(values) == all_of_them else ",".join(map(str, values))
