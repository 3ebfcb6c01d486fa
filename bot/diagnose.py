"""Look → verdicts: what every door calls."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.evidence.look import Look, Question, look
from bot.livekit.answer import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.evidence.live import Live
    from bot.livekit.seen import Verdicts


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was seen and what follows from it."""

    look: Look
    verdicts: Verdicts


@contextmanager
def diagnose(question: Question, live: Live | None = None) -> Iterator[Diagnosis]:
    """Answer one question; while the context lasts, the answer can quote its lines.

    `live` is what was seen of what runs, where somebody has looked already. Raises UsageError and Unreachable for what cannot be read.
    """
    with ExitStack() as opened:
        if (
            gc.isenabled()
        ):  # fifty thousand rooms are many values and no cycles: collecting would take a third of the time
            gc.disable()
            opened.callback(gc.enable)
        seen = look(question, opened, live)
        yield Diagnosis(seen, judge(seen.seen))
