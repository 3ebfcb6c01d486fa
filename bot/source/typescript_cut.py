"""Taking properties and statements out of a TypeScript or JavaScript file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bot.source.cut import Cut
from bot.source.edit import RefusedError
from bot.source.evaluate import walk
from bot.source.splice import Splice, listed
from bot.source.typescript_scope import parameters

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.text import Spot
    from bot.source.typescript_values import TypeScriptModule

PROPERTIES = frozenset({"pair", "shorthand_property_identifier", "method_definition"})
WRAPPERS = frozenset(
    {
        "parenthesized_expression",
        "as_expression",
        "satisfies_expression",
        "non_null_expression",
        "await_expression",
        "type_assertion",
    }
)
# What a condition may not hold if the whole `if` is to go with what it guards.
_DOES = frozenset({"call_expression", "await_expression", "assignment_expression", "update_expression"})
# With these a line goes on with the statement above it, if that has no semicolon.
_CONTINUING = ("(", "[", "`", "+", "-", "/", "*")
# Statements that end with their block; of those that hold another one, that decides.
_BLOCKS = frozenset(
    {
        "abstract_class_declaration",
        "class_declaration",
        "enum_declaration",
        "function_declaration",
        "generator_function_declaration",
        "interface_declaration",
        "statement_block",
        "switch_statement",
        "try_statement",
    }
)
_HOLDERS = frozenset(
    {
        "else_clause",
        "export_statement",
        "for_in_statement",
        "for_statement",
        "if_statement",
        "labeled_statement",
        "while_statement",
    }
)


def _is_ended(statement: Node, module: TypeScriptModule) -> bool:
    """Whether nothing that follows a statement can be read as a part of it."""
    while statement.type in _HOLDERS and statement.named_children:
        statement = statement.named_children[-1]
    return statement.type in _BLOCKS or module.written(statement).endswith(";")


def does(condition: Node) -> bool:
    """Whether asking a condition does something of its own."""
    return any(node.type in _DOES for node in walk(condition))


def inside(node: Node, outer: Node) -> bool:
    """Whether a node stands within another one."""
    return outer.start_byte <= node.start_byte and node.end_byte <= outer.end_byte


class Pieces:
    """Notes what goes, and then cuts it out at once."""

    def __init__(self, module: TypeScriptModule) -> None:
        self.module = module
        self.lists: dict[int, tuple[Node, set[int]]] = {}
        self.statements: dict[int, Node] = {}

    def splices(self) -> list[Splice]:
        """All that was noted, cut out; what stands within something else that goes is not cut twice."""
        comments = [(node.start_byte, node.end_byte) for node in self.module.nodes("comment")]
        cut = Cut(self.module.text.data, comments)
        for node, which in self.lists.values():
            if not self._is_gone_within(node):
                cut.items(listed(node), which)
        for node in self.statements.values():
            if not self._is_gone_within(node):
                cut.statement(node.start_byte, node.end_byte)
        return [*cut.splices(), *self._apart()]

    def _apart(self) -> list[Splice]:
        """A semicolon where statements meet that would be read as one now that nothing stands between them."""
        found: dict[int, Splice] = {}
        for node in self.statements.values():
            above, below = self._neighbour(node, "prev"), self._neighbour(node, "next")
            if above is None or below is None or self._is_gone_within(node) or _is_ended(above, self.module):
                continue
            if self.module.written(below).startswith(_CONTINUING):
                found[below.start_byte] = Splice(below.start_byte, below.start_byte, b";")
        return list(found.values())

    def _neighbour(self, node: Node, side: Literal["prev", "next"]) -> Node | None:
        """The statement that stays above or below one."""
        at: Node | None = node
        while at is not None and (at.id in self.statements or at.type == "comment"):
            last = at
            at = at.prev_named_sibling if side == "prev" else at.next_named_sibling
            while at is None and side == "next" and last.parent is not None and last.parent.type in _HOLDERS:
                last = last.parent
                at = last.next_named_sibling
        return at

    def node_at(self, spot: Spot, kinds: frozenset[str]) -> Node | None:
        """The node of one of these kinds that spans exactly a place of this file."""
        if spot.text is not self.module.text:
            return None
        node = self.module.root.descendant_for_byte_range(spot.start, spot.end)
        while node is not None and (node.start_byte, node.end_byte) == (spot.start, spot.end):
            if node.type in kinds:
                return node
            node = node.parent
        return None

    def gone(self, node: Node) -> bool:
        """Whether a node is, or stands in, what goes."""
        return self._is_listed(node) or node.id in self.statements or self._is_gone_within(node)

    # --- the pieces --------------------------------------------------------------------------

    def item(self, node: Node) -> None:
        """Take an item out of the list that it stands in."""
        owner = node.parent
        if owner is None:
            return
        items = parameters(owner)
        number = next(at for at, item in enumerate(items) if item.id == node.id)
        self.lists.setdefault(owner.id, (owner, set()))[1].add(number)

    def statement(self, node: Node) -> None:
        """Take out a statement; an `if` that guards nothing else goes with it."""
        owner = node.parent
        if owner is not None and owner.type == "export_statement":
            node, owner = owner, owner.parent
        if owner is not None and owner.type == "if_statement":
            if owner.child_by_field_name("alternative") is not None:
                raise RefusedError("it is one branch of a condition", node.start_point[0] + 1)
            if not self._is_pure(owner):
                raise RefusedError("its condition does something of its own", node.start_point[0] + 1)
            self.statement(owner)
            return
        if owner is not None and owner.type == "else_clause":
            node = owner
        self.statements[node.id] = node
        if owner is not None and owner.type == "statement_block":
            self._empty_block(owner)

    def emptied(self, node: Node) -> bool:
        """Whether nothing is left in an object or a list."""
        gone = self.lists.get(node.id, (node, set()))[1]
        return len(gone) == len(parameters(node))

    def _empty_block(self, block: Node) -> None:
        """An `if` or `else` in which nothing is left but comments goes with its block."""
        if not self._is_idle(block):
            return
        outer = block.parent
        guard = outer.parent if outer is not None and outer.type == "else_clause" else outer
        if outer is None or guard is None or guard.type != "if_statement":
            return
        first, second = guard.child_by_field_name("consequence"), guard.child_by_field_name("alternative")
        if all(branch is None or self._is_idle(branch) for branch in (first, second)) and self._is_pure(guard):
            self.statement(guard)
        elif outer.type == "else_clause":
            self.statements[outer.id] = outer

    def _is_idle(self, branch: Node) -> bool:
        if branch.id in self.statements:
            return True
        inner = branch.named_children[-1:] if branch.type == "else_clause" else []
        if inner:
            return self._is_idle(inner[0])
        return branch.type == "statement_block" and all(
            child.id in self.statements or child.type == "comment" for child in branch.named_children
        )

    def _is_pure(self, guard: Node) -> bool:
        condition = guard.child_by_field_name("condition")
        return condition is not None and not does(condition)

    def _is_listed(self, node: Node) -> bool:
        owner = node.parent
        held = self.lists.get(owner.id) if owner is not None else None
        return held is not None and any(
            item.id == node.id and at in held[1] for at, item in enumerate(parameters(owner))
        )

    def _is_gone_within(self, node: Node) -> bool:
        return any(parent.id in self.statements or self._is_listed(parent) for parent, _ in self.module.climb(node))
