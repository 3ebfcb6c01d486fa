"""`patch` blocks: a file becomes what was planned, byte for byte, or stays what it is."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.errors import FletcherError, Unreachable
from bot.plan.free import free_edit
from bot.plan.sides import want
from bot.runbook import document as doc
from bot.source.edit import Edited
from bot.steps.contract import Memory, Outcome
from bot.steps.patch import Change, write, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.evidence.project import Project
    from bot.plan.values import FileEdit
    from bot.steps.contract import Doing, Task

_LARGEST: Final = 16 << 20  # bytes; what is larger was never planned


class Patching:
    """A change to files. What they must become is known by its hash, so that finished work is known too."""

    def remember(self, task: Task, doing: Doing) -> Memory:
        """The files as they are, in the run's folder. Raises FletcherError when one is not what was planned."""
        began, files = doing.world.now(), []
        for number, (path, raw, before, after) in enumerate(_planned(task), 1):
            if digest(raw) != before:
                raise Unreachable(f"{path} has changed since this was planned, so nothing was written; plan again.")
            image = doing.scratch / f"{task.step.name}.{number}.before"
            _put(image, raw)
            files.append((str(path), before, after, str(image)))
        return Memory(began_ns=began, files=tuple(files))

    def perform(self, task: Task, memory: Memory, doing: Doing) -> Outcome:
        """Compute the edits again, from the files, and write them all or none."""
        began = doing.world.now()

        def outcome(state: str, says: str, **facts: str) -> Outcome:
            return Outcome(state=state, says=says, began_ns=began, ended_ns=doing.world.now(), facts=facts)  # type: ignore[arg-type]  # one of its words

        try:
            changes = list(_changes(task, memory))
            if changes:
                write_all(changes)
        except FletcherError as problem:
            written = any(_state(Path(path), before, after) == "after" for path, before, after, _ in memory.files)
            return outcome("failed", str(problem), **({} if written else {"untouched": "yes"}))
        names = ", ".join(path for path, *_ in memory.files) or "what was to be patched"
        return outcome("done", f"patched {names}" if changes else f"{names} had been patched already")

    def settled(self, task: Task, memory: Memory, doing: Doing) -> bool | None:  # noqa: ARG002  # every kind's form
        """Done when every file has its new hash; safe to begin anew when each has its old or its new one."""
        states = [_state(Path(path), before, after) for path, before, after, _ in memory.files]
        if all(state == "after" for state in states):
            return True
        return False if set(states) <= {"before", "after"} else None

    def undo(self, task: Task, memory: Memory, doing: Doing) -> Outcome | None:  # noqa: ARG002  # every kind's form
        """Every file that still is what was written becomes what it was; mode and owner are the file's own all along."""
        began, done, left = doing.world.now(), [], []
        for path, before, after, image in reversed(memory.files):
            state, kept = _state(Path(path), before, after), f"what it held before is in {image}"
            if state == "after":
                try:
                    write(Path(path), after, _image(image, before))
                    done.append(path)
                except FletcherError as problem:
                    left.append(f"{str(problem).rstrip('.')} ({kept})")
            elif state != "before":
                left.append(f"{path} {state}, so it is left as it is ({kept})")
        if not done and not left:
            return None
        says = "; ".join([*([f"{', '.join(done)} as before"] if done else []), *left])
        return Outcome(state="failed" if left else "done", says=says, began_ns=began, ended_ns=doing.world.now())


def place(task: Task, edit: FileEdit) -> Path:
    """Where a file of the plan is: as the look gave it, or in the project's folder; the one that has what was planned."""
    given = Path(edit.file)
    if given.is_absolute():
        return given
    several = [given, Path(task.folder) / given] if _by_source(task) else [Path(task.folder) / given, given]
    there = [path for path in several if path.is_file()]
    planned = (path for path in there if _state(path, edit.before, edit.after) in {"before", "after"})
    return next(planned, there[0] if there else several[0]).absolute()


