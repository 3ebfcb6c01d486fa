"""Everything seen → the whole answer: a row per room, rows without a room, and what is worth a sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bot.livekit import rest
from bot.livekit.causes import Judge
from bot.livekit.remedies import REMEDY, RUNBOOK
from bot.livekit.seen import Verdict, Verdicts
from bot.livekit.timeline import timeline
from bot.livekit.words import quote

if TYPE_CHECKING:
    from bot.livekit.seen import Missing, Seen
    from bot.livekit.story import Room


def judge(seen: Seen) -> Verdicts:
    """The verdicts over all that was seen; pure."""
    seen.story.settle()
    judge_ = Judge(seen)
    quiet = rest.level_too_high(seen)
    every = [r for r in seen.story.rooms.values() if _in_window(r, seen) and (r.name or r.id)]
    rooms = [r for r in every if not seen.rooms or r.name in seen.rooms or r.id in seen.rooms]
    rooms.sort(key=lambda r: (r.birth if r.birth is not None else r.first) or 0.0, reverse=bool(seen.rooms))
    rows = [_levelled(judge_.room(room), quiet) for room in rooms]
    if seen.rooms:
        rows = [
            replace(row, story=timeline(seen.story, room, [r for r, _ in judge_.refused_in.get(id(room), ())]))
            for row, room in zip(rows, rooms, strict=True)
        ]
    rows += [
        r
        for r in rest.jobs_of_workers(judge_)
        if not seen.rooms or r.room is None or r.room in seen.rooms or r.room_id in seen.rooms
    ]
    asked = dict.fromkeys([*seen.rooms, *(t.room for t in seen.tokens if t.room and not seen.rooms)])
    have = {r.room for r in rows} | {r.room_id for r in rows}
    rows += [rest.unborn(judge_, name) for name in asked if name not in have]
    rows += rest.refusals(judge_)
    rows += rest.silent(judge_)
    rows += rest.project(judge_)
    rows += rest.workers(judge_, rows)
    if not rows:
        rows.append(_nothing(quiet))
    rows = [replace(row, fix=REMEDY.get(row.cause or "", "")) for row in rows]
    compared = rows
    if len(rooms) < len(every) <= _COMPARED:  # what became of the others says why it varies
        compared = [judge_.room(room) for room in every]
    return Verdicts(tuple(rows), tuple(_notes(judge_, rows, compared)))


_COMPARED: Final = 2000  # rooms; beyond that only those that were asked for are judged


def runbook_for(cause: str | None) -> str | None:
    """The runbook that treats this cause, if one does."""
    return RUNBOOK.get(cause or "")


def _in_window(room: Room, seen: Seen) -> bool:
    return not (seen.since is not None and room.last is not None and room.last < seen.since)


def _levelled(row: Verdict, quiet: Missing | None) -> Verdict:
    return (
        replace(row, missing=(quiet, *row.missing), summary="The log's level is too high to say.")
        if quiet and row.verdict == "inconclusive"
        else row
    )


def _nothing(quiet: Missing | None) -> Verdict:
    from bot.livekit.seen import Missing as Lack

    lack = quiet or Lack(
        "server log at info level from before a room's first join",
        "which rooms were made, what they asked for and what became of it",
    )
    text = "Nothing here decides: no room, no refusal and no failing worker is shown."
    return Verdict(None, None, "inconclusive", None, 0.0, text, (), (lack,))


def _notes(judge_: Judge, rows: list[Verdict], compared: list[Verdict]) -> list[str]:
    notes: list[str] = []
    noise = [
        (room, name, kind)
        for room in judge_.story.rooms.values()
        for (name, kind) in room.silent
        if not judge_.counts(name, kind, room.birth)
    ]
    loose = [r for r, _ in judge_.story.silent if not judge_.counts(r.name, r.type, r.at)]
    kinds = sorted({kind for _, _, kind in noise} | {r.type for r in loose if r.type})
    if kinds:
        total = len(noise) + len(loose)
        notes.append(
            f"`not dispatching agent …` with job type {' or '.join(kinds)} ({total} room{'s' if total != 1 else ''}) decides nothing: the server tries all three job types for "
            "every dispatch and prints this for each type that the worker did not register for, in healthy rooms too. What decides is the line of the worker's own type "
            "(normally JT_ROOM), `assigned job to worker`, and whether the agent becomes active in the room."
        )
    implicit = [r for r in judge_.story.refusals if r.name == "" and r.error.startswith("no response")]
    if implicit and not any(r.cause in {"dispatch-missing", "worker-died"} for r in rows):
        notes.append(
            "`failed to send job request` / `no response from servers` with an empty agentName is the implicit dispatch of a room that was made without one; beside a named "
            "dispatch it is harmless. What decides is whether the room asked for the named agent."
        )
    ended = any(
        job.status == "JS_FAILED" and job.error == "agent worker left the room"
        for room in judge_.story.rooms.values()
        for job in room.jobs
    )
    if ended:
        notes.append(
            "`job ended` with JS_FAILED and `agent worker left the room` is the normal end of a session; it decides nothing."
        )
    notes += _served(compared)
    return notes


def _served(rows: list[Verdict]) -> list[str]:
    """Where some rooms of an agent were served and others not: how many of each, and why that varies."""
    served: Counter[str] = Counter()
    failed: dict[str, Counter[str]] = {}
    for row in rows:
        if row.agent is None:
            continue
        if row.verdict == "healthy":
            served[row.agent] += 1
        elif row.cause:
            failed.setdefault(row.agent, Counter())[row.cause] += 1
    notes = []
    for agent, causes in failed.items():
        if not served[agent]:
            continue
        refused = ", ".join(f"{n} × {cause}" for cause, n in causes.most_common())
        why = [_VARIES[cause] for cause in causes if cause in _VARIES]
        notes.append(
            f"Intermittent: {served[agent]} room{'s' if served[agent] != 1 else ''} of {quote(agent)} got an agent, {sum(causes.values())} did not ({refused}). "
            + " ".join(why)
        )
    return notes


_VARIES = {
    "load-refused": "The reported load moves, and a fresh worker counts as idle until its first report.",
    "draining": "It only happens while a worker is being replaced.",
    "room-already-existed": "Only joins into a room that is still alive are affected: a room lingers 20 s after its last user.",
    "dispatch-missing": "It depends on who makes the room: some ask for the agent, others do not.",
    "name-mismatch": "It depends on which client or token makes the room.",
    "worker-unnamed": "Rooms that ask for nobody get the agent, rooms that ask by name do not.",
    "request-rejected": "The request handler decides job by job.",
    "request-slow": "The request handler is slow for some jobs only.",
    "worker-late": "Only rooms that were made before the worker had registered are affected.",
    "worker-died": "Only rooms made after the worker's end are affected.",
}
