"""`fletcher doctor`: look around, and say what Fletcher cannot see and what mends it."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bot.doctor.found import Found
    from bot.settings import Target


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher doctor`."""
    p.epilog = (
        "examples:\n"
        "  fletcher doctor                       what is set and reachable from here, and what mends the rest\n"
        "  fletcher doctor --target staging      the same for a target of fletcher.toml\n"
        "  fletcher doctor --json                for programs\n\n"
        "exit codes: 0 nothing is bad, 1 something is bad, 4 neither Docker nor LiveKit can be reached"
    )
    p.add_argument("--target", metavar="NAME", help="a target of fletcher.toml")
    p.add_argument("--project", metavar="DIR", help="source and configuration of agent and backend")
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def look(target: Target) -> Found:
    """What can be told without an engine and a server: the compose plugin, and what the project's files say."""
    from bot.doctor.found import Found
    from bot.evidence.compose import compose_version
    from bot.evidence.project import read_project
    from bot.livekit.setup import Setup

    compose, trouble = compose_version()
    setup = read_project(Path(target.project)) if target.project else Setup()
    return Found(target=target, compose=compose, compose_trouble=trouble, setup=setup)


def doctor(args: argparse.Namespace, look: Callable[[Target], Found] = look) -> int:
    """Tell every check of the chosen target; `look` tells what is there."""
    from bot.doctor.checks import checks, exit_code
    from bot.redact import redact
    from bot.settings import targets

    found = look(targets(os.environ, Path()).choose(args.target, project=args.project))
    told = checks(found)
    code = exit_code(found, told)
    rows = [{**asdict(check), "sentence": redact(check.sentence), "mend": redact(check.mend)} for check in told]
    if args.json:
        print(json.dumps({"target": found.target.name, "checks": rows}, indent=2, ensure_ascii=False))
        return code
    for row in rows:
        head = f"{row['status']:8}{row['name']:16}"
        print(textwrap.fill(row["sentence"], 96, initial_indent=head, subsequent_indent=" " * 24))
        if row["mend"]:
            print(f"{' ' * 24}→ {row['mend']}")
    if code == 4:
        print("\nNeither Docker nor LiveKit can be reached; `fletcher diagnose FILE …` needs neither.")
    return code
