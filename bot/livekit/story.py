"""Records → one story per room incarnation and per worker, bounded in what is kept of each."""

from __future__ import annotations

from array import array
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from bot.livekit.pieces import whole
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.livekit.forms import Record

Silent = tuple[str | None, str, float | None, int]  # name, job type, time and mark of a first `not dispatching` line
Asked = tuple[tuple[str, str], ...]  # (agent name, deployment) of each dispatch that is asked for
_JOINS_KEPT: Final = 40
_KEPT: Final = 400


class Ledger:
    """Where each remembered line stands: source, line and byte offset, by a number of its own (a mark)."""

    def __init__(self) -> None:
        self._source, self._line, self._offset = array("H"), array("I"), array("Q")

    def add(self, source: int, line: int, offset: int) -> int:
        """Remember a line; its mark."""
        self._source.append(source)
        self._line.append(line)
        self._offset.append(offset)
        return len(self._line) - 1

    def drop(self, mark: int) -> None:
        """Forget the line that was remembered last, when nothing points to it."""
        if mark == len(self._line) - 1:
            self._source.pop()
            self._line.pop()
            self._offset.pop()

    def where(self, mark: int) -> tuple[int, int, int]:
        """Source, line (from 1) and byte offset of a mark."""
        return self._source[mark], self._line[mark], self._offset[mark]


class Join:
    """One participant's stay in a room; times in epoch seconds, None when not seen."""

    __slots__ = (
        "active",
        "active_mark",
        "agent",
        "asked",
        "at",
        "left",
        "mark",
        "others",
        "reason",
        "reconnect",
        "removed",
        "who",
    )

    def __init__(self, at: float | None, who: str, mark: int, *, agent: bool) -> None:
        self.at, self.who, self.mark, self.agent = at, who, mark, agent
        self.others = -1
        self.asked: Asked | None = None
        self.reconnect = False
        self.active: float | None = None
        self.active_mark = -1
        self.left: float | None = None
        self.removed = -1
        self.reason = ""


class Job:
    """One job that the server gave to a worker."""

    __slots__ = ("at", "deployment", "ended", "error", "id", "mark", "name", "status", "type", "worker")

    def __init__(self, at: float | None, fields: dict[str, Any], mark: int) -> None:
        self.at, self.mark = at, mark
        self.id = text(fields, "jobID")
        self.name, self.type = intern(text(fields, "agentName")), intern(text(fields, "jobType"))
        self.worker, self.deployment = intern(text(fields, "workerID")), intern(text(fields, "deployment"))
        self.ended: tuple[float | None, int] | None = None
        self.status = self.error = ""


class Refused:
    """A dispatch that the server could not carry out, or one that it had no worker for."""

    __slots__ = ("at", "error", "job", "kind", "mark", "name", "stream", "type", "worker")

    def __init__(self, kind: str, at: float | None, fields: dict[str, Any], mark: int, stream: int) -> None:
        self.kind, self.at, self.mark, self.stream = kind, at, mark, stream
        self.error, self.type = intern(text(fields, "error")), intern(job_type(text(fields, "jobType")))
        self.name = intern(fields["agentName"]) if isinstance(fields.get("agentName"), str) else None
        self.worker, self.job = intern(text(fields, "workerID")), text(fields, "jobID")


class Room:
    """One incarnation of a room: from its birth to its end, as far as the logs show it."""

    __slots__ = ("asked_api", "birth", "birth_mark", "closed", "first", "first_mark", "id", "jobs", "joins", "last", "name", "published", "refused", "seen_born", "silent", "stream")  # fmt: skip

    def __init__(self, name: str, room_id: str, stream: int) -> None:
        self.name, self.id, self.stream = name, room_id, stream
        self.first: float | None = None
        self.first_mark = -1
        self.last: float | None = None
        self.birth: float | None = None
        self.birth_mark = -1
        self.seen_born = False
        self.asked_api: Asked | None = None
        self.joins: tuple[Join, ...] = ()  # tuples: fifty thousand rooms have two or three of each
        self.jobs: tuple[Job, ...] = ()
        self.refused: tuple[Refused, ...] = ()
        self.silent: tuple[Silent, ...] = ()
        self.published: float | None = None  # when a user's first track was; 0.0 when that is not told
        self.closed: tuple[float | None, int] | None = None

    def touch(self, at: float | None, mark: int) -> None:
        """Widen the room's life by one of its lines."""
        if self.first_mark < 0 or (at is not None and (self.first is None or at < self.first)):
            self.first, self.first_mark = at, mark
        if at is not None and (self.last is None or at > self.last):
            self.last = at


