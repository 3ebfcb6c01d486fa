"""The loop breaker: what keeps a fix from being made again and again. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.engine.rows import Before
    from bot.plan.values import Plan
    from bot.policy import Auto
    from bot.runbook.document import Policy

BACK: Final = 86_400.0  # seconds in which a fix that does not hold counts; what limits say may be longer
_SOON: Final = 3600.0  # seconds in which a fix that was proven and is needed again did not hold
_UNDONE: Final = frozenset({"rolled-back", "rollback-failed"})


def fix_of(plan: Plan) -> str:
    """What a plan does, as a hash: the same edits of the same files and the same commands have the same.

    A dispatch treats one room, for the reason that it is ordered for: another room, or another try, is another fix.
    """
    sent = plan.inputs if any(step.kind == "dispatch" for step in plan.steps) else {}
    told = (
        plan.runbook, plan.target, plan.remedy, plan.agent, sent,
        [(step.name, [(f.file, f.before, f.after) for f in step.files], step.command) for step in plan.steps],
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def back(own: Policy, unasked: Iterable[Auto]) -> float:
    """How many seconds are looked back at: as many as the runbook's own limits, and those of what goes unasked, are about."""
    limits = [own.cooldown or 0.0, own.limit.within if own.limit is not None else 0.0]
    return max([BACK, *limits, *(one.limit.within for one in unasked)])


def stops(policy: Policy, runbook: str, fix: str, before: Sequence[Before], now: float) -> str:
    """Why it is not done now, "" when it may be; `before` is what acted on this target, the newest first."""
    own = [one for one in before if one.runbook == runbook]
    # A clock that was set back makes what was done lie ahead; it was done just now then.
    now = max([now, *(one.acted_at for one in own)])
    held_not = [one for one in own if one.fix == fix and now - one.acted_at < BACK and _did_not_hold(one, now)]
    if len(held_not) >= 2:
        runs = ", ".join(one.id for one in held_not[:2])
        return (
            f"STOPPED: the same fix was made twice in a day and did not hold (runs {runs}). Making it again would not help: "
            "the cause is another one, or something takes the fix back. Look for it by hand"
        )
    if policy.cooldown is not None and own and now - own[0].acted_at < policy.cooldown:
        left = policy.cooldown - (now - own[0].acted_at)
        return f"run {own[0].id} did this {now - own[0].acted_at:.0f} s ago; the runbook asks to wait {policy.cooldown:g} s, which are over in {left:.0f} s"
    limit = policy.limit
    if limit is not None and sum(now - one.acted_at < limit.within for one in own) >= limit.times:
        return f"it was done {limit.times} times in the last {limit.within:g} s, which is the runbook's limit"
    return ""


def _did_not_hold(one: Before, now: float) -> bool:
    """Whether it was taken back, or was proven and is needed again so soon."""
    return one.state in _UNDONE or (one.state == "fixed" and now - one.acted_at < _SOON)
