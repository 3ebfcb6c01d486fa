"""`fletcher slack`: whether Slack lets Fletcher do what it needs, and the app's manifest to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Unreachable, UsageError

if TYPE_CHECKING:
    import argparse

_VERBS = ("doctor", "manifest")


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher slack`."""
    p.epilog = (
        "doctor asks Slack with the tokens that are set; with --channel it also posts a message there, changes and deletes it.\n\n"
        "examples:\n"
        "  fletcher slack manifest                    what to paste where Slack makes an app (docs/slack.md)\n"
        "  fletcher slack doctor                      tokens, scopes, messages, the persons and channels of fletcher.toml\n"
        "  fletcher slack doctor --channel C0123ABCD\n\n"
        "exit codes of doctor: 0 nothing is bad, 1 something is bad, 4 there are no tokens or Slack cannot be reached"
    )
    p.add_argument("action", choices=_VERBS, metavar="doctor|manifest", help="ask Slack, or print the app's manifest")
    p.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="ID",
        help="post in this channel to see whether that works; may be repeated",
    )
    p.add_argument("--config", metavar="FILE", help="fletcher.toml, when it is not in this folder")
    p.add_argument("--json", action="store_true", help="the answer as JSON")


def slack(args: argparse.Namespace) -> int:
    """Do what is asked for."""
    from bot.doors.slack.checks import manifest

    if args.action == "manifest":
        if args.channel or args.json:
            raise UsageError("`fletcher slack manifest` takes no --channel and no --json: it prints YAML to paste")
        print(manifest(), end="")
        return 0
    return _doctor(args)


def _doctor(args: argparse.Namespace) -> int:
    import json
    import os
    from pathlib import Path

    from bot.doors import engine
    from bot.doors.doctor import rows, tell_rows
    from bot.doors.slack.checks import Asking
    from bot.doors.slack.tokens import tokens
    from bot.settings import around

    given = tokens(around(os.environ, Path()))
    if given is None:
        raise Unreachable("SLACK_BOT_TOKEN and SLACK_APP_TOKEN are not set; docs/slack.md says where they come from")
    asking = Asking(given)
    policy, persons = engine.policy(args.config, ("slack",)), engine.persons(args.config)
    told = tuple(asking.checks(policy, persons, tuple(args.channel), engine.alerted(args.config)))
    if args.json:
        print(json.dumps({"checks": rows(told)}, indent=2, ensure_ascii=False))
    else:
        tell_rows(rows(told))
    if not asking.reached:
        return 4
    return 1 if any(check.status == "bad" for check in told) else 0
