"""The incidents that are made for real: what is switched on, how the room is made, and what is to be said of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stack.places import SERVERS
from tests.stack.progress import StackError
from tests.stack.stack import AGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.stack.stack import Stack
    from tests.stack.visitor import Visitor

    Room = Callable[[Stack, str], AbstractContextManager[Visitor]]

NEWEST, OLDER = SERVERS
DECIDED = (
    8.0  # seconds: the server may need five for its line about a name that nobody has, and no room is judged before 7
)
STARTED = 12.0  # seconds: a job has ten of them to begin in


# --- how a room is made: whom the agent should meet stays until the room has been asked about -------------------------


@contextmanager
def visited(stack: Stack, room: str) -> Iterator[Visitor]:
    """Somebody joins with the token of the project's own script, and talks."""
    with stack.join(room, publish=True) as visitor:
        yield visitor


def sent_by_backend(*agents: str) -> Room:
    """Somebody joins with a Python backend's token, which asks for these agents."""

    @contextmanager
    def made(stack: Stack, room: str) -> Iterator[Visitor]:
        with stack.join(room, token=stack.backend_token(room, "user", *agents), publish=True) as visitor:
            yield visitor

    return made


@contextmanager
def second_in_the_room(stack: Stack, room: str) -> Iterator[Visitor]:
    """Somebody is in the room already, who asked for nobody; the second one asks for an agent."""
    with stack.join(room, identity="first", token=stack.backend_token(room, "first")):
        time.sleep(2)
        with stack.join(room, identity="second", publish=True) as visitor:
            yield visitor


@contextmanager
def while_it_drains(stack: Stack, room: str) -> Iterator[Visitor]:
    """The worker is told to stop while it has a session, as in a deploy; then somebody opens another room."""
    with stack.join(f"{room}-before") as before:
        if not before.agent_came():
            raise StackError("the worker that is to drain has no session")
        time.sleep(6)  # for its next process to be ready: agents-js 1.9.0 does not end if told to stop before that
        stack.docker("kill", "--signal", "TERM", stack.container("voice-agent"))
        time.sleep(2)
        with stack.join(room, publish=True) as visitor:
            yield visitor
        stack.delete_room(f"{room}-before")  # the last session ends, and with it the worker
        time.sleep(4)


@contextmanager
def after_its_death(stack: Stack, room: str) -> Iterator[Visitor]:
    """The worker is killed, and somebody joins while the server still remembers it (60 s)."""
    with stack.join(f"{room}-before") as before:
        if not before.agent_came():
            raise StackError("the worker that is to die has no session")
    stack.docker("kill", stack.container("voice-agent"))
    time.sleep(2)
    with stack.join(room, publish=True) as visitor:
        yield visitor


@contextmanager
def on_a_busy_machine(stack: Stack, room: str) -> Iterator[Visitor]:
    """Every CPU is busy with other things when somebody joins."""
    with stack.busy(), stack.join(room, publish=True) as visitor:
        yield visitor


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: `fail` is the harness's switch, `mature` the seconds from the join until it can be judged.

    `cause` is what is wrong, None where nothing is. `tells` is the verdict of whoever sees the logs; an inconclusive
    one names no cause. `settled` waits for the worker's first report of load; `spoils` leaves a stack that serves no
    other incident. `canary` is the light of a canary once everybody has left, "" where that would be another incident.
    """

    name: str
    fail: str
    cause: str | None
    room: Room = visited
    tells: str = "cause"
    mature: float = DECIDED
    settled: bool = False
    spoils: bool = False
    version: str = NEWEST
    level: str = "info"
    canary: str = ""

    @property
    def verdict(self) -> str:
        """What is the case, whether it can be seen or not."""
        return "cause" if self.cause else "healthy"


# Rows with the same server and the same switch share a stack, so they stand together; the busy machine comes last.
INCIDENTS = (
    Incident("healthy", "none", None, tells="healthy", canary="green"),
    Incident("room-already-existed", "none", "room-already-existed", second_in_the_room),
    Incident("draining", "none", "draining", while_it_drains, spoils=True),
    Incident("worker-died", "none", "worker-died", after_its_death, spoils=True, canary="red"),
    Incident("dispatch-missing", "dispatch-missing", "dispatch-missing", canary="red"),
    Incident("name-mismatch", "name-mismatch", "name-mismatch", canary="red"),
    Incident("worker-unnamed", "worker-unnamed", "worker-unnamed", canary="red"),
    Incident("load-refused", "load-refused", "load-refused", settled=True, canary="red"),
    Incident("init-timeout", "init-timeout", "init-timeout", mature=STARTED, canary="red"),
    Incident("init-crash", "init-crash", "init-crash", mature=STARTED, canary="red"),
    Incident("entry-crash", "entry-crash", "entry-crash", mature=STARTED, canary="red"),
    Incident("request-rejected", "request-rejected", "request-rejected", canary="red"),
    Incident("worker-auth", "worker-auth", "worker-auth", canary="red"),
    Incident("no-worker", "no-worker", "no-worker", canary="red"),
    # A server that writes only warnings has none of the lines that decide: nothing is to be concluded from its log.
    Incident("healthy-at-warn", "none", None, tells="inconclusive", level="warn"),
    Incident(
        "dispatch-missing-at-warn",
        "dispatch-missing",
        "dispatch-missing",
        tells="inconclusive",
        level="warn",
        canary="red",
    ),
    Incident("load-refused-at-warn", "load-refused", "load-refused", tells="inconclusive", settled=True, level="warn"),
    # The project's script makes tokens that this server refuses, so a Python backend makes them.
    Incident("dispatch-missing-older", "dispatch-missing", "dispatch-missing", sent_by_backend(), version=OLDER),
    Incident("name-mismatch-older", "name-mismatch", "name-mismatch", sent_by_backend("ganglia-agent"), version=OLDER),
    Incident("load-refused-older", "load-refused", "load-refused", sent_by_backend(AGENT), settled=True, version=OLDER),
    Incident("load-refused-cpu", "load-refused-cpu", "load-refused", on_a_busy_machine),
)
