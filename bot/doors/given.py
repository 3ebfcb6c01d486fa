"""What is given to be looked at: the options that `diagnose` and `plan` have alike, and the question they make."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bot.doors import target

if TYPE_CHECKING:
    import argparse

    from bot.evidence.files import Kind
    from bot.evidence.look import Question


def options(p: argparse.ArgumentParser, *, runbook: bool = False) -> None:
    """Add them; with `runbook` the first word names one."""
    first = "a runbook, by its id or its file; behind it files of any kind below, to look at instead of what runs"
    p.add_argument(
        "files",
        nargs="*",
        metavar="RUNBOOK [FILE]" if runbook else "FILE",
        help=first if runbook else "any of the below; - for standard input",
    )
    p.add_argument("--server-log", action="append", default=[], metavar="FILE", help="a LiveKit server's log")
    p.add_argument("--agent-log", action="append", default=[], metavar="FILE", help="an agents worker's log")
    p.add_argument("--livekit-config", action="append", default=[], metavar="FILE", help="livekit.yaml")
    p.add_argument(
        "--project", action="append", default=[], metavar="DIR", help="source and configuration of agent and backend"
    )
    p.add_argument(
        "--worker-endpoint",
        action="append",
        default=[],
        metavar="FILE|URL",
        help="body of the worker's GET /worker, or its address",
    )
    p.add_argument(
        "--token", action="append", default=[], metavar="FILE|JWT", help="a join token, or its claims as JSON"
    )
    p.add_argument("--room", action="append", default=[], metavar="NAME", help="only this room, by name or RM_… id")
    p.add_argument(
        "--since",
        metavar="WHEN",
        help="a time, or a duration back from the last record (15m); live from now, where 15m is the default",
    )
    p.add_argument("--until", metavar="WHEN", help="as --since; what comes later is not looked at")


def files(args: argparse.Namespace) -> tuple[tuple[Kind, str], ...]:
    """Every file that was given, with the kind that its option says, in order."""
    kinds: tuple[tuple[Kind, list[str]], ...] = (
        ("any", args.files), ("log", args.server_log), ("agent", args.agent_log), ("config", args.livekit_config), ("project", args.project),
        ("endpoint", args.worker_endpoint), ("token", args.token),
    )  # fmt: skip
    found = tuple((kind, "-" if name == "/dev/stdin" else name) for kind, names in kinds for name in names)
    if any(name == "-" for _, name in found) and sys.stdin.isatty():
        print("Paste the lines, then end with Ctrl-D.", file=sys.stderr)
    return found


def question(args: argparse.Namespace, found: tuple[tuple[Kind, str], ...], *, counted: bool = False) -> Question:
    """The question: about the files, about what runs, or both; `counted` wants every session counted."""
    from bot.evidence.look import Question

    running = target.chosen(args) if args.live or not found or target.given(args) else None
    return Question(found, tuple(args.room), args.since, args.until, running, counted)