class Worker:
    """One registration of a worker, as the server and its own log tell of it."""

    __slots__ = ("deployment", "gone", "gone_mark", "heard", "id", "mark", "name", "node", "ours", "ours_at", "ours_mark", "registered", "sdk", "served", "source", "stream", "type")  # fmt: skip

    def __init__(self, worker_id: str) -> None:
        self.id = worker_id
        self.name: str | None = None
        self.type = ""
        self.stream = -1
        self.registered: float | None = None
        self.mark = -1
        self.gone: float | None = None
        self.gone_mark = -1
        self.deployment: str | None = None
        self.ours = False
        self.ours_at: float | None = None
        self.ours_mark = -1
        self.source = -1
        self.sdk = ""
        self.served = 0
        self.heard = -1  # a line of the server's that knows it, other than the two that tell its beginning and end
        self.node = ""  # the server node that its own log names


class Said:
    """One line of a worker that may decide: when, what kind, which job, and its words."""

    __slots__ = ("agent", "at", "detail", "job", "kind", "mark", "order", "room_id", "room_name")

    def __init__(self, record: Record, mark: int, order: int) -> None:
        f = record.fields
        self.at, self.kind, self.mark, self.order = record.at, record.kind, mark, order
        job = f.get("job")
        inner = job if isinstance(job, dict) else {}
        room = f.get("room")
        room_in_job = inner.get("room")
        in_job = room_in_job if isinstance(room_in_job, dict) else {}
        self.job = text(f, "jobId") or text(f, "job_id") or text(f, "jobID") or text(inner, "id")
        self.room_id = text(f, "room_id") or text(f, "roomID") or text(in_job, "sid")
        self.room_name = (room if isinstance(room, str) else "") or text(f, "room_name") or text(in_job, "name")
        self.detail = redact(error_of(record))
        #: The agent's name that the line itself tells; None where it tells none.
        self.agent: str | None = next(
            (f[key] for key in ("agentName", "agent_name") if isinstance(f.get(key), str)), None
        )
        if self.agent is None and isinstance(inner.get("agentName"), str):
            self.agent = inner["agentName"]


