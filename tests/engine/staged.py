"""A small real other side: a service that is built from a file on disk, steps that leave a trace, on a clock of its own.

Everything is files, so that it outlives a killed process: `app.env` is the source, `running` what the service was last built
from, and `trace` has a line for each thing that was really done.
"""

# ruff: noqa: ARG001, ARG002  # each has the form that the engine asks for
from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.engine.contract import Parts, Sight
from bot.engine.front import Front
from bot.engine.values import Decision, Event, Looked, Order, Person, Point, Proof, Run
from bot.errors import Unreachable
from bot.plan.free import free_edit
from bot.plan.values import Asked, Checked, Command, FileEdit, Guard, Plan, Skipped, Step, sealed
from bot.policy import approval
from bot.redact import Redactor
from bot.runbook import document as doc
from bot.steps.contract import Memory, Outcome
from tests import postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.policy import Policy
    from bot.steps.contract import Doing, Kind, Task

#: Of what only a file does.
only_a_file = pytest.mark.skipif(bool(os.environ.get(postgres.SERVER)), reason="runs are kept in PostgreSQL")
ME = Person("ada", "terminal")
PEER = Person("grace", "slack", "ops")

MEND = """\
---
runbook: 1
id: mend
title: Mend the service
inputs:
  value: {type: string, default: good}
  password: {type: string, secret: true}
---

# Mend

```yaml { check name=bad-value }
livekit: {cause: [worker-unnamed]}
fix: [set-value]
```

```dotenv { patch name=set-value file=app.env }
VALUE=$value
```

```dotenv { patch name=set-other file=other.env }
OTHER=$value
```

```sh { step name=note effect=change rollback=unnote }
echo note
```

```sh { compose name=rebuild }
docker compose up -d --build app
```

```sh { verify name=works after=rebuild }
true
```

```sh { rollback name=unnote for=note }
echo unnote
```
"""


class World:
    """The outside: a clock that goes on by a second at each look. What the tests do not need is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ticks = 1_000_000_000_000_000_000

    def now(self) -> int:
        """The engine's time."""
        self._ticks += 1_000_000_000
        return self._ticks

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._ticks += int(seconds * 1e9)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever is asked for is not there
        raise AssertionError(f"the tests' world has no {name}")


def trace(folder: Path, what: str) -> None:
    """Leave a trace of something that was really done."""
    with (folder / "trace").open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


def traces(folder: Path) -> list[str]:
    """Everything that was really done."""
    path = folder / "trace"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _outcome(doing: Doing, says: str, state: str = "done") -> Outcome:
    now = doing.world.now()
    return Outcome(state=state, says=says, began_ns=now, ended_ns=now)  # type: ignore[arg-type]  # one of its words


class Patching:
    """Writes a file; finished work is known by its hash."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        files = []
        for edit in task.step.files:
            path = Path(task.folder, edit.file)
            if _digest(path) != edit.before:
                raise Unreachable(f"{path} has changed since this was planned")
            image = doing.scratch / f"{task.step.name}.before"
            image.write_bytes(path.read_bytes())
            files.append((str(path), edit.before, edit.after, str(image)))
        return Memory(began_ns=doing.world.now(), files=tuple(files))

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        assert isinstance(task.block, doc.Patch)
        for name, before, after, _ in memory.files:
            path = Path(name)
            if _digest(path) == after:
                continue
            assert _digest(path) == before
            path.write_bytes(free_edit(path.read_bytes(), name, task.block.change.body, task.inputs).data)
            trace(Path(task.folder), task.step.name)
        return _outcome(doing, "patched")

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        return all(_digest(Path(name)) == after for name, _, after, _ in memory.files)

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:
        for name, _, after, image in memory.files:
            if _digest(Path(name)) == after:
                Path(name).write_bytes(Path(image).read_bytes())
                trace(Path(task.folder), f"undo:{task.step.name}")
        return _outcome(doing, "as before")


class Building:
    """Builds the service from its file; whether that was done is seen in what runs."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        return Memory(began_ns=doing.world.now())

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        folder = Path(task.folder)
        if self.settled(task, memory, doing):
            return _outcome(doing, "runs already")
        if b"BROKEN" in (folder / "app.env").read_bytes():
            return _outcome(doing, "the build failed", "failed")
        doing.tell("building")
        (folder / "running").write_bytes((folder / "app.env").read_bytes())
        trace(folder, "build")
        return _outcome(doing, "built")

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        folder = Path(task.folder)
        return (folder / "running").read_bytes() == (folder / "app.env").read_bytes()

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:
        return self.perform(task, memory, doing)


