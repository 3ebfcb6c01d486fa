"""Which kind of step carries out a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.runbook import document as doc
from bot.steps.compose import Compose
from bot.steps.dispatch import Dispatch
from bot.steps.patching import Patching
from bot.steps.shell import Shell
from bot.steps.token import TokenStep

if TYPE_CHECKING:
    from bot.runbook.document import AnyBlock
    from bot.steps.contract import Kind


def kind_of(block: AnyBlock) -> Kind:
    """The kind that carries out a block: a rollback is a step of what it does, on the files as they are by then.

    Raises Unreachable for a block that only asks (see `check.ask`).
    """
    match block.action if isinstance(block, doc.Rollback) else block:
        case doc.ShellStep() | doc.Shell():
            return Shell()
        case doc.Patch() | doc.FileChange():
            return Patching()
        case doc.Compose() | doc.Composed():
            return Compose()
        case doc.Dispatch():
            return Dispatch()
        case doc.TokenStep():
            return TokenStep()
    raise Unreachable(f"the block {block.name} only asks, and is no step that could be done")
