"""Dispatches that the server tried and could not carry out: by the error that it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bot.livekit.case import CLOCKS, NOBODY
from bot.livekit.seen import Cite, Missing
from bot.livekit.versions import refuses_from
from bot.livekit.words import ago, deployed, listed, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case, Want
    from bot.livekit.seen import Verdict
    from bot.livekit.story import Refused, Room, Worker

NO_CAPACITY: Final = "no servers available"
NO_RESPONSE: Final = "no response from servers"
_TOLD_TO_STOP: Final = frozenset({"signal 15", "signal 2"})  # SIGTERM and SIGINT: a worker drains
_ENDS_WITH: Final = 10.0  # seconds after its last session within which a draining worker has gone
_WARN_SAYS: Final = {
    "worker not available": "the worker was asked and said no",
    "context deadline exceeded": "the worker was asked and did not answer in time",
    "worker closed": "the worker went away while it was asked",
    "no workers with sufficient capacity": "nobody else was left to ask",
    "no workers available": "nobody was left to ask",
}


def warned(case: Case, room: Room, want: Want) -> Verdict | None:
    """WARN `failed to assign job to worker` and its kin: a worker was asked and nothing came of it."""
    warnings = [
        r for r in room.refused if r.name in {want.name, None} and case.counts(want.name, r.type or "JT_ROOM", r.at)
    ]
    if not warnings:
        return None
    by_error = {r.error: r for r in warnings}
    cites = [Cite(_WARN_SAYS.get(r.error, "a worker was asked, without success"), r.mark) for r in warnings[-3:]]
    if any(
        e in by_error for e in ("context deadline exceeded", "request timed out", "agent worker availability timeout")
    ):
        jobs = {r.job for r in warnings if r.job}
        cites += [
            Cite("the worker's answer came after the server had given up", mark)
            for _, job, mark in case.story.late
            if job in jobs
        ]
        cites += _handler_cites(case, room, jobs)
        return case.verdict(
            room,
            "request-slow",
            0.95,
            f"A worker was asked for {quote(want.name)} and did not answer within the server's 3 s.",
            cites,
            agent=want.name,
        )
    died = by_error.get("worker closed") or by_error.get("no workers available")
    if died is not None:
        lost = [
            Cite("the worker goes", w.gone_mark)
            for w in case.story.workers.values()
            if w.gone_mark >= 0 and w.id == died.worker
        ]
        lost = lost or [
            Cite("the last worker of that name goes", hit[1])
            for hit in [case.pool.lost(want.name, (died.at or 0) + 2.0)]
            if hit
        ]
        return case.verdict(
            room,
            "worker-died",
            0.95,
            f"The worker for {quote(want.name)} went away while it was being asked.",
            [*lost, *cites],
            agent=want.name,
        )
    rejected = by_error.get("worker not available")
    if (
        rejected is None
        and not room.seen_born
        and len(warnings) == len([r for r in warnings if r.kind == "no-worker-for-job"])
    ):
        text = (
            "No worker was left to take the job; what the ones asked before had answered stands before the log begins."
        )
        return case.open(
            room,
            text,
            [Missing("server log from before that line", "whether a worker rejected the job or none had capacity")],
            cites,
            agent=want.name,
        )
    if rejected is None:
        load = "Every worker reports a load of 1 or more: the server found none with capacity left, even with its raised target_load."
        return case.verdict(
            room, "load-refused", 0.85, load, [*cites, *_load_cites(case, want.name, room)], agent=want.name
        )
    draining = _draining(case, want.name, rejected.at)
    if draining:
        return case.verdict(
            room,
            "draining",
            0.85,
            f"The worker for {quote(want.name)} is shutting down and takes no more jobs.",
            [*draining, *cites],
            agent=want.name,
        )
    full = _full_and_not_asked(case, rejected, room)
    if full:
        return case.verdict(
            room,
            "load-refused",
            0.85,
            f"The worker for {quote(want.name)} is at full capacity and turned the job down by itself.",
            [*full, *cites],
            agent=want.name,
        )
    jobs = {r.job for r in warnings if r.job}
    return case.verdict(
        room,
        "request-rejected",
        0.95,
        f"A worker was asked for {quote(want.name)} and rejected the job.",
        [*cites, *_handler_cites(case, room, jobs)],
        agent=want.name,
    )


def _handler_cites(case: Case, room: Room, jobs: set[str]) -> list[Cite]:
    out: list[Cite] = []
    for log in case.story.logs.values():
        for said in log.of("w-request"):
            if said.job in jobs or (room.id and said.room_id == room.id):
                out.append(Cite("the worker was asked", said.mark))
                out += [
                    Cite("the handler gave no answer", s.mark)
                    for s in log.of("w-no-answer", "w-handler-failed")
                    if s.order > said.order
                ][:1]
                break
    out += [Cite("the request handler", place=w.request_func) for w in case.seen.setup.workers if w.request_func]
    return out[:4]


def _full_and_not_asked(case: Case, rejected: Refused, room: Room) -> list[Cite]:
    """Python answers for itself when it is full, without `received job request`."""
    for log in case.story.logs.values():
        if log.language != "python" or any(
            s.job == rejected.job or (room.id and s.room_id == room.id) for s in log.requests.values()
        ):
            continue
        state: tuple[bool, int] | None = None
        for at, _order, full, mark in log.loads:
            skew = case.pool.skew[(log.source, log.service)] or 0.0
            if at is not None and rejected.at is not None and at - skew <= rejected.at + 0.5:
                state = (full, mark)
        if state and state[0]:
            return [Cite("the worker reports itself full", state[1])]
    return []


def refused(case: Case, room: Room, want: Want) -> Verdict | None:
    """`failed to send job request` of the worker's own type, by its error."""
    mine = [
        (r, unsure) for r, unsure in case.refused_in.get(id(room), ())
        if (r.name == want.name or r.name is None) and case.counts(want.name, r.type or "JT_ROOM", r.at)
    ]  # fmt: skip
    again = want.via == "create-dispatch" and any(w.name == want.name for w in case.wants(room) if w.via == "birth")
    if again and want.at is not None:  # the refusal may be that of the dispatch at the room's birth
        slack = 0.3 if want.cite is not None and want.cite.place is None else CLOCKS
        mine = [(r, u) for r, u in mine if r.at is not None and r.at >= want.at - slack]
    if not mine:
        return None
    refused, unsure = mine[-1]
    verdict = refusal(case, refused, room, want)
    if verdict is not None and unsure and verdict.verdict == "cause":
        says = " (The line names no room; this room is one of several that were made in the same second.)"
        return replace(verdict, confidence=min(verdict.confidence, 0.7), summary=verdict.summary + says)
    return verdict


