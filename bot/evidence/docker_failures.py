"""Why a Docker engine could not be asked, or did not give a log: one sentence, with what to do about it."""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.errors import FletcherError
    from bot.evidence.containers import Container

_ELSEWHERE: Final = "say where it is with DOCKER_HOST or DOCKER_CONTEXT"
#: Drivers whose logs every engine can read back (docs.docker.com, "Configure logging drivers").
_READABLE: Final = frozenset({"json-file", "local", "journald"})


def unread(container: Container, status: int, message: str) -> FletcherError:
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


def explained(host: str, told: str, said: Callable[[], str] | None, problem: BaseException) -> Unreachable:
    """What went wrong with the engine at this address and what to do about it, in one sentence.

    `told` is the address as it may be shown, `said` tells what ssh wrote where that carries the connection.
    """
    from requests import ConnectionError as Broken
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3.exceptions import TimeoutError as Late

    all_causes = tuple(causes(problem))

    def is_a(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in all_causes)

    if said is not None and (heard := said()):
        shown = redact(host)
        return Unreachable(f"{shown} cannot be reached: {heard}; try it by hand: docker --host {shown} version")
    if any(type(cause).__name__ == "InvalidVersion" for cause in all_causes):  # of the library that one file knows
        return Unreachable(f"the Docker engine at {told} is too old: {problem}; update Docker to 1.12 or newer")
    if is_a(FileNotFoundError):
        return Unreachable(f"no Docker engine at {told}: there is no such socket; start Docker, or {_ELSEWHERE}")
    if is_a(PermissionError):
        name, number = _group(host)
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
            f"no secure connection to the Docker engine at {told}; check DOCKER_CERT_PATH: {_last(all_causes)}"
        )
    if is_a(TimeoutError, Timeout, Late, BlockingIOError):
        return Unreachable(f"the Docker engine at {told} does not answer in time; restart Docker, or {_ELSEWHERE}")
    if "bind address" in str(problem) or "npipe" in str(problem):
        return Unreachable(
            f"{told} is no address of a Docker engine; expected unix:///PATH, tcp://HOST:PORT or ssh://HOST"
        )
    if is_a(ConnectionError, Broken, ChunkedEncodingError):
        return Unreachable(f"the Docker engine at {told} broke the connection off; is it restarting? Try again")
    return Unreachable(f"the Docker engine at {told} cannot be asked: {_last(all_causes)}; see docker version")


def _last(all_causes: tuple[BaseException, ...]) -> str:
    return redact(" ".join(str(all_causes[-1]).split())[:300])


def causes(problem: BaseException) -> Iterator[BaseException]:
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
