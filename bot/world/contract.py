"""What steps may ask of the outside. `real` is this machine; `staged` is the demo's, on a clock of its own.

Every time is of the engine's clock, in nanoseconds since the epoch: it also stamps the containers' logs, so that a line
is before or after a step whatever this machine's own clock says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from bot.evidence.attach import Attached
    from bot.evidence.docker import Containers
    from bot.livekit.seen import ApiParticipant, ApiSeen, Machine
    from bot.plan.values import Command

Role = Literal["livekit", "agent"]


class Line(NamedTuple):
    """One line of a container's log, with the engine's time; `text` has no line end and is not redacted."""

    at_ns: int
    container: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: by itself with `code`, or (`code` None) because we ended it, and `why`: "timeout", "stopped".

    A negative `code` is the number of the signal that ended it.
    """

    code: int | None
    why: str = ""


class Instance(NamedTuple):
    """One container of a compose service: `image` is the id of its image, `state` Docker's word, such as running.

    `config` is compose's own hash of how the service is set up, "" where it is not known.
    """

    service: str
    name: str
    id: str
    image: str
    created_ns: int
    started_ns: int
    state: str
    exit_code: int
    config: str = ""


class World(Protocol):
    """The outside, as steps and their proof need it. Each method raises FletcherError with a sentence for a person."""

    def now(self) -> int:
        """The engine's time; this machine's where there is no engine."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def run(self, command: Command, *, seconds: float, tell: Callable[[bytes], None], stop: Event) -> Ended:
        """Run a program to its end, its output (both streams) to `tell` as it comes; standard input is empty.

        Its environment is PATH, HOME and LANG, the way to the engine, and what the command sets: no key or secret of
        ours. After `seconds`, or once `stop` is set, everything that it started is ended, also what left its process
        group. Unreachable of kind "lost": it was started, and how it ended is not known.
        """

    def log(self, role: Role, since_ns: int) -> Iterator[Line]:
        """The lines of a service's containers from that time on, as far as they are there now; in no promised order.

        Where some are gone, since the log was cut short or is not there, FletcherError is raised behind the others.
        """

    def docker(self) -> tuple[Containers, Attached]:
        """The Docker engine, and the project in it that is acted upon."""

    def machines(self, role: Role) -> tuple[Machine, ...]:
        """The service's containers, those that do not run included."""

    def instances(self, services: tuple[str, ...]) -> tuple[Instance, ...]:
        """The containers of these compose services, whatever their role; of a service that has none, none."""

    def api(self, rooms: tuple[str, ...] | None) -> ApiSeen:
        """What the LiveKit API tells now; participants and dispatches of these rooms, None for all."""

    def inside(self, room: str) -> tuple[ApiParticipant, ...]:
        """Who is in a room now, by one call; in one that is not there, nobody."""

    def create_room(self, name: str, *, agent: str | None, metadata: str, empty_timeout: int) -> None:
        """Make a room; with `agent` it asks for that agent ("" too), with None for nobody. `empty_timeout` in seconds."""

    def delete_room(self, name: str) -> None:
        """End a room; one that is not there is no error."""

    def create_dispatch(self, room: str, agent: str, metadata: str) -> str:
        """Ask for an agent in a living room; the dispatch's id. 200 says nothing about workers."""
