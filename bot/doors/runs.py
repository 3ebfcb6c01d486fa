"""Verbs that tell of runs that are there: list, look into, follow, report."""

from __future__ import annotations

import re
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.doors import engine, probes, switch
from bot.doors.run import code, tell, watching
from bot.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from bot.engine.front import Front
    from bot.engine.values import Row, Run, StepRow

_MOST: Final = 4000  # characters of a line that is searched


def show_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher show`."""
    engine.one_options(p)
    p.epilog = "What is shown is what was kept. Nothing is run again, whatever is searched for."
    p.add_argument("--step", metavar="STEP", help="what a step printed, by its name or number")
    p.add_argument("--grep", metavar="PATTERN", help="only lines of the kept output that match this regular expression")


def logs_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher logs`."""
    engine.one_options(p)
    p.add_argument("-f", "--follow", action="store_true", help="go on until it has ended; Ctrl-C leaves it alone")


def report_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher report`."""
    engine.one_options(p)
    p.add_argument("--html", action="store_true", help="as a page that needs nothing else")
    p.add_argument("--markdown", action="store_true", help="as Markdown, to paste into a ticket")


# --- lists ---------------------------------------------------------------------------------------


def status(args: argparse.Namespace) -> int:
    """Who carries out runs, and what is open."""
    import msgspec

    with engine.opened(args.config) as front:
        if args.json:
            told = {
                "home": str(front.home.path),
                "executor": front.executor(),
                "executors": front.executors(),
                "hold": front.switch.held(),
                "runs": _open(front),
                "probes": list(probes.status_lines(front)),
            }
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
            return 0
        for line in status_lines(front):
            print(line)
    return 0


def status_lines(front: Front) -> Iterator[str]:
    """Who carries out runs, and which are open, for people at any door."""
    from bot.engine.home import named

    holders, rows = front.executors(), _open(front)
    yield f"Runs are kept in {front.kept_in}."
    if not holders:
        yield "Nothing carries them out now; `fletcher serve` does."
    for number, holder in enumerate(holders):
        yield f"{'They are carried out by' if number == 0 else 'and by'} {named(holder)}{'.' if number + 1 == len(holders) else ','}"
    if (held := front.switch.held()) is not None:
        yield switch.line(held)
    yield from probes.status_lines(front)
    yield from _table(rows)
    if not rows:
        yield "No run is open."


def _open(front: Front) -> list[Row]:
    from bot.engine.values import ENDED

    return [row for row in front.runs() if row.state not in ENDED]


def runs(args: argparse.Namespace) -> int:
    """The newest runs."""
    import msgspec

    with engine.opened(args.config) as front:
        rows = front.runs()
    if args.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")
        return 0
    for line in _table(rows):
        print(line)
    if not rows:
        print("There is no run yet; `fletcher run RUNBOOK` orders one.")
    return 0


def _table(rows: Iterable[Row]) -> Iterator[str]:
    from bot.report.safe import plain

    cells = [("run", "state", "runbook", "room", "by", "asked for")] * bool(rows)
    cells += [
        (
            row.id, row.state, plain(row.runbook), plain(row.room) or "-", plain(row.person),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(row.at)),
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


# --- one run -------------------------------------------------------------------------------------


def show(args: argparse.Namespace) -> int:
    """A run as it was kept: all of it, or the lines that its steps printed."""
    import msgspec

    with engine.opened(args.config) as front:
        run = engine.found(front, engine.one(args))
        folder = front.home.folder(run.id)
    if args.step is None and args.grep is None:
        tell(run, as_json=args.json)
        return 0
    try:
        pattern = re.compile(args.grep or "")
    except re.error as wrong:
        raise UsageError(f"--grep is no regular expression: {wrong}") from None
    steps = run.steps if args.step is None else [_step(run, args.step)]
    kept = ((step.name, line) for step in steps for line in _kept(folder, step))
    found = [(name, line) for name, line in kept if pattern.search(line[:_MOST])]
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode([{"step": name, "line": line} for name, line in found]) + b"\n")
    else:
        for name, line in found:
            print(line if args.step is not None else f"{name}: {line}")
    return 0 if found or args.grep is None else 1


def _step(run: Run, asked: str) -> StepRow:
    for number, row in enumerate(run.steps, 1):
        if asked in {row.name, str(number)}:
            return row
    names = ", ".join(f"{number} {row.name}" for number, row in enumerate(run.steps, 1)) or "none"
    raise UsageError(f"run {run.id} has no step {asked[:40]!r}; its steps: {names}")


def _kept(folder: Path, step: StepRow) -> Iterator[str]:
    """The lines that were kept of a step: each attempt's, then those of its undoing."""
    from bot.report.safe import block

    told = [one.output for one in (step.outcome, step.undo) if one is not None and one.output]
    # A folder that is mounted elsewhere has another path; the file's name stays.
    for path in dict.fromkeys(
        [*sorted(folder.glob(f"{step.name}.*.log")), *(folder / Path(name).name for name in told)]
    ):
        try:
            with path.open("rb") as file:
                for raw in file:
                    yield block(raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        except FileNotFoundError:
            yield f"(what it printed is not kept any more: {path.name})"


def logs(args: argparse.Namespace) -> int:
    """What happened in a run; with -f as it goes on."""
    import msgspec

    from bot.doors.progress import event_lines
    from bot.engine import events

    with engine.opened(args.config) as front:
        run = engine.found(front, engine.one(args))
        told = front.follow(run.id) if args.follow else events.read(front.home.folder(run.id), lambda: True)
        try:
            with watching(quiet=False) if args.follow and not args.json else nullcontext() as shown:
                for event in told:
                    if args.json:
                        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
                        sys.stdout.buffer.flush()
                    elif shown is not None:
                        shown.take(event)
                    else:
                        print("\n".join(event_lines(event)))
        except KeyboardInterrupt:
            print(f"\nRun {run.id} goes on without you: `fletcher logs -f {run.id}` comes back to it.")
            return 3
        last = front.show(run.id)
    if not args.follow:
        return 0
    if not args.json:
        print(f"Run {last.id} is {last.state}; `fletcher report {last.id}` has all of it.")
    return code(last)


def report(args: argparse.Namespace) -> int:
    """What was wrong, what was done, who said yes, and whether it holds."""
    from bot.report import run as made

    if args.html + args.markdown + args.json > 1:
        raise UsageError("--html, --markdown and --json are three forms of one report; choose one")
    with engine.opened(args.config) as front:
        run = engine.found(front, engine.one(args))
    if args.html:
        print(made.html(run))
    elif args.markdown:
        print(made.markdown(run))
    else:
        tell(run, as_json=args.json)
    return 0
