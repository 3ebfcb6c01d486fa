"""`fletcher doctor`: look around, and say what Fletcher cannot see and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.doors import target

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from bot.doctor.found import Check, Found


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher doctor`."""
    p.epilog = (
        "examples:\n"
        "  fletcher doctor                       what is set and reachable from here, and what mends the rest\n"
        "  fletcher doctor --target staging      the same for a target of fletcher.toml\n"
        "  fletcher doctor --json                for programs\n\n"
        "exit codes: 0 nothing is bad, 1 something is bad, 4 neither Docker nor LiveKit can be reached"
    )
    target.options(p)
    p.add_argument("--project", metavar="DIR", help="source and configuration of agent and backend")
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def doctor(args: argparse.Namespace) -> int:
    """Look around the chosen target and tell every check."""
    from bot.doctor.look import look_around

    return tell(look_around(target.chosen(args, project=args.project)), as_json=args.json)


def tell(found: Found, *, as_json: bool) -> int:
    """Print every check of what was found, and return the exit code."""
    import json

    from bot.doctor.checks import checks, exit_code

    told = checks(found)
    code = exit_code(found, told)
    if as_json:
        print(json.dumps({"target": found.target.name, "checks": rows(told)}, indent=2, ensure_ascii=False))
        return code
    tell_rows(rows(told))
    if code == 4:
        print("\nNeither Docker nor LiveKit can be reached; `fletcher diagnose FILE …` needs neither.")
    return code


def rows(told: Iterable[Check]) -> list[dict[str, str]]:
    """Checks as they are told, without secrets."""
    from dataclasses import asdict

    from bot.redact import redact

    return [{**asdict(check), "sentence": redact(check.sentence), "mend": redact(check.mend)} for check in told]


def tell_rows(told: Iterable[dict[str, str]]) -> None:
    """Print checks for a person: the status and the name, the sentence, and what mends it."""
    import textwrap

    for row in told:
        head = f"{row['status']:8}{row['name']:16}"
        print(textwrap.fill(row["sentence"], 96, initial_indent=head, subsequent_indent=" " * 24))
        if row["mend"]:
            print(f"{' ' * 24}→ {row['mend']}")
