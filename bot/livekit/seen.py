"""All that was seen, and what was concluded from it, as values that every room passes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.livekit.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.livekit.lines import Tally
    from bot.livekit.setup import Place
    from bot.livekit.story import Asked, Story

_FEW = 60  # lines; a whole log of that size has its server's start or some noise in it
VerdictWord = Literal["cause", "healthy", "inconclusive"]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of the backend's that made a room or dispatched to it; `at` in epoch seconds."""

    at: float | None
    kind: Literal["create-room", "create-dispatch"]
    room: str
    agents: Asked
    place: Place


@dataclass(frozen=True, slots=True)
class Token:
    """The claims of a join token: never the token itself. `agents` is () when it asks for none."""

    room: str
    identity: str
    agents: Asked
    place: Place
    calls: tuple[ApiCall, ...] = ()
    #: True when the file also listed what the backend did, so that a call that is not there was not made.
    calls_known: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The body of a worker's `GET /worker`; Python leaves out what has its default value."""

    agent_name: str
    worker_type: str
    deployment: str
    sdk_version: str
    active_jobs: int
    load: float | None
    place: Place
    container: str = ""  # whose endpoint it is, where it was found by its container


@dataclass(frozen=True, slots=True)
class ApiParticipant:
    """One participant as `ListParticipants` tells it. `state` is JOINING, JOINED, ACTIVE or DISCONNECTED.

    Only ACTIVE proves that an agent came: with ICE broken it stays JOINED for 15 to 30 s. `agent_name` is the attribute
    `lk.agent_name` that servers from 1.9.2 on set, "" where there is none. `joined` is in epoch seconds.
    """

    identity: str
    agent: bool
    state: str
    agent_name: str
    joined: float | None


@dataclass(frozen=True, slots=True)
class ApiDispatch:
    """One dispatch as `ListDispatch` tells it; `jobs` counts the jobs that were made of it, which may be shown 5 s late.

    That a job is there proves nothing about its agent: it stays JS_RUNNING when the process never starts. `metadata` is
    what the agent is handed, and never shown.
    """

    id: str
    agent_name: str
    deployment: str
    created: float | None
    jobs: int
    errors: tuple[str, ...]
    metadata: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ApiRoom:
    """One room as the API tells it. `participants` and `dispatches` are None where they were not asked for or not told."""

    name: str
    id: str
    created: float | None
    participants: tuple[ApiParticipant, ...] | None
    dispatches: tuple[ApiDispatch, ...] | None
    place: Place


@dataclass(frozen=True, slots=True)
class ApiSeen:
    """What a LiveKit server's API told, at `asked_at` (epoch seconds, this machine's clock).

    `rooms` are all that are alive; `unread` says what the API refused or did not answer. `skew` is by how many seconds
    the server's clock is ahead of this one's, None when it did not tell.
    """

    url: str
    asked_at: float
    rooms: tuple[ApiRoom, ...]
    cloud: bool = False
    skew: float | None = None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """One container of the server's or the worker's, as the engine tells it.

    `state` is Docker's word: created, running, paused, restarting, removing, exited or dead. `created`, `started` and
    `finished` are in epoch seconds.
    """

    role: Literal["livekit", "agent"]
    service: str
    name: str
    state: str
    health: str
    exit_code: int
    oom_killed: bool
    restarts: int
    created: float | None
    started: float | None
    finished: float | None
    place: Place


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """Something that happened to a container of the worker's or the server's, as the engine remembers it.

    `action` is Docker's word (kill, stop, die, oom, start, pause, unpause), `at` in epoch seconds on the engine's
    clock. A `kill` with signal 15 or 2 tells a worker to drain.
    """

    at: float
    machine: str
    action: str
    detail: str
    place: Place


@dataclass(frozen=True, slots=True)
class LogSource:
    """One log that was read: its name as given, and what it held as a whole."""

    name: str
    tally: Tally
    note: str = ""

    @property
    def excerpt(self) -> bool:
        """Whether this is a choice of lines, as people paste them: then a line that is not there proves nothing."""
        t = self.tally
        pasted = t.fenced or self.name == "-" or self.name.endswith((".md", ".txt"))
        return t.pasted or (pasted and not t.started and t.lines < _FEW and t.server_lines <= t.server_hits)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at. Thinking begins here and looks at nothing else."""

    story: Story
    logs: tuple[LogSource, ...] = ()
    setup: Setup = field(default_factory=Setup)
    tokens: tuple[Token, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    rooms: tuple[str, ...] = ()  # names or ids that were asked for
    since: float | None = None
    until: float | None = None
    partial: bool = False  # of rooms that were not asked for, only births and jobs were read
    live: float | None = None  # when it was looked at what runs, in epoch seconds; None when only files were read
    api: ApiSeen | None = None
    machines: tuple[Machine, ...] = ()
    events: tuple[MachineEvent, ...] = ()
    meant: str = (
        ""  # how the rooms are called in which an agent is meant to come, as a shell's pattern; "" says nothing
    )

    @property
    def has_server_log(self) -> bool:
        """Whether any server's log was given, even one without a single line about dispatch."""
        return any(log.tally.server_lines + log.tally.server_hits for log in self.logs)


@dataclass(frozen=True, slots=True)
class Cite:
    """A line that decided: a mark of the story's ledger, or a place in another file; and what it says."""

    says: str
    mark: int = -1
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A source that was not there (or not enough), and what it would settle."""

    source: str
    would_settle: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is concluded of one room, or (room None) of what belongs to no room."""

    room: str | None
    room_id: str | None
    verdict: VerdictWord
    cause: str | None
    confidence: float
    summary: str
    evidence: tuple[Cite, ...] = ()
    missing: tuple[Missing, ...] = ()
    agent: str | None = None
    at: float | None = None
    judged_from: float | None = None  # a pending room: from when on it can be judged
    story: tuple[tuple[float, str], ...] = ()  # (epoch seconds, sentence); only of rooms that were asked for


def overall_of(words: Iterable[VerdictWord]) -> VerdictWord:
    """Any cause → cause, else any inconclusive → inconclusive, else healthy; nothing at all is inconclusive."""
    found = set(words)
    for word in ("cause", "inconclusive", "healthy"):
        if word in found:
            return word
    return "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The answer: a verdict per room, newest first where one room was asked for, notes on the whole, and the whole."""

    rows: Sequence[Verdict]
    notes: tuple[str, ...]
    overall: VerdictWord
