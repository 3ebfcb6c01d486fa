"""What belongs to no room of the logs: lines that name none, workers that never came, rooms only asked about."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.livekit import assigned, nobody
from bot.livekit import refusals as refused_words
from bot.livekit.case import Want
from bot.livekit.marks import own
from bot.livekit.seen import Cite, Missing
from bot.livekit.story import Job, Room
from bot.livekit.versions import QUIET
from bot.livekit.words import hint, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.seen import Seen, Verdict
    from bot.livekit.story import Refused, WorkerLog

_ECHO = 1.5  # seconds
_JUDGED_AT_ONCE = ("no servers available", "no workers with sufficient", "no workers available", "request timed out", "context deadline exceeded", "worker closed")  # fmt: skip


def jobs_of_workers(case: Case) -> list[Verdict]:
    """Rooms that only a worker's own log knows, by the jobs it was offered."""
    story = case.story
    known = {room.id for room in story.rooms.values() if room.id}
    names = {room.name for room in story.rooms.values() if room.name}
    taken = {job.id for room in story.rooms.values() for job in room.jobs}
    taken |= {refused.job for room in story.rooms.values() for refused in room.refused if refused.job}
    rows: list[Verdict] = []
    for log in story.logs.values():
        for said in log.requests.values():
            if said.room_id in known or said.job in taken or (not said.room_id and said.room_name in names):
                continue
            alive = case.alive.get(said.room_id or "")
            if own(said.room_name or (alive.name if alive is not None else ""), case.seen.rooms):
                continue
            room = Room(said.room_name, said.room_id, len(case.pool.group))
            room.touch(said.at, said.mark)
            name = said.agent if said.agent is not None else next(iter(log.names), None)
            job = Job(case.pool.when(log, said), {"jobID": said.job, "agentName": name or ""}, said.mark)
            here = [Cite("the worker is offered the job", said.mark)]
            found = assigned.crashed(case, room, job, name, here)
            if found is None:
                missing = [
                    Missing(
                        "server log", "`assigned job to worker`, and `participant active` of the agent in this room"
                    )
                ]
                text = "The worker was offered a job for this room; whether its agent came, only the server's log or the API shows."
                found = case.open(room, text, missing, here, agent=name)
            rows.append(found)
    return rows


def refusals(case: Case) -> list[Verdict]:
    """Refusals that fit no room's birth by name, type and time: judged at once, for no room."""
    groups: dict[tuple[str, str], tuple[Verdict, list[Refused]]] = {}
    nowhere = Room("", "", len(case.pool.group))
    warned = _warned(case)
    for refused in case.unattributed:
        if not refused.error.startswith(_JUDGED_AT_ONCE) or not case.counts(
            refused.name, refused.type or "JT_ROOM", refused.at
        ):
            continue
        if refused.error.startswith("no workers") and _told_already(warned, refused):
            continue
        verdict = refused_words.refusal(case, refused, nowhere, None) if refused.kind == "request-failed" else None
        if refused.kind != "request-failed":
            nowhere.refused = (refused,)
            verdict = refused_words.warned(case, nowhere, Want(refused.name or "", "", refused.at, "seen", None))
            nowhere.refused = ()
        if verdict is None or verdict.verdict != "cause":
            continue
        key = (verdict.cause or "", refused.name or "")
        groups.setdefault(key, (verdict, []))[1].append(refused)
    rows = []
    for verdict, lines in groups.values():
        more = [Cite("the same again", r.mark) for r in lines[1:3]]
        times = f" ({len(lines)} times)" if len(lines) > 1 else ""
        missing = (
            *verdict.missing,
            Missing(
                "server log around that time",
                "which room this was: the line names none, and no room's birth is shown beside it",
            ),
        )
        rows.append(
            replace(
                verdict,
                confidence=round(verdict.confidence * 0.9, 2),
                summary=verdict.summary + times,
                evidence=(*verdict.evidence, *more),
                missing=missing,
                at=lines[0].at,
            )
        )
    return rows


def _warned(case: Case) -> dict[str | None, list[float | None]]:
    """By name: when a WARN told of a refusal in a room that it names."""
    found: dict[str | None, list[float | None]] = {}
    for room in case.story.rooms.values():
        for refused in room.refused:
            found.setdefault(refused.name, []).append(refused.at)
    for times in found.values():
        times.sort(key=lambda at: -1.0 if at is None else at)
    return found


