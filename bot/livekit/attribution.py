"""Refusals that name no room → the rooms whose launches they fit by name, type and time."""

from __future__ import annotations

from bisect import bisect_left
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final

from bot.livekit.case import CLOCKS
from bot.livekit.refusals import NO_CAPACITY, NO_RESPONSE
from bot.livekit.versions import REQUEST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.case import Case
    from bot.livekit.story import Refused, Room

_EARLY: Final = 0.3  # seconds that a refusal may stand before the launch it belongs to
_SCATTER: Final = 0.4  # seconds by which such lines vary
_NEAR: Final = 16  # rooms of one moment that a refusal is given to, and refusals that a room keeps

#: Node group (0 where there is but one), job type, name asked for (None: any); and whether nothing tells the wishes.
_Key = tuple[int, str, str | None, bool]


def attribute(case: Case) -> None:
    """`failed to send job request` names no room: give each to the room whose launch fits it by name, type, time."""
    dated = [r for r in case.story.refusals if r.at is not None]
    case.unattributed += [r for r in case.story.refusals if r.at is None]
    dated.sort(key=lambda r: r.at or 0.0)
    rows = _rows(case, dated)
    for refused in dated:
        rooms = _rooms(case, rows, refused)
        if not rooms:
            case.unattributed.append(refused)
        for room in rooms:
            given = case.refused_in.setdefault(id(room), [])
            given.append((refused, len(rooms) > 1))
            del given[:-_NEAR]


class _Launches:
    """Launches that one name may mean, by time; those that have their refusal are passed over."""

    def __init__(self) -> None:
        self.rooms: list[tuple[float, Room]] = []
        self._taken: dict[
            str | None, tuple[dict[int, int], dict[int, int]]
        ] = {}  # by name: the next to the right, left

    def take(self, index: int, name: str | None) -> None:
        """This launch has its refusal of that name."""
        right, left = self._taken.setdefault(name, ({}, {}))
        right[index], left[index] = index + 1, index - 1

    def outward(self, around: float, refused: Refused, *, free: bool) -> Iterator[tuple[float, int, _Launches]]:
        """Launches that may have led to this refusal, the nearest to the expected time first: distance and index."""
        at = refused.at or 0.0
        right, left = self._taken.get(refused.name, ({}, {})) if free else ({}, {})
        after = _next(right, bisect_left(self.rooms, around, key=lambda launch: launch[0]))
        before = _next(left, after - 1)
        while True:
            ahead = self.rooms[after][0] - around if after < len(self.rooms) else _NEVER
            behind = around - self.rooms[before][0] if before >= 0 else _NEVER
            if ahead < behind:
                if around + ahead > at + _EARLY:
                    ahead, after = _NEVER, len(self.rooms)
                    continue
                yield ahead, after, self
                after = _next(right, after + 1)
            elif behind < _NEVER and around - behind >= at - REQUEST_LIMIT:
                yield behind, before, self
                before = _next(left, before - 1)
            elif ahead < _NEVER:
                before = -1
            else:
                return


_NEVER: Final = float("inf")


def _next(taken: dict[int, int], index: int) -> int:
    """The first index from here on that is not taken; the way there is made short for the next time."""
    end = index
    while end in taken:
        end = taken[end]
    while index in taken:
        taken[index], index = end, taken[index]
    return end


def _rows(case: Case, dated: list[Refused]) -> dict[_Key, _Launches]:
    """The launches near any of these refusals, by what they may have asked for."""
    times: dict[str, list[float]] = {}
    for refused in dated:
        times.setdefault(refused.type or "JT_ROOM", []).append(refused.at or 0.0)
    many = len(case.pool.now) > 1
    rows: dict[_Key, _Launches] = {}
    for room in case.story.rooms.values() if dated else ():
        group = case.pool.group[room.stream] if room.stream < len(case.pool.group) else -1
        wanted: set[str] | None = None
        for at, kind in _launches(case, room):
            near = times.get(kind, [])
            first = bisect_left(near, at - _EARLY)
            if first == len(near) or near[first] > at + REQUEST_LIMIT:
                continue
            if wanted is None:
                wanted = {want.name for want in case.wants(room)}
            node = group if many else 0
            names = [name for name in wanted if not _served(room, name, kind, at)]
            for key in (
                *((node, kind, n, False) for n in names),
                (node, kind, None, False),
                *([] if wanted else [(node, kind, None, True)]),
            ):
                rows.setdefault(key, _Launches()).rooms.append((at, room))
    for row in rows.values():
        row.rooms.sort(key=lambda launch: launch[0])
    return rows


def _rooms(case: Case, rows: dict[_Key, _Launches], refused: Refused) -> list[Room]:
    """The rooms that this refusal fits best: one, or some that were made in the same moment."""
    node = case.pool.group[refused.stream] if len(case.pool.now) > 1 else 0
    kind = refused.type or "JT_ROOM"
    keys = [(node, kind, refused.name, False), *([(node, kind, None, True)] if refused.name is not None else [])]
    mine = [rows[key] for key in keys if key in rows]
    around = (refused.at or 0.0) - _expected(refused.error)
    for free in (True, False):  # one that has its refusal gets another only if no other can be meant
        found = list(
            islice(merge(*(row.outward(around, refused, free=free) for row in mine), key=lambda f: f[0]), _NEAR)
        )
        if found:
            distance, index, row = found[0]
            row.take(index, refused.name)
            near = [r.rooms[i][1] for d, i, r in found if d - distance < _SCATTER]
            return list({id(room): room for room in near}.values())
    return []


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


def _served(room: Room, name: str, kind: str, at: float) -> bool:
    """Whether this launch gave the room a job of that name, so that no refusal can be its."""
    if kind != "JT_ROOM":
        return False
    given = [job.at for job in room.jobs if job.name == name and job.type == kind]
    return any(t is None or at - _EARLY <= t <= at + REQUEST_LIMIT for t in given)


def _expected(error: str) -> float:
    """Seconds from launch to line, as measured on servers 1.8.4 to 1.13.5."""
    if error.startswith(NO_CAPACITY):
        return 0.2
    if error.startswith(NO_RESPONSE):
        return 1.0
    return 3.0 if "time" in error or "deadline" in error else 0.5
