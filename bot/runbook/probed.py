"""What a runbook with a schedule may look at: what only a probe looks at stands in one, and alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.runbook.document import Abandoned, Chosen, Health, Joined, Lacking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.runbook.document import Check, Evidence, Runbook, Verify

_STEPS = ("patch", "step", "compose", "dispatch", "token")


def key(evidence: Evidence) -> str:
    """The key of what is asked of LiveKit as a whole; "" for all else."""
    match evidence:
        case Lacking():
            return "lacks-agent"
        case Abandoned():
            return "abandoned"
        case Health():
            return "health"
        case Joined(canary=canary, log=log):
            return "canary" if canary else "log" if log else "agent"
    return ""


def why_not(runbook: Runbook, block: Check | Verify) -> Iterator[str]:
    """What is wrong with such a block where it stands."""
    evidence, name = block.evidence, key(block.evidence)
    if isinstance(evidence, Health | Joined) and runbook.steps:
        if isinstance(evidence, Health):
            yield f"`{name}` verifies no step: it is for a runbook without steps"
        return
    if runbook.schedule is None:
        if not isinstance(evidence, Joined):
            yield f"`{name}` is looked at on a schedule only: the front matter needs `schedule`"
        return
    if isinstance(evidence, Joined) and not evidence.canary:
        yield "a runbook without steps has no room of its own that an agent could join: it needs `canary: true`"
    others = [other for other in runbook.looks if other is not block and not isinstance(other.evidence, Chosen)]
    if others and (others[0].line < block.line or not key(others[0].evidence)):
        yield f"`{name}` is looked at alone, and line {others[0].line} asks for more: make that a runbook of its own"


def nothing(runbook: Runbook, kinds: Sequence[str]) -> str:
    """What is wrong with a schedule for which there is nothing to look at; "" where there is something.

    `kinds` are those of all blocks, also of those that cannot be read.
    """
    steps = any(kind in _STEPS for kind in kinds)
    if runbook.schedule is None or "check" in kinds or (not steps and "verify" in kinds):
        return ""
    return f"`schedule` has nothing to look at: the runbook needs {'a check' if steps else 'a check or a verify'}"
