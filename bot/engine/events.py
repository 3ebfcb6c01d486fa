"""What happens in a run, as lines of a file that any process can follow while another one writes it."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from bot.engine.values import Event
from bot.engine.written import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME: Final = "events.jsonl"
_MOST: Final = 50_000_000  # bytes; what a step prints beyond it is only in the step's own output
_PAUSE: Final = 0.05  # seconds between two looks at the file


def write(folder: Path, event: Event) -> None:
    """Add one event; whole lines only, whoever writes at the same time. Where it cannot be written it is lost."""
    with contextlib.suppress(OSError):  # a disk that is full must not keep a run from being undone
        _append(folder / NAME, event)


def _append(path: Path, event: Event) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if event.kind != "line" or size < _MOST:
            # What a full disk took only a part of ends here, so that nothing else is read with it.
            cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if cut else b"") + encoded(event) + b"\n")
    finally:
        os.close(descriptor)


def read(folder: Path, over: Callable[[], bool]) -> Iterator[Event]:
    """Every event from the first on, waiting for more until `over` says that no more will come."""
    path, offset, rest = folder / NAME, 0, b""
    while True:
        last = over()
        raw = _from(path, offset)
        offset += len(raw)
        *lines, rest = (rest + raw).split(b"\n")
        for line in lines:
            if event := _event(line):
                yield event
        if last:
            return
        if not raw:
            time.sleep(_PAUSE)


def _event(line: bytes) -> Event | None:
    """The event of a line; None where a full disk or a power cut left only a part of it."""
    try:
        return msgspec.json.decode(line, type=Event)
    except msgspec.DecodeError:
        return None


def _from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""
