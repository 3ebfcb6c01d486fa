"""What belongs to no room of the logs: lines that name none, workers that never came, rooms only asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit.causes import NOBODY, Judge, Want, connect_failure
from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.story import Job, Room
from bot.livekit.words import hint, quote

if TYPE_CHECKING:
    from bot.livekit.seen import Seen
    from bot.livekit.setup import Dispatcher, WorkerSetup
    from bot.livekit.story import Refused, WorkerLog

_JUDGED_AT_ONCE = ("no servers available", "no workers with sufficient", "no workers available", "request timed out", "context deadline exceeded", "worker closed")  # fmt: skip


def jobs_of_workers(judge: Judge) -> list[Verdict]:
    """Rooms that only a worker's own log knows, by the jobs it was offered."""
    story = judge.story
    known = {room.id for room in story.rooms.values() if room.id}
    names = {room.name for room in story.rooms.values() if room.name}
    taken = {job.id for room in story.rooms.values() for job in room.jobs}
    rows: list[Verdict] = []
    for log in story.logs.values():
        for said in log.requests.values():
            if said.room_id in known or said.job in taken or (not said.room_id and said.room_name in names):
                continue
            room = Room(said.room_name, said.room_id, len(judge.pool.group))
            room.touch(said.at, said.mark)
            name = next(iter(log.names), "")
            job = Job(judge.pool.when(log, said), {"jobID": said.job, "agentName": name}, said.mark)
            here = [Cite("the worker is offered the job", said.mark)]
            found = judge.assigned.crashed(judge, room, job, name, here)  # one procedure in several files
            if found is None:
                missing = [
                    Missing(
                        "server log", "`assigned job to worker`, and `participant active` of the agent in this room"
                    )
                ]
                text = "The worker was offered a job for this room; whether its agent came, only the server's log or the API shows."
                found = judge.open(room, text, missing, here, agent=name)
            rows.append(found)
    return rows


def refusals(judge: Judge) -> list[Verdict]:
    """Refusals that fit no room's birth by name, type and time: judged at once, for no room."""
    groups: dict[tuple[str, str], tuple[Verdict, list[Refused]]] = {}
    nowhere = Room("", "", len(judge.pool.group))
    for refused in judge.unattributed:
        if not refused.error.startswith(_JUDGED_AT_ONCE) or not judge.counts(
            refused.name, refused.type or "JT_ROOM", refused.at
        ):
            continue
        if refused.error.startswith("no workers") and _told_already(judge, refused):
            continue
        verdict = judge.refusal(refused, nowhere, None) if refused.kind == "request-failed" else None
        if refused.kind != "request-failed":
            nowhere.refused = (refused,)
            verdict = judge.warned(nowhere, Want(refused.name or "", "", refused.at, "seen", None))
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
            Verdict(
                None,
                None,
                "cause",
                verdict.cause,
                round(verdict.confidence * 0.9, 2),
                verdict.summary + times,
                (*verdict.evidence, *more),
                missing,
                verdict.agent,
                lines[0].at,
            )
        )
    return rows


def _told_already(judge: Judge, refused: Refused) -> bool:
    """Whether a WARN of the same moment names the room: then this line is only its echo."""
    warned = [r for room in judge.story.rooms.values() for r in room.refused if r.name == refused.name]
    return any(r.at is None or refused.at is None or abs(r.at - refused.at) < 1.5 for r in warned)


def silent(judge: Judge) -> list[Verdict]:
    """`not dispatching …` lines without a room, as people paste them."""
    rows: list[Verdict] = []
    done: set[str | None] = set()
    nowhere = Room("", "", len(judge.pool.group))
    for refused in judge.story.silent:
        if refused.name in done or not judge.counts(refused.name, refused.type, refused.at):
            continue
        done.add(refused.name)
        line = Cite(f"no worker for {quote(refused.name or '')} was known", refused.mark)
        rows.append(judge.nobody(nowhere, Want(refused.name or "", "", None, "seen", None), line))
    return rows