def refusal(case: Case, refused: Refused, room: Room, want: Want | None) -> Verdict | None:
    """What one `failed to send job request` means."""
    name = refused.name if refused.name is not None else want.name if want else ""
    line = Cite(_error_says(refused.error), refused.mark)
    birth = case.birth_cite(room)
    if refused.error.startswith(NO_CAPACITY):
        return _no_capacity(case, refused, room, name, [birth, line])
    if refused.error in {"request timed out", "context deadline exceeded", "agent worker availability timeout"}:
        return case.verdict(
            room,
            "request-slow",
            0.9,
            f"A worker was asked for {quote(name)} and did not answer within the server's 3 s.",
            [birth, line],
            agent=name,
        )
    if refused.error in {"no workers available", "worker closed"}:
        return case.verdict(
            room,
            "worker-died",
            0.9,
            f"The worker for {quote(name)} went away while it was being asked.",
            [birth, line],
            agent=name,
        )
    if refused.error.startswith("no workers with sufficient"):
        return case.verdict(
            room,
            "load-refused",
            0.7,
            f"Workers for {quote(name)} are there, none has capacity left.",
            [birth, line, *_load_cites(case, name, room)],
            agent=name,
        )
    if not refused.error.startswith(NO_RESPONSE):
        return None
    return _no_response(case, refused, room, name, line)


