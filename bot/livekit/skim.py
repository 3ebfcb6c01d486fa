"""A chunk of a log → the few lines of it that need a look; the server's other lines are passed over unread."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from bot.livekit.events import SERVER
from bot.livekit.forms import ANSI, ISO, epoch, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Where the chunk's byte 0 stands in its file, the chunk, and where its last line ends: a line feed stands before
#: every line, the first too, and none counts behind the last.
Chunk = tuple[int, bytes, int]


def chunk_of(text: bytes) -> Chunk:
    """A text that is at hand as a whole, as one chunk."""
    data = b"\n" + text
    return -1, data, len(data) - data.endswith(b"\n")


def feeds(data: bytes, start: int, end: int) -> int:
    """How many line feeds there are: copying without them takes a third of the time of `bytes.count`."""
    part = data[start:end]
    return len(part) - len(part.replace(b"\n", b""))


def line_end(data: bytes, start: int, end: int) -> int:
    """Where the line that begins at `start` ends."""
    found = data.find(b"\n", start, end)
    return found if found >= 0 else end


def _either(words: Iterable[str]) -> str:
    """A pattern for words that decides letter by letter; what begins with a word of the list matches, too."""
    heads: dict[str, set[str]] = {}
    for word in words:
        heads.setdefault(word[:1], set()).add(word[1:])
    if "" in heads:
        return ""
    found = [re.escape(letter) + _either(rest) for letter, rest in sorted(heads.items())]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


_LEVEL: Final = rb"[A-Z]{4,5}"
_COPIED: Final = rb"[a-z]++[\xc2\xe2]"  # a blank that copying has changed stands behind the first word


@cache
def notable_for(
    own: tuple[bytes, ...] = (), names: tuple[bytes, ...] = ()
) -> Callable[[bytes, int, int], re.Match[bytes] | None]:
    """A search for the next line that is not plainly one of the server's that say nothing about dispatch.

    `own` are messages that only matter where one of the names stands behind them. Matches the line feed before the
    line. The console layout is tried first and costs what a log's size costs; then the console behind another
    program's prefix, then JSON. A message that its line ends in, or that copying has changed, is looked at as well.
    """
    message = _either(["\x1b", *(text.decode() for text in SERVER if text not in own)]).encode()
    if own:
        named = rb"(?=.*(?:" + b"|".join(map(re.escape, names)) + rb"))"
        message = rb"(?:" + message + rb"|" + _either(text.decode() for text in own).encode() + named + rb")"
    return re.compile(
        rb"\n(?!(?:.{23}(?:Z|[+-]\d{4})|[^\t\n]{25,300}+)\t" + _LEVEL + rb"\tlivekit[^\t]*+\t[^\t]*+(?<=\d)\t(?!" + message + rb"|" + _COPIED + rb"|[A-Za-z ]++\r?(?:\n|$))"
        rb'|\{"level":"[a-z]++","ts":[\d.]++,"logger":"livekit[^"]*+","caller":"[^"]*+","msg":"(?!' + message + rb"|" + _COPIED + rb'|[^"\n]*+(?:\n|$)))'
    ).search  # fmt: skip


_HEAD: Final = re.compile(
    rb"\n(?:([^\t\n]{19,300})\t(" + _LEVEL + rb')\tlivekit|\{"level":"([a-z]++)","ts":([\d.]++),"logger":"livekit)'
)


def levels(data: bytes, end: int) -> set[str]:
    """The levels of the server's lines in a chunk, in small letters."""
    return {(upper or lower).decode().lower() for _, upper, lower, _ in _HEAD.findall(data, 0, end)}


def edges(data: bytes, end: int) -> Iterator[tuple[float, int | None]]:
    """Time and zone of the server's first and of its last line in a chunk that tell."""
    for heads in (_HEAD.finditer(data, 0, end), _backwards(data, end)):
        for head in heads:
            own = (seconds(head[4]), 0) if head[4] else epoch(own_stamp(head[1]))
            if own and own[0] is not None:
                yield own[0], own[1]
                break


def _backwards(data: bytes, end: int) -> Iterator[re.Match[bytes]]:
    while (end := data.rfind(b"\n", 0, end)) >= 0:
        head = _HEAD.match(data, end)
        if head:
            yield head


_LAST_TIME: Final = re.compile(ISO + rb"$")


def own_stamp(column: bytes) -> bytes:
    """The time that the server itself wrote, of what stands before a console line's first TAB."""
    if column[4:5] == b"-" and len(column) < 30:
        return column
    found = _LAST_TIME.search(ANSI.sub(b"", column).rstrip())
    return found[0] if found else b""