def workers(judge: Judge) -> list[Verdict]:
    """A worker that cannot register; asked when no room's verdict says so already."""
    story = judge.story
    nowhere = Room("", "", len(judge.pool.group))
    out: list[Verdict] = []
    for log in story.logs.values():
        if log.workers:
            continue
        found = judge.log_failure(log, next(iter(log.names), ""), None)
        if found is not None:
            out.append(judge.verdict(nowhere, found[0], 0.85, found[1], found[2]))
        elif (init := _never_ready(log)) is not None:
            out.append(judge.verdict(nowhere, *init))
    if not out:
        last = [
            (at, error, mark)
            for at, path, status, error, mark in story.http
            if path.rstrip("/").endswith("/agent") and status in {401, 403}
        ]
        later = [
            w
            for w in judge.pool.registered
            if w.registered is not None and last and last[-1][0] is not None and w.registered > last[-1][0]
        ]
        if last and not later:
            cause, text = connect_failure("401")
            out.append(judge.verdict(nowhere, cause, 0.8, text, [Cite("the server refuses a worker", last[-1][2])]))
        bad = [s for s in story.signals if not later]
        if bad and not out:
            out.append(
                judge.verdict(
                    nowhere,
                    _signal_cause(bad[-1][2]),
                    0.8,
                    f"The server refuses what the worker says when it registers: {bad[-1][2]}.",
                    [Cite("the server refuses the registration", bad[-1][1])],
                )
            )
    if not out:
        out += _loose_crashes(judge, nowhere)
    for log in story.logs.values():
        if not log.requests and log.workers and not out and (init := _never_ready(log)) is not None:
            out.append(judge.verdict(nowhere, *init))
    return out


def _loose_crashes(judge: Judge, nowhere: Room) -> list[Verdict]:
    """An entry function that fails, in a log that shows no job it could be tied to."""
    for log in judge.story.logs.values():
        failed = [s for s in log.of("w-entry-failed", "w-no-process") if s.job not in log.requests]
        if not failed:
            continue
        said = failed[-1]
        what = f" ({said.detail[:160]})" if said.detail else ""
        if said.kind == "w-entry-failed":
            cite = Cite("the entry function fails", said.mark)
            return [judge.verdict(nowhere, "entry-crash", 0.85, f"The agent's entry function failed{what}.", [cite])]
    return []


def _signal_cause(error: str) -> str:
    if "unknown job type" in error:
        return "job-type-unsupported"
    return "deployment-name-invalid" if "deployment" in error else "worker-refused"


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


