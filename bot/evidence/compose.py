"""Whether the compose plugin of the docker command can be used."""

from __future__ import annotations

import subprocess
from typing import Final

_PATIENCE: Final = 10.0  # seconds; the command answers without asking the engine


def compose_version(command: str = "docker") -> tuple[str, str]:
    """The version of `docker compose`, and, where that is "", why there is none."""
    try:
        done = subprocess.run(
            [command, "compose", "version", "--short"], capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL
        )  # fmt: skip
    except FileNotFoundError:
        return "", f"there is no command {command}"
    except subprocess.TimeoutExpired:
        return "", f"`{command} compose version` does not end"
    except OSError as problem:
        return "", f"{command} cannot be started ({problem.strerror})"
    said = (done.stdout if done.returncode == 0 else done.stderr).decode("utf-8", "replace").split("\n")[0].strip()
    if done.returncode or not said:
        return "", said or f"`{command} compose version` says nothing"
    return said.removeprefix("v"), ""
