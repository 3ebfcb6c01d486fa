"""Files that a person names one by one, with what stands around them: versions, environment, what they import.

A whole project is walked for a diagnosis; to patch one file that would take too long, and what decides lies above it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bot.evidence.project import Project, is_dotenv
from bot.evidence.project_files import Files, packages_in, packages_of
from bot.source import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LEVELS = 8  # folders above a file; deeper than any monorepo's
_ROOTS = ("package.json", "tsconfig.json")
_ASKED = {"package.json", "pyproject.toml"}


def open_files(paths: Sequence[str], instead: Mapping[str, bytes] | None = None) -> Project:
    """The files, by their absolute paths, as one project; each is read whatever it holds. They must exist.

    `instead` holds what files are to be taken for, in place of what is on the disk.
    """
    folders = list(dict.fromkeys(folder for path in paths for folder in _above(Path(path))))
    named = {os.path.realpath(path) for path in paths}
    around = [name for folder in folders for name in _settings(folder) if os.path.realpath(name) not in named]
    return Project(
        Files(
            top=str(folders[-1]), paths=[*around, *paths], known=_OnDisk(), asked=frozenset(paths), instead=dict(instead or {}),
            installed=[file for folder in folders for file in (*packages_in(folder / "node_modules"), *_environments(folder))],
            roots={str(folder) for folder in folders if any((folder / name).exists() for name in _ROOTS)},
        )
    )  # fmt: skip


class _OnDisk:
    """Every file there is, as far as an import may lead."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and "node_modules" not in path and Path(path).is_file()


def _above(path: Path) -> list[Path]:
    """The folders around a file, its own first, up to the top of its project."""
    nobodys = {Path.home(), Path(tempfile.gettempdir()), Path("/")}
    kept: list[Path] = []
    top = 1
    for folder in path.parents[:_LEVELS]:
        if folder in nobodys and kept:
            break
        kept.append(folder)
        if (folder / ".git").exists():
            return kept
        if any((folder / root).exists() for root in _ROOTS) or any(_settings(folder)):
            top = len(kept)
    return kept[:top]


def _environments(folder: Path) -> list[str]:
    return [found for name in (".venv", "venv") for found in packages_of(folder / name)]


def _settings(folder: Path) -> Iterator[str]:
    """The files of a folder that say how its programs run."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except OSError:
        return
    for name in names:
        lower = name.lower()
        docker = lower.startswith("dockerfile") or lower.endswith(".dockerfile")
        compose = "compose" in lower and lower.endswith((".yml", ".yaml"))
        wanted = name in _ASKED or (lower.startswith("requirements") and lower.endswith((".txt", ".in")))
        if docker or compose or wanted or name in versions.LOCKS or is_dotenv(name):
            yield str(folder / name)
