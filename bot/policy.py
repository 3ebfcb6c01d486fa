"""Who must say yes: from the effect of a plan, the runbook's own wish, and the door. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.runbook.document import APPROVALS, ASKED

if TYPE_CHECKING:
    from bot.runbook.document import Approval, Effect

_BY_EFFECT = {
    "read": "nothing is changed",
    "change": "files or containers are changed",
    "disrupt": "live sessions may be cut off",
    "destroy": "data may be lost",
}
# The OS user could do all this by hand, so that his confirmation of the shown plan is as good as a peer's.
_TERMINAL = "in the terminal your confirmation of the shown plan suffices"


def approval(effect: Effect, asked: Approval | None, blocks: tuple[Approval, ...]) -> tuple[Approval, str]:
    """The approval that a plan needs, and why.

    `asked` is the runbook's policy, `blocks` what its single steps ask for; the strictest wins.
    """
    need, why = ASKED[effect], _BY_EFFECT[effect]
    if asked is not None and APPROVALS.index(asked) > APPROVALS.index(need):
        need, why = asked, "the runbook's policy asks for it"
    strictest = max(blocks, key=APPROVALS.index, default=need)
    if APPROVALS.index(strictest) > APPROVALS.index(need):
        need, why = strictest, "a step asks for it"
    if need == "peer" and effect == "disrupt":
        why = f"{why}; {_TERMINAL}"
    return need, why
