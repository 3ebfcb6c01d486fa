"""`fletcher run`: order a runbook, answer its question, and watch it to its end."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.doors import engine, given, target
from bot.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import FrameType

    from bot.doors.progress import Lines, Live
    from bot.engine.contract import Herald
    from bot.engine.front import Front
    from bot.engine.values import Decision, Event, Order, Person, Run

SERVE: Final = "fletcher serve"  # how the executor that serves calls itself
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher run`."""
    p.epilog = (
        "It looks, shows the plan, asks, carries it out step by step, proves it, and takes it back where it does not hold.\n"
        "With `fletcher serve` running it is done there, and Ctrl-C leaves it alone; else here, and Ctrl-C takes it back.\n\n"
        "examples:\n"
        "  fletcher run agent-never-joins --room demo\n"
        "  fletcher run agent-never-joins --room demo --dry-run\n"
        "  fletcher run no-servers-available --yes --allow-disrupt --json\n\n"
        "exit codes: 0 fixed, done or healthy; 1 declined, failed or taken back; 2 wrong usage or runbook;\n"
        "            3 not verified or not known; 4 refused, or something is not reachable"
    )
    p.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the runbook")
    p.add_argument(
        "--runbooks", action="append", default=[], metavar="DIR", help="a folder of runbooks, beside the shipped ones"
    )
    given.options(p, runbook=True)
    p.add_argument("--live", action="store_true", help="look at what runs too (the default when nothing else is given)")
    target.options(p)
    p.add_argument("--dry-run", action="store_true", help="stop at the plan")
    p.add_argument(
        "--yes", action="store_true", help="answer the question for a script; a guard's warning is never answered so"
    )
    p.add_argument("--allow-disrupt", action="store_true", help="with --yes: also where live sessions may be cut off")
    p.add_argument("--anyway", action="store_true", help="make a change that the diagnosis does not indicate")
    p.add_argument("--json", action="store_true", help="the run as JSON, once it has ended")


def run(args: argparse.Namespace) -> int:
    """Order it where runs are carried out: by `fletcher serve`, or here where nobody does."""
    order = order_of(args)
    with engine.opened(args.config) as front:
        holder = front.executor()
        if holder is not None and holder.what == SERVE:
            return served(front, front.submit(order), order.person, as_json=args.json)
        with engine.acting(args.config) as parts:
            return here(order.person, lambda herald: front.run_here(parts, order, herald), as_json=args.json)


def order_of(args: argparse.Namespace) -> Order:
    """The order that a command line places. Raises UsageError where it is none."""
    import secrets

    from bot.doors.plan import inputs_of
    from bot.doors.shelves import folders
    from bot.engine.values import Order

    if not args.files:
        raise UsageError("which runbook? `fletcher run RUNBOOK …`; `fletcher runbooks list` names them")
    runbook = args.files.pop(0)
    inputs = inputs_of(args.input)
    if inputs.get("room") and args.room and inputs["room"] not in args.room:
        raise UsageError(f"--room {args.room[0]} and --input room={inputs['room']} are two rooms: a run is for one")
    if inputs.get("room") and not args.room:
        args.room.append(inputs["room"])
    files = given.files(args)
    if any(name == "-" for _, name in files):
        raise UsageError(
            "a run looks again before it acts, so that standard input cannot be looked at; give it as a file"
        )
    if missing := next((name for kind, name in files if _missing(kind, name)), None):
        raise UsageError(f"{missing}: no such file")
    chosen = target.chosen(args)
    options = ("compose_project", "livekit_service", "agent_service")
    return Order(
        id=secrets.token_hex(4), runbook=runbook, person=engine.me(args.config), at=time.time(), inputs=inputs, rooms=tuple(args.room),
        shelves=tuple(map(str, folders(args.runbooks, args.config))), here=str(Path.cwd()), config=args.config or "", target=chosen.name,
        fields={name: value for name in options if (value := getattr(args, name))}, live=args.live or not files or target.given(args),
        files=files, since=args.since or "", until=args.until or "", dry_run=args.dry_run, yes=args.yes, allow_disrupt=args.allow_disrupt,
        anyway=args.anyway,
    )  # fmt: skip


class Left(Exception):  # noqa: N818  # it is no error to leave a run to others
    """Nobody is here who could answer, so the question is left to somebody else."""


