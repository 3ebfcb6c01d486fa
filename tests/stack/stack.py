"""One stack: a copy of the example project that runs, what is wrong with it, who visits it, what it has logged."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.stack import engine
from tests.stack.places import (
    CHECKOUT,
    DOCKER_CLI_IMAGE,
    FAILURES,
    HERE,
    PYTHON_IMAGE,
    SERVERS,
    WORK,
)
from tests.stack.progress import Phase, Progress, StackError
from tests.stack.project import KEY, PORTS, SECRET, fletcher_image, free_ports, lay, read_settings, write_project
from tests.stack.ready import Ready, make_ready
from tests.stack.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.stack.project import Ports

AGENT = "livekit-ganglia-agent"
SETTLED = 6.0  # seconds: before its first report of load a worker counts as idle, so that a bad one passes
NEVER_REGISTERS = frozenset({"worker-auth", "worker-unreachable", "no-worker"})


def failures() -> dict[str, str]:
    """Every failure that can be asked for by name, and the sentence that says what is wrong then."""
    folders = sorted(path for path in FAILURES.iterdir() if path.is_dir())
    return {path.name: (path / "voice-agent.env").read_text(encoding="utf-8").splitlines()[0][2:] for path in folders}


@dataclass
class Stack:
    """A running stack, from `with` or `up` to the end or `down`.

    `fail_first` is one of `failures()`, `failure` the one that is made now, `level` the server's log level, `version`
    one of `places.SERVERS`. The project that runs is in `project`, laid out as a user's, with the failure in its
    sources, so that it can be repaired there. Without `settle`, `up` does not wait for the first report of load.
    """

    name: str = "fletcher-stack"
    version: str = SERVERS[0]
    fail_first: str = "none"
    level: str = "info"
    json: bool = False
    settle: bool = True
    failure: str = ""
    progress: Progress = field(default_factory=lambda: Progress(WORK / "logs"))
    _ready: Ready | None = None
    _visitors: list[Visitor] = field(default_factory=list)
    _ports: Ports = PORTS

    def __enter__(self) -> Self:
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def project(self) -> Path:
        """The folder with the compose file."""
        return WORK / self.name

    @property
    def sources(self) -> Path:
        """The folder of the voice agent's project."""
        return self.project / "examples" / "voice-agent"

    @property
    def url(self) -> str:
        """Where the server listens, for a client on this machine."""
        return f"ws://127.0.0.1:{self._ports[0]}"

    @property
    def environment(self) -> dict[str, str]:
        """Address and keys, as LiveKit's own tools read them."""
        return {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}

    @property
    def path(self) -> str:
        """The PATH of a person at the project, who has bun."""
        assert self._ready is not None, "the stack is not up"
        modules = self._ready.node_modules
        # The package's launcher wants to be installed by its script; the program itself lies beside it.
        bun = [
            str(path.parent) for path in sorted(modules.glob("@oven/bun-linux-*/bin/bun"), key=lambda p: len(str(p)))
        ]
        return os.pathsep.join([*bun, str(modules / ".bin"), os.environ.get("PATH", "")])

    # --- start, failures, end -------------------------------------------------------------------------------------

    def up(self) -> Self:
        """Bring the stack up, whatever there was of it before, and wait until its worker is settled."""
        self._ready = make_ready(self.progress, self.version)
        with self.progress.phase("project") as phase:
            if self.project.exists():
                self._down(phase)
            self._ports = free_ports()
            write_project(self.project, self._ready.livekit_image, self._ports, level=self.level, json=self.json)
        self.fail(self.fail_first, settle=self.settle)
        return self

    def fail(self, name: str, *, settle: bool = True) -> None:
        """Make this failure (`none` heals): sources and settings into the project, both containers anew, logs empty."""
        if name not in failures():
            raise StackError(f"there is no failure {name!r}; there are {', '.join(failures())}")
        with self.progress.phase(f"up {name}") as phase:
            assert self._ready is not None, "the stack is not up"
            lay(self.sources, name, self._ready.node_modules)
            self.failure = name
            began = time.time_ns()
            self._compose(
                phase, "up", "--detach", "--build", "--force-recreate", "--timeout", "3", "livekit", "voice-agent"
            )
            self.wait_for_server()
            if name in NEVER_REGISTERS:
                self._wait_for_trouble()
            else:
                self.wait_registered(since=began)
                time.sleep(SETTLED if settle else 0)

    def down(self) -> None:
        """Send every visitor home and remove the containers; the project and its logs stay until the next `up`."""
        for visitor in self._visitors:
            visitor.vanish()
        self._visitors.clear()
        if (self.project / "docker-compose.yml").is_file():
            with self.progress.phase("down") as phase:
                self._down(phase)
                mine = (
                    f"label=com.docker.compose.project={self.name}"  # each build leaves the one before without a name
                )
                phase.run("docker", "image", "prune", "--force", "--filter", mine)

    def _down(self, phase: Phase) -> None:
        """Remove the containers, also those of services that only a profile starts."""
        self._compose(phase, "--profile", "*", "down", "--volumes", "--timeout", "3")

    def compose(self, *words: str) -> str:
        """Run a compose command in the project, as a person would, and return what it prints."""
        with self.progress.phase(f"compose {words[0]}") as phase:
            return self._compose(phase, *words)

    def _compose(self, phase: Phase, *words: str) -> str:
        own = {name: "" for name in os.environ if name.startswith(("LIVEKIT_", "COMPOSE_", "FAIL"))} | {
            "PWD": str(self.project)
        }
        settings = {name: value for name, value in read_settings(self.project / ".env").items() if name in own}
        return phase.run("docker", "compose", *words, cwd=self.project, env={**own, **settings})

    # --- waiting --------------------------------------------------------------------------------------------------

    def wait_for_server(self, seconds: float = 20) -> None:
        """Wait until the server accepts connections."""
        for _ in _until(seconds, "the server does not listen", self._tail("livekit")):
            with suppress(OSError), closing(socket.create_connection(("127.0.0.1", self._ports[0]), 1)) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if connection.recv(16).startswith(b"HTTP/1"):
                    return

    def wait_registered(self, *, since: int = 0, seconds: float = 60) -> None:
        """Wait until the worker says that it is registered, later than `since` (nanoseconds since the epoch)."""
        for _ in _until(seconds, "the worker does not register", self._tail("voice-agent")):
            if b'"msg":"registered worker"' in self.logs("voice-agent", since=since):
                return

    def _wait_for_trouble(self, seconds: float = 30) -> None:
        """Wait until the worker has said that something is wrong."""
        signs = re.compile(rb"retrying in|Cannot find module|ERR_MODULE_NOT_FOUND")
        for _ in _until(seconds, "the worker has no trouble", self._tail("voice-agent")):
            if signs.search(self.logs("voice-agent")):
                return

    def _tail(self, service: str) -> str:
        return f"docker logs {self.container(service)}"

    # --- visitors and the API -------------------------------------------------------------------------------------

    def token(self, room: str, identity: str = "user") -> str:
        """Sign a join token with the project's own script, as its people do."""
        return self._run(
            *("bun", "run", "scripts/generate-token.ts", "--room", room, "--identity", identity), cwd=self.sources
        ).strip()

    def backend_token(self, room: str, identity: str = "user", *agents: str) -> str:
        """Sign a join token as a Python backend does, with a dispatch for each agent named."""
        named = [word for agent in agents for word in ("--agent", agent)]
        return str(self._client("token", "--room", room, "--identity", identity, *named)["token"])

    def join(self, room: str, *, identity: str = "user", token: str | None = None, publish: bool = False) -> Visitor:
        """Let a real client join, with the token of the project's script unless one is given."""
        assert self._ready is not None, "the stack is not up"
        signed = token or self.token(room, identity)
        words = [str(self._ready.python), "-I", str(HERE / "client.py"), "join", "--room", room, "--url", self.url]
        words += ["--token", signed, *(["--publish"] if publish else [])]
        visitor = Visitor(words, {**os.environ, **self.environment}, room)
        self._visitors.append(visitor)
        return visitor.joined()

    def create_room(self, room: str, *agents: str) -> str:
        """Make a room as a backend does, with a dispatch for each agent named; return its id."""
        named = [word for agent in agents for word in ("--agent", agent)]
        return str(self._client("create-room", "--room", room, *named)["sid"])

    def create_dispatch(self, room: str, agent: str = AGENT) -> str:
        """Ask for an agent in a room that may be there already; return the dispatch's id."""
        return str(self._client("create-dispatch", "--room", room, "--agent", agent)["id"])

    def participants(self, room: str) -> list[dict[str, str]]:
        """Who is in the room by the API: identity, kind, state. Leaves a line in the server's log."""
        found: list[dict[str, str]] = self._client("participants", "--room", room)["participants"]
        return found

    def delete_room(self, room: str) -> None:
        """End a room as a backend does."""
        self._client("delete-room", "--room", room)

    def _client(self, *words: str) -> dict[str, Any]:
        assert self._ready is not None, "the stack is not up"
        answer: dict[str, Any] = json.loads(self._run(str(self._ready.python), "-I", str(HERE / "client.py"), *words))
        return answer

    def _run(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(words, cwd=cwd, env=self._people(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError(f"{words[0]} {words[-1]} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def _people(self) -> Mapping[str, str]:
        """The environment of a person at the project: address, keys, and bun in the path."""
        return {**os.environ, **self.environment, "PATH": self.path}

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep every CPU of this machine busy with other things, long enough at first for a worker to report it."""
        spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
        try:
            time.sleep(2 * SETTLED)
            yield
        finally:
            for program in spinning:
                program.kill()
                program.wait()

    def build_fletcher(self) -> str:
        """Build Fletcher's own image from the checkout, and return its name; the project's service takes it as well."""
        self._ready = self._ready or make_ready(self.progress, self.version)
        image = fletcher_image(self.name)
        own = {"PYTHON_IMAGE": PYTHON_IMAGE, "DOCKER_CLI_IMAGE": DOCKER_CLI_IMAGE, "FLETCHER_IMAGE": image}
        own["COMPOSE_PROJECT_NAME"] = self.name  # so that `down` knows what earlier builds have left
        with self.progress.phase("fletcher image") as phase:
            phase.run("docker", "compose", "build", "fletcher", cwd=CHECKOUT, env=own)
        return image

    @contextmanager
    def without_engine(self, by: signal.Signals = signal.SIGTERM) -> Iterator[None]:
        """Stop the engine, then start it again, as an upgrade of Docker does; the containers come back by themselves."""
        with self.progress.phase("engine restart") as phase, engine.ended(phase, by):
            yield

    # --- containers and logs --------------------------------------------------------------------------------------

    def container(self, service: str) -> str:
        """The container of a service of this stack."""
        return f"{self.name}-{service}-1"

    def docker(self, *words: str) -> str:
        """Run a docker command and return what it prints: kill, restart, stop, inspect."""
        return self._run("docker", *words)

    def logs(self, service: str, *, since: int = 0) -> bytes:
        """What the container of this service has written on both outputs, since a time in nanoseconds."""
        words = ["docker", "logs", "--since", f"{since // 10**9}.{since % 10**9:09}", self.container(service)]
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout

    def copy_logs(self, folder: Path) -> dict[str, Path]:
        """Write both logs into files, as a person does for someone without rights on the machine."""
        files = {"livekit": folder / "livekit.log", "voice-agent": folder / "agent.log"}
        for service, file in files.items():
            file.write_bytes(self.logs(service))
        return files


def _until(seconds: float, problem: str, where: str) -> Iterator[None]:
    """Let the caller look again and again; after these seconds say what has not happened."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.2)
    raise StackError(f"{problem} within {seconds:.0f} s; see {where}")
