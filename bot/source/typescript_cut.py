"""Taking properties and statements out of a TypeScript or JavaScript file."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        return cut.splices()

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
        if owner is not None and owner.type in {"if_statement", "else_clause"}:
            guard = owner if owner.type == "if_statement" else owner.parent
            if guard is None or owner.type == "else_clause" or guard.child_by_field_name("alternative") is not None:
                raise RefusedError("it is one branch of a condition", node.start_point[0] + 1)
            if not self._is_pure(guard):
                raise RefusedError("its condition does something of its own", node.start_point[0] + 1)
            self.statement(guard)
            return
        self.statements[node.id] = node
        if owner is not None and owner.type == "statement_block":
            self._empty_block(owner)

    def emptied(self, node: Node) -> bool:
        """Whether nothing is left in an object or a list."""
        gone = self.lists.get(node.id, (node, set()))[1]
        return len(gone) == len(parameters(node))

    def _empty_block(self, block: Node) -> None:
        if any(child.id not in self.statements for child in block.named_children):
            return
        guard = block.parent
        if guard is not None and guard.type == "else_clause":
            guard = guard.parent
        if guard is None or guard.type != "if_statement" or not self._is_pure(guard):
            return
        branches = [guard.child_by_field_name("consequence")]
        other = guard.child_by_field_name("alternative")
        if other is not None:
            branches.append(other.named_children[-1] if other.named_children else None)
        for branch in branches:
            if branch is None or branch.type != "statement_block":
                return
            if any(child.id not in self.statements for child in branch.named_children):
                return
        self.statement(guard)

    def _is_pure(self, guard: Node) -> bool:
        condition = guard.child_by_field_name("condition")
        return condition is not None and all(node.type not in _DOES for node in walk(condition))

    def _is_listed(self, node: Node) -> bool:
        owner = node.parent
        held = self.lists.get(owner.id) if owner is not None else None
        return held is not None and any(
            item.id == node.id and at in held[1] for at, item in enumerate(parameters(owner))
        )

    def _is_gone_within(self, node: Node) -> bool:
        return any(parent.id in self.statements or self._is_listed(parent) for parent, _ in self.module.climb(node))
