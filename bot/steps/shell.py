"""`sh`, `bash` and `python` blocks: a script of the runbook, handed to its interpreter as an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.steps.contract import Memory
from bot.steps.scripts import command_of, run

if TYPE_CHECKING:
    from bot.steps.contract import Doing, Outcome, Task


class Shell:
    """A script. Nobody but its author knows what it does, so only its own `unless` can tell whether it has been done."""

    def remember(self, task: Task, doing: Doing) -> Memory:  # noqa: ARG002  # every kind's form
        return Memory(began_ns=doing.world.now())

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:  # noqa: ARG002  # every kind's form
        command, secrets = command_of(task)
        return run(command, secrets, task.step.name, doing, task.step.timeout).outcome(
            task.step.name, task.step.timeout
        )

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:  # noqa: ARG002  # every kind's form
        """One that only reads, or whose `unless` is asked first, may begin anew; of any other nothing is known."""
        return False if task.block.unless or task.block.effect == "read" else None

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:  # noqa: ARG002  # every kind's form
        """Nothing: what undoes a script is another block, its rollback."""
        return None
