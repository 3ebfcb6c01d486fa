"""Rooms whose job was given to a worker: did its agent come, and what stopped it if not."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.versions import ICE_LIMIT
from bot.livekit.words import ago, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case
    from bot.livekit.story import Job, Join, Room, Said, WorkerLog

#: Seconds within which a worker that goes took its new job with it; later it may as well be agents-js 1.0.x, which
#: ends the whole worker when a process is not ready in time. The worker's own log tells the two apart.
_AT_ONCE = 3.0
#: Seconds that an agent may take from its job to its join while somebody still waits for it.
_TO_JOIN = 10.0
#: Why a stay ends whose media failed; and why one ends when its client gave up or came again, for whatever reason.
_MEDIA = frozenset({"JOIN_TIMEOUT", "PEER_CONNECTION_DISCONNECTED", "NEGOTIATE_FAILED"})
_CLOSED = frozenset({"DUPLICATE_IDENTITY", "SIGNAL_SOURCE_CLOSE"})
_CRASHES = 5.0  # seconds
_NOT_CONNECTED = "not connected 10 s after the entry function was called"
_GIVEN = "the job is given to a worker"
_ACTIVE = "its agent is active in the room"
_INIT_TIMEOUT = ("timed out", "timeout", "TimeoutError", "taking too much time")


def came(room: Room, agent: str, summary: str, given: int, active: int) -> Verdict:
    """The row of a room whose agent is active: the marks of its assignment and of the agent's `participant active`."""
    at = room.birth if room.birth is not None else room.first
    evidence = (Cite(_GIVEN, given), Cite(_ACTIVE, active))
    return Verdict(room.name or None, room.id or None, "healthy", None, 0.95, summary, evidence, (), agent, at)


@lru_cache(maxsize=1024)
def _here(name: str, more: str) -> str:
    """One sentence per agent, however many rooms it is in."""
    return f"Agent {quote(name) if name else 'of automatic dispatch'} is active in the room.{more}"


def judge(case: Case, room: Room, jobs: list[Job], name: str) -> Verdict:
    """The verdict over one agent of a room, by its newest job; an agent that came with any job came."""
    for job in jobs:
        session = _session(room, job)
        if session is not None and session.active_mark >= 0:
            return _came(case, room, job, session, name)
    job = jobs[-1]
    session = _session(room, job)
    if session is not None:
        return _connecting(case, room, job, session, name)
    return _never_started(case, room, job, name)


def _session(room: Room, job: Job) -> Join | None:
    """The newest stay of this job's agent: `agent-<job id>`, or an agent under a name of its own."""
    by_id = [j for j in room.joins if job.id and j.who == f"agent-{job.id}"]
    if by_id:
        return next((j for j in reversed(by_id) if j.active_mark >= 0), by_id[-1])
    ids = {f"agent-{other.id}" for other in room.jobs}
    own = [j for j in room.joins if j.agent and j.who not in ids and not j.who.startswith("agent-AJ_")]
    own = [j for j in own if j.at is None or job.at is None or j.at >= job.at - 0.5]
    return next((j for j in own if j.active_mark >= 0), own[0] if own else None)


def unassigned(room: Room) -> Join | None:
    """An active agent in the room whose job no line shows."""
    ids = {f"agent-{job.id}" for job in room.jobs}
    return next((j for j in room.joins if j.agent and j.active_mark >= 0 and j.who not in ids and j.mark >= 0), None)


def strangers(room: Room) -> int:
    """How many active agents in the room have a job that no line shows."""
    ids = {f"agent-{job.id}" for job in room.jobs}
    return len({j.who for j in room.joins if j.agent and j.active_mark >= 0 and j.who not in ids and j.mark >= 0})


