"""Putting into a text so that nothing else changes: bytes in, bytes out, in any language.

Positions are counted in bytes. What is a comment, an item or a comma is the caller's to say; nothing here reads code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

Span = tuple[int, int]

BLANK = b" \t\f\v"
LINE_END = b"\r\n"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Splice:
    """`new` in the place of what stands from `start` up to `end`."""

    start: int
    end: int
    new: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A comma-separated list: `start` is behind the opening bracket, `end` before the closing one.

    A list without brackets starts where its first item does and ends where its last one does.
    """

    start: int
    end: int
    items: tuple[Span, ...]
    commas: tuple[int, ...]


def listed(node: Node) -> Listed:
    """The list that a node in brackets is: an object, a call's arguments, an array, a clause of an import."""
    inner = node.children[1:-1]
    return Listed(
        node.children[0].end_byte,
        node.children[-1].start_byte,
        tuple((child.start_byte, child.end_byte) for child in inner if child.is_named and "comment" not in child.type),
        tuple(child.start_byte for child in inner if child.type == ","),
    )


def spliced(data: bytes, splices: Iterable[Splice]) -> bytes:
    """The text with all of these in it; ValueError when two of them overlap."""
    out: list[bytes] = []
    at = 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < at:
            msg = f"two changes of the same text, at byte {splice.start}"
            raise ValueError(msg)
        out += [data[at : splice.start], splice.new]
        at = splice.end
    out.append(data[at:])
    return b"".join(out)


def newline(data: bytes) -> bytes:
    """How the lines of this text end."""
    at = data.find(b"\n")
    return b"\r\n" if at > 0 and data[at - 1 : at] == b"\r" else b"\n"


def indent_at(data: bytes, position: int) -> bytes:
    """The blanks at the beginning of the line in which a position is."""
    start = _line_start(data, position)
    end = start
    while end < len(data) and data[end] in BLANK:
        end += 1
    return data[start:end]


def tail_of(data: bytes, end: int, comments: Iterable[Span]) -> int:
    """Where the comments end that follow on the same line; `end` when there are none."""
    starts = {start: stop for start, stop in comments if start >= end and b"\n" not in data[start:stop].rstrip()}
    at = stop = end
    while True:
        while at < len(data) and data[at] in BLANK:
            at += 1
        if at not in starts:
            return stop
        at = stop = starts[at]
        while data[stop - 1 : stop] in {b"\n", b"\r"}:
            at = stop = stop - 1


def added(data: bytes, of: Listed, new: bytes, comments: Iterable[Span], pad: bytes = b"") -> list[Splice]:
    """One more item at the end of a list, written as its neighbours are.

    `pad` stands on both sides of the only item of a list in one line.
    """
    inside = [span for span in comments if of.start <= span[0] < of.end]
    if not of.items:
        return _into_empty(data, of, new, inside, pad)
    start, end = of.items[-1]
    comma = next((at for at in of.commas if at >= end), None)
    behind = end if comma is None else comma + 1
    stop = tail_of(data, behind, inside)
    lead = next((at for at in reversed(of.commas) if at < start), None)
    if lead is not None and b"\n" in data[of.items[-2][1] : lead] and comma is None:
        return [Splice(stop, stop, newline(data) + indent_at(data, start) + b", " + new)]  # commas come first here
    own_line = not data[_line_start(data, start) : start].strip()
    if own_line and (len(of.items) > 1 or b"\n" in data[of.start : start]):
        line = newline(data) + indent_at(data, start) + new
        if comma is not None:
            return [Splice(stop, stop, line + b",")]
        return _joined(end, stop, line)
    if b"\n" in data[stop : of.end] and data[behind:stop].lstrip().startswith((b"//", b"#")):
        # A comment up to the end of the line follows: the item goes before it.
        return [Splice(behind, behind, b" " + new + b"," if comma is not None else b", " + new)]
    if comma is not None:
        return [Splice(behind, behind, b" " + new + b",")]
    return _joined(end, stop, b" " + new)


def _joined(end: int, stop: int, line: bytes) -> list[Splice]:
    return [Splice(end, end, b"," + line)] if stop == end else [Splice(end, end, b","), Splice(stop, stop, line)]


def _into_empty(data: bytes, of: Listed, new: bytes, inside: list[Span], pad: bytes) -> list[Splice]:
    if b"\n" not in data[of.start : of.end]:
        at = max((end for _, end in inside), default=of.start)
        return [Splice(at, of.end, pad + new + pad)]
    at = max((end for _, end in inside), default=of.start)
    indent = indent_at(data, inside[-1][0]) if inside else indent_at(data, of.start) + indent_unit(data)
    while data[at - 1] in LINE_END:
        at -= 1
    return [Splice(at, at, newline(data) + indent + new + b",")]


def after_statement(data: bytes, start: int, end: int, new: bytes, comments: Iterable[Span]) -> Splice:
    """One more statement behind that from `start` to `end`: in its own line, unless more follows in the same line."""
    stop = tail_of(data, end, comments)
    rest = data[stop:].split(b"\n", 1)[0]
    if rest.strip():
        return Splice(end, end, b" " + new)
    return Splice(stop, stop, newline(data) + indent_at(data, start) + new)


def before_statement(data: bytes, start: int, new: bytes) -> Splice:
    """One more statement before that at `start`: in its own line, unless something stands before it in its line."""
    if data[_line_start(data, start) : start].strip():
        return Splice(start, start, new + b" ")
    return Splice(start, start, new + newline(data) + indent_at(data, start))


def indent_unit(data: bytes) -> bytes:
    """By how much this text is indented for each level."""
    widths: list[int] = []
    for line in data.split(b"\n"):
        if line.startswith(b"\t"):
            return b"\t"
        width = len(line) - len(line.lstrip(b" "))
        if width > 1 and line.strip() and not line.lstrip().startswith(b"*"):
            widths.append(width)
    return b" " * min(widths, default=2)


def _line_start(data: bytes, position: int) -> int:
    start = data.rfind(b"\n", 0, position) + 1
    return len(BOM) if start == 0 and data.startswith(BOM) and position >= len(BOM) else start
