"""A project behind a real Docker engine of the tests, on a clock of its own: what happens is scheduled, nobody waits."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.engine.prover import Prover
from bot.engine.values import Looked, Order, Person, Run, StepRow
from bot.plan.values import Plan, Step
from bot.redact import Redactor
from bot.runbook.compile import compile_runbook
from bot.settings import Target
from bot.steps.contract import Doing, Outcome
from bot.world.real import RealWorld
from tests.doubles.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bot.engine.values import Proof
    from tests.doubles.engine import Box

SECOND = 1_000_000_000
BEGAN = 1_790_000_000 * SECOND + 7  # when the step was begun, to the nanosecond
HEAD = """---
runbook: 1
id: mends
title: Mends it
inputs:
  word: {type: string, default: hello}
  pin: {type: string, secret: true}
---

# Mends it

```sh { step name=mend }
true
```

"""


class Staged(RealWorld):
    """This machine and an engine, with time that passes only when somebody waits."""

    def __init__(self, target: Target, here: Path) -> None:
        super().__init__(target, here, {"PATH": "/usr/bin:/bin"})
        self.clock, self.due = BEGAN + SECOND, list[tuple[int, "Callable[[], object]"]]()

    def now(self) -> int:
        """The stage's time."""
        return self.clock

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.clock += int(seconds * SECOND)
        for at, do in [one for one in self.due if one[0] <= self.clock]:
            self.due.remove((at, do))
            do()


@dataclass
class Stage:
    """A project `demo` with the service `turn`, in whose log there is a line from before the step."""

    folder: Path
    engine: Engine
    turn: Box
    world: Staged
    told: list[str] = field(default_factory=list)

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Let something happen so many seconds after the step was begun."""
        self.world.due.append((BEGAN + int(seconds * SECOND), do))

    def logs(self, seconds: float, line: str) -> None:
        """A line of the service's so many seconds after the step was begun; a negative number is before it."""
        at = BEGAN + int(seconds * SECOND)
        if at <= self.world.clock:
            self.turn.log(line, at)
        else:
            self.after(seconds, lambda: self.turn.log(line, at))

    def prove(self, body: str, attributes: str = "timeout=30s", inputs: Mapping[str, str] | None = None) -> Proof:
        """What a verify block after the step comes to."""
        language = "sh" if body.startswith("#!") else "yaml"
        text = f"{HEAD}```{language} {{ verify name=works after=mend {attributes} }}\n{body}\n```\n"
        runbook = compile_runbook("mends.md", text.encode())
        step = Step(name="works", kind="verify", line=1, heading="", does="", effect="read", timeout=30)
        known = {one.name: one.default or "" for one in runbook.inputs}
        plan = Plan(
            runbook="mends",
            title="",
            revision="",
            target="demo",
            verification=(step,),
            inputs={**known, **(inputs or {})},
        )
        done = Outcome(state="done", says="", began_ns=BEGAN, ended_ns=BEGAN)
        run = Run(
            order=Order(id="run12345", runbook="mends", person=Person("ada", "terminal"), at=0, inputs=dict(inputs or {})),
            state="running", changed_at=0, runbook=runbook, looked=Looked(plan=plan, verdict="cause", folder=str(self.folder)),
            steps=(StepRow(name="mend", state="done", outcome=done),),
        )  # fmt: skip
        scratch = self.folder / "run"
        scratch.mkdir(exist_ok=True)
        doing = Doing(self.world, scratch, Redactor.of(frozenset()), self.told.append, threading.Event())
        return Prover().prove(run, doing)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Such a stage, its project in `folder`."""
    with Engine() as engine:
        turn = engine.add(
            "turn", working_dir=str(folder), created="2026-09-01T00:00:00Z", started="2026-09-01T00:00:00Z"
        )
        turn.log("TURN/TLS listener started", BEGAN - 1)
        with Staged(Target(docker_host=engine.host, compose_project="demo"), folder) as world:
            yield Stage(folder, engine, turn, world)
