"""The sweep and the stack's health beside a real stack, as an executor looks: one look after the other, and what they said."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import msgspec

from bot.probes.ask import Asking
from bot.probes.values import Probe, Standing
from bot.runbook import shelf
from bot.runbook.document import Schedule
from tests.live.ways import surroundings

if TYPE_CHECKING:
    from bot.probes.values import Result
    from tests.live.incidents import Incident
    from tests.stack.stack import Stack

FOUND = 10.0  # seconds from a room's maturity within which it has to be told
_AGAIN = 0.5


@dataclass
class Looking:
    """One probe beside a stack; `results` are what its looks came to. A context manager."""

    stack: Stack
    runbook: str
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        runbook = shelf.read(shelf.shipped() / f"{self.runbook}.md")
        schedule = runbook.schedule or Schedule(every=5)
        probe = Probe(name=self.runbook, runbook=runbook, schedule=schedule, here=str(self.stack.project))
        self.standing = Standing(probe=probe)
        self._opened = ExitStack()
        self._asking = Asking(surroundings(self.stack.environment))

    def __enter__(self) -> Self:
        self._opened.enter_context(self._asking)
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def look(self) -> Result:
        """One slot."""
        result = self._asking.look(self.standing, lambda: False)
        light = result.light if result.light != "skipped" else self.standing.light
        self.standing = msgspec.structs.replace(self.standing, last=result, light=light)
        self.results.append(result)
        return result

    def told(self, room: str) -> list[tuple[str, str]]:
        """Verdict and cause of each time that this room was newly told."""
        new = [r for r in self.results if f"room {room} lacks its agent" in r.says]
        return [(f.verdict, f.cause) for r in new for f in r.findings if f.room == room]


class Beside(threading.Thread):
    """A probe that looks every so many seconds while something else happens."""

    def __init__(self, looking: Looking, every: float) -> None:
        super().__init__(daemon=True)
        self.looking, self._every, self._ended = looking, every, threading.Event()

    def run(self) -> None:
        """Look until it ends."""
        while not self._ended.wait(self._every):
            self.looking.look()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(60)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep said of an incident's room, and how long after the room could be judged."""

    told: list[tuple[str, str]]
    lights: list[str]
    seconds: float
    says: list[str]


def swept(stack: Stack, incident: Incident) -> Swept:
    """Look as often as slots would, until the room is told; of a room that nobody can judge, twice."""
    began = time.monotonic()
    with Looking(stack, "log-sweep") as looking:
        while True:
            looking.look()
            seconds = time.monotonic() - began
            told = looking.told(incident.name)
            wanted = incident.tells == "cause"
            if told or (not wanted and len(looking.results) == 2) or seconds > FOUND:
                return Swept(told, [r.light for r in looking.results], seconds, [r.says for r in looking.results])
            time.sleep(_AGAIN)