def _told_already(warned: dict[str | None, list[float | None]], refused: Refused) -> bool:
    """Whether a WARN of the same moment names the room: then this line is only its echo."""
    times = warned.get(refused.name, [])
    if not times or times[0] is None or refused.at is None:
        return bool(times)
    first = bisect_left(times, refused.at - _ECHO, key=lambda at: at or 0.0)
    nearest = times[first] if first < len(times) else None
    return nearest is not None and nearest < refused.at + _ECHO


def silent(case: Case) -> list[Verdict]:
    """`not dispatching …` lines without a room, as people paste them."""
    rows: list[Verdict] = []
    done: set[str | None] = set()
    nowhere = Room("", "", len(case.pool.group))
    for refused in case.story.silent:
        if refused.name in done or not case.counts(refused.name, refused.type, refused.at):
            continue
        done.add(refused.name)
        line = Cite(f"no worker for {quote(refused.name or '')} was known", refused.mark)
        rows.append(nobody.nobody(case, nowhere, Want(refused.name or "", "", None, "seen", None), line))
    return rows


def workers(case: Case) -> list[Verdict]:
    """A worker that cannot register; asked when no room's verdict says so already."""
    story = case.story
    nowhere = Room("", "", len(case.pool.group))
    out: list[Verdict] = []
    for log in story.logs.values():
        if log.workers:
            continue
        found = nobody.log_failure(case, log, next(iter(log.names), ""), None)
        if found is not None:
            out.append(case.verdict(nowhere, found[0], 0.85, found[1], found[2]))
        elif (init := _never_ready(log)) is not None:
            out.append(case.verdict(nowhere, *init))
    if not out:
        last = nobody.keys_refused(case)
        later = [
            w
            for w in case.pool.registered
            if w.registered is not None and last and last[-1][0] is not None and w.registered > last[-1][0]
        ]
        if last and not later:
            cause, text = nobody.connect_failure("401")
            out.append(case.verdict(nowhere, cause, 0.8, text, [Cite("the server refuses a worker", last[-1][2])]))
        bad = [s for s in story.signals if not later]
        if bad and not out:
            out.append(
                case.verdict(
                    nowhere,
                    nobody.signal_cause(bad[-1][2]),
                    0.8,
                    f"The server refuses what the worker says when it registers: {bad[-1][2]}.",
                    [Cite("the server refuses the registration", bad[-1][1])],
                )
            )
    if not out:
        out += _loose_crashes(case, nowhere) or _untold(case, nowhere)
    for log in story.logs.values():
        if not log.requests and log.workers and not out and (init := _never_ready(log)) is not None:
            out.append(case.verdict(nowhere, *init))
    return out


def _loose_crashes(case: Case, nowhere: Room) -> list[Verdict]:
    """An entry function that fails, in a log that shows no job it could be tied to."""
    for log in case.story.logs.values():
        failed = [s for s in log.of("w-entry-failed", "w-no-process") if s.job not in log.requests]
        if not failed:
            continue
        said = failed[-1]
        what = f" ({said.detail[:160]})" if said.detail else ""
        if said.kind == "w-entry-failed":
            cite = Cite("the entry function fails", said.mark)
            return [case.verdict(nowhere, "entry-crash", 0.85, f"The agent's entry function failed{what}.", [cite])]
    return []


def _untold(case: Case, nowhere: Room) -> list[Verdict]:
    """A worker that cannot connect, in a log that does not tell why."""
    for log in case.story.logs.values():
        tries = list(log.of("w-connect-failed", "w-gave-up"))
        if tries and not log.workers:
            missing = [Missing("agent log, whole", "the error that stands in or below this line: a key, or an address")]
            cite = Cite("the worker cannot connect", tries[-1].mark)
            return [case.open(nowhere, "The worker cannot connect to the server; why, is not shown.", missing, [cite])]
    return []


def _never_ready(log: WorkerLog) -> tuple[str, float, str, list[Cite]] | None:
    """A pool whose every process failed, with no job to tie it to."""
    failed = [*log.of("w-init-failed"), *log.of("w-init-timeout"), *log.of("w-init-crash")]
    if not failed or any(True for _ in log.of("w-initialized")):
        return None
    last = failed[-1]
    slow = last.kind == "w-init-timeout" or "time" in last.detail.casefold()
    if slow:
        return (
            "init-timeout",
            0.8,
            "The worker's processes are not ready within the limit, so no job can start.",
            [Cite("a process does not get ready", last.mark)],
        )
    traces = [Cite("the program's own error", s.mark) for s in log.of("w-trace")][-1:]
    return (
        "init-crash",
        0.8,
        "The worker's processes end before they are ready, so no job can start.",
        [Cite("a process ends before it is ready", last.mark), *traces],
    )


