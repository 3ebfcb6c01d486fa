"""`rollback` blocks: what undoes a step, as a step of its own, made when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.plan.sides import told
from bot.plan.values import Command, Step
from bot.runbook import document as doc
from bot.runbook.inputs import fill
from bot.steps.contract import Task
from bot.steps.patching import computed, read
from bot.steps.scripts import script_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.runbook.document import Input
    from bot.steps.contract import Doing


def rollback_task(block: doc.Rollback, of: Task, declared: Iterable[Input], doing: Doing) -> Task:
    """The task of a rollback block of the step `of`, on the files as they are by now; remember and perform it as any other.

    `declared` are the runbook's inputs. Raises FletcherError where a patch of it cannot be made.
    """
    action = block.action
    match action:
        case doc.Shell(language):
            command = script_command(language, block.text, of.folder, of.inputs, declared)
            return _task(block, of, "shell", "runs a script", command=command)
        case doc.Composed():
            return _task(block, of, "compose", "runs docker compose again", command=_composed(action, of))
        case doc.FileChange():
            return _patched(block, action, of, doing)


def _task(block: doc.Rollback, of: Task, kind: str, does: str, command: Command | None = None) -> Task:
    step = Step(
        name=block.name, kind=kind, line=block.line, heading=block.heading, does=does, effect=block.effect, timeout=block.timeout,
        retries=block.retries, command=command,
    )  # fmt: skip
    return Task(run=of.run, step=step, block=block, inputs=of.inputs, folder=of.folder, roots=of.roots)


def _composed(action: doc.Composed, of: Task) -> Command:
    """With the settings of the step that it undoes, and its names for the services that a runbook calls otherwise."""
    was = of.step.command or Command(argv=(), cwd=of.folder)
    usual = of.block.command.services if isinstance(of.block, doc.Compose) else ()
    here = dict(zip(usual, was.argv[len(was.argv) - len(usual) :], strict=False))
    words = ("up", "-d", "--build") if action.action == "build" else ("restart",)
    services = (here.get(service, service) for service in action.services)
    return Command(argv=("docker", "compose", *words, *services), cwd=was.cwd, environment=was.environment)


def _patched(block: doc.Rollback, action: doc.FileChange, of: Task, doing: Doing) -> Task:
    file = fill(action.file, of.inputs)
    task = _task(block, of, "patch", f"patches {file}")
    path, raw = read(task, file)
    edited = computed(task, str(path), raw)
    if edited.outcome == "refused":
        raise Unreachable(f"{path} cannot be patched by {block.name}: {edited.reason}")
    step = task.step
    return Task(
        run=task.run, block=block, inputs=task.inputs, folder=task.folder, roots=task.roots,
        step=Step(
            name=step.name, kind="patch", line=step.line, heading=step.heading, does=step.does, effect=step.effect, timeout=step.timeout,
            files=(told(str(path), raw, edited, doing.redactor.text),),
        ),
    )  # fmt: skip
