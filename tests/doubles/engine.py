"""A Docker engine for tests: containers as plain data behind a real socket, and logs that grow while it runs.

    with Engine() as engine:
        livekit = engine.add(service="livekit", image="livekit/livekit-server:v1.13.5", lines=["hello"])
        ...  # look at engine.host
        livekit.log("and more")
        engine.restart()

It answers what Fletcher asks: /_ping, /version, /info, /events, /containers/json, /containers/ID/json,
/containers/ID/logs.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import socketserver
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

PIECE = 16384  # Docker splits longer lines
PIECES = {"stdout": 1, "stderr": 2, "engine": 3}
Stream = Literal["stdout", "stderr", "engine"]
START = 1_770_000_000 * 10**9  # when a container's first line was logged, if no test says else


@dataclass(frozen=True)
class Stored:
    """One piece of a log as the engine stores it; the last of a line ends with a line feed."""

    ns: int
    stream: Stream
    data: bytes


@dataclass
class Box:
    """A container; a test may change every field while the engine runs."""

    id: str
    service: str
    project: str = "demo"
    number: int = 1
    name: str = ""
    image: str = "local/image:1"
    image_id: str = "sha256:" + "0" * 64
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    state: str = "running"
    health: str = ""
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    created: str = "2026-03-12T07:00:00.5Z"
    started: str = "2026-03-12T07:00:01Z"
    finished: str = "0001-01-01T00:00:00Z"
    log_driver: str = "json-file"
    tty: bool = False
    oneoff: bool = False
    config_hash: str = ""
    working_dir: str = "/srv/demo"
    config_files: tuple[str, ...] = ("/srv/demo/docker-compose.yml",)
    mounts: tuple[tuple[str, str], ...] = ()
    ports: Mapping[str, tuple[str, int] | None] = field(default_factory=dict)  # "7880/tcp": ("127.0.0.1", 7880)
    ips: tuple[str, ...] = ("172.18.0.2",)
    network_mode: str = "demo_default"
    vanishes: bool = False  # listed, and gone when asked for
    stored: list[Stored] = field(default_factory=list)

    def log(self, text: str | bytes, ns: int | None = None, stream: Stream = "stdout", *, ended: bool = True) -> None:
        """Log a line, 1 ms after the last one if no time is given; without its end when `ended` is False."""
        data = text.encode() if isinstance(text, str) else text
        at = ns if ns is not None else (self.stored[-1].ns + 10**6 if self.stored else START)
        data += (b"\r\n" if self.tty else b"\n") if ended else b""
        for start in range(0, len(data), PIECE):
            self.stored.append(Stored(at, stream, data[start : start + PIECE]))

    def inspected(self) -> dict[str, Any]:
        """The answer to GET /containers/ID/json, as engine 20.10 gives it."""
        path, *arguments = self.command or ("/entrypoint",)
        ports = {
            inner: outer and [{"HostIp": outer[0], "HostPort": str(outer[1])}] for inner, outer in self.ports.items()
        }
        state: dict[str, Any] = {
            "Status": self.state,
            "ExitCode": self.exit_code,
            "OOMKilled": self.oom_killed,
            "StartedAt": self.started,
            "FinishedAt": self.finished,
        }
        if self.health:
            state["Health"] = {"Status": self.health}
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Created": self.created,
            "Image": self.image_id,
            "Path": path,
            "Args": arguments,
            "State": state,
            "RestartCount": self.restarts,
            "HostConfig": {
                "LogConfig": {"Type": self.log_driver},
                "NetworkMode": self.network_mode,
                "RestartPolicy": {"Name": "unless-stopped"},
                "PortBindings": {},
            },
            "Mounts": [{"Source": source, "Destination": inside} for source, inside in self.mounts],
            "Config": {
                "Image": self.image,
                "Tty": self.tty,
                "Env": [f"{name}={value}" for name, value in self.env.items()],
                "Labels": self.labels(),
            },
            "NetworkSettings": {
                "Ports": ports,
                "Networks": {f"net{at}": {"IPAddress": ip} for at, ip in enumerate(self.ips)},
            },
        }

    def labels(self) -> dict[str, str]:
        """What compose writes on it; nothing when it belongs to no project."""
        label = "com.docker.compose."
        if not self.project:
            return {}
        return {
            label + "project": self.project,
            label + "service": self.service,
            label + "container-number": str(self.number),
            label + "oneoff": str(self.oneoff),
            label + "config-hash": self.config_hash,
            label + "project.working_dir": self.working_dir,
            label + "project.config_files": ",".join(self.config_files),
        }

    def sent(self, query: Mapping[str, str]) -> Iterator[bytes]:
        """The log's frames, chosen as the engine chooses: first the last ones stored, of these the ones since."""
        stored = self.stored
        if query.get("tail", "all") != "all":
            stored = stored[max(0, len(stored) - int(query["tail"])) :]
        whole, _, fraction = query.get("since", "0").partition(".")
        since = int(whole) * 10**9 + int(fraction.ljust(9, "0"))
        for piece in stored:
            if piece.ns >= since:
                stamped = (stamp(piece.ns) + b" " if query.get("timestamps") == "1" else b"") + piece.data
                head = bytes([PIECES[piece.stream], 0, 0, 0]) + len(stamped).to_bytes(4)
                yield stamped if self.tty else head + stamped


