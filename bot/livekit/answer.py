"""Everything seen → the whole answer: a row per room, rows without a room, and what is worth a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, overload

from bot.livekit import agreement, machines, present, rest, unlogged
from bot.livekit.assigned import came
from bot.livekit.attribution import attribute
from bot.livekit.case import Case
from bot.livekit.causes import judge as judge_room
from bot.livekit.marks import own
from bot.livekit.remedies import REMEDY, RUNBOOK
from bot.livekit.seen import Verdict, Verdicts, VerdictWord, overall_of
from bot.livekit.timeline import timeline
from bot.livekit.words import quote

if TYPE_CHECKING:
    from bot.livekit.seen import Missing, Seen
    from bot.livekit.story import Room

#: Rows by agent, verdict and cause.
Count = Counter[tuple[str | None, VerdictWord, str | None]]


def judge(seen: Seen) -> Verdicts:
    """The verdicts over all that was seen; pure."""
    seen.story.settle()
    case = Case(seen)
    attribute(case)
    quiet = rest.level_too_high(seen)
    every = [r for r in seen.story.rooms.values() if _in_window(r, seen) and (r.name or r.id)]
    rooms = [r for r in every if not seen.rooms or r.name in seen.rooms or r.id in seen.rooms]
    rooms.sort(key=lambda r: (r.birth if r.birth is not None else r.first) or 0.0, reverse=bool(seen.rooms))
    rows = Rows()
    for room in rooms:
        row = present.refine(case, _levelled(judge_room(case, room), quiet), room)
        if seen.rooms:
            refusals = [r for r, _ in case.refused_in.get(id(room), ())]
            row = replace(row, story=timeline(seen.story, room, refusals))
        rows.add(row, room)
    for row in _without_a_log(case, rows):
        rows.add(row, None)
    if not rows:
        rows.add(present.nothing(case, quiet) if seen.live is not None else _nothing(quiet), None)
    compared = rows.tally
    if len(rooms) < len(every) <= _COMPARED and not seen.partial:  # what became of the others says why it varies
        compared = Counter((v.agent, v.verdict, v.cause) for v in (judge_room(case, room) for room in every))
    words = {word for _, word, _ in rows.tally}
    return Verdicts(rows, tuple(_notes(case, rows.tally, compared)), overall_of(words))


def _without_a_log(case: Case, rows: Rows) -> list[Verdict]:
    """Rows of rooms that no server's log shows, and rows without a room."""
    seen = case.seen
    out = [
        present.refine(case, r)
        for r in rest.jobs_of_workers(case)
        if not seen.rooms or r.room is None or r.room in seen.rooms or r.room_id in seen.rooms
    ]
    out += unlogged.rooms(case, {r.room_id for r in out})
    asked = dict.fromkeys([*seen.rooms, *(t.room for t in seen.tokens if t.room and not seen.rooms)])
    if asked:
        have = {key for r in [*rows, *out] for key in (r.room, r.room_id)}
        out += [present.absent(case, rest.unborn(case, name)) for name in asked if name not in have]
    out += rest.refusals(case)
    out += rest.silent(case)
    out += agreement.project(case)
    if not any(word == "cause" for _, word, _ in rows.tally) and not any(r.verdict == "cause" for r in out):
        out += machines.explain(case, rest.workers(case))
    return out


class _Came:
    """A room that got its agent, with the little that its row needs: nearly all rooms of a large log are such."""

    __slots__ = ("active", "agent", "given", "room", "summary")

    def __init__(self, row: Verdict, room: Room) -> None:
        self.room, self.agent, self.summary = room, row.agent, row.summary
        self.given, self.active = row.evidence[0].mark, row.evidence[1].mark

    def row(self) -> Verdict:
        return came(self.room, self.agent or "", self.summary, self.given, self.active)


class Rows(Sequence[Verdict]):
    """The answer's rows in order; those of healthy rooms are kept small and made anew when they are read."""

    def __init__(self) -> None:
        self._rows: list[Verdict | _Came] = []
        #: How many rows of which agent have which verdict and cause: what is said of the whole needs no second reading.
        self.tally: Count = Counter()

    def add(self, row: Verdict, room: Room | None) -> None:
        """Append a row."""
        self.tally[row.agent, row.verdict, row.cause] += 1
        plain = row.verdict == "healthy" and len(row.evidence) == 2 and row.evidence[0].mark >= 0 and not row.story
        self._rows.append(_Came(row, room) if plain and room is not None else row)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Verdict]:
        return (row.row() if isinstance(row, _Came) else row for row in self._rows)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...

    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...

    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        return row.row() if isinstance(row, _Came) else row


_COMPARED: Final = 2000  # rooms; beyond that only those that were asked for are judged


def remedy_for(cause: str | None) -> str | None:
    """What to do about this cause, in a sentence or two."""
    return REMEDY.get(cause or "")


def runbook_for(cause: str | None) -> str | None:
    """The runbook that treats this cause, if one does."""
    return RUNBOOK.get(cause or "")


def runbook_of(verdicts: Verdicts) -> str | None:
    """The runbook that treats the newest room of which a cause is known, if one does."""
    treated = [row for row in verdicts.rows if row.room is not None and runbook_for(row.cause)]
    newest = max(treated, key=lambda row: row.at if row.at is not None else float("-inf"), default=None)
    return runbook_for(newest.cause) if newest is not None else None


def _in_window(room: Room, seen: Seen) -> bool:
    if own(room.name, seen.rooms):
        return False
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


def _notes(case: Case, rows: Count, compared: Count) -> list[str]:
    notes: list[str] = []
    noise: Counter[str] = Counter()
    rooms = [room for room in case.story.rooms.values() if not own(room.name, case.seen.rooms)]
    for room in rooms:
        noise.update({kind for name, kind, _at, _mark in room.silent if not case.counts(name, kind, room.birth)})
    loose = [r for r in case.story.silent if not case.counts(r.name, r.type, r.at)]
    kinds = sorted({*noise, *(r.type for r in loose if r.type)})
    if kinds:
        total = max([*noise.values(), len(loose)])
        notes.append(
            f"`not dispatching agent …` with job type {' or '.join(kinds)} ({total} room{'s' if total != 1 else ''}) decides nothing: the server tries all three job types for "
            "every dispatch and prints this for each type that the worker did not register for, in healthy rooms too. What decides is the line of the worker's own type "
            "(normally JT_ROOM), `assigned job to worker`, and whether the agent becomes active in the room."
        )
    implicit = [r for r in case.story.refusals if r.name == "" and r.error.startswith("no response")]
    if implicit and not any(cause in {"dispatch-missing", "worker-died"} for _, _, cause in rows):
        notes.append(
            "`failed to send job request` / `no response from servers` with an empty agentName is the implicit dispatch of a room that was made without one; beside a named "
            "dispatch it is harmless. What decides is whether the room asked for the named agent."
        )
    ended = any(
        job.status == "JS_FAILED" and job.error == "agent worker left the room" for room in rooms for job in room.jobs
    )
    if ended:
        notes.append(
            "`job ended` with JS_FAILED and `agent worker left the room` is the normal end of a session; it decides nothing."
        )
    return [*notes, *_served(compared), *machines.notes(case), *present.notes(case)]


def _served(rows: Count) -> list[str]:
    """Where some rooms of an agent were served and others not: how many of each, and why that varies."""
    served: Counter[str] = Counter()
    failed: dict[str, Counter[str]] = {}
    for (name, word, cause), number in rows.items():
        if name is not None and word == "healthy":
            served[name] += number
        elif name is not None and cause:
            failed.setdefault(name, Counter())[cause] += number
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
