"""What Fletcher is to look at: settings from the environment, `.env`, `.env.local` and fletcher.toml, read once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """One deployment: a compose project, a LiveKit server, a worker's endpoint; "" is what is not set.

    `origins` tells where each value comes from, by the field's name, such as `.env.local:3` or `the environment`.
    """

    name: str = ""
    docker_host: str = ""
    docker_context: str = ""
    compose_project: str = ""
    livekit_service: str = ""
    agent_service: str = ""
    livekit_url: str = ""
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    worker_endpoint: str = ""
    project: str = ""
    origins: tuple[tuple[str, str], ...] = ()

    def origin(self, of: str) -> str:
        """Where the value of this field comes from; "" when it has none."""
        return dict(self.origins).get(of, "")
