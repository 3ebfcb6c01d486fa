"""`fletcher demo`: the recorded incident, diagnosed, and then carried out on a stage that does what the patched files say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

    from bot.doors.progress import Lines, Live
    from bot.engine.contract import Parts
    from bot.engine.values import Decision, Event, Order, Person, Run

_STAGE: Final = """
Now it is carried out, on a copy in a temporary folder. The engine, its journal and the patch are real; server, worker and
Docker are stand-ins: they read the files as they are patched, and live on a fast clock of their own.
"""


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher demo`."""
    p.add_argument(
        "--json", action="store_true", help="the diagnosis as JSON (see `fletcher schema`), and nothing more"
    )
    p.add_argument("--utc", action="store_true", help="times in UTC instead of the log's own zone")
    p.add_argument("--fix-fails", action="store_true", help="let the rebuilt worker end at once, and see it taken back")


def carried_out(*, fix_fails: bool) -> int:
    """Carry the demo's plan out on its stage; 0 when it came to what it is meant to show."""
    import shutil
    import tempfile

    from bot.doors import engine, run
    from bot.engine.front import Front
    from bot.report.demo import folder

    print(_STAGE)
    with tempfile.TemporaryDirectory(prefix="fletcher-demo-") as made:
        stage = Path(made) / "demo"
        shutil.copytree(folder().absolute(), stage)
        order = _order(stage, engine.me(None))
        with Front(Path(made) / "home") as front, run.watching(quiet=False) as shown, run.ending(shown):
            attendant = _Attendant(order.person, shown)
            last = front.run_here(_parts(stage, fix_fails=fix_fails), order, attendant)
        run.tell(last, as_json=False)
        run.show_tokens(attendant.tokens)
    return 0 if last.state == ("rolled-back" if fix_fails else "fixed") else run.code(last)


def _order(stage: Path, who: Person) -> Order:
    import secrets

    from bot.engine.values import Order
    from bot.report.demo import FILES, ROOM

    files = tuple((kind, str(stage / name)) for kind, name in FILES)
    return Order(
        id=f"demo{secrets.token_hex(2)}",
        runbook="agent-never-joins",
        person=who,
        at=time.time(),
        rooms=(ROOM,),
        here=str(stage),
        files=files,
    )


def _parts(stage: Path, *, fix_fails: bool) -> Parts:
    from bot.engine.contract import Parts
    from bot.engine.eyes import Looking
    from bot.engine.prover import Prover
    from bot.steps.check import ask
    from bot.steps.kinds import kind_of
    from bot.world.demo import DemoWorld

    world = DemoWorld(stage, fix_fails=fix_fails)
    return Parts(eyes=Looking({}), make_world=lambda _order: world, kind=kind_of, ask=ask, prover=Prover())


class _Attendant:
    """Whoever watches the demo; where nobody can be asked it says yes for him, and says so."""

    def __init__(self, who: Person, shown: Lines | Live) -> None:
        self._who, self._shown = who, shown
        self.tokens: list[str] = []

    def ask(self, run: Run) -> Decision:
        """The answer to the plan."""
        from bot.doors import question

        self._shown.pause()
        if question.can_ask():
            return question.ask(run, self._who)
        word = run.asked.word if run.asked is not None else ""
        print("Carry this out? [y/N] y   (there is no terminal to ask in, so the demo says yes)")
        return question.decision(run, self._who, "yes", word=word)

    def hand(self, folder: Path, token: str) -> str:
        """The staged token, which nobody signed: to be shown where somebody sees it, else in the demo's own folder."""
        from bot.doors import question
        from bot.steps.token import into_file

        if not question.can_show():
            return into_file(folder / "token")(token)
        self.tokens.append(token)
        return ""

    def tell(self, event: Event) -> None:
        """Show it."""
        self._shown.take(event)
