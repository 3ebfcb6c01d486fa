"""Scripts that only ask: a check's, and a verification's. They are run after the approval, never for a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.plan.values import Checked, Command
from bot.runbook import document as doc
from bot.steps.scripts import run, script_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.runbook.document import Input
    from bot.steps.contract import Doing


def ask(
    block: doc.Check | doc.Verify, inputs: Mapping[str, str], declared: Iterable[Input], folder: str, doing: Doing
) -> Checked:
    """What the script of a check says: 0 is matched, 1 is not, and all else is inconclusive.

    Raises FletcherError when it cannot be started, TypeError for a check that is none of a script.
    """
    if not isinstance(block.evidence, doc.Shell):
        raise TypeError(block.name)
    known = tuple(declared)
    shown = script_command(block.evidence.language, block.text, folder, inputs, known)
    real = {one.variable: inputs.get(one.name, "") for one in known if one.variable in shown.environment}
    command = Command(argv=shown.argv, cwd=shown.cwd, environment=real)
    secrets = frozenset(inputs.get(one.name, "") for one in known if one.secret) - {""}
    ran = run(command, secrets, block.name, doing, block.timeout)
    code = ran.ended.code if ran.ended is not None else None
    if code == 0:
        return Checked(block.name, "matched", "its script ended with 0")
    if code == 1:
        return Checked(block.name, "not-matched", f"its script ended with 1{': ' + ran.last if ran.last else ''}")
    return Checked(block.name, "inconclusive", f"its script {ran.told(block.timeout)}")
