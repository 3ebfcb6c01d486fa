"""Who was there when: nodes, clocks, and the workers that a server knew at a given moment."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bot.livekit.versions import CHECK_CACHE

if TYPE_CHECKING:
    from bot.livekit.seen import Seen
    from bot.livekit.story import Said, Worker, WorkerLog

_NEVER = float("inf")


class Pool:
    """An index over a story's workers, by node group and time."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.story = seen.story
        self.group = self._groups()
        self.now = self._edges(latest=True)
        self.begin = self._edges(latest=False)
        self.starts: dict[int, list[tuple[float, str, int]]] = {}
        for at, stream, version, mark in self.story.starts:
            self.starts.setdefault(self.group[stream], []).append((at if at is not None else -_NEVER, version, mark))
        for begun in self.starts.values():
            begun.sort()
        self.skew = {key: self._skew(log) for key, log in self.story.logs.items()}
        self.registered = [w for w in self.story.workers.values() if w.mark >= 0 or w.served or w.gone_mark >= 0]
        self.names = {w.name for w in [*self.registered, *self.story.anonymous] if w.name is not None}
        self.log_of: dict[str, WorkerLog] = {w: log for log in self.story.logs.values() for w in log.workers}
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

        for i in range(count):
            for j in range(i):
                nodes_i, nodes_j = story.stream_nodes[i], story.stream_nodes[j]
                if nodes_i & nodes_j:
                    group[find(i)] = find(j)
                    continue
                span_i, span_j = story.stream_span[i], story.stream_span[j]
                apart = not span_i or not span_j or span_i[0] >= span_j[1] or span_j[0] >= span_i[1]
                if (not nodes_i or not nodes_j) and count > 1:
                    # A piece that names no node belongs to the one server there is; among several it stays alone.
                    named = {find(k) for k in range(count) if story.stream_nodes[k]}
                    if len(named) <= 1:
                        group[find(i)] = find(j)
                elif apart and story.streams[i][1] == story.streams[j][1]:
                    group[find(i)] = find(j)
        return [find(i) for i in range(count)]

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
        return out

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

    def alive(self, worker: Worker, at: float) -> bool:
        """Whether the server knew this worker at that time."""
        if worker.registered is not None and worker.registered > at:
            return False
        if worker.gone is not None and worker.gone <= at:
            return False
        if worker.stream < 0:
            return False
        return worker.registered is None or not self.restarted(self.group[worker.stream], worker.registered, at)

    def at(self, at: float, group: int | None = None) -> list[Worker]:
        """The workers that were registered at that time, with the node group if one is given."""
        return [
            w
            for w in self.registered
            if w.stream >= 0 and (group is None or self.group[w.stream] == group) and self.alive(w, at)
        ]

    def types(self, name: str | None, at: float | None = None) -> set[str]:
        """The job types of the workers of that name; those alive at the time where there are any."""
        known = [w for w in [*self.registered, *self.story.anonymous] if w.name == name and w.type]
        living = [w for w in known if at is not None and w.stream >= 0 and w.mark >= 0 and self.alive(w, at)]
        types = {w.type for w in living or known}
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
