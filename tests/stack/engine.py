"""The Docker engine: the one that runs is used, else one is started and remembered."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stack.places import WORK
from tests.stack.progress import Phase, StackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MINE = WORK / "engine.pid"
_PID = Path("/var/run/docker.pid")
_CONTAINERD = Path("/var/run/docker/containerd/containerd.pid")  # of the one that dockerd starts for itself
_SOCKET = Path("/var/run/docker.sock")


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


def socket_group() -> int:
    """The group whose members may use the engine."""
    return _SOCKET.stat().st_gid


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
    pid = _start(phase)
    WORK.mkdir(parents=True, exist_ok=True)
    _MINE.write_text(f"{pid} {_born(pid)}\n", encoding="utf-8")


@contextmanager
def ended(phase: Phase, by: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """End the machine's engine, and start it again afterwards, where no service manager does; whose it was, it is still.

    Raises:
        StackError: the engine may not be ended here, or it does not end or start.

    """
    try:
        pid = int(_PID.read_text(encoding="utf-8"))
        born, mine = _born(pid), _MINE.is_file()
        os.kill(pid, by)
    except (OSError, ValueError) as problem:
        raise StackError(f"the engine of {_PID} cannot be ended here: {problem}") from problem
    _wait_for_end(pid, born)
    _wait_for_containerd()
    try:
        yield
    finally:
        if not answers():  # asked through the socket that a service manager listens at, it is started by that
            started = _start(phase)
            if mine:
                _MINE.write_text(f"{started} {_born(started)}\n", encoding="utf-8")


def _start(phase: Phase) -> int:
    """Start an engine, wait until it answers, and return its process id."""
    for path in (
        _PID,
        _CONTAINERD,
    ):  # what was killed leaves it, and is taken for alive as long as nobody has reaped it
        if not _born(_noted(path)):
            path.unlink(missing_ok=True)
    # A session of its own: a Ctrl-C is for the harness, which stops the containers first.
    background = 'setsid /usr/sbin/dockerd >>"$1" 2>&1 </dev/null & echo $!'
    started = subprocess.run(
        ["/bin/sh", "-c", background, "sh", phase.log], stdout=subprocess.PIPE, text=True, check=True
    )
    pid = int(started.stdout)
    until = time.monotonic() + 30
    while not answers():
        if not _born(pid) or time.monotonic() > until:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            raise StackError(f"dockerd does not start ({phase.log})")
        time.sleep(0.2)
    return pid


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
    _wait_for_end(int(pid), born)
    return True


def _noted(path: Path) -> int:
    """The process of a pid file; 0 where there is none."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _wait_for_containerd() -> None:
    """It ends with its dockerd, a moment later; one that does not is used by the next."""
    for _ in range(100):
        if not _born(_noted(_CONTAINERD)):
            return
        time.sleep(0.1)


def _wait_for_end(pid: int, born: str) -> None:
    for _ in range(300):
        if _born(pid) != born:
            return
        time.sleep(0.1)
    raise StackError(f"the engine (process {pid}) does not end within 30 s")


def _born(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
