"""With what steps are done in tests: this machine's own processes and files, in a folder of the test's."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.plan.tools import SHELLS
from bot.plan.values import Command, Step
from bot.redact import Redactor
from bot.runbook import document as doc
from bot.settings import Target
from bot.steps.contract import Doing, Task
from bot.world.real import RealWorld

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bot.world.contract import World


@dataclass
class Bench:
    """A project's folder, the run's own, and all that was told."""

    project: Path
    scratch: Path
    world: World
    told: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    secrets: frozenset[str] = frozenset()

    @property
    def doing(self) -> Doing:
        """As the engine makes it."""
        return Doing(self.world, self.scratch, Redactor.of(self.secrets), self.told.append, self.stop)

    def stored(self, output: str) -> bytes:
        """What was kept of a step's output; nobody else may read it."""
        path = self.scratch / output.rpartition("/")[2]
        assert str(path) == output
        assert path.stat().st_mode & 0o777 == 0o600
        return path.read_bytes()


@contextmanager
def bench(folder: Path, target: Target | None = None, environment: Mapping[str, str] | None = None) -> Iterator[Bench]:
    """A bench in this folder; without a target there is no engine."""
    project, scratch = folder / "project", folder / "run"
    project.mkdir(exist_ok=True)
    scratch.mkdir(mode=0o700, exist_ok=True)
    with RealWorld(target or Target(docker_host=f"unix://{folder}/none.sock"), project, environment) as world:
        yield Bench(project, scratch, world)


def task(block: doc.AnyBlock, bench: Bench, inputs: Mapping[str, str] | None = None, **more: object) -> Task:
    """The task of a block, its step with these fields."""
    fields = {
        "name": block.name, "kind": "", "line": 1, "heading": "", "does": "", "effect": block.effect, "timeout": block.timeout, **more
    }  # fmt: skip
    step = Step(**fields)  # type: ignore[arg-type]  # a test says which
    return Task(run="r1", step=step, block=block, inputs=dict(inputs or {}), folder=str(bench.project))


def script(
    bench: Bench, text: str, inputs: Mapping[str, str] | None = None, *, language: doc.Language = "sh",
    timeout: float = 20, hidden: frozenset[str] = frozenset(), unless: tuple[doc.Reference, ...] = (),
    effect: doc.Effect = "change",
) -> Task:  # fmt: skip
    """The task of a script, planned as a plan does; `hidden` inputs are secret."""
    inputs = inputs or {}
    block = doc.ShellStep(
        name="run", line=1, text=text, language=language, timeout=timeout, unless=unless, effect=effect
    )
    shown = {
        f"IN_{name.upper()}": "[redacted]" if name in hidden else value
        for name, value in inputs.items()
        if f"IN_{name.upper()}" in text
    }
    command = Command(argv=(*SHELLS[language], text), cwd=str(bench.project), environment=shown)
    return task(block, bench, inputs, kind="shell", command=command)
