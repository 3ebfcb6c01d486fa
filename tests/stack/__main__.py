"""For people: `python -m tests.stack up [FAILURE] | down | status | failures`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from tests.stack import engine
from tests.stack.places import SERVERS, WORK
from tests.stack.progress import Progress, StackError
from tests.stack.ready import make_ready
from tests.stack.stack import Stack, failures


def main() -> int:
    """Do what the command line asks for; 4 when something is missing here."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="bring the stack up; FAIL in the environment names a failure as well")
    up.add_argument("failure", nargs="?", default=os.environ.get("FAIL") or "none")
    up.add_argument("--server", choices=SERVERS, default=SERVERS[0])
    up.add_argument("--level", default="info", help="the server's log level")
    verbs.add_parser("down", help="remove the stack, and stop the engine if it was started for it")
    verbs.add_parser("ready", help="install, build and start what a stack needs, and nothing more")
    verbs.add_parser("status", help="say what runs")
    verbs.add_parser("failures", help="list the failures that can be made")
    asked = parser.parse_args()
    progress = Progress(WORK / "logs")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # in the background both would be missed
    try:
        if asked.verb == "up":
            bring_up(Stack(version=asked.server, fail_first=asked.failure, level=asked.level, progress=progress))
        elif asked.verb == "down":
            bring_down(Stack(progress=progress))
        elif asked.verb == "ready":
            make_ready(progress)
        elif asked.verb == "status":
            status(Stack(progress=progress))
        else:
            for name, sentence in failures().items():
                print(f"{name:22} {sentence}")
    except StackError as problem:
        print(f"stack: {problem}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        print("stack: broken off; what was started is removed", file=sys.stderr)
        return 130
    return 0


def bring_up(stack: Stack) -> None:
    """Bring the stack up for a person, who then reads what can be done with it."""
    try:
        stack.up()
    except BaseException:
        if engine.answers():
            stack.down()
        raise
    print(f"""The stack is up ({stack.fail_first}: {failures()[stack.fail_first]})
  project  {stack.project}
  server   {stack.url}, key devkey
  look     docker compose --project-directory {stack.project} logs --follow
  end      make stack-down""")


def bring_down(stack: Stack) -> None:
    """Remove what runs; an engine that was there before stays."""
    if not engine.answers():
        print("no Docker engine answers here, so nothing runs")
        return
    stack.down()
    if engine.is_used():
        print("the engine goes on: other containers run")
    elif engine.stop():
        print("the engine that was started for the stack is stopped")


def status(stack: Stack) -> None:
    """Say which engine answers and which containers of the stack there are."""
    version = engine.version()
    print(f"engine   {version or 'none answers'}")
    if version:
        label = f"label=com.docker.compose.project={stack.name}"
        shown = "{{.Names}}\t{{.Status}}\t{{.Image}}"
        listed = subprocess.run(
            ["docker", "ps", "--all", "--filter", label, "--format", shown],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        print(listed.stdout.rstrip() or "containers none")


if __name__ == "__main__":
    sys.exit(main())
