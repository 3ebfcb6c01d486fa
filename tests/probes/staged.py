"""A LiveKit server over a real socket, on a clock that goes on only where somebody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from bot.errors import Unreachable
from bot.livekit.seen import Seen
from bot.livekit.story import Story
from bot.probes.values import Probe, Result, Standing
from bot.runbook import shelf
from bot.settings import Target
from bot.world.real import RealWorld
from tests.doubles.livekit_api import KEY, SECRET, LiveKit, agent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.findings import Finding

_SECOND = 1_000_000_000


class Staged(RealWorld):
    """`comes` says who comes into a room and how many seconds after it was made: (agent's name, state, seconds)."""

    def __init__(self, server: LiveKit, folder: Path) -> None:
        target = Target(
            docker_host=f"unix://{folder}/none.sock", livekit_url=server.url, api_key=KEY, api_secret=SECRET
        )
        super().__init__(target, folder)
        self.server = server
        self.comes: list[tuple[str, str, float]] = []
        self.happens: list[tuple[float, Callable[[], object]]] = []
        self.made: list[tuple[str, str | None, str, int]] = []
        self.ended: list[str] = []

    def __enter__(self) -> Self:
        return self

    def now(self) -> int:
        return int(self.server.now * _SECOND)

    def wait(self, seconds: float) -> None:
        self.server.ahead += seconds
        due = [one for one in self.happens if one[0] <= self.server.now]
        self.happens = [one for one in self.happens if one[0] > self.server.now]
        for _, happen in due:
            happen()

    @property
    def server_environment(self) -> dict[str, str]:
        """Its address and keys, as they are set for a deployment without an engine."""
        return {
            "LIVEKIT_URL": self.server.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET,
            "DOCKER_HOST": "unix:///nowhere/docker.sock",
        }  # fmt: skip

    def later(self, seconds: float, happen: Callable[[], object]) -> None:
        """Let something happen after so many seconds."""
        self.happens.append((self.server.now + seconds, happen))

    def create_room(self, name: str, *, agent: str | None, metadata: str, empty_timeout: int) -> None:
        super().create_room(name, agent=agent, metadata=metadata, empty_timeout=empty_timeout)
        self.made.append((name, agent, metadata, empty_timeout))
        for who, state, seconds in self.comes:
            self.later(seconds, lambda who=who, state=state: self.enters(name, who, state))  # type: ignore[misc]
        self.wait(0)

    def delete_room(self, name: str) -> None:
        super().delete_room(name)
        self.ended.append(name)

    def enters(self, room: str, name: str, state: str = "ACTIVE", job: str = "AJ_1") -> None:
        """An agent comes into a room, where that is still there; it takes the place of the same before."""
        if room in self.server.inside:
            people = self.server.inside[room][0]
            people[:] = [p for p in people if p.identity != f"agent-{job}"]
            people.append(agent(job, name, state=state, joined=self.server.now))

    def leaves(self, room: str, identity: str) -> None:
        """Somebody goes."""
        people = self.server.inside[room][0]
        people[:] = [p for p in people if p.identity != identity]


class Around:
    """What a canary sees around it; with `away` it sees nothing."""

    def __init__(self, seen: Seen | None = None, told: tuple[Finding, ...] = (), away: str = "") -> None:
        self._seen, self.told, self._away = seen or Seen(Story()), told, away
        self.asked: list[str] = []

    def seen(self) -> Seen:
        """What runs now."""
        if self._away:
            raise Unreachable(self._away)
        return self._seen

    def verdict(self, room: str) -> tuple[Finding, ...]:
        """What a diagnosis says of this room."""
        self.asked.append(room)
        if self._away:
            raise Unreachable(self._away)
        return self.told


def probe(runbook: str, **inputs: str) -> Probe:
    """A probe of a runbook that comes along."""
    book = shelf.read(shelf.shipped() / f"{runbook}.md")
    assert book.schedule is not None
    return Probe(name=runbook, runbook=book, schedule=book.schedule, inputs=inputs)


def standing(of: Probe, last: Result | None = None) -> Standing:
    """How it stands after this result."""
    return Standing(probe=of, last=last)


def never() -> bool:
    """Nobody wants it to stop."""
    return False
