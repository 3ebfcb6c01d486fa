"""Look at a Docker engine: which containers there are, how they are set up and what they logged; nothing is changed."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import quote

from bot.errors import Unreachable
from bot.evidence.containers import LABEL, no_project, read_container
from bot.evidence.docker_failures import causes, explained, unread
from bot.evidence.docker_lines import lines
from bot.evidence.ssh import tunnel
from bot.livekit.forms import epoch
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient
    from docker.context import Context
    from docker.tls import TLSConfig
    from requests import Response

    from bot.evidence.containers import Container
    from bot.settings import Target

CONNECT: Final = 5.0  # seconds for reaching the engine
READ: Final = 10.0  # seconds for its next word
READ_LOG: Final = 60.0  # it looks for `since` from the log's beginning, 65 MB a second, and says nothing meanwhile
BLOCK: Final = 1 << 16
_T = TypeVar("_T")
_BY_SOCKET: Final = "http+docker://"  # what the library calls the address of a socket
_SHORTLY: Final = 0.02  # seconds until a queue that is full is tried again


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine, and its clock: `now` is what it showed when this was told, in epoch seconds.

    `skew` is by how many seconds it is ahead of this machine's, 0 where the time of asking explains the difference.
    `root` is the folder on its machine in which it keeps images, containers and logs.
    """

    version: str
    api_version: str
    address: str
    now: float
    skew: float
    root: str = ""


class Event(NamedTuple):
    """Something that happened to a container: `action` is Docker's word, `detail` its signal or exit code, if any."""

    at: float
    container: str
    service: str
    action: str
    detail: str


_EVENTS: Final = ("kill", "stop", "die", "oom", "start", "pause", "unpause")


def _event(told: dict[str, Any]) -> Event:
    attributes = told.get("Actor", {}).get("Attributes", {})
    details = [
        f"{word} {attributes[key]}"
        for key, word in (("signal", "signal"), ("exitCode", "exit code"))
        if key in attributes
    ]
    return Event(
        told.get("timeNano", 0) / 1e9, str(attributes.get("name", "")), str(attributes.get(f"{LABEL}service", "")),
        str(told.get("Action", "")), ", ".join(details),
    )  # fmt: skip


class Containers(Protocol):
    """What an engine tells of its containers; see `Engine`, which is one."""

    def containers(self, project: str = "") -> tuple[Container, ...]:
        """Every container of a compose project, or of any."""

    def container(self, name: str) -> Container | None:
        """The container of this name."""

    def log(self, container: Container, *, since_ns: int | None = None, tail: int | None = None) -> Iterator[bytes]:
        """The lines of its log."""