def _no_capacity(case: Case, refused: Refused, room: Room, name: str, cites: list[Cite | None]) -> Verdict:
    draining = _draining(case, name, refused.at) or _replaced(case, name, refused.at)
    if draining:
        text = f"The worker for {quote(name)} was draining (it had been told to stop), so the server counted it as having no capacity."
        return case.verdict(room, "draining", 0.85, text, [*cites, *draining], agent=name)
    held, gone = ([], False) if _load_shown(case) else _sessions_held(case, room, name, refused.at)
    if gone:
        text = f"The worker for {quote(name)} was draining: it got no more jobs, and went as soon as its last session had ended."
        return case.verdict(room, "draining", 0.8, text, [*cites, *held], agent=name)
    if held:
        text = f"The server counted every worker for {quote(name)} as having no capacity: too much load, or it had been told to stop and was finishing its sessions."
        lack = Missing(
            "both logs until those sessions have ended, or the agent log at debug level",
            "whether the workers go with their last session (a deploy) or stay (load)",
        )
        return case.open(room, text, [lack], [*cites, *held], agent=name)
    group = case.pool.group[refused.stream] if refused.stream < len(case.pool.group) else -1
    target = next((s.target_load for s in case.seen.setup.server if s.target_load is not None), None)
    limit = refuses_from(case.pool.version(group, refused.at), target)
    when = f" This server refuses from a reported load of {limit:g}." if limit is not None else ""
    text = f"The server refused: every worker for {quote(name)} reports too high a load (or that it is full), so none was asked.{when}"
    missing: tuple[Missing, ...] = ()
    if not case.story.logs:
        missing = (
            Missing(
                "agent log",
                "whether the worker was draining (a deploy) rather than loaded: the server's words are the same",
            ),
        )
    return case.verdict(
        room, "load-refused", 0.9, text, [*cites, *_load_cites(case, name, room)], agent=name, missing=missing
    )


def _load_shown(case: Case) -> bool:
    """Whether anything but the server's refusal speaks of load."""
    full = any(is_full for log in case.story.logs.values() for _, _, is_full, _ in log.loads)
    return full or any(w.load_func for w in case.seen.setup.workers)


def _sessions_held(case: Case, room: Room, name: str, at: float | None) -> tuple[list[Cite], bool]:
    """Why each worker of that name may have been draining, and whether all were; nothing where one was not.

    A worker that is told to stop takes no more jobs, and ends with its last session; Node's says so only at debug level.
    """
    held: list[Cite] = []
    left: list[Cite] = []
    if at is None:
        return [], False
    there = _known(case, name, at)
    for worker in there:
        jobs = [(job, job.ended[0] if job.ended else None) for job in case.jobs_of(worker.id)]
        running = [(job, end) for job, end in jobs if job.at is not None and job.at < at and (end is None or end > at)]
        log = case.pool.log_of.get(worker.id)
        if not running or any(job.at is not None and job.at > at for job, _ in jobs) or (log and log.says_draining):
            return [], False
        held.append(Cite("the worker still has a session", running[-1][0].mark))
        ends = [end for _, end in running if end is not None]
        if len(ends) < len(running):
            continue
        if worker.gone is None and (case.now(room) or 0.0) > max(ends) + _ENDS_WITH:
            return [], False
        if worker.gone is not None and max(ends) - CLOCKS <= worker.gone <= max(ends) + _ENDS_WITH:
            left.append(Cite("the worker goes as soon as its last session has ended", worker.gone_mark))
    return [*held[:2], *left[:2]], bool(there) and len(left) == len(there)


def _load_cites(case: Case, name: str, room: Room) -> list[Cite]:
    out = [Cite("a worker that the server knew", w.mark) for w in _known(case, name, room.birth)][:2]
    for log in case.story.logs.values():
        out += [Cite("the worker's own log: full", mark) for _, _, full, mark in log.loads if full][-1:]
    out += [
        Cite("the worker reports this instead of its CPU load", place=w.load_func)
        for w in case.seen.setup.workers
        if w.load_func
    ][:1]
    out += [
        Cite("the server refuses from this load on", place=s.place)
        for s in case.seen.setup.server
        if s.target_load is not None
    ]
    return out


def _known(case: Case, name: str, at: float | None) -> list[Worker]:
    return [
        w for w in case.pool.registered if w.name == name and w.mark >= 0 and (at is None or case.pool.alive(w, at))
    ]