def _came(case: Case, room: Room, job: Job, session: Join, name: str) -> Verdict:
    mine = Cite(_GIVEN, job.mark)
    there = Cite(_ACTIVE, session.active_mark)
    stranger = _stranger(case, job)
    if stranger:
        text = f"An agent is in the room, but the job went to worker {job.worker}, which is none of those whose log is at hand."
        return case.verdict(room, "competing-worker", 0.75, text, [*stranger, mine, there], agent=name)
    more = ""
    if session.reason in {"DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED"} and session.left is not None:
        more = f" It was taken out of it later ({session.reason})."
    elif (
        job.ended
        and job.ended[0] is not None
        and session.active is not None
        and abs(job.ended[0] - session.active) < 1.0
    ):
        more = " Its job ended in the same moment: it is shutting down."
    return came(room, name, _here(name, more), job.mark, session.active_mark)


def _stranger(case: Case, job: Job) -> list[Cite]:
    """Lines that show that this job's worker is not one of ours, while ours was there to take it."""
    logs = [log for log in case.story.logs.values() if log.workers]
    if not logs or not job.worker or job.worker in case.pool.log_of or (job.id and job.id in case.pool.log_of_job):
        return []
    ours = [case.story.workers[w] for log in logs for w in log.workers]
    near = [w for w in ours if w.mark >= 0 and w.name == job.name and (job.at is None or case.pool.alive(w, job.at))]
    if not near or any(log.sdk == "" and not log.language for log in logs):
        return []
    other = case.story.workers.get(job.worker)
    out = [
        Cite("our worker, by its own log", near[0].ours_mark),
        Cite("our worker, as the server knows it", near[0].mark),
    ]
    if other is not None and other.mark >= 0:
        out.append(Cite("another worker of the same name", other.mark))
    return out


def _connecting(case: Case, room: Room, job: Job, session: Join, name: str) -> Verdict:
    """The agent began to join and never became active: its media does not connect."""
    mine = Cite("the job is given to a worker", job.mark)
    begun = Cite("its agent begins to join", session.mark)
    now = case.now(room)
    mine_too = [j for j in room.joins if j.who == session.who]
    removed = [Cite("removed: no connection", j.removed) for j in mine_too if j.removed >= 0 and _media(j)]
    failed = [j for j in mine_too if j.removed < 0 and j.left is not None and j.at is not None and _media(j)]
    no_connect = [
        Cite("the worker's own log: not connected", s.mark)
        for log in case.story.logs.values()
        for s in log.of("w-no-connect")
        if s.job == job.id
    ]
    overdue = now is not None and session.at is not None and session.left is None and now - session.at > ICE_LIMIT + 5
    if removed or failed or overdue:
        users = [j for j in room.joins if not j.agent and j.at is not None]
        others = "" if any(j.active_mark >= 0 for j in users) else " The users' media does not connect either."
        text = f"The agent {quote(name)} started and joined, but its media never connected (ICE), so it was removed.{others}"
        cites = [
            mine,
            begun,
            *removed[:2],
            *[Cite("it leaves without having been active", j.mark) for j in failed[:1] if not removed],
            *no_connect[:1],
        ]
        return case.verdict(room, "ice-failed", 0.9, text, cites, agent=name)
    known = crashed(case, room, job, name, [mine, begun], joining=True)
    if known is not None:
        return known
    if session.left is not None:
        text = f"The agent {quote(name)} began to join and left {'(' + session.reason + ') ' if session.reason else ''}before it was active."
        return case.open(room, text, [Missing("agent log", "why it left")], [mine, begun], agent=name)
    until = session.at + ICE_LIMIT if session.at is not None else None
    text = "The agent is just joining: its media may still connect."
    return case.open(
        room,
        text,
        [Missing("server log", "whether `participant active` follows")],
        [mine, begun, *no_connect[:1]],
        agent=name,
        judged_from=until,
    )


def _media(join: Join) -> bool:
    """Whether this end of a stay that never became active is that of its media; within seconds a crash closes it, too."""
    if join.reason in _MEDIA:
        return True
    lasted = join.left - join.at if join.left is not None and join.at is not None else None
    return (lasted is None or lasted > _CRASHES) and (join.removed >= 0 or join.reason in _CLOSED)


