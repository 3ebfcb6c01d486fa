"""Docker's own program for tests: it tells the engine's double what it was called with, and does what that says.

Installed as `docker` in a folder of PATH by `install`; the double is found by DOCKER_HOST, as the real one is.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path


def main() -> int:
    """Tell, print what is to be said, wait, and end as told."""
    called = json.dumps({"argv": sys.argv[1:], "cwd": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    host = os.environ.get("DOCKER_HOST", "")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(host.removeprefix("unix://"))
            connection.sendall(b"POST /double HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(called) + called)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):
        print(f"Cannot connect to the Docker daemon at {host}. Is the docker daemon running?", file=sys.stderr)
        return 1
    print(told["says"], file=sys.stderr, flush=True)
    time.sleep(told["seconds"])
    code: int = told["code"]
    return code


def install(folder: Path) -> None:
    """Put it into a folder for programs."""
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{Path(__file__)}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
