"""Everything seen → the workers there are now: what each is, how busy it is, and where it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.livekit.pool import Pool

if TYPE_CHECKING:
    from bot.livekit.seen import Endpoint, Machine, Seen
    from bot.livekit.story import Worker

_REGISTERED: Final = "registered"
_ANSWERS: Final = "answers, registration not seen"


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

    @property
    def there(self) -> bool:
        """Whether it is known to work: it is registered, or answers."""
        return self.state in {_REGISTERED, _ANSWERS}


@dataclass(slots=True)
class _Place:
    """One worker as far as it is put together: its container, its endpoint, its registration."""

    machine: Machine | None = None
    endpoint: Endpoint | None = None
    worker: Worker | None = None


def workers_now(seen: Seen) -> tuple[Present, ...]:
    """The workers that are registered at the end of what was seen, and containers and endpoints that show one; pure."""
    seen.story.settle()
    pool = Pool(seen)
    alive = [w for w in seen.story.workers.values() if _alive(pool, w, seen)]
    alive.sort(key=lambda w: (w.name or "", w.registered or w.ours_at or 0.0))
    busy = _jobs(seen)
    rows, rest = [], []
    for place in _places(seen, alive):
        if place.worker is not None:
            rows.append(_registered(place.worker, seen, place.machine, place.endpoint, busy.get(place.worker.id, 0)))
        elif place.endpoint is not None:
            rest.append(_by_endpoint(place.endpoint, place.machine))
        elif place.machine is not None:
            rest.append(_by_machine(place.machine))
    return (*rows, *rest)


def _places(seen: Seen, alive: list[Worker]) -> list[_Place]:
    """Who belongs to what: by the container that a log and an endpoint are of, else by a name that only one can mean."""
    machines = [m for m in seen.machines if m.role == "agent"]
    asked = {e.container: e for e in seen.endpoints if e.container}
    at = {f"docker logs {m.name}": _Place(m, asked.get(m.name)) for m in machines}
    told: list[_Place] = []
    for worker in alive:
        home = at.pop(_log(worker, seen), None) or _Place()
        home.worker = worker
        told.append(home)
    # Whose log shows how it began would show that it registered.
    begun = {seen.logs[log.source].name for log in seen.story.logs.values() if log.fresh}
    silent = [p for log, p in at.items() if p.machine and p.machine.state == "running" and log not in begun]
    loose = [_Place(endpoint=e) for e in seen.endpoints if e.container not in {m.name for m in machines}]
    spare: list[_Place] = []
    for name in {w.name for w in alive}:
        own = [p for p in told if p.worker and p.worker.name == name]
        spare += _joined([p for p in own if p.endpoint is None], _named(loose, name))
        spare += _joined([p for p in own if p.machine is None], _named(silent, name))
    unnamed = [p for p in silent if p.endpoint is None]
    spare += _joined([p for p in told if p.machine is None], unnamed)
    return [*told, *(p for p in (*at.values(), *loose) if not any(p is one for one in spare))]


def _named(places: list[_Place], name: str | None) -> list[_Place]:
    return [p for p in places if p.endpoint is not None and p.endpoint.agent_name == name]


def _joined(workers: list[_Place], shown: list[_Place]) -> list[_Place]:
    """Those of `shown` that are workers told already: of one each it is clear whose it is, of several only their number."""
    if len(workers) == len(shown) == 1:
        worker, one = workers[0], shown[0]
        worker.endpoint, worker.machine = worker.endpoint or one.endpoint, worker.machine or one.machine
    return shown[: len(workers)]


def _log(worker: Worker, seen: Seen) -> str:
    """The name of its own log; "" when only the server tells of it."""
    return seen.logs[worker.source].name if 0 <= worker.source < len(seen.logs) else ""


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


def _registered(worker: Worker, seen: Seen, machine: Machine | None, endpoint: Endpoint | None, jobs: int) -> Present:
    where, log = [], _log(worker, seen)
    if worker.mark >= 0:
        source, line, _ = seen.story.ledger.where(worker.mark)
        where.append(f"{seen.logs[source].name}:{line}")
    if worker.ours_mark >= 0:
        where.append(f"{log}:{seen.story.ledger.where(worker.ours_mark)[1]}")
    if machine is not None:
        where.append(machine.place.source)
    if endpoint is not None:
        where.append(endpoint.place.source)
    state = machine.state if machine is not None and machine.state != "running" else _REGISTERED
    return Present(
        worker.name, worker.type or (endpoint.worker_type if endpoint else ""), worker.id,
        worker.deployment if worker.deployment is not None else endpoint.deployment if endpoint else None,
        worker.sdk or (endpoint.sdk_version if endpoint else "") or None, state,
        worker.registered if worker.registered is not None else worker.ours_at,
        max(jobs, endpoint.active_jobs) if endpoint else jobs, endpoint.load if endpoint else None, tuple(where),
    )  # fmt: skip


def _by_endpoint(e: Endpoint, m: Machine | None) -> Present:
    """A worker that answers and of which no registration is shown."""
    where = (m.place.source, e.place.source) if m is not None else (e.place.source,)
    return Present(
        e.agent_name, e.worker_type, None, e.deployment, e.sdk_version or None, _ANSWERS, m.started if m else None, e.active_jobs, e.load, where,
    )  # fmt: skip


def _by_machine(m: Machine) -> Present:
    """A worker's container of which no registration is shown."""
    state = f"{m.state}, exit code {m.exit_code}" if m.state != "running" else "running, registration not seen"
    if m.restarts:
        state += f", {m.restarts} restart{'s' if m.restarts != 1 else ''}"
    return Present(None, "", None, None, None, state, m.started, None, None, (m.place.source,))
