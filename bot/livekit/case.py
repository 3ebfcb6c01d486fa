"""What the decision procedure thinks with: everything seen, what each room asked for, and how a verdict is written."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from bot.livekit.pool import Pool
from bot.livekit.seen import Cite, Missing, Verdict
from bot.livekit.story import Room
from bot.livekit.versions import JOB_MATURE, LIVE_GRACE, MATURE
from bot.livekit.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.livekit.seen import Seen, Token
    from bot.livekit.story import Asked, Job, Refused

CLOCKS: Final = 1.0  # seconds by which the clocks of the backend and of the server may differ
NOBODY: Final = (("", ""),)  # the implicit dispatch of a room that was made without one


@dataclass(frozen=True, slots=True)
class Want:
    """One agent that a room asks for: by name ("" is automatic dispatch), since when, and where that is said."""

    name: str
    deployment: str
    at: float | None
    via: str
    cite: Cite | None


class Case:
    """Everything that was seen, indexed for the questions of the decision procedure."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.story = seen.story
        self.pool = Pool(seen)
        #: Seconds that a job may take until its agent joins: longer where the source gives its processes longer.
        self.job_limit = max([JOB_MATURE, *(w.init_timeout for w in seen.setup.workers if w.init_timeout is not None)])
        self.job_limit += LIVE_GRACE if seen.live is not None else 0.0
        #: The rooms that the API tells, by id and by `name:` and their name.
        self.alive = {
            key: room for room in (seen.api.rooms if seen.api else ()) for key in (room.id, f"name:{room.name}") if key
        }
        #: By room: each call of the backend's that made it or dispatched to it.
        self.calls: dict[int, list[tuple[float | None, str, Asked | None, Cite]]] = {}
        #: By room: refusals that name none and fit it, each with whether it may as well be another's.
        self.refused_in: dict[int, list[tuple[Refused, bool]]] = {}
        self.unattributed: list[Refused] = []
        self._jobs: dict[str, list[Job]] | None = None
        self._api_rooms()

    def jobs_of(self, worker: str) -> list[Job]:
        """The jobs of this worker in all rooms."""
        if self._jobs is None:
            self._jobs = {}
            for room in self.story.rooms.values():
                for job in room.jobs:
                    self._jobs.setdefault(job.worker, []).append(job)
        return self._jobs.get(worker, [])

    def _api_rooms(self) -> None:
        """Give each API call its room; a call for a room that no other line shows makes one."""
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
                and (room.first is None or at <= room.first + CLOCKS)
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
        if any(kind == "api-create-room" and agents is None for _, kind, agents, _ in self.calls.get(id(room), ())):
            return None, None  # made over the API, by a server whose log does not say for whom
        first = next((j for j in room.joins if not j.agent and j.asked is not None), None)
        if room.seen_born and first is not None and (first.others in {0, -1}):
            says = "the join that made the room asks for " + (
                listed(n for n, _ in first.asked or ()) if first.asked else "no agent"
            )
            return first.asked or NOBODY, Cite(says, first.mark)
        made = any(  # a dispatch makes the room that it is for, if it is not there yet
            kind == "api-create-dispatch" and (at is None or room.first is None or at <= room.first + CLOCKS)
            for at, kind, _, _ in self.calls.get(id(room), ())
        )
        if made and (first is None or first.others > 0):
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
        # Old servers do not say what CreateDispatch asked for; a job says that it was.
        for name in dict.fromkeys(job.name for job in room.jobs):
            if not any(w.name == name for w in out):
                out.append(Want(name, "", start, "create-dispatch" if asked == NOBODY else "seen", None))
        if asked is None:
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

    def expected(self, room: Room) -> bool:
        """Whether an agent was meant to come to a room that asked for none, which no line of a log can say.

        Whoever names the room, gives a token for it or picks its lines out says so; what other rooms ask for does not.
        Of a room that is only said to be meant for one, somebody has waited there: until then it may still be dispatched.
        """
        asked_about = {*self.seen.rooms, *(t.room for t in self.seen.tokens)}
        if room.name in asked_about or room.id in asked_about or self.chosen(room):
            return True
        if not self.seen.meant or not fnmatchcase(room.name, self.seen.meant):
            return False
        now = self.now(room)
        return any(not j.agent and (now is None or j.at is None or now - j.at >= MATURE) for j in room.joins)

    def chosen(self, room: Room) -> bool:
        """Whether this room is known from an excerpt only, where a line that is not there proves nothing."""
        if room.stream >= len(self.story.streams):
            return False
        source = self.story.streams[room.stream][0]
        return source < len(self.seen.logs) and self.seen.logs[source].excerpt

    def immature(self, room: Room, since: float | None) -> float | None:
        """From when on absence may be judged, when that is not yet reached."""
        now = self.now(room)
        if since is None or now is None:
            return None
        return since + MATURE if now - since < MATURE else None