class WorkerLog:
    """One worker's own log: what it said, bounded by kind."""

    def __init__(self, source: int, service: str) -> None:
        self.source, self.service = source, service
        self.workers: list[str] = []
        self.names: list[str] = []
        self.said: dict[str, list[Said]] = {}
        self.requests: dict[str, Said] = {}
        self.loads: list[tuple[float | None, int, bool, int]] = []
        self.language = ""
        self.sdk = ""
        self.deployments: set[str] = set()
        self.name_is_env = -1
        self.order = 0
        self.debug = False
        self.naive = False
        self.cloud = -1
        self.first: float | None = None
        self.last: float | None = None
        self.undated = False  # has records that tell a time of day only
        self.fresh = False  # begins with a worker's start, so that nothing of that worker stands before it
        self.processes: set[tuple[str, int]] = set()

    @property
    def says_draining(self) -> bool:
        """Whether this log would tell of the worker's draining: Python's does at info, Node's at debug level only."""
        return self.debug or self.language == "python"

    def of(self, *kinds: str) -> Iterator[Said]:
        """All lines of these kinds, in the order of the log within a kind."""
        for kind in kinds:
            yield from self.said.get(kind, ())

    def keep(self, said: Said) -> None:
        """Remember a line; of very many of a kind the first and the last."""
        kept = self.said.setdefault(said.kind, [])
        if len(kept) < _KEPT:
            kept.append(said)
        else:
            kept[_KEPT // 2 :] = [*kept[_KEPT // 2 + 1 :], said]

    def extend(self, later: WorkerLog) -> None:
        """Take in the log of the same worker that follows this one."""
        once = {id(said): said for kept in (*later.said.values(), later.requests.values()) for said in kept}
        for said in once.values():
            said.order += self.order
        for kept in later.said.values():
            for said in kept:
                self.keep(said)
        self.requests |= later.requests
        self.loads += [(at, order + self.order, full, mark) for at, order, full, mark in later.loads]
        self.workers += later.workers
        self.names += later.names
        self.deployments |= later.deployments
        self.processes |= later.processes
        self.language, self.sdk = self.language or later.language, later.sdk or self.sdk
        self.name_is_env, self.cloud = max(self.name_is_env, later.name_is_env), max(self.cloud, later.cloud)
        self.debug, self.naive = self.debug or later.debug, self.naive or later.naive
        self.undated = self.undated or later.undated
        self.first = self.first if self.first is not None else later.first
        self.last = later.last if later.last is not None else self.last
        self.order += later.order


def text(fields: dict[str, Any], key: str) -> str:
    """A field as text; "" when it is missing or no text."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""


_TYPES: Final = {"room": "JT_ROOM", "publisher": "JT_PUBLISHER", "participant": "JT_PARTICIPANT"}


def job_type(value: str) -> str:
    """The job type as today's servers write it; 1.6 to 1.7.0 write the topic's name."""
    return _TYPES.get(value, value)


def error_of(record: Record) -> str:
    """The words of the error that a worker's record carries."""
    f = record.fields
    for key in ("error", "err"):
        value = f.get(key)
        if isinstance(value, dict):
            inner = value.get("message")
            if isinstance(inner, str):
                return inner[:300]
        elif isinstance(value, str):
            return value[:300]
    for key in ("exc_info", "message", "reason"):
        value = f.get(key)
        if isinstance(value, str) and (key != "message" or record.form == "pretty"):
            lines = value.strip().splitlines()
            return lines[-1][:300] if lines else ""
    if record.kind == "w-connect-failed" and isinstance(said := f.get("message", f.get("msg")), str):
        return said[:300]  # older SDKs put the error behind the message
    if record.tail.lstrip().startswith(b"{"):
        return ""  # fields, and none of them is an error
    return record.tail.decode("utf-8", "replace")[:300].strip(" :{,")


class Story:
    """All that the logs tell, keyed so that the order in which sources are read does not matter."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.rooms: dict[str, Room] = {}
        self.workers: dict[str, Worker] = {}
        self.refusals: list[Refused] = []
        self.silent: list[Refused] = []  # `not dispatching` lines that name no room
        self.gone: list[tuple[float | None, str | None, str, int, int]] = []  # last worker deregistered
        self.anonymous: list[Worker] = []  # registrations without a worker id (excerpts)
        self.api: list[
            tuple[float | None, str, str, Asked | None, int, int]
        ] = []  # at, kind, room, agents, mark, stream
        self.selected: list[tuple[float | None, str, int, int]] = []
        self.logs: dict[tuple[int, str], WorkerLog] = {}
        self.streams: list[tuple[int, str]] = []
        self.stream_ids: dict[tuple[int, str], int] = {}
        self.stream_nodes: list[set[str]] = []
        self.stream_span: list[list[float]] = []
        self.starts: list[tuple[float | None, int, str, int, str]] = []  # at, stream, version, mark, node id
        self.node_last: dict[tuple[int, str], float] = {}  # when a node was last heard of in a stream
        self.stream_rooms: list[set[str]] = []  # some of the rooms that a stream hosts
        self.single: list[tuple[int, int]] = []
        self.shared: list[tuple[int, int]] = []
        self.http: list[tuple[float | None, str, int, str, int]] = []
        self.bus: list[tuple[float | None, int, str]] = []
        self.signals: list[tuple[float | None, int, str]] = []
        self.late: list[tuple[float | None, str, int]] = []
        self.asked_cache: dict[Asked, Asked] = {}
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, tuple[float | None, str, str, int]] = {}

    # -- feeding -------------------------------------------------------------------------------

    def feed(self, record: Record, source: int, line: int, offset: int) -> None:
        """Take in one record."""
        if record.worker:
            self._worker_line(record, source, line, offset)
            return
        key = (source, record.service)
        stream = self.stream_ids.get(key)
        if stream is None:
            stream = self.stream_ids[key] = len(self.streams)
            self.streams.append(key)
            self.stream_nodes.append(set())
            self.stream_rooms.append(set())
            self.stream_span.append([])
        at = record.at
        if at is not None:
            span = self.stream_span[stream]
            if not span:
                span.extend((at, at))
            elif at > span[1]:
                span[1] = at
            elif at < span[0]:
                span[0] = at
        handler = _HANDLERS.get(record.kind)
        if handler is not None:
            handler(self, record, self.ledger.add(source, line, offset), stream)

    def room_of(self, fields: dict[str, Any], stream: int, at: float | None, mark: int) -> Room:
        """The incarnation that a room-scoped record belongs to."""
        room_id, name = text(fields, "roomID"), text(fields, "room")
        key = room_id or "name:" + name
        room = self.rooms.get(key)
        if room is None:
            room = self.rooms[key] = Room(name, room_id, stream)
        elif not room.name:
            room.name = name
        room.touch(at, mark)
        return room

    def worker_of(self, worker_id: str) -> Worker:
        """The registration with this id, begun when first heard of."""
        worker = self.workers.get(worker_id)
        if worker is None:
            worker = self.workers[worker_id] = Worker(worker_id)
        return worker

    def _asked(self, agents: Iterable[tuple[str, str]] | None) -> Asked | None:
        if agents is None:
            return None
        asked: Asked = tuple(agents)
        return self.asked_cache.setdefault(asked, asked)

    def on_registered(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        worker_id = text(f, "workerID")
        worker = self.worker_of(worker_id) if worker_id else Worker("")
        if not worker_id and len(self.anonymous) < _KEPT:
            self.anonymous.append(worker)
        worker.name = f["agentName"] if isinstance(f.get("agentName"), str) else worker.name
        if worker.name is None and "agentName" not in f and {"namespace", "jobType"} <= set(f):
            worker.name = ""  # servers before 1.7.1 know no names
        worker.type = job_type(text(f, "jobType")) or worker.type
        worker.registered, worker.mark, worker.stream = r.at, mark, stream

    def on_gone(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        name = f["agentName"] if isinstance(f.get("agentName"), str) else None
        if len(self.gone) < 20000:
            self.gone.append((r.at, name, job_type(text(f, "jobType")), mark, stream))
        self.on_left(r, mark, stream)

    def on_left(self, r: Record, mark: int, stream: int) -> None:
        worker_id = text(r.fields, "workerID")
        if worker_id:
            worker = self.worker_of(worker_id)
            if worker.name is None and isinstance(r.fields.get("agentName"), str):
                worker.name = r.fields["agentName"]
            worker.type = worker.type or job_type(text(r.fields, "jobType"))
            worker.stream = stream if worker.stream < 0 else worker.stream
            if worker.gone is None:
                worker.gone, worker.gone_mark = r.at, mark

    def on_silent(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        if not (f.get("roomID") or f.get("room")):
            if len(self.silent) < 20000:
                self.silent.append(Refused("not-dispatching", r.at, f, mark, stream))
            return
        room = self.room_of(f, stream, r.at, mark)
        name = intern(f["agentName"]) if isinstance(f.get("agentName"), str) else None
        kind = intern(job_type(text(f, "jobType")))
        if len(room.silent) < _JOINS_KEPT and not any(s[0] == name and s[1] == kind for s in room.silent):
            room.silent = (*room.silent, (name, kind, r.at, mark))

    def on_request_failed(self, r: Record, mark: int, stream: int) -> None:
        if r.fields.get("jobID") or len(self.refusals) >= 500_000:
            return  # the terminate path: another message with the same words
        self.refusals.append(Refused("request-failed", r.at, r.fields, mark, stream))

    def on_assigned(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        job = Job(r.at, f, mark)
        job.type = job_type(job.type) or "JT_ROOM"
        if job.worker:
            worker = self.worker_of(job.worker)
            worker.served += 1
            worker.heard = mark if worker.heard < 0 else worker.heard
            if worker.name is None and isinstance(f.get("agentName"), str):
                worker.name = job.name
            worker.type = worker.type or job.type
            worker.stream = stream if worker.stream < 0 else worker.stream
            job.worker = worker.id
        if not (f.get("roomID") or f.get("room")):
            return
        room = self.room_of(f, stream, r.at, mark)
        if len(room.jobs) < _JOINS_KEPT:
            room.jobs = (*room.jobs, job)
            if job.id:
                self._jobs[job.id] = job

    def on_assign_failed(self, r: Record, mark: int, stream: int) -> None:
        refused = Refused(r.kind, r.at, r.fields, mark, stream)
        if r.fields.get("roomID") or r.fields.get("room"):
            room = self.room_of(r.fields, stream, r.at, mark)
            if len(room.refused) < _JOINS_KEPT:
                room.refused = (*room.refused, refused)
        else:
            self.refusals.append(refused)

    def on_late(self, r: Record, mark: int, _stream: int) -> None:
        if len(self.late) < _KEPT:
            self.late.append((r.at, text(r.fields, "jobID"), mark))

    def on_job_ended(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        worker_id = text(f, "workerID")
        if worker_id and (worker := self.worker_of(worker_id)).stream < 0:  # its beginning may stand before the log's
            if worker.name is None and isinstance(f.get("agentName"), str):
                worker.name = f["agentName"]
            worker.type, worker.stream, worker.heard = worker.type or job_type(text(f, "jobType")), stream, mark
        job = self._jobs.pop(text(f, "jobID"), None)
        status, error = intern(text(f, "status")), intern(text(f, "error"))
        if job is not None:
            job.ended, job.status, job.error = (r.at, mark), status, error
        elif len(self._ended) < 20000:
            self._ended[text(f, "jobID")] = (r.at, status, error, mark)

    def on_session(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        room = self.room_of(f, stream, r.at, mark)
        node = text(f, "nodeID")
        if node:
            self.stream_nodes[stream].add(node)
            if r.at is not None:
                self.node_last[(stream, node)] = max(r.at, self.node_last.get((stream, node), r.at))
        hosted = self.stream_rooms[stream]
        if room.id and len(hosted) < _KEPT:
            hosted.add(room.id)
        who = text(f, "participant")
        join = Join(r.at, who, mark, agent=bool(f.get("agent")) or who.startswith("agent-AJ_"))
        number = f.get("numParticipants")
        join.others = number if isinstance(number, int) else -1
        join.asked = self._asked(f.get("agents"))
        join.reconnect = bool(f.get("reconnect"))
        if (
            join.others == 0
            and not join.reconnect
            and not join.agent
            and not any(j.at is None or r.at is None or j.at < r.at for j in room.joins)
        ):
            room.seen_born = True
            if room.birth is None or (r.at is not None and r.at < room.birth):
                room.birth, room.birth_mark = r.at, mark
        kept = room.joins if len(room.joins) < _JOINS_KEPT else (*room.joins[:3], *room.joins[4:])
        room.joins = (*kept, join)

    def _join_of(self, room: Room, who: str) -> Join | None:
        for join in reversed(room.joins):
            if join.who == who:
                return join
        return None

    def on_active(self, r: Record, mark: int, stream: int) -> None:
        room = self.room_of(r.fields, stream, r.at, mark)
        who = text(r.fields, "participant")
        join = self._join_of(room, who)
        if join is None:
            join = Join(r.at, who, mark, agent=who.startswith("agent-AJ_") or _kind(r.fields) == "AGENT")
            room.joins = (*room.joins, join)
        if join.active_mark >= 0:
            self._spare(mark, join.mark, room)
        elif join.agent:
            join.active, join.active_mark = r.at, mark
        else:  # of a user it counts that he is active, not when and where that is said
            join.active_mark = 0
            self._spare(mark, join.mark, room)

    def on_closing(self, r: Record, mark: int, stream: int) -> None:
        room = self.room_of(r.fields, stream, r.at, mark)
        who = text(r.fields, "participant")
        join = next((j for j in reversed(room.joins) if j.who == who and j.left is None and j.removed < 0), None)
        if join is None and len(room.joins) < _JOINS_KEPT:
            join = Join(None, who, mark, agent=who.startswith("agent-AJ_"))
            room.joins = (*room.joins, join)
        if join is not None:
            join.left, join.reason, join.removed = (
                r.at,
                intern(text(r.fields, "reason")),
                mark if r.kind == "participant-removed" else join.removed,
            )
            if join.removed != mark:
                self._spare(mark, join.mark, room)

    def _spare(self, mark: int, joined: int, room: Room) -> None:
        """Forget where this line stands if it is neither the first of the room nor the one that shows the join."""
        if mark not in {joined, room.first_mark}:
            self.ledger.drop(mark)

    def on_removed(self, r: Record, mark: int, stream: int) -> None:
        self.on_closing(r, mark, stream)

    def on_published(self, r: Record, mark: int, stream: int) -> None:
        room = self.room_of(r.fields, stream, r.at, mark)
        who = text(r.fields, "participant")
        join = self._join_of(room, who)
        if room.published is None and not (join.agent if join else who.startswith("agent-AJ_")):
            room.published = r.at or 0.0
        self._spare(mark, -1, room)

    def on_room_closed(self, r: Record, mark: int, stream: int) -> None:
        if r.fields.get("roomID"):
            room = self.room_of(r.fields, stream, r.at, mark)
            if room.closed is None:
                room.closed = (r.at, mark)

    def on_api(self, r: Record, mark: int, stream: int) -> None:
        f = r.fields
        request = f.get("request")
        request = request if isinstance(request, dict) else {}
        status = str(f.get("status", ""))
        name = text(request, "room") or text(request, "name") or text(f, "room")
        if not name or (status and not status.startswith("2")) or len(self.api) > 500_000:
            return
        if r.kind == "api-create-dispatch":
            if not isinstance(request.get("agentName"), str):
                agents: Asked | None = None if not request else (("", text(request, "deployment")),)
            else:
                agents = ((request["agentName"], text(request, "deployment")),)
        else:
            listed = request.get("agents")
            agents = (
                tuple(
                    (text(a, "agentName") or text(a, "agent_name"), text(a, "deployment"))
                    for a in listed
                    if isinstance(a, dict)
                )
                if isinstance(listed, list)
                else ()
                if request
                else None
            )
        self.api.append((r.at, r.kind, name, self._asked(agents), mark, stream))

    def on_node_selected(self, r: Record, mark: int, stream: int) -> None:
        if len(self.selected) < 500_000:
            self.selected.append((r.at, text(r.fields, "room"), mark, stream))

    def on_server(self, r: Record, mark: int, stream: int) -> None:
        node = text(r.fields, "nodeID")
        if node:
            self.stream_nodes[stream].add(node)
        if len(self.starts) < 20000:
            self.starts.append((r.at, stream, text(r.fields, "version"), mark, node))

    def on_single(self, _r: Record, mark: int, stream: int) -> None:
        if len(self.single) < _KEPT:
            self.single.append((stream, mark))

    def on_redis(self, _r: Record, mark: int, stream: int) -> None:
        if len(self.shared) < _KEPT:
            self.shared.append((stream, mark))

    def on_http(self, r: Record, mark: int, _stream: int) -> None:
        f = r.fields
        status = f.get("status")
        if len(self.http) < 5000:
            self.http.append(
                (
                    r.at,
                    text(f, "path"),
                    int(status)
                    if isinstance(status, (int, str)) and str(status).isdecimal() and len(str(status)) < 4
                    else 0,
                    text(f, "error"),
                    mark,
                )
            )

    def on_bus(self, r: Record, mark: int, _stream: int) -> None:
        if len(self.bus) < _KEPT:
            self.bus.append((r.at, mark, text(r.fields, "error")))

    def on_signal(self, r: Record, mark: int, _stream: int) -> None:
        if len(self.signals) < _KEPT:
            self.signals.append((r.at, mark, text(r.fields, "error")))

    def _worker_line(self, r: Record, source: int, line: int, offset: int) -> None:
        key = (source, r.service)
        log = self.logs.get(key)
        if log is None:
            if r.kind == "w-trace" and key in self.stream_ids:
                return  # an error text among the server's own lines
            log = self.logs[key] = WorkerLog(source, r.service)
            log.fresh = r.kind == "w-starting"
        log.order += 1
        process = r.fields.get("pid")
        if isinstance(process, int) and len(log.processes) < _KEPT:
            log.processes.add((text(r.fields, "hostname"), process))
        log.naive = log.naive or r.naive
        log.debug = log.debug or r.level in {"debug", "trace"}
        if r.at is not None:
            log.first = r.at if log.first is None or r.at < log.first else log.first
            log.last = r.at if log.last is None or r.at > log.last else log.last
        if r.form in {"pino", "pretty"}:
            log.language = "node"
            log.undated = log.undated or r.at is None
        elif r.form in {"python-json", "text"} and not log.language:
            log.language = "python"
        if r.kind in _IGNORED:
            return
        mark = self.ledger.add(source, line, offset)
        said = Said(r, mark, log.order)
        if r.kind == "w-request":
            if len(log.requests) < 300_000 and said.job:
                log.requests[said.job] = said
        elif r.kind == "w-registered":
            self._own_registration(r, log, said)
        elif r.kind in {"w-full", "w-available"}:
            log.loads.append((r.at, log.order, r.kind == "w-full", mark))
        elif r.kind == "w-starting":
            version = text(r.fields, "version")
            log.sdk = version if version and version != "0.1.0" else log.sdk
        if r.kind == "w-cloud-load":
            log.cloud = mark
        log.keep(said)

    def _own_registration(self, r: Record, log: WorkerLog, said: Said) -> None:
        f = r.fields
        worker_id = text(f, "id") or text(f, "worker_id") or text(f, "workerID")
        name = f.get("agentName", f.get("agent_name"))
        if isinstance(name, str):
            log.names.append(name)
        if isinstance(f.get("deployment"), str):
            log.deployments.add(f["deployment"])
        if f.get("agentNameIsEnv") is True:
            log.name_is_env = said.mark
        log.sdk = text(f, "version") if text(f, "version") not in {"", "0.1.0"} else log.sdk
        if not worker_id:
            return
        log.workers.append(worker_id)
        worker = self.worker_of(worker_id)
        worker.ours, worker.source = True, log.source
        worker.ours_at, worker.ours_mark = r.at, said.mark
        worker.deployment = f["deployment"] if isinstance(f.get("deployment"), str) else worker.deployment
        worker.sdk = log.sdk
        info = f.get("server_info")
        worker.node = text(info, "nodeId") if isinstance(info, dict) else text(f, "node_id")
        if worker.name is None and isinstance(name, str):
            worker.name = name

    # -- after feeding -------------------------------------------------------------------------

    def settle(self) -> None:
        """Join what files and the order of reading have kept apart: a job and its end, the pieces of a worker's log."""
        for job_id, (at, status, error, mark) in self._ended.items():
            job = self._jobs.get(job_id)
            if job is not None and job.ended is None:
                job.ended, job.status, job.error = (at, mark), status, error
        for room in self.rooms.values():
            if len(room.joins) > 1:
                room.joins = tuple(sorted(room.joins, key=lambda j: (j.at is not None, j.at or 0.0)))
            if len(room.jobs) > 1:
                room.jobs = tuple(sorted(room.jobs, key=lambda j: (j.at is not None, j.at or 0.0)))
        self._jobs, self._ended = {}, {}
        for worker in self.anonymous:  # a server that tells no ids tells when the last worker of a name goes
            ends = [
                (at, mark)
                for at, name, _type, mark, stream in self.gone
                if name == worker.name
                and stream == worker.stream
                and at is not None
                and at >= (worker.registered or at)
            ]
            worker.gone, worker.gone_mark = min(ends, default=(None, -1))
        self.logs = {(log.source, log.service): log for log in whole(self.logs.values())}


def _kind(fields: dict[str, Any]) -> str:
    return text(fields, "kind").upper()


_IGNORED: Final = frozenset({"w-initializing", "w-connected"})
_HANDLERS: Final = {
    "worker-registered": Story.on_registered, "worker-gone": Story.on_gone, "worker-closing": Story.on_left,  # the table is part of the class
    "not-dispatching": Story.on_silent, "request-failed": Story.on_request_failed, "assigned": Story.on_assigned,
    "assign-failed": Story.on_assign_failed, "no-worker-for-job": Story.on_assign_failed, "late-answer": Story.on_late,
    "job-ended": Story.on_job_ended, "session-starting": Story.on_session, "participant-active": Story.on_active,
    "participant-closing": Story.on_closing, "participant-removed": Story.on_removed, "track-published": Story.on_published,
    "room-closing": Story.on_room_closed, "room-closed": Story.on_room_closed, "api-create-room": Story.on_api,
    "api-create-dispatch": Story.on_api, "node-selected": Story.on_node_selected, "server-starting": Story.on_server,
    "single-node": Story.on_single, "redis": Story.on_redis, "http-refused": Story.on_http, "bus-trouble": Story.on_bus,
    "signal-refused": Story.on_signal,
}  # fmt: skip
