"""Rooms for whose agent no worker was known: another name, too late, gone, elsewhere, or never there."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from bot.livekit import refusals
from bot.livekit.seen import Cite, Missing
from bot.livekit.versions import LATE, TELLS_WORKERS, parts
from bot.livekit.words import ago, hint, listed, quote

if TYPE_CHECKING:
    from bot.livekit.case import Case, Want
    from bot.livekit.seen import Verdict
    from bot.livekit.story import Room, Said, Worker, WorkerLog

#: Errors that end a program while it starts, whatever it is about.
FATAL: Final = re.compile(
    r"ERR_MODULE_NOT_FOUND|Cannot find (?:module|package)|ModuleNotFoundError|ImportError|SyntaxError|MissingCredentials|"
    r"ERR_UNKNOWN_FILE_EXTENSION|(?:api_key|api_secret|API [Kk]ey|API Secret)[^\n]{0,60} (?:is )?required"
)
#: A worker's words for a try that failed, without any for why.
_RETRIES: Final = re.compile(
    r"(?:(?:RuntimeError: )?failed to connect to (?:livekit|LiveKit server).*?(?:retrying in [\d.]+ ?\w*|after \d+ attempts)|"
    r"closing worker due to error)?[^A-Za-z]*"
)
_CLOSED: Final = "connection closed unexpectedly"  # by the server, which had been reached
_REFUSED: Final = re.compile(r"(?<![:.\d])40[13]\b|nauthorized")
#: Seconds after a room's birth in which a worker that registers was merely late, whatever refused it before.
_SOON: Final = 30.0


def silent(case: Case, room: Room, want: Want) -> Verdict | None:
    """`not dispatching …` of the worker's own type: no worker of that name was known when the room was born."""
    found = [
        (kind, mark)
        for name, kind, _at, mark in room.silent
        if name in {want.name, None} and case.counts(want.name, kind, want.at)
    ]
    if not found:
        return None
    kind, mark = found[0]
    line = Cite(f"no worker for {quote(want.name)} was known ({kind or 'job type not shown'})", mark)
    return nobody(case, room, want, line)


