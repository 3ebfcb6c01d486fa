"""The folders of runbooks: those that come with Fletcher, and those that are added to them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bot
from bot.errors import Problem, UsageError, WrongDocument
from bot.redact import redact
from bot.runbook.compile import LIMIT, compile_runbook, decoded
from bot.runbook.glance import Glance, glance
from bot.runbook.troubles import named, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot.runbook.document import Runbook

FIXTURES: Final = "fixtures"  # the folder beside runbooks with a folder of cases for each
_MOST: Final = 20_000  # files of one folder; a shelf has some hundreds


@dataclass(frozen=True, slots=True)
class Entry:
    """One Markdown file on the shelf; `fixtures` is where its cases are, where there are any."""

    path: Path
    glance: Glance
    fixtures: Path | None = None

    @property
    def name(self) -> str:
        """How it is asked for: a runbook by its id, documentation by its path."""
        return self.glance.id or str(self.path)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All files of all folders, in their order."""

    entries: tuple[Entry, ...]

    @property
    def runbooks(self) -> tuple[Entry, ...]:
        """The runbooks alone, without the documentation."""
        return tuple(entry for entry in self.entries if entry.glance.runbook)

    def doubles(self) -> Iterator[Problem]:
        """Every id that a second file has."""
        first: dict[str, Entry] = {}
        for entry in self.runbooks:
            known = first.setdefault(entry.glance.id, entry) if entry.glance.id else entry
            if known is not entry:
                yield Problem(str(entry.path), 1, f"the id {named(entry.glance.id)} is taken by {known.path}", 1)

    def find(self, asked: str) -> Entry:
        """The file of this id or path. Raises UsageError when there is none, or more than one of that id."""
        found = [entry for entry in self.runbooks if entry.glance.id == asked]
        if len(found) > 1:
            places = " and ".join(str(entry.path) for entry in found)
            raise UsageError(f"the id {named(asked)} is that of {places}: give one of them another, or name its file")
        if found:
            return found[0]
        if asked.endswith(".md") or "/" in asked:
            return entry_of(Path(asked))
        known = [entry.glance.id for entry in self.runbooks if entry.glance.id]
        raise UsageError(
            f"no runbook {named(redact(asked))}{nearest(asked, known)}; `fletcher runbooks list` has them all"
        )


def shipped() -> Path:
    """The folder of the runbooks that come with Fletcher, in a checkout as in an installed package."""
    package = Path(bot.__file__).parent
    inside = package / "_data" / "runbooks"
    return inside if inside.is_dir() else package.parent / "runbooks"


def shelf(added: Sequence[Path] = ()) -> Shelf:
    """Look through the shipped folder and these. Raises UsageError for one that is none or cannot be read."""
    seen: set[str] = set()
    entries: list[Entry] = []
    for folder in (shipped(), *added):
        if folder in added and not folder.is_dir():
            raise UsageError(f"no such folder: {folder}; --runbooks names a folder with Markdown files")
        for path in _markdown(folder):
            if (real := os.path.realpath(path)) not in seen:
                seen.add(real)
                entries.append(entry_of(path))
    return Shelf(tuple(entries))


def entry_of(path: Path) -> Entry:
    """One file at a glance. Raises UsageError when it cannot be read; what is no text is documentation with a trouble."""
    try:
        said = glance(decoded(str(path), raw_of(path)))
    except WrongDocument as wrong:
        said = Glance(runbook=False, trouble=wrong.problems[0].sentence)
    fixtures = path.parent / FIXTURES / said.id
    return Entry(path, said, fixtures if said.id and fixtures.is_dir() else None)


def read(path: Path) -> Runbook:
    """The runbook in a file. Raises UsageError when it cannot be read, and WrongDocument with all its problems."""
    return compile_runbook(str(path), raw_of(path))


def raw_of(path: Path) -> bytes:
    """The bytes of a file, as far as a runbook may be long. Raises UsageError."""
    try:
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except (OSError, ValueError) as problem:  # a name with a NUL is a ValueError
        why = problem.strerror if isinstance(problem, OSError) else "its name is none"
        raise UsageError(f"cannot read {path}: {why}") from None


def _markdown(folder: Path) -> Iterator[Path]:
    def refuse(problem: OSError) -> None:
        raise UsageError(f"cannot read {problem.filename}: {problem.strerror}")

    count = 0
    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if name != FIXTURES and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".md") and not name.startswith("."):
                count += 1
                if count > _MOST:
                    raise UsageError(f"{folder} has more than {_MOST} Markdown files; is it the right folder?")
                yield Path(here, name)
