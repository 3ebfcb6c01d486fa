"""An edit of a Python file while it is made: what goes, what comes, and what that leaves without a use."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.splice import Listed, Splice, added, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.python_values import PythonModule
    from bot.source.text import Spot
    from bot.source.values import Entry

_IMPORTS = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
_NAMES_IN_TEXT = r"[\w.\[\], |]*\b{}\b[\w.\[\], |]*"


@dataclass(frozen=True, slots=True)
class Ops:
    """What has to go so that a value is no longer there: items of lists, statements, and bare spans."""

    items: tuple[tuple[Node, Node], ...] = ()
    statements: tuple[Node, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: Ops) -> Ops:
        return Ops(self.items + other.items, self.statements + other.statements, self.spans + other.spans)


@dataclass
class Draft:
    """All changes of one file, gathered before any is made."""

    module: PythonModule
    splices: set[Splice] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    # Lists that lose items, with where those begin; statements; the modules' names that are to be imported.
    items: dict[int, tuple[Node, set[int]]] = field(default_factory=dict)
    statements: dict[int, Node] = field(default_factory=dict)
    spans: set[tuple[int, int]] = field(default_factory=set)
    imports: dict[tuple[int, str], tuple[Node, dict[str, None]]] = field(default_factory=dict)
    _gone: list[tuple[int, int]] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """The text that is edited."""
        return self.module.text.data

    @property
    def comments(self) -> list[tuple[int, int]]:
        """The spans of all comments."""
        return [(node.start_byte, node.end_byte) for node in self.module.nodes("comment")]

    def node(self, spot: Spot, what: str) -> Node:
        """The node that a spot of this file is; RefusedError naming `what` when it lies in another file."""
        if spot.text is not self.module.text:
            raise RefusedError(f"{what} is written in another module, {spot.text.source}:{spot.line}")
        found = self.module.root.descendant_for_byte_range(spot.start, spot.end)
        return found if found is not None else self.module.root

    def holder(self, entry: Entry, what: str) -> Node:
        """The argument, pair or assignment that an option is set by."""
        node = self.node(entry.spot, what)
        if node.type not in {"keyword_argument", "pair", "assignment"}:
            raise RefusedError(f"{what} comes with other options that are made elsewhere", line_of(node))
        return node

    # --- what goes -----------------------------------------------------------------------------

    def remove(self, ops: Ops) -> None:
        """Take all of these out."""
        for owner, item in ops.items:
            self.items.setdefault(owner.id, (owner, set()))[1].add(item.start_byte)
            self._gone.append((item.start_byte, item.end_byte))
        for node in ops.statements:
            whole = statement_of(node)
            self.statements[whole.id] = whole
            self._gone.append((whole.start_byte, whole.end_byte))
        self.spans.update(ops.spans)
        self._gone.extend(ops.spans)

    def remove_option(self, entry: Entry, what: str) -> None:
        """Take out the argument, pair or assignment that sets an option; RefusedError when something else needs it."""
        node = self.holder(entry, what)
        above = node.parent
        if above is None or (node.type == "assignment" and above.type != "expression_statement"):
            raise RefusedError(f"{what} is set together with something else", line_of(node))
        if node.type == "assignment":
            self.remove(Ops(statements=(node,)))
            return
        if node.type == "pair" and self._is_read(above, self.module.written(node.child_by_field_name("key"))):
            raise RefusedError(f"{what} stands in a dict from which it is read elsewhere, too", line_of(node))
        self.remove(Ops(items=((above, node),)))

    def _is_read(self, table: Node, key: str) -> bool:
        holder = table.parent
        if holder is None or holder.type != "assignment":
            return False
        name = self.module.written(holder.child_by_field_name("left"))
        plain = key.strip("\"'")
        for node in self.module.nodes("string"):
            if self.module.written(node).strip("\"'") != plain or table.start_byte <= node.start_byte < table.end_byte:
                continue
            for up, _ in self.module.climb(node):
                if up.type in {"subscript", "call"} and self.module.written(up).startswith(name):
                    return True
                if up.type.endswith("statement"):
                    break
        return False

    # --- what comes ----------------------------------------------------------------------------

    def replace(self, node: Node, new: bytes) -> None:
        """Put something in the place of a node."""
        if self.data[node.start_byte : node.end_byte] != new:
            self.splices.add(Splice(node.start_byte, node.end_byte, new))
            self._gone.append((node.start_byte, node.end_byte))

    def add(self, owner: Node, new: bytes) -> None:
        """Put one more item at the end of a call's arguments or another list in brackets."""
        self.splices.update(added(self.data, listing(owner), new, self.comments))

    def insert(self, position: int, new: bytes) -> None:
        """Put something in between."""
        self.splices.add(Splice(position, position, new))

    def add_import(self, beside: Node, package: str, names: list[str]) -> None:
        """Import names: with the import `beside`, or behind it when `package` is given, once and for all."""
        self.imports.setdefault((beside.id, package), (beside, {}))[1].update(dict.fromkeys(names))

    def literal(self, text: str, like: Node | None = None) -> bytes:
        """A text as a Python literal, in the quotes of another one or in those that this file uses most."""
        starts = [self.module.written(node)[-1:] for node in self.module.nodes("string_start")]
        quote = "'" if starts.count("'") > starts.count('"') else '"'
        if like is not None and like.type == "string" and like.named_children:
            quote = self.module.written(like.named_children[0])[-1:]
        return f"{quote}{''.join(_escaped(char, quote) for char in text)}{quote}".encode()

    # --- what is left --------------------------------------------------------------------------

    def used(self, name: str, *, beside: Node | None = None) -> bool:
        """Whether a name still stands anywhere but in what goes, in imports and `beside`, even if only in a text."""
        if any(re.search(rf"\b{re.escape(name)}\b".encode(), splice.new) for splice in self.splices):
            return True
        for node in self.module.nodes("identifier", "string_content"):
            if node == beside or self._goes(node):
                continue
            written = self.module.written(node)
            if node.type == "string_content":
                # `__all__` and annotations in quotes name things, too; a sentence does not.
                if name in written and re.fullmatch(_NAMES_IN_TEXT.format(re.escape(name)), written):
                    return True
            elif written == name and not any(up.type in _IMPORTS for up, _ in self.module.climb(node)):
                return True
        return False

    def mentioned_in_gone(self) -> set[str]:
        """The names that stand in what goes."""
        return {self.module.written(node) for node in self.module.nodes("identifier") if self._goes(node)}

    def _goes(self, node: Node) -> bool:
        return any(start <= node.start_byte < end for start, end in self._gone)