def stamp(ns: int) -> bytes:
    """A time as the engine writes it before a line."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ns // 10**9))}.{ns % 10**9:09d}Z".encode()


class Engine:
    """The engine; listens on a unix socket, with `tcp` on a port of this machine, there with TLS when it has a context."""

    def __init__(self, *, tcp: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.boxes: list[Box] = []
        self.events: list[dict[str, Any]] = []
        self.asked: list[str] = []  # every path with its query
        self.api_version = "1.41"
        self.connections = 0  # that were made to it
        self.ahead = 0.0  # seconds by which its clock is
        self.root = ""  # the folder in which it keeps its data
        self.refusal: tuple[int, str] | None = None  # answered to everything but its version
        self.cut_after: int | None = None  # bytes of a log, then the connection breaks
        self.chunk: int | None = None  # bytes of a log that are sent at once
        self.command: Callable[[dict[str, Any]], dict[str, Any]] | None = None  # what `docker` does (docker_cli.py)
        self.host = ""
        self.socket = ""
        self._tcp, self._tls = tcp, tls
        self._folder = ""
        self._server: _Server | None = None
        self._count = 0

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="engine-")
        self.socket = str(Path(self._folder) / "docker.sock")
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        shutil.rmtree(self._folder)

    def add(self, service: str, *, lines: Iterable[str | bytes] = (), **fields: Any) -> Box:  # noqa: ANN401  # Box's fields
        """Make a container of this service, with these lines in its log."""
        self._count += 1
        box = Box(id=f"{self._count:064x}", service=service, **fields)
        box.name = box.name or "-".join(filter(None, (box.project, service, str(box.number))))
        self.boxes.append(box)
        for line in lines:
            box.log(line)
        return box

    def recreate(self, box: Box, *, lines: Iterable[str | bytes] = (), **fields: Any) -> Box:  # noqa: ANN401  # Box's fields
        """Put a new container into the place of this one, as `docker compose up --force-recreate` does."""
        self.remove(box)
        kept = {name: value for name, value in vars(box).items() if name not in {"id", "service", "stored"}}
        return self.add(box.service, lines=lines, **{**kept, **fields})

    def remove(self, box: Box) -> None:
        """Take the container away."""
        self.boxes.remove(box)

    def up(self) -> None:
        """Begin to listen; on the same address as before."""
        address: Any = self.socket
        if self._tcp:
            address = ("127.0.0.1", int(self.host.rpartition(":")[2]) if self.host else 0)
        elif Path(self.socket).exists():
            Path(self.socket).unlink()
        self._server = _Server(address, self, self._tls)
        self.host = f"tcp://127.0.0.1:{self._server.server_address[1]}" if self._tcp else f"unix://{self.socket}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Stop listening and break all connections off; a socket stays, as it does when an engine is killed."""
        if self._server is not None:
            self._server.shutdown()
            self._server.hang_up()
            self._server.server_close()
            self._server = None

    def drain(self) -> None:
        """Take nobody new, and go on answering who is connected: so an engine begins to end, while its containers stop."""
        if self._server is not None:
            self._server.shutdown()
            self._server.socket.close()

    def restart(self) -> None:
        """Stop and start the engine; containers and logs stay."""
        self.down()
        self.up()

    def forbid(self) -> None:
        """Let nobody but root use the socket."""
        Path(self.socket).chmod(0)

    def happened(self, box: Box, action: str, at: float, **attributes: str) -> None:
        """Let something happen to a container, at a time in epoch seconds by the engine's clock."""
        told = {**box.labels(), "name": box.name, **attributes}
        actor = {"ID": box.id, "Attributes": told}
        self.events.append({"Type": "container", "Action": action, "Actor": actor, "timeNano": int(at * 1e9)})

    def happened_between(self, query: Mapping[str, str]) -> bytes:
        """The answer to GET /events: a document per line."""
        since, until = (float(query[name]) for name in ("since", "until"))
        wanted = json.loads(query["filters"])
        found = (e for e in self.events if e["Action"] in wanted["event"] and since <= e["timeNano"] / 1e9 <= until)
        return b"".join(json.dumps(e).encode() + b"\n" for e in found)

    def box(self, of: str) -> Box | None:
        """The container of this id or name."""
        return next((box for box in self.boxes if of in {box.id, box.name} and not box.vanishes), None)

    def listed(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The answer to GET /containers/json: of the label that is asked for, the running ones or all."""
        wanted = [label.partition("=") for label in json.loads(query.get("filters", "{}")).get("label", [])]
        return [
            {"Id": box.id, "Names": [f"/{box.name}"], "State": box.state, "Labels": box.labels()}
            for box in self.boxes
            if (query.get("all") == "1" or box.state == "running")
            and all(name in box.labels() and (not sign or box.labels()[name] == value) for name, sign, value in wanted)
        ]


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128  # a full queue refuses whoever comes next; a real engine's is never full
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, address: Any, engine: Engine, tls: ssl.SSLContext | None) -> None:  # noqa: ANN401  # as sockets have it
        self.address_family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.engine, self.tls = engine, tls
        self.open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.open.add(connection)
        self.engine.connections += 1
        return connection, address

    def hang_up(self) -> None:
        for connection in tuple(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  # as the base has it
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no failure of a test; what the client sees is."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Docker's own program is a double, too: it tells what it was called with, and is told what to do."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.server.engine.command is not None
        self._json(HTTPStatus.OK, self.server.engine.command(told))

    def do_GET(self) -> None:
        engine = self.server.engine
        engine.asked.append(self.path)
        url = urlsplit(self.path)
        path = re.sub(r"^/v[\d.]+(?=/)", "", url.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if path == "/_ping":
            self._bytes(HTTPStatus.OK, b"OK", "text/plain")
        elif path == "/version":
            self._json(
                HTTPStatus.OK, {"Version": "20.10.24", "ApiVersion": engine.api_version, "MinAPIVersion": "1.12"}
            )
        elif engine.refusal:
            self._json(engine.refusal[0], {"message": engine.refusal[1]})
        elif path == "/info":
            now = stamp(time.time_ns() + int(engine.ahead * 10**9)).decode()
            told = {
                "ServerVersion": "20.10.24",
                "SystemTime": now,
                "Name": "double",
                "LoggingDriver": "json-file",
                "DockerRootDir": engine.root,
            }
            self._json(HTTPStatus.OK, told)
        elif path == "/events":
            self._bytes(HTTPStatus.OK, engine.happened_between(query), "application/json")
        elif path == "/containers/json":
            self._json(HTTPStatus.OK, engine.listed(query))
        elif found := re.fullmatch(r"/containers/([^/]+)/(json|logs)", path):
            self._container(found[1], found[2], query)
        else:
            self._json(HTTPStatus.NOT_FOUND, {"message": "page not found"})

    def _container(self, of: str, what: str, query: Mapping[str, str]) -> None:
        box = self.server.engine.box(of)
        if box is None:
            self._json(HTTPStatus.NOT_FOUND, {"message": f"No such container: {of}"})
        elif what == "json":
            self._json(HTTPStatus.OK, box.inspected())
        elif box.log_driver not in {"json-file", "local", "journald"}:
            self._json(HTTPStatus.NOT_IMPLEMENTED, {"message": "configured logging driver does not support reading"})
        else:
            self._stream(box.sent(query))

    def _stream(self, parts: Iterator[bytes]) -> None:
        """Send a log in HTTP chunks, each a frame if no size is set."""
        engine = self.server.engine
        self.send_response(HTTPStatus.OK)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if engine.chunk is not None:
            data = b"".join(parts)
            parts = iter([data[at : at + engine.chunk] for at in range(0, len(data), engine.chunk)])
        left = engine.cut_after
        for part in parts:
            if left is not None and len(part) > left:
                self.wfile.write(f"{len(part):x}\r\n".encode() + part[:left])
                self.close_connection = True
                return
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            left = None if left is None else left - len(part)
        self.wfile.write(b"0\r\n\r\n")

    def _json(self, status: int, value: object) -> None:
        self._bytes(status, json.dumps(value).encode(), "application/json")

    def _bytes(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
