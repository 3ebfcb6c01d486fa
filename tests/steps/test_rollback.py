"""Rollback blocks, which are steps of what they do; and which kind carries out what."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from bot.errors import Unreachable
from bot.plan.tools import SHELLS
from bot.plan.values import Command, FileEdit
from bot.runbook import document as doc
from bot.steps.compose import Compose, services_of
from bot.steps.dispatch import Dispatch
from bot.steps.kinds import kind_of
from bot.steps.patching import Patching
from bot.steps.shell import Shell
from bot.steps.token import TokenStep
from tests.steps.doing import bench, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.steps.contract import Outcome, Task
    from tests.steps.doing import Bench

ENV = doc.FileChange(file="$file", body=doc.SetVariables((doc.Assignment(("A",), "2"),)))
BUILD = doc.Composed(action="build", services=("voice-agent",))


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
    kind = kind_of(planned.block)
    return kind.perform(planned, kind.remember(planned, at.doing), at.doing)


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (doc.ShellStep(name="a", line=1, language="sh"), Shell),
        (doc.Patch(name="a", line=1, change=ENV), Patching),
        (doc.Compose(name="a", line=1, command=BUILD), Compose),
        (doc.Dispatch(name="a", line=1, room="r", agent="a"), Dispatch),
        (doc.TokenStep(name="a", line=1, language="sh"), TokenStep),
        (rollback(doc.Shell("sh")), Shell),
        (rollback(BUILD), Compose),
        (rollback(ENV), Patching),
    ],
)
def test_every_step_has_its_kind(block: doc.AnyBlock, kind: type) -> None:
    """A rollback the one of what it does."""
    assert isinstance(kind_of(block), kind)


def test_what_only_asks_is_no_step() -> None:
    """A check, a verification."""
    with pytest.raises(Unreachable, match="only asks"):
        kind_of(doc.Check(name="c", line=1, evidence=doc.Shell("sh")))


def test_a_script_takes_back(at: Bench) -> None:
    """With its inputs, the secret ones hidden."""
    text = 'echo "$IN_PIN"'
    command = Command(argv=(*SHELLS["sh"], text), cwd=str(at.project), environment={"IN_PIN": "[redacted]"})
    planned = task(rollback(doc.Shell("sh"), text), at, {"pin": "hunter2-hunter2"}, kind="rollback", command=command)
    assert perform(planned, at).state == "done"
    assert at.told == ["[redacted]"]


def test_services_are_those_of_the_command(at: Bench) -> None:
    """As this deployment calls them."""
    command = Command(argv=("docker", "compose", "restart", "agent-2"), cwd="/srv")
    assert services_of(task(rollback(BUILD), at, kind="rollback", command=command)) == ("agent-2",)


def edit(before: bytes = b"", after: bytes = b"") -> FileEdit:
    """The edit of `.env` that was planned."""
    return FileEdit(
        file=".env", outcome="edit" if after else "unchanged", reason="", before=sha256(before).hexdigest(),
        after=sha256(after).hexdigest() if after else "",
    )  # fmt: skip


def test_what_was_approved_is_what_is_written(at: Bench) -> None:
    """Where the file is what it was when it was planned, it becomes what was shown, or nothing."""
    file = at.project / ".env"
    file.write_text("A=1\n")
    planned = task(rollback(ENV), at, kind="rollback", files=(edit(b"A=1\n", b"A=3\n"),))
    with pytest.raises(Unreachable, match="would not become what was approved"):
        perform(planned, at)
    assert file.read_text() == "A=1\n"
    planned = task(rollback(ENV), at, kind="rollback", files=(edit(b"A=1\n", b"A=2\n"),))
    assert (perform(planned, at).state, file.read_text()) == ("done", "A=2\n")


def test_a_patch_is_made_of_the_file_as_it_is_by_then(at: Bench) -> None:
    """What a script has made of it cannot be planned; it is refused where it cannot be made."""
    file, planned = at.project / ".env", task(rollback(ENV), at, kind="rollback", files=(edit(),))
    file.write_text("A=1\n")
    for says in ("patched", "what was to be patched had been patched already"):
        outcome = perform(planned, at)
        assert outcome.state == "done"
        assert outcome.says.startswith(says)
        assert file.read_text() == "A=2\n"
    gone = doc.FileChange(file=".env", body=doc.Diff((doc.Hunk(1, ("B=1",), ("B=2",)),)))
    with pytest.raises(Unreachable, match="cannot be patched by back"):
        perform(task(rollback(gone), at, kind="rollback", files=(edit(),)), at)
    file.unlink()
    with pytest.raises(Unreachable, match="is not there any more"):
        perform(planned, at)
