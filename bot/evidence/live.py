"""Look at what runs: the engine's containers and their logs, the LiveKit API, the workers' endpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bot.errors import FletcherError, NothingFound, Unreachable
from bot.evidence.sources import ABSENT, Source
from bot.livekit.seen import ApiSeen, Machine
from bot.livekit.setup import Place, Setup

if TYPE_CHECKING:
    from contextlib import ExitStack

    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container
    from bot.evidence.docker import Engine, EngineInfo
    from bot.evidence.files import LogFile
    from bot.livekit.seen import Endpoint
    from bot.settings import Target

BACK: Final = 15 * 60.0  # seconds back from now that are looked at when nothing else is said
_WORKER_PORT: Final = 8081  # of a worker that runs with `start`, unless it is set otherwise
_SERVER_PORT: Final = 7880
BY_PORT: Final = "the port that its container publishes"
_SKEW: Final = 2.0  # seconds between two clocks that are worth a word
_ENDPOINT_TIMEOUT: Final = 1.5  # seconds
_MARKS: Final = ("package.json", "pyproject.toml", "requirements.txt", "docker-compose.yml", "compose.yaml", "compose.yml", "docker-compose.yaml")  # fmt: skip
WAYS: Final = (
    "files: `fletcher diagnose livekit.log agent.log --room NAME`, or paste lines into `fletcher diagnose -`",
    "a recorded incident: `fletcher demo`",
    "what runs: `fletcher diagnose --compose-project NAME` where Docker runs, LIVEKIT_URL and keys set (docs/attach.md)",
)


@dataclass(frozen=True, slots=True)
class Live:
    """What was seen of what runs, at `at` (epoch seconds, by the clock of the engine that dates the logs).

    `logs` are open; `of_agents` names those that are workers' logs. `engine` and `attached` are None without Docker.
    """

    at: float
    logs: tuple[LogFile, ...] = ()
    of_agents: frozenset[str] = frozenset()
    api: ApiSeen | None = None
    machines: tuple[Machine, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    setup: Setup = field(default_factory=Setup)
    folder: str = ""
    sources: tuple[Source, ...] = ()
    engine: EngineInfo | None = None
    attached: Attached | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was found that says anything."""
        return not (
            self.logs or self.api or self.endpoints or self.setup.workers or self.setup.dispatchers or self.machines
        )


class Reached(NamedTuple):
    """An engine that answered, what it says of itself, and what was attached to; None is what is not there."""

    engine: Engine | None
    info: EngineInfo | None
    attached: Attached | None


def look_live(target: Target, rooms: tuple[str, ...], opened: ExitStack, *, here: Path) -> Live:
    """Ask everything that runs; what does not answer is a source of kind `ABSENT`. Logs are closed with `opened`.

    Raises UsageError where it must be said which project or service is meant.
    """
    from concurrent.futures import ThreadPoolExecutor

    sources: list[Source] = []
    engine, info, attached = reach(target, here, opened, sources)
    at = info.now if info is not None else time.time()
    with ThreadPoolExecutor(8) as pool:
        api = pool.submit(ask_api, target, attached, rooms, sources)
        endpoints = [pool.submit(_endpoint, address, name, sources) for address, name in addresses(target, attached)]
        logs = [
            pool.submit(_log, engine, container, at, sources)
            for container in (*attached.livekit, *attached.agents)
            if engine is not None
        ] if attached is not None else []  # fmt: skip
        setup, folder = read_folder(target, attached, here, sources)
        read = [log for future in logs if (log := future.result()) is not None]
        for log in read:
            opened.callback(log.close)
        told = [e for future in endpoints if (e := future.result()) is not None]
        seen = api.result()
    machines = machines_of(attached)
    agents = {f"docker logs {c.name}" for c in attached.agents} if attached else set()
    return Live(
        at, tuple(read), frozenset(agents), seen, machines, tuple(told), setup, folder, tuple(sources), info, attached,
    )  # fmt: skip


def nothing(live: Live) -> NothingFound:
    """What to say when there is nothing to look at."""
    looked = tuple(f"{s.name}: {s.note or s.kind}" for s in live.sources)
    return NothingFound("found nothing that runs to look at; the three shortest ways on:", looked, WAYS)


def reach(target: Target, here: Path, opened: ExitStack, sources: list[Source]) -> Reached:
    """The engine, if one answers, and what of it is the server's and the workers'. Raises UsageError as `attach`."""
    from bot.evidence.attach import attach
    from bot.evidence.docker import connect

    engine = info = None
    try:
        engine = opened.enter_context(connect(target))
        info = engine.info()
        attached = attach(engine.containers(), target, here)
    except Unreachable as problem:
        sources.append(Source("Docker", ABSENT, note=str(problem)))
        return Reached(engine, info, None)
    clock = [f"its clock is {info.skew:+.0f} s ahead of this machine's"] if abs(info.skew) > _SKEW else []
    note = "; ".join([*clock, *attached.notes])
    sources.append(Source(f"Docker {info.version} ({engine.told})", f"compose project {attached.project}", note=note))
    return Reached(engine, info, attached)