class Engine:
    """One engine that was reached; `told` says how, without a secret. Every method raises Unreachable when it is gone."""

    def __init__(self, client: APIClient, told: str, explain: Callable[[BaseException], Unreachable]) -> None:
        self.told, self._client, self._explain = told, client, explain

    def info(self) -> EngineInfo:
        """What the engine says of itself."""
        before = time.time()
        told = self._ask("/info")
        after = time.time()
        found = epoch(str(told.get("SystemTime", "")).encode())
        half = (after - before) / 2
        clock = found[0] if found and found[0] is not None else after - half
        skew = clock - (before + half)
        return EngineInfo(
            version=str(told.get("ServerVersion", "")),
            api_version=self._client.api_version,
            address=self.told,
            now=clock + half,
            skew=skew if abs(skew) > half else 0.0,
            root=str(told.get("DockerRootDir", "")),
        )

    def containers(self, project: str = "") -> tuple[Container, ...]:
        """Every container of this compose project ("": of any), running or not; one that vanishes is passed over.

        Raises Unreachable where the project that is named has none, with those that there are.
        """
        listed = self._listed(f"={project}" if project else "")
        if project and not listed:
            raise no_project(project, self._projects())
        told = (self._ask(f"/containers/{one['Id']}/json", gone={}) for one in listed)
        return tuple(read_container(one) for one in told if one)

    def container(self, name: str) -> Container | None:
        """The container of this name, whatever it belongs to; None where there is none."""
        told = self._ask(f"/containers/{quote(name, safe='')}/json", gone={})
        return read_container(told) if told else None

    def _listed(self, wanted: str = "") -> list[dict[str, Any]]:
        label = json.dumps({"label": [f"{LABEL}project{wanted}"]})
        return cast("list[dict[str, Any]]", self._ask("/containers/json", all="1", filters=label))

    def _projects(self) -> set[str]:
        """The compose projects that have a container which was made to stay."""
        labels = [one.get("Labels") or {} for one in self._listed()]
        return {of[f"{LABEL}project"] for of in labels if of.get(f"{LABEL}oneoff", "").lower() != "true"}

    def log(self, container: Container, *, since_ns: int | None = None, tail: int | None = None) -> Iterator[bytes]:
        """The lines of both streams in the engine's order, each with its time as the engine writes it, without line end.

        `since_ns` (epoch nanoseconds) is included; `tail` counts what the engine stored, so a line of more than 16 KiB
        several times, and is applied before `since_ns`. A last line that is not finished is left out while its
        container runs. Raises Unreachable for a log that cannot be read, or, behind the lines that were whole, when
        the engine goes away.
        """
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": "all" if tail is None else str(tail)}
        if since_ns is not None:
            params["since"] = f"{since_ns // 10**9}.{since_ns % 10**9:09d}"
        with self._asking(), self._get(f"/containers/{container.id}/logs", params, READ_LOG) as response:
            if response.status_code != HTTPStatus.OK:
                raise unread(container, response.status_code, _message(response))
            yield from lines(response.iter_content(BLOCK), tty=container.tty, ended=not container.running)

    def events(self, project: str, since: float, until: float) -> tuple[Event, ...]:
        """What happened to the containers of a project between two times (epoch seconds, the engine's clock).

        An engine remembers its last 256 events, and none from before its own start (docs.docker.com, "docker events").
        """
        wanted = {"type": ["container"], "event": list(_EVENTS), "label": [f"{LABEL}project={project}"]}
        params = {"since": f"{since:.9f}", "until": f"{until:.9f}", "filters": json.dumps(wanted)}
        with self._asking(), self._get("/events", params, READ) as response:
            if response.status_code != HTTPStatus.OK:
                raise Unreachable(f"the Docker engine at {self.told} refuses: {_message(response)}")
            return tuple(_event(json.loads(line)) for line in response.iter_lines() if line)

    def _ask(self, path: str, gone: Any = None, **params: str) -> Any:  # noqa: ANN401  # JSON of any shape
        with self._asking(), self._get(path, params, READ) as response:
            if response.status_code == HTTPStatus.NOT_FOUND and gone is not None:
                return gone
            if response.status_code != HTTPStatus.OK:
                raise Unreachable(f"the Docker engine at {self.told} refuses: {_message(response)}")
            return response.json()

    def _get(self, path: str, params: dict[str, str], patience: float) -> Response:
        url = f"{self._client.base_url}/v{self._client.api_version}{path}"
        return self._client.get(url, params=params, stream=True, timeout=(CONNECT, patience))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from docker.errors import DockerException

        try:
            yield
        except (DockerException, OSError, ValueError) as problem:  # those of requests are OSErrors
            raise self._explain(problem) from problem


@contextmanager
def connect(target: Target) -> Iterator[Engine]:
    """Reach the engine that the target or the environment names, else the one that Docker's own client would ask.

    In this order: the target's address or context, DOCKER_HOST, DOCKER_CONTEXT, the current context, the default
    socket. Raises Unreachable, saying what is wrong and what to do about it.
    """
    from docker.errors import DockerException

    way = _way(target)
    with ExitStack() as stack:
        base, said = way.host, None
        if way.host.startswith("ssh://"):
            carrier = stack.enter_context(tunnel(way.host))
            base, said = f"unix://{carrier.path}", carrier.said
        explain = partial(explained, way.host, way.told, said)
        try:
            path = base.removeprefix("unix://").strip("/") if said is None and base.startswith("unix://") else ""
            if path:  # the library would wrap what is wrong with the socket, and leave its own end open
                _opened(f"/{path}").close()
            client = stack.enter_context(_patiently(partial(_client, base, way.tls)))
        except (DockerException, OSError, ValueError) as problem:
            raise explain(problem) from problem
        yield Engine(client, way.told, explain)


class _Way(NamedTuple):
    """How to reach an engine."""

    host: str
    tls: TLSConfig | None
    told: str


