"""Look at what runs: the engine's containers and their logs, the LiveKit API, the workers' endpoints, the project."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from bot.errors import FletcherError, NothingFound, Unreachable, UsageError
from bot.evidence.addresses import BY_PORT, elsewhere, server_address, worker_addresses
from bot.evidence.sources import ABSENT, Source
from bot.evidence.together import together
from bot.livekit.machines import state_of
from bot.livekit.seen import ApiSeen, Machine, MachineEvent
from bot.livekit.setup import Place, Setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container
    from bot.evidence.docker import Engine, EngineInfo, Event
    from bot.evidence.files import LogFile
    from bot.evidence.project import Project
    from bot.evidence.spool import Spool
    from bot.livekit.seen import Endpoint
    from bot.settings import Target

BACK: Final = 15 * 60.0  # seconds back from now that are looked at when nothing else is said
_SKEW: Final = 2.0  # seconds between two clocks that are worth a word
_ENDPOINT_TIMEOUT: Final = 1.5  # seconds
_CLOCK: Final = 10.0  # seconds after which the engine's clock is looked at again
_SPOOL: Final = 16 << 20  # bytes of a log beyond which what is older than the window is given up
_REMEMBERED: Final = 2 * BACK  # seconds that an event is kept
_ID: Final = 12  # letters of a container's id that are its host name
_COMPACTED: Final = 60.0  # seconds at least between two such times
_MARKS: Final = ("package.json", "pyproject.toml", "requirements.txt", "docker-compose.yml", "compose.yaml", "compose.yml", "docker-compose.yaml")  # fmt: skip
WAYS: Final = (
    "files: `fletcher diagnose livekit.log agent.log --room NAME`, or paste lines into `fletcher diagnose -`",
    "a recorded incident: `fletcher demo`",
    "what runs: `fletcher diagnose --compose-project NAME` where Docker runs, LIVEKIT_URL and keys set (docs/attach.md)",
)


@dataclass(frozen=True, slots=True)
class Live:
    """What was seen of what runs, at `at` (epoch seconds, by the clock of whoever dates the logs).

    `logs` are open. `secrets` are texts to be masked wherever they turn up. `engine` and `attached` are None without
    Docker; `docker` is the engine itself, which can be asked for as long as the logs are open, None when it is away.
    """

    at: float
    logs: tuple[LogFile, ...] = ()
    api: ApiSeen | None = None
    machines: tuple[Machine, ...] = ()
    events: tuple[MachineEvent, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    setup: Setup = field(default_factory=Setup)
    folder: str = ""
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    sources: tuple[Source, ...] = ()
    engine: EngineInfo | None = None
    attached: Attached | None = None
    projects: tuple[Project, ...] = ()
    docker: Engine | None = field(default=None, repr=False)

    @property
    def empty(self) -> bool:
        """Whether nothing was found that says anything."""
        told = (self.logs, self.api, self.endpoints, self.setup.workers, self.setup.dispatchers, self.machines)
        return not any(told)


def look_live(target: Target, rooms: tuple[str, ...], opened: ExitStack, *, here: Path) -> Live:
    """Ask everything that runs, once; what does not answer is a source of kind `ABSENT`. Logs are closed with `opened`.

    Raises UsageError where it must be said which project is meant.
    """
    watched = opened.enter_context(Watched(target, here))
    watched.attach()
    together(
        [
            watched.read_logs,
            watched.read_events,
            partial(watched.ask_api, rooms or None),
            watched.ask_workers,
            watched.read_folder,
        ]
    )
    return watched.seen()


def nothing(live: Live) -> NothingFound:
    """What to say when there is nothing to look at."""
    looked = tuple(f"{s.name}: {s.note or s.kind}" for s in live.sources)
    return NothingFound("found nothing that runs to look at; the three shortest ways on:", looked, WAYS)


class Watched:
    """One target that can be looked at again and again: logs are read on from where they were, nothing lost or twice.

    A context manager that gives back what it holds. What each method looks at is told by `seen`.
    """

    def __init__(self, target: Target, here: Path) -> None:
        self._target, self._here = target, here
        self._connection = ExitStack()
        self._engine: Engine | None = None
        self._info: EngineInfo | None = None
        self._attached: Attached | None = None
        self._spools: dict[tuple[str, int], Spool] = {}
        self._events: dict[tuple[float, str], MachineEvent] = {}
        self._clock = 0.0  # how far the clock that dates the logs is ahead of this machine's
        self._looked_at_clock = 0.0
        self._upto = 0.0  # when, by that clock, everything was read last
        self._inside = False  # whether we run in one of the engine's containers ourselves
        self._compacted = time.monotonic()
        self._api: ApiSeen | None = None
        self._endpoints: list[Endpoint] = []
        self._setup, self._folder, self._secrets = Setup(), "", frozenset[str]()
        self._projects: tuple[Project, ...] = ()
        #: What is told of each part, by its place in the answer.
        self._told: dict[str, tuple[Source, ...]] = {}
        #: What stands in the way at present, such as an engine that is away; "" when nothing does.
        self.trouble = ""
        #: Whether it is that the engine answers and the project has no container any more.
        self.down = False
        #: Why the API does not answer, in a word ("keys", "address", …; see `Unreachable.kind`) and in a sentence.
        self.api_trouble = self.api_told = ""
        #: Whether what is ambiguous is trouble to be waited for, rather than an error of whoever asks.
        self.patient = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        for spool in tuple(self._spools.values()):  # a thread that was left may still add one
            spool.close()

    @property
    def now(self) -> float:
        """Up to when everything is known, by the clock that dates the logs.

        It stands still while a log that was read before is away: that it tells nothing meanwhile proves nothing.
        """
        known = self._upto and any(spool.size() for spool in self._spools.values())
        return self._upto if known else time.time() + self._clock

    @property
    def inside(self) -> bool:
        """Whether we run in one of the engine's containers ourselves."""
        return self._inside

    @property
    def found(self) -> bool:
        """Whether containers have been found, now or before."""
        return self._attached is not None

    # -- Docker -----------------------------------------------------------------------------------

    def attach(self) -> None:
        """Find the engine, and on it the server's and the workers' containers; what is away is told, not raised.

        Raises UsageError where it must be said which project is meant. Once found, it is the same project ever after.
        """
        for last in (False, True):  # one connection that breaks off is no engine that is away
            try:
                self._attach()
            except (Unreachable, UsageError) as problem:
                if isinstance(problem, UsageError) and not self.patient:
                    raise
                self.trouble = str(problem)
                self.down = isinstance(problem, Unreachable) and problem.kind == "down"
                self._told["1 docker"] = (Source("Docker", ABSENT, note=self.trouble),)
                self._connection.close()
                self._engine = None
                if last or self._attached is None:
                    return
            else:
                self.trouble, self.down = "", False
                return

    def _attach(self) -> None:
        from bot.evidence.attach import attach

        engine = self._connected()
        containers = engine.containers(self._target.compose_project)
        attached = attach(containers, self._target, self._here)
        if not self._target.compose_project:
            self._target = replace(self._target, compose_project=attached.project)
        self._attached = attached
        self._inside = len(here := socket.gethostname()) >= _ID and any(c.id.startswith(here) for c in containers)
        self._told["1 docker"] = (self._docker_told(engine, attached),)

    def _connected(self) -> Engine:
        from bot.evidence.docker import connect

        if self._engine is None:
            self._engine = self._connection.enter_context(connect(self._target))
            self._looked_at_clock = 0.0
        if time.monotonic() - self._looked_at_clock >= _CLOCK or self._info is None:
            self._looked_at_clock = time.monotonic()
            self._info = self._engine.info()
            self._clock = self._info.now - time.time()
        return self._engine

    def _docker_told(self, engine: Engine, attached: Attached) -> Source:
        skew = self._info.skew if self._info else 0.0
        clock = [f"its clock is {skew:+.0f} s ahead of this machine's"] if abs(skew) > _SKEW else []
        name = f"Docker {self._info.version if self._info else ''} ({engine.told})"
        return Source(name, f"compose project {attached.project}", note="; ".join([*clock, *attached.notes]))

    def read_logs(self) -> bool:
        """Read on what was logged since; whether there is anything new."""
        attached, engine = self._attached, self._engine
        if attached is None or engine is None:
            return False
        began = time.time() + self._clock  # what is logged from now on may be seen only next time
        news: list[bool] = []
        lost: list[str] = []
        both = sorted((*attached.livekit, *attached.agents), key=lambda c: c.created or 0.0)
        containers = {(c.service, c.number): c for c in both}.values()  # of two that share a place the newest
        together([partial(self._read, engine, container, news, lost) for container in containers])
        self.trouble = next(iter(lost), "")
        if not lost:
            self._upto = began
        return any(news)

    def _read(self, engine: Engine, container: Container, news: list[bool], lost: list[str]) -> None:
        from bot.evidence.spool import Spool

        key, name = (container.service, container.number), f"docker logs {container.name}"
        place = f"2 log {container.service} {container.number}"
        spool = self._spools.get(key)
        if spool is None:
            spool = self._spools[key] = Spool(name)
        spool.name = name
        try:
            news.append(spool.read(engine, container) > 0)
        except Unreachable as problem:  # one log that cannot be read keeps nobody from the others
            self._told[place] = (Source(name, ABSENT, note=str(problem)),)
            lost += [str(problem)] if spool.reading else []
            return
        self._told.pop(place, None)
        if not spool.note and (young := self._young(container)):
            spool.note = young

    def _young(self, container: Container) -> str:
        """What to say of a container that is younger than the time looked at: an earlier one's log is gone with it."""
        if container.created is None or self.now - container.created > BACK:
            return ""
        made = time.strftime("%H:%M:%SZ", time.gmtime(container.created))
        return f"this container was made at {made}; if there was an earlier one, its log is gone"

    @property
    def lag(self) -> float | None:
        """How old the newest line of the server's log is, in seconds; None where none was read."""
        services = {c.service for c in self._attached.livekit} if self._attached else set[str]()
        newest = [at for (of, _), spool in self._spools.items() if of in services and (at := spool.newest) is not None]
        return max(0.0, time.time() + self._clock - max(newest)) if newest else None

    def lost_since(self, at: float) -> tuple[str, ...]:
        """The server's containers whose log was rotated, so that lines from that time on may be gone.

        Raises Unreachable where it cannot be told.
        """
        from bot.evidence.rotation import lost_until

        if self._attached is None or self._engine is None:
            return ()
        engine, since = self._engine, int(at * 10**9)
        return tuple(c.name for c in self._attached.livekit if lost_until(engine, c, since))

    def read_events(self) -> bool:
        """Read on what happened to the containers; whether there is anything new."""
        attached, engine, now = self._attached, self._engine, time.time() + self._clock
        if attached is None or engine is None:
            return False
        ours = {c.name for c in (*attached.livekit, *attached.agents)}
        last = max((at for at, _ in self._events), default=now - BACK)
        try:
            told = engine.events(attached.project, last, now)
        except Unreachable:
            return False  # the next look at the containers tells why
        new = {(e.at, e.container + e.action): _happened(e) for e in told if e.container in ours}
        known = len(self._events)
        self._events = {key: e for key, e in (self._events | new).items() if e.at > now - _REMEMBERED}
        return len(self._events) > known

    def compact(self, before: float, keep: Callable[[bytes], bool]) -> None:
        """Now and then, of a log that has grown, drop the lines older than `before` that `keep` does not want."""
        if time.monotonic() - self._compacted < _COMPACTED:
            return
        self._compacted = time.monotonic()
        for spool in self._spools.values():
            if spool.size() > _SPOOL:
                spool.compact(before, keep)

    # -- the rest ---------------------------------------------------------------------------------

    def ask_api(self, rooms: tuple[str, ...] | None) -> None:
        """Ask the LiveKit API about these rooms, or the newest, at the address that is set or where the server's container listens."""
        from bot.evidence.livekit_api import ask

        url = self._target.livekit_url or server_address(self._attached, self._where(), inside=self._inside)
        try:
            self._api = api = ask(replace(self._target, livekit_url=url), rooms=rooms)
        except FletcherError as problem:
            self._api = None
            kind = problem.kind if isinstance(problem, Unreachable) else ""
            self.api_trouble, self.api_told = kind, str(problem)
            self._told["3 api"] = (Source("LiveKit API", ABSENT, note=str(problem), trouble=kind),)
            return
        self.api_trouble = self.api_told = ""
        if self._info is None:
            self._clock = api.skew or 0.0
        number = len(api.rooms)
        origin = self._target.origin("livekit_url") or BY_PORT
        skewed = api.skew is not None and abs(api.skew) > _SKEW
        clock = [f"its clock is {api.skew:+.0f} s ahead of this machine's"] if skewed else []
        told = [f"{number} room{'s' if number != 1 else ''} alive", f"address from {origin}", *clock, *api.unread]
        self._told["3 api"] = (Source(f"LiveKit API {url}", "API", note="; ".join(told)),)

    def ask_workers(self) -> None:
        """Ask every worker's endpoint that can be reached."""
        self._endpoints = []
        where = worker_addresses(self._target, self._attached, self._where(), inside=self._inside)
        told: list[Source] = []
        together([partial(self._ask_worker, address, name, told) for address, name in where])
        self._told["4 workers"] = tuple(sorted(told, key=lambda s: s.name))

    def _ask_worker(self, address: str, container: str, told: list[Source]) -> None:
        from bot.evidence import worker_http

        try:
            found = replace(worker_http.ask(address, _ENDPOINT_TIMEOUT, found=bool(container)), container=container)
        except FletcherError as problem:
            told.append(Source(f"worker endpoint of {container or address}", ABSENT, note=str(problem)))
            return
        self._endpoints.append(found)
        told.append(Source(found.place.source, "worker endpoint", records=1))

    def _where(self) -> str:
        return self._engine.told if self._engine is not None else ""

    def read_folder(self) -> None:
        """Read source and configuration of what runs; nothing where their folder is not on this machine."""
        from bot.evidence.project import merge, open_project, read_livekit_config
        from bot.evidence.secrets import secrets_of

        folder, absent = self._where_from()
        config = Path(self._attached.livekit_config) if self._attached and self._attached.livekit_config else None
        if config is not None and (
            not config.is_file() or (not absent and folder.resolve() in config.resolve().parents)
        ):
            config = None
        try:
            projects = () if absent else (open_project(folder),)
            setup = projects[0].setup if projects else Setup()
            if config is not None:
                setup = merge([setup, Setup(server=(read_livekit_config(config),))])
        except FletcherError as problem:
            setup, projects, config, absent = Setup(), (), None, str(problem)
        self._projects = projects
        self._setup, self._folder = setup, "" if absent else str(folder)
        read = [*([] if absent else [str(folder)]), *([str(config)] if config is not None else [])]
        self._secrets = frozenset[str]().union(*(secrets_of(path) for path in read))
        told = [Source("project", ABSENT, note=absent)] if absent else []
        if not absent:
            number = len(setup.workers) + len(setup.dispatchers)
            parts = f"{len(setup.workers)} worker(s), {len(setup.dispatchers)} dispatching place(s)"
            told.append(Source(str(folder), "project", records=number, note=parts))
        if config is not None:
            told.append(Source(str(config), "server configuration", records=1))
        self._told["5 project"] = tuple(told)

    def _where_from(self) -> tuple[Path, str]:
        """The project's folder, and why it cannot be read; "" when it can."""
        given = self._target.project or (self._attached.working_dir if self._attached else "")
        folder = Path(given) if given else self._here
        if not self._target.project and self._attached and (host := elsewhere(self._where())):
            return folder, f"its folder {folder} is on {host}; give a copy with --live --project DIR"
        if not given and not any((folder / mark).is_file() for mark in _MARKS):
            return folder, "no compose file, package.json or pyproject.toml in this folder"
        if not folder.is_dir():
            return folder, f"its folder {folder} is not on this machine; give it with --live --project DIR"
        return folder, ""

    def seen(self) -> Live:
        """All that was seen up to now."""
        attached = self._attached
        containers = (*attached.livekit, *attached.agents) if attached else ()
        secrets = self._secrets.union(
            [self._target.api_secret] if self._target.api_secret else [], *(c.secrets() for c in containers)
        )
        return Live(
            self.now, tuple(self._spools.values()), self._api, machines_of(attached), tuple(self._events.values()), tuple(self._endpoints), self._setup, self._folder, secrets,
            tuple(s for place in sorted(self._told) for s in self._told[place]), self._info, attached, self._projects, self._engine,
        )  # fmt: skip


def _happened(e: Event) -> MachineEvent:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(e.at)) + f".{int(e.at % 1 * 1000):03d}Z"
    text = f"{stamp} container {e.action} {e.container}" + (f" ({e.detail})" if e.detail else "")
    return MachineEvent(e.at, e.container, e.action, e.detail, Place("docker events", 1, text))


def machines_of(attached: Attached | None) -> tuple[Machine, ...]:
    """The containers of server and workers, as a verdict can cite them."""
    if attached is None:
        return ()
    servers = (_machine(container, "livekit") for container in attached.livekit)
    return (*servers, *(_machine(container, "agent") for container in attached.agents))


def _machine(c: Container, role: Literal["livekit", "agent"]) -> Machine:
    place = Place(f"docker inspect {c.name}", 1, state_of(c))
    return Machine(
        role, c.service, c.name, c.state, c.health, c.exit_code, c.oom_killed, c.restarts, c.created, c.started, c.finished, place,
    )  # fmt: skip
