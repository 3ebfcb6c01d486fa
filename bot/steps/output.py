"""What a program says: whole in a file of the run's folder, redacted; told line by line, as far as anybody reads."""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

    from bot.redact import Redactor
    from bot.steps.contract import Doing

STORED: Final = 64 << 20  # bytes of one step's output that are kept: beyond it a program only repeats itself
SHOWN: Final = 2_000  # lines that are told
_LINE: Final = 2_000  # characters of a line that are told


class Output:
    """The output of one step; a context manager. Bytes that are no text are kept as they are.

    A file that cannot be written keeps nobody from going on, and is told by `trouble`.
    """

    def __init__(self, doing: Doing, name: str, redactor: Redactor) -> None:
        self.trouble = ""
        self.last = ""  # the last line with something in it
        self.head: list[str] = []  # the lines that were told
        self._tell, self._stream = doing.tell, redactor.stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._stored = self._lines = 0
        self._rest = ""
        path, self._file = _new(doing.scratch, name)
        self.path = str(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._take(self._stream.feed(self._decoder.decode(b"", final=True)) + self._stream.close())
        if self._rest:
            self._show(self._rest)
        os.close(self._file)

    def feed(self, data: bytes) -> None:
        """Take what the program has said."""
        self._take(self._stream.feed(self._decoder.decode(data)))

    def say(self, line: str) -> None:
        """Tell a line of our own, and keep it too."""
        self.feed(line.encode("utf-8", "surrogateescape") + b"\n")

    def _take(self, text: str) -> None:
        if not text:
            return
        self._keep(text.encode("utf-8", "surrogateescape"))
        *lines, rest = (self._rest + text).split("\n")
        for line in lines:
            self._show(line)
        self._rest = rest[: _LINE + 1]  # more of a line is not told

    def _keep(self, data: bytes) -> None:
        if self.trouble:
            return
        room = STORED - self._stored
        try:
            view = memoryview(data[:room])
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as problem:
            self.trouble = f"its output could not be kept: {(problem.strerror or 'unwritable').lower()}"
            return
        self._stored += len(data)
        if len(data) > room:
            self.trouble = f"only the first {STORED >> 20} MiB of its output were kept"

    def _show(self, line: str) -> None:
        line = line.rstrip("\r").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        line = line if len(line) <= _LINE else line[: _LINE - 1] + "…"
        if line.strip():
            self.last = line.strip()
        self._lines += 1
        if self._lines <= SHOWN:
            self._tell(line)
            self.head.append(line)
        elif self._lines == SHOWN + 1:
            self._tell(f"… the rest of the output is in {self.path}")


def _new(folder: Path, name: str) -> tuple[Path, int]:
    """A file that was not there before, which nobody else may read: each attempt has its own."""
    number = 1
    while True:
        path = folder / f"{name}.{number}.log"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            number += 1
