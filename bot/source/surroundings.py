"""What stands around a source file: the environment it will see and the SDK that will run it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.livekit.setup import Package, Place, SdkVersion

_RELEASE = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable as one file sets it; `value` is None when the file takes it from elsewhere."""

    name: str
    value: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The settings of one `.env` file; `folder` is where it lies, `rank` is higher for the one that wins."""

    folder: str
    rank: int
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """The settings of a container; `folder` is what its image is built from, None when it is not built."""

    name: str
    folder: str | None
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable is for one file; `value` None with `known` False: nothing sets it here."""

    value: str | None
    known: bool
    place: Place | None = None
    note: str = ""


UNSET = Variable(None, known=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All env files, services and versions of a project."""

    env_files: tuple[EnvFile, ...] = ()
    services: tuple[Service, ...] = ()
    versions: tuple[SdkVersion, ...] = ()

    def variable(self, source: str, name: str) -> Variable:
        """What a file sees under a name: its container's setting before that of the nearest `.env`."""
        container = _agreed(self._containers(source, name), name)
        if container is not None and container.value is None:
            return container
        local = self._nearest(source, name)
        if container is None:
            return UNSET if local is None else Variable(local.value, known=True, place=local.place)
        if local is not None and local.value is not None and local.value != container.value:
            note = (
                f"`{name}` is '{container.value}' in {_at(container.place)} and '{local.value}' in {_at(local.place)}"
            )
            return Variable(None, known=True, place=container.place, note=note)
        return container

    def _containers(self, source: str, name: str) -> list[Setting]:
        built = [service for service in self.services if service.folder is not None and within(source, service.folder)]
        deepest = max((len(PurePosixPath(service.folder or "").parts) for service in built), default=0)
        near = [service for service in built if len(PurePosixPath(service.folder or "").parts) == deepest]
        if not near:
            # An image that is only pulled may hold any of the project's programs.
            near = [service for service in self.services if service.folder is None]
        found: list[Setting] = []
        for service in near:
            own = [setting for setting in service.settings if setting.name == name]
            found.extend(own[-1:])
        return found

    def _nearest(self, source: str, name: str) -> Setting | None:
        best: tuple[int, int] | None = None
        found: Setting | None = None
        for file in self.env_files:
            if not within(source, file.folder):
                continue
            rank = (len(PurePosixPath(file.folder).parts), file.rank)
            if best is not None and rank < best:
                continue
            for setting in file.settings:
                if setting.name == name and setting.value is not None:
                    best, found = rank, setting
        return found

    def version(self, source: str, package: Package) -> SdkVersion | None:
        """The version of a package nearest above a file: what is installed before what is asked for."""
        near = [one for one in self.versions if one.package == package and within(source, _owner(one.place.source))]
        if not near:
            return None
        return max(near, key=lambda one: (one.installed, len(PurePosixPath(_owner(one.place.source)).parts)))


def _agreed(settings: list[Setting], name: str) -> Variable | None:
    if not settings:
        return None
    values = {setting.value for setting in settings}
    if len(values) == 1:
        only = settings[-1]
        note = "" if only.value is not None else f"`{name}` is set from outside in {_at(only.place)}"
        return Variable(only.value, known=True, place=only.place, note=note)
    listed = ", ".join(f"'{setting.value}' in {_at(setting.place)}" for setting in settings)
    return Variable(None, known=True, place=settings[0].place, note=f"`{name}` is {listed}")


def _at(place: Place | None) -> str:
    return f"{PurePosixPath(place.source).name}:{place.line}" if place is not None else "the environment"


def _owner(source: str) -> str:
    """The folder for which a package file speaks: that of the project, not of the installed package."""
    parts = PurePosixPath(source).parts
    if "node_modules" in parts:
        return str(PurePosixPath(*parts[: len(parts) - 1 - parts[::-1].index("node_modules")]))
    if "site-packages" in parts:
        # `.venv/lib/python3.11/site-packages`, on Windows `.venv/Lib/site-packages`.
        at = parts.index("site-packages")
        return str(PurePosixPath(*parts[: at - (3 if parts[at - 1].startswith("python") else 2)]))
    return str(PurePosixPath(source).parent)


def within(source: str, folder: str) -> bool:
    """Whether a file lies in a folder or below it."""
    parts, above = PurePosixPath(source).parts, PurePosixPath(folder).parts
    return parts[: len(above)] == above


def normal(path: PurePosixPath) -> str:
    """A path without `.` and `..`, as far as they can be taken away."""
    kept: list[str] = []
    for part in path.parts:
        if part == "..":
            if kept and kept[-1] not in {"..", "/"}:
                kept.pop()
                continue
            if kept == ["/"]:
                continue
        if part != ".":
            kept.append(part)
    return str(PurePosixPath(*kept)) if kept else "."


@dataclass(frozen=True, slots=True)
class Bounds:
    """The versions that may be at work: from `low` up to but not including `high`."""

    low: tuple[int, ...] | None = None
    high: tuple[int, ...] | None = None

    def since(self, *version: int) -> bool | None:
        """Whether all (True), none (False) or some (None) of them are at least this version."""
        if self.low is not None and self.low >= version:
            return True
        if self.high is not None and self.high <= version:
            return False
        return None


def bounds(version: SdkVersion | None) -> Bounds:
    """The versions that an entry of a package file or a lock stands for."""
    if version is None:
        return Bounds()
    text = version.version.strip()
    if version.installed:
        exact = _release(text)
        return Bounds(exact, (*exact, 0)) if exact else Bounds()
    low: tuple[int, ...] | None = None
    high: tuple[int, ...] | None = None
    for part in re.split(r"[,\s]+(?=[<>=~^!\d])", text.partition("||")[0].strip()):
        release = _release(part)
        if not release:
            continue
        operator = part.strip()[: 2 if part.strip()[1:2] in {"=", ">"} else 1]
        if operator in {"==", "="} or operator.isdigit():
            wild = "*" in part or ".x" in part
            low, high = release, (_next(release, len(release)) if wild or len(release) < 3 else (*release, 0))
        elif operator == "^":
            low, high = release, _next(release, 1 if release[0] else min(2, len(release)))
        elif operator == "~=":
            low, high = release, _next(release, max(1, len(release) - 1))
        elif operator == "~":
            low, high = release, _next(release, min(2, len(release)))
        elif operator.startswith(">"):
            low = release
        elif operator.startswith("<"):
            high = (*release, 0) if operator == "<=" else release
    return Bounds(low, high)


def _release(text: str) -> tuple[int, ...]:
    match = _RELEASE.search(text)
    return tuple(int(part[:9]) for part in match.group().split(".")[:4]) if match else ()


def _next(release: tuple[int, ...], parts: int) -> tuple[int, ...]:
    head = release[:parts]
    return (*head[:-1], head[-1] + 1)
