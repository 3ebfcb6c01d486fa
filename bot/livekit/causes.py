"""One room → its verdict: LiveKit's dispatch read backwards, one small function per question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit import assigned, nobody, refusals, visits
from bot.livekit.seen import Cite, Missing
from bot.livekit.versions import MATURE
from bot.livekit.words import ago, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case, Want
    from bot.livekit.seen import Verdict
    from bot.livekit.story import Room


def judge(case: Case, room: Room) -> Verdict:
    """The verdict over one incarnation of a room."""
    late = visits.came_too_late(case, room)
    if late is not None:
        return late
    results: list[tuple[Want, Verdict]] = [(w, _want(case, room, w)) for w in case.wants(room)]
    named = [(w, v) for w, v in results if w.name or w.via == "create-dispatch"]
    if named:  # the implicit dispatch beside a named one is nobody's wish
        results = [(w, v) for w, v in results if (w, v) in named or v.verdict == "healthy"]
    again = visits.came_back(case, room)
    if not results:
        return again or _unknown(case, room)
    worst = next((v for _, v in results if v.verdict == "cause"), None)
    if worst is not None and not any(
        v.verdict == "healthy" for w, v in results if w.via == "create-dispatch" and w.name == worst.agent
    ):
        return worst
    if again is not None:
        return again
    open_ = next((v for _, v in results if v.verdict == "inconclusive"), None)
    healthy = next((v for _, v in results if v.verdict == "healthy"), None)
    return open_ or healthy or _unknown(case, room)


def _want(case: Case, room: Room, want: Want) -> Verdict:
    """Whether this agent came, and if not, why."""
    jobs = [j for j in room.jobs if j.name == want.name or (not want.name and not j.name)]
    if jobs:
        return assigned.judge(case, room, jobs, want.name)
    there = assigned.unassigned(room)
    if there is not None and (not want.name or assigned.strangers(room) >= len(_jobless(case, room))):
        text = "An agent is active in the room; the line that gives it its job is in the log of another node, or was left out."
        return assigned.came(room, want.name, text, there.mark, there.active_mark)
    warned = refusals.warned(case, room, want)
    if warned is not None:
        return warned
    refused = refusals.refused(case, room, want)
    if refused is not None:
        return refused
    silent = nobody.silent(case, room, want)
    if silent is not None:
        return silent
    return _absent(case, room, want)


def _jobless(case: Case, room: Room) -> list[Want]:
    """The named agents that this room asked for and whose job no line shows."""
    named = [w for w in case.wants(room) if w.name]
    return [w for w in named if not any(j.name == w.name for j in room.jobs)]


def _absent(case: Case, room: Room, want: Want) -> Verdict:
    """Not one line about this dispatch: silence, which only an unnamed dispatch without a worker explains."""
    since = want.at
    birth = case.birth_cite(room)
    pending = case.immature(room, since)
    if pending is not None:
        text = "The room is too young to say that an agent is missing."
        return case.open(
            room,
            text,
            [Missing("server log", f"what happens until {MATURE:g} s after the room's birth")],
            [birth],
            agent=want.name,
            judged_from=pending,
        )
    if case.chosen(room):
        text = "The excerpt has no line that says what became of this room's dispatch."
        lack = Missing(
            "the whole server log from before the room's first join", "what the server did about the dispatch"
        )
        return case.open(room, text, [lack], [birth], agent=want.name)
    rejected = _asked_and_gone(case, room, want)
    if rejected is not None:
        return rejected
    publisher = _no_publisher(case, room, want)
    if publisher is not None:
        return publisher
    window = _window(case, room)
    if window is not None:
        return window
    if since is None:
        return _unknown(case, room)
    closed = room.closed[0] if room.closed else None
    if closed is not None and closed - since < MATURE:
        text = f"The room was closed {ago(closed - since)} after it was born, before it could be said whether an agent would come."
        return case.open(
            room,
            text,
            [],
            [birth, Cite("the room closes", room.closed[1])] if room.closed else [birth],
            agent=want.name,
        )
    bus = [
        Cite("the message bus fails", mark)
        for at, mark, _ in case.story.bus
        if at is None or since - 5 <= at <= since + 30
    ]
    if bus:
        return case.verdict(
            room,
            "bus-trouble",
            0.8,
            "The server could not ask for workers at all: its message bus (Redis) fails.",
            [birth, *bus[:2]],
            agent=want.name,
        )
    group = case.pool.group[room.stream] if room.stream < len(case.pool.group) else None
    mine = [w for w in case.pool.at(since, group) if w.name == want.name]
    if mine:
        text = f"A worker for {quote(want.name)} was registered, yet no line says what became of the dispatch."
        return case.open(
            room,
            text,
            [
                Missing(
                    "server log at info level without sampling, of all nodes",
                    "the line `assigned job to worker` or the refusal",
                )
            ],
            [birth, *(Cite("the worker", w.mark) for w in mine[:1] if w.mark >= 0)],
            agent=want.name,
        )
    if want.name and want.via != "create-dispatch":
        text = f"No line says what became of the dispatch for {quote(want.name)}."
        return case.open(
            room,
            text,
            [
                Missing(
                    "server log of the node that hosts the room",
                    "`not dispatching …` or `failed to send job request` for this room",
                )
            ],
            [birth],
            agent=want.name,
        )
    found = refusals.nothing_asked(case, room, None) if not want.name else None
    return found or nobody.nobody(case, room, want, None)


def _asked_and_gone(case: Case, room: Room, want: Want) -> Verdict | None:
    """A worker was offered the job and the server says nothing: Python's plain reject() leaves no server line."""
    offer = case.pool.offered.get(room.id) or case.pool.offered.get("name:" + room.name)
    if offer is None:
        return None
    log, said = offer
    if not room.seen_born or any(j.agent for j in room.joins):
        return None
    cites = [case.birth_cite(room), Cite("the worker was offered the job", said.mark)]
    if not any(case.story.workers[w].mark >= 0 for w in log.workers):
        text = "The worker was offered the job, and this log shows neither that worker nor what became of the job."
        lack = Missing(
            "server log of the node that the worker is registered with", "`assigned job to worker` or the refusal"
        )
        return case.open(room, text, [lack], cites, agent=want.name)
    unanswered = [s for s in log.of("w-no-answer", "w-handler-failed") if s.order > said.order]
    cites += [Cite("the handler gave no answer", s.mark) for s in unanswered[:1]]
    cites += [Cite("the request handler", place=w.request_func) for w in case.seen.setup.workers if w.request_func][:1]
    text = f"The worker was offered the job for {quote(want.name)} and never took it: the server has no `assigned job to worker` for this room."
    return case.verdict(room, "request-rejected", 0.85, text, cites, agent=want.name)


