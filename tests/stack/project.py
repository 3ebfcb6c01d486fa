"""The project that runs: a copy of the example, laid out as a user's, with a failure in its sources."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from tests.stack import engine
from tests.stack.places import (
    CHECKOUT,
    DOCKER_CLI_IMAGE,
    EXAMPLES,
    FAILURES,
    NODE_IMAGE,
    PYTHON_IMAGE,
)
from tests.stack.progress import StackError

if TYPE_CHECKING:
    from pathlib import Path

    Ports = tuple[int, int, int, int]  # the server's for signals, media over TCP, media over UDP; the worker's

KEY, SECRET = "devkey", "a-secret-for-this-demonstration-only"
PORTS: Ports = (7880, 7881, 7882, 8081)


def write_project(folder: Path, livekit_image: str, ports: Ports, *, level: str, json: bool) -> None:
    """Write compose file, server configuration and settings; the folder's name is the compose project's."""
    shutil.rmtree(folder, ignore_errors=True)
    signal, tcp, udp, worker = ports
    (folder / "examples").mkdir(parents=True)
    shutil.copy2(CHECKOUT / "docker-compose.yml", folder)
    shutil.copytree(EXAMPLES / "livekit", folder / "examples" / "livekit")
    config = folder / "examples" / "livekit" / "livekit.yaml"
    text = config.read_text(encoding="utf-8").replace("7881", str(tcp)).replace("7882", str(udp))
    text = text.replace("level: info", f"level: {level}" + ("\n  json: true" if json else ""))
    config.write_text(text, encoding="utf-8")
    settings = {
        "COMPOSE_PROJECT_NAME": folder.name,
        "LIVEKIT_IMAGE": livekit_image,
        "NODE_IMAGE": NODE_IMAGE,
        "PYTHON_IMAGE": PYTHON_IMAGE,
        "DOCKER_CLI_IMAGE": DOCKER_CLI_IMAGE,
        "VOICE_AGENT_IMAGE": f"fletcher-local/{folder.name}-voice-agent",
        "FLETCHER_IMAGE": fletcher_image(folder.name),
        "FLETCHER_PROJECT": str(folder),
        "DOCKER_GID": str(engine.socket_group()),
        "LIVEKIT_PORT": str(signal),
        "LIVEKIT_TCP_PORT": str(tcp),
        "LIVEKIT_UDP_PORT": str(udp),
        "WORKER_PORT": str(worker),
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
    }
    (folder / ".env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()), encoding="utf-8")


def fletcher_image(stack: str) -> str:
    """Name Fletcher's own image in a stack, so that two checkouts do not take each other's."""
    return f"fletcher-local/{stack}-fletcher"


def read_settings(file: Path) -> dict[str, str]:
    """Read what `write_project` has set."""
    if not file.is_file():
        return {}
    return dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)


def lay(sources: Path, failure: str, node_modules: Path) -> None:
    """Put the voice agent's sources into the project, and over them what is wrong with them."""
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(EXAMPLES / "voice-agent", sources, ignore=shutil.ignore_patterns("node_modules", "tests"))
    (sources / "node_modules").symlink_to(node_modules)
    wrong = FAILURES / failure
    shutil.copytree(wrong, sources, dirs_exist_ok=True, ignore=shutil.ignore_patterns("voice-agent.env"))
    # Compose knows of no failure here: a rebuild takes the sources as they are, repaired or not.
    settings = sources / "tests" / "failures" / "none"
    settings.mkdir(parents=True, exist_ok=True)
    shutil.copy2(wrong / "voice-agent.env", settings)


def free_ports() -> Ports:
    """Find the first row of ports that nobody listens on, beginning with the usual ones."""
    for step in range(0, 1000, 10):
        row = tuple(port + step for port in PORTS)
        if all(_is_free(port) for port in row):
            return row[0], row[1], row[2], row[3]
    raise StackError("every port that the stack could use is taken")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with closing(socket.socket(socket.AF_INET, kind)) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
