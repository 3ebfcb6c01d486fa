"""What a doctor looked at, and what a check says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.livekit.setup import Setup
from bot.livekit.versions import parts
from bot.settings import Target

if TYPE_CHECKING:
    from bot.evidence.attach import Attached
    from bot.evidence.containers import Container
    from bot.evidence.docker import EngineInfo
    from bot.livekit.seen import ApiSeen

Status = Literal["ok", "warn", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at. A thing that is None and has no trouble (the sentence of why not) was not looked at.

    `attach_trouble` is why an engine that answers shows no project, and `attach_ask` whether it asks which one is
    meant. `api_kind` is the `kind` of the Unreachable that `api_trouble` tells. `log_troubles` has container → why its
    log cannot be read; `log_levels` and `server_versions` come from logs.
    """

    target: Target = field(default_factory=Target)
    engine: EngineInfo | None = None
    engine_trouble: str = ""
    attached: Attached | None = None
    attach_trouble: str = ""
    attach_ask: bool = False
    compose: str = ""
    compose_trouble: str = ""
    log_troubles: tuple[tuple[str, str], ...] = ()
    api: ApiSeen | None = None
    api_trouble: str = ""
    api_kind: str = ""
    server_versions: tuple[str, ...] = ()
    log_levels: tuple[tuple[str, str], ...] = ()  # level, and where it is set or was seen
    setup: Setup = field(default_factory=Setup)

    @property
    def containers(self) -> tuple[Container, ...]:
        """The server's containers and the agents'."""
        return (*self.attached.livekit, *self.attached.agents) if self.attached else ()

    @property
    def answered(self) -> bool:
        """Whether the LiveKit server answered, if only to refuse."""
        return self.api is not None or self.api_kind in {"refused", "clock"}

    @property
    def tagged(self) -> tuple[str, ...]:
        """The server's versions by the tags of its images, where the log does not tell: a tag may be anything."""
        known = any(parts(text) for text in self.server_versions)
        tags = (
            [one.image.partition("@")[0].rpartition(":")[2] for one in self.attached.livekit] if self.attached else []
        )
        return () if known else tuple(dict.fromkeys(tag for tag in tags if len(parts(tag)) > 1))

    @property
    def versions(self) -> tuple[str, ...]:
        """The server's versions, as well as they are known."""
        return self.tagged or self.server_versions


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked: what holds in one sentence, and the command or setting that mends it."""

    name: str
    status: Status
    sentence: str
    mend: str = ""