def unborn(judge: Judge, name: str) -> Verdict:
    """A room that was asked for and that no log shows."""
    seen = judge.seen
    room = Room(name, "", len(judge.pool.group))
    if name.startswith("RM_"):
        room.name, room.id = "", name
    refused = [
        (at, error, mark)
        for at, path, status, error, mark in judge.story.http
        if path.startswith("/rtc") and status >= 400
    ]
    if refused:
        text = "Users' own joins are refused by the server, so the room is not even made; without a room nothing is dispatched."
        return judge.verdict(
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
        return judge.open(room, "No line of the logs shows this room.", missing)
    found = _token_and_worker(judge, room, name)
    if found is not None:
        return found
    for log in judge.story.logs.values():
        if not log.workers:
            failure = judge.log_failure(log, next(iter(log.names), ""), None)
            if failure is not None:
                return judge.verdict(room, failure[0], 0.85, failure[1], failure[2])
    return judge.open(
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
        (s for s in seen.setup.server if s.log_level and s.log_level.lower() in {"warn", "error", "fatal", "panic"}),
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


def _worker_names(seen: Seen) -> dict[str, Cite]:
    """Names that workers have, as far as anything but a server's log tells."""
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


def _token_and_worker(judge: Judge, room: Room, name: str) -> Verdict | None:
    """Token and worker disagree about the name: what a new room made with this token will experience."""
    names = _worker_names(judge.seen)
    if not names:
        return None
    for token in judge.seen.tokens:
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
            return judge.verdict(room, "worker-unnamed", 0.7, text, cites, agent=min(wanted), missing=missing)
        if "" in wanted and len(wanted) == 1:
            continue
        text = f"The token asks for {quote(min(wanted))}, the worker is named {quote(min(names))}.{hint(min(wanted), min(names))}"
        return judge.verdict(room, "name-mismatch", 0.7, text, cites, agent=min(wanted), missing=missing)
    return None


def project(judge: Judge) -> list[Verdict]:
    """A project without logs: whether worker and dispatch agree, or what the next new room will experience."""
    setup = judge.seen.setup
    if judge.seen.has_server_log or not (setup.workers or setup.dispatchers):
        return []
    rows = _project(judge)
    alone = not judge.story.logs and not judge.seen.tokens
    return rows if alone else [row for row in rows if row.verdict == "cause"]


def _project(judge: Judge) -> list[Verdict]:
    setup = judge.seen.setup
    nowhere = Room("", "", len(judge.pool.group))
    named = [w for w in setup.workers if w.agent_name]
    unnamed = [w for w in setup.workers if w.agent_name == ""]
    vague = [w for w in setup.workers if w.agent_name is None]
    asks = [d for d in setup.dispatchers if d.agent_name]
    dynamic = [d for d in setup.dispatchers if d.agent_name is None]
    have = {w.agent_name for w in named}
    want = {d.agent_name for d in asks}
    worker_cites = [
        Cite(
            f"the worker registers as {quote(w.agent_name or '')}"
            if w.agent_name is not None
            else "the worker's name is only known at run time",
            place=w.name_place or w.place,
        )
        for w in setup.workers
    ][:4]
    ask_cites = [
        Cite(
            f"asks for {quote(d.agent_name or '')}"
            if d.agent_name is not None
            else "asks for a name that is only known at run time",
            place=d.place,
        )
        for d in setup.dispatchers
    ][:4]
    if not setup.workers:
        missing = [
            Missing("the worker's source, its log or its /worker endpoint", "under which name the worker registers")
        ]
        return [
            judge.open(
                nowhere,
                "The project dispatches "
                + ", ".join(quote(n or "?") for n in sorted(want, key=str))
                + "; no worker is in it.",
                missing,
                ask_cites,
            )
        ]
    if vague:
        missing = [
            Missing(
                "agent log or /worker endpoint",
                "under which name the worker registers: the source takes it from "
                + (vague[0].name_note or "elsewhere"),
            )
        ]
        return [
            judge.open(
                nowhere,
                "The worker's name is only known at run time, so it cannot be compared with the dispatches.",
                missing,
                [*worker_cites, *ask_cites],
            )
        ]
    if asks and not (want & have):
        odd = sorted(n for n in want if n)
        if unnamed and not named:
            text = f"The next new room will have no agent where it is asked for by name: the dispatch asks for {quote(odd[0])}, the worker has no name."
            return [judge.verdict(nowhere, "worker-unnamed", 0.8, text, [*worker_cites, *ask_cites], agent=odd[0])]
        if named and not dynamic:
            text = f"The next new room will have no agent: the dispatch asks for {', '.join(map(quote, odd))}, the worker is named {', '.join(quote(n or '') for n in sorted(have, key=str))}.{hint(odd[0], str(min(have, key=str)))}"
            return [judge.verdict(nowhere, "name-mismatch", 0.8, text, [*worker_cites, *ask_cites], agent=odd[0])]
    if named and not unnamed and not asks and not dynamic and not any(t.agents or t.calls for t in judge.seen.tokens):
        makers = [m for m in setup.token_makers if not m.dispatches]
        if makers:
            text = f"The next new room will have no agent: the worker is named {quote(named[0].agent_name or '')} and waits to be dispatched by name, and nothing in the project dispatches."
            cites = [*worker_cites, *(Cite("makes join tokens without a dispatch", place=m.place) for m in makers[:2])]
            return [judge.verdict(nowhere, "dispatch-missing", 0.75, text, cites, agent=named[0].agent_name)]
        missing = [
            Missing(
                "the code that makes join tokens or dispatches",
                "whether anything asks for " + quote(named[0].agent_name or "") + " by name",
            )
        ]
        return [
            judge.open(
                nowhere,
                f"The worker is named {quote(named[0].agent_name or '')}, so it only gets rooms that ask for it; nothing at hand shows who asks.",
                missing,
                worker_cites,
            )
        ]
    sides = (
        "Worker and dispatch agree"
        if asks and want & have
        else "The worker has no name and nothing asks for one: automatic dispatch"
    )
    if dynamic and not asks:
        missing = [Missing("a join token or the server's log", "which name is asked for at run time")]
        return [
            judge.open(nowhere, "What is asked for is only known at run time.", missing, [*worker_cites, *ask_cites])
        ]
    text = f"{sides}; the next new room should get its agent. What happened to a room that is there, only logs show."
    return [
        Verdict(
            None,
            None,
            "healthy",
            None,
            0.6,
            text,
            (*worker_cites, *ask_cites),
            (Missing("server log", "what happened to a given room"),),
        )
    ]


def tell_dispatchers(seen: Seen) -> list[tuple[Dispatcher | WorkerSetup, str]]:
    """Every place that names an agent, with what it does."""
    out: list[tuple[Dispatcher | WorkerSetup, str]] = [(w, "registers") for w in seen.setup.workers]
    out += [(d, "dispatches") for d in seen.setup.dispatchers]
    return out


__all__ = ["NOBODY", "jobs_of_workers", "level_too_high", "project", "refusals", "silent", "unborn", "workers"]
