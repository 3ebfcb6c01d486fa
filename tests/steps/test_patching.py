"""Patches, as steps: what is remembered, written, recognised and taken back, on real files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Unreachable
from bot.plan.sides import told
from bot.plan.values import FileEdit
from bot.runbook import document as doc
from bot.runbook.compile import compile_runbook
from bot.steps import patching
from bot.steps.patching import Patching, computed, digest
from tests.fletcher import fletcher
from tests.steps.doing import bench, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.steps.contract import Memory, Task
    from tests.steps.doing import Bench

DEMO = Path(__file__).parents[2] / "bot" / "demo"
LIVEKIT = b"port: 7880 # as ever\nagents:\n  target_load: 0.4\n"
HIGHER = doc.Merge((doc.Assignment(("agents", "target_load"), 0.9),))
PATCHED = b"port: 7880 # as ever\nagents:\n  target_load: 0.9\n"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    """A bench with a configuration of a server."""
    with bench(tmp_path) as bench_:
        (bench_.project / "livekit.yaml").write_bytes(LIVEKIT)
        yield bench_


def edit_of(raw: bytes, file: str, body: doc.Body, at: Bench, inputs: dict[str, str] | None = None) -> FileEdit:
    """An edit as it is planned."""
    block = doc.Patch(name="p", line=1, change=doc.FileChange(file=file, body=body))
    return told(file, raw, computed(task(block, at, inputs), file, raw))


def patch(at: Bench, *files: str, body: doc.Body = HIGHER) -> Task:
    """The task of a patch to these files, as they are now."""
    block = doc.Patch(name="p", line=1, change=doc.FileChange(file=files[0], body=body))
    edits = tuple(edit_of((at.project / file).read_bytes(), file, body, at) for file in files)
    return task(block, at, kind="patch", files=edits)


@dataclass
class Done:
    """A patch that was remembered."""

    task: Task
    memory: Memory


def remembered(at: Bench, *files: str) -> Done:
    """The first half."""
    planned = patch(at, *(files or ("livekit.yaml",)))
    return Done(planned, Patching().remember(planned, at.doing))


def test_a_file_becomes_what_was_planned_and_what_it_was(at: Bench) -> None:
    """Bytes, mode and owner; what it held is kept where nobody else may read it."""
    file = at.project / "livekit.yaml"
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 54321)
    seen, kind, p = file.stat(), Patching(), remembered(at)
    ((path, before, after, image),) = p.memory.files
    assert (path, before, after) == (str(file), digest(LIVEKIT), digest(PATCHED))
    assert (Path(image).parent, Path(image).stat().st_mode & 0o777) == (at.scratch, 0o600)
    assert file.read_bytes() == Path(image).read_bytes() == LIVEKIT
    assert kind.settled(p.task, p.memory, at.doing) is False

    assert kind.perform(p.task, p.memory, at.doing).state == "done"
    assert file.read_bytes() == PATCHED
    assert kind.settled(p.task, p.memory, at.doing) is True
    again = kind.perform(p.task, p.memory, at.doing)
    assert (again.state, again.says) == ("done", f"{file} had been patched already")

    undone = kind.undo(p.task, p.memory, at.doing)
    assert undone is not None
    assert (undone.state, undone.says) == ("done", f"{file} as before")
    assert file.read_bytes() == LIVEKIT
    now = file.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (seen.st_mode, seen.st_uid, seen.st_gid)
    assert kind.undo(p.task, p.memory, at.doing) is None
    assert sorted(path.name for path in at.project.iterdir()) == ["livekit.yaml"]


def test_what_was_changed_since_is_not_written(at: Bench) -> None:
    """Neither remembered nor done; the sentence names the file."""
    file, kind = at.project / "livekit.yaml", Patching()
    planned = patch(at, "livekit.yaml")
    p = remembered(at)
    file.write_bytes(LIVEKIT + b"# by hand\n")
    with pytest.raises(Unreachable, match="has changed since this was planned, so nothing was written"):
        kind.remember(planned, at.doing)
    outcome = kind.perform(p.task, p.memory, at.doing)
    assert (outcome.state, outcome.facts) == ("failed", {"untouched": "yes"})
    assert str(file) in outcome.says
    assert kind.settled(p.task, p.memory, at.doing) is None
    assert file.read_bytes() == LIVEKIT + b"# by hand\n"


def test_what_was_changed_after_it_is_not_taken_back(at: Bench) -> None:
    """What it held before is told where it is."""
    file, kind, p = at.project / "livekit.yaml", Patching(), remembered(at)
    kind.perform(p.task, p.memory, at.doing)
    file.write_bytes(PATCHED + b"# by hand\n")
    undone = kind.undo(p.task, p.memory, at.doing)
    assert undone is not None
    assert undone.state == "failed"
    assert p.memory.files[0][3] in undone.says
    assert file.read_bytes() == PATCHED + b"# by hand\n"


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [
        (Path.unlink, "is not there any more"),
        (lambda file: (file.unlink(), file.mkdir()), "is a folder"),
        (lambda file: (file.unlink(), file.symlink_to("nowhere")), "is not there any more"),
        (_fifo, "is no ordinary file"),
    ],
)
def test_a_file_that_is_replaced_by_something_else_is_an_error(at: Bench, meanwhile: object, says: str) -> None:
    """And nothing is written, or taken back."""
    assert callable(meanwhile)
    file, kind, p = at.project / "livekit.yaml", Patching(), remembered(at)
    meanwhile(file)
    outcome = kind.perform(p.task, p.memory, at.doing)
    assert outcome.state == "failed"
    assert says in outcome.says
    assert kind.settled(p.task, p.memory, at.doing) is None
    undone = kind.undo(p.task, p.memory, at.doing)
    assert undone is not None
    assert undone.state == "failed"


def test_several_files_are_written_together(at: Bench) -> None:
    """After a crash between two of them the rest is written; all are taken back."""
    other = at.project / "other.yaml"
    other.write_bytes(LIVEKIT)
    kind, p = Patching(), remembered(at, "livekit.yaml", "other.yaml")
    other.write_bytes(PATCHED)
    assert kind.settled(p.task, p.memory, at.doing) is False
    assert kind.perform(p.task, p.memory, at.doing).state == "done"
    assert (at.project / "livekit.yaml").read_bytes() == other.read_bytes() == PATCHED
    undone = kind.undo(p.task, p.memory, at.doing)
    assert undone is not None
    assert undone.state == "done"
    assert (at.project / "livekit.yaml").read_bytes() == other.read_bytes() == LIVEKIT


def test_an_image_that_was_damaged_is_not_put_back(at: Bench) -> None:
    """What is known to be wrong is not written over what works."""
    kind, p = Patching(), remembered(at)
    kind.perform(p.task, p.memory, at.doing)
    Path(p.memory.files[0][3]).write_bytes(b"")
    undone = kind.undo(p.task, p.memory, at.doing)
    assert undone is not None
    assert undone.state == "failed"
    assert (at.project / "livekit.yaml").read_bytes() == PATCHED


def test_a_full_disk_leaves_everything_as_it_was(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is remembered, and where it is written."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    p = remembered(at)
    with monkeypatch.context() as patch_:
        patch_.setattr("os.fsync", full)
        with pytest.raises(Unreachable, match="no space left on device"):
            Patching().remember(p.task, at.doing)
        outcome = Patching().perform(p.task, p.memory, at.doing)
    assert outcome.state == "failed"
    assert "the disk is full" in outcome.says
    assert (at.project / "livekit.yaml").read_bytes() == LIVEKIT
    assert [path.name for path in at.project.iterdir()] == ["livekit.yaml"]


def test_what_would_become_something_else_is_not_written(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The approved hash decides, whatever the edit is now."""
    p = remembered(at)
    monkeypatch.setattr(patching, "computed", lambda task, file, raw: computed(task, file, raw + b"#\n"))
    outcome = Patching().perform(p.task, p.memory, at.doing)
    assert outcome.state == "failed"
    assert "would not become what was approved" in outcome.says
    assert (at.project / "livekit.yaml").read_bytes() == LIVEKIT