def _no_publisher(case: Case, room: Room, want: Want) -> Verdict | None:
    if case.pool.types(want.name, want.at) != {"JT_PUBLISHER"} or room.published is not None:
        return None
    worker = next((w for w in case.pool.registered if w.name == want.name and w.mark >= 0), None)
    text = f"The worker for {quote(want.name)} is of type JT_PUBLISHER: it is only asked when somebody publishes a track, and nobody in this room does."
    return case.verdict(
        room,
        "no-publisher",
        0.85,
        text,
        [case.birth_cite(room), Cite("the worker's type", worker.mark) if worker else None],
        agent=want.name,
    )


def _window(case: Case, room: Room) -> Verdict | None:
    """A log that does not reach back to the room's birth decides nothing about what was asked then."""
    if room.seen_born or room.first is None:
        return None
    text = "The log begins after this room was born; what decides stands before it."
    missing = [
        Missing(
            "server log from before the room's first join",
            "what the room asked for and what the server answered: window too short",
        )
    ]
    return case.open(room, text, missing, [case.birth_cite(room)])


def _unknown(case: Case, room: Room) -> Verdict:
    window = _window(case, room)
    if window is not None:
        return window
    missing = [
        Missing(
            "server log at info level, from before the first join of this room",
            "which agents the room asked for and what became of them",
        )
    ]
    noise = [
        Cite("decides nothing by itself", mark)
        for _name, kind, _at, mark in room.silent
        if kind in {"JT_PARTICIPANT", "JT_PUBLISHER"}
    ][:1]
    return case.open(
        room,
        "What is there does not say why this room has no agent, or whether it has one.",
        missing,
        [case.birth_cite(room) if room.joins else None, *noise],
    )
