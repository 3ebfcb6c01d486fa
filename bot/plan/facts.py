"""What one runbook needs to know beside the diagnosis, looked up before the plan is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.evidence.attach import Attached
    from bot.plan.values import Checked


@dataclass(frozen=True, slots=True)
class Facts:
    """`folder` is where commands are run; `composed` whether it is known to be that of the compose file.

    `files` holds the bytes of files by their path, or why there are none. `scripts` maps a script of the project to the
    folder from which it is run, "" where it is not found. `tools` maps a program to its path, "" where it
    is missing. `project` and `compose_files` are compose's, `services` maps the roles "livekit" and "agent" to the names
    of their services. `checks` are the declarative checks about files of the project. `can_dispatch` is "" when the API
    was reached, else why not. `images` are the ids of the images that services run, by the service.
    """

    folder: str = ""
    named: str = ""
    composed: bool = False
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    compose_files: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Checked] = field(default_factory=dict)
    can_dispatch: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


def roles(attached: Attached) -> dict[str, str]:
    """The services by their roles; which of several agents is meant, their containers do not tell."""
    found = {"livekit": attached.livekit[0].service} if attached.livekit else {}
    agents = {container.service for container in attached.agents}
    return {**found, "agent": agents.pop()} if len(agents) == 1 else found


def service_here(services: Mapping[str, str], service: str) -> str:
    """The service of this deployment that a runbook means by its usual name."""
    usual = {"livekit": "livekit", "voice-agent": "agent"}.get(service)
    return services.get(usual or "", service)
