"""Taking a dispatch out of a TypeScript or JavaScript file, with all that only serves to carry it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.evaluate import walk
from bot.source.reading import CONFIG_KEYS
from bot.source.typescript_cut import WRAPPERS, Pieces, does
from bot.source.typescript_scope import FUNCTIONS, key_text, parameters
from bot.source.values import Ref

if TYPE_CHECKING:
    from tree_sitter import Node

_NAMES = frozenset({"agentName", "agent_name"})
_MAKERS = frozenset({"RoomConfiguration", "fromJson"})


class Cutter(Pieces):
    """Notes what goes, with all that is of no use without it, and then cuts it out at once."""

    def property(self, node: Node) -> None:
        """Take out a property; an object that is of no use without it goes, too."""
        self.item(node)
        owner = node.parent
        if owner is not None and self.emptied(owner):
            self._empty_object(owner)

    def drop(self, node: Node) -> bool:
        """Take out an expression with what it is for; False when something else needs a value there."""
        parent = node.parent
        if parent is None:
            return False
        if parent.type in WRAPPERS:
            return self.drop(parent)
        reader = getattr(self, f"_from_{parent.type}", None)
        return bool(reader(node, parent)) if reader is not None else False

    def _from_array(self, node: Node, parent: Node) -> bool:
        if len(parameters(parent)) == 1:
            return self.drop(parent)
        self.item(node)
        return self.drop(parent) if self.emptied(parent) else True

    def _from_pair(self, _: Node, parent: Node) -> bool:
        key = key_text(parent.child_by_field_name("key"), self.module.written)
        if key not in CONFIG_KEYS | {"agents"}:
            return False
        self.property(parent)
        return True

    def _from_spread_element(self, _: Node, parent: Node) -> bool:
        if parent.parent is None or parent.parent.type != "object":
            return False
        self.property(parent)
        return True

    def _from_object(self, node: Node, _: Node) -> bool:
        if node.type != "shorthand_property_identifier" or self.module.written(node) not in CONFIG_KEYS | {"agents"}:
            return False
        self.property(node)
        return True

    def _from_ternary_expression(self, node: Node, parent: Node) -> bool:
        branches = [parent.child_by_field_name(name) for name in ("consequence", "alternative")]
        if all(branch is None or branch.id != node.id for branch in branches):
            return False
        other = next(branch for branch in branches if branch is None or branch.id != node.id)
        return self.drop(parent) if other is None or self._is_nothing(other) else False

    def _from_binary_expression(self, node: Node, parent: Node) -> bool:
        right = parent.child_by_field_name("right")
        operator = self.module.written(parent.child_by_field_name("operator"))
        if right is None or right.id != node.id or operator != "&&":
            return False
        return self.drop(parent)

    def _from_assignment_expression(self, node: Node, parent: Node) -> bool:
        right, left = parent.child_by_field_name("right"), parent.child_by_field_name("left")
        if right is None or left is None or right.id != node.id:
            return False
        whole = self._statement_of(parent)
        if whole is None:
            return False
        if left.type == "identifier":
            return self._variable(left) or self._branch(left, whole)
        key = self.module.written(left.child_by_field_name("property"))
        if left.type != "member_expression" or key not in CONFIG_KEYS | {"agents"}:
            return False
        self.statement(whole)
        owner = left.child_by_field_name("object")
        if key == "agents" and owner is not None and owner.type == "identifier":
            self._variable(owner)
        return True

    def _statement_of(self, node: Node) -> Node | None:
        """The statement that an expression is, also behind a condition: `wanted && (at.roomConfig = config);`."""
        outer = node.parent
        while outer is not None and outer.type in {"parenthesized_expression", "binary_expression"}:
            left = outer.child_by_field_name("left")
            if left is not None and (
                self.module.written(outer.child_by_field_name("operator")) != "&&" or left.id == node.id or does(left)
            ):
                return None
            node, outer = outer, outer.parent
        return outer if outer is not None and outer.type == "expression_statement" else None

    def _branch(self, name: Node, whole: Node) -> bool:
        """Take out one of the assignments of a variable that need not get any value."""
        binding = self.module.scopes.find(self.module.written(name), name)
        declared = binding.node.parent if binding is not None and binding.kind == "value" else None
        if binding is not None and binding.node.type == "variable_declarator":
            declared = binding.node
        if declared is None or declared.type != "variable_declarator":
            return False
        value, kind = declared.child_by_field_name("value"), self.module.written(declared.child_by_field_name("type"))
        if (value is not None and not self._is_nothing(value)) or not (not kind or re.search("undefined|null", kind)):
            return False
        guard = next((up for up, _ in self.module.climb(whole) if up.type in FUNCTIONS | {"if_statement"}), None)
        if guard is None or guard.type != "if_statement" or guard.child_by_field_name("alternative") is not None:
            return False
        self.statement(whole)
        return True

    def _from_arguments(self, node: Node, parent: Node) -> bool:
        call = parent.parent
        if call is None:
            return False
        callee = call.child_by_field_name("function") or call.child_by_field_name("constructor")
        name = self._called(callee) if callee is not None else ""
        if name in _MAKERS:
            return self.drop(call)
        if name in {"map", "flatMap"} and node.type in FUNCTIONS:
            return self.drop(call)
        if name != "push" or callee is None or len(parameters(parent)) != 1:
            return False
        if call.parent is None or call.parent.type != "expression_statement":
            return False
        self.statement(call.parent)
        owner = callee.child_by_field_name("object")
        while owner is not None and owner.type in {"non_null_expression", "member_expression"}:
            owner = owner.child_by_field_name("object") or owner.named_children[0]
        if owner is not None and owner.type == "identifier":
            self._variable(owner)
        return True

    def _from_arrow_function(self, node: Node, parent: Node) -> bool:
        body = parent.child_by_field_name("body")
        if body is None or body.id != node.id:
            return False
        call = parent.parent.parent if parent.parent is not None and parent.parent.type == "arguments" else None
        return self.drop(parent) if call is not None else self._function(parent)

    def _from_return_statement(self, _: Node, parent: Node) -> bool:
        function = next((up for up, _ in self.module.climb(parent) if up.type in FUNCTIONS), None)
        if function is None:
            return False
        if function.parent is not None and function.parent.type == "arguments":
            return self.drop(function)
        return self._function(function)

    def _from_variable_declarator(self, _: Node, parent: Node) -> bool:
        name = parent.child_by_field_name("name")
        return name is not None and name.type == "identifier" and self._variable(name, sure=True)

    def _called(self, callee: Node) -> str:
        """The name of what is called, under which it is exported."""
        target = self.module.value(callee)
        return target.name if isinstance(target, Ref) else self.module.last_name(callee)

    # --- variables and functions -------------------------------------------------------------

    def uses(self, name: Node) -> tuple[Node | None, list[Node]]:
        """The declaration of a variable (None when it cannot go) and each place that names it."""
        binding = self.module.scopes.find(self.module.written(name), name)
        found: list[Node] = []
        declared = None
        text = self.module.written(name)
        for node in self.module.nodes("identifier", "shorthand_property_identifier"):
            if self.module.written(node) != text:
                continue
            other = self.module.scopes.find(text, node)
            if binding is None or other is None or other.node.id != binding.node.id:
                continue
            owner = node.parent
            held = owner.child_by_field_name("name") if owner is not None else None
            if owner is not None and owner.type == "variable_declarator" and held is not None and held.id == node.id:
                declared = owner
            else:
                found.append(node)
        return self._removable(declared), found

    def _removable(self, declared: Node | None) -> Node | None:
        whole = declared.parent if declared is not None else None
        if whole is None or len([child for child in whole.named_children if child.type != "comment"]) != 1:
            return None
        return None if whole.parent is None or whole.parent.type in {"export_statement", "for_statement"} else whole

    def _variable(self, name: Node, *, sure: bool = False) -> bool:
        """Take out a variable with all that is done with it, if that is only to carry what goes.

        `sure`: what the variable is declared with is known to go.
        """
        whole, uses = self.uses(name)
        if whole is None:
            return False
        if self.gone(whole):
            return True
        given = next(child for child in whole.named_children if child.type != "comment").child_by_field_name("value")
        if not sure and given is not None and not self._only_dispatches(given):
            return False
        saved = dict(self.statements), {key: (node, set(which)) for key, (node, which) in self.lists.items()}
        self.statement(whole)
        left = [use for use in uses if not self.gone(use) and not self._use(use)]
        if all(self.gone(use) for use in left):
            return True
        self.statements, self.lists = saved
        return False

    def _use(self, use: Node) -> bool:
        parent = use.parent
        if parent is None:
            return False
        if parent.type == "assignment_expression":
            left, whole = parent.child_by_field_name("left"), parent.parent
            right = parent.child_by_field_name("right")
            if left is not None and left.id == use.id and right is not None:
                if whole is None or whole.type != "expression_statement" or not self._only_dispatches(right):
                    return False
                self.statement(whole)
                return True
        if parent.type != "member_expression":
            return self.drop(use)
        key = self.module.written(parent.child_by_field_name("property"))
        if key == "push":
            return self._pushed(parent)
        outer = parent.parent
        if key != "agents" or outer is None:
            return False
        if outer.type == "member_expression" and self.module.written(outer.child_by_field_name("property")) == "push":
            return self._pushed(outer)
        right = outer.child_by_field_name("right")
        if outer.type == "assignment_expression" and right is not None and self._only_dispatches(right):
            whole = outer.parent
            if whole is not None and whole.type == "expression_statement":
                self.statement(whole)
                return True
        return False

    def _pushed(self, callee: Node) -> bool:
        call = callee.parent
        whole = call.parent if call is not None else None
        if call is None or whole is None or whole.type != "expression_statement":
            return False
        if not all(self._only_dispatches(one) for one in parameters(call.child_by_field_name("arguments"))):
            return False
        self.statement(whole)
        return True

    def _only_dispatches(self, node: Node) -> bool:
        """Whether an expression makes dispatches and nothing else that may be wanted."""
        if self._is_nothing(node):
            return True
        keys = {
            key_text(inner.child_by_field_name("key"), self.module.written) or ""
            if inner.type == "pair"
            else self.module.written(inner)
            for inner in walk(node)
            if inner.type in {"pair", "shorthand_property_identifier", "spread_element"}
        }
        return bool(keys & _NAMES) and keys <= _NAMES | {"agents"}

    def _function(self, function: Node) -> bool:
        """Take out a function that only makes what goes, with its calls."""
        whole = function
        if function.parent is not None and function.parent.type == "variable_declarator":
            whole = function.parent.parent or function
        if whole.type not in {"lexical_declaration", "variable_declaration", "function_declaration"}:
            return False
        if whole.parent is None or whole.parent.type == "export_statement":
            return False
        calls, closed = self.module.callers(function)
        if not closed or len(self.module.results(function)) != 1:
            return False
        saved = dict(self.statements), {key: (node, set(which)) for key, (node, which) in self.lists.items()}
        self.statement(whole)
        left = [call for call in calls if not self.gone(call) and not self.drop(call)]
        if all(self.gone(call) for call in left):
            return True
        self.statements, self.lists = saved
        return False

    def _empty_object(self, node: Node) -> None:
        """An object in which nothing is left: what it was made for goes, if that was only to carry a dispatch."""
        child, outer = node, node.parent
        while outer is not None and outer.type in WRAPPERS | {"ternary_expression", "binary_expression"}:
            child, outer = outer, outer.parent
        if outer is None:
            return
        if outer.type == "spread_element":
            self.drop(node)
        elif outer.type == "arguments" and outer.parent is not None:
            callee = outer.parent.child_by_field_name("function") or outer.parent.child_by_field_name("constructor")
            name = self._called(callee) if callee is not None else ""
            if name == "RoomConfiguration" and not self.drop(outer.parent):
                self.item(node)
            elif name == "fromJson":
                self.drop(outer.parent)
            elif name == "useSession" and parameters(outer)[-1].id == child.id:
                self.item(child)
        elif outer.type == "pair":
            if key_text(outer.child_by_field_name("key"), self.module.written) in CONFIG_KEYS:
                self.property(outer)
        elif outer.type == "assignment_expression":
            self.drop(node)

    def _is_nothing(self, node: Node) -> bool:
        if node.type in {"undefined", "null", "false"} or self.module.written(node) == "undefined":
            return True
        if node.type in WRAPPERS and node.named_children:
            return self._is_nothing(node.named_children[0])
        if node.type == "new_expression":
            listed_ = parameters(node.child_by_field_name("arguments"))
            return self._called(node.children[1]) == "RoomConfiguration" and all(
                one.type == "object" and self._is_nothing(one) for one in listed_
            )
        return node.type in {"object", "array"} and self.emptied(node)