@pytest.mark.parametrize("remedy", ["auto-dispatch", "explicit-dispatch"])
@pytest.mark.parametrize("relative", [False, True])
def test_the_sources_of_a_real_plan_are_patched_as_planned(
    at: Bench, monkeypatch: pytest.MonkeyPatch, remedy: str, *, relative: bool
) -> None:
    """Worker and token of the demo, computed again from the folder that the look read, however it was given."""
    shutil.copytree(DEMO / "project", at.project, dirs_exist_ok=True)
    monkeypatch.chdir(at.project.parent)
    root = "project" if relative else str(at.project)
    logs = [str(DEMO / name) for name in ("livekit.log", "agent.log")]
    reply = fletcher(
        "plan", "agent-never-joins", *logs, "--project", root, "--token", DEMO / "token.json", "--room", "fletcher-dev",
        "--input", f"remedy={remedy}", "--json",
    )  # fmt: skip
    steps = [step for step in json.loads(reply.out)["steps"] if step["kind"] == "patch"]
    assert steps
    runbook = compile_runbook("r.md", (Path(__file__).parents[2] / "runbooks" / "agent-never-joins.md").read_bytes())
    inputs = {"remedy": reply.json["remedy"], "agent_name": reply.json["agent"], "room": "fletcher-dev"}
    kind, before = Patching(), {p: p.read_bytes() for p in at.project.rglob("*") if p.is_file()}
    done = []
    for told_step in steps:
        block = runbook.block(told_step["name"])
        assert block is not None
        files = msgspec.convert(told_step["files"], tuple[FileEdit, ...])
        planned = task(block, at, inputs, kind="patch", files=files)
        planned = msgspec.structs.replace(planned, roots=(root,))
        memory = kind.remember(planned, at.doing)
        assert kind.perform(planned, memory, at.doing).state == "done"
        done.append((planned, memory))
    changed = {p for p in before if p.read_bytes() != before[p]}
    assert len(changed) == len(steps)
    for planned, memory in reversed(done):
        kind.undo(planned, memory, at.doing)
    assert {p: p.read_bytes() for p in before} == before


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["perform", "undo", "crash", "edit"]), max_size=8))
def test_whatever_happens_the_file_is_old_new_or_somebodys(events: list[str]) -> None:
    """Never a mixture; and what somebody has written stays."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as at:
        file, kind = at.project / "livekit.yaml", Patching()
        file.write_bytes(LIVEKIT)
        p = remembered(at)
        foreign = b"somebody's: 1\n"
        edited = False
        for event in events:
            if event == "edit":
                file.write_bytes(foreign)
                edited = True
            elif event == "perform":
                kind.perform(p.task, p.memory, at.doing)
            elif event == "undo":
                kind.undo(p.task, p.memory, at.doing)
            elif kind.settled(p.task, p.memory, at.doing) is False:
                kind.perform(p.task, p.memory, at.doing)
            assert file.read_bytes() in ({foreign} if edited else {LIVEKIT, PATCHED})
