"""Verbs about runs that are there: answer, cancel, go on, list, look into, follow, report."""

from __future__ import annotations

import re
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.doors import engine, question
from bot.doors.run import code, here, tell, watching
from bot.errors import Unreachable, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from bot.engine.front import Front
    from bot.engine.values import Row, Run, StepRow

_MOST: Final = 4000  # characters of a line that is searched


def one_options(p: argparse.ArgumentParser) -> None:
    """The options of a verb about one run."""
    p.add_argument("files", nargs="*", metavar="RUN", help="a run's id, or how only one begins")
    engine.options(p)


def decide_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher approve` and `deny`."""
    one_options(p)
    p.add_argument("--reason", default="", metavar="TEXT", help="why, for the report and the audit")
    p.add_argument("--digest", default="", metavar="HEX", help="only if the plan is still the one with this digest")


def show_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher show`."""
    one_options(p)
    p.epilog = "What is shown is what was kept. Nothing is run again, whatever is searched for."
    p.add_argument("--step", metavar="STEP", help="what a step printed, by its name or number")
    p.add_argument("--grep", metavar="PATTERN", help="only lines of the kept output that match this regular expression")


def logs_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher logs`."""
    one_options(p)
    p.add_argument("-f", "--follow", action="store_true", help="go on until it has ended; Ctrl-C leaves it alone")


def report_options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher report`."""
    one_options(p)
    p.add_argument("--html", action="store_true", help="as a page that needs nothing else")
    p.add_argument("--markdown", action="store_true", help="as Markdown, to paste into a ticket")


# --- answers -------------------------------------------------------------------------------------


def approve(args: argparse.Namespace) -> int:
    """Say yes to the plan that is shown."""
    return _decide(args, "yes")


def deny(args: argparse.Namespace) -> int:
    """Say no to a plan."""
    return _decide(args, "no")


def _decide(args: argparse.Namespace, kind: str) -> int:
    with engine.opened(args.config) as front:
        run = engine.found(front, _name(args))
        if run.state != "waiting":
            raise Unreachable(f"run {run.id} does not wait for an answer: it is {run.state}")
        if args.digest and not run.digest.startswith(args.digest.lower()):
            raise Unreachable(
                f"the plan of run {run.id} is another one ({run.digest[:12]}); `fletcher show {run.id}` has it"
            )
        word = ""
        if kind == "yes":
            if not args.json:
                question.show(run)
            word = _word(run)
        front.decide(run.id, question.decision(run, engine.me(args.config), kind, reason=args.reason, word=word))
        return _after(front, run.id, args, f"Run {run.id} is {'approved' if kind == 'yes' else 'declined'}.")


def _word(run: Run) -> str:
    """The word that a guard asks for, as somebody at this terminal types it."""
    if run.asked is None or not run.asked.word:
        return ""
    if not question.can_ask():
        raise Unreachable(
            f"a guard warns, which only somebody at a terminal can answer; `fletcher show {run.id}` says what it warns of"
        )
    if question.answer(f"A guard warns. To go on all the same, type {run.asked.word}: ") != run.asked.word:
        raise Unreachable("the word was not typed, so the plan waits as before")
    return run.asked.word


def cancel(args: argparse.Namespace) -> int:
    """Let a run end before its next step."""
    with engine.opened(args.config) as front:
        run = engine.found(front, _name(args))
        front.cancel(run.id, engine.me(args.config))
        return _after(front, run.id, args, f"Run {run.id} ends before its next step, and what it did is taken back.")


def resume(args: argparse.Namespace) -> int:
    """Let a run that waits as unknown go on."""
    with engine.opened(args.config) as front:
        run = engine.found(front, _name(args))
        front.resume(run.id, engine.me(args.config))
        return _after(front, run.id, args, f"Run {run.id} goes on.")


def _after(front: Front, name: str, args: argparse.Namespace, said: str) -> int:
    """What a word has led to: by who carries out runs, or here where nobody does and there is something left to do."""
    if not args.json:
        print(said)
    if front.executor() is None and not front.show(name).ended:
        who = engine.me(args.config)
        with engine.acting(args.config) as parts:
            return here(who, lambda herald: front.go_on_here(parts, name, who, herald), as_json=args.json)
    last = front.show(name)
    if args.json:
        tell(last, as_json=True)
    elif not last.ended:
        print(f"`fletcher logs -f {name}` follows it.")
    return 0


# --- lists ---------------------------------------------------------------------------------------


def status(args: argparse.Namespace) -> int:
    """Who carries out runs, and what is open."""
    import msgspec

    from bot.engine.home import named
    from bot.engine.values import ENDED

    with engine.opened(args.config) as front:
        holder, where = front.executor(), front.home.path
        rows = [row for row in front.runs() if row.state not in ENDED]
    if args.json:
        told = {"home": str(where), "executor": holder, "runs": rows}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
        return 0
    print(f"Runs are kept in {where}.")
    print(
        f"They are carried out by {named(holder)}."
        if holder
        else "Nothing carries them out now; `fletcher serve` does."
    )
    for line in _table(rows):
        print(line)
    if not rows:
        print("No run is open.")
    return 0


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
        run = engine.found(front, _name(args))
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
        run = engine.found(front, _name(args))
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
        run = engine.found(front, _name(args))
    if args.html:
        print(made.html(run))
    elif args.markdown:
        print(made.markdown(run))
    else:
        tell(run, as_json=args.json)
    return 0


def _name(args: argparse.Namespace) -> str:
    if len(args.files) > 1:
        raise UsageError(f"one run at a time, and {args.files[1][:40]!r} is a second")
    return args.files[0] if args.files else ""