def _log(engine: Engine, container: Container, now: float, sources: list[Source]) -> LogFile | None:
    from bot.evidence.spool import spooled

    try:
        log = spooled(engine, container)
    except Unreachable as problem:
        sources.append(Source(f"docker logs {container.name}", ABSENT, note=str(problem)))
        return None
    log.note = "; ".join(part for part in (log.note, _remade(container, now)) if part)
    return log


def _remade(container: Container, now: float) -> str:
    """What to say of a container that is younger than the time looked at: an earlier one's log is gone with it."""
    if container.created is None or now - container.created > BACK:
        return ""
    made = time.strftime("%H:%M:%SZ", time.gmtime(container.created))
    return f"this container was made at {made}: an earlier one's log is lost"


def ask_api(target: Target, attached: Attached | None, rooms: tuple[str, ...], sources: list[Source]) -> ApiSeen | None:
    """What the LiveKit API tells, at the address that is set or else where the server's container listens."""
    from bot.evidence.livekit_api import ask

    url = target.livekit_url or _published(attached)
    try:
        seen = ask(replace(target, livekit_url=url), rooms=rooms)
    except FletcherError as problem:
        sources.append(Source("LiveKit API", ABSENT, note=str(problem)))
        return None
    origin = target.origin("livekit_url") or BY_PORT
    told = f"{len(seen.rooms)} room{'s' if len(seen.rooms) != 1 else ''} alive; address from {origin}"
    sources.append(Source(f"LiveKit API {url}", "API", note="; ".join((told, *seen.unread))))
    return seen


def _endpoint(address: str, name: str, sources: list[Source]) -> Endpoint | None:
    from bot.evidence import worker_http

    try:
        found = worker_http.ask(address, _ENDPOINT_TIMEOUT)
    except FletcherError as problem:
        sources.append(Source(f"worker endpoint of {name}", ABSENT, note=str(problem)))
        return None
    sources.append(Source(found.place.source, "worker endpoint", records=1))
    return replace(found, container=name)


def _published(attached: Attached | None) -> str:
    """The server's address on this machine, if its container publishes its port; "" otherwise."""
    for container in attached.livekit if attached else ():
        for inside, host, outside in container.ports:
            if inside == _SERVER_PORT and outside:
                return f"ws://{'127.0.0.1' if host in {'', '0.0.0.0', '::'} else host}:{outside}"  # noqa: S104  # an address that is read
        if container.network_mode == "host":
            return f"ws://127.0.0.1:{_SERVER_PORT}"
    return ""


def addresses(target: Target, attached: Attached | None) -> list[tuple[str, str]]:
    """Where workers can be asked, each with whose it is: where it is set, else where their containers listen."""
    if target.worker_endpoint:
        return [(target.worker_endpoint, target.worker_endpoint)]
    found = []
    for container in attached.agents if attached else ():
        if container.state != "running":
            continue
        published = [(host, outside) for inside, host, outside in container.ports if inside == _WORKER_PORT and outside]
        if published:
            host, port = published[0]
            at = "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104  # an address that is read
            found.append((f"http://{at}:{port}", container.name))
        elif container.network_mode == "host":
            found.append((f"http://127.0.0.1:{_WORKER_PORT}", container.name))
        elif container.ips:
            found.append((f"http://{container.ips[0]}:{_WORKER_PORT}", container.name))
    return found


def read_folder(target: Target, attached: Attached | None, here: Path, sources: list[Source]) -> tuple[Setup, str]:
    """The source and configuration that belong to what runs; none where their folder is not on this machine."""
    given = target.project or (attached.working_dir if attached else "")
    folder = Path(given) if given else here
    if not given and not any((folder / mark).is_file() for mark in _MARKS):
        sources.append(Source("project", ABSENT, note="no compose file, package.json or pyproject.toml in this folder"))
        return Setup(), ""
    if not folder.is_dir():
        sources.append(
            Source("project", ABSENT, note=f"its folder {folder} is not on this machine; give it with --project")
        )
        return Setup(), ""
    from bot.evidence.project import read_project

    try:
        setup = read_project(folder)
    except FletcherError as problem:
        sources.append(Source("project", ABSENT, note=str(problem)))
        return Setup(), ""
    parts = f"{len(setup.workers)} worker(s), {len(setup.dispatchers)} dispatching place(s)"
    sources.append(Source(str(folder), "project", records=len(setup.workers) + len(setup.dispatchers), note=parts))
    return setup, str(folder)


def machines_of(attached: Attached | None) -> tuple[Machine, ...]:
    """The containers of server and workers, as a verdict can cite them."""
    if attached is None:
        return ()
    roles: tuple[tuple[str, tuple[Container, ...]], ...] = (("livekit", attached.livekit), ("agent", attached.agents))
    return tuple(_machine(container, role) for role, containers in roles for container in containers)


def _machine(c: Container, role: str) -> Machine:
    words = [c.state, *([f"health {c.health}"] if c.health else []), f"{c.restarts} restarts"]
    if c.state != "running":
        words += [f"exit code {c.exit_code}", *(["out of memory"] if c.oom_killed else [])]
    place = Place(f"docker inspect {c.name}", 1, ", ".join(words))
    return Machine(
        "livekit" if role == "livekit" else "agent", c.service, c.name, c.state, c.health, c.exit_code, c.oom_killed, c.restarts, c.created,
        c.started, c.finished, place,
    )  # fmt: skip