def computed(task: Task, file: str, raw: bytes) -> Edited:
    """What the patch of this task makes of a file, which is at this path.

    Raises FletcherError when the folder that it is in cannot be read any more.
    """
    body = _body(task)
    if not isinstance(body, doc.Worker | doc.Token):
        return free_edit(raw, file, body, task.inputs)
    wanted = os.path.abspath(file)  # noqa: PTH100  # links keep their own name, as the look has them
    for project in _projects(task):
        for path, seen in project.raws.items():
            if seen == raw and os.path.abspath(path) == wanted:  # noqa: PTH100
                return project.edit(path, want(body, task.inputs))
    return Edited("refused", raw, f"it is not among the files of {', '.join(task.roots or (task.folder,))}")


def digest(raw: bytes) -> str:
    """What a file is known by."""
    return sha256(raw).hexdigest()


def _body(task: Task) -> doc.Body:
    if isinstance(task.block, doc.Patch):
        return task.block.change.body
    if isinstance(task.block, doc.Rollback) and isinstance(task.block.action, doc.FileChange):
        return task.block.action.body
    raise Unreachable(f"{task.step.name} is no patch; plan again")


def _by_source(task: Task) -> bool:
    return isinstance(_body(task), doc.Worker | doc.Token)


def _projects(task: Task) -> Iterator[Project]:
    from bot.evidence.project import open_project  # with it come the grammars

    for root in task.roots or (task.folder,):
        yield open_project(Path(root))


def _edits(task: Task) -> dict[Path, FileEdit]:
    return {place(task, edit): edit for edit in task.step.files if edit.outcome == "edit"}


def _planned(task: Task) -> Iterator[tuple[Path, bytes, str, str]]:
    """Each file with its bytes, its planned hash and the one it will have.

    A rollback is made on what its step has left: only where that is what it was when it was planned is its result known.
    """
    if not isinstance(task.block, doc.Rollback):
        for path, edit in _edits(task).items():
            yield path, _bytes(path), edit.before, edit.after
        return
    for edit in task.step.files:
        path = place(task, edit)
        raw = _bytes(path)
        edited = computed(task, str(path), raw)
        if edited.outcome == "refused":
            raise Unreachable(f"{path} cannot be patched by {task.step.name}: {edited.reason}.")
        if edited.outcome == "edit":
            if digest(raw) == edit.before and digest(edited.data) != edit.after:
                raise Unreachable(f"{path} would not become what was approved, so {task.step.name} was not done.")
            yield path, raw, digest(raw), digest(edited.data)


def _changes(task: Task, memory: Memory) -> Iterator[Change]:
    """The files that are still to be written. Raises FletcherError for one that is neither old nor new."""
    for path, before, after, _ in memory.files:
        raw = _bytes(Path(path))
        if digest(raw) == after:
            continue
        if digest(raw) != before:
            raise Unreachable(f"{path} has changed since this was planned, so nothing was written; plan again.")
        edited = computed(task, path, raw)
        if edited.outcome != "edit":
            raise Unreachable(
                f"{path} cannot be patched as planned ({edited.reason}), so nothing was written; plan again."
            )
        if digest(edited.data) != after:
            raise Unreachable(
                f"{path} would not become what was approved: what stands around it has changed; plan again."
            )
        yield Change(Path(path), before, edited.data)


def _state(path: Path, before: str, after: str) -> str:
    """One of "before" and "after", or what it is else, as the end of a sentence."""
    try:
        found = digest(_bytes(path))
    except FletcherError:
        return "cannot be read any more"
    return {before: "before", after: "after"}.get(found, "has been changed by somebody since")


def _bytes(path: Path) -> bytes:
    from bot.evidence.project_files import read_bytes

    raw = read_bytes(path, _LARGEST)
    if raw == "is empty":
        return b""
    if isinstance(raw, str):
        there = raw if path.exists() else "is not there any more"
        raise Unreachable(f"{path} {there}, so nothing was written; plan again.")
    return raw


def _image(image: str, before: str) -> bytes:
    raw = _bytes(Path(image))
    if digest(raw) != before:
        raise Unreachable(f"{image} does not hold what was there before any more.")
    return raw


def _put(path: Path, raw: bytes) -> None:
    """Write a file that nobody else may read, down to the disk, whole or not at all."""
    beside = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        raise Unreachable(
            f"what is there now cannot be kept in {path.parent} ({(problem.strerror or 'unwritable').lower()}), so nothing was changed."
        ) from problem
