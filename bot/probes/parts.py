"""The parts of what runs that `stack-health` looks at: what one look saw of each, in a sentence, and what mends it."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from bot.doctor import reach, traps
from bot.errors import FletcherError
from bot.evidence.addresses import elsewhere
from bot.evidence.files import LogFile
from bot.evidence.sources import ABSENT
from bot.livekit.lines import Tally, records
from bot.livekit.setup import Setup
from bot.livekit.versions import QUIET
from bot.probes.disk import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.doctor.found import Check, Found
    from bot.evidence.containers import Container
    from bot.evidence.docker import Engine
    from bot.evidence.live import Live, Watched
    from bot.runbook.document import HealthPart
    from bot.settings import Target

Light = Literal["green", "red", "unknown"]
_RECENT: Final = 600.0  # seconds for which a restart, or memory that ran out, is trouble
_GONE: Final = 86400.0  # seconds after which a service that has no container any more is not missed
_SHORT, _LONG = 300, 50_000  # the last lines of a server's log that are read for its level: at first, and if none tells


@dataclass(frozen=True, slots=True)
class Part:
    """What one look says of one part."""

    name: HealthPart
    light: Light
    says: str
    mend: str = ""


class Before(Struct, frozen=True, array_like=True):
    """How a container was: its restarts, whether memory had run out, and when either last became more."""

    restarts: int = 0
    oom: bool = False
    worse_at: float = 0.0


class Memory(Struct):
    """What earlier looks saw: containers by id, services and when they were last there, endpoints that answered, logs that show level info."""

    containers: dict[str, Before] = {}
    services: dict[str, float] = {}
    answered: list[str] = []
    informed: list[str] = []


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: what was reached, and the memory as it becomes."""

    live: Live
    watched: Watched
    found: Found
    memory: Memory
    target: Target
    data: Path | None


def _containers(seen: Seen) -> Iterator[Part]:
    if seen.watched.trouble:
        gone = seen.watched.down and bool(seen.memory.services)
        yield Part("containers", "red" if gone else "unknown", seen.watched.trouble)
        return
    now, before, after = seen.live.at, seen.memory.containers, dict[str, Before]()
    there = seen.found.containers
    for one in there:
        was = before.get(one.id, Before(one.restarts, one.oom_killed))
        worse = one.restarts > was.restarts or (one.oom_killed and not was.oom)
        after[one.id] = Before(one.restarts, one.oom_killed, now if worse else was.worse_at)
        yield _container(one, now - after[one.id].worse_at)
    services = {one.service for one in there}
    known = {name: at for name, at in seen.memory.services.items() if now - at < _GONE}
    for service in sorted({*known} - services):
        yield Part("containers", "red", f"The service {service} has no container any more.", f"`docker compose up --detach {service}`")  # fmt: skip
    if not there:
        yield Part("containers", "unknown", "No container of a LiveKit server or a worker is known.")
    seen.memory.containers = after
    seen.memory.services = {**known, **dict.fromkeys(services, now)}


def _container(one: Container, ago: float) -> Part:
    logs = f"`docker logs --tail 50 {one.name}` says why"
    told = traps.container(one)
    if told.status == "bad":
        return Part("containers", "red", told.sentence, told.mend)
    if one.health == "unhealthy":
        return Part("containers", "red", f"Container {one.name} runs, and its health check fails.", logs)
    if ago < _RECENT and one.oom_killed:
        mend = "give it more memory (`mem_limit` in the compose file), or fewer sessions"
        return Part("containers", "red", f"Container {one.name} ran out of memory {ago / 60:.0f} min ago.", mend)
    if ago < _RECENT:
        return Part("containers", "red", f"Container {one.name} was restarted {ago / 60:.0f} min ago, {one.restarts} times in all.", logs)  # fmt: skip
    return Part("containers", "green", f"Container {one.name} is running{' and healthy' if one.health == 'healthy' else ''}.")  # fmt: skip


def _workers(seen: Seen) -> Iterator[Part]:
    answered = {end.container or end.place.source for end in seen.live.endpoints}
    for end in seen.live.endpoints:
        who = end.agent_name or "without a name"
        yield Part("workers", "green", f"The worker {who} answers at {end.place.source}, with {end.active_jobs} jobs.")
    silent = [s for s in seen.live.sources if s.kind == ABSENT and s.name.startswith("worker endpoint of ")]
    for source in silent:
        name = source.name.removeprefix("worker endpoint of ")
        sure = bool(seen.target.worker_endpoint) or name in seen.memory.answered
        yield Part("workers", "red" if sure else "unknown", f"The worker's endpoint does not answer: {source.note}", "set worker_endpoint in fletcher.toml to where it listens, or see the worker's log")  # fmt: skip
    if not answered and not silent:
        away = seen.watched.trouble
        yield Part(
            "workers", "unknown", away or "No worker's endpoint is known.", "set worker_endpoint in fletcher.toml"
        )
    seen.memory.answered = sorted({*seen.memory.answered, *answered})[-50:]


