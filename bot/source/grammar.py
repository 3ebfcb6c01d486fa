"""The parsers, each loaded when the first file of its language is read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

Grammar = Literal["typescript", "tsx", "javascript", "python"]


@cache
def parser(grammar: Grammar) -> Parser:
    """The parser of one grammar."""
    from tree_sitter import Language, Parser

    if grammar == "python":
        import tree_sitter_python

        return Parser(Language(tree_sitter_python.language()))
    if grammar == "javascript":
        import tree_sitter_javascript

        return Parser(Language(tree_sitter_javascript.language()))
    import tree_sitter_typescript

    raw = tree_sitter_typescript.language_tsx() if grammar == "tsx" else tree_sitter_typescript.language_typescript()
    return Parser(Language(raw))


def first_error(root: Node) -> int:
    """The 1-based line of the first place that the grammar does not know."""
    node = root
    while node.has_error:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or node.type == "ERROR":
            break
        node = inner
    return node.start_point[0] + 1
