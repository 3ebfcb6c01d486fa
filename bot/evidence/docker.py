"""Look at a Docker engine: which containers there are, how they are set up and what they logged; nothing is changed."""

from __future__ import annotations

import os
import socket
import ssl
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from bot.errors import FletcherError, Unreachable
from bot.evidence.containers import LABEL, read_container
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
_ELSEWHERE: Final = "say where it is with DOCKER_HOST or DOCKER_CONTEXT"
#: Drivers whose logs every engine can read back (docs.docker.com, "Configure logging drivers").
_READABLE: Final = frozenset({"json-file", "local", "journald"})


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine, and its clock: `now` is what it showed when this was told, in epoch seconds.

    `skew` is by how many seconds it is ahead of this machine's, 0 where the time of asking explains the difference.
    """

    version: str
    api_version: str
    address: str
    now: float
    skew: float
    name: str
    log_driver_default: str


class Engine:
    """One engine that was reached; `told` says how, without a secret. Every method raises Unreachable when it is gone."""

    def __init__(
        self, client: APIClient, told: str, explain: Callable[[BaseException], Unreachable], unix_socket: str = ""
    ) -> None:
        self.told, self._client, self._explain, self._socket = told, client, explain, unix_socket

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
            name=str(told.get("Name", "")),
            log_driver_default=str(told.get("LoggingDriver", "")),
        )

    def containers(self) -> tuple[Container, ...]:
        """Every container of a compose project, running or not; one that vanishes meanwhile is passed over."""
        listed = self._ask("/containers/json", all="1", filters=f'{{"label":["{LABEL}project"]}}')
        told = (self._ask(f"/containers/{one['Id']}/json", gone={}) for one in listed)
        return tuple(read_container(one) for one in told if one)

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
                raise _unread(container, response.status_code, _message(response))
            yield from lines(response.iter_content(BLOCK), tty=container.tty, ended=not container.running)

    def _ask(self, path: str, gone: Any = None, **params: str) -> Any:  # noqa: ANN401  # JSON of any shape
        with self._asking(), self._get(path, params, READ) as response:
            if response.status_code == HTTPStatus.NOT_FOUND and gone is not None:
                return gone
            if response.status_code != HTTPStatus.OK:
                raise Unreachable(f"the Docker engine at {self.told} refuses: {_message(response)}")
            return response.json()

    def _get(self, path: str, params: dict[str, str], patience: float) -> Response:
        if self._socket:
            _knock(self._socket)  # it may have gone since
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

    In this order: DOCKER_HOST (the target's, the environment's), a context (the target's, DOCKER_CONTEXT, the current
    one), the default socket. Raises Unreachable, saying what is wrong and what to do about it.
    """
    from docker.errors import DockerException

    way = _way(target)
    with ExitStack() as stack:
        base, said = way.host, None
        if way.host.startswith("ssh://"):
            carrier = stack.enter_context(tunnel(way.host))
            base, said = f"unix://{carrier.path}", carrier.said
        explain = partial(_explained, way, said)
        try:
            socket_path = base.removeprefix("unix://").strip("/") if said is None and base.startswith("unix://") else ""
            knocked = f"/{socket_path}" if socket_path else ""
            if knocked:
                _knock(knocked)
            client = stack.enter_context(_client(base, way.tls))
        except (DockerException, OSError, ValueError) as problem:
            raise explain(problem) from problem
        yield Engine(client, way.told, explain, knocked)


class _Way(NamedTuple):
    """How to reach an engine."""

    host: str
    tls: TLSConfig | None
    told: str


def _way(target: Target) -> _Way:
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    host = target.docker_host or os.environ.get("DOCKER_HOST", "")
    if host:
        try:
            given = kwargs_from_env({**os.environ, "DOCKER_HOST": host})
        except DockerException as problem:
            raise Unreachable(
                f"DOCKER_CERT_PATH holds no certificate for {redact(host)} (cert.pem, key.pem, ca.pem): {problem}"
            ) from problem
        return _Way(host, given.get("tls"), redact(host))
    name = target.docker_context or os.environ.get("DOCKER_CONTEXT", "")
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


def _knock(path: str) -> None:
    """Raise what is wrong with the socket; the library would wrap it, and leave its own end open."""
    with socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(CONNECT)
        knocking.connect(path)


