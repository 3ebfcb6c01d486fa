"""What a project's source and configuration say about workers, dispatches and tokens, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

JobType = Literal["JT_ROOM", "JT_PUBLISHER", "JT_PARTICIPANT"]
Language = Literal["typescript", "javascript", "python"]
NameOrigin = Literal["source", "env", "default", "unknown"]
Via = Literal["token", "create-room", "create-dispatch", "sip-rule", "preset", "env"]
Package = Literal["@livekit/agents", "livekit-agents", "livekit-server-sdk", "livekit-api"]

TEXT_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file.

    `source` is the path as the person gave it (joined with what was found below it), `line` is
    1-based, `text` is that line: stripped, redacted and at most `TEXT_LIMIT` characters long.
    """

    source: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """One registration of a worker with a server.

    `agent_name` is "" when the worker is unnamed for sure and None when the source cannot tell.
    `job_type` is None when it cannot be told; a worker that sets none is JT_ROOM.
    `init_timeout` is in seconds, whatever the SDK's own unit; None when it is not set or unknown.
    `name_note` says in one phrase why a name or type is unknown. `name_variable` is the environment
    variable that decides about the name, `name_default` what holds when nothing sets it (or when a
    caller passes nothing), `name_choices` the names of which it is one.
    """

    place: Place
    language: Language
    agent_name: str | None
    name_origin: NameOrigin
    name_place: Place | None
    job_type: JobType | None
    init_timeout: float | None
    load_func: Place | None
    load_threshold: float | None
    request_func: Place | None
    deployment: str | None
    name_note: str = ""
    type_place: Place | None = None
    name_variable: str | None = None
    name_default: str | None = None
    name_choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """One place that asks for an agent; `agent_name` is None when it is only known at run time.

    `conditional` says that the place is not reached (or names another agent) on every run.
    `note` says in one phrase why a name is unknown; `name_variable` and `name_default` are as for a worker.
    """

    place: Place
    via: Via
    agent_name: str | None
    conditional: bool = False
    deployment: str | None = None
    note: str = ""
    name_variable: str | None = None
    name_default: str | None = None


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """One place that makes join tokens; `dispatches` tells whether it asks for agents in them."""

    place: Place
    dispatches: bool


@dataclass(frozen=True, slots=True)
class ServerSetup:
    """The parts of a server's configuration that decide about dispatch, or None where unset.

    `keys` holds the names of the API keys, never a secret. `redis` is False when the file has no
    redis address, so that nodes do not know of each other.
    """

    place: Place
    log_level: str | None
    log_json: bool | None
    target_load: float | None
    redis: bool | None
    auto_create: bool | None
    node_ip: str | None
    presets: tuple[Dispatcher, ...]
    port: int | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvSetting:
    """One LIVEKIT_*, LOG_LEVEL or NUM_CPUS setting; a secret's value is redacted."""

    name: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class SdkVersion:
    """A version of a LiveKit package; `installed` is False when it is only a range asked for."""

    package: Package
    version: str
    installed: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that may matter and could not be read; `line` is 0 when no line can be named."""

    source: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Setup:
    """All that was found in one or several projects, in the order in which it was found."""

    workers: tuple[WorkerSetup, ...] = ()
    dispatchers: tuple[Dispatcher, ...] = ()
    token_makers: tuple[TokenMaker, ...] = ()
    server: tuple[ServerSetup, ...] = ()
    env: tuple[EnvSetting, ...] = ()
    sdk_versions: tuple[SdkVersion, ...] = ()
    unread: tuple[Unread, ...] = ()