def _api(seen: Seen) -> Iterator[Part]:
    own = seen.found.api_kind in {"address", "keys"}  # what is missing is Fletcher's own setting
    checks = [c for c in (*reach.livekit(seen.found), *reach.keys(seen.found)) if c.name != "livekit-url" or c.mend]
    if any(c.status == "bad" for c in checks):
        checks = [c for c in checks if c.status == "bad"]
    for check in checks:
        yield Part("api", "unknown" if own and check.status == "bad" else _light(check), check.sentence, check.mend)


def _light(check: Check) -> Light:
    lights: dict[str, Light] = {"ok": "green", "bad": "red"}
    return lights.get(check.status, "unknown")


def _clock(seen: Seen) -> Iterator[Part]:
    checks = list(reach.clocks(seen.found))
    for check in checks:
        yield Part("clock", "red" if check.status == "warn" else _light(check), check.sentence, check.mend)
    if not checks:
        yield Part("clock", "unknown", "Neither the engine nor the server could be asked for the time.")


def _log_level(seen: Seen) -> Iterator[Part]:
    servers = [c for c in seen.live.attached.livekit if c.running] if seen.live.attached else []
    if seen.watched.trouble or seen.live.docker is None or not servers:
        yield Part("log-level", "unknown", seen.watched.trouble or "No log of a LiveKit server can be read.")
        return
    marks = {f"{one.id[:12]}@{one.started or 0:.0f}": one for one in servers}
    levels, informed = [], [mark for mark in seen.memory.informed if mark in marks]
    for mark, one in marks.items():
        level = "info" if mark in informed else _level(seen.live.docker, one)
        if level == "info":
            informed = list(dict.fromkeys([*informed, mark]))
        if level:
            levels.append((level, one.name))
    seen.memory.informed = informed
    for check in traps.log_level(replace(seen.found, log_levels=tuple(levels), setup=_setup(seen, levels))):
        yield Part("log-level", _light(check), check.sentence, check.mend)


def _level(engine: Engine, server: Container) -> str:
    """The lowest level that its log shows; "" where that does not tell."""
    tally = Tally()
    with suppress(FletcherError):  # a log that cannot be read does not tell
        for number in (_SHORT, _LONG):
            lines = list(engine.log(server, tail=number))
            log = LogFile(server.name, io.BytesIO(b"\n".join([*lines, b""])))
            for _ in records(log.chunks(), tally):
                pass
            if tally.levels - QUIET:
                return "info"
            if len(lines) < number:
                break
        return "warn" if tally.levels else ""
    return ""


def _setup(seen: Seen, levels: list[tuple[str, str]]) -> Setup:
    """What the server's configuration says, where its log does not tell."""
    attached = seen.live.attached
    path = Path(attached.livekit_config) if attached and attached.livekit_config else None
    if levels or path is None or not path.is_file():
        return Setup()
    from bot.evidence.project import read_livekit_config

    with suppress(FletcherError):
        return Setup(server=(read_livekit_config(path),))
    return Setup()


def _disk(seen: Seen) -> Iterator[Part]:
    engine, trouble = seen.live.engine, seen.watched.trouble
    root = engine.root if engine is not None else ""
    if trouble or engine is None or not root:
        yield Part("disk", "unknown", trouble or "The engine does not tell where it keeps its data.")
    elif (host := elsewhere(engine.address)) or seen.watched.inside or not Path(root).exists():
        where = f"on {host}" if host else "elsewhere"
        yield Part(
            "disk", "unknown", f"The engine keeps its data {where}, so that its disk cannot be looked at from here."
        )
    else:
        yield _on_disk(Path(root), "`docker system df` says what takes it, `docker system prune` gives back what nothing uses")  # fmt: skip
    if seen.data is not None:
        yield _on_disk(seen.data, "make room, or set FLETCHER_HOME to another disk")


def _on_disk(path: Path, mend: str) -> Part:
    told = disk(path)
    says = f"{told.says[0].upper()}{told.says[1:]}."
    if told.full is None:
        return Part("disk", "unknown", says)
    return Part("disk", "red", says, mend) if told.full else Part("disk", "green", says)


PARTS: Final[dict[HealthPart, Callable[[Seen], Iterator[Part]]]] = {
    "containers": _containers,
    "workers": _workers,
    "api": _api,
    "clock": _clock,
    "log-level": _log_level,
    "disk": _disk,
}
