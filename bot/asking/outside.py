"""Where checks are asked: the engine and its clock, the project's folder, and what must not be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.evidence.sources import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.evidence.docker import Containers
    from bot.evidence.look import Look
    from bot.redact import Redactor


@dataclass(frozen=True, slots=True)
class Outside:
    """`docker` gives the engine and the compose project, or raises FletcherError with what stands in the way.

    `now_ns` is the engine's time in epoch nanoseconds, None where nothing runs that is looked at: then only local files
    are. `services` are the names here of the roles "livekit" and "agent". No line that is older than `since_ns` counts.
    """

    docker: Callable[[], tuple[Containers, str]]
    now_ns: int | None
    folder: str
    services: Mapping[str, str]
    redactor: Redactor
    since_ns: int | None = field(default=None)


def of_look(look: Look, folder: str, services: Mapping[str, str]) -> Outside:
    """What a plan's checks are asked of: what the look reached, as it was then."""
    live = look.live

    def docker() -> tuple[Containers, str]:
        if live is not None and live.docker is not None and live.attached is not None:
            return live.docker, live.attached.project
        sources = live.sources if live is not None else ()
        note = next((s.note for s in sources if s.kind == ABSENT and s.name == "Docker"), "")
        raise Unreachable(f"the containers cannot be looked at{f': {note}' if note else ''}")

    return Outside(docker, int(live.at * 10**9) if live is not None else None, folder, services, look.redactor)