class AtTerminal:
    """Whoever is at this terminal. Where nobody can be asked, a run of this process is declined, another one left."""

    def __init__(
        self, who: Person, shown: Lines | Live, *, asks: bool, leaves: bool, tokens: list[str] | None = None
    ) -> None:
        self._who, self._shown, self._asks, self._leaves = who, shown, asks, leaves
        self._tokens = tokens  # that are to be shown once it has ended; None where nobody would see them

    def ask(self, run: Run) -> Decision | None:
        """The answer to the plan."""
        from bot.doors import question

        self._shown.pause()
        if self._leaves and (not self._asks or (run.asked is not None and run.asked.need == "peer")):
            raise Left
        if not self._asks:
            return question.decision(run, self._who, "no", reason=_nobody(run))
        return question.ask(run, self._who)

    def hand(self, folder: Path, token: str) -> str:
        """A new token: kept to be shown, where somebody sees it; else in a file that nobody else may read."""
        from bot.steps.token import into_file

        if self._tokens is None:
            return into_file(folder / "token")(token)
        self._tokens.append(token)
        return ""

    def tell(self, event: Event) -> None:
        """Show it."""
        self._shown.take(event)


def served(front: Front, name: str, who: Person, *, as_json: bool) -> int:
    """Watch a run of another process, and answer its question where somebody can; Ctrl-C leaves it alone."""
    from bot.doors import question

    try:
        with watching(quiet=as_json) as shown:
            front.attend(name, AtTerminal(who, shown, asks=question.can_ask() and not as_json, leaves=True))
    except Left:  # what is told says that it waits, and how it is answered
        pass
    except KeyboardInterrupt:
        print(
            f"\nRun {name} goes on without you: `fletcher logs -f {name}` comes back to it, `fletcher cancel {name}` ends it."
        )
        return 3
    last = front.show(name)
    tell(last, as_json=as_json)
    return code(last)


def here(who: Person, carry_out: Callable[[Herald], Run], *, as_json: bool) -> int:
    """Carry a run out in this process; Ctrl-C and SIGTERM take back what was done."""
    from bot.doors import question

    tokens: list[str] = []
    try:
        with watching(quiet=as_json) as shown, ending(shown):
            asks, sees = question.can_ask() and not as_json, question.can_show() and not as_json
            last = carry_out(AtTerminal(who, shown, asks=asks, leaves=False, tokens=tokens if sees else None))
        tell(last, as_json=as_json)
    finally:  # they are nowhere else
        show_tokens(tokens)
    return code(last)


def show_tokens(tokens: list[str]) -> None:
    """Show what was handed over, which is kept nowhere."""
    for token in tokens:
        print(f"\nThe new token, shown once and kept nowhere (it is good only as long as the change stays):\n{token}\n")


def _missing(kind: str, name: str) -> bool:
    """Whether something is given by a path at which nothing is."""
    return kind not in {"endpoint", "token"} and not Path(name).exists()


def _nobody(run: Run) -> str:
    """Why a plan is not carried out that nobody can be asked about, and what would do."""
    if run.asked is not None and run.asked.word:
        return "a guard warns, which only somebody at a terminal can answer"
    flags = "--yes" if run.plan is None or run.plan.effect != "disrupt" else "--yes --allow-disrupt"
    return f"there is no terminal to ask in; {flags} answers for a script"


@contextmanager
def ending(shown: Lines | Live) -> Iterator[None]:
    """Let the first signal that ends a program cancel the run, as Ctrl-C does; those after it do not hurry its end."""
    heard = 0

    def hear(_number: int, _frame: object) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            shown.note("still taking back what was done …")
            return
        shown.note("cancelling; what was done is taken back …")
        raise KeyboardInterrupt

    with heeding(hear):
        yield


@contextmanager
def heeding(hear: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let the signals that end a program do something else for a while."""
    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- both ----------------------------------------------------------------------------------------


@contextmanager
def watching(*, quiet: bool) -> Iterator[Lines | Live]:
    """Where progress is shown: a terminal, plain lines, or nowhere."""
    from bot.doors import terminal
    from bot.doors.progress import Lines, Live

    if quiet:
        yield Lines(lambda _: None)
    elif sys.stdout.isatty():
        with Live(_write, terminal.columns, time.monotonic) as live:
            yield live
    else:
        yield Lines(_write)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(last: Run, *, as_json: bool) -> None:
    """The report of a run, of a dry run or one that waits its plan; or all of it as JSON."""
    from bot.doors import question, terminal
    from bot.report import run as report
    from bot.report.times import stamp

    if as_json:
        sys.stdout.buffer.write(report.document(last))
        return
    if last.order.dry_run and last.state == "done" and last.plan is not None:
        question.show(last)
        for said in last.says[1:]:
            print(f"  {said}")
        print(f"DRY RUN {last.id}: this is the plan, and nothing of it was done.")
        return
    if last.state == "waiting" and last.asked is not None and last.plan is not None:
        question.show(last)
        print(
            f"RUN {last.id} WAITS for {last.asked.need}, asked for by {last.order.person.name}, open until {stamp(last.asked.until, None)}: "
            f"`fletcher approve {last.id}` or `fletcher deny {last.id}`"
        )
        return
    for line in report.lines(last, width=terminal.width(), colour=terminal.colour()):
        print(line)


def code(last: Run) -> int:
    """The exit code that tells how it ended."""
    from bot.engine.values import exit_code

    return exit_code(last.state)