def nobody(case: Case, room: Room, want: Want, line: Cite | None) -> Verdict:
    """No worker of that name at the room's birth: which other one, since when, or why none."""
    t0 = want.at
    birth = case.birth_cite(room)
    group = case.pool.group[room.stream] if room.stream < len(case.pool.group) else None
    name = want.name
    here = [birth, line, want.cite]
    if t0 is None:
        return _nobody_undated(case, room, want, line)
    same = [w for w in case.pool.registered if w.name == name]
    elsewhere = [w for w in same if case.pool.group_of(w) != group and case.pool.alive(w, t0)]
    alive = [w for w in same if case.pool.group_of(w) == group and case.pool.alive(w, t0) and w.mark >= 0]
    if alive and group in case.pool.mixed and not case.story.shared:
        elsewhere = elsewhere or alive  # two nodes without Redis write into one log
    shared = {case.pool.group[stream] for stream, _ in case.story.shared}
    if elsewhere and group in shared:
        text = f"A worker for {quote(name)} is registered with another node; the nodes share a Redis, yet this one did not know of it."
        lack = Missing(
            "server logs of both nodes at debug level, Redis", "whether the message bus between the nodes works"
        )
        return case.open(
            room, text, [lack], [_known_by("the worker, on the other node", elsewhere[0]), *here], agent=name
        )
    if elsewhere:
        apart = [
            Cite("this node knows of no other", mark)
            for stream, mark in case.story.single
            if case.pool.group[stream] == group
        ][:1]
        text = f"A worker for {quote(name)} is registered, but with another server node; the nodes do not share a Redis, so neither knows of the other's workers."
        return case.verdict(
            room,
            "nodes-not-shared",
            0.9 if apart else 0.7,
            text,
            [_known_by("the worker, on the other node", elsewhere[0]), *apart, *here],
            agent=name,
        )
    same = [w for w in same if case.pool.group_of(w) == group]
    if not room.seen_born and (same or not [w for w in case.pool.registered if w.name is not None and w.name != name]):
        text = f"No worker for {quote(name)} was known; the log begins after the room was born, so it does not show who was there then."
        lack = Missing(
            "server log from before the room's first join", "which workers were registered when the room was born"
        )
        return case.open(
            room,
            text,
            [lack],
            [line, *(Cite("a worker of that name", w.mark) for w in same[:1] if w.mark >= 0)],
            agent=name,
        )
    if alive:
        text = f"A worker for {quote(name)} was registered when the room was born, yet the server did not know of it for this job type."
        lack = Missing("server log at debug level", "why the lookup of the name failed")
        return case.open(room, text, [lack], [Cite("the worker", alive[0].mark), *here], agent=name)
    vague = [w for w in same if w.mark < 0 and (w.gone is None or w.gone > t0)]
    if vague:
        text = f"A worker for {quote(name)} belongs to this server, whose log does not show since when: before or after the room was born."
        lack = Missing("server log from its start on", "when the worker registered, and whether it had gone meanwhile")
        return case.open(room, text, [lack], [_known_by("the worker", vague[0]), *here], agent=name)
    before = [w for w in same if w.registered is None or w.registered <= t0]
    after = [
        w for w in same if w.registered is not None and t0 < w.registered <= t0 + LATE and not case.pool.alive(w, t0)
    ]
    others = [w for w in case.pool.at(t0, group) if w.name is not None and w.name != name]
    refused = not_registered(case, name, t0, len(others))
    new = min(after, key=lambda w: w.registered or 0.0) if after else None
    delay = (new.registered or t0) - t0 if new is not None else 0.0
    anew = group is not None and case.pool.restarted(group, t0, t0 + delay)
    if new is not None and not anew and (delay < _SOON or refused is None):
        text = f"The worker for {quote(name)} registered {ago(delay)} after the room was born; a room's dispatch is tried once, at its birth."
        return case.verdict(
            room,
            "worker-late",
            0.9,
            text,
            [birth, Cite("the worker registers too late", new.mark), line],
            agent=name,
        )
    if before:
        last = max(before, key=lambda w: w.gone if w.gone is not None else -1.0)
        renamed = [w for w in others if w.registered is not None and (last.gone or 0.0) <= w.registered <= t0]
        if renamed:
            return _mismatch(
                case,
                room,
                want,
                renamed,
                [
                    Cite(f"the last worker for {quote(name)} goes", last.gone_mark) if last.gone_mark >= 0 else None,
                    *here,
                ],
            )
        gone = (
            [Cite("the worker goes", last.gone_mark)]
            if last.gone_mark >= 0
            else [
                Cite("the server itself started anew", m) for t, _, m in case.pool.starts.get(group or 0, ()) if t <= t0
            ][-1:]
        )
        if refused is not None:
            return case.verdict(room, refused[0], 0.85, refused[1], [*here, *gone, *refused[2]], agent=name)
        text = f"The worker for {quote(name)} was gone when the room was born, and none has come back."
        return case.verdict(room, "worker-died", 0.85, text, [*gone, *here], agent=name)
    if refused is not None:
        return case.verdict(room, refused[0], refused[3], refused[1], [*here, *refused[2]], agent=name)
    if others:
        return _mismatch(case, room, want, others, here)
    return _no_worker(case, room, want, here, group, t0)


def _known_by(says: str, worker: Worker) -> Cite | None:
    """The first line there is that knows this worker: its registration as the server or it tells it, or a later one."""
    marks = (worker.mark, worker.heard, worker.ours_mark, worker.gone_mark)
    return next((Cite(says, mark) for mark in marks if mark >= 0), None)