def unborn(case: Case, name: str) -> Verdict:
    """A room that was asked for and that no log shows."""
    seen = case.seen
    room = Room(name, "", len(case.pool.group))
    if name.startswith("RM_"):
        room.name, room.id = "", name
    refused = [
        (at, error, mark)
        for at, path, status, error, mark in case.story.http
        if path.startswith("/rtc") and status >= 400
    ]
    if refused:
        text = "Users' own joins are refused by the server, so the room is not even made; without a room nothing is dispatched."
        return case.verdict(
            room, "join-refused", 0.7, text, [Cite(f"a join is refused: {refused[-1][1][:120]}", refused[-1][2])]
        )
    if seen.has_server_log:
        quiet = level_too_high(seen)
        missing = (
            [quiet]
            if quiet
            else [
                Missing(
                    "server log of the time when somebody joined this room, at info level",
                    "whether the room was made, what it asked for and what became of it",
                )
            ]
        )
        return case.open(room, "No line of the logs shows this room.", missing)
    found = _token_and_worker(case, room, name)
    if found is not None:
        return found
    for log in case.story.logs.values():
        if not log.workers:
            failure = nobody.log_failure(case, log, next(iter(log.names), ""), None)
            if failure is not None:
                return case.verdict(room, failure[0], 0.85, failure[1], failure[2])
    return case.open(
        room,
        "Without the server's log it cannot be said what became of this room.",
        [Missing("server log", "whether the room was born, what it asked for, and what the server answered")],
    )


def level_too_high(seen: Seen) -> Missing | None:
    """What to say of logs in which the decisive lines cannot be."""
    levels = {
        level for log in seen.logs for level in log.tally.levels if log.tally.server_lines + log.tally.server_hits
    }
    configured = next(
        (s for s in seen.setup.server if s.log_level and s.log_level.lower() in QUIET),
        None,
    )
    if (levels and not levels & {"info", "debug", "trace", ""}) or (
        configured is not None and not levels & {"info", "debug"}
    ):
        where = (
            f" ({configured.place.source}:{configured.place.line} sets {configured.log_level})" if configured else ""
        )
        return Missing(
            f"server log at info level{where}",
            "everything: the lines that decide about dispatch are written at info, and this log has none (log level too high)",
        )
    return None


def worker_names(seen: Seen) -> dict[str, Cite]:
    """Names that workers have, each with what says so, as far as anything but a server's log tells."""
    out: dict[str, Cite] = {}
    for log in seen.story.logs.values():
        for said in log.said.get("w-registered", ())[-1:]:
            if log.names:
                out.setdefault(log.names[-1], Cite(f"the worker registers as {quote(log.names[-1])}", said.mark))
    for e in seen.endpoints:
        out.setdefault(e.agent_name, Cite(f"the worker's endpoint: {quote(e.agent_name)}", place=e.place))
    if not out:
        for w in seen.setup.workers:
            if w.agent_name is not None:
                out.setdefault(
                    w.agent_name, Cite(f"the worker registers as {quote(w.agent_name)}", place=w.name_place or w.place)
                )
    return out


def _token_and_worker(case: Case, room: Room, name: str) -> Verdict | None:
    """Token and worker disagree about the name: what a new room made with this token will experience."""
    names = worker_names(case.seen)
    if not names:
        return None
    for token in case.seen.tokens:
        if token.room != name:
            continue
        wanted = {n for n, _ in token.agents} | {n for call in token.calls for n, _ in call.agents}
        if not wanted or wanted & set(names):
            continue
        missing = (Missing("server log", "that the room was made by this token, and not earlier by another"),)
        cites = [
            *names.values(),
            Cite("the token asks for " + ", ".join(quote(n) for n in sorted(wanted)), place=token.place),
        ]
        if set(names) == {""}:
            text = f"The token asks for {quote(min(wanted))}, but the worker has no name."
            return case.verdict(room, "worker-unnamed", 0.7, text, cites, agent=min(wanted), missing=missing)
        if "" in wanted and len(wanted) == 1:
            continue
        text = f"The token asks for {quote(min(wanted))}, the worker is named {quote(min(names))}.{hint(min(wanted), min(names))}"
        return case.verdict(room, "name-mismatch", 0.7, text, cites, agent=min(wanted), missing=missing)
    return None