def _never_started(case: Case, room: Room, job: Job, name: str) -> Verdict:
    mine = Cite("the job is given to a worker; its agent never joins", job.mark)
    known = crashed(case, room, job, name, [mine])
    if known is not None:
        return known
    now = case.now(room)
    stranger = _stranger(case, job)
    young = job.at is not None and now is not None and now - job.at < case.job_limit
    if stranger:
        text = f"The job went to worker {job.worker}, which is none of those whose log is at hand: another set of workers competes for the same rooms."
        return case.verdict(room, "competing-worker", 0.85, text, [*stranger, mine], agent=name)
    if young and job.at is not None:
        text = "The job was assigned, its agent has not joined yet: too early to judge."
        return case.open(
            room,
            text,
            [Missing("server log", "whether the agent's `starting RTC session` follows")],
            [mine],
            agent=name,
            judged_from=job.at + case.job_limit,
        )
    ended = _ended_at_once(job)
    if ended is not None and not _deserted(room, ended[0] + (job.at or 0.0)):
        text = f"The job for {quote(name)} ended {ago(ended[0])} after it was assigned and its agent never joined: the entry function failed or returned at once."
        return case.verdict(room, "entry-crash", 0.75, text, [mine, Cite("the job ends at once", ended[1])], agent=name)
    if not room.joins and job.at is None:
        text = "The job was assigned; the excerpt does not show whether its agent came."
        return case.open(
            room,
            text,
            [
                Missing("server log", "`participant active` of the agent in this room"),
                Missing("agent log", "what became of the job"),
            ],
            [mine],
            agent=name,
        )
    asked = [
        Cite("the worker took the job", log.requests[job.id].mark)
        for log in case.story.logs.values()
        if job.id in log.requests
    ]
    silent = None if job.at is None or _deserted(room, job.at + _TO_JOIN) else _failed_silently(case, job)
    if silent is not None:
        text = f"The job for {quote(name)} was taken by a worker that serves other rooms, its process was ready, and its agent never joined: the entry function failed or never connects (agents-js before 1.1 logs that at debug level only)."
        return case.verdict(room, "entry-crash", 0.6, text, [mine, *silent], agent=name)
    text = "The job was assigned and its agent never joined: its process did not start, or its entry function failed."
    missing = [
        Missing(
            "agent log" if not case.story.logs else "agent log at debug level",
            "whether the process timed out while it was initialised, crashed, or its entry function failed",
        )
    ]
    return case.open(room, text, missing, [mine, *asked[:1]], agent=name)


def _deserted(room: Room, at: float) -> bool:
    """Whether every user had left by then, or the room was closed: then no agent had anybody to come to."""
    if room.closed is not None and room.closed[0] is not None and room.closed[0] <= at:
        return True
    users = [j for j in room.joins if not j.agent]
    return bool(users) and all(j.left is not None and j.left <= at for j in users)


def _failed_silently(case: Case, job: Job) -> list[Cite] | None:
    """By elimination, from a Node worker's log: it took this job, served others before and after, and is still there."""
    log = case.pool.log_of_job.get(job.id)
    worker = case.story.workers.get(job.worker)
    if log is None or log.language != "node" or job.at is None or worker is None or worker.gone is not None:
        return None
    if any(True for _ in log.of("w-init-failed", "w-init-timeout", "w-init-crash", "w-trace", "w-unresponsive")):
        return None
    served = {
        j.mark: j.at < job.at
        for room in case.story.rooms.values()
        for j in room.jobs
        if j.worker == job.worker and j.at is not None and _active(room, j)
    }
    if set(served.values()) != {True, False}:
        return None  # it may be draining, or its pool may be stuck
    return [
        Cite("the worker took the job", log.requests[job.id].mark),
        Cite("the same worker serves a later room", max(served)),
    ]


def _active(room: Room, job: Job) -> bool:
    session = _session(room, job)
    return session is not None and session.active_mark >= 0


