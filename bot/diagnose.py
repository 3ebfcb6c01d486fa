"""Look → verdicts → plan: what every door calls."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.evidence.look import Look, Question, look
from bot.livekit.answer import judge, runbook_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.evidence.live import Live
    from bot.livekit.seen import Verdicts
    from bot.plan.values import Plan


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was seen, what follows from it, and the plan that would be proposed; None where no runbook treats a cause."""

    look: Look
    verdicts: Verdicts
    plan: Plan | None = None


@contextmanager
def diagnose(question: Question, live: Live | None = None, *, planned: bool = False) -> Iterator[Diagnosis]:
    """Answer one question; while the context lasts, the answer can quote its lines.

    `live` is what was seen of what runs, where somebody has looked already. `planned` asks for the plan, too. Raises UsageError and Unreachable for what cannot be read.
    """
    with ExitStack() as opened:
        if (
            gc.isenabled()
        ):  # fifty thousand rooms are many values and no cycles: collecting would take a third of the time
            gc.disable()
            opened.callback(gc.enable)
        seen = look(question, opened, live)
        verdicts = judge(seen.seen)
        yield Diagnosis(seen, verdicts, _plan(seen, verdicts) if planned else None)


def _plan(seen: Look, verdicts: Verdicts) -> Plan | None:
    treated = runbook_of(verdicts)
    if treated is None:
        return None
    from bot.propose import propose  # Markdown, YAML and what plans are loaded only where there is something to plan
    from bot.runbook import shelf

    return propose(shelf.read(shelf.shipped() / f"{treated}.md"), {}, seen, verdicts)
