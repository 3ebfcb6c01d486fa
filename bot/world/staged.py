"""A world on a clock of its own: logs, rooms and containers in which things happen at their time. For tests and the demo."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.livekit.seen import ApiParticipant, ApiRoom, ApiSeen, Machine
from bot.livekit.setup import Place
from bot.world.contract import Ended, Instance, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from bot.evidence.attach import Attached
    from bot.evidence.docker import Containers
    from bot.plan.values import Command
    from bot.world.contract import Instance, Role

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


@dataclass
class Inside:
    """A room: who is there from when on, in nanoseconds."""

    made: int
    people: list[tuple[int, ApiParticipant]] = field(default_factory=list)


@dataclass
class StagedWorld:
    """`happens` is called when a room is made (or dispatched into), and schedules what the server then does.

    `pace` is how much of a second that is waited for really passes.
    """

    clock: int = START
    lines: list[tuple[int, str, str]] = field(default_factory=list)
    rooms: dict[str, Inside] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    asked: dict[str, str | None] = field(default_factory=dict)
    happens: Callable[[StagedWorld, str, str | None], None] = lambda _world, _room, _agent: None
    containers: list[Machine] = field(default_factory=list)
    api_fails: str = ""
    log_fails: str = ""
    pace: float = 0.0

    # --- what is put on the stage --------------------------------------------------------------------------------

    def log_line(
        self, after: float, message: str, *, role: Role = "livekit", level: str = "INFO", **fields: str
    ) -> None:
        """A line of the server's (or the worker's), so many seconds from now."""
        at = self.clock + int(after * SECOND)
        stamp = datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.lines.append(
            (
                at,
                role,
                f"{stamp}\t{level}\tlivekit.agents\tservice/agentservice.go:302\t{message}\t{json.dumps(fields)}",
            )
        )

    def comes(self, room: str, after: float, name: str = "", identity: str = "agent-AJ_1") -> None:
        """An agent is ACTIVE in a room, so many seconds from now."""
        someone = ApiParticipant(identity, agent=True, state="ACTIVE", agent_name=name, joined=None)
        self.rooms.setdefault(room, Inside(self.clock)).people.append((self.clock + int(after * SECOND), someone))

    def container(self, state: str, *, restarts: int = 0, exit_code: int = 0) -> None:
        """The worker's container."""
        place = Place("docker inspect demo-voice-agent-1", 1, state)
        self.containers = [
            Machine("agent", "voice-agent", "demo-voice-agent-1", state, "", exit_code, oom_killed=False, restarts=restarts, created=None, started=None, finished=None, place=place)
        ]  # fmt: skip

    # --- the world -----------------------------------------------------------------------------------------------

    def now(self) -> int:
        return self.clock

    def wait(self, seconds: float) -> None:
        if self.pace:
            time.sleep(seconds * self.pace)
        self.clock += int(seconds * SECOND)

    def run(self, command: Command, *, seconds: float, tell: Callable[[bytes], None], stop: Event) -> Ended:  # noqa: ARG002
        return Ended(0)

    def log(self, role: Role, since_ns: int) -> Iterator[Line]:
        if self.log_fails:
            raise Unreachable(self.log_fails)
        return (
            Line(at, f"demo-{who}-1", text.encode())
            for at, who, text in self.lines
            if who == role and since_ns <= at <= self.clock
        )

    def docker(self) -> tuple[Containers, Attached]:
        raise Unreachable("there is no Docker engine on the stage")

    def machines(self, role: Role) -> tuple[Machine, ...]:
        return tuple(self.containers) if role == "agent" else ()

    def instances(self, services: tuple[str, ...]) -> tuple[Instance, ...]:  # noqa: ARG002
        return ()

    def api(self, rooms: tuple[str, ...] | None) -> ApiSeen:
        if self.api_fails:
            raise Unreachable(self.api_fails)
        place = Place("LiveKit API", 1, "")
        told = []
        for name, inside in self.rooms.items():
            asked = rooms is None or name in rooms
            people = tuple(p for at, p in inside.people if at <= self.clock)
            told.append(ApiRoom(name, f"RM_{name}", None, people if asked else None, () if asked else None, place))
        return ApiSeen("http://stage", self.clock / SECOND, tuple(told))

    def inside(self, room: str) -> tuple[ApiParticipant, ...]:
        return next((found.participants or () for found in self.api((room,)).rooms if found.name == room), ())

    def create_room(self, name: str, *, agent: str | None, metadata: str, empty_timeout: int) -> None:  # noqa: ARG002
        if self.api_fails:
            raise Unreachable(self.api_fails)
        self.rooms[name] = Inside(self.clock)
        self.asked[name] = agent
        self.happens(self, name, agent)

    def delete_room(self, name: str) -> None:
        self.rooms.pop(name, None)
        self.ended.append(name)

    def create_dispatch(self, room: str, agent: str, metadata: str) -> str:  # noqa: ARG002
        self.happens(self, room, agent)
        return "AD_1"
