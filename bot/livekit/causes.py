"""Seen → verdicts: LiveKit's dispatch read backwards, one small function per question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from bot.livekit.assigned import Assigned
from bot.livekit.pool import Pool
from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.story import Join, Refused, Room
from bot.livekit.versions import MATURE, REQUEST_LIMIT, refuses_from
from bot.livekit.words import ago, hint, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.seen import Seen, Token
    from bot.livekit.story import Asked, Said, Worker, WorkerLog

NOBODY: Final[Asked] = (("", ""),)  # the implicit dispatch of a room that was made without one
#: Errors that end a program while it starts, whatever it is about.
FATAL: Final = re.compile(
    r"ERR_MODULE_NOT_FOUND|Cannot find (?:module|package)|ModuleNotFoundError|ImportError|SyntaxError|MissingCredentials|"
    r"ERR_UNKNOWN_FILE_EXTENSION|(?:api_key|api_secret|API [Kk]ey|API Secret)[^\n]{0,60} (?:is )?required"
)
_NO_CAPACITY: Final = "no servers available"
_NO_RESPONSE: Final = "no response from servers"


@dataclass(frozen=True, slots=True)
class Want:
    """One agent that a room asks for: by name ("" is automatic dispatch), since when, and where that is said."""

    name: str
    deployment: str
    at: float | None
    via: str
    cite: Cite | None


class Judge:
    """The decision procedure over everything that was seen."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.story = seen.story
        self.pool = Pool(seen)
        self.assigned = Assigned(self.pool)
        self._api_rooms()
        self.refused_in: dict[int, list[tuple[Refused, bool]]] = {}
        self.unattributed: list[Refused] = []
        self._attribute()

    # -- what each room asked for ---------------------------------------------------------------

    def _api_rooms(self) -> None:
        """Give each API call its room; a call for a room that no other line shows makes one."""
        self.calls: dict[int, list[tuple[float | None, str, Asked | None, Cite]]] = {}
        if not (self.story.api or self.story.selected or any(t.calls for t in self.seen.tokens)):
            return
        by_name: dict[str, list[Room]] = {}
        for known_room in self.story.rooms.values():
            by_name.setdefault(known_room.name, []).append(known_room)
        calls = [
            (
                at,
                kind,
                name,
                agents,
                stream,
                Cite(
                    f"the backend called {'CreateDispatch' if kind == 'api-create-dispatch' else 'CreateRoom'} for this room",
                    mark,
                ),
            )
            for at, kind, name, agents, mark, stream in self.story.api
        ]
        for token in self.seen.tokens:
            for call in token.calls:
                kind = "api-create-dispatch" if call.kind == "create-dispatch" else "api-create-room"
                calls.append(
                    (
                        call.at,
                        kind,
                        call.room,
                        call.agents,
                        -1,
                        Cite(f"the backend's own record of {call.kind}", place=call.place),
                    )
                )
        for at, kind, name, agents, stream, cite in calls:
            room: Room | None = self._covering(by_name.get(name, []), at)
            if room is None and stream >= 0:
                room = Room(name, "", stream)
                self.story.rooms[f"api:{name}:{at}"] = room
                by_name.setdefault(name, []).append(room)
                room.touch(at, cite.mark)
            if room is None:
                continue
            known = self.calls.setdefault(id(room), [])
            if cite.place is None or not any(k == kind and a == agents for _, k, a, _ in known):
                known.append((at, kind, agents, cite))
            if (
                kind == "api-create-room"
                and at is not None
                and (room.birth is None or at <= room.birth)
                and (room.first is None or at <= room.first + 1.0)
            ):
                room.birth, room.birth_mark, room.seen_born = at, cite.mark if cite.mark >= 0 else room.birth_mark, True
                room.asked_api = agents
            elif (
                kind == "api-create-dispatch"
                and room.birth is None
                and at is not None
                and (room.first is None or at <= room.first)
            ):
                room.birth, room.birth_mark, room.seen_born = at, cite.mark, True
        for at, name, mark, stream in self.story.selected:
            room = self._covering(by_name.get(name, []), at)
            if room is None:
                room = Room(name, "", stream)
                self.story.rooms[f"selected:{name}:{at}"] = room
                by_name.setdefault(name, []).append(room)
                room.touch(at, mark)

    @staticmethod
    def _covering(rooms: list[Room], at: float | None) -> Room | None:
        """The incarnation that lived at that time, or the one born within seconds after it."""
        best: tuple[float, Room] | None = None
        for room in rooms:
            if at is None or room.first is None:
                return room
            closed = room.closed[0] if room.closed else None
            if at < room.first - 30.0 or (closed is not None and at > closed):
                continue
            distance = abs(room.first - at) if at <= room.first else (at - room.first) / 1000
            if best is None or distance < best[0]:
                best = (distance, room)
        return best[1] if best else None

    def token_of(self, room: Room) -> Token | None:
        """The token at hand with which somebody joined this room, if there is one."""
        mine = [t for t in self.seen.tokens if t.room and t.room == room.name]
        for token in mine:
            if any(j.who == token.identity for j in room.joins):
                return token
        return mine[0] if mine else None

    def birth_asked(self, room: Room) -> tuple[Asked | None, Cite | None]:
        """The dispatches that were fixed when the room was born; None when that is not known."""
        if room.asked_api is not None:
            cite = next((c for _, kind, _, c in self.calls.get(id(room), ()) if kind == "api-create-room"), None)
            return room.asked_api or NOBODY, cite
        first = next((j for j in room.joins if not j.agent and j.asked is not None), None)
        if room.seen_born and first is not None and (first.others in {0, -1}):
            says = "the join that made the room asks for " + (_names(first.asked) if first.asked else "no agent")
            return first.asked or NOBODY, Cite(says, first.mark)
        if any(kind == "api-create-dispatch" for _, kind, _, _ in self.calls.get(id(room), ())) and (
            first is None or first.others > 0
        ):
            return NOBODY, None
        return None, None

    def wants(self, room: Room) -> list[Want]:
        """Every agent this room asked for and could have got."""
        asked, cite = self.birth_asked(room)
        start = room.birth if room.birth is not None else room.first
        out = [Want(n, d, start, "birth", cite) for n, d in asked or ()]
        for at, kind, agents, call_cite in self.calls.get(id(room), ()):
            if kind == "api-create-dispatch":
                out += [Want(n, d, at, "create-dispatch", call_cite) for n, d in agents or ()]
        if asked is None:
            for name in dict.fromkeys(job.name for job in room.jobs):
                if not any(w.name == name for w in out):
                    out.append(Want(name, "", start, "seen", None))
            for silent_name, kind, _at, _mark in room.silent:
                wanted = silent_name is not None and self.counts(silent_name, kind, start)
                if wanted and not any(w.name == silent_name for w in out):
                    out.append(Want(silent_name or "", "", start, "seen", None))
            for refused in room.refused:
                if refused.name is not None and not any(w.name == refused.name for w in out):
                    out.append(Want(refused.name, "", start, "seen", None))
        return out

    def counts(self, name: str | None, kind: str, at: float | None) -> bool:
        """Whether a line of this job type is evidence for this name: only the type its workers register for is."""
        types = self.pool.types(name, at)
        return kind in types if types else kind in {"JT_ROOM", ""}

    # -- lines that name no room ---------------------------------------------------------------

    def _launches(self, room: Room) -> list[tuple[float, str]]:
        """When this room made the server look for workers, and of which job type."""
        out: list[tuple[float, str]] = []
        start = room.birth if room.seen_born else None
        if start is not None:
            out.append((start, "JT_ROOM"))
        out += [
            (at, "JT_ROOM")
            for at, kind, _, _ in self.calls.get(id(room), ())
            if kind == "api-create-dispatch" and at is not None
        ]
        out += [(j.at, "JT_PARTICIPANT") for j in room.joins if not j.agent and j.at is not None]
        if room.published and room.published[0] is not None:
            out.append((room.published[0], "JT_PUBLISHER"))
        return out

    def _attribute(self) -> None:
        """`failed to send job request` names no room: give each to the room whose launch fits it by name, type, time."""
        if not self.story.refusals:
            return
        launches: list[tuple[float, str, int, Room]] = []
        for room in self.story.rooms.values():
            group = self.pool.group[room.stream] if room.stream < len(self.pool.group) else -1
            launches += [(at, kind, group, room) for at, kind in self._launches(room)]
        launches.sort(key=lambda item: item[0])
        times = [item[0] for item in launches]
        from bisect import bisect_left, bisect_right  # only here

        taken: set[tuple[int, str, str | None, float]] = set()
        many = len(self.pool.now) > 1
        for refused in sorted(self.story.refusals, key=lambda r: r.at or 0.0):
            if refused.at is None:
                self.unattributed.append(refused)
                continue
            group = self.pool.group[refused.stream]
            expected = _expected(refused.error)
            found: list[tuple[float, Room, float]] = []
            for at, kind, g, room in launches[
                bisect_left(times, refused.at - REQUEST_LIMIT) : bisect_right(times, refused.at + 0.3)
            ]:
                if kind != (refused.type or "JT_ROOM") or (many and g != group):
                    continue
                if not self._could_want(room, refused.name, kind):
                    continue
                found.append((abs(refused.at - at - expected), room, at))
            if not found:
                self.unattributed.append(refused)
                continue
            found.sort(key=lambda item: item[0])
            free = [f for f in found if (id(f[1]), refused.type, refused.name, f[2]) not in taken] or found
            best = free[0]
            near = [f for f in free if f[0] - best[0] < 0.4]  # closer than the lines' own scatter
            for _, room, _at in near:
                self.refused_in.setdefault(id(room), []).append((refused, len(near) > 1))
            taken.add((id(best[1]), refused.type, refused.name, best[2]))

    def _could_want(self, room: Room, name: str | None, kind: str) -> bool:
        if name is None:
            return True
        wants = self.wants(room)
        if wants and all(w.name != name for w in wants):
            return False
        return not (kind == "JT_ROOM" and any(job.name == name and job.type == kind for job in room.jobs))

    # -- one room ------------------------------------------------------------------------------

    def room(self, room: Room) -> Verdict:
        """The verdict over one incarnation of a room."""
        late = self._came_too_late(room)
        if late is not None:
            return late
        results: list[tuple[Want, Verdict]] = [(w, self._want(room, w)) for w in self.wants(room)]
        named = [(w, v) for w, v in results if w.name or w.via == "create-dispatch"]
        if named:  # the implicit dispatch beside a named one is nobody's wish
            results = [(w, v) for w, v in results if (w, v) in named or v.verdict == "healthy"]
        again = self._came_back(room)
        if not results:
            return again or self._unknown(room)
        worst = next((v for _, v in results if v.verdict == "cause"), None)
        if worst is not None and not any(
            v.verdict == "healthy" for w, v in results if w.via == "create-dispatch" and w.name == worst.agent
        ):
            return worst
        if again is not None:
            return again
        open_ = next((v for _, v in results if v.verdict == "inconclusive"), None)
        healthy = next((v for _, v in results if v.verdict == "healthy"), None)
        return open_ or healthy or self._unknown(room)

    def verdict(
        self, room: Room, cause: str, confidence: float, summary: str, evidence: Iterable[Cite | None], *,
        agent: str | None = None, missing: tuple[Missing, ...] = (),
    ) -> Verdict:  # fmt: skip
        """A cause for this room."""
        return Verdict(
            room.name or None, room.id or None, "cause", cause, confidence, summary, tuple(c for c in evidence if c is not None),
            missing, agent, room.birth if room.birth is not None else room.first,
        )  # fmt: skip

    def open(
        self, room: Room, summary: str, missing: Iterable[Missing], evidence: Iterable[Cite | None] = (), *,
        agent: str | None = None, judged_from: float | None = None,
    ) -> Verdict:  # fmt: skip
        """No conclusion for this room, and what would bring one."""
        return Verdict(
            room.name or None, room.id or None, "inconclusive", None, 0.0, summary, tuple(c for c in evidence if c is not None),
            tuple(missing), agent, room.birth if room.birth is not None else room.first, judged_from,
        )  # fmt: skip

    def birth_cite(self, room: Room) -> Cite | None:
        """The line in which the room is born."""
        if room.birth_mark >= 0:
            return Cite("the room is born", room.birth_mark)
        return Cite("the first line of this room in the log", room.first_mark) if room.first_mark >= 0 else None

    def now(self, room: Room) -> float | None:
        return self.pool.now.get(self.pool.group[room.stream]) if room.stream < len(self.pool.group) else None

    def _immature(self, room: Room, since: float | None) -> float | None:
        """From when on absence may be judged, when that is not yet reached."""
        now = self.now(room)
        if since is None or now is None:
            return None
        return since + MATURE if now - since < MATURE else None

    def _want(self, room: Room, want: Want) -> Verdict:
        """Whether this agent came, and if not, why."""
        jobs = [j for j in room.jobs if j.name == want.name or (not want.name and not j.name)]
        if jobs:
            return self.assigned.judge(self, room, jobs, want.name)
        warned = self.warned(room, want)
        if warned is not None:
            return warned
        refused = self._refused(room, want)
        if refused is not None:
            return refused
        silent = self._silent(room, want)
        if silent is not None:
            return silent
        return self._absent(room, want)

    def warned(self, room: Room, want: Want) -> Verdict | None:
        """WARN `failed to assign job to worker` and its kin: a worker was asked and nothing came of it."""
        warnings = [
            r for r in room.refused if r.name in {want.name, None} and self.counts(want.name, r.type or "JT_ROOM", r.at)
        ]
        if not warnings:
            return None
        by_error = {r.error: r for r in warnings}
        cites = [Cite(_WARN_SAYS.get(r.error, "a worker was asked, without success"), r.mark) for r in warnings[-3:]]
        if any(
            e in by_error
            for e in ("context deadline exceeded", "request timed out", "agent worker availability timeout")
        ):
            jobs = {r.job for r in warnings if r.job}
            cites += [
                Cite("the worker's answer came after the server had given up", mark)
                for _, job, mark in self.story.late
                if job in jobs
            ]
            cites += self._handler_cites(room, jobs)
            return self.verdict(
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
                for w in self.story.workers.values()
                if w.gone_mark >= 0 and w.id == died.worker
            ]
            lost = lost or [
                Cite("the last worker of that name goes", hit[1])
                for hit in [self.pool.lost(want.name, (died.at or 0) + 2.0)]
                if hit
            ]
            return self.verdict(
                room,
                "worker-died",
                0.95,
                f"The worker for {quote(want.name)} went away while it was being asked.",
                [*lost, *cites],
                agent=want.name,
            )
        rejected = by_error.get("worker not available")
        if rejected is None:
            load = "Every worker reports a load of 1 or more: the server found none with capacity left, even with its raised target_load."
            return self.verdict(
                room, "load-refused", 0.85, load, [*cites, *self._load_cites(want.name, room)], agent=want.name
            )
        draining = self._draining(want.name, rejected.at)
        if draining:
            return self.verdict(
                room,
                "draining",
                0.85,
                f"The worker for {quote(want.name)} is shutting down and takes no more jobs.",
                [*draining, *cites],
                agent=want.name,
            )
        full = self._full_and_not_asked(rejected, room)
        if full:
            return self.verdict(
                room,
                "load-refused",
                0.85,
                f"The worker for {quote(want.name)} is at full capacity and turned the job down by itself.",
                [*full, *cites],
                agent=want.name,
            )
        jobs = {r.job for r in warnings if r.job}
        return self.verdict(
            room,
            "request-rejected",
            0.95,
            f"A worker was asked for {quote(want.name)} and rejected the job.",
            [*cites, *self._handler_cites(room, jobs)],
            agent=want.name,
        )

    def _handler_cites(self, room: Room, jobs: set[str]) -> list[Cite]:
        out: list[Cite] = []
        for log in self.story.logs.values():
            for said in log.of("w-request"):
                if said.job in jobs or (room.id and said.room_id == room.id):
                    out.append(Cite("the worker was asked", said.mark))
                    out += [
                        Cite("the handler gave no answer", s.mark)
                        for s in log.of("w-no-answer", "w-handler-failed")
                        if s.order > said.order
                    ][:1]
                    break
        out += [Cite("the request handler", place=w.request_func) for w in self.seen.setup.workers if w.request_func]
        return out[:4]

    def _full_and_not_asked(self, rejected: Refused, room: Room) -> list[Cite]:
        """Python answers for itself when it is full, without `received job request`."""
        for log in self.story.logs.values():
            if log.language != "python" or any(
                s.job == rejected.job or (room.id and s.room_id == room.id) for s in log.requests.values()
            ):
                continue
            state: tuple[bool, int] | None = None
            for at, _order, full, mark in log.loads:
                skew = self.pool.skew[(log.source, log.service)] or 0.0
                if at is not None and rejected.at is not None and at - skew <= rejected.at + 0.5:
                    state = (full, mark)
            if state and state[0]:
                return [Cite("the worker reports itself full", state[1])]
        return []

    def _refused(self, room: Room, want: Want) -> Verdict | None:
        """`failed to send job request` of the worker's own type, by its error."""
        mine = [
            (r, unsure) for r, unsure in self.refused_in.get(id(room), ())
            if (r.name == want.name or r.name is None) and self.counts(want.name, r.type or "JT_ROOM", r.at)
        ]  # fmt: skip
        if want.via == "create-dispatch" and want.at is not None:
            mine = [(r, u) for r, u in mine if r.at is not None and r.at >= want.at - 0.3]
        if not mine:
            return None
        refused, unsure = mine[-1]
        verdict = self.refusal(refused, room, want)
        if verdict is not None and unsure and verdict.verdict == "cause":
            summary = (
                verdict.summary
                + " (The line names no room; this room is one of several that were made in the same second.)"
            )
            return Verdict(
                verdict.room,
                verdict.room_id,
                "cause",
                verdict.cause,
                min(verdict.confidence, 0.7),
                summary,
                verdict.evidence,
                verdict.missing,
                verdict.agent,
                verdict.at,
            )
        return verdict

    def refusal(self, refused: Refused, room: Room, want: Want | None) -> Verdict | None:
        """What one `failed to send job request` means."""
        name = refused.name if refused.name is not None else want.name if want else ""
        line = Cite(_error_says(refused.error), refused.mark)
        birth = self.birth_cite(room)
        if refused.error.startswith(_NO_CAPACITY):
            return self._no_capacity(refused, room, name, [birth, line])
        if refused.error in {"request timed out", "context deadline exceeded", "agent worker availability timeout"}:
            return self.verdict(
                room,
                "request-slow",
                0.9,
                f"A worker was asked for {quote(name)} and did not answer within the server's 3 s.",
                [birth, line],
                agent=name,
            )
        if refused.error in {"no workers available", "worker closed"}:
            return self.verdict(
                room,
                "worker-died",
                0.9,
                f"The worker for {quote(name)} went away while it was being asked.",
                [birth, line],
                agent=name,
            )
        if refused.error.startswith("no workers with sufficient"):
            return self.verdict(
                room,
                "load-refused",
                0.7,
                f"Workers for {quote(name)} are there, none has capacity left.",
                [birth, line, *self._load_cites(name, room)],
                agent=name,
            )
        if not refused.error.startswith(_NO_RESPONSE):
            return None
        return self._no_response(refused, room, name, line)

    def _no_capacity(self, refused: Refused, room: Room, name: str, cites: list[Cite | None]) -> Verdict:
        draining = self._draining(name, refused.at) or self._replaced(name, refused.at)
        if draining:
            text = f"The worker for {quote(name)} was draining (it had been told to stop), so the server counted it as having no capacity."
            return self.verdict(room, "draining", 0.85, text, [*cites, *draining], agent=name)
        group = self.pool.group[refused.stream] if refused.stream < len(self.pool.group) else -1
        target = next((s.target_load for s in self.seen.setup.server if s.target_load is not None), None)
        limit = refuses_from(self.pool.version(group, refused.at), target)
        when = f" This server refuses from a reported load of {limit:g}." if limit is not None else ""
        text = f"The server refused: every worker for {quote(name)} reports too high a load (or that it is full), so none was asked.{when}"
        missing: tuple[Missing, ...] = ()
        if not self.story.logs:
            missing = (
                Missing(
                    "agent log",
                    "whether the worker was draining (a deploy) rather than loaded: the server's words are the same",
                ),
            )
        return self.verdict(
            room, "load-refused", 0.9, text, [*cites, *self._load_cites(name, room)], agent=name, missing=missing
        )

    def _load_cites(self, name: str, room: Room) -> list[Cite]:
        out = [Cite("a worker that the server knew", w.mark) for w in self._known(name, room.birth)][:2]
        for log in self.story.logs.values():
            out += [Cite("the worker's own log: full", mark) for _, _, full, mark in log.loads if full][-1:]
        out += [
            Cite("the worker reports this instead of its CPU load", place=w.load_func)
            for w in self.seen.setup.workers
            if w.load_func
        ][:1]
        out += [
            Cite("the server refuses from this load on", place=s.place)
            for s in self.seen.setup.server
            if s.target_load is not None
        ]
        return out

    def _known(self, name: str, at: float | None) -> list[Worker]:
        return [
            w for w in self.pool.registered if w.name == name and w.mark >= 0 and (at is None or self.pool.alive(w, at))
        ]

    def _draining(self, name: str, at: float | None) -> list[Cite]:
        """A worker of that name that had been told to stop and was still there."""
        for log in self.story.logs.values():
            own = {self.story.workers[w].name for w in log.workers} | set(log.names)
            if name not in own and own:
                continue
            for said in log.of("w-draining", "w-drain-reject", "w-closing"):
                when = self.pool.when(log, said)
                if when is None or at is None:
                    continue
                after = [
                    s
                    for s in log.of("w-registered")
                    if s.order > said.order and (self.pool.when(log, s) or at + 1) <= at
                ]
                if when <= at + 0.2 and not after:
                    return [Cite("the worker was told to stop before that", said.mark)]
        return []

    def _replaced(self, name: str, at: float | None) -> list[Cite]:
        """A deploy as the server sees it: the workers that were there take no further job, and others follow within minutes."""
        if at is None:
            return []
        there = [w for w in self.pool.registered if w.name == name and w.mark >= 0 and self.pool.alive(w, at)]
        if not there:
            return []
        after = [
            w
            for w in self.pool.registered
            if w.name == name and w.registered is not None and at < w.registered <= at + 120
        ]
        if not after:
            return []
        ids = {w.id for w in there}
        later = any(
            j.worker in ids and j.at is not None and j.at > at for room in self.story.rooms.values() for j in room.jobs
        )
        if later:
            return []
        new = min(after, key=lambda w: w.registered or 0.0)
        ended = [w for w in there if w.gone is not None]
        finishing = [
            job for room in self.story.rooms.values() for job in room.jobs
            if job.worker in ids and job.at is not None and job.at < at and (job.ended is None or job.ended[0] is None or job.ended[0] > at)
        ]  # fmt: skip
        if not ended and not finishing:
            return []
        return [
            Cite("another worker of that name takes its place", new.mark),
            *(Cite("the one that was there goes", w.gone_mark) for w in ended[:1]),
        ]

    def _no_response(self, refused: Refused, room: Room, name: str, line: Cite) -> Verdict | None:
        """Nobody listens for this name: died, in another deployment, never there, or the implicit dispatch."""
        at = refused.at
        birth = self.birth_cite(room)
        if at is not None:
            lost = self.pool.lost(name, at)
            back = [w for w in self.pool.registered if w.name == name and self.pool.alive(w, at) and w.mark >= 0]
            if lost is not None and not back:
                text = f"The last worker for {quote(name)} had gone {ago(at - lost[0])} before; the server still believed in the name and nobody answered."
                return self.verdict(
                    room,
                    "worker-died",
                    0.9,
                    text,
                    [Cite("the last worker of that name goes", lost[1]), birth, line],
                    agent=name,
                )
        if name == "":
            return self._nothing_asked(room, line)
        return self._deployment(refused, room, name, line) if at is not None else None

    def _deployment(self, refused: Refused, room: Room, name: str, line: Cite) -> Verdict | None:
        at = refused.at if refused.at is not None else 0.0
        living = [w for w in self.pool.registered if w.name == name and self.pool.alive(w, at)]
        wanted = {d for w in self.wants(room) if w.name == name for d in (w.deployment,)}
        have: dict[str, list[Cite]] = {}
        for w in living:
            if w.deployment is not None:
                have.setdefault(w.deployment, []).append(
                    Cite(
                        f"the worker registers with deployment {quote(w.deployment)}",
                        w.ours_mark if w.ours_mark >= 0 else w.mark,
                    )
                )
        for e in self.seen.endpoints:
            if e.agent_name == name and e.worker_type:
                have.setdefault(e.deployment, []).append(
                    Cite(f"the worker's endpoint: deployment {quote(e.deployment)}", place=e.place)
                )
        for log in self.story.logs.values():
            if not log.workers and name in log.names:
                for d in log.deployments:
                    have.setdefault(d, []).append(
                        Cite(f"the worker's log: deployment {quote(d)}", log.said["w-registered"][0].mark)
                    )
        mentioned = [Cite("a worker that the server knew", w.mark) for w in living if w.mark >= 0][:1]
        if have and wanted and not wanted & set(have):
            text = (
                f"A worker for {quote(name)} is registered and alive, but with deployment {_list(have)}, while the room's dispatch names "
                f"{_list(wanted)}: nobody listens for that pair."
            )
            cites = [c for group in have.values() for c in group[:2]]
            return self.verdict(
                room, "deployment-mismatch", 0.9, text, [self.birth_cite(room), line, *mentioned, *cites], agent=name
            )
        if not living:
            return None
        missing = [Missing("agent log or the worker's /worker endpoint", "whether the worker's deployment differs from the dispatch's (server 1.12 and newer)"),
                   Missing("server log at debug level, Redis", "whether the message bus between the nodes works")]  # fmt: skip
        if have and wanted & set(have):
            missing = missing[1:]
        text = f"A worker for {quote(name)} is registered and alive, yet nobody answered for that name: another deployment, or trouble on the message bus."
        return self.open(room, text, missing, [line, *mentioned], agent=name)

    def _nothing_asked(self, room: Room, line: Cite | None) -> Verdict | None:
        """The implicit dispatch found no unnamed worker: benign, unless nothing else was asked for."""
        asked, cite = self.birth_asked(room)
        if (
            asked is None
            or asked != NOBODY
            or any(k == "api-create-dispatch" for _, k, _, _ in self.calls.get(id(room), ()))
        ):
            return None
        at = room.birth if room.birth is not None else room.first
        named = [w for w in self.pool.registered if w.name and (at is None or self.pool.alive(w, at))]
        if not named:
            return None
        names = sorted({w.name for w in named if w.name})
        token = self.token_of(room)
        says = (
            [Cite("the token asks for no agent", place=token.place)] if token is not None and not token.agents else []
        )
        workers = [
            Cite(f"the worker has the name {quote(w.name or '')}, so it gets only rooms that ask for it", w.mark)
            for w in named
            if w.mark >= 0
        ][:2]
        text = f"Nothing asked for an agent: the worker is named {_list(names)} and waits to be dispatched by name, and the room was made without a dispatch."
        return self.verdict(
            room,
            "dispatch-missing",
            0.9,
            text,
            [*workers, cite, line, *says],
            agent=names[0] if len(names) == 1 else None,
        )

    def _silent(self, room: Room, want: Want) -> Verdict | None:
        """`not dispatching …` of the worker's own type: no worker of that name was known when the room was born."""
        found = [
            (kind, mark)
            for name, kind, _at, mark in room.silent
            if name in {want.name, None} and self.counts(want.name, kind, want.at)
        ]
        if not found:
            return None
        kind, mark = found[0]
        line = Cite(f"no worker for {quote(want.name)} was known ({kind or 'job type not shown'})", mark)
        return self.nobody(room, want, line)

    def nobody(self, room: Room, want: Want, line: Cite | None) -> Verdict:
        """No worker of that name at the room's birth: which other one, since when, or why none."""
        t0 = want.at
        birth = self.birth_cite(room)
        group = self.pool.group[room.stream] if room.stream < len(self.pool.group) else None
        name = want.name
        here = [birth, line, want.cite]
        if t0 is None:
            return self._nobody_undated(room, want, line)
        same = [w for w in self.pool.registered if w.name == name and w.stream >= 0]
        elsewhere = [w for w in same if self.pool.group[w.stream] != group and self.pool.alive(w, t0)]
        if elsewhere:
            apart = [
                Cite("this node knows of no other", mark)
                for stream, mark in self.story.single
                if self.pool.group[stream] == group
            ][:1]
            text = f"A worker for {quote(name)} is registered, but with another server node; the nodes do not share a Redis, so neither knows of the other's workers."
            return self.verdict(
                room,
                "nodes-not-shared",
                0.9 if apart else 0.7,
                text,
                [Cite("the worker, on the other node", elsewhere[0].mark), *apart, *here],
                agent=name,
            )
        same = [w for w in same if self.pool.group[w.stream] == group]
        before = [w for w in same if w.registered is None or w.registered <= t0]
        after = [w for w in same if w.registered is not None and w.registered > t0 and not self.pool.alive(w, t0)]
        others = [w for w in self.pool.at(t0, group) if w.name is not None and w.name != name]
        if after:
            new = min(after, key=lambda w: w.registered or 0.0)
            delay = (new.registered or t0) - t0
            text = f"The worker for {quote(name)} registered {ago(delay)} after the room was born; a room's dispatch is tried once, at its birth."
            return self.verdict(
                room,
                "worker-late",
                0.9,
                text,
                [birth, Cite("the worker registers too late", new.mark), line],
                agent=name,
            )
        refused = self._not_registered(name, t0, len(others))
        if before:
            last = max(before, key=lambda w: w.gone if w.gone is not None else -1.0)
            renamed = [w for w in others if w.registered is not None and (last.gone or 0.0) <= w.registered <= t0]
            if renamed:
                return self._mismatch(
                    room,
                    want,
                    renamed,
                    [
                        Cite(f"the last worker for {quote(name)} goes", last.gone_mark)
                        if last.gone_mark >= 0
                        else None,
                        *here,
                    ],
                )
            gone = (
                [Cite("the worker goes", last.gone_mark)]
                if last.gone_mark >= 0
                else [
                    Cite("the server itself started anew", m)
                    for t, _, m in self.pool.starts.get(group or 0, ())
                    if t <= t0
                ][-1:]
            )
            if refused is not None:
                return self.verdict(room, refused[0], 0.85, refused[1], [*here, *gone, *refused[2]], agent=name)
            text = f"The worker for {quote(name)} was gone when the room was born, and none has come back."
            return self.verdict(room, "worker-died", 0.85, text, [*gone, *here], agent=name)
        if refused is not None:
            return self.verdict(room, refused[0], refused[3], refused[1], [*here, *refused[2]], agent=name)
        if others:
            return self._mismatch(room, want, others, here)
        return self._no_worker(room, want, here, group, t0)

    def _mismatch(self, room: Room, want: Want, others: list[Worker], here: list[Cite | None]) -> Verdict:
        """Workers are there, none under the name that is asked for."""
        name = want.name
        if not name:
            return self._unnamed_wanted(room, want, here)
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
            return self.verdict(
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
            for log in self.story.logs.values()
            if log.name_is_env >= 0
        ]
        text = f"The names differ: the room asks for {quote(name)}, the worker that is there is named {_list(sorted({w.name for w in ours if w.name}))}.{hint(name, near.name or '')}"
        return self.verdict(room, "name-mismatch", 0.9, text, [worker, *here, *env[:1]], agent=name)

    def _unnamed_wanted(self, room: Room, want: Want, here: list[Cite | None]) -> Verdict:
        missing = self._nothing_asked(room, None)
        if missing is not None:
            return missing
        return self.open(
            room,
            "The room asks for no agent by name and the workers that are known have names.",
            [],
            here,
            agent=want.name,
        )

    def _not_registered(self, name: str, t0: float, others: int) -> tuple[str, str, list[Cite], float] | None:
        """Why our own worker never registered: its log, or the server's answer to it."""
        refusals = [
            (at, error, mark)
            for at, path, status, error, mark in self.story.http
            if path.rstrip("/").endswith("/agent") and status in {401, 403} and (at is None or at <= t0 + 60)
        ]
        bad = [(mark, error) for at, mark, error in self.story.signals if at is None or at <= t0 + 60]
        for log in self.story.logs.values():
            if self._registered_here(log, t0):
                continue
            found = self.log_failure(log, name, t0)
            if found is not None:
                server = (
                    [Cite("the server's answer to a worker", refusals[0][2])]
                    if refusals and found[0] == "worker-auth"
                    else []
                )
                return found[0], found[1], [*found[2], *server], 0.95
        if bad:
            cause = (
                "job-type-unsupported"
                if "unknown job type" in bad[-1][1]
                else "deployment-name-invalid"
                if "deployment" in bad[-1][1]
                else "worker-refused"
            )
            return (
                cause,
                f"The server refuses what the worker says when it registers: {bad[-1][1] or 'see the line'}.",
                [Cite("the server refuses the registration", bad[-1][0])],
                0.85,
            )
        if refusals:
            ok = [
                w
                for w in self.pool.registered
                if w.registered is not None and refusals[-1][0] is not None and w.registered > refusals[-1][0]
            ]
            if not ok:
                what = (
                    "an API key that the server does not know"
                    if "API key" in refusals[-1][1]
                    else "a token that the server does not accept (wrong secret)"
                    if "token" in refusals[-1][1]
                    else "credentials that the server does not accept"
                )
                return (
                    "worker-auth",
                    f"A worker tries to register with {what}: 401.",
                    [Cite("the server refuses a worker", mark) for _, _, mark in (refusals[0], refusals[-1])],
                    0.9 if not others else 0.75,
                )
        return None

    def _registered_here(self, log: WorkerLog, t0: float) -> bool:
        """Whether this log's worker was registered with this server at that time."""
        return any(self.story.workers[w].mark >= 0 and self.pool.alive(self.story.workers[w], t0) for w in log.workers)

    def log_failure(self, log: WorkerLog, name: str, t0: float | None) -> tuple[str, str, list[Cite]] | None:
        """What a worker's log says of why it is not registered with this server at that time."""
        own = {self.story.workers[w].name for w in log.workers} | set(log.names)
        if own and None not in own and name not in own and len(self.story.logs) > 1:
            return None

        def near(said: Said) -> bool:
            when = self.pool.when(log, said)
            return t0 is None or when is None or t0 - 600 <= when <= t0 + 60

        connects = [s for s in log.of("w-connect-failed", "w-gave-up") if near(s)]
        if connects:
            said = connects[-1]
            cause, text = connect_failure(said.detail)
            cites = [Cite("the worker's own log: the first try", connects[0].mark)]
            cites += [Cite("the worker's own log: the last try", said.mark)] if said is not connects[0] else []
            return cause, text, cites
        lost = [s for s in log.of("w-connection-lost") if near(s)]
        strangers = [w for w in log.workers if self.story.workers[w].mark < 0 and not self.story.workers[w].served]
        if strangers and len(strangers) == len(log.workers) and self.story.streams:
            mark = self.story.workers[strangers[-1]].ours_mark
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

    def _no_worker(self, room: Room, want: Want, here: list[Cite | None], group: int | None, t0: float) -> Verdict:
        """Nobody of that name, nobody else, and nothing that says why."""
        sure = group is not None and self.pool.reaches_start(group, t0)
        text = f"No worker was registered when the room was born{f', so nobody could be asked for {quote(want.name)}' if want.name else ''}."
        missing: list[Missing] = []
        if not self.story.logs:
            missing.append(
                Missing(
                    "agent log", "why no worker registered: not started, crashed, a wrong key or an unreachable URL"
                )
            )
        if not sure:
            missing.append(
                Missing("server log from its start on", "whether a worker with another name had registered earlier")
            )
        if not want.name and not sure:
            return self.open(
                room,
                "No line shows a worker without a name; one may have registered before the log begins.",
                missing,
                here,
                agent=want.name,
            )
        return self.verdict(
            room, "no-worker", 0.85 if sure else 0.65, text, here, agent=want.name, missing=tuple(missing)
        )

    def _nobody_undated(self, room: Room, want: Want, line: Cite | None) -> Verdict:
        """The same from an excerpt without times: only what no order could change."""
        name = want.name
        workers = [*self.pool.registered, *self.story.anonymous]
        same = [w for w in workers if w.name == name]
        named = sorted({w.name for w in workers if w.name})
        cites = [Cite("a worker registers", w.mark) for w in workers if w.mark >= 0][:2]
        for log in self.story.logs.values():
            found = self.log_failure(log, name, None)
            if found is not None and found[0] != "worker-unreachable" and not same:
                return self.verdict(room, found[0], 0.8, found[1], [line, *found[2]], agent=name)
        if same or not workers:
            missing = [
                Missing(
                    "times of the lines and the room's first join",
                    "whether the worker registered before or after the room was born, and whether it still was there",
                )
            ]
            text = f"No worker for {quote(name)} was known when this room was born; the excerpt does not show why."
            return self.open(room, text, missing, [line, *cites], agent=name)
        if not named:
            text = f"The room asks for {quote(name)}, but the worker that registers has no name."
            return self.verdict(room, "worker-unnamed", 0.7, text, [line, *cites], agent=name)
        text = f"The names differ: the room asks for {quote(name)}, the worker that registers is named {_list(named)}.{hint(name, named[0])}"
        return self.verdict(room, "name-mismatch", 0.7, text, [line, *cites], agent=name)

    def _absent(self, room: Room, want: Want) -> Verdict:
        """Not one line about this dispatch: silence, which only an unnamed dispatch without a worker explains."""
        since = want.at
        birth = self.birth_cite(room)
        pending = self._immature(room, since)
        if pending is not None:
            text = "The room is too young to say that an agent is missing."
            return self.open(
                room,
                text,
                [Missing("server log", f"what happens until {MATURE:g} s after the room's birth")],
                [birth],
                agent=want.name,
                judged_from=pending,
            )
        rejected = self._asked_and_gone(room, want)
        if rejected is not None:
            return rejected
        publisher = self._no_publisher(room, want)
        if publisher is not None:
            return publisher
        window = self._window(room)
        if window is not None:
            return window
        if since is None:
            return self._unknown(room)
        closed = room.closed[0] if room.closed else None
        if closed is not None and closed - since < MATURE:
            text = f"The room was closed {ago(closed - since)} after it was born, before it could be said whether an agent would come."
            return self.open(
                room,
                text,
                [],
                [birth, Cite("the room closes", room.closed[1])] if room.closed else [birth],
                agent=want.name,
            )
        bus = [
            Cite("the message bus fails", mark)
            for at, mark, _ in self.story.bus
            if at is None or since - 5 <= at <= since + 30
        ]
        if bus:
            return self.verdict(
                room,
                "bus-trouble",
                0.8,
                "The server could not ask for workers at all: its message bus (Redis) fails.",
                [birth, *bus[:2]],
                agent=want.name,
            )
        group = self.pool.group[room.stream] if room.stream < len(self.pool.group) else None
        mine = [w for w in self.pool.at(since, group) if w.name == want.name]
        if mine:
            text = f"A worker for {quote(want.name)} was registered, yet no line says what became of the dispatch."
            return self.open(
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
            return self.open(
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
        found = self._nothing_asked(room, None) if not want.name else None
        return found or self.nobody(room, want, None)

    def _asked_and_gone(self, room: Room, want: Want) -> Verdict | None:
        """A worker was offered the job and the server says nothing: Python's plain reject() leaves no server line."""
        for log in self.story.logs.values():
            for said in log.requests.values():
                if (room.id and said.room_id == room.id) or (
                    not said.room_id and room.name and said.room_name == room.name
                ):
                    cites = [self.birth_cite(room), Cite("the worker was offered the job", said.mark)]
                    cites += [
                        Cite("the handler gave no answer", s.mark)
                        for s in log.of("w-no-answer", "w-handler-failed")
                        if s.order > said.order
                    ][:1]
                    cites += [
                        Cite("the request handler", place=w.request_func)
                        for w in self.seen.setup.workers
                        if w.request_func
                    ][:1]
                    text = f"The worker was offered the job for {quote(want.name)} and never took it: the server has no `assigned job to worker` for this room."
                    return self.verdict(room, "request-rejected", 0.85, text, cites, agent=want.name)
        return None

    def _no_publisher(self, room: Room, want: Want) -> Verdict | None:
        if self.pool.types(want.name, want.at) != {"JT_PUBLISHER"} or room.published:
            return None
        worker = next((w for w in self.pool.registered if w.name == want.name and w.mark >= 0), None)
        text = f"The worker for {quote(want.name)} is of type JT_PUBLISHER: it is only asked when somebody publishes a track, and nobody in this room does."
        return self.verdict(
            room,
            "no-publisher",
            0.85,
            text,
            [self.birth_cite(room), Cite("the worker's type", worker.mark) if worker else None],
            agent=want.name,
        )

    def _window(self, room: Room) -> Verdict | None:
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
        return self.open(room, text, missing, [self.birth_cite(room)])

    def _unknown(self, room: Room) -> Verdict:
        window = self._window(room)
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
        return self.open(
            room,
            "What is there does not say why this room has no agent, or whether it has one.",
            missing,
            [self.birth_cite(room) if room.joins else None, *noise],
        )

    # -- rooms that already existed --------------------------------------------------------------

    def _users(self, room: Room) -> list[Join]:
        return [j for j in room.joins if not j.agent and not j.who.startswith(("EG_", "IN_"))]

    def _came_too_late(self, room: Room) -> Verdict | None:
        """A join that asks for an agent in a room that was made without it: its wish is ignored, silently."""
        asked, cite = self.birth_asked(room)
        users = self._users(room)
        token = self.token_of(room)
        if asked is None:
            return None
        have = {name for name, _ in asked} | {
            n
            for _, kind, agents, _ in self.calls.get(id(room), ())
            if kind == "api-create-dispatch"
            for n, _ in agents or ()
        }
        have |= {job.name for job in room.jobs}
        first = users[0] if users else None
        for join in users:
            wishes = join.asked
            if wishes is None and token is not None and join.who == token.identity:
                wishes = token.agents
            if not wishes or (join is first and room.asked_api is None):
                continue
            lost = [n for n, _ in wishes if n and n not in have]
            now = self.now(room)
            if not lost or (now is not None and join.at is not None and now - join.at < MATURE):
                continue
            text = f"The room already existed when somebody joined with a dispatch for {_list(lost)}: a room's dispatches are fixed when it is made, later ones are ignored."
            here = [
                Cite("the room is made without that dispatch", cite.mark, cite.place)
                if cite
                else self.birth_cite(room),
                Cite("this join's wish is ignored", join.mark),
            ]
            return self.verdict(room, "room-already-existed", 0.9, text, here, agent=lost[0])
        return None

    def _came_back(self, room: Room) -> Verdict | None:
        """Somebody came (back) into a room whose agent had already left: no new dispatch is made."""
        users = self._users(room)
        agents = [j for j in room.joins if j.agent and (j.active is not None or j.left is not None)]
        if not agents or len(users) < 2:
            return None
        gone = [a.left for a in agents]
        now = self.now(room)
        last = users[-1]
        if now is None or last.at is None or last.reconnect or any(g is None for g in gone):
            return None
        end = max(g for g in gone if g is not None)
        if end > last.at + 3.0 or any(j.at is not None and j.at > last.at - 0.5 for j in room.jobs):
            return None
        begun = [j for j in users if j is not last and j.left is not None and j.left <= last.at + 3.0]
        stay = (last.left if last.left is not None else now) - last.at
        if not begun or stay < MATURE or end > max((j.left or 0.0) for j in begun) + 30.0:
            return None
        text = "The room already existed: its agent had come with an earlier visit and left with it, and a join into a living room dispatches nobody."
        job = room.jobs[-1].mark if room.jobs else -1
        cites = [
            self.birth_cite(room),
            Cite("its one dispatch", job) if job >= 0 else None,
            Cite("the agent of the earlier visit", agents[-1].mark),
            Cite("this join dispatches nobody: same room id", last.mark),
        ]
        return self.verdict(
            room, "room-already-existed", 0.9, text, cites, agent=room.jobs[-1].name if room.jobs else None
        )


def connect_failure(detail: str) -> tuple[str, str]:
    """Cause and sentence for the error with which a worker could not connect."""
    if "401" in detail or "403" in detail or "nauthorized" in detail:
        return "worker-auth", "The server refuses the worker's key or secret (401), so it never registers."
    if "MissingCredentials" in detail:
        return "worker-auth", "The worker has no API key or secret, so it never registers."
    what = detail.strip() or "no connection"
    return "worker-unreachable", f"The worker cannot reach the server ({what[:120]}), so it never registers."


def _expected(error: str) -> float:
    """Seconds from launch to line, as measured on servers 1.8.4 to 1.13.5."""
    if error.startswith(_NO_CAPACITY):
        return 0.2
    if error.startswith(_NO_RESPONSE):
        return 1.0
    return 3.0 if "time" in error or "deadline" in error else 0.5


def _error_says(error: str) -> str:
    if error.startswith(_NO_CAPACITY):
        return "the server has workers of that name and type, all with a capacity of 0"
    if error.startswith(_NO_RESPONSE):
        return "nobody listens for that name and type"
    return "the dispatch failed"


_WARN_SAYS: Final = {
    "worker not available": "the worker was asked and said no",
    "context deadline exceeded": "the worker was asked and did not answer in time",
    "worker closed": "the worker went away while it was asked",
    "no workers with sufficient capacity": "nobody else was left to ask",
    "no workers available": "nobody was left to ask",
}


def _names(asked: Asked | None) -> str:
    return _list([n for n, _ in asked or ()])


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(n) for n in names)
