"""What the engine sends of a log → its lines: streams told apart, and what Docker has split put together again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bot.errors import Unreachable
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Docker hands a line on in pieces of this size, each with the line's time before it (moby, daemon/logger/copier.go).
PIECE: Final = 16384
LONGEST: Final = 1 << 20  # bytes of a line that are kept; a "line" beyond this is no log's
_ENGINE: Final = 3  # the stream on which the engine itself says what went wrong (moby, pkg/stdcopy)
_STAMP: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")


def lines(blocks: Iterable[bytes], *, tty: bool, ended: bool) -> Iterator[bytes]:
    """The lines in the order in which they were finished, without line end, each with its time before it.

    A last line without an end is one only when the program has `ended`: else its rest is still to come. Raises
    Unreachable when the engine breaks the log off with a word.
    """
    pieces = ((1, block) for block in blocks) if tty else frames(blocks)
    begun: dict[int, bytes] = {}
    for stream, piece in pieces:
        if stream == _ENGINE:
            raise Unreachable(
                f"the Docker engine broke the log off: {redact(piece.decode('utf-8', 'replace').strip())}"
            )
        before = begun.get(stream, b"")
        if before and not tty:
            stamp = _STAMP.match(piece)
            if stamp and not _goes_on(before, stamp[0]):  # a program that ended within its line, and was started again
                yield before
                before = b""
            elif stamp:
                piece = piece[stamp.end() :]  # noqa: PLW2901  # the line has its time already
        *whole, rest = piece.split(b"\n")
        if whole:
            yield _line(_joined(before, whole[0]), tty=tty)
            yield from (_line(line, tty=tty) for line in whole[1:])
            before = b""
        begun[stream] = _joined(before, rest)
    if ended:
        yield from (_line(line, tty=tty) for line in begun.values() if line)


def _goes_on(before: bytes, stamp: bytes) -> bool:
    """Whether a piece with this time continues a line: the pieces of one have its time, or, of old, fill the size."""
    own = _STAMP.match(before)
    return own is None or own[0] == stamp or (len(before) - own.end()) % PIECE == 0


def _joined(before: bytes, more: bytes) -> bytes:
    return before + more[: LONGEST - len(before)] if before else more[:LONGEST]


def _line(line: bytes, *, tty: bool) -> bytes:
    line = line.removesuffix(b"\r")
    stamp = _STAMP.match(line) if tty and len(line) > PIECE else None
    if stamp is None:
        return line
    # A terminal's log comes without frames: what tells a piece is its place, and the line's own time there.
    size = stamp.end() + PIECE
    parts = [line[at : at + size] for at in range(0, len(line), size)]
    return parts[0] + b"".join(part.removeprefix(stamp[0]) for part in parts[1:])


def frames(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(stream, payload) of each frame, however the blocks cut them; a frame that is not whole is left out."""
    held = bytearray()
    for block in blocks:
        held += block
        at = 0
        while len(held) - at >= 8:
            end = at + 8 + int.from_bytes(held[at + 4 : at + 8])
            if end > len(held):
                break
            yield held[at], bytes(held[at + 8 : end])
            at = end
        del held[:at]
