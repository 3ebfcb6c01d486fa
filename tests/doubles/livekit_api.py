"""A small LiveKit server as its API shows it: real Twirp over a real socket, told by a test what there is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from livekit.protocol import agent_dispatch as dispatch_pb
from livekit.protocol import models as models_pb
from livekit.protocol import room as room_pb
from livekit.protocol.agent import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

KEY, SECRET = "APIkey", "a-secret-that-is-long-enough-to-be-one"


def person(identity: str, *, joined: float = 0.0, state: str = "ACTIVE") -> models_pb.ParticipantInfo:
    """A user."""
    at = int((joined or time.time()) * 1000)
    return models_pb.ParticipantInfo(identity=identity, state=state, joined_at=at // 1000, joined_at_ms=at)


def agent(job: str, name: str = "", *, joined: float = 0.0, state: str = "ACTIVE") -> models_pb.ParticipantInfo:
    """The agent of this job."""
    info = person(f"agent-{job}", joined=joined, state=state)
    info.kind = models_pb.ParticipantInfo.Kind.AGENT
    if name:
        info.attributes["lk.agent_name"] = name
    return info


def dispatch(
    name: str, *, jobs: int = 0, created: float = 0.0, error: str = "", metadata: str = ""
) -> dispatch_pb.AgentDispatch:
    """What a room waits for."""
    made = [Job(id=f"AJ_{i}", state=JobState(error=error)) for i in range(jobs)]
    state = dispatch_pb.AgentDispatchState(jobs=made, created_at=int((created or time.time()) * 1e9))
    return dispatch_pb.AgentDispatch(id=f"AD_{name}", agent_name=name, state=state, metadata=metadata)


class LiveKit:
    """The server; `calls` counts what it was asked, `fails` and `slow` (by method) say what goes wrong."""

    def __init__(self, key: str = KEY, secret: str = SECRET) -> None:
        self.keys = {key: secret}
        self.rooms: dict[str, models_pb.Room] = {}
        self.inside: dict[str, tuple[list[models_pb.ParticipantInfo], list[dispatch_pb.AgentDispatch]]] = {}
        self.calls: Counter[str] = Counter()
        self.fails: dict[str, tuple[int, bytes]] = {}
        self.slow: dict[str, float] = {}
        self.ahead = 0.0  # seconds of this server's clock
        self.lost: set[str] = set()  # methods that are done, and whose answer never comes
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self._server.server_port}"

    @property
    def now(self) -> float:
        """This server's time."""
        return time.time() + self.ahead

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def room(
        self, name: str, *, room_id: str = "", created: float = 0.0,
        participants: Iterable[models_pb.ParticipantInfo] = (), dispatches: Iterable[dispatch_pb.AgentDispatch] = (),
    ) -> None:  # fmt: skip
        """Make a room."""
        people, at = list(participants), int((created or time.time() - 60) * 1000)
        self.rooms[name] = models_pb.Room(
            sid=room_id or f"RM_{name}", name=name, creation_time=at // 1000, creation_time_ms=at,
            num_participants=len(people),
        )  # fmt: skip
        self.inside[name] = (people, list(dispatches))

    def answer(self, method: str, body: bytes, authorization: str) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        self.calls[method] += 1
        self._stopped.wait(self.slow.get(method, 0.0))
        refusal, grants = self._grants(authorization.removeprefix("Bearer "))
        if refusal:
            return 401, "text/plain; charset=utf-8", refusal.encode()
        if method in self.fails:
            status, text = self.fails[method]
            return status, "application/json" if text.startswith(b"{") else "text/html", text
        if method == "DeleteRoom" and room_pb.DeleteRoomRequest.FromString(body).room not in self.rooms:
            return 404, "application/json", b'{"code":"not_found","msg":"requested room does not exist"}'
        reply = self._reply(method, body, grants)
        if method in self.lost:
            return 502, "text/html", b"bad gateway"
        if reply is None:
            return 401, "application/json", b'{"code":"unauthenticated","msg":"permissions denied"}'
        return 200, "application/protobuf", reply.SerializeToString()

    def _reply(self, method: str, body: bytes, grants: dict[str, Any]) -> Message | None:
        if method == "ListRooms":
            return room_pb.ListRoomsResponse(rooms=self.rooms.values()) if grants.get("roomList") else None
        if method in {"CreateRoom", "DeleteRoom"}:
            return self._of_room(method, body) if grants.get("roomCreate") else None
        if method == "CreateDispatch":
            return self._dispatched(dispatch_pb.CreateAgentDispatchRequest.FromString(body), grants)
        if method == "ListParticipants":
            name = room_pb.ListParticipantsRequest.FromString(body).room
        else:
            name = dispatch_pb.ListAgentDispatchRequest.FromString(body).room
        if not grants.get("roomAdmin") or grants.get("room") != name:
            return None
        people, dispatches = self.inside.get(name, ([], []))
        if method == "ListParticipants":
            return room_pb.ListParticipantsResponse(participants=people)
        return dispatch_pb.ListAgentDispatchResponse(agent_dispatches=dispatches)

    def _of_room(self, method: str, body: bytes) -> Message:
        if method == "DeleteRoom":
            name = room_pb.DeleteRoomRequest.FromString(body).room
            del self.rooms[name], self.inside[name]
            return room_pb.DeleteRoomResponse()
        asked = room_pb.CreateRoomRequest.FromString(body)
        if asked.name not in self.rooms:  # one that is there stays as it is
            made = [dispatch(a.agent_name, created=self.now, metadata=a.metadata) for a in asked.agents]
            self.room(asked.name, created=self.now, dispatches=made)
            self.rooms[asked.name].metadata = asked.metadata
            self.rooms[asked.name].empty_timeout = asked.empty_timeout
        return self.rooms[asked.name]

    def _dispatched(self, asked: dispatch_pb.CreateAgentDispatchRequest, grants: dict[str, Any]) -> Message | None:
        if not grants.get("roomAdmin") or grants.get("room") != asked.room:
            return None
        if asked.room not in self.rooms:
            self.room(asked.room, created=self.now)
        made = dispatch(asked.agent_name, created=self.now, metadata=asked.metadata)
        made.id = f"AD_{len(self.inside[asked.room][1])}{asked.agent_name}"
        self.inside[asked.room][1].append(made)
        return made

    def _grants(self, token: str) -> tuple[str, dict[str, Any]]:
        """The refusal in the words of livekit-server 1.13.5, and what the token grants."""
        head, claims, signature = token.split(".")
        told: dict[str, Any] = json.loads(_plain(claims))
        secret = self.keys.get(told["iss"])
        if secret is None:
            return f"invalid API key: {told['iss']}", {}
        mine = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(mine, _plain(signature)):
            return f"invalid token: {token}, error: token signature is invalid: signature is invalid", {}
        if told["nbf"] > time.time() + self.ahead + 60:
            return f"invalid token: {token}, error: token has invalid claims: token is not valid yet", {}
        return "", told["video"]


def _plain(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _handler(server: LiveKit) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path, _, method = self.path.rpartition("/")
            if path in {"/twirp/livekit.RoomService", "/twirp/livekit.AgentDispatchService"}:
                status, kind, reply = server.answer(method, body, self.headers["Authorization"])
            else:
                status, kind, reply = 404, "text/plain; charset=utf-8", b"404 page not found\n"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked has stopped waiting
                self.wfile.write(reply)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate((timestamp or time.time()) + server.ahead, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            """Nothing: tests print only what they mean to."""

    return Handler
