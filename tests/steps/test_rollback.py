"""Rollback blocks as steps, and which kind does what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bot.errors import Unreachable
from bot.plan.values import Command
from bot.runbook import document as doc
from bot.steps.kinds import kind_of
from bot.steps.rollback import rollback_task
from tests.steps.doing import bench, script, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.steps.contract import Outcome, Task
    from tests.steps.doing import Bench


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    """A bench."""
    with bench(tmp_path) as bench_:
        yield bench_


def rollback(action: doc.Shell | doc.Composed | doc.FileChange, text: str = "") -> doc.Rollback:
    """Such a block."""
    return doc.Rollback(name="back", line=9, text=text, undoes="run", action=action, timeout=20)


def perform(planned: Task, at: Bench) -> Outcome:
    """By the kind that does it."""
    kind = kind_of(planned.step)
    return kind.perform(planned, kind.remember(planned, at.doing), at.doing)


def test_a_script_gets_the_inputs_that_it_names(at: Bench) -> None:
    """The secret ones too, hidden wherever they are told."""
    inputs = {"pin": "hunter2-hunter2", "room": "lobby", "other": "x"}
    declared = tuple(doc.Input(name=name, line=1, secret=name == "pin") for name in inputs)
    block = rollback(doc.Shell("sh"), 'echo "$IN_PIN $IN_ROOM ${IN_OTHERS-none}"')
    planned = rollback_task(block, script(at, "true", inputs), declared, at.doing)
    assert perform(planned, at).state == "done"
    assert at.told == ["[redacted] lobby none"]
    assert "hunter2" not in msgspec.json.encode(planned.step).decode()


def test_services_are_those_of_this_deployment(at: Bench) -> None:
    """With compose's settings of the step that is undone."""
    block = doc.Compose(name="run", line=1, command=doc.Composed(action="build", services=("voice-agent", "web")))
    command = Command(
        argv=("docker", "compose", "up", "-d", "--build", "agent-2", "web"), cwd="/srv", environment={"COMPOSE_FILE": "a.yml"}
    )  # fmt: skip
    of = task(block, at, kind="compose", command=command)
    planned = rollback_task(rollback(doc.Composed(action="restart", services=("voice-agent", "db"))), of, (), at.doing)
    assert planned.step.kind == "compose"
    assert planned.step.command == Command(
        argv=("docker", "compose", "restart", "agent-2", "db"), cwd="/srv", environment={"COMPOSE_FILE": "a.yml"}
    )


def test_a_patch_is_made_of_the_file_as_it_is_by_then(at: Bench) -> None:
    """And refused where it cannot be made."""
    (at.project / ".env").write_text("A=1\n")
    action = doc.FileChange(file="$file", body=doc.SetVariables((doc.Assignment(("A",), "2"),)))
    of = script(at, "true", {"file": ".env"})
    for says in ("patched", "what was to be patched had been patched already"):
        outcome = perform(rollback_task(rollback(action), of, (), at.doing), at)
        assert outcome.state == "done"
        assert outcome.says.startswith(says)
        assert (at.project / ".env").read_text() == "A=2\n"
    (at.project / ".env").unlink()
    with pytest.raises(Unreachable, match="is not there any more"):
        rollback_task(rollback(action), of, (), at.doing)
    (at.project / ".env").write_text("A='\n")
    gone = doc.FileChange(file=".env", body=doc.Diff((doc.Hunk(1, ("B=1",), ("B=2",)),)))
    with pytest.raises(Unreachable, match="cannot be patched by back"):
        rollback_task(rollback(gone), of, (), at.doing)


def test_a_kind_that_is_not_known_is_an_error(at: Bench) -> None:
    """Such as one of a newer Fletcher."""
    planned = script(at, "true")
    with pytest.raises(Unreachable, match="planned by a newer one"):
        kind_of(msgspec.structs.replace(planned.step, kind="teleport"))
