"""What steps, and the blocks that undo them, need to be carried out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.engine import private
from bot.runbook import document as doc
from bot.steps.contract import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.engine.values import Run, StepRow
    from bot.plan.values import Step


def task(run: Run, name: str, secrets: Mapping[str, str]) -> Task:
    """A step of the plan."""
    block = run.runbook.block(name)
    if block is None:
        raise AssertionError(f"the runbook has no block {name}")
    return _task(run, _step(run, name), block, secrets)


def undo_task(run: Run, name: str, secrets: Mapping[str, str]) -> Task | None:
    """The block that the author wrote to undo a step; None where he wrote none."""
    block = next((b for b in run.runbook.blocks if isinstance(b, doc.Rollback) and b.undoes == name), None)
    if block is None or run.plan is None:
        return None
    return _task(run, next(step for step in run.plan.undo if step.name == block.name), block, secrets)


def undo_order(run: Run) -> tuple[str, ...]:
    """The steps to be undone: first every patch, then all else, each the last one first.

    Strictly backwards would build containers from files that are still patched.
    """
    begun = [row for row in reversed(run.steps) if row.memory is not None and not _untouched(row)]
    patches = [row.name for row in begun if isinstance(run.runbook.block(row.name), doc.Patch)]
    return (*patches, *(row.name for row in begun if row.name not in patches))


UNTOUCHED: Final = "untouched"  # the fact of an outcome that nothing was changed


def _untouched(row: StepRow) -> bool:
    return row.outcome is not None and UNTOUCHED in row.outcome.facts


def inputs(run: Run, secrets: Mapping[str, str]) -> dict[str, str]:
    """Every input's value: as given, found out or the default, with those that are masked; without those that are lost."""
    shown = _shown_inputs(run)
    gone = private.lost(shown, secrets)
    return {**{name: value for name, value in shown.items() if name not in gone}, **secrets}


def lost(run: Run, secrets: Mapping[str, str]) -> tuple[str, ...]:
    """The inputs of which only a mask is left."""
    return private.lost(_shown_inputs(run), secrets)


def _shown_inputs(run: Run) -> dict[str, str]:
    return {**(run.plan.inputs if run.plan else {}), **run.order.inputs}


def builds(run: Run, name: str) -> bool:
    """Whether a step builds services and replaces their containers."""
    block = run.runbook.block(name)
    return isinstance(block, doc.Compose) and block.command.action == "build"


def services(run: Run, name: str) -> tuple[str, ...]:
    """The services that a step starts anew, as they are called here; none for any other step."""
    block, step = run.runbook.block(name), _step(run, name)
    if not isinstance(block, doc.Compose) or step.command is None:
        return ()
    return step.command.argv[-len(block.command.services) :]


def stays(run: Run) -> tuple[str, ...]:
    """What was begun and cannot be taken back: scripts whose author wrote no rollback, an agent that was sent for."""
    undone = {block.undoes for block in run.runbook.blocks if isinstance(block, doc.Rollback)}
    blocks = {name: run.runbook.block(name) for name in undo_order(run)}
    return tuple(
        name for name, block in blocks.items()
        if name not in undone and (isinstance(block, doc.Dispatch) or (isinstance(block, doc.ShellStep) and block.effect != "read"))
    )  # fmt: skip


def pending(run: Run, name: str) -> Iterator[tuple[doc.Check, bool]]:
    """The checks that a step still hangs on, since they are scripts; and whether each must match."""
    block = run.runbook.block(name)
    waiting = {check.name for check in run.plan.checks if check.result == "waiting"} if run.plan else set()
    for references, wanted in ((block.when, True), (block.unless, False)) if block is not None else ():
        for reference in references:
            check = run.runbook.block(reference.name)
            if reference.name in waiting and isinstance(check, doc.Check):
                yield check, wanted != reference.negated


def _step(run: Run, name: str) -> Step:
    steps = run.plan.steps if run.plan else ()
    return next(step for step in steps if step.name == name)


def _task(run: Run, step: Step, block: doc.AnyBlock, secrets: Mapping[str, str]) -> Task:
    looked = run.looked
    return Task(
        run=run.id, step=step, block=block, inputs=inputs(run, secrets), folder=looked.folder if looked else "",
        roots=looked.roots if looked else (),
    )  # fmt: skip
