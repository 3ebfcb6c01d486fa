"""FLETCHER_HOME: the folder of the store and of the runs' outputs, and the one executor that may act from it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from bot.engine.values import Holder
from bot.errors import Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

NAME: Final = ".fletcher"
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Home:
    """The folder, made where it is missing: 0700, its files 0600, ignored by git. Raises Unreachable when it cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            (self.path / "runs").mkdir(mode=0o700, exist_ok=True)
        except OSError as problem:
            raise Unreachable(
                f"cannot write in {self.path}, where runs are kept: {_why(problem)}; FLETCHER_HOME names another folder"
            ) from None

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.path / "fletcher.db"

    @property
    def head(self) -> Path:
        """Where the audit's head is kept outside the store."""
        return self.path / "audit.head"

    @property
    def shared_head(self) -> Path:
        """Where it is kept of a store that is shared: another one than that of the file beside it."""
        return self.path / "audit.shared.head"

    def marked(self) -> str:
        """What marks this folder among those of other machines; "" where nothing does."""
        try:
            return self._mark.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def mark(self) -> str:
        """Mark this folder, where nothing has yet; with what it is marked."""
        if known := self.marked():
            return known
        mark = secrets.token_hex(16)
        try:
            descriptor = os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{mark}\n")
        except OSError as problem:
            raise Unreachable(f"cannot write in {self.path}: {_why(problem)}") from None
        return mark

    @property
    def _mark(self) -> Path:
        return self.path / "shared.id"

    def folder(self, run: str) -> Path:
        """A run's own folder (0700), for outputs and before-images."""
        folder = self.path / "runs" / checked(run)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self) -> TextIO:
        """The log of runs in the foreground, to be written on."""
        descriptor = os.open(self.path / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def forget(self, seconds: float, but: Collection[str]) -> int:
        """Remove the outputs of runs that nothing was written to for so long, but of these; how many that were."""
        oldest, gone = time.time() - seconds, 0
        for folder in (self.path / "runs").iterdir():
            if folder.name in but:
                continue
            if _written(folder) < oldest:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone

    def executor(self) -> Holder | None:
        """Who acts from this folder now; None when nobody does."""
        try:
            with self._lock_file().open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _holder(file.read())
        except FileNotFoundError:
            return None
        return None

    @contextmanager
    def executing(self, what: str, person: str) -> Iterator[None]:
        """Be the one executor for a while. Raises Unreachable, naming who is already."""
        descriptor = os.open(self._lock_file(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            if not _locked(file.fileno()):
                raise Unreachable(f"{named(_holder(file.read()))} acts from {self.path} already; {_WAIT}")
            file.truncate(0)
            file.write(msgspec.json.encode(holder(what, person)))
            file.flush()
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    file.truncate(0)

    def _lock_file(self) -> Path:
        return self.path / "executor.lock"


_WAIT: Final = "wait until it has ended, or end it"


def home_of(environment: Mapping[str, str], here: Path, compose_folder: Path | None = None) -> Path:
    """Where FLETCHER_HOME is: as it is set, else beside the compose file, else in the current folder."""
    if named_in := environment.get("FLETCHER_HOME", "").strip():
        return here / Path(named_in).expanduser()
    if compose_folder is not None:
        return compose_folder / NAME
    for folder in (here, *here.absolute().parents):
        if any((folder / name).is_file() for name in _COMPOSE):
            return folder / NAME
    return here / NAME


def _written(folder: Path) -> float:
    """When anything in a folder was written last; what vanishes meanwhile is being written."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()


def checked(run: str) -> str:
    """A run's id as it was given. Raises UsageError for what can be none, such as a path."""
    if not _ID.fullmatch(run):
        raise UsageError(f"{run[:40]!r} is no run's id; `fletcher runs` lists them")
    return run


def holder(what: str, person: str) -> Holder:
    """This process, as it is told to others."""
    return Holder(what, os.getpid(), socket.gethostname(), person, time.time())


def named(holder: Holder | None) -> str:
    """Who it is, in words."""
    if holder is None:
        return "another fletcher"
    since = time.strftime("%H:%M:%S", time.localtime(holder.since))
    return f"{holder.what} (process {holder.pid} on {holder.host}, started by {holder.person} at {since})"


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had; whoever only asks for its holder has it for a moment, too."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def _holder(raw: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(raw, type=Holder)
    except msgspec.DecodeError:
        return None  # it has just got the lock, and has not written yet who it is


def _why(problem: OSError) -> str:
    return (problem.strerror or type(problem).__name__).lower()
