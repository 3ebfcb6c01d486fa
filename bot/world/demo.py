"""The demo's stand-in for a server, a worker and an engine: nothing of it runs, and it says so.

What it does is decided by the files that were patched: "rebuilding" reads the worker's source as `diagnose` does, and
the worker then registers under the name that stands there; the token script's answer is what its source asks for. The
clock is its own, so that nobody waits for a build.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.evidence.project import read_project
from bot.world.contract import Ended, Instance
from bot.world.staged import SECOND, StagedWorld

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from bot.plan.values import Command

_BUILD = 4.0  # seconds that a build seems to take
_STARTS = 2.0  # seconds from the container's start until its worker has registered


class DemoWorld(StagedWorld):
    """A server and one worker whose source is in `folder`; with `fix_fails` the rebuilt worker ends at once."""

    def __init__(self, folder: Path, *, fix_fails: bool) -> None:
        super().__init__(clock=Path(folder, "livekit.log").stat().st_mtime_ns, pace=0.02)
        self.folder, self.fix_fails = folder, fix_fails
        self.builds = 0
        self.agent = self._source()
        self.happens = DemoWorld._asked  # type: ignore[assignment]  # of this class
        self.container("running")

    def run(self, command: Command, *, seconds: float, tell: Callable[[bytes], None], stop: Event) -> Ended:  # noqa: ARG002
        words = " ".join(command.argv)
        if command.argv[:3] == ("docker", "compose", "build"):
            tell(b"(staged) building voice-agent from the source as it is now\n")
            self.wait(_BUILD)
            return Ended(0)
        if command.argv[:2] == ("docker", "compose") and "up" in command.argv:
            return self._up(tell)
        if "config" in command.argv:
            return Ended(0)
        if "generate-token.ts" in words:
            tell(self._token(command).encode() + b"\n")
            return Ended(0)
        raise Unreachable(f"the demo's stand-in does not know this command: {words}")

    def instances(self, services: tuple[str, ...]) -> tuple[Instance, ...]:
        state = self.containers[0].state
        return tuple(
            Instance(name, f"demo-{name}-1", f"{name}-{self.builds}", f"sha256:{self.builds}", self.clock, self.clock, state, 1 if state == "exited" else 0)
            for name in services
        )  # fmt: skip

    def _up(self, tell: Callable[[bytes], None]) -> Ended:
        self.builds += 1
        self.agent = self._source()
        if self.fix_fails and self.builds == 1:
            tell(b"(staged) the new container starts, and will end at once: this is --fix-fails\n")
            self.container("exited", exit_code=1)
            return Ended(0)
        tell(b"(staged) the new container has started\n")
        self.container("running")
        self.log_line(
            _STARTS,
            "worker registered",
            namespace="",
            jobType="JT_ROOM",
            agentName=self.agent,
            workerID=f"AW_demo{self.builds}",
        )
        return Ended(0)

    def _source(self) -> str:
        """The worker's name as its source has it."""
        workers = read_project(self.folder / "project").workers
        return (workers[0].agent_name or "") if workers else ""

    def _token(self, command: Command) -> str:
        """A token with the claims that the script's source asks for; nobody signed it."""
        setup = read_project(self.folder / "project")
        agents = [{"agentName": d.agent_name} for d in setup.dispatchers if d.agent_name]
        now = self.clock // SECOND
        claims = {
            "iss": "devkey", "sub": "user-demo", "nbf": now, "exp": now + 3600, "video": {"roomJoin": True, "room": command.environment.get("IN_ROOM", "")},
            **({"roomConfig": {"agents": agents}} if agents else {}),
        }  # fmt: skip
        return ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "HS256", "typ": "JWT"}, claims, "staged")
        )

    def _asked(self, room: str, agent: str | None) -> None:
        """A room is made: its agent comes when its name is asked for, or nobody is and it has none."""
        if self.containers[0].state != "running":
            return
        if (agent or "") != self.agent:
            self.log_line(
                1.0,
                "failed to send job request",
                error="no response from servers",
                namespace="",
                jobType="JT_ROOM",
                agentName=agent or "",
            )
            return
        self.log_line(
            0.2,
            "assigned job to worker",
            jobID="AJ_demo",
            namespace="",
            agentName=self.agent,
            jobType="JT_ROOM",
            room=room,
            workerID=f"AW_demo{self.builds}",
        )
        self.comes(room, 0.6, self.agent)
