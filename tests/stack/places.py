"""Where the harness finds and keeps things, and the names of what it makes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
EXAMPLES = CHECKOUT / "examples"
FAILURES = EXAMPLES / "voice-agent" / "tests" / "failures"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fletcher-stack"
WORK = CHECKOUT / "build" / "stack"

NODE_IMAGE = "fletcher-local/node"
PYTHON_IMAGE = "fletcher-local/python"
DOCKER_CLI_IMAGE = "fletcher-local/docker-cli"
LIVEKIT_IMAGE = "fletcher-local/livekit-server"
SERVERS = ("1.13.5", "1.11.0")


def digest(*parts: str | bytes | Path) -> str:
    """Name what something was made from: texts, bytes, or files by their content."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        whole.update(hashlib.sha256(raw).digest())
    return whole.hexdigest()