def _mismatch(case: Case, room: Room, want: Want, others: list[Worker], here: list[Cite | None]) -> Verdict:
    """Workers are there, none under the name that is asked for."""
    name = want.name
    if not name:
        return _unnamed_wanted(case, room, want, here)
    ours = [w for w in others if w.ours] or others
    near = max(
        ours,
        key=lambda w: (
            SequenceMatcher(None, (w.name or "").casefold().strip(), name.casefold().strip()).ratio(),
            w.registered or 0.0,
        ),
    )
    if all(w.name == "" for w in ours) or (near.name == "" and not any(w.name for w in ours)):
        text = f"The room asks for {quote(name)}, but the worker that is there has no name, so it only gets rooms that ask for nobody."
        return case.verdict(
            room,
            "worker-unnamed",
            0.9,
            text,
            [
                Cite("the worker has no name", ours[0].mark if ours[0].mark >= 0 else -1)
                if ours[0].mark >= 0
                else None,
                *here,
            ],
            agent=name,
        )
    worker = Cite(f"the worker's name is {quote(near.name or '')}", near.mark) if near.mark >= 0 else None
    env = [
        Cite("that name comes from an environment variable", log.name_is_env)
        for log in case.story.logs.values()
        if log.name_is_env >= 0
    ]
    text = f"The names differ: the room asks for {quote(name)}, the worker that is there is named {listed(sorted({w.name for w in ours if w.name}))}.{hint(name, near.name or '')}"
    return case.verdict(room, "name-mismatch", 0.9, text, [worker, *here, *env[:1]], agent=name)


def _unnamed_wanted(case: Case, room: Room, want: Want, here: list[Cite | None]) -> Verdict:
    missing = refusals.nothing_asked(case, room, None)
    if missing is not None:
        return missing
    return case.open(
        room,
        "The room asks for no agent by name and the workers that are known have names.",
        [],
        here,
        agent=want.name,
    )


def keys_refused(case: Case) -> list[tuple[float | None, str, int]]:
    """The server's answers to workers whose key or secret it does not accept: time, its words, and the line's mark."""
    return [
        (at, error, mark)
        for at, path, status, error, mark in case.story.http
        if path.rstrip("/").endswith("/agent") and status in {401, 403}
    ]


def signal_cause(error: str) -> str:
    """The cause of a registration that the server refuses with these words."""
    if "unknown job type" in error:
        return "job-type-unsupported"
    return "deployment-name-invalid" if "deployment" in error else "worker-refused"


def not_registered(case: Case, name: str, t0: float, others: int) -> tuple[str, str, list[Cite], float] | None:
    """Why our own worker never registered: its log, or the server's answer to it."""
    refused = [found for found in keys_refused(case) if found[0] is None or found[0] <= t0 + 60]
    bad = [(mark, error) for at, mark, error in case.story.signals if at is None or at <= t0 + 60]
    for log in case.story.logs.values():
        if _registered_here(case, log, t0):
            continue
        found = log_failure(case, log, name, t0)
        if found is not None and not (bad and found[0] == "worker-refused"):
            server = (
                [Cite("the server's answer to a worker", refused[0][2])]
                if refused and found[0] == "worker-auth"
                else []
            )
            return found[0], found[1], [*found[2], *server], 0.95
    if bad:
        return (
            signal_cause(bad[-1][1]),
            f"The server refuses what the worker says when it registers: {bad[-1][1] or 'see the line'}.",
            [Cite("the server refuses the registration", bad[-1][0])],
            0.85,
        )
    if refused:
        ok = [
            w
            for w in case.pool.registered
            if w.registered is not None and refused[-1][0] is not None and refused[-1][0] < w.registered <= t0
        ]
        if not ok:
            what = (
                "an API key that the server does not know"
                if "API key" in refused[-1][1]
                else "a token that the server does not accept (wrong secret)"
                if "token" in refused[-1][1]
                else "credentials that the server does not accept"
            )
            return (
                "worker-auth",
                f"A worker tries to register with {what}: 401.",
                [Cite("the server refuses a worker", mark) for _, _, mark in (refused[0], refused[-1])],
                0.9 if not others else 0.75,
            )
    return None