def _ended_at_once(job: Job) -> tuple[float, int] | None:
    """Seconds and line of a job's end right after its assignment: the only server trace of a failing entry (Python)."""
    if job.ended is None or job.at is None or job.ended[0] is None or job.error == "agent worker left the room":
        return None
    after = job.ended[0] - job.at
    return (after, job.ended[1]) if -0.2 <= after < 0.6 else None  # 0.05 to 0.1 s recorded


def crashed(
    case: Case, room: Room, job: Job, name: str | None, here: list[Cite], *, joining: bool = False
) -> Verdict | None:
    """What the worker's own log (or its end) says of this job."""
    for log in _logs(case, job, name):
        for question in (_drained, _entry, _init, _unresponsive):
            found = question(case, log, job)
            if found is not None and joining and found[3][0].says == _NOT_CONNECTED:
                continue  # it is connecting just now: that may be its media as well
            if found is not None:
                cause, confidence, text, cites = found
                asked = [Cite("the worker took the job", log.requests[job.id].mark)] if job.id in log.requests else []
                agent = quote(name) if name is not None else "an agent of unknown name"
                return case.verdict(
                    room, cause, confidence, text.format(agent=agent), [*here, *asked, *cites], agent=name
                )
    worker = case.story.workers.get(job.worker)
    if (
        worker is not None
        and worker.gone is not None
        and job.at is not None
        and worker.gone >= job.at - 0.5
        and job.ended is None
        and worker.gone - job.at < (case.job_limit + 5 if case.story.logs else _AT_ONCE)
    ):
        text = f"The worker went away {ago(max(0.0, worker.gone - job.at))} after it had taken the job, before its agent joined."
        return case.verdict(
            room, "worker-died", 0.85, text, [*here, Cite("the worker goes", worker.gone_mark)], agent=name
        )
    return None


def _logs(case: Case, job: Job, name: str | None) -> list[WorkerLog]:
    """The log of the worker that has this job; where ids do not tell, every log that may be its."""
    for by in (case.pool.log_of_job.get(job.id), case.pool.log_of.get(job.worker)):
        if by is not None:
            return [by]
    return [log for log in case.story.logs.values() if not log.workers and (not log.names or name in log.names)]


def _drained(case: Case, log: WorkerLog, job: Job) -> tuple[str, float, str, list[Cite]] | None:
    for said in log.of("w-draining", "w-closing"):
        when = case.pool.when(log, said)
        taken = log.requests.get(job.id)
        before = (
            when <= job.at + 0.1
            if when is not None and job.at is not None
            else taken is not None and said.order < taken.order
        )
        if not before:
            continue
        again = [s for s in log.of("w-registered") if s.order > said.order and (taken is None or s.order < taken.order)]
        if not again:
            text = "The worker for {agent} had been told to stop and was draining: it was still given the job and let it go."
            return "draining", 0.9, text, [Cite("the worker is told to stop", said.mark)]
    return None


def _entry(case: Case, log: WorkerLog, job: Job) -> tuple[str, float, str, list[Cite]] | None:
    for said in log.of("w-entry-failed", "w-rejection", "w-launch-failed"):
        if _of(case, said, log, job):
            what = f" ({said.detail[:160]})" if said.detail else ""
            return (
                "entry-crash",
                0.95,
                f"The agent's entry function for {{agent}} failed{_plain(what)}.",
                [Cite("the entry function fails", said.mark)],
            )
    for said in log.of("w-process-exiting"):
        if said.job == job.id and "crash" in said.detail:
            return (
                "entry-crash",
                0.9,
                "The job of {agent} crashed in its entry function.",
                [Cite("the worker's own log", said.mark)],
            )
    for said in log.of("w-ice-failed"):
        if said.job == job.id if said.job else _of(case, said, log, job):
            text = "The agent for {agent} started, but its media never connected to the server (ICE)."
            return "ice-failed", 0.8, text, [Cite("the agent's connection times out", said.mark)]
    for said in log.of("w-no-connect") if case.story.streams else ():
        if said.job and said.job == job.id:
            text = "The agent's entry function for {agent} runs and never connects to the room."
            return (
                "entry-crash",
                0.8,
                text,
                [Cite(_NOT_CONNECTED, said.mark)],
            )
    return None


