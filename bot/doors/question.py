"""The question at the terminal: the plan, then yes or no; where a guard warns, a word that has to be typed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from bot.errors import Unreachable

if TYPE_CHECKING:
    from bot.engine.values import Decision, Person, Run


def can_ask() -> bool:
    """Whether somebody is there who sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def can_show() -> bool:
    """Whether what is printed is seen by somebody, and kept in no file."""
    return sys.stdout.isatty()


def show(run: Run) -> None:
    """The plan as it is asked about, and what lowers what is asked."""
    from bot.doors import terminal
    from bot.report.plan import lines
    from bot.report.safe import block

    if run.plan is None:
        raise Unreachable(f"run {run.id} has no plan yet")
    for line in lines(run.plan, width=terminal.width()):
        print(block(line))
    asked = run.asked
    if run.order.anyway:
        print(
            "  DELIBERATELY: the diagnosis does not indicate this change (--anyway); it can end as done, never as fixed"
        )
    if asked is not None:
        if (asked.need, asked.why) != (run.plan.approval.need, run.plan.approval.why):
            print(f"  needs {asked.need}: {asked.why}")
        for switch in asked.switches:
            print(f"  LOWERED by {switch}")


def ask(run: Run, who: Person) -> Decision:
    """Ask whoever is here; the end of the input is a no."""
    show(run)
    word = run.asked.word if run.asked is not None else ""
    if word:
        given = answer(f"A guard warns. To go on all the same, type {word}: ")
        if given == word:
            return decision(run, who, "yes", word=given)
        return decision(run, who, "no", reason="the guard's word was not typed")
    return decision(run, who, "yes" if answer("Carry this out? [y/N] ").lower() in {"y", "yes"} else "no")


def decision(run: Run, who: Person, kind: str, *, reason: str = "", word: str = "") -> Decision:
    """An answer to the plan of this run, bound to its digest."""
    from bot.engine.values import Decision

    return Decision(
        kind="yes" if kind == "yes" else "no", person=who, digest=run.digest, at=time.time(), reason=reason, word=word
    )


def answer(prompt: str) -> str:
    """What is typed, without the blanks around it; "" when the input ends."""
    try:
        return input(prompt).strip()
    except EOFError:
        print()
        return ""
    except KeyboardInterrupt:  # the question stays readable, whatever is said next
        print()
        raise
