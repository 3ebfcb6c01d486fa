"""Places in a YAML text: where a line, a dash, a value or a block begins and ends, and how the file is written."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from bot.source.edit import RefusedError
from bot.source.yaml_tree import within
from bot.source.yaml_write import Style

if TYPE_CHECKING:
    from bot.source.yaml_tree import Node, Tree

_ANCHOR = re.compile(r"&[^\s,\[\]{}]+")
_BLANKS = re.compile(r"\s*")


class Splice(NamedTuple):
    """What stands between two positions is replaced by a text."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: list[Splice]) -> str:
    """A text with all its splices made; none overlap, and those at one place are made in their order."""
    out: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: splice[:2]):
        out += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*out, text[at:]])


def style_of(tree: Tree) -> Style:
    """How a file is written, by what is most common in it."""
    steps: Counter[int] = Counter()
    dashes: Counter[int] = Counter()
    for node in within(tree.root) if tree.root is not None else ():
        for key, value in [] if node.flow else node.pairs:
            if value.kind in {"map", "list"} and not (value.flow or value.anchor or value.explicit):
                deeper = column_of(tree.text, value.start) - column_of(tree.text, key.start)
                (steps if value.kind == "map" else dashes)[deeper] += 1
    step = next((step for step, _ in steps.most_common() if step > 0), 2)
    windows = tree.text.count("\r\n") * 2 > tree.text.count("\n")
    return Style("\r\n" if windows else "\n", step, dashes.most_common(1)[0][0] if dashes else step)


def column_of(text: str, position: int) -> int:
    """The 0-based column of a position."""
    return position - (text.rfind("\n", 0, position) + 1)


def line_end(text: str, position: int) -> int:
    """Where the line of a position ends: before its line end, or at the end of the text."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    return end - 1 if end > position and text[end - 1] == "\r" else end


def next_line(text: str, position: int) -> int:
    """Where the line after that of a position begins, or the end of the text."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def block_end(text: str, node: Node, column: int) -> int:
    """The end of the last line of a value under a key at that column, with the comments that are deeper than it."""
    end = line_end(text, node.end)
    at = next_line(text, end)
    while node.parts and not node.flow and at < len(text):
        line = text[at : line_end(text, at)]
        words = line.lstrip(" \t")
        if words.startswith("#") and len(line) - len(words) > column:
            end = line_end(text, at)
        elif words:
            break
        at = next_line(text, at)
    return end


def own_line(tree: Tree, key: Node) -> int:
    """The column of a key of a block; nothing else may stand before it in its line."""
    column = column_of(tree.text, key.start)
    if tree.text[key.start - column : key.start].strip(" ") or key.kind != "scalar":
        raise RefusedError("this key does not stand in a line of its own", tree.line(key.start))
    return column


def colon_of(tree: Tree, key: Node, value: Node) -> int:
    """The position behind the colon between a key and its value."""
    between = tree.text[key.end : value.start]
    if ":" not in between:
        raise RefusedError("this key has no colon behind it", tree.line(key.start))
    return key.end + between.index(":") + 1


def body_of(tree: Tree, key: Node, value: Node) -> tuple[int, int]:
    """Where what precedes a value ends (a colon or an anchor), and where the value itself begins."""
    if not value.anchor:
        return colon_of(tree, key, value), value.start
    anchor = _ANCHOR.match(tree.text, value.start)
    head = anchor.end() if anchor else value.start
    blanks = _BLANKS.match(tree.text, head)
    return head, min(value.end, blanks.end() if blanks else head)


def dash_of(tree: Tree, node: Node, index: int) -> int:
    """The position of the dash of a block list's item; it must begin its line."""
    text, item = tree.text, node.parts[index]
    column = column_of(text, node.start)
    line = item.start - column_of(text, item.start)
    while line >= node.start - column:
        if text[line : line + column + 1] == " " * column + "-" and line + column <= item.start:
            return line + column
        line = text.rfind("\n", 0, max(0, line - 1)) + 1 if line else -1
    raise RefusedError("this item does not stand in a line of its own", tree.line(item.start))