def _registered_here(case: Case, log: WorkerLog, t0: float) -> bool:
    """Whether this log's worker was registered with this server at that time."""
    return any(case.story.workers[w].mark >= 0 and case.pool.alive(case.story.workers[w], t0) for w in log.workers)


def log_failure(case: Case, log: WorkerLog, name: str, t0: float | None) -> tuple[str, str, list[Cite]] | None:
    """What a worker's log says of why it is not registered with this server at that time."""
    own = {case.story.workers[w].name for w in log.workers} | set(log.names)
    if own and None not in own and name not in own and len(case.story.logs) > 1:
        return None

    def near(said: Said) -> bool:
        when = case.pool.when(log, said)
        # A worker that never registers shares no line with the server: then its clock says nothing.
        unknown = when is None or case.pool.skew[(log.source, log.service)] is None
        return t0 is None or unknown or t0 - 600 <= (when or 0.0) <= t0 + 60

    tries = [s for s in log.of("w-connect-failed", "w-gave-up") if near(s)]
    connects = [s for s in tries if _CLOSED not in s.detail]
    told = [s for s in connects if not _RETRIES.fullmatch(s.detail)]
    if told or (connects and case.seen.has_server_log):  # which would show that it refuses the key
        said = (told or connects)[-1]
        cause, text = connect_failure(said.detail)
        cites = [Cite("the worker's own log: the first try", connects[0].mark)]
        cites += (
            [Cite("the worker's own log: the last try that tells why", said.mark)] if said is not connects[0] else []
        )
        return cause, text, cites
    lost = [s for s in (*tries, *log.of("w-connection-lost")) if near(s) and s not in connects]
    strangers = _strangers(case, log)
    if strangers and len(strangers) == len(log.workers) and _whole(case, log):
        mark = case.story.workers[strangers[-1]].ours_mark
        text = "The worker is registered with another server: its id never appears in this server's log. Its LIVEKIT_URL points elsewhere."
        return "worker-unreachable", text, [Cite("registered, but not with this server", mark)]
    traces = [
        s for s in log.of("w-trace", "w-failed") if t0 is not None or s.kind == "w-failed" or FATAL.search(s.detail)
    ]
    if not log.workers and traces:
        said = traces[-1]
        return (
            "no-worker",
            f"The worker's process ends before it can register: {said.detail[:160]}",
            [Cite("the worker's own log", said.mark)],
        )
    if lost and not log.workers:
        return (
            "worker-refused",
            "The server closes the worker's connection before it is registered.",
            [Cite("the worker's own log", lost[-1].mark)],
        )
    return None


def _strangers(case: Case, log: WorkerLog) -> list[str]:
    """The registrations of this worker that no server's log at hand knows."""
    return [w for w in log.workers if case.pool.host(case.story.workers[w]) < 0]


def _whole(case: Case, log: WorkerLog) -> bool:
    """Whether the servers' logs must show a worker that registers with one of them: each reaches back to before."""
    return not case.story.shared and all(_reaches(case, case.story.workers[worker_id]) for worker_id in log.workers)


def _reaches(case: Case, worker: Worker) -> bool:
    """Whether every node whose log is at hand is known from before this worker's registration on."""
    at = worker.ours_at
    groups = set(case.pool.group)
    if at is None or not groups or case.pool.loose:
        return False
    started = [g for g in groups if any(begun <= at + 2.0 for begun, _, _ in case.pool.starts.get(g, ()))]
    return len(started) == len(groups) or bool(worker.node and started)


