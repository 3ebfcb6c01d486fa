"""Writing files: the old text or the new one, whatever happens, and nothing beside it."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from bot.errors import FletcherError
from bot.steps import patch
from bot.steps.patch import Change, write, write_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

Tracer: TypeAlias = "Callable[[FrameType, str, object], Tracer | None]"
OLD, NEW = b"old\n" * 3, b"new\n" * 5
ROOT = os.geteuid() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the old text."""
    path = tmp_path / "agent.env"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that need not be waited for."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def pair(file: Path) -> list[Change]:
    """Two changes that belong together, in two folders."""
    other = file.parent / "deploy" / "livekit.yaml"
    other.parent.mkdir()
    other.write_bytes(OLD)
    return [Change(file, OLD, NEW), Change(other, hashlib.sha256(OLD).hexdigest(), NEW)]


def held(folder: Path) -> set[str]:
    """The names of all files under a folder."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", [OLD, hashlib.sha256(OLD).hexdigest(), hashlib.sha256(OLD).hexdigest().upper()])
def test_a_file_is_written(file: Path, before: bytes | str) -> None:
    """A file gets its new text, and nothing is left beside it."""
    write(file, before, NEW)
    assert file.read_bytes() == NEW
    assert held(file.parent) == {file.name}


def test_a_file_that_has_changed_is_left_alone(file: Path) -> None:
    """What was planned for another text is not done to this one."""
    with pytest.raises(FletcherError, match="has changed since this was planned") as refused:
        write(file, b"other", NEW)
    assert refused.value.exit_code == 4
    assert file.read_bytes() == OLD


def test_mode_and_attributes_stay(file: Path) -> None:
    """A secret file stays one."""
    file.chmod(0o640)
    named = _attribute(file)
    write(file, OLD, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not named or os.getxattr(file, "user.origin") == b"here"


def _attribute(path: Path) -> bool:
    try:
        os.setxattr(path, "user.origin", b"here")
    except (OSError, AttributeError):
        return False
    return True


@pytest.mark.skipif(not ROOT, reason="only root may give a file away")
def test_the_owner_stays(file: Path) -> None:
    """A file of somebody else stays theirs."""
    os.chown(file, 12345, 54321)
    write(file, OLD, NEW)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_an_owner_that_cannot_stay_is_a_reason_not_to_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may write a file for somebody else."""
    seen = os.stat_result((*file.stat()[:4], file.stat().st_uid + 1, *file.stat()[5:]))
    monkeypatch.setattr(Path, "stat", lambda _: seen)
    monkeypatch.setattr(os, "fchown", _failing(errno.EPERM))
    with pytest.raises(FletcherError, match="its folder, or its owner, does not allow it"):
        write(file, OLD, NEW)
    assert file.read_bytes() == OLD
    assert len(list(file.parent.iterdir())) == 1


def _failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_link_stays_one(file: Path) -> None:
    """What a symbolic link leads to is written."""
    folder = file.parent / "links"
    folder.mkdir()
    link = folder / "env"
    link.symlink_to(Path("..") / file.name)
    write(link, OLD, NEW)
    assert link.is_symlink()
    assert file.read_bytes() == NEW
    assert held(file.parent) == {file.name, "env"}


def test_links_in_a_circle_and_to_nothing(file: Path) -> None:
    """A link that leads nowhere is no file."""
    one, two = file.with_name("one"), file.with_name("two")
    one.symlink_to(two)
    two.symlink_to(one)
    for path, reason in (
        (one, "cannot be read"),
        (file.with_name("none"), "is not there"),
        (file.parent, "is no file"),
    ):
        with pytest.raises(FletcherError, match=reason):
            write(path, OLD, NEW)


def test_hard_links_part(file: Path) -> None:
    """A copy made with hard links keeps the old text, and a person is told."""
    assert patch.notes(file) == ()
    assert patch.notes(file.with_name("none")) == ()
    copy = file.with_name("copy")
    copy.hardlink_to(file)
    assert "2 names (hard links)" in patch.notes(file)[0]
    write(file, OLD, NEW)
    assert (file.read_bytes(), copy.read_bytes()) == (NEW, OLD)


def test_what_may_not_be_written() -> None:
    """A file or a folder that is read-only stays as it is."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "env"
        file.write_bytes(OLD)
        assert _as_somebody(folder, lambda: _is_refused(file)) == 0
        assert file.read_bytes() == OLD


def _is_refused(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(FletcherError, match="is not allowed to be written"):
        write(file, OLD, NEW)
    file.chmod(0o644)
    file.parent.chmod(0o555)
    with pytest.raises(FletcherError, match="its folder, or its owner, does not allow it"):
        write(file, OLD, NEW)
    file.parent.chmod(0o755)


def _as_somebody(folder: Path, does: Callable[[], None]) -> int:
    """Do it in a child that owns the folder and is not root, since root may write everything; the child's exit code."""
    if ROOT:
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534)
    child = os.fork()
    if not child:
        code = 1
        try:
            if ROOT:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            does()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_mode_that_forbids_writing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for root, who is asked as somebody else would be."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(FletcherError, match="is not allowed to be written"):
        write(file, OLD, NEW)


