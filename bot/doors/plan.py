"""`fletcher plan`: everything that a runbook would do here and now, and what it would take."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.doors import given, target
from bot.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from bot.plan.values import Plan


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher plan`."""
    p.epilog = (
        "Nothing is done and nothing is written. Sources are those of `fletcher diagnose`; without any it looks at what runs.\n\n"
        "examples:\n"
        "  fletcher plan agent-never-joins --room demo\n"
        "  fletcher plan no-servers-available --input remedy=real-load\n"
        "  fletcher plan agent-never-joins livekit.log --project . --markdown > ticket.md\n\n"
        "exit codes: 0 there is a plan, or nothing to do; 1 it is refused; 2 wrong usage or runbook; 3 what is wrong is not known"
    )
    p.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the runbook")
    p.add_argument(
        "--runbooks", action="append", default=[], metavar="DIR", help="a folder of runbooks, beside the shipped ones"
    )
    given.options(p, runbook=True)
    p.add_argument("--live", action="store_true", help="look at what runs too (the default when nothing else is given)")
    target.options(p)
    p.add_argument("--json", action="store_true", help="the plan as JSON")
    p.add_argument("--markdown", action="store_true", help="the plan as Markdown, to paste into a ticket")


def plan(args: argparse.Namespace) -> int:
    """Look, judge, and tell the plan."""
    from bot.diagnose import diagnose
    from bot.doors import terminal
    from bot.doors.shelves import folders
    from bot.plan.subject import chosen
    from bot.propose import propose
    from bot.runbook import shelf

    if not args.files:
        raise UsageError("which runbook? `fletcher plan RUNBOOK …`; `fletcher runbooks list` names them")
    asked = args.files.pop(0)
    path = Path(asked) if Path(asked).is_file() else shelf.shelf(folders(args.runbooks, args.config)).find(asked).path
    runbook = shelf.read(path)
    if args.json and args.markdown:
        raise UsageError("--json and --markdown are two forms of a plan: choose one")
    inputs = inputs_of(args.input)
    if inputs.get("room") and args.room and inputs["room"] not in args.room:
        raise UsageError(f"--room {args.room[0]} and --input room={inputs['room']} are two rooms: a plan is for one")
    if inputs.get("room") and not args.room:
        args.room.append(inputs["room"])
    files = given.files(args)
    with terminal.patience("still looking"), diagnose(given.question(args, files, counted=True)) as answer:
        made = propose(runbook, inputs, answer.look, answer.verdicts)
        row = chosen(runbook, inputs, answer.verdicts)
        unseen = bool(runbook.causes) and (row is None or row.verdict == "inconclusive")
        unknown = unseen or any(check.result == "inconclusive" for check in made.checks)
    _tell(made, args)
    if not made.refused:
        return 0
    return 3 if unknown else 0 if not made.cause and not inputs.get("remedy") else 1


def inputs_of(given_as: list[str]) -> dict[str, str]:
    """The inputs of a runbook as options name them. Raises UsageError for one without a value, and one given twice."""
    found: dict[str, str] = {}
    for text in given_as:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--input {name or text!r} has no value: write --input NAME=VALUE")
        if found.setdefault(name, value) != value:
            raise UsageError(f"--input {name} is given twice, with two values")
    return found


def _tell(made: Plan, args: argparse.Namespace) -> None:
    import msgspec

    from bot.doors import terminal
    from bot.report.plan import lines, markdown

    if args.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    elif args.markdown:
        print(markdown(made))
    else:
        for line in lines(made, width=terminal.width()):
            print(line)
