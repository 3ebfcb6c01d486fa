"""Names of a TypeScript or JavaScript file, followed to what defines them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bot.source.evaluate import Binding, Evaluator
from bot.source.grammar import gathered
from bot.source.typescript_scope import CLASSES, FUNCTIONS, Scopes, key_text, parameters
from bot.source.values import ABSENT, Entry, Lit, Local, Ref, Seq, Table, Unknown, Value, each, either, fallback

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Budget, Frame, Load
    from bot.source.grammar import Grammar
    from bot.source.text import SourceText, Spot


# Kinds of nodes that are looked for in every file, or in most of those of which one is.
_TOGETHER = (
    frozenset(
        {
            "assignment_expression",
            "augmented_assignment_expression",
            "call_expression",
            "class_heritage",
            "comment",
            "export_specifier",
            "export_statement",
            "import_clause",
            "import_specifier",
            "import_statement",
            "new_expression",
            "pair",
            "pair_pattern",
            "update_expression",
            "variable_declarator",
        }
    ),
    frozenset({"identifier", "shorthand_property_identifier"}),
    frozenset({"interface_declaration", "type_alias_declaration"}),
)


class TypeScriptNames(Evaluator):
    """One file in which names are looked up."""

    functions = FUNCTIONS

    def __init__(self, text: SourceText, root: Node, grammar: Grammar, load: Load | None, budget: Budget) -> None:
        super().__init__(text, root, load, budget)
        self._grammar = grammar
        self._gathered: dict[str, list[Node]] = {}
        self.scopes = Scopes(self.written, self.climb)

    def nodes(self, *kinds: str) -> list[Node]:
        """All nodes of these kinds, in the order of the text."""
        for kind in kinds:
            if kind not in self._gathered:
                together = next((group for group in _TOGETHER if kind in group), frozenset({kind}))
                self._gathered.update(gathered(self._grammar, self.root, together))
        if len(kinds) == 1:
            return self._gathered[kinds[0]]
        return sorted((node for kind in kinds for node in self._gathered[kind]), key=lambda node: node.start_byte)

    def named(self, name: str, node: Node, frame: Frame) -> Value:
        """What a name stands for at a node."""
        if name == "undefined":
            return Lit(None, self.spot(node))
        binding = self.scopes.find(name, node)
        if binding is None:
            if name in {"Infinity", "NaN"}:
                return Lit(float("inf" if name == "Infinity" else "nan"), self.spot(node))
            return Ref("", (name,), self.spot(node))
        return self.bound(binding, name, node, frame)

    def bound(self, binding: Binding, name: str, node: Node, frame: Frame) -> Value:
        """What a definition gives, seen from a node."""
        spot = self.spot(node)
        if binding.kind == "import":
            return self.imported(binding.module, binding.imported, spot)
        if binding.kind == "param":
            return self._parts(self._argument(binding, frame), binding, spot, frame)
        if binding.kind == "function":
            return Local("function", self, binding.node, self.spot(binding.node))
        if binding.kind == "class":
            return Local("class", self, binding.node, self.spot(binding.node))
        if binding.kind == "enum":
            return self._enum(binding.node, frame)
        if binding.kind == "opaque":
            return self._item(binding, frame)
        if binding.node.type == "variable_declarator":
            value: Value = ABSENT
        else:
            value = self._parts(self.value(binding.node, frame), binding, spot, frame)
        return self.assigned(value, binding, name, node, frame)

    def _item(self, binding: Binding, frame: Frame) -> Value:
        """What a loop's name stands for: any item of the list that is gone through."""
        if binding.node.type == "for_in_statement" and not binding.path:
            operator = self.written(binding.node.child_by_field_name("operator"))
            listed = self.value(binding.node.child_by_field_name("right"), frame)
            if operator == "of" and isinstance(listed, Seq) and listed.whole and listed.items:
                return either(listed.items)
        return Unknown("it changes while the program runs")

    def _parts(self, value: Value, binding: Binding, spot: Spot, frame: Frame) -> Value:
        for step in binding.path:
            if isinstance(step, str):
                value = self.member(value, step, spot)
            else:
                value = self.part(value, Lit(float(step), spot), spot)
        if binding.default is not None and binding.path:
            value = fallback(value, self.value(binding.default, frame), loose=False)
        return value

    def _argument(self, binding: Binding, frame: Frame) -> Value:
        function = binding.node
        if function.id in frame:
            passed = frame[function.id]
            value = passed[binding.index] if binding.index < len(passed) else ABSENT
            if not binding.path and binding.default is not None:
                return fallback(value, self.value(binding.default, frame), loose=False)
            return Lit(None, self.spot(function)) if value is ABSENT else value
        listed = self._gone_through(function) if binding.index == 0 and not binding.path else None
        if listed is not None:
            return either(listed.items)
        plain = Binding(binding.kind, function, function, index=binding.index)
        if not binding.path:
            plain = binding
        calls, closed = self.callers(function)
        known = self.parameter(plain, (self.passed(call, binding.index) for call in calls), closed=closed)
        return self.typed(binding, known)

    def _gone_through(self, function: Node) -> Seq | None:
        """The list whose items a function is called with: `[…].map(function)` and its like."""
        call = function.parent.parent if function.parent is not None else None
        if call is None or call.type != "call_expression":
            return None
        callee = call.child_by_field_name("function")
        if callee is None or callee.type != "member_expression":
            return None
        if self.written(callee.child_by_field_name("property")) not in {"map", "forEach", "flatMap"}:
            return None
        owner = self.value(callee.child_by_field_name("object"))
        return owner if isinstance(owner, Seq) and owner.whole and owner.items else None

    def typed(self, binding: Binding, known: Value) -> Value:
        """A parameter whose type has one constant of that type beside it, as configuration often is."""
        from bot.source.typescript_types import constant_of_type

        if any(not isinstance(option, Unknown) for option in each(known)):
            return known
        constant = constant_of_type(self, binding)
        return known if constant is None else constant

    def passed(self, call: Node, index: int) -> Value:
        """The argument of a call, ABSENT when it is left out."""
        listed = parameters(call.child_by_field_name("arguments"))
        if any(child.type == "spread_element" for child in listed[: index + 1]):
            return Unknown("it is passed in a spread")
        return self.value(listed[index]) if index < len(listed) else ABSENT

    def callers(self, function: Node) -> tuple[list[Node], bool]:
        """The calls of a function in this file, and whether there can be no others."""
        parent = function.parent
        name, method, closed = "", False, True
        own = function.child_by_field_name("name")
        if function.type == "method_definition":
            name, method = self.written(own), True
            closed = any(self.written(part) == "private" for part in function.children)
            if name == "constructor":
                owner = next((up for up, _ in self.climb(function) if up.type in CLASSES), None)
                name = self.written(owner.child_by_field_name("name")) if owner is not None else ""
                method, closed = False, owner is not None and not self._exported(name, owner)
        elif own is not None:
            name = self.written(own)
            closed = not self._exported(name, function)
        elif parent is not None and parent.type == "variable_declarator":
            name = self.written(parent.child_by_field_name("name"))
            closed = not self._exported(name, parent)
        if not name:
            return [], False
        kind = "member_expression" if method else "identifier"
        found = []
        for call in self.calls_by_name.get(name, []):
            callee = call.child_by_field_name("function") or call.child_by_field_name("constructor")
            if callee is not None and callee.type == kind:
                found.append(call)
        mentions = self.mentions[name]
        # A function that is also handed on by name may be called with anything.
        return found, closed and (method or mentions <= len(found) + 1)

    def _exported(self, name: str, node: Node) -> bool:
        if any(parent.type == "export_statement" for parent, _ in self.climb(node)):
            return True
        if any(self.written(item.child_by_field_name("name")) == name for item in self.nodes("export_specifier")):
            return True
        return any(
            name in self.written(found.child_by_field_name("right"))
            for found in self.nodes("assignment_expression")
            if "exports" in self.written(found.child_by_field_name("left"))
        )

    def _enum(self, node: Node, frame: Frame) -> Value:
        entries: list[Entry] = []
        body = node.child_by_field_name("body")
        for at, child in enumerate(parameters(body)):
            if child.type == "enum_assignment":
                key = key_text(child.child_by_field_name("name"), self.written)
                entries.append(Entry(key, self.value(child.child_by_field_name("value"), frame), self.spot(child)))
            else:
                entries.append(Entry(self.written(child), Lit(float(at), self.spot(child)), self.spot(child)))
        return Table(tuple(entries), self.spot(node))

    # --- indexes -----------------------------------------------------------------------------

    @cached_property
    def calls_by_name(self) -> dict[str, list[Node]]:
        """The calls and constructions under the last part of what is called."""
        index: dict[str, list[Node]] = {}
        for call in self.nodes("call_expression", "new_expression"):
            callee = call.child_by_field_name("function") or call.child_by_field_name("constructor")
            if callee is not None:
                index.setdefault(self.last_name(callee), []).append(call)
        return index

    @cached_property
    def calls_by_owner(self) -> dict[str, list[Node]]:
        """The calls of methods under the name whose method it is: `list` for `list.push(…)`."""
        index: dict[str, list[Node]] = {}
        for call in self.nodes("call_expression"):
            callee = call.child_by_field_name("function")
            owner = callee.child_by_field_name("object") if callee is not None else None
            if owner is not None and owner.type == "identifier":
                index.setdefault(self.written(owner), []).append(call)
        return index

    def last_name(self, callee: Node) -> str:
        """The last part of what is called."""
        if callee.type == "member_expression":
            return self.written(callee.child_by_field_name("property"))
        return self.written(callee) if callee.type in {"identifier", "super", "import"} else ""

    # --- what the later layers add -------------------------------------------------------------

    def part(self, owner: Value, index: Value, spot: Spot) -> Value:
        """`owner[index]`."""
        raise NotImplementedError

    def imported(self, module: str, name: str, spot: Spot) -> Value:
        """What an import gives."""
        raise NotImplementedError

    def assigned(self, value: Value, binding: Binding, name: str, use: Node, frame: Frame) -> Value:
        """The value with what is assigned to the name or to its properties elsewhere."""
        raise NotImplementedError

    def call(self, function: Local, arguments: tuple[Value, ...]) -> Value:
        """What a function written here returns."""
        raise NotImplementedError

    def attribute(self, owner: Local, name: str) -> Value:
        """What a class, an instance or this module has under a name."""
        raise NotImplementedError
