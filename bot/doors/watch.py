"""`fletcher watch`: look every few seconds for people who wait without an agent, and send one, at most a few times."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.doors import engine, run, target
from bot.errors import FletcherError, UsageError

if TYPE_CHECKING:
    import argparse

    from bot.engine.front import Front
    from bot.engine.values import Order
    from bot.probes.values import Probe, Result, Standing, Want

_EVERY: Final = 5.0  # seconds between two looks
_ONCE: Final = 5  # looks until something is clear, at most
_MOST: Final = 20  # tries for one room
_COLOUR: Final = {"green": "32", "red": "31", "unknown": "33"}


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher watch`."""
    p.epilog = (
        "A room counts when two looks in a row find people in it, no agent, and none on its way. Each try is a run of the\n"
        "runbook agent-watch: it is shown, asked for and carried out as `fletcher run agent-watch` would be.\n\n"
        "exit codes: 0 ended by Ctrl-C, or no such room; 1 with --once, a room was found; 3 with --once, it could not be seen"
    )
    p.add_argument("--once", action="store_true", help="look until that is clear, act once, and end")
    p.add_argument("--tries", metavar="K", default="3", help="how often an agent is sent to one room at most (3)")
    p.add_argument("--agent", metavar="NAME", help="the agent that every room wants, also one that asked for nobody")
    p.add_argument("--starts", metavar="TIME", help="how long a job may take until its agent joins (25s)")
    p.add_argument("--yes", action="store_true", help="send without asking, as a script does")
    p.add_argument("--json", action="store_true", help="each look that differs from the last as a line of JSON")
    target.options(p)


def watch(args: argparse.Namespace) -> int:
    """Look until somebody ends it. Raises UsageError for what is asked wrongly."""
    from bot.probes.values import Standing
    from bot.world.real import RealWorld

    if not args.tries.isdecimal() or not 1 <= int(args.tries) <= _MOST:
        raise UsageError(f"--tries must be a number from 1 to {_MOST}, and is {args.tries[:20]!r}")
    probe = _probe(args)
    with ExitStack() as held:
        world = held.enter_context(RealWorld(target.chosen(args), Path()))
        front = held.enter_context(engine.opened(args.config))
        watcher = _Watcher(args, front)
        standing, looks = Standing(probe=probe), 0
        try:
            while True:
                result = watcher.look(standing, world)
                looks += 1
                standing = Standing(probe=probe, last=result)
                if watcher.tell(result, first=looks == 1) or (args.once and _clear(result, looks)):
                    return {"green": 0, "red": 1}.get(result.light, 3)
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            return 0


def _clear(result: Result, looks: int) -> bool:
    """Whether a further look would tell no more: what lacks its agent is told after two."""
    from bot.probes import abandoned

    return result.light == "unknown" or (looks > 1 and not (looks < _ONCE and abandoned.open_still(result)))


def _probe(args: argparse.Namespace) -> Probe:
    from bot.probes.abandoned import RUNBOOK
    from bot.probes.values import Probe
    from bot.runbook import shelf
    from bot.runbook.document import Schedule
    from bot.runbook.inputs import values

    runbook = shelf.read(shelf.shipped() / f"{RUNBOOK}.md")
    given = {"tries": args.tries, "agent_name": args.agent or "", "starts": args.starts or ""}
    inputs = {name: value for name, value in given.items() if value}
    values(runbook, inputs)
    return Probe(
        name=RUNBOOK, runbook=runbook, schedule=Schedule(every=_EVERY), inputs=inputs, config=args.config or "",
        target=args.target or "", here=str(Path.cwd()),
    )  # fmt: skip


class _Watcher:
    """One call: what it has told, and how it acts."""

    def __init__(self, args: argparse.Namespace, front: Front) -> None:
        self._args, self._front = args, front
        self._said = ""
        self._ordered: set[str] = set()

    def look(self, standing: Standing, world: object) -> Result:
        """One look."""
        from bot.probes import abandoned

        return abandoned.look(standing.probe, standing, world, lambda: False, ended=self._ended)  # type: ignore[arg-type]  # a real one

    def tell(self, result: Result, *, first: bool) -> bool:
        """Tell what is new, and do what is due; whether somebody wants it to end."""
        said = f"{result.light}: {result.says}"
        if said != self._said and not self._args.json:
            print(_line(result.light, result.says), flush=True)
        new = [want for want in result.wants if want.id not in self._ordered]
        if self._args.json and (said != self._said or new):
            self._document(result, new)
        self._said = said
        if first and not self._args.once and not self._args.json:
            print("Watching. Ctrl-C ends it.", flush=True)
        return any(self._act(want) for want in new)

    def _document(self, result: Result, new: list[Want]) -> None:
        import msgspec

        told = {
            "at": time.time(), "light": result.light, "says": result.says, "findings": result.findings,
            "wants": [{"id": w.id, "why": w.why, "runbook": w.runbook} for w in new],
        }  # fmt: skip
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.flush()

    def _ended(self, run_id: str) -> bool:
        """Whether this run has come to its end without a no; one that could not be ordered yet has not."""
        from bot.engine.values import ENDED, SAID_NO

        return self._ordered_already(run_id) and self._front.show(run_id).state in ENDED - SAID_NO

    def _ordered_already(self, run_id: str) -> bool:
        try:
            self._front.show(run_id)
        except UsageError:
            return False
        return True

    def _act(self, want: Want) -> bool:
        """Order it where runs are carried out: by `fletcher serve`, or here; whether it was broken off."""
        from bot.engine.values import ENDED
        from bot.report.safe import plain

        self._ordered.add(want.id)
        order = self._order(want)
        if not self._args.json:
            print(f"  {plain(want.why)}", flush=True)
        try:
            holder = self._front.executor()
            if holder is not None and holder.what == run.SERVE:
                self._front.submit(order)
                return False
            with engine.acting(self._args.config) as parts:
                run.here(
                    order.person, lambda herald: self._front.run_here(parts, order, herald), as_json=self._args.json
                )
        except FletcherError as problem:
            if self._ordered_already(want.id):  # by another watcher
                return False
            if isinstance(problem, UsageError):
                raise
            self._ordered.discard(want.id)  # somebody else carries out a run just now, and it is wanted again
            print(f"fletcher: {problem}", file=sys.stderr, flush=True)
            return False
        last = self._front.show(want.id)
        return last.state == "cancelled" or last.state not in ENDED

    def _order(self, want: Want) -> Order:
        from bot.engine.values import Order

        args = self._args
        chosen = target.chosen(args)
        options = ("compose_project", "livekit_service", "agent_service")
        return Order(
            id=want.id, runbook=want.runbook, person=engine.me(args.config), at=time.time(), inputs=want.inputs, rooms=want.rooms,
            here=str(Path.cwd()), config=args.config or "", target=chosen.name, live=True, yes=args.yes,
            fields={name: value for name in options if (value := getattr(args, name))},
        )  # fmt: skip


def _line(light: str, says: str) -> str:
    from bot.doors import terminal
    from bot.report.safe import plain

    word = light.upper()
    if terminal.colour() and light in _COLOUR:
        word = f"\x1b[{_COLOUR[light]}m{word}\x1b[0m"
    return f"{time.strftime('%H:%M:%S')}  {word}  {plain(says)}"