class Scripting:
    """Runs a script, of which only its author knows what it does; `hang` and `fail` in the folder make it misbehave."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        return Memory(began_ns=doing.world.now())

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        folder = Path(task.folder)
        if (folder / f"lost-{task.step.name}").exists():
            return _outcome(doing, "the engine went away", "unknown")
        trace(folder, task.step.name)
        if (folder / f"bug-{task.step.name}").exists():
            raise ZeroDivisionError
        doing.tell(f"{task.step.name} says something")
        if (folder / f"hang-{task.step.name}").exists() and doing.stop.wait(20):
            return _outcome(doing, "was stopped", "failed")
        if (folder / f"fail-{task.step.name}").exists():
            return _outcome(doing, "exit code 1", "failed")
        return _outcome(doing, "ended with 0")

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:
        return False if task.block.unless or task.block.effect == "read" else None

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:
        return None


def kind(block: doc.AnyBlock) -> Kind:
    """What carries out a block."""
    return Patching() if isinstance(block, doc.Patch) else Building() if isinstance(block, doc.Compose) else Scripting()


def ask(
    check: doc.Check | doc.Verify, inputs: Mapping[str, str], declared: Iterable[doc.Input], folder: str, doing: Doing
) -> Checked:
    """A check asks whether its text is a line of the trace."""
    there = check.text.strip() in traces(Path(folder))
    return Checked(check.name, "matched" if there else "not-matched", "as the trace says")


class Proving:
    """The service works when it was built with the good value, and runs as before when it was built with the bad one."""

    def prove(self, run: Run, doing: Doing) -> Proof:
        folder = Path(run.looked.folder) if run.looked else Path()
        trace(folder, "prove")
        if (folder / "cannot-tell").exists():
            return Proof(result="cannot-tell", says="nobody answers")
        good = b"VALUE=good" in (folder / "running").read_bytes()
        return Proof(
            result="holds" if good else "refuted", points=(Point("value", good, "the value it runs with"),), says="seen"
        )

    def prove_undone(self, run: Run, doing: Doing) -> Proof:
        folder = Path(run.looked.folder) if run.looked else Path()
        trace(folder, "prove-undone")
        back = b"VALUE=bad" in (folder / "running").read_bytes()
        return Proof(result="holds" if back else "refuted", says="seen")


@dataclass
class Eyes:
    """Plans from the files as they are; `effect` and `guard` are what the tests want them to be."""

    folder: Path

    def look(self, order: Order, runbook: doc.Runbook, inputs: dict[str, str]) -> Sight:
        """Every step that would change something, while the service was built with another value than the good one."""
        text = (
            {p.name: p.read_text() for p in (self.folder / "look").iterdir()} if (self.folder / "look").exists() else {}
        )
        if "down" in text:
            raise Unreachable("the engine does not answer")
        known = {one.name: inputs.get(one.name) or one.default or "" for one in runbook.inputs}
        shown = {name: "[redacted]" if name == "password" and value else value for name, value in known.items()}
        steps, skipped, waiting = [], [], []
        for block in runbook.blocks:
            if isinstance(block, doc.Check) and isinstance(block.evidence, doc.Shell):
                waiting.append(Checked(block.name, "waiting", "a script"))
            elif isinstance(block, doc.Patch):
                raw = (self.folder / block.change.file).read_bytes()
                edited = free_edit(raw, block.change.file, block.change.body, known)
                if edited.outcome != "edit":
                    skipped.append(Skipped(block.name, "nothing to do"))
                    continue
                edit = FileEdit(
                    file=block.change.file, outcome="edit", reason="sets it", before=sha256(raw).hexdigest(), after=sha256(edited.data).hexdigest()
                )  # fmt: skip
                steps.append(_step(block, files=(edit,)))
            elif isinstance(block, doc.Compose | doc.ShellStep | doc.TokenStep):
                steps.append(
                    _step(
                        block, command=Command(argv=("sh", "-c", block.text)), effect=text.get("effect", block.effect)
                    )
                )
        good = b"VALUE=good" in (self.folder / "running").read_bytes()
        effect: doc.Effect = max((step.effect for step in steps), key=doc.EFFECTS.index, default="read")
        need, why = approval(effect, runbook.policy.approval, tuple(b.approval for b in runbook.blocks))
        planned = {step.name for step in steps}
        undo = tuple(
            _step(b, command=Command(argv=("sh", "-c", b.text)))
            for b in runbook.blocks
            if isinstance(b, doc.Rollback) and b.undoes in planned
        )
        verification = tuple(_step(b) for b in runbook.blocks if isinstance(b, doc.Verify))
        guards = (Guard("warning", text["warning"]),) if "warning" in text else ()
        healthy = good and not order.anyway
        plan = Plan(
            runbook=runbook.id, title=runbook.title, revision=runbook.sha256, target=str(self.folder), cause="" if good else "worker-unnamed",
            refused="it is healthy" if healthy else "", inputs=shown, checks=tuple(waiting), steps=() if healthy else tuple(steps),
            skipped=tuple(skipped), verification=verification, undo=undo, effect=effect, approval=Asked(need, why), guards=guards,
        )  # fmt: skip
        looked = Looked(plan=sealed(plan), verdict="healthy" if good else "cause", folder=str(self.folder))
        return Sight(looked, {name: value for name, value in known.items() if value != shown[name]})

    def redactor(self, order: Order, looked: Looked) -> Redactor:
        return Redactor()


def _step(block: doc.AnyBlock, **more: Any) -> Step:  # noqa: ANN401  # fields of a step
    given = {"effect": block.effect, **more}
    return Step(
        name=block.name, kind=type(block).__name__.lower(), line=block.line, heading="", does=f"does {block.name}", timeout=1, retries=block.retries, **given
    )  # fmt: skip


@dataclass
class Door:
    """A door that answers what it is told to, and keeps what it hears."""

    kind: str = "yes"
    person: Person = ME
    word: str = ""
    reason: str = ""
    heard: list[Event] = field(default_factory=list)
    asked: list[Run] = field(default_factory=list)

    def ask(self, run: Run) -> Decision | None:
        self.asked.append(run)
        if self.kind == "leave":
            return None
        word = self.word or (run.asked.word if run.asked else "")
        return Decision(kind=self.kind, person=self.person, digest=run.digest, at=0, word=word, reason=self.reason)  # type: ignore[arg-type]  # one of its words

    def tell(self, event: Event) -> None:
        self.heard.append(event)

    def hand(self, folder: Path, token: str) -> str:
        raise AssertionError("nothing of this place makes a token")


@dataclass
class Place:
    """A folder with the service in it, its FLETCHER_HOME, and a front to both."""

    folder: Path
    policy: Policy | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("app.env", "VALUE=bad\n"),
            ("other.env", "OTHER=bad\n"),
            ("running", "VALUE=bad\n"),
            ("mend.md", MEND),
        ):
            if not (self.folder / name).exists():
                self.put(name, text)

    def put(self, name: str, text: str = "") -> None:
        """Write a file of the service's folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def text(self, name: str) -> str:
        """A file of the service's folder."""
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def parts(self) -> Parts:
        """Everything outside the engine."""
        return Parts(
            eyes=Eyes(self.folder), make_world=lambda _: World(self.folder), kind=kind, ask=ask, prover=Proving(), policy=self.policy,
        )  # fmt: skip

    def front(self) -> Front:
        """A front to it, as a door has one."""
        return Front(self.folder / ".fletcher", self.policy, postgres.address(self.folder))

    def sql(self, statement: str) -> None:
        """Do something to the store behind its back."""
        if address := postgres.address(self.folder):
            postgres.rows(address, statement.replace(" workflow_status ", " dbos.workflow_status "))
            return
        with closing(sqlite3.connect(self.folder / ".fletcher" / "fletcher.db", isolation_level=None)) as store:
            store.execute(statement)

    def order(self, run: str = "", **more: Any) -> Order:  # noqa: ANN401  # fields of an order
        """An order of this folder's runbook."""
        self.count += 1
        given = {"runbook": "mend.md", "person": ME, **more}
        return Order(id=run or f"run-{self.count}-{os.getpid()}", at=float(self.count), here=str(self.folder), **given)

    def run(self, door: Door | None = None, **more: Any) -> Run:  # noqa: ANN401  # fields of an order
        """Order it, and carry it out here to its end."""
        with self.front() as front:
            return front.run_here(self.parts, self.order(**more), door or Door())

    @property
    def done(self) -> list[str]:
        """Everything that was really done to the service."""
        return traces(self.folder)