@contextmanager
def at(line: int) -> Iterator[None]:
    """Have a refusal that has no line of its own stand in this one."""
    try:
        yield
    except RefusedError as refused:
        raise RefusedError(refused.reason, refused.line or line) from refused


def statement_of(node: Node) -> Node:
    """The statement that an expression or assignment is, else the node itself."""
    above = node.parent
    return above if above is not None and above.type == "expression_statement" else node


def line_of(node: Node) -> int:
    """The 1-based line where a node begins."""
    return node.start_point[0] + 1


def items_of(owner: Node) -> list[Node]:
    """What stands in a list, a dict or a call's arguments, without comments."""
    return [child for child in owner.named_children if child.type != "comment"]


def listing(owner: Node) -> Listed:
    """The list that a node in brackets is, or the names of an import."""
    if owner.type not in {"import_from_statement", "import_statement"}:
        return listed(owner)
    module = owner.child_by_field_name("module_name")
    items = tuple(
        (child.start_byte, child.end_byte)
        for child in owner.named_children
        if child.type in {"dotted_name", "aliased_import"} and child != module
    )
    commas = tuple(child.start_byte for child in owner.children if child.type == ",")
    opening = next((child for child in owner.children if child.type == "("), None)
    if opening is not None:
        return Listed(opening.end_byte, owner.children[-1].start_byte, items, commas)
    return Listed(items[0][0], items[-1][1], items, commas) if items else Listed(owner.end_byte, owner.end_byte, (), ())


def _escaped(char: str, quote: str) -> str:
    if char in {quote, "\\"}:
        return "\\" + char
    return char if char.isprintable() else char.encode("unicode_escape").decode()
