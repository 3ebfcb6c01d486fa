"""Everything that a stack needs on this machine, made once and used again."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stack import debian, engine, images, server
from tests.stack.places import CACHE, EXAMPLES, HERE, SERVERS, digest
from tests.stack.progress import Phase, Progress, StackError, end_all

if TYPE_CHECKING:
    from pathlib import Path


_TOOLS = {
    "go": "Go 1.26 or newer builds the LiveKit server",
    "node": "Node 20 or newer runs the voice agent",
    "npm": "it comes with Node",
}


@dataclass(frozen=True)
class Ready:
    """What there is: the server's image, the interpreter with LiveKit's client, the voice agent's node_modules."""

    livekit_image: str
    python: Path
    node_modules: Path


def make_ready(progress: Progress, version: str = SERVERS[0]) -> Ready:
    """Install, build and start what is missing. Takes two minutes on a bare machine, a second when all is there.

    Raises:
        StackError: something is missing here that the harness cannot install.

    """
    _demand_tools(version)
    with ThreadPoolExecutor(max_workers=1) as beside:
        try:
            building = beside.submit(_server, progress, version)  # the longest of all, so it runs beside the rest
            with progress.phase("engine packages") as phase:
                debian.install_engine(phase)
            with progress.phase("compose plugin") as phase:
                debian.install_compose(phase)
            with progress.phase("engine") as phase:
                engine.start(phase)
            with progress.phase("base images") as phase:
                images.node(phase)
                images.python(phase)
                images.docker_cli(phase)
            with progress.phase("node packages") as phase:
                modules = node_modules(phase)
            with progress.phase("client packages") as phase:
                python = client_python(phase)
            program = building.result()
        except BaseException:
            end_all()
            raise
    with progress.phase("server image") as phase:
        image = images.livekit(phase, version, program)
    return Ready(image, python, modules)


def _demand_tools(version: str) -> None:
    """Say at once all that this machine lacks, rather than one after the other, minutes apart."""
    needed = [tool for tool in _TOOLS if tool != "go" or not server.is_kept(version)]
    missing = [f"{tool} ({_TOOLS[tool]})" for tool in needed if not shutil.which(tool)]
    if missing:
        raise StackError(f"not installed here: {', '.join(missing)}")


def _server(progress: Progress, version: str) -> Path:
    with progress.phase(f"server {version}") as phase:
        return server.binary(phase, version)


def node_modules(phase: Phase) -> Path:
    """Install the voice agent's packages, with bun, by its lock; return the folder `node_modules`."""
    project = EXAMPLES / "voice-agent"
    files = [project / name for name in ("package.json", "package-lock.json", ".npmrc")]
    home = CACHE / f"node-{digest(*files)[:16]}"
    if (home / "whole").is_file():
        return home / "node_modules"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for file in files:
        shutil.copy2(file, home)
    phase.run("npm", "ci", "--ignore-scripts", cwd=home)
    (home / "whole").touch()
    return home / "node_modules"


def client_python(phase: Phase) -> Path:
    """Make the environment with LiveKit's client and API by its lock; return its interpreter."""
    lock = HERE / "requirements.lock"
    home = CACHE / f"python-{digest(lock, sys.version)[:16]}"
    python = home / "bin" / "python"
    if (home / "whole").is_file():
        return python
    shutil.rmtree(home, ignore_errors=True)
    phase.run(sys.executable, "-I", "-m", "venv", "--without-pip", home)
    pip: list[str | Path] = [python, "-I", "-m", "pip"]
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--python", python]
    else:
        phase.run(python, "-I", "-m", "ensurepip", "--default-pip")
    phase.run(*pip, "install", "--no-input", "--require-hashes", "--requirement", lock)
    (home / "whole").touch()
    return python
