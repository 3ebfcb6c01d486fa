"""The changes that a draft of a Python file comes to, as splices that leave neither a hole nor an empty block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.cut import Cut
from bot.source.edit import RefusedError
from bot.source.python_draft import Ops, items_of, listing
from bot.source.python_needs import drop_unused_imports
from bot.source.splice import Splice, after_statement, newline, spliced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.python_draft import Draft
    from bot.source.splice import Span

_EMPTY_LINES = re.compile(rb"(?:[ \t\f]*\r?\n)+")
_REST_OF_LINE = re.compile(rb"[ \t]*(?:\r?\n|\Z)")
_SEMICOLON = re.compile(rb"[ \t]*;")
_SEMICOLON_BEFORE = re.compile(rb";[ \t]*\Z")
# What does something when it is looked at; a condition with none of these may go.
_DOES = frozenset({"call", "await", "named_expression", "yield"})


def changes(draft: Draft) -> list[Splice]:
    """All changes, in the order of the text and ready to be made."""
    draft.splices.update(_emptied(draft))
    drop_unused_imports(draft)
    for (_, package), (beside, names) in draft.imports.items():
        _import(draft, beside, package, sorted(names))
    statements = [(node.start_byte, node.end_byte) for node in draft.statements.values()]
    cut, bare = Cut(draft.data, draft.comments), set(draft.spans)
    for node in draft.statements.values():
        if not _inside(node.start_byte, node.end_byte, statements):
            _cut_statement(draft, cut, node, bare)
    whole = [*statements, *bare]
    for owner, starts in draft.items.values():
        if not _inside(owner.start_byte, owner.end_byte, whole):
            of = listing(owner)
            cut.items(of, {at for at, item in enumerate(of.items) if item[0] in starts})
    goes = cut.splices()
    goes += [Splice(start, end, b"") for start, end in bare if not _inside(start, end, whole)]
    spans = [(splice.start, splice.end) for splice in goes]
    comes = [one for one in draft.splices if not _inside(one.start, one.end, spans)]
    return sorted([*goes, *comes], key=lambda one: (one.start, one.end, one.new))


def put(data: bytes, splices: list[Splice]) -> bytes:
    """The text with all changes made; RefusedError when two of them are in each other's way."""
    try:
        return spliced(data, splices)
    except ValueError as error:
        raise RefusedError("two changes of the same place would be needed") from error


def _inside(start: int, end: int, spans: list[Span]) -> bool:
    """Whether a span lies in another one; an insertion at the edge of one does not."""
    if start == end:
        return any(one < start < other for one, other in spans)
    return any(one <= start and end <= other and (one, other) != (start, end) for one, other in spans)


def _cut_statement(draft: Draft, cut: Cut, node: Node, bare: set[Span]) -> None:
    data, start, end = draft.data, node.start_byte, node.end_byte
    after, before = _SEMICOLON.match(data, end), _SEMICOLON_BEFORE.search(data[:start])
    if after is not None:
        end = after.end()
    elif before is not None:
        start = before.start()
    if node.type == "function_definition" and (start == 0 or data[start - 1 : start] == b"\n"):
        # The empty lines below a definition go with it.
        rest = _REST_OF_LINE.match(data, end)
        blank = _EMPTY_LINES.match(data, rest.end()) if rest is not None else None
        if blank is not None:
            bare.add((start, blank.end()))
            return
    cut.statement(start, end)


def _import(draft: Draft, beside: Node, package: str, names: list[str]) -> None:
    data = draft.data
    if package:
        line = f"from {package} import {', '.join(names)}".encode()
        if data[beside.end_byte :].lstrip(b" \t").startswith(b";"):
            draft.splices.add(Splice(beside.end_byte, beside.end_byte, b"; " + line))
            return
        draft.splices.add(after_statement(data, beside.start_byte, beside.end_byte, line, draft.comments))
        return
    last = listing(beside).items[-1][0]
    start = data.rfind(b"\n", 0, last) + 1
    own_line = not data[start:last].strip()
    joint = b"," + newline(data) + data[start:last] if own_line else b", "
    draft.add(beside, joint.join(name.encode() for name in names))


# --- blocks that lose all they have --------------------------------------------------------------


def _emptied(draft: Draft) -> Iterator[Splice]:
    """What stands in for the last statement of a block; a plain `if` goes as a whole."""
    again = True
    while again:
        again = False
        for block in _bare_blocks(draft):
            if block.parent is not None and _goes_along(draft, block):
                draft.remove(Ops(statements=(block.parent,)))
                again = True
    for block in _bare_blocks(draft):
        last = items_of(block)[-1]
        del draft.statements[last.id]
        yield Splice(last.start_byte, last.end_byte, b"pass")


def _bare_blocks(draft: Draft) -> list[Node]:
    """The blocks of which every statement goes, unless what they belong to goes, too."""
    found: dict[int, Node] = {}
    for node in draft.statements.values():
        block = node.parent
        if block is None or block.type != "block" or block.parent is None or block.parent.id in draft.statements:
            continue
        if all(child.id in draft.statements for child in items_of(block)):
            found[block.id] = block
    return list(found.values())


def _goes_along(draft: Draft, block: Node) -> bool:
    """Whether an `if` does nothing without its body: no other branch, no comment of its own, nothing that acts."""
    above = block.parent
    if above is None or above.type != "if_statement":
        return False
    if any(child.type in {"elif_clause", "else_clause"} for child in above.named_children):
        return False
    rows = {child.start_point[0] for child in items_of(block)}
    for start, _ in draft.comments:
        if above.start_byte <= start < block.end_byte and draft.data.count(b"\n", 0, start) not in rows:
            return False
    left = [above.child_by_field_name("condition")]
    while left:
        node = left.pop()
        if node is None or node.type in _DOES:
            return False
        left.extend(node.named_children)
    return True
