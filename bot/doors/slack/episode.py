"""What one message about a probe tells of: the time in which it is not healthy, short recoveries in between included. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from bot.probes.values import Result, State  # noqa: TC001  # the value is made of them

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.probes.values import Standing

#: Seconds for which a probe has to stay healthy before its next trouble is news of its own.
CALM: Final = 300.0
_LONGEST: Final = 86400.0  # seconds after which nobody looks for its message any more
_BAD: Final = ("degraded", "unknown")


class Episode(Struct, frozen=True, kw_only=True):
    """From `began` on a probe was not healthy, which was told as `state`, until it was `over` (0 while it is not).

    `bad` of `looks` looks were not good, counted up to `slot`; `result` is the last of those. `worst` is whether it was ever
    degraded, and not only unknown. `run` is what was ordered. Times are seconds since the epoch.
    """

    probe: str
    began: float
    state: State
    slot: int = 0
    bad: int = 0
    looks: int = 0
    result: Result | None = None
    worst: bool = False
    run: str = ""
    over: float = 0.0
    anew: bool = False

    @property
    def id(self) -> str:
        """What tells it from others of the same probe, and of others."""
        return f"{self.probe} {self.began:.3f}"


def is_bad(standing: Standing) -> bool:
    """Whether somebody is to be told."""
    return standing.enabled and standing.state in _BAD


def begun(standing: Standing, looks: Iterable[tuple[int, Result]] = ()) -> Episode:
    """A new one; `looks` are those since it was healthy at last, where these are known."""
    first = Episode(probe=standing.probe.name, began=standing.since, state=standing.state)
    counted = _counted(first, looks)
    if not counted.bad:  # they are not known any more
        good = standing.last if standing.last is not None and standing.last.light != "green" else None
        counted = replace(
            counted, bad=max(standing.count, 1), looks=max(standing.count, 1), result=good, slot=standing.slot
        )
    return _as(counted, standing)


def flickered(standing: Standing, looks: Iterable[tuple[int, Result]]) -> Episode | None:
    """One that is over already when it is seen; None where these looks, since it was healthy before, were all good."""
    first = Episode(probe=standing.probe.name, began=standing.since, state="unknown", over=standing.since)
    counted = _counted(first, looks)
    if not counted.bad or counted.result is None:
        return None
    worst = counted.result.light == "red"
    return replace(counted, state="degraded" if worst else "unknown", worst=worst)


def stepped(before: Episode, standing: Standing, at: float, looks: Iterable[tuple[int, Result]] = ()) -> Episode:
    """The same as it is now; `looks` are those after its `slot`."""
    now = _counted(before, looks)
    if is_bad(standing):
        return _as(replace(now, over=0.0), standing)
    return now if now.over else replace(now, over=max(standing.since if standing.enabled else at, now.began))


def is_news(before: Episode, standing: Standing) -> bool:
    """Whether what is so now is to be told in a message of its own."""
    if not is_bad(standing):
        return False
    if before.over:
        return standing.since - before.over > CALM or standing.since - before.began > _LONGEST
    return standing.state == "degraded" and not before.worst  # nobody is notified of an edit


def _as(now: Episode, standing: Standing) -> Episode:
    return replace(
        now, state=standing.state, worst=now.worst or standing.state == "degraded", run=standing.run or now.run
    )


def _counted(now: Episode, looks: Iterable[tuple[int, Result]]) -> Episode:
    slot, bad, seen, result = now.slot, now.bad, now.looks, now.result
    for at, came in looks:
        if at <= slot:
            continue
        slot = at
        if came.light == "skipped":
            continue
        if came.light == "green":
            seen += bad > 0  # what was good before it began is no part of it
            continue
        seen, bad, result = seen + 1, bad + 1, came
    return replace(now, slot=slot, bad=bad, looks=seen, result=result)