def _client(base: str, tls: TLSConfig | None) -> APIClient:
    from docker import APIClient

    class Client(APIClient):
        """The library's client; a REQUESTS_CA_BUNDLE for the web does not replace the engine's own certificate."""

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401  # as the library has it
            chosen = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, chosen, cert)

    # A pair of limits is taken for TCP only; without a version, the engine's own is spoken.
    patience = cast("int", READ if base.startswith("unix://") else (CONNECT, READ))
    return Client(base_url=base, tls=tls or False, timeout=patience)


def _message(response: Response) -> str:
    try:
        told = response.json()
    except ValueError:
        told = None
    text = told.get("message") if isinstance(told, dict) else response.text
    return redact(" ".join(str(text).split())[:300]) or f"HTTP {response.status_code}"


def _unread(container: Container, status: int, message: str) -> FletcherError:
    """Why a log was not given."""
    driver = container.log_driver
    if status == HTTPStatus.NOT_FOUND:
        return Unreachable(f"the container {container.name} is gone, and its log with it")
    if "support reading" in message or (driver and driver not in _READABLE):
        return Unreachable(
            f"the log of {container.name} cannot be read: its log driver is {driver}; set `logging: {{driver: local}}` for"
            f" the service {container.service} in the compose file and run docker compose up -d {container.service}"
        )
    return Unreachable(f"the Docker engine does not give the log of {container.name}: {message}")


def _explained(way: _Way, said: Callable[[], str] | None, problem: BaseException) -> Unreachable:
    """What went wrong and what to do about it, in one sentence."""
    from docker.errors import InvalidVersion
    from requests import ConnectionError as Broken
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3.exceptions import TimeoutError as Late

    told, causes = way.told, tuple(_causes(problem))

    def is_a(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if said is not None and (heard := said()):
        host = redact(way.host)
        return Unreachable(f"{host} cannot be reached: {heard}; try it by hand: docker --host {host} version")
    if is_a(InvalidVersion):
        return Unreachable(f"the Docker engine at {told} is too old: {problem}; update Docker to 1.12 or newer")
    if is_a(FileNotFoundError):
        return Unreachable(f"no Docker engine at {told}: there is no such socket; start Docker, or {_ELSEWHERE}")
    if is_a(PermissionError):
        name, number = _group(way.host)
        return Unreachable(
            f"no permission for the Docker socket of {told}: add this user to the group {name}"
            f" (sudo usermod -aG, then log in again; of a container: group_add {number})"
        )
    if is_a(ConnectionRefusedError):
        return Unreachable(f"no Docker engine at {told}: the connection is refused; start Docker, or {_ELSEWHERE}")
    if is_a(socket.gaierror):
        return Unreachable(f"no Docker engine at {told}: its host's name is not known; {_ELSEWHERE}")
    if is_a(ssl.SSLError):
        return Unreachable(
            f"no secure connection to the Docker engine at {told}; check DOCKER_CERT_PATH: {_last(causes)}"
        )
    if is_a(TimeoutError, Timeout, Late):
        return Unreachable(f"the Docker engine at {told} does not answer in time; restart Docker, or {_ELSEWHERE}")
    if "bind address" in str(problem) or "npipe" in str(problem):
        return Unreachable(
            f"{told} is no address of a Docker engine; expected unix:///PATH, tcp://HOST:PORT or ssh://HOST"
        )
    if is_a(ConnectionError, Broken, ChunkedEncodingError):
        return Unreachable(f"the Docker engine at {told} broke the connection off; is it restarting? Try again")
    return Unreachable(f"the Docker engine at {told} cannot be asked: {_last(causes)}; see docker version")


def _last(causes: tuple[BaseException, ...]) -> str:
    return redact(" ".join(str(causes[-1]).split())[:300])


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made of: libraries keep the first cause in one way or another."""
    waiting, seen = [problem], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


def _group(host: str) -> tuple[str, str]:
    """The group that may use the socket: its name on this machine, which is another in a container, and its number."""
    import grp

    try:
        number = Path(host.removeprefix("unix://")).stat().st_gid
    except OSError:
        return "docker", "with its number"
    try:
        return grp.getgrgid(number).gr_name, str(number)
    except KeyError:
        return str(number), str(number)
