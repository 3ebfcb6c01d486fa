"""Who was there when: nodes, clocks, and the workers that a server knew at a given moment."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bot.livekit.versions import CHECK_CACHE

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.livekit.seen import Seen
    from bot.livekit.story import Said, Worker, WorkerLog

_NEVER = float("inf")
_FEW_NODES = 50
_APART = 1.0  # seconds by which the pieces of one log may overlap: lines are not quite in order


class Pool:
    """An index over a story's workers, by node group and time."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.story = seen.story
        self.group = self._groups()
        #: Whether a log that names no node may be that of a node of its own: it runs beside another one.
        self.loose = self._loose()
        #: The moment of a live look by the server's clock; None when only files were read, or no server runs any more.
        self.live = self._live()
        #: By group: up to when its server is known. One that still runs is silent after its last line, not unknown.
        self.now = self._edges(latest=True)
        if self.live is not None:
            self.now = {group: max(self.now.get(group, self.live), self.live) for group in set(self.group)}
        self.begin = self._edges(latest=False)
        self.starts: dict[int, list[tuple[float, str, int]]] = {}
        #: Groups in whose one log several nodes live side by side.
        self.mixed: set[int] = set()
        for at, stream, version, mark, node in self.story.starts:
            begun = at if at is not None else -_NEVER
            earlier = {
                n
                for a, s, _, _, n in self.story.starts[:_FEW_NODES]
                if s == stream and n != node and a is not None and a < begun
            }
            if any(self.story.node_last.get((stream, n), -_NEVER) > begun for n in earlier):
                self.mixed.add(self.group[stream])
                continue  # no restart: another node goes on
            self.starts.setdefault(self.group[stream], []).append((begun, version, mark))
        for starts in self.starts.values():
            starts.sort()
        self.skew = {key: self._skew(log) for key, log in self.story.logs.items()}
        undated = [w for w in self.story.anonymous if w.registered is None]
        dated = [w for w in self.story.anonymous if w.registered is not None]  # of servers that tell no ids
        self.registered = [*(w for w in self.story.workers.values() if self.host(w) >= 0), *dated]
        #: All of which a registration is shown, also those of which cannot be said when.
        self.shown = [*self.registered, *undated]
        self._typed: dict[str | None, list[Worker]] = {}
        for worker in self.shown:
            if worker.type:
                self._typed.setdefault(worker.name, []).append(worker)
        self.log_of: dict[str, WorkerLog] = {w: log for log in self.story.logs.values() for w in log.workers}
        #: By room id, and by name where a worker tells no id: the job that a worker was offered.
        self.offered: dict[str, tuple[WorkerLog, Said]] = {
            said.room_id or "name:" + said.room_name: (log, said)
            for log in self.story.logs.values()
            for said in log.requests.values()
            if said.room_id or said.room_name
        }
        self.log_of_job: dict[str, WorkerLog] = {job: log for log in self.story.logs.values() for job in log.requests}

    def _groups(self) -> list[int]:
        """A number per stream, equal for streams of one server (one node id in common, or one after the other)."""
        story = self.story
        count = len(story.streams)
        group = list(range(count))

        def find(i: int) -> int:
            while group[i] != i:
                i = group[i]
            return i

        def join(same: Callable[[int, int], bool]) -> None:
            for i in range(count):
                for j in range(i):
                    if find(i) != find(j) and same(i, j):
                        group[find(i)] = find(j)

        def span(i: int) -> tuple[float, float] | None:
            spans = [s for k, s in enumerate(story.stream_span) if s and find(k) == find(i)]
            return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None

        def named(i: int) -> bool:
            return any(story.stream_nodes[k] for k in range(count) if find(k) == find(i))

        def one_after_the_other(i: int, j: int) -> bool:
            """A node has another id after its restart; two nodes that live at the same time are two."""
            a, b = span(i), span(j)
            if not (named(i) and named(j)) or story.streams[i][1] != story.streams[j][1]:
                return False
            return a is None or b is None or a[0] >= b[1] or b[0] >= a[1]

        join(lambda i, j: bool(story.stream_nodes[i] & story.stream_nodes[j]))
        join(lambda i, j: bool(story.stream_rooms[i] & story.stream_rooms[j]))  # a room lives on one node
        join(one_after_the_other)
        if len({find(k) for k in range(count) if story.stream_nodes[k]}) <= 1:
            join(lambda i, j: not (named(i) and named(j)))  # pieces that name no node belong to the one there is
        return [find(i) for i in range(count)]

    def _loose(self) -> bool:
        """Pieces of one server's log follow one another; one that overlaps another is of another server, or a choice."""
        spans = [
            (tally.first, tally.last, any(self.story.stream_nodes[k] for k, (i, _) in enumerate(self.story.streams) if i == source))
            for source, tally in ((i, log.tally) for i, log in enumerate(self.seen.logs))
            if tally.server_lines + tally.server_hits and tally.first is not None and tally.last is not None
        ]  # fmt: skip
        return any(
            not named and index != other and begin < last - _APART and first < end - _APART
            for index, (begin, end, named) in enumerate(spans)
            for other, (first, last, _) in enumerate(spans)
        )

    def _edges(self, *, latest: bool) -> dict[int, float]:
        out: dict[int, float] = {}
        for stream, (source, _service) in enumerate(self.story.streams):
            span = self.story.stream_span[stream]
            tally = self.seen.logs[source].tally if source < len(self.seen.logs) else None
            whole = tally.last if latest and tally else tally.first if tally else None
            if not span and whole is None:
                continue
            edges = [*span, *([whole] if whole is not None else [])]
            edge = max(edges) if latest else min(edges)
            key = self.group[stream]
            out[key] = edge if key not in out else max(out[key], edge) if latest else min(out[key], edge)
        if len(out) == 1:  # a piece of the log without a line about dispatch is part of its time all the same
            for log in self.seen.logs:
                t = log.tally
                edge_of = t.last if latest else t.first
                if t.server_lines and edge_of is not None:
                    (key,) = out
                    out[key] = max(out[key], edge_of) if latest else min(out[key], edge_of)
        return out

    def _live(self) -> float | None:
        seen, api = self.seen, self.seen.api
        servers = [m for m in seen.machines if m.role == "livekit"]
        now = seen.live if seen.live is not None or api is None else api.asked_at + (api.skew or 0.0)
        if now is None or (servers and not any(m.state == "running" for m in servers)):
            return None
        return now if seen.until is None else min(now, seen.until)

    def _skew(self, log: WorkerLog) -> float | None:
        """How far this worker's clock is ahead of the server's, in seconds, from lines that both have."""
        differences: list[float] = []
        for worker_id in log.workers:
            w = self.story.workers[worker_id]
            if w.registered is not None and w.ours_at is not None:
                differences.append(w.ours_at - w.registered)
        if len(differences) < 3:
            for room in self.story.rooms.values():
                for job in room.jobs:
                    said = log.requests.get(job.id)
                    if said is not None and said.at is not None and job.at is not None:
                        differences.append(said.at - job.at)
                if len(differences) > 20:
                    break
        return median(differences) if differences else None

    def when(self, log: WorkerLog, said: Said) -> float | None:
        """A worker's line on the server's clock; None when it has no date or no zone that could be found out."""
        if said.at is None:
            return None
        skew = self.skew[(log.source, log.service)]
        if skew is None:
            return None if log.naive else said.at
        return said.at - skew

    def version(self, group: int, at: float | None = None) -> str:
        """The server's version at that time ("" when no start was seen)."""
        versions = [v for t, v, _ in self.starts.get(group, ()) if at is None or t <= at]
        return versions[-1] if versions else ""

    def restarted(self, group: int, begin: float, end: float) -> bool:
        """Whether the server started anew after `begin` and not after `end`: what it knew before is gone."""
        return any(begin < t <= end for t, _, _ in self.starts.get(group, ()))

    def reaches_start(self, group: int, at: float | None) -> bool:
        """Whether the log shows the server's own start before this time, so that no registration can be missing."""
        return any(at is None or t <= at for t, _, _ in self.starts.get(group, ()))

    def host(self, worker: Worker) -> int:
        """The stream of the server that knew this worker, by a line of its own or by the node that the worker names."""
        if worker.stream >= 0 or not worker.node:
            return worker.stream
        return next((i for i, nodes in enumerate(self.story.stream_nodes) if worker.node in nodes), -1)

    def group_of(self, worker: Worker) -> int | None:
        """The node group that knew this worker."""
        host = self.host(worker)
        return self.group[host] if host >= 0 else None

    def begun(self, worker: Worker) -> float | None:
        """When this worker registered: as the server says, or else the worker, on the server's clock."""
        if worker.registered is not None or worker.ours_at is None:
            return worker.registered
        log = self.log_of[worker.id]
        skew = self.skew[(log.source, log.service)]
        return worker.ours_at - skew if skew is not None else None if log.naive else worker.ours_at

    def alive(self, worker: Worker, at: float) -> bool:
        """Whether the server knew this worker at that time."""
        begun, group = self.begun(worker), self.group_of(worker)
        if group is None or (begun is not None and begun > at) or (worker.gone is not None and worker.gone <= at):
            return False
        return begun is None or not self.restarted(group, begun, at)

    def at(self, at: float, group: int | None = None) -> list[Worker]:
        """The workers that were registered at that time, with the node group if one is given."""
        return [w for w in self.registered if (group is None or self.group_of(w) == group) and self.alive(w, at)]

    def types(self, name: str | None, at: float | None = None) -> set[str]:
        """The job types of the workers of that name; those alive at the time where there are any."""
        known = self._typed.get(name, [])
        types = {w.type for w in known}
        if len(types) > 1 and at is not None:
            types = {w.type for w in known if w.mark >= 0 and self.alive(w, at)} or types
        if not types:
            types = {e.worker_type for e in self.seen.endpoints if e.agent_name == name and e.worker_type}
        if not types:
            types = {w.job_type for w in self.seen.setup.workers if w.agent_name == name and w.job_type}
        return types

    def lost(self, name: str, at: float, within: float = CHECK_CACHE) -> tuple[float, int] | None:
        """When and in which line the last worker of that name went, if not more than `within` seconds before."""
        found = [
            (t, mark)
            for t, n, _type, mark, _stream in self.story.gone
            if n == name and t is not None and at - within <= t <= at
        ]
        return max(found) if found else None
