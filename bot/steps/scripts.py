"""Run a command of a runbook: inputs as environment, never pasted into anything; its output kept, and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.plan.tools import SHELLS
from bot.plan.values import Command
from bot.redact import MASK, masked
from bot.runbook import document as doc
from bot.steps.contract import Outcome
from bot.steps.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.runbook.document import Input, Language
    from bot.steps.contract import Doing, Task
    from bot.world.contract import Ended


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command; `ended` is None when it was started and nobody knows how it ended, as `why` says then."""

    ended: Ended | None
    why: str
    began_ns: int
    ended_ns: int
    output: str
    last: str
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether it ended by itself, with 0."""
        return self.ended is not None and self.ended.code == 0

    def told(self, timeout: float) -> str:
        """How it ended, as a clause that goes on after "it"."""
        if self.ended is None:
            return f"was started, and {self.why}"
        if self.ended.why == "timeout":
            return f"was ended after {timeout:g} s, with everything that it had started"
        if self.ended.why:
            return "was ended because the run was stopped, with everything that it had started"
        code = self.ended.code or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{how}: {self.last}" if self.last and code else how

    def outcome(self, name: str, timeout: float) -> Outcome:
        """As what came of a step."""
        says = f"{name} {self.told(timeout)}" + (f" ({self.trouble})" if self.trouble else "")
        state = "unknown" if self.ended is None else "done" if self.good else "failed"
        return Outcome(state=state, says=says, began_ns=self.began_ns, ended_ns=self.ended_ns, output=self.output)  # type: ignore[arg-type]  # one of three words


def command_of(task: Task) -> tuple[Command, frozenset[str]]:
    """The command of a step with the inputs' real values, and those of them that are secret.

    A plan has every variable by name, and shows its value without what is secret: one that it hides is a secret.
    """
    planned = task.step.command
    if planned is None:
        raise Unreachable(f"the step {task.step.name} was planned without a command; plan again")
    real = {f"IN_{name.upper()}": value for name, value in task.inputs.items()}
    if gone := [name for name, value in planned.environment.items() if masked(value) and name not in real]:
        raise Unreachable(f"{task.step.name} cannot be run: {', '.join(gone)} is a secret that is not kept any more")
    known = {name: real[name] for name in planned.environment if name in real}
    hidden = frozenset(value for name, value in known.items() if value and planned.environment[name] != value)
    return Command(argv=_argv(task, planned), cwd=planned.cwd, environment={**planned.environment, **known}), hidden


def _argv(task: Task, planned: Command) -> tuple[str, ...]:
    """The script as the runbook has it: what a plan shows of it is without what looks like a secret."""
    block = task.block.action if isinstance(task.block, doc.Rollback) else task.block
    if isinstance(block, doc.ShellStep | doc.TokenStep | doc.Shell):
        return (*SHELLS[block.language], task.block.text)
    return planned.argv


def script_command(
    language: Language, text: str, folder: str, inputs: Mapping[str, str], declared: Iterable[Input]
) -> Command:
    """The command of a script that no plan has, such as a check's: as a plan would show it."""
    environment = {
        one.variable: MASK if one.secret and inputs.get(one.name) else inputs.get(one.name, "")
        for one in declared
        if one.variable in text
    }
    return Command(argv=(*SHELLS[language], text), cwd=folder, environment=environment)


def run(command: Command, secrets: frozenset[str], name: str, doing: Doing, seconds: float) -> Ran:
    """Run it, its output in a file of the run's folder. Raises FletcherError when it cannot be started."""
    with Output(doing, name, doing.redactor.with_secrets(secrets)) as output:
        ran = into(output, command, doing, seconds)
    return Ran(ran.ended, ran.why, ran.began_ns, ran.ended_ns, output.path, output.last, output.trouble)


def into(output: Output, command: Command, doing: Doing, seconds: float) -> Ran:
    """Run it, its output behind what is there already."""
    began, why, ended = doing.world.now(), "", None
    try:
        ended = doing.world.run(command, seconds=seconds, tell=output.feed, stop=doing.stop)
    except Unreachable as problem:
        if problem.kind != "lost":
            raise
        why = str(problem)
    return Ran(ended, why, began, doing.world.now(), output.path, output.last, output.trouble)
