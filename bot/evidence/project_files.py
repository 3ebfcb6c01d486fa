"""The files of a project that may matter, found without following links in circles."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bot.livekit.setup import Unread
from bot.source.surroundings import within

if TYPE_CHECKING:
    from collections.abc import Container

MAX_ENTRIES = 60_000
MAX_DEPTH = 40
_NEVER = {
    "node_modules",
    ".git",
    ".hg",
    ".svn",
    ".next",
    ".nuxt",
    ".output",
    ".svelte-kit",
    ".turbo",
    ".cache",
    ".parcel-cache",
    ".yarn",
    ".pnpm-store",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    ".idea",
    ".vscode",
    ".vercel",
    ".serverless",
    "__pycache__",
    "__pypackages__",
    "coverage",
    "site-packages",
    "Pods",
}
_ENVIRONMENTS = {".venv", "venv", "env", ".env"}
_BUILT = {"dist", "build", "out", "lib-dist", ".build"}
_TESTS = {"__tests__", "__mocks__", "tests", "test", "e2e", "__fixtures__"}
_SOURCES = {".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".py"}
_PACKAGES = ("@livekit/agents", "livekit-server-sdk")


@dataclass
class Files:
    """The files of a project: `paths` to read, `second` to read when those say nothing.

    `asked` are files that a person named: they are read whatever they hold. `known` are those that an import may lead to.
    `instead` is what some are taken to hold, whatever is on the disk.
    """

    top: str
    single: bool = False
    paths: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)
    installed: list[str] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)
    known: Container[str] = field(default_factory=set)
    asked: frozenset[str] = frozenset()
    instead: dict[str, bytes] = field(default_factory=dict)

    def read(self, path: str, limit: int) -> bytes | str:
        """A file's content, or a phrase that says why there is none."""
        if path in self.instead:
            return self.instead[path] or "is empty"
        return read_bytes(Path(path), limit)


