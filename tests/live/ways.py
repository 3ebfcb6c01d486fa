"""The ways in which Fletcher is asked about an incident: what it is given, and what it can tell from that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fletcher import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking. `live` ones ask what runs, while it is fresh; the others read what was copied off.

    `logs`: it sees what server and worker wrote, so it must name the cause. Who does not may only not be wrong.
    """

    name: str
    live: bool = False
    logs: bool = True
    project: bool = True
    docker: bool = True
    keys: bool = True


FILES = (Way("files", project=False), Way("files-and-project"))
LIVE = (
    Way("live", live=True),
    Way("live-without-flags", live=True),
    Way("live-without-docker", live=True, logs=False, docker=False),
    Way("live-without-keys", live=True, project=False, keys=False),
)
WAYS = (*FILES, *LIVE)


def ask_files(way: Way, room: str, copied: Path) -> Reply:
    """Ask about a room from the copies of logs and sources in this folder."""
    given: list[str | Path] = ["--server-log", copied / "livekit.log", "--agent-log", copied / "agent.log"]
    if way.project:
        given += ["--project", copied / "project"]
    return _fletcher(copied, {}, *given, "--room", room)


def ask_live(way: Way, room: str, stack: Stack, elsewhere: Path) -> Reply:
    """Ask about a room of a stack that runs, as somebody who stands in its project's folder, or elsewhere.

    Who has no rights on the engine meets a socket that nobody answers at; who has no keys stands where no file has
    any, and names the services.
    """
    env: dict[str, str] = {}
    given: list[str] = []
    if way.keys:
        env |= stack.environment
    if not way.docker:
        env["DOCKER_HOST"] = f"unix://{_dead_socket(elsewhere)}"
    if way.name != "live-without-flags":
        given += ["--compose-project", stack.name, "--livekit-service", "livekit", "--agent-service", "voice-agent"]
        given += ["--live"]
    return _fletcher(stack.project if way.project else elsewhere, env, *given, "--room", room)


def ask_plan(runbook: str, room: str, stack: Stack, *more: str) -> Reply:
    """Ask for the plan of a runbook for a room of a stack that runs, as somebody who stands in its project's folder."""
    return _fletcher(stack.project, stack.environment, "--room", room, *more, verb=("plan", runbook))


def _dead_socket(folder: Path) -> Path:
    """Find a socket that nobody listens on, as an engine leaves that was killed."""
    path = folder / "docker.sock"
    if not path.exists():
        with closing(socket.socket(socket.AF_UNIX)) as bound:
            bound.bind(str(path))
    return path


def surroundings(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a person who has set this, and nothing else of LiveKit's or Fletcher's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LIVEKIT_", "FLETCHER_"))}
    return {**own, **env}


def _fletcher(folder: Path, env: Mapping[str, str], *argv: str | Path, verb: tuple[str, ...] = ("diagnose",)) -> Reply:
    """Run the command as a person does in this folder."""
    words: Sequence[str | Path] = [sys.executable, "-I", "-m", "bot", *verb, *argv, "--json"]
    done = subprocess.run(
        words, cwd=folder, env=surroundings(env), capture_output=True, text=True, check=False, timeout=60
    )
    return Reply(done.returncode, done.stdout, done.stderr)
