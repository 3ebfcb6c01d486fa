"""The parsers, each loaded when the first file of its language is read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

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


def gathered(grammar: Grammar, root: Node, kinds: frozenset[str]) -> dict[str, list[Node]]:
    """The nodes of these kinds in the order of the text, found by the parser: a walk would make every other node, too."""
    from tree_sitter import QueryCursor

    found = QueryCursor(_query(grammar, kinds)).captures(root)
    return {kind: sorted(found.get(kind, []), key=lambda node: (node.start_byte, -node.end_byte)) for kind in kinds}


@cache
def _query(grammar: Grammar, kinds: frozenset[str]) -> Query:
    from tree_sitter import Query

    language = parser(grammar).language
    known = [kind for kind in sorted(kinds) if language is not None and language.id_for_node_kind(kind, True)]
    if language is None:
        msg = f"the parser of {grammar} has no language"
        raise ValueError(msg)
    return Query(language, " ".join(f"({kind}) @{kind}" for kind in known))


def first_error(root: Node) -> int:
    """The 1-based line of the first place that the grammar does not know."""
    node = root
    while node.has_error:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or node.type == "ERROR":
            break
        node = inner
    return node.start_point[0] + 1
