"""When a probe changes its state: only after several looks, so that one bad look alarms nobody. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from bot.probes.values import Result, Standing, State


def flipped(standing: Standing, result: Result, slot: int, now: float) -> tuple[Standing, bool]:
    """How the probe stands after this look, and whether that is another state than before.

    It is degraded once `fail` looks were red since the last green one, healthy after `recover` green ones in a row, and
    unknown once `fail` looks were not green and it is not known to be degraded; so nothing that comes and goes between
    red and unknown passes for health. A probe that is degraded becomes unknown after `fail` looks in a row that failed.
    What was skipped changes nothing; what the look remembers is kept in any case, and what it has read in the server's log
    all the same: else a log that stands still would look fresh for ever, and a room that is gone lack its agent.
    """
    memory = result.memory or (standing.last.memory if standing.last is not None else "")
    if result.light == "skipped":
        last = replace(standing.last if standing.last is not None else result, memory=memory)
        if result.lag is not None:
            last = replace(last, lag=result.lag, lacking=result.lacking)
        return replace(standing, skipped=standing.skipped + 1, last=last), False
    green, red = result.light == "green", result.light == "red"
    after = replace(
        standing,
        light=result.light,
        streak=standing.streak + 1 if result.light == standing.light else 1,
        bad=0 if green else standing.bad + 1,
        red=0 if green else standing.red + red,
        slot=slot,
        last=replace(result, memory=memory),
    )
    state = _state(after)
    if state == standing.state:
        return replace(after, count=standing.count + (state == _SAYS[result.light])), False
    count = {"healthy": after.streak, "degraded": after.red}.get(state, after.bad)
    return replace(after, state=state, since=now, count=count, run="", acknowledged="", acknowledged_at=0.0), True


_SAYS: dict[str, State] = {"green": "healthy", "red": "degraded", "unknown": "unknown"}


def _state(after: Standing) -> State:
    """The state that these looks make, with the newest one in them."""
    schedule = after.probe.schedule
    if after.light == "green":
        return "healthy" if after.streak >= schedule.recover else after.state
    if after.light == "red" and after.red >= schedule.fail:
        return "degraded"
    if after.state == "degraded":
        return "unknown" if after.light == "unknown" and after.streak >= schedule.fail else "degraded"
    return "unknown" if after.bad >= schedule.fail else after.state