def _stopped(case: Case, name: str, at: float | None) -> list[Cite]:
    """The engine's word that the containers of all workers of that name had been told to stop before that."""
    told: list[Cite] = []
    for machine in _theirs(case, name) if at is not None else ():
        before = [e for e in case.seen.events if e.machine == machine and at is not None and e.at <= at]
        started = max((e.at for e in before if e.action == "start"), default=0.0)
        if any(e.action == "die" and e.at > started for e in before):
            continue  # it was not there to be asked
        kills = [e for e in before if e.action == "kill" and e.detail in _TOLD_TO_STOP and e.at > started]
        if not kills:
            return []
        told.append(Cite("the worker's container was told to stop before that", place=kills[-1].place))
    return told


def _theirs(case: Case, name: str) -> list[str]:
    """The containers whose logs show workers of that name; the only one there is, if its log names nobody."""
    agents = [m.name for m in case.seen.machines if m.role == "agent"]
    names: dict[str, set[str | None]] = {}
    for log in case.story.logs.values():
        own = names.setdefault(case.seen.logs[log.source].name.removeprefix("docker logs "), set())
        own |= {*log.names, *(case.story.workers[w].name for w in log.workers)} - {None}
    found = [machine for machine in agents if name in names.get(machine, ())]
    return found or (agents if len(agents) == 1 and not names.get(agents[0]) else [])


def _draining(case: Case, name: str, at: float | None) -> list[Cite]:
    """A worker of that name that had been told to stop and was still there."""
    if stopped := _stopped(case, name, at):
        return stopped
    for log in case.story.logs.values():
        own = {case.story.workers[w].name for w in log.workers} | set(log.names)
        if name not in own and own:
            continue
        for said in log.of("w-draining", "w-drain-reject", "w-closing"):
            when = case.pool.when(log, said)
            if when is None or at is None:
                continue
            again = (
                (then, s.order) > (when, said.order) and then <= at
                for s in log.of("w-registered")
                if (then := case.pool.when(log, s)) is not None
            )
            if when <= at + 0.2 and not any(again):
                return [Cite("the worker was told to stop before that", said.mark)]
    return []


def _replaced(case: Case, name: str, at: float | None) -> list[Cite]:
    """A deploy as the server sees it: the workers that were there take no further job, and others follow within minutes."""
    if at is None:
        return []
    there = _known(case, name, at)
    if not there:
        return []
    after = [
        w for w in case.pool.registered if w.name == name and w.registered is not None and at < w.registered <= at + 120
    ]
    if not after:
        return []
    ids = {w.id for w in there}
    jobs = [job for worker in ids for job in case.jobs_of(worker)]
    if any(job.at is not None and job.at > at for job in jobs):
        return []
    new = min(after, key=lambda w: w.registered or 0.0)
    if case.pool.restarted(case.pool.group[new.stream], at, new.registered or at):
        return []  # the server itself began anew: everybody registers again
    ended = [w for w in there if w.gone is not None]
    finishing = any(
        job.at is not None and job.at < at and (job.ended is None or job.ended[0] is None or job.ended[0] > at)
        for job in jobs
    )
    if not ended and not finishing:
        return []
    return [
        Cite("another worker of that name takes its place", new.mark),
        *(Cite("the one that was there goes", w.gone_mark) for w in ended[:1]),
    ]


def _no_response(case: Case, refused: Refused, room: Room, name: str, line: Cite) -> Verdict | None:
    """Nobody listens for this name: died, in another deployment, never there, or the implicit dispatch."""
    at = refused.at
    birth = case.birth_cite(room)
    if at is not None:
        lost = case.pool.lost(name, at)
        if lost is not None and not _known(case, name, at):
            text = f"The last worker for {quote(name)} had gone {ago(at - lost[0])} before; the server still believed in the name and nobody answered."
            return case.verdict(
                room,
                "worker-died",
                0.9,
                text,
                [Cite("the last worker of that name goes", lost[1]), birth, line],
                agent=name,
            )
    if name == "":
        return nothing_asked(case, room, line)
    return _deployment(case, refused, room, name, line) if at is not None else None


