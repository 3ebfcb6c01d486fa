"""What a doctor looked at, and what a check says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.livekit.setup import Setup
from bot.settings import Target

if TYPE_CHECKING:
    from bot.livekit.seen import ApiSeen

Status = Literal["ok", "warn", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine that answered at `address`; `skew` is by how many seconds its clock is ahead of this one's."""

    version: str
    address: str
    api_version: str = ""
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the target's, as the engine tells it: `state` and `log_driver` are Docker's words.

    `environment` holds LIVEKIT_* variables without secrets, `log_trouble` why its log cannot be read.
    """

    name: str
    service: str
    state: str
    restarts: int = 0
    log_driver: str = "json-file"
    log_trouble: str = ""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at. A thing that is None and has no trouble (the sentence of why not) was not looked at.

    `keys_refused` is the server's word on the keys; `log_levels` and `server_versions` come from logs.
    """

    target: Target = field(default_factory=Target)
    engine: Engine | None = None
    engine_trouble: str = ""
    compose: str = ""
    compose_trouble: str = ""
    containers: tuple[Container, ...] = ()
    api: ApiSeen | None = None
    api_trouble: str = ""
    keys_refused: str = ""
    server_versions: tuple[str, ...] = ()
    log_levels: tuple[tuple[str, str], ...] = ()  # level, and where it is set or was seen
    setup: Setup = field(default_factory=Setup)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked: what holds in one sentence, and the command or setting that mends it."""

    name: str
    status: Status
    sentence: str
    mend: str = ""
