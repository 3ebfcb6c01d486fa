"""Files as people have them: recognised by content, read in flat memory, any line found again later."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from bot.errors import UsageError
from bot.evidence.documents import load
from bot.livekit.forms import clean, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

    from bot.livekit.skim import Chunk

Kind = Literal["any", "log", "agent", "token", "endpoint", "config", "project"]

BLOCK: Final = 1 << 17
_LINE_LIMIT: Final = 1 << 22  # a "line" beyond this is no log's; its rest is passed over
_HEAD: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"
_WIDE: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_PACKINGS: Final = (
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"\xfd7zXZ\0", "xz", "xz -dc"),
    (b"PK\x03\x04", "zip", "unzip -p"),
    (b"BZh91AY&SY", "bzip2", "bzip2 -dc"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x -so"),
)
_SOURCE_SUFFIXES: Final = frozenset({".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".py"})
_CONFIG_KEYS: Final = (
    b"keys:",
    b"rtc:",
    b"port:",
    b"logging:",
    b"redis:",
    b"room:",
    b"turn:",
    b"agents:",
    b"bind_addresses:",
    b"key_file:",
)


class LogFile:
    """One log, whole and seekable; compressed files and standard input are spooled to a temporary file first."""

    def __init__(self, name: str, file: BinaryIO, note: str = "") -> None:
        self.name, self._file, self.note = name, file, note

    def chunks(self) -> Iterator[Chunk]:
        """The lines in chunks, as `bot.livekit.skim` wants them; flat in memory whatever the file's size."""
        base, size = -1, BLOCK  # where the line feed before the next chunk stands
        while True:
            self._file.seek(max(base, 0))
            data = self._file.read(size)
            last = len(data) < size
            if base < 0:
                data = b"\n" + data
            end = len(data) - data.endswith(b"\n") if last else data.rfind(b"\n")
            if end > 0:
                yield base, data, end
                base, size = base + end, BLOCK
            elif not last and size < _LINE_LIMIT:
                size *= 2
            elif not last:  # a "line" that is no log's: its beginning will do
                yield base, data, len(data)
                base, size = self._line_feed(base + len(data)), BLOCK
            if last:
                return

    def _line_feed(self, start: int) -> int:
        """Where the next line feed stands; the file's end when there is none."""
        self._file.seek(start)
        while data := self._file.read(BLOCK):
            found = data.find(b"\n")
            if found >= 0:
                return start + found
            start += len(data)
        return start

    def size(self) -> int:
        """Bytes in all."""
        return self._file.seek(0, 2)

    def print(self) -> tuple[int, bytes]:
        """What tells this content from any other: its size, and a hash of its beginning, middle and end."""
        from hashlib import blake2b

        size = self.size()
        found = blake2b(digest_size=16)
        for start in sorted({0, max(0, size // 2 - BLOCK // 2), max(0, size - BLOCK)}):
            self._file.seek(start)
            found.update(self._file.read(BLOCK))
        return size, found.digest()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def line_at(self, offset: int, limit: int = 4096) -> bytes:
        """The line that begins at this byte."""
        self._file.seek(offset)
        return self._file.read(limit).split(b"\n", 1)[0]


def head_of(path: str) -> bytes:
    """The file's first 64 KiB, decompressed and as UTF-8.

    Raises UsageError when there is no such file, it is no file, is empty, is binary or must not be read.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory; give its source with --project, or a log file") from None
    except PermissionError:
        raise UsageError(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path} cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if not head:
        raise UsageError(f"{path} is empty; expected a log, a token, a configuration or source")
    if head[:2] == _GZIP:
        try:
            head = zlib.decompressobj(31).decompress(head, _HEAD)
        except zlib.error:
            raise UsageError(f"{path} begins like gzip and cannot be decompressed") from None
        if not head:
            raise UsageError(f"{path} is empty; expected a log, a token, a configuration or source")
    return as_utf8(head, path)


def as_utf8(head: bytes, path: str) -> bytes:
    """UTF-16 (as PowerShell writes it) → UTF-8; UsageError for what is no text."""
    codec = _WIDE.get(head[:2])
    if codec is not None:
        return head[2 : len(head) // 2 * 2].decode(codec, "replace").encode()
    for magic, program, command in _PACKINGS:
        if head.startswith(magic):
            raise UsageError(
                f"{path} is packed with {program}, which is not read here: unpack it first ({command} FILE | fletcher diagnose -)"
            )
    if head.count(b"\0") > len(head) // 100:
        raise UsageError(f"{path} is a binary file; expected a log, a token, a configuration or source")
    return head


def recognise(path: str, hint: Kind) -> Kind:
    """What this file is by its content; the hint decides where the content allows both."""
    try:
        folder, pipe = Path(path).is_dir(), is_pipe(path)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path[:80]}: no such file ({getattr(problem, 'strerror', None) or problem})") from None
    if pipe and path != "-" and stat.S_ISCHR(Path(path).stat().st_mode) and not _ends(path):
        raise UsageError(f"{path} is a device without an end; expected a file, a pipe or - for standard input")
    if pipe:
        return "log"  # it can be read only once, so it is not looked into beforehand
    if folder:
        if hint not in {"project", "any"}:
            raise UsageError(f"{path} is a directory; expected a file here (the agent's source goes to --project)")
        return "project"
    head = head_of(path)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    suffix = Path(path.removesuffix(".gz")).suffix
    if text.startswith(b"eyJ") and text.count(b".") >= 2 and len(text.split()) == 1:
        return "token"
    if text[:1] == b"{":
        found = _json_kind(path, head, hint)
        if found:
            return found
    if (
        suffix in _SOURCE_SUFFIXES
        or Path(path).name.startswith(".env")
        or Path(path).name in {"package.json", "Dockerfile"}
    ):
        return "project"
    if suffix in {".yaml", ".yml"} or hint == "config":
        lines = [line.lstrip() for line in head.splitlines()]
        if any(line.startswith(b"services:") for line in lines):
            return "project"
        if any(line.startswith(_CONFIG_KEYS) for line in lines):
            return "config"
    if hint == "token" and text[:1] != b"{" and not _like_a_log(head):
        raise UsageError(f"{path} is no token: expected a JWT (eyJ…) or its claims as JSON")
    if hint == "endpoint" and not _like_a_log(head):
        raise UsageError(
            f'{path} is no body of a worker\'s /worker endpoint: expected JSON such as {{"agent_name": …}}'
        )
    return "config" if hint == "config" and not _like_a_log(head) else "log"


def _like_a_log(head: bytes) -> bool:
    return any(parse(clean(line)) is not None for line in head.splitlines()[:400])


def _json_kind(path: str, head: bytes, hint: Kind) -> Kind | None:
    """Token claims, a worker's endpoint, or None for JSON lines."""
    if len(head) >= _HEAD:
        return None
    try:
        value = load(head)
    except ValueError:
        first = head.lstrip().split(b"\n", 1)[0]
        if hint in {"token", "endpoint"} and not first.rstrip().endswith(b"}"):
            raise UsageError(
                f"{path} is not whole JSON: expected {'a token or its claims' if hint == 'token' else 'the body of /worker'}"
            ) from None
        return None
    if not isinstance(value, dict):
        return None
    if "claims" in value or "api_calls" in value or ("video" in value and isinstance(value["video"], dict)):
        return "token"
    if {"msg", "message"} & set(value) and {"level", "ts", "time"} & set(value):
        return "log"
    if {"worker_type", "agent_name", "sdk_version", "workerType", "agentName", "sdkVersion"} & set(value):
        return "endpoint"
    if hint == "endpoint":
        return "endpoint"
    if hint == "token":
        raise UsageError(f"{path} holds no claims of a LiveKit token: expected `video`, `sub` or `roomConfig` in it")
    return "project" if Path(path).name == "package.json" else "log"


def is_pipe(path: str) -> bool:
    """Whether this gives its bytes only once: standard input, a process substitution, a device."""
    given = Path(path)
    return path == "-" or (given.exists() and not given.is_file() and not given.is_dir())


def _ends(device: str) -> bool:
    """Whether reading this device comes to an end: a terminal's or an empty one's does, zeros go on for ever."""
    try:
        with Path(device).open("rb", buffering=0) as file:
            return file.isatty() or not file.read(1)
    except OSError:
        return True  # its reading says why not


def open_log(path: str) -> LogFile:
    """A log, ready to be read. Raises UsageError as `head_of`; a file cut off within its compression keeps what is there."""
    if path == "-":
        return _spooled("-", sys.stdin.buffer)
    with Path(path).open("rb") as source:
        if is_pipe(path) or source.peek(2)[:2] in {_GZIP, *_WIDE}:
            return _spooled(path, source)
    return LogFile(path, Path(path).open("rb", buffering=0))  # lives as long as the answer


class _Ahead(io.RawIOBase):
    """A source whose first bytes have been read already, to see what it is."""

    def __init__(self, head: bytes, source: BinaryIO) -> None:
        self._head, self._source = head, source

    def readable(self) -> bool:
        return True

    def readinto(self, into: WriteableBuffer) -> int:
        view = memoryview(into)
        data, self._head = self._head[: len(view)], self._head[len(view) :]
        data = data or self._source.read(len(view))
        view[: len(data)] = data
        return len(data)


def _unpacked(source: BinaryIO) -> Iterator[bytes]:
    """The source's bytes, decompressed and as UTF-8, block by block."""
    head = source.read(BLOCK)
    plain: io.BufferedReader | gzip.GzipFile = io.BufferedReader(_Ahead(head, source), BLOCK)
    if head[:2] == _GZIP:
        plain = gzip.GzipFile(fileobj=plain)
    codec = _WIDE.get(plain.peek(2)[:2])
    if codec is None:
        while data := plain.read(BLOCK):
            yield data
        return
    plain.read(2)
    with io.TextIOWrapper(plain, codec, errors="replace", newline="") as wide:
        while text := wide.read(BLOCK):
            yield text.encode("utf-8", "replace")


def _text(head: bytes, name: str, *, cut: bool) -> None:
    """Refuse what is empty or no text."""
    if not head:
        what = "begins like gzip and cannot be decompressed" if cut else "is empty"
        raise UsageError(f"{name} {what}; expected log lines")
    as_utf8(head, name)


def _spooled(name: str, source: BinaryIO) -> LogFile:
    """A copy that can be read again; what cannot be decompressed any more is left out and said."""
    out = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the answer
    shown = "standard input" if name == "-" else name
    note = ""
    try:
        try:
            for data in _unpacked(source):
                out.write(data)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            note = "cut off within its compression; what stands before was read"
        out.seek(0)
        _text(out.read(_HEAD), shown, cut=bool(note))
    except BaseException:
        out.close()
        raise
    return LogFile(name, out, note)
