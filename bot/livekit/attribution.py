"""Refusals that name no room → the rooms whose launches they fit by name, type and time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from bot.livekit.case import CLOCKS
from bot.livekit.refusals import NO_CAPACITY, NO_RESPONSE
from bot.livekit.versions import REQUEST_LIMIT

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.story import Room

#: Rooms whose wishes are kept at hand: far more than one request's time has, far fewer than a day's log.
_REMEMBERED = 1000


def attribute(case: Case) -> None:
    """`failed to send job request` names no room: give each to the room whose launch fits it by name, type, time."""
    if not case.story.refusals:
        return
    launches: list[tuple[float, str, int, Room]] = []
    for room in case.story.rooms.values():
        group = case.pool.group[room.stream] if room.stream < len(case.pool.group) else -1
        launches += [(at, kind, group, room) for at, kind in _launches(case, room)]
    launches.sort(key=lambda item: item[0])
    times = [item[0] for item in launches]

    names: dict[int, set[str]] = {}
    taken: set[tuple[int, str, str | None, float]] = set()
    many = len(case.pool.now) > 1
    for refused in sorted(case.story.refusals, key=lambda r: r.at or 0.0):
        if refused.at is None:
            case.unattributed.append(refused)
            continue
        group = case.pool.group[refused.stream]
        expected = _expected(refused.error)
        found: list[tuple[float, Room, float]] = []
        for at, kind, g, room in launches[
            bisect_left(times, refused.at - REQUEST_LIMIT) : bisect_right(times, refused.at + 0.3)
        ]:
            if kind != (refused.type or "JT_ROOM") or (many and g != group):
                continue
            if len(names) > _REMEMBERED:
                names.clear()
            if id(room) not in names:
                names[id(room)] = {want.name for want in case.wants(room)}
            if not _could_want(room, names[id(room)], refused.name, kind, at):
                continue
            found.append((abs(refused.at - at - expected), room, at))
        if not found:
            case.unattributed.append(refused)
            continue
        found.sort(key=lambda item: item[0])
        free = [f for f in found if (id(f[1]), refused.type, refused.name, f[2]) not in taken] or found
        best = free[0]
        # Closer than the lines' own scatter.
        near = {id(room): room for distance, room, _ in free if distance - best[0] < 0.4}
        for room in near.values():
            case.refused_in.setdefault(id(room), []).append((refused, len(near) > 1))
        taken.add((id(best[1]), refused.type, refused.name, best[2]))


def _launches(case: Case, room: Room) -> list[tuple[float, str]]:
    """When this room made the server look for workers, and of which job type."""
    out: list[tuple[float, str]] = []
    start = room.birth if room.seen_born else None
    if start is not None:
        out.append((start, "JT_ROOM"))
    for at, kind, _, cite in case.calls.get(id(room), ()):
        if kind == "api-create-dispatch" and at is not None:
            out.append((at, "JT_ROOM"))
            if cite.place is not None:  # by the backend's clock
                out.append((at - CLOCKS, "JT_ROOM"))
    out += [(j.at, "JT_PARTICIPANT") for j in room.joins if not j.agent and j.at is not None]
    if room.published:
        out.append((room.published, "JT_PUBLISHER"))
    return out


def _could_want(room: Room, wanted: set[str], name: str | None, kind: str, at: float) -> bool:
    """Whether a refusal of this launch may be the room's: it asked for that name, and this launch gave it no job."""
    if name is None:
        return True
    if wanted and name not in wanted:
        return False
    given = [job.at for job in room.jobs if job.name == name and job.type == kind] if kind == "JT_ROOM" else []
    return not any(t is None or at - 0.3 <= t <= at + REQUEST_LIMIT for t in given)


def _expected(error: str) -> float:
    """Seconds from launch to line, as measured on servers 1.8.4 to 1.13.5."""
    if error.startswith(NO_CAPACITY):
        return 0.2
    if error.startswith(NO_RESPONSE):
        return 1.0
    return 3.0 if "time" in error or "deadline" in error else 0.5
