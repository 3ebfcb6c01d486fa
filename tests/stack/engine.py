"""The Docker engine: the one that runs is used, else one is started and remembered."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.stack.places import WORK
from tests.stack.progress import Phase, StackError

_MINE = WORK / "engine.pid"


def answers() -> bool:
    """Tell whether an engine answers here."""
    return version() is not None


def version() -> str | None:
    """The engine's version, None without an engine that answers."""
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None


def is_used() -> bool:
    """Tell whether any container runs."""
    listed = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, check=False)  # noqa: S607
    return bool(listed.stdout.strip())


def start(phase: Phase) -> None:
    """Start an engine, where none answers; it stays until `stop`."""
    if answers():
        return
    if os.environ.get("DOCKER_HOST"):
        raise StackError("the engine that DOCKER_HOST names does not answer")
    # A session of its own: a Ctrl-C is for the harness, which stops the containers first.
    background = 'setsid /usr/sbin/dockerd >>"$1" 2>&1 </dev/null & echo $!'
    started = subprocess.run(
        ["/bin/sh", "-c", background, "sh", phase.log], stdout=subprocess.PIPE, text=True, check=True
    )
    pid = int(started.stdout)
    WORK.mkdir(parents=True, exist_ok=True)
    _MINE.write_text(f"{pid} {_born(pid)}\n", encoding="utf-8")
    until = time.monotonic() + 30
    while not answers():
        if not _born(pid) or time.monotonic() > until:
            raise StackError(f"dockerd does not start ({phase.log})")
        time.sleep(0.2)


def stop() -> bool:
    """Stop the engine, if this harness started it; tell whether it did."""
    try:
        pid, born = _MINE.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return False
    _MINE.unlink()
    if _born(int(pid)) != born:  # the machine was restarted, and the number is another program's now
        return False
    os.kill(int(pid), signal.SIGTERM)
    for _ in range(300):
        if _born(int(pid)) != born:
            break
        time.sleep(0.1)
    return True


def _born(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