def _deployment(case: Case, refused: Refused, room: Room, name: str, line: Cite) -> Verdict | None:
    at = refused.at if refused.at is not None else 0.0
    living = [w for w in case.pool.registered if w.name == name and case.pool.alive(w, at)]
    wanted = {d for w in case.wants(room) if w.name == name for d in (w.deployment,)}
    have: dict[str, list[Cite]] = {}
    for w in living:
        if w.deployment is not None:
            have.setdefault(w.deployment, []).append(
                Cite(
                    f"the worker registers with deployment {deployed([w.deployment])}",
                    w.ours_mark if w.ours_mark >= 0 else w.mark,
                )
            )
    for e in case.seen.endpoints:
        if e.agent_name == name and e.worker_type:
            have.setdefault(e.deployment, []).append(
                Cite(f"the worker's endpoint: deployment {deployed([e.deployment])}", place=e.place)
            )
    for log in case.story.logs.values():
        if not log.workers and name in log.names:
            for d in log.deployments:
                have.setdefault(d, []).append(
                    Cite(f"the worker's log: deployment {deployed([d])}", log.said["w-registered"][0].mark)
                )
    mentioned = [Cite("a worker that the server knew", w.mark) for w in living if w.mark >= 0][:1]
    if have and wanted and not wanted & set(have):
        text = (
            f"A worker for {quote(name)} is registered and alive, but with deployment {deployed(have)}, while the room's dispatch names "
            f"{deployed(sorted(wanted))}: nobody listens for that pair."
        )
        cites = [c for group in have.values() for c in group[:2]]
        return case.verdict(
            room, "deployment-mismatch", 0.9, text, [case.birth_cite(room), line, *mentioned, *cites], agent=name
        )
    if not living:
        return None
    missing = [Missing("agent log or the worker's /worker endpoint", "whether the worker's deployment differs from the dispatch's (server 1.12 and newer)"),
               Missing("server log at debug level, Redis", "whether the message bus between the nodes works")]  # fmt: skip
    if have and wanted & set(have):
        missing = missing[1:]
    text = f"A worker for {quote(name)} is registered and alive, yet nobody answered for that name: another deployment, or trouble on the message bus."
    return case.open(room, text, missing, [line, *mentioned], agent=name)


def nothing_asked(case: Case, room: Room, line: Cite | None) -> Verdict | None:
    """The implicit dispatch found no unnamed worker: benign, unless nothing else was asked for."""
    asked, cite = case.birth_asked(room)
    if (
        asked is None
        or asked != NOBODY
        or room.jobs
        or any(j.agent and j.active_mark >= 0 for j in room.joins)
        or any(k == "api-create-dispatch" for _, k, _, _ in case.calls.get(id(room), ()))
    ):
        return None
    at = room.birth if room.birth is not None else room.first
    named = [w for w in case.pool.registered if w.name and (at is None or case.pool.alive(w, at))]
    if not named:
        return None
    names = sorted({w.name for w in named if w.name})
    pending = case.immature(room, at)
    if pending is not None:
        text = "The room was made without a dispatch; it is too young to say that none follows by CreateDispatch."
        lack = Missing("server log", "whether the backend dispatches an agent within seconds")
        return case.open(room, text, [lack], [cite, line], judged_from=pending)
    if not case.expected(room):
        text = "Nobody asked for an agent in this room, and none came; it may be meant to have none. If one was meant to come here, its dispatch is missing."
        lack = Missing(
            "whoever makes this room", "whether an agent was meant to come (ask again with --room to have it judged)"
        )
        return case.open(room, text, [lack], [cite, line])
    token = case.token_of(room)
    says = [Cite("the token asks for no agent", place=token.place)] if token is not None and not token.agents else []
    workers = [
        Cite(f"the worker has the name {quote(w.name or '')}, so it gets only rooms that ask for it", w.mark)
        for w in named
        if w.mark >= 0
    ][:2]
    text = f"Nothing asked for an agent: the worker is named {listed(names)} and waits to be dispatched by name, and the room was made without a dispatch."
    return case.verdict(
        room,
        "dispatch-missing",
        0.9,
        text,
        [*workers, cite, line, *says],
        agent=names[0] if len(names) == 1 else None,
    )


def _error_says(error: str) -> str:
    if error.startswith(NO_CAPACITY):
        return "the server has workers of that name and type, all with a capacity of 0"
    if error.startswith(NO_RESPONSE):
        return "nobody listens for that name and type"
    return "the dispatch failed"
