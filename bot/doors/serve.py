"""`fletcher serve`: carry out what doors order, until somebody ends it; and `fletcher audit`: what was done, by whom."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from bot.doors import engine
from bot.doors.run import SERVE
from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    import argparse

_log = logging.getLogger("fletcher.serve")
_DAY: Final = 86400.0  # seconds
_RUN: Final = re.compile(r"\brun ([0-9a-f]{8})\b")
_KEPT: Final = frozenset({"run", "step", "person"})  # what a record may have beside its sentence


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher serve`."""
    p.epilog = (
        "It ends between two steps on SIGTERM or Ctrl-C; what is not finished goes on at the next start. Its log is JSON lines.\n\n"
        "examples:\n"
        "  fletcher serve\n"
        "  fletcher serve --check     is it there? exit code 0, else 4: for a health check"
    )
    p.add_argument("--check", action="store_true", help="only say whether one serves here")
    p.add_argument("--config", metavar="FILE", help="fletcher.toml, when it is not in this folder")


def serve(args: argparse.Namespace) -> int:
    """Be the executor."""
    from bot.engine.home import named
    from bot.policy import KEEP

    with engine.opened(args.config) as front:
        if args.check:
            holder = front.executor()
            if holder is None or holder.what != SERVE:
                raise Unreachable(f"nothing serves from {front.home.path}")
            print(named(holder))
            return 0
        log_as_json()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        _log.info("serves from %s", front.home.path)
        rules = engine.policy(args.config)
        with engine.acting(args.config) as parts:
            front.serve(parts, stop, engine.account(), sys.stderr, retention=(rules.keep if rules else KEEP) / _DAY)
        _log.info("ended")
    return 0


class JsonLine(logging.Formatter):
    """One record as one line of JSON: when, how grave, what, of which run; without a secret."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            said = f"{said}\n{self.formatException(record.exc_info)}"
        told = {"time": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname.lower(), "from": record.name}
        if named := _RUN.search(said):
            told["run"] = named[1]
        told |= {name: str(getattr(record, name)) for name in sorted(_KEPT) if getattr(record, name, "")}
        told = {name: redact(value) for name, value in told.items()}
        return json.dumps({**told, "message": redact(said)}, ensure_ascii=True)


def log_as_json() -> None:
    """Let everything that is logged be JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("fletcher").setLevel(logging.INFO)


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
