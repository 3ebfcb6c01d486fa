"""Everything seen → the workers there are now: what each is, how busy it is, and where it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.livekit.pool import Pool

if TYPE_CHECKING:
    from bot.livekit.seen import Endpoint, Machine, Seen
    from bot.livekit.story import Worker


@dataclass(frozen=True, slots=True)
class Present:
    """One worker as it is now; None is what nothing tells.

    `name` is "" for automatic dispatch. `jobs` counts the jobs it has now. `load` is the share that it reports itself:
    only Python's endpoint tells it, Node's does not. `seen_in` names the sources that show it.
    """

    name: str | None
    type: str
    id: str | None
    deployment: str | None
    sdk: str | None
    state: str
    since: float | None
    jobs: int | None
    load: float | None
    seen_in: tuple[str, ...]


def workers_now(seen: Seen) -> tuple[Present, ...]:
    """The workers that are registered at the end of what was seen, and containers and endpoints that show one; pure."""
    seen.story.settle()
    pool = Pool(seen)
    alive = [w for w in seen.story.workers.values() if _alive(pool, w, seen)]
    busy = _jobs(seen)
    endpoints = list(seen.endpoints)
    machines = [m for m in seen.machines if m.role == "agent"]
    rows = []
    for worker in sorted(alive, key=lambda w: (w.name or "", w.registered or w.ours_at or 0.0)):
        log = seen.logs[worker.source].name if 0 <= worker.source < len(seen.logs) else ""
        machine = next((m for m in machines if log.endswith(f" {m.name}")), None)
        only = sum(w.name == worker.name for w in alive) == 1
        endpoint = next((e for e in endpoints if only and e.agent_name == worker.name), None)
        if machine is not None:
            machines.remove(machine)
        if endpoint is not None:
            endpoints.remove(endpoint)
        rows.append(_registered(worker, log, seen, machine, endpoint, busy.get(worker.id, 0)))
    rows += [_by_endpoint(e) for e in endpoints]
    rows += [_by_machine(m) for m in machines if not endpoints]
    return tuple(rows)


def _alive(pool: Pool, worker: Worker, seen: Seen) -> bool:
    """Whether nothing tells that this registration has ended: of one container's log the last counts."""
    if worker.gone is not None:
        return False
    log = pool.log_of.get(worker.id)
    if log is not None and log.workers[-1] != worker.id:
        return False  # it has registered anew
    begun, group = pool.begun(worker), pool.group_of(worker)
    if group is None:
        return worker.ours and not _known_to_server(seen)
    return begun is None or not pool.restarted(group, begun, float("inf"))


def _known_to_server(seen: Seen) -> bool:
    """Whether a server's log shows registrations at all, so that one that it does not show is somewhere else's."""
    return any(w.registered is not None for w in seen.story.workers.values())


def _jobs(seen: Seen) -> dict[str, int]:
    """By worker: how many of the jobs that were given to it have not ended, in rooms that are not closed."""
    found: dict[str, int] = {}
    for room in seen.story.rooms.values():
        for job in room.jobs:
            if job.ended is None and room.closed is None:
                found[job.worker] = found.get(job.worker, 0) + 1
    return found


def _registered(
    worker: Worker, log: str, seen: Seen, machine: Machine | None, endpoint: Endpoint | None, jobs: int
) -> Present:
    where = []
    if worker.mark >= 0:
        source, line, _ = seen.story.ledger.where(worker.mark)
        where.append(f"{seen.logs[source].name}:{line}")
    if worker.ours_mark >= 0:
        where.append(f"{log}:{seen.story.ledger.where(worker.ours_mark)[1]}")
    if machine is not None:
        where.append(machine.place.source)
    if endpoint is not None:
        where.append(endpoint.place.source)
    state = machine.state if machine is not None and machine.state != "running" else "registered"
    return Present(
        worker.name, worker.type or (endpoint.worker_type if endpoint else ""), worker.id,
        worker.deployment if worker.deployment is not None else endpoint.deployment if endpoint else None,
        worker.sdk or (endpoint.sdk_version if endpoint else "") or None, state,
        worker.registered if worker.registered is not None else worker.ours_at,
        max(jobs, endpoint.active_jobs) if endpoint else jobs, endpoint.load if endpoint else None, tuple(where),
    )  # fmt: skip


def _by_endpoint(e: Endpoint) -> Present:
    return Present(
        e.agent_name, e.worker_type, None, e.deployment, e.sdk_version or None, "answers, registration not seen", None, e.active_jobs,
        e.load, (e.place.source,),
    )  # fmt: skip


def _by_machine(m: Machine) -> Present:
    """A worker's container of which no registration is shown."""
    state = f"{m.state}, exit code {m.exit_code}" if m.state != "running" else "running, registration not seen"
    if m.restarts:
        state += f", {m.restarts} restart{'s' if m.restarts != 1 else ''}"
    return Present(None, "", None, None, None, state, m.started, None, None, (m.place.source,))