def _of(case: Case, said: Said, log: WorkerLog, job: Job) -> bool:
    """Whether a line is about this job; a line without an id belongs to the job taken last before it."""
    if said.job:
        return said.job == job.id
    taken = log.requests.get(job.id)
    if taken is None:
        when = case.pool.when(log, said)
        return when is not None and job.at is not None and -0.5 <= when - job.at <= case.job_limit
    between = [r for r in log.requests.values() if taken.order < r.order < said.order]
    return taken.order < said.order and not between


def _init(case: Case, log: WorkerLog, job: Job) -> tuple[str, float, str, list[Cite]] | None:
    """Processes that do not get ready: too slow, or they end before."""
    own = [s for s in log.of("w-no-process", "w-spawn-failed", "w-handler-failed") if s.job == job.id]
    failures = [s for s in log.of("w-init-failed", "w-init-timeout", "w-init-crash") if _near(case, log, s, job)]
    if not failures and not own:
        return None
    if not failures:
        failures = list(log.of("w-init-failed", "w-init-timeout", "w-init-crash"))
    ready = [s for s in log.of("w-job-started") if s.job == job.id]
    if ready or (not failures and not any(s.kind == "w-no-process" for s in own)):
        return None
    slow = [s for s in failures if s.kind == "w-init-timeout" or any(t in s.detail for t in _INIT_TIMEOUT)]
    last = failures[-1] if failures else own[-1]
    traces = [
        Cite("the program's own error", s.mark)
        for s in log.of("w-trace")
        if s.order <= last.order and "before initializing" not in s.detail
    ][-1:]
    cites = [
        Cite("a process does not get ready", s.mark)
        for s in (failures[:1] + failures[-1:] if len(failures) > 1 else failures)
    ]
    cites += [Cite("no process for this job", s.mark) for s in own[-1:]]
    if slow and len(slow) * 2 >= len(failures):
        limit = next((w.init_timeout for w in case.pool.seen.setup.workers if w.init_timeout is not None), None)
        shown = f"{limit:g} s (set in the source)" if limit is not None else "10 s unless the source sets another"
        text = f"The job of {{agent}} was taken, but its process was not ready within the limit: {shown}."
        return "init-timeout", 0.95, text, cites
    what = f" ({last.detail[:160]})" if last.detail else ""
    return (
        "init-crash",
        0.95,
        f"The job of {{agent}} was taken, but its process ended before it was ready{_plain(what)}.",
        [*cites, *traces],
    )


def _near(case: Case, log: WorkerLog, said: Said, job: Job) -> bool:
    """Whether a failing process falls into the time of this job (a pool that fails keeps failing)."""
    if said.job:
        return said.job == job.id
    when = case.pool.when(log, said)
    if when is not None and job.at is not None:
        return job.at - 30.0 <= when <= job.at + 3 * case.job_limit
    taken = log.requests.get(job.id)
    return taken is None or said.order > taken.order - 20


def _unresponsive(_case: Case, log: WorkerLog, job: Job) -> tuple[str, float, str, list[Cite]] | None:
    for said in log.of("w-memory", "w-unresponsive", "w-job-died", "w-exit"):
        if said.job == job.id and job.id:
            text = "The process of {agent} ended before its agent joined."
            return "entry-crash", 0.8, text, [Cite("the worker's own log", said.mark)]
    late = [s for s in log.of("w-assignment-late", "w-assignment-unknown") if s.job == job.id and job.id]
    return (
        (
            "request-slow",
            0.7,
            "The assignment of {agent} reached the worker too late.",
            [Cite("the worker's own log", late[0].mark)],
        )
        if late
        else None
    )


def _plain(text: str) -> str:
    """Text that may stand in a format string."""
    return text.replace("{", "{{").replace("}", "}}")