def _no_worker(case: Case, room: Room, want: Want, here: list[Cite | None], group: int | None, t0: float) -> Verdict:
    """Nobody of that name, nobody else, and nothing that says why."""
    name = want.name
    sure = group is not None and case.pool.reaches_start(group, t0)
    text = f"No worker was registered when the room was born{f', so nobody could be asked for {quote(want.name)}' if want.name else ''}."
    missing: list[Missing] = []
    if not case.story.logs:
        missing.append(
            Missing("agent log", "why no worker registered: not started, crashed, a wrong key or an unreachable URL")
        )
    if not sure:
        missing.append(
            Missing("server log from its start on", "whether a worker with another name had registered earlier")
        )
    if case.story.shared:
        missing.append(Missing("server logs of the other nodes", "whether a worker was registered with one of them"))
        text = f"No worker for {quote(name)} was known to this node; it shares a Redis with others, whose workers this log does not show."
        text = text if name else "No worker was registered with this node when the room was born; others may have one."
        return case.open(room, text, missing, here, agent=name)
    strangers = [
        Cite("a worker registers, with a server that is not told", case.story.workers[w].ours_mark)
        for log in case.story.logs.values()
        for w in _strangers(case, log)
    ]
    old = parts(case.pool.version(group, t0)) if group is not None else ()
    if sure and old and old < TELLS_WORKERS:
        text = (
            f"No line shows a worker for {quote(name)}; this server tells of workers that register at debug level only."
        )
        lack = Missing("server log at debug level, or the agent log", "whether a worker was registered then")
        return case.open(room, text, [*missing, lack], here, agent=name)
    late = [g for g in set(case.pool.group) - {group} if not case.pool.reaches_start(g, t0)]
    if late or strangers or case.pool.loose:
        where = f"for {quote(name)} " if name else ""
        text = f"No worker {where}was known to this node; whether another node had one, the logs do not show."
        missing.append(
            Missing("server logs of all nodes from their start on", "with which node a worker was registered")
        )
        return case.open(room, text, missing, [*here, *strangers[:1]], agent=name)
    if not sure or case.chosen(room):
        what = f"No worker for {quote(want.name)} was known" if want.name else "No line shows a worker without a name"
        text = f"{what}; whether another one had registered before the log begins cannot be seen."
        return case.open(room, text, missing, here, agent=want.name)
    return case.verdict(room, "no-worker", 0.85, text, here, agent=want.name, missing=tuple(missing))


def _nobody_undated(case: Case, room: Room, want: Want, line: Cite | None) -> Verdict:
    """The same from an excerpt without times: only what no order could change."""
    name = want.name
    workers = case.pool.shown
    same = [w for w in workers if w.name == name]
    named = sorted({w.name for w in workers if w.name})
    cites = [Cite("a worker registers", w.mark) for w in workers if w.mark >= 0][:2]
    for log in case.story.logs.values():
        found = log_failure(case, log, name, None)
        if found is not None and found[0] != "worker-unreachable" and not same:
            return case.verdict(room, found[0], 0.8, found[1], [line, *found[2]], agent=name)
    if same or not workers:
        missing = [
            Missing(
                "times of the lines and the room's first join",
                "whether the worker registered before or after the room was born, and whether it still was there",
            )
        ]
        text = f"No worker for {quote(name)} was known when this room was born; the excerpt does not show why."
        return case.open(room, text, missing, [line, *cites], agent=name)
    if not named:
        text = f"The room asks for {quote(name)}, but the worker that registers has no name."
        return case.verdict(room, "worker-unnamed", 0.7, text, [line, *cites], agent=name)
    text = f"The names differ: the room asks for {quote(name)}, the worker that registers is named {listed(named)}.{hint(name, named[0])}"
    return case.verdict(room, "name-mismatch", 0.7, text, [line, *cites], agent=name)


def connect_failure(detail: str) -> tuple[str, str]:
    """Cause and sentence for the error with which a worker could not connect."""
    if _REFUSED.search(detail):
        return "worker-auth", "The server refuses the worker's key or secret (401), so it never registers."
    if "MissingCredentials" in detail:
        return "worker-auth", "The worker has no API key or secret, so it never registers."
    what = detail.strip() or "no connection"
    return "worker-unreachable", f"The worker cannot reach the server ({what[:120]}), so it never registers."
