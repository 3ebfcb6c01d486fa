"""Verbs that say something to a run: yes, no, end, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.doors import engine, question, switch
from bot.doors.run import here, tell
from bot.errors import Unreachable

if TYPE_CHECKING:
    import argparse

    from bot.engine.front import Front
    from bot.engine.values import Run


def options(p: argparse.ArgumentParser) -> None:
    """The options of `fletcher approve` and `deny`."""
    engine.one_options(p)
    p.add_argument("--reason", default="", metavar="TEXT", help="why, for the report and the audit")
    p.add_argument("--digest", default="", metavar="HEX", help="only if the plan is still the one with this digest")


def approve(args: argparse.Namespace) -> int:
    """Say yes to the plan that is shown."""
    return _decide(args, "yes")


def deny(args: argparse.Namespace) -> int:
    """Say no to a plan."""
    return _decide(args, "no")


def _decide(args: argparse.Namespace, kind: str) -> int:
    with engine.opened(args.config) as front:
        run = engine.found(front, engine.one(args))
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
        said = f"approved.{switch.waits(front)}" if kind == "yes" else "declined."
        return _after(front, run.id, args, f"Run {run.id} is {said}")


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
        run = engine.found(front, engine.one(args))
        front.cancel(run.id, engine.me(args.config))
        return _after(front, run.id, args, f"Run {run.id} ends before its next step, and what it did is taken back.")


def resume(args: argparse.Namespace) -> int:
    """Let a run go on that waits as unknown, or whose executor died, where nobody serves who would do so."""
    with engine.opened(args.config) as front:
        run = engine.found(front, engine.one(args))
        if run.state == "unknown" or run.ended or front.executor() is not None:
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
