"""`fletcher serve`: carry out what doors order, until somebody ends it; and `fletcher audit`: what was done, by whom."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.doors import engine
from bot.doors.run import SERVE, heeding
from bot.errors import Unreachable

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from bot.engine.front import Front
    from bot.engine.values import Holder
    from bot.probes.values import Probe
    from bot.settings_probes import Rules

_log = logging.getLogger("fletcher.serve")


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher serve`."""
    p.epilog = (
        "It ends between two steps on SIGTERM or Ctrl-C; what is not finished goes on at the next start. Its log is JSON lines.\n"
        "With SLACK_BOT_TOKEN and SLACK_APP_TOKEN it is in Slack too (docs/slack.md).\n\n"
        "examples:\n"
        "  fletcher serve\n"
        "  fletcher serve --check     is it there? exit code 0, else 4: for a health check"
    )
    p.add_argument("--check", action="store_true", help="only say whether one serves here")
    p.add_argument("--config", metavar="FILE", help="fletcher.toml, when it is not in this folder")


def serve(args: argparse.Namespace) -> int:
    """Be the executor."""
    if args.check:
        from bot.engine.home import Home, named

        home = Home(engine.folder())
        holder = _shared(args.config) if engine.address() else home.executor()  # a file is not even opened
        if holder is None or holder.what != SERVE:
            raise Unreachable(f"nothing serves from {home.path}")
        print(named(holder))
        return 0
    return _serve(args.config)


def _shared(config: str | None) -> Holder | None:
    """The executor of this machine that serves, of several machines."""
    import socket

    with engine.opened(config) as front:
        here = [one for one in front.executors() if one.host == socket.gethostname()]
    return next(iter(here), None)


def _serve(config: str | None) -> int:
    from bot.doors.health import watched
    from bot.doors.slack.tokens import tokens
    from bot.engine.log import logged
    from bot.settings import around

    given = tokens(around(os.environ, Path()))
    doors = ("slack",) if given else ()
    probes, listen, ping = engine.probes(config), engine.listen(config), engine.ping(config)
    state = None
    if probes[0]:
        from bot.engine.heap import share

        share()  # before there are threads
    stop = threading.Event()
    with (
        heeding(lambda *_: stop.set()), logged(sys.stderr), engine.opened(config, doors) as front, engine.acting(config, doors) as parts,
        ExitStack() as held,
    ):  # fmt: skip
        if given is None:
            _log.info("SLACK_BOT_TOKEN and SLACK_APP_TOKEN are not set: the terminal is the only door (docs/slack.md)")
        else:
            from bot.doors.slack.serving import slack

            state = held.enter_context(
                slack(given, front, engine.policy(config, doors), engine.persons(config), config, probes[1].alert_in)
            )
        held.enter_context(watched(front, state, listen, ping))
        front.serve(parts, stop, engine.account(), sys.stderr, partial(_clock, front, *probes))
    return 0


def _clock(front: Front, probes: tuple[Probe, ...], rules: Rules) -> AbstractContextManager[None]:
    from bot.doors.clock import clock

    return clock(front, probes, rules)


# --- audit ---------------------------------------------------------------------------------------


def audit_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher audit`."""
    p.epilog = (
        "examples:\n"
        "  fletcher audit verify               was a row edited, removed or cut off? exit code 1 if so\n"
        "  fletcher audit export > audit.jsonl"
    )
    p.add_argument(
        "action", choices=["verify", "export"], metavar="verify|export", help="check the chain, or print every row"
    )
    engine.options(p)


def audit(args: argparse.Namespace) -> int:
    """Check the audit's chain, or print its rows as JSON lines."""
    import msgspec

    with engine.opened(args.config) as front:
        if args.action == "export":
            for row in front.trail():
                sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
            return 0
        troubles = front.tampered()
        rows = sum(1 for _ in front.trail())
    if args.json:
        print(json.dumps({"rows": rows, "problems": troubles}, indent=2))
    else:
        print(f"{rows} rows, {'each in its place.' if not troubles else 'and not as they were written:'}")
        for trouble in troubles:
            print(f"  {trouble}")
    return 1 if troubles else 0