@pytest.mark.parametrize("call", ["open", "write", "fchmod", "fsync"])
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "mounted for reading only"),
        (errno.EACCES, "its folder"),
        (errno.EIO, "input/output error"),
    ],
)
def test_a_failure_before_the_renaming(
    pair: list[Change], monkeypatch: pytest.MonkeyPatch, call: str, number: int, said: str
) -> None:
    """Nothing is lost and nothing is left when the disk is full, or broken, or not ours."""
    with monkeypatch.context() as broken:
        broken.setattr(os, call, _failing(number))
        with pytest.raises(FletcherError, match=said) as refused:
            write_all(pair)
    assert refused.value.exit_code == 4
    assert [change.path.read_bytes() for change in pair] == [OLD, OLD]
    assert held(pair[0].path.parent) == {"agent.env", "livekit.yaml"}


def test_a_change_while_it_is_prepared(pair: list[Change], monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody writes in the meantime is not overwritten."""
    sync = os.fsync

    def meddle(descriptor: int) -> None:
        sync(descriptor)
        pair[1].path.write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", meddle)
    with pytest.raises(FletcherError, match="has just been changed"):
        write_all(pair)
    assert [change.path.read_bytes() for change in pair] == [OLD, b"theirs"]
    assert held(pair[0].path.parent) == {"agent.env", "livekit.yaml"}


def _second_fails(monkeypatch: pytest.MonkeyPatch, change: Change, back: bool) -> None:  # noqa: FBT001
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target == change.path or (back and self.name.endswith(".old.fletcher")):
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)


def test_a_later_file_fails_and_the_earlier_is_put_back(pair: list[Change], monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing."""
    _second_fails(monkeypatch, pair[1], back=False)
    with pytest.raises(FletcherError, match=r"livekit\.yaml could not be written, and is as it was"):
        write_all(pair)
    assert [change.path.read_bytes() for change in pair] == [OLD, OLD]
    assert held(pair[0].path.parent) == {"agent.env", "livekit.yaml"}


def test_a_file_that_cannot_be_put_back_is_said(pair: list[Change], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even that fails, the sentence says where the old text is."""
    _second_fails(monkeypatch, pair[1], back=True)
    with pytest.raises(FletcherError, match=r"agent\.env has its new text, its old one is (\S+)\.$") as refused:
        write_all(pair)
    kept = Path(str(refused.value).rsplit(" ", 1)[1].removesuffix("."))
    assert [change.path.read_bytes() for change in pair] == [NEW, OLD]
    assert kept.read_bytes() == OLD
    assert held(pair[0].path.parent) == {"agent.env", "livekit.yaml", kept.name}


def test_the_same_file_twice(file: Path) -> None:
    """Two changes of one file would undo each other."""
    link = file.with_name("link")
    link.symlink_to(file)
    with pytest.raises(FletcherError, match="are the same file"):
        write_all([Change(file, OLD, NEW), Change(link, OLD, b"")])
    assert file.read_bytes() == OLD


# --- killed and interrupted at every line ----------------------------------------------------------------------------


def _at_line(count: int, then: Callable[[], None]) -> Tracer:
    """A tracer that does something before the line of the writer that is the `count`th to run."""
    passed = 0

    def trace(frame: FrameType, event: str, _: object) -> Tracer | None:
        nonlocal passed
        if frame.f_code.co_filename != patch.__file__:
            return None
        if event == "line":
            passed += 1
            if passed == count:
                then()
        return trace

    return trace


def _written(changes: list[Change], count: int, sent: signal.Signals) -> int:
    """Write in a child process that gets a signal before that line; how the child ended, as `os.waitpid` says it."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.settrace(_at_line(count, lambda: os.kill(os.getpid(), sent)))
        code = 2
        try:
            write_all(changes)
            code = 0
        except KeyboardInterrupt:
            code = 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


@pytest.mark.usefixtures("quick")
def test_a_killed_writer_leaves_whole_files(pair: list[Change]) -> None:
    """Killed at any line of the writer, each file is the old or the new one, and a second try goes on from there."""
    for count in range(1, 1000):
        status = _written(pair, count, signal.SIGKILL)
        for change in pair:
            assert change.path.read_bytes() in {OLD, NEW}
            change.path.write_bytes(OLD)
        if not os.WIFSIGNALED(status):
            assert (os.WEXITSTATUS(status), count > 50) == (0, True)
            return
    raise AssertionError


@pytest.mark.usefixtures("quick")
def test_an_interrupted_writer_leaves_all_or_nothing(pair: list[Change]) -> None:
    """Ctrl-C at any line leaves all files old or all new, and no temporary file."""
    for count in range(1, 1000):
        status = _written(pair, count, signal.SIGINT)
        assert held(pair[0].path.parent) == {"agent.env", "livekit.yaml"}, count
        assert [change.path.read_bytes() for change in pair] in ([OLD, OLD], [NEW, NEW]), count
        for change in pair:
            change.path.write_bytes(OLD)
        if os.WEXITSTATUS(status) != 1:
            assert (os.WEXITSTATUS(status), count > 50) == (0, True)
            return
    raise AssertionError
