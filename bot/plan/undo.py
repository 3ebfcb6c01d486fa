"""What undoes a step beside the patches, as it would be done: its command, or what becomes of its file.

By then every patch is taken back, so a file is what it is now, unless a script of the run has changed it. What such a block
does to the file as it is now is shown and approved; where the file is another one by then, the same block is done to that.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bot.plan.free import free_edit
from bot.plan.sides import told, want
from bot.plan.tools import SHELLS, patched_file
from bot.plan.values import Command, FileEdit, Step
from bot.runbook import document as doc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bot.plan.steps import Maker


def undoing(maker: Maker, included: Collection[str]) -> Iterator[Step]:
    """The rollback blocks of the steps that are planned, the last one first."""
    for block in reversed(maker.runbook.blocks):
        if isinstance(block, doc.Rollback) and block.undoes in included:
            yield _step(maker, block)


def _step(maker: Maker, block: doc.Rollback) -> Step:
    command: Command | None = None
    files: tuple[FileEdit, ...] = ()
    match block.action:
        case doc.Composed() as composed:
            command = maker.composed(composed)
            does = f"`{shlex.join(command.argv)}`"
        case doc.Shell(language=language):
            command = Command(
                argv=(*SHELLS[language], block.text),
                cwd=maker.facts.folder,
                environment=maker.environment(block.text),
            )
            does = f"`{block.text.strip()}`"
        case doc.FileChange() as change:
            files = (_edit(maker, change),)
            does = _patches(files[0], block.undoes)
    return Step(
        name=block.name, kind="rollback", line=block.line, heading=block.heading, does=f"undoes {block.undoes}: {does}", effect=block.effect,
        timeout=block.timeout, files=files, command=command,
    )  # fmt: skip


def _patches(edit: FileEdit, undoes: str) -> str:
    match edit.outcome:
        case "edit":
            return f"patches {edit.file} ({edit.reason})"
        case "unchanged":
            return f"patches {edit.file}, which it would leave as it is now ({edit.reason}); it is made on what {undoes} leaves"
    return f"patches {edit.file}, which cannot be done as it is now ({edit.reason}); it is made on what {undoes} leaves"


def _edit(maker: Maker, change: doc.FileChange) -> FileEdit:
    """What becomes of the file as it is now."""
    path = patched_file(maker.runbook, change, maker.inputs, maker.look.seen)
    if isinstance(change.body, doc.Worker | doc.Token):
        for project in maker.look.projects:
            for at, source in project.raws.items():
                if at == path or at.endswith(f"/{path.removeprefix('./')}"):
                    return told(maker.near(at), source, project.edit(at, want(change.body, maker.inputs)))
    raw = maker.facts.files.get(path, "is not at hand")
    if isinstance(raw, str):
        return FileEdit(file=maker.near(path), outcome="refused", reason=f"it {raw}")
    return told(maker.near(path), raw, free_edit(raw, path, change.body, maker.inputs))
