"""A room's story as a short timeline: what happened when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.livekit.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.story import Refused, Room, Story

_MOST: Final = 14
Event = tuple[float, str]


def timeline(story: Story, room: Room, refusals: Iterable[Refused]) -> tuple[Event, ...]:
    """(epoch seconds, sentence) of what the logs show of this room, in order; long ones have their middle left out."""
    events = sorted([*_workers(story, room), *_joins(room), *_dispatch(room, refusals)], key=lambda e: e[0])
    if len(events) > _MOST:
        left = len(events) - _MOST + 1
        events = [*events[: _MOST - 4], (events[_MOST - 4][0], f"… {left} more …"), *events[-3:]]
    return tuple(events)


def _workers(story: Story, room: Room) -> list[Event]:
    """Workers that this room could have had, or all where they are few."""
    names = {job.name for job in room.jobs} | {name for name, _kind, _at, _mark in room.silent if name}
    names |= {n for j in room.joins for n, _ in j.asked or ()}
    few = len(story.workers) < 4
    out: list[Event] = []
    for w in story.workers.values():
        if w.registered is not None and (few or w.name in names):
            out.append((w.registered, f"worker {w.id} registers as {quote(w.name or '')}, {w.type}"))
        if w.gone is not None and (few or w.name in names):
            out.append((w.gone, f"worker {w.id} goes"))
    return out


def _joins(room: Room) -> list[Event]:
    out: list[Event] = []
    for j in room.joins:
        who = f"agent {j.who}" if j.agent else j.who
        if j.at is not None:
            asks = f", asking for {', '.join(quote(n) for n, _ in j.asked)}" if j.asked else ""
            first = " (the room is born)" if j.at == room.birth else ""
            out.append((j.at, f"{who} joins{asks}{first}"))
        if j.active is not None and j.agent:
            out.append((j.active, f"{who} is active"))
        if j.left is not None:
            out.append((j.left, f"{who} leaves" + (f" ({j.reason})" if j.reason else "")))
    if room.closed and room.closed[0] is not None:
        out.append((room.closed[0], "the room closes"))
    return out


def _dispatch(room: Room, refusals: Iterable[Refused]) -> list[Event]:
    out: list[Event] = []
    out += [(job.at, f"job {job.id} is assigned to worker {job.worker}") for job in room.jobs if job.at is not None]
    out += [
        (at, f"no worker for {quote(name or '')} of type {kind}")
        for name, kind, at, _mark in room.silent
        if at is not None
    ]
    out += [(r.at, f"worker {r.worker or '?'} is asked: {r.error}") for r in room.refused if r.at is not None]
    out += [
        (r.at, f"the dispatch {f'for {quote(r.name)}' if r.name else 'without a name'} ({r.type}) fails: {r.error}")
        for r in refusals
        if r.at is not None
    ]
    return out
