"""What runs on this machine and behind its addresses: programs, the Docker engine, the LiveKit server."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self, TypeVar

from bot.errors import FletcherError, Unreachable
from bot.evidence import livekit_calls
from bot.evidence.addresses import server_address
from bot.world.contract import Instance, Line
from bot.world.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from threading import Event

    from bot.evidence.attach import Attached
    from bot.evidence.docker import Engine
    from bot.livekit.seen import ApiParticipant, ApiSeen, Machine
    from bot.plan.values import Command
    from bot.settings import Target
    from bot.world.contract import Ended, Role

_T = TypeVar("_T")
_CLOCK: Final = 10.0  # seconds after which the engine's clock is looked at again
_PASSED_ON: Final = ("PATH", "HOME", "LANG")
_SAID: Final = {"livekit": "LiveKit server", "agent": "worker"}
_ID: Final = 12  # letters of a container's id that are its host name


class RealWorld:
    """One target, for as long as a run works on it. A context manager that gives back what it holds.

    `here` is the folder that helps to guess the compose project where the target names none. Nothing is asked before it
    is needed. May be used by several threads.
    """

    def __init__(self, target: Target, here: Path, environment: Mapping[str, str] | None = None) -> None:
        self._target, self._here = target, here
        self._environment = passed_on(target, os.environ if environment is None else environment)
        self._processes = Processes()
        self._lock = threading.RLock()
        self._connection = ExitStack()
        self._engine: Engine | None = None
        self._ahead_ns, self._clock_at = 0, -_CLOCK

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()
        with self._lock:
            self._drop()

    # -- time -------------------------------------------------------------------------------------

    def now(self) -> int:
        """The engine's time in nanoseconds; while it is away, as its clock went when it was last seen."""
        with self._lock:
            if time.monotonic() - self._clock_at >= _CLOCK:
                self._clock_at = time.monotonic()  # an engine that is away is not asked at every turn either
                with suppress(FletcherError):
                    self._ahead_ns = self._asked(lambda engine: int((engine.info().now - time.time()) * 1e9))
            return time.time_ns() + self._ahead_ns

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    # -- programs ---------------------------------------------------------------------------------

    def run(self, command: Command, *, seconds: float, tell: Callable[[bytes], None], stop: Event) -> Ended:
        """Run a program; see the contract. Raises Unreachable when it cannot be started."""
        here = {"PWD": command.cwd} if command.cwd else {}  # as every shell sets it; compose files may take it
        environment = {**self._environment, **here, **command.environment}
        ended = self._processes.run(
            command.argv, cwd=command.cwd, environment=environment, seconds=seconds, tell=tell, stop=stop
        )
        if ended.code != 0:
            # The engine may be ending: it takes nobody new then, but answers on a connection that is open.
            with self._lock:
                self._drop()
        return ended

    # -- containers -------------------------------------------------------------------------------

    def log(self, role: Role, since_ns: int) -> Iterator[Line]:
        """The lines of a service's containers from that time on."""
        from bot.evidence.rotation import lost_until
        from bot.evidence.spool import nanoseconds

        gone: list[str] = []

        def read(engine: Engine) -> list[Line]:
            attached = self._attached(engine)
            found = attached.livekit if role == "livekit" else attached.agents
            if not found:
                raise Unreachable(f"the project {attached.project} has no container of the {_SAID[role]}")
            gone[:] = [one.name for one in found if lost_until(engine, one, since_ns)]
            return [
                Line(nanoseconds(line), container.name, line.partition(b" ")[2])
                for container in found
                for line in engine.log(container, since_ns=since_ns)
            ]

        return _behind(self._asked(read), gone)

    def docker(self) -> tuple[Engine, Attached]:
        """The Docker engine, and the project in it that is acted upon."""
        return self._asked(lambda engine: (engine, self._attached(engine)))

    def machines(self, role: Role) -> tuple[Machine, ...]:
        """The service's containers, those that do not run included."""
        from bot.evidence.live import machines_of

        return tuple(m for m in machines_of(self._asked(self._attached)) if m.role == role)

    def instances(self, services: tuple[str, ...]) -> tuple[Instance, ...]:
        """The containers of these compose services."""

        def read(engine: Engine) -> tuple[Instance, ...]:
            project = self._target.compose_project or self._attached(engine).project
            return tuple(
                Instance(
                    c.service, c.name, c.id, c.image_id, int((c.created or 0) * 1e9), int((c.started or 0) * 1e9), c.state, c.exit_code, c.config_hash,
                )
                for c in engine.containers(project)
                if c.service in services and not c.oneoff
            )  # fmt: skip

        return self._asked(read)

    def _attached(self, engine: Engine) -> Attached:
        from bot.evidence.attach import attach

        attached = attach(engine.containers(self._target.compose_project), self._target, self._here)
        if not self._target.compose_project:  # the same project ever after
            self._target = replace(self._target, compose_project=attached.project)
        return attached

    def _asked(self, what: Callable[[Engine], _T]) -> _T:
        """What the engine answers; a connection that has broken off is made anew once."""
        from bot.evidence.docker import connect

        with self._lock:
            if self._engine is not None:
                with suppress(Unreachable):
                    return what(self._engine)
                self._drop()
            self._engine = self._connection.enter_context(connect(self._target))
            return what(self._engine)

    def _drop(self) -> None:
        self._connection.close()
        self._engine = None

    # -- LiveKit ----------------------------------------------------------------------------------

    def api(self, rooms: tuple[str, ...] | None) -> ApiSeen:
        """What the LiveKit API tells now."""
        from bot.evidence.livekit_api import ask

        return ask(self._server(), rooms=rooms)

    def inside(self, room: str) -> tuple[ApiParticipant, ...]:
        """Who is in a room now."""
        return livekit_calls.participants(self._server(), room)

    def create_room(self, name: str, *, agent: str | None, metadata: str, empty_timeout: int) -> None:
        """Make a room; see the contract."""
        livekit_calls.create_room(self._server(), name, agent=agent, metadata=metadata, empty_timeout=empty_timeout)

    def delete_room(self, name: str) -> None:
        """End a room; one that is not there is no error."""
        livekit_calls.delete_room(self._server(), name)

    def create_dispatch(self, room: str, agent: str, metadata: str) -> str:
        """Ask for an agent in a living room."""
        return livekit_calls.create_dispatch(self._server(), room, agent, metadata)

    def _server(self) -> Target:
        """The target with the server's address: the one that is set, else where its container listens."""
        with self._lock:
            if not self._target.livekit_url:
                try:
                    self._target = replace(self._target, livekit_url=self._asked(self._address))
                except FletcherError:  # then what is missing is the address, and that is said
                    return self._target
            return self._target

    def _address(self, engine: Engine) -> str:
        attached = self._attached(engine)
        name = socket.gethostname()
        inside = len(name) >= _ID and any(c.id.startswith(name) for c in (*attached.livekit, *attached.agents))
        return server_address(attached, engine.told, inside=inside)


def _behind(lines: list[Line], gone: list[str]) -> Iterator[Line]:
    yield from lines
    if gone:
        raise Unreachable(f"the log of {', '.join(gone)} was rotated, and does not go back to when the step began")


def passed_on(target: Target, environment: Mapping[str, str]) -> dict[str, str]:
    """What of our environment a program gets: PATH, HOME, LANG and the way to the target's engine; no key, no secret.

    What a compose file or a script takes from its environment has to be in the project's own `.env`: so it is the same
    whoever starts Fletcher, from a terminal or as a service.
    """
    kept = {k: v for k, v in environment.items() if k in _PASSED_ON or k.startswith("DOCKER_")}
    kept.setdefault("PATH", os.defpath)
    if target.docker_host:
        kept.pop("DOCKER_CONTEXT", None)
        kept["DOCKER_HOST"] = target.docker_host
    elif target.docker_context:
        kept.pop("DOCKER_HOST", None)
        kept["DOCKER_CONTEXT"] = target.docker_context
    agent = environment.get("SSH_AUTH_SOCK", "")
    if agent and kept.get("DOCKER_HOST", "").startswith("ssh://"):
        kept["SSH_AUTH_SOCK"] = agent
    return kept