def read_bytes(path: Path, limit: int) -> bytes | str:
    """A file's content, or a phrase that says why there is none."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return "is a folder"
        if not stat.S_ISREG(status.st_mode):
            return "is no ordinary file"
        if status.st_size > limit:
            return f"is larger than {limit // 1000} kB"
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except PermissionError:
        return "may not be read (no permission)"
    except OSError as error:
        return f"cannot be read ({(error.strerror or 'unreadable').lower()})"
    if not raw:
        return "is empty"
    return raw if len(raw) <= limit else f"is larger than {limit // 1000} kB"


def walk(path: Path) -> Files:
    """All files of a folder that may matter, in the order of their names; a file alone is itself."""
    if not path.is_dir():
        return Files(str(path.parent), single=True, paths=[str(path)], known={str(path)})
    return _Walk(path).walk()


class _Walk:
    """One walk through a folder."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.files = Files(str(PurePosixPath(top)))
        self.real = os.path.realpath(top)
        self.seen: set[tuple[int, int]] = set()
        self.entries = 0
        self.built: list[tuple[str, list[str]]] = []
        self.tests: list[str] = []

    def walk(self) -> Files:
        links: list[tuple[Path, int]] = []
        self._folder(self.top, 0, links, self.files.paths)
        # Links come last, so that a folder that is also reached directly keeps its own name.
        while links:
            link, depth = links.pop(0)
            self._linked(link, depth, links)
        own = list(self.files.paths)
        for folder, inner in self.built:
            parent = str(PurePosixPath(folder).parent)
            # What is compiled counts only where its source is not at hand.
            if not any(_is_own_source(one) and within(one, parent) for one in own):
                self.files.paths.extend(inner)
        self.files.second.extend(self.tests)
        self.files.known = set(self.files.paths)
        return self.files

    def _linked(self, folder: Path, depth: int, links: list[tuple[Path, int]]) -> None:
        real = os.path.realpath(folder)
        if self.real == real or self.real.startswith(real.rstrip(os.sep) + os.sep):
            self.files.unread.append(Unread(str(folder), 0, "is a link that leads back to a folder it lies in"))
        elif not real.startswith(self.real.rstrip(os.sep) + os.sep):
            self.files.unread.append(Unread(str(folder), 0, "is a link that leads out of the project"))
        else:
            self._folder(folder, depth, links, self.files.paths)

    def _folder(self, top: Path, depth: int, links: list[tuple[Path, int]], into: list[str]) -> None:
        stack = [(top, depth)]
        while stack:
            folder, level = stack.pop()
            inner: list[tuple[Path, int]] = []
            for entry in self._entries(folder):
                if self.entries > MAX_ENTRIES:
                    self.files.unread.append(Unread(str(folder), 0, "has too many files; the rest was not read"))
                    return
                below = self._entry(folder, entry, level, links, into)
                if below is not None:
                    inner.append((below, level + 1))
            stack.extend(reversed(inner))

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            status = folder.stat()
            mark = (status.st_dev, status.st_ino)
            if mark in self.seen:
                return []
            self.seen.add(mark)
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            why = "may not be read (no permission)" if isinstance(error, PermissionError) else "cannot be read"
            self.files.unread.append(Unread(str(folder), 0, why))
            return []
        self.entries += len(entries)
        return entries

    def _entry(
        self, folder: Path, entry: os.DirEntry[str], level: int, links: list[tuple[Path, int]], into: list[str]
    ) -> Path | None:
        path, name = folder / entry.name, entry.name
        try:
            is_link, is_folder, is_file = entry.is_symlink(), entry.is_dir(), entry.is_file()
        except OSError:
            self.files.unread.append(Unread(str(path), 0, "is a link that leads nowhere"))
            return None
        if is_folder:
            if is_link:
                if name not in _NEVER | _ENVIRONMENTS:
                    links.append((path, level + 1))
                elif name == "node_modules":
                    self.files.installed.extend(packages_in(path))
                return None
            return self._below(path, name, level)
        if is_link and not is_file:
            if _worth(name):
                self.files.unread.append(Unread(str(path), 0, "is a link that leads nowhere"))
            return None
        if not is_file or not _worth(name):
            return None
        if name in {"package.json", "tsconfig.json"}:
            self.files.roots.add(str(folder))
        into.append(str(path))
        return None

    def _below(self, path: Path, name: str, level: int) -> Path | None:
        if name == "node_modules":
            self.files.installed.extend(packages_in(path))
        if name in _NEVER or level >= MAX_DEPTH:
            return None
        if name in _ENVIRONMENTS and (path / "pyvenv.cfg").exists():
            self.files.installed.extend(packages_of(path))
            return None
        if name in _BUILT or name in _TESTS:
            held: list[str] = []
            self._folder(path, level + 1, [], held)
            if name in _BUILT:
                self.built.append((str(path), held))
            else:
                self.tests.extend(held)
            return None
        return path


def packages_in(path: Path) -> list[str]:
    """The LiveKit packages that a `node_modules` holds: their package.json."""
    return [str(file) for package in _PACKAGES if (file := path / package / "package.json").exists()]


def packages_of(path: Path) -> list[str]:
    """The LiveKit packages that a Python environment holds: their folders of metadata."""
    patterns = ("lib/python*/site-packages", "Lib/site-packages")
    return [str(found) for pattern in patterns for found in sorted(path.glob(f"{pattern}/livekit_*.dist-info"))]


def _worth(name: str) -> bool:
    """Whether a file of this name may be read at all."""
    lower = name.lower()
    suffix = PurePosixPath(lower).suffix
    if lower.endswith((".d.ts", ".d.mts", ".d.cts", ".min.js", ".map")):
        return False
    stem = lower[: -len(suffix)] if suffix else lower
    if suffix in _SOURCES and (stem.endswith((".test", ".spec", ".stories", "_test")) or stem.startswith("test_")):
        return False
    if lower == "conftest.py":
        return False
    if suffix in _SOURCES | {".pyw", ".json", ".yaml", ".yml", ".sh", ".bash", ".zsh", ".lock", ".toml", ".env"}:
        return True
    if lower.startswith((".env", "dockerfile", "requirements")) or lower.endswith(".dockerfile"):
        return True
    return lower in {"makefile", "justfile"}


def _is_own_source(path: str) -> bool:
    name = PurePosixPath(path).name
    return PurePosixPath(path).suffix.lower() in _SOURCES and ".config." not in name and not name.startswith(".")