def _way(target: Target) -> _Way:
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    host, name = target.docker_host, target.docker_context
    if not (host or name):  # whoever chose the target has weighed the environment against it
        host, name = os.environ.get("DOCKER_HOST", ""), os.environ.get("DOCKER_CONTEXT", "")
    if host:
        try:
            given = kwargs_from_env({**os.environ, "DOCKER_HOST": host})
        except DockerException as problem:
            raise Unreachable(
                f"DOCKER_CERT_PATH holds no certificate for {redact(host)} (cert.pem, key.pem, ca.pem): {problem}"
            ) from problem
        return _Way(host, given.get("tls"), redact(host))
    try:
        context: Context | None = ContextAPI.get_context(name or None)
    except Exception as problem:  # the library raises a bare Exception for a file it cannot read
        raise Unreachable(f"the Docker context {name} cannot be read: {problem}; see docker context ls") from problem
    if context is None:
        shown = name or "that Docker's configuration names as the current one"
        raise Unreachable(f"there is no Docker context {shown}; docker context ls shows which there are")
    host = context.Host or ""
    return _Way(
        host, context.TLSConfig, redact(host if context.name == "default" else f"context {context.name} ({host})")
    )


def _opened(path: str) -> socket.socket:
    """A connection to this socket; OSError as `connect` raises it, with nothing left open."""
    with ExitStack() as stack:
        made = stack.enter_context(socket.socket(socket.AF_UNIX))
        made.settimeout(CONNECT)
        _patiently(partial(made.connect, path))
        stack.pop_all()
        return made


def _patiently(call: Callable[[], _T]) -> _T:
    """Call again for a while where the socket's queue is full: the kernel says so at once instead of waiting."""
    until = time.monotonic() + CONNECT
    while True:
        try:
            return call()
        except Exception as problem:
            full = any(isinstance(cause, BlockingIOError) for cause in causes(problem))
            if not full or time.monotonic() >= until:
                raise
        time.sleep(_SHORTLY)


def _client(base: str, tls: TLSConfig | None) -> APIClient:
    from docker import APIClient
    from docker.constants import DEFAULT_DOCKER_API_VERSION, MINIMUM_DOCKER_API_VERSION
    from docker.errors import InvalidVersion
    from docker.transport import UnixHTTPAdapter
    from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
    from docker.utils import version_lt

    class Connection(UnixHTTPConnection):
        """The library's connection to a socket, which has no patience with a full queue and leaves its end open."""

        def connect(self) -> None:
            self.sock = _opened(self.unix_socket)

    class Pool(UnixHTTPConnectionPool):
        """Connections that are used again."""

        def _new_conn(self) -> Any:  # noqa: ANN401  # as the library has it
            return Connection(self.base_url, self.socket_path)

    class Adapter(UnixHTTPAdapter):
        """The library's way to a socket, which would make a connection for each path that is asked for."""

        def get_connection(self, url: Any, proxies: Any = None) -> Any:  # noqa: ANN401, ARG002  # as the library has it
            return super().get_connection(_BY_SOCKET, proxies)

    class Client(APIClient):
        """The library's client; a REQUESTS_CA_BUNDLE for the web does not replace the engine's own certificate."""

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401  # as the library has it
            chosen = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, chosen, cert)

    # A pair of limits is taken for TCP only. With a version given the library asks nothing before its adapter is ours.
    patience = cast("int", READ if base.startswith("unix://") else (CONNECT, READ))
    client = Client(base_url=base, tls=tls or False, timeout=patience, version=DEFAULT_DOCKER_API_VERSION)
    made = client.adapters.get(_BY_SOCKET)
    if isinstance(made, UnixHTTPAdapter):
        made.close()
        adapter = Adapter(f"http+unix://{made.socket_path}")
        adapter.pools[_BY_SOCKET] = Pool(_BY_SOCKET, made.socket_path)
        client.mount(_BY_SOCKET, adapter)
    with ExitStack() as failing:
        failing.callback(client.close)
        client._version = client._retrieve_server_version()  # type: ignore[attr-defined]  # noqa: SLF001  # the engine's own
        if version_lt(client._version, MINIMUM_DOCKER_API_VERSION):  # type: ignore[attr-defined]  # noqa: SLF001
            raise InvalidVersion(f"API versions below {MINIMUM_DOCKER_API_VERSION} are no longer supported.")
        failing.pop_all()
    return client


def _message(response: Response) -> str:
    try:
        told = response.json()
    except ValueError:
        told = None
    text = told.get("message") if isinstance(told, dict) else response.text
    return redact(" ".join(str(text).split())[:300]) or f"HTTP {response.status_code}"
