"""What a TypeScript or JavaScript file assigns, returns, imports and exports."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bot.source.evaluate import EMPTY, Binding, walk
from bot.source.typescript_names import TypeScriptNames
from bot.source.typescript_scope import CLASSES, FUNCTIONS, parameters, string_text
from bot.source.values import (
    ABSENT,
    Entry,
    EnvMap,
    Lit,
    Local,
    Made,
    Ref,
    Seq,
    Table,
    Unknown,
    Value,
    either,
    fallback,
    field,
    grown,
    join,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Frame
    from bot.source.text import Spot


class TypeScriptFlow(TypeScriptNames):
    """One file with what happens to its names."""

    @cached_property
    def writes(self) -> dict[str, list[tuple[Node, Node, list[str] | None]]]:
        """The assignments under the name at the root of their left side, with that name and the steps below it."""
        index: dict[str, list[tuple[Node, Node, list[str] | None]]] = {}
        for node in self.nodes("assignment_expression", "augmented_assignment_expression", "update_expression"):
            left = node.child_by_field_name("left") or node.child_by_field_name("argument")
            base, steps = self._target(left) if left is not None else (None, None)
            if base is not None:
                index.setdefault(self.written(base), []).append((node, base, steps))
        return index

    def assigned(self, value: Value, binding: Binding, name: str, use: Node, frame: Frame) -> Value:
        """The value with what is assigned to the name or to its properties elsewhere."""
        for node, base, steps in self.writes.get(name, []):
            if not _same_binding(self.scopes.find(name, base), binding):
                continue
            same_function = self.function_at(node) == self.function_at(use)
            if same_function and node.start_byte >= use.start_byte:
                continue
            new = (
                self.value(node.child_by_field_name("right"), frame)
                if node.type == "assignment_expression"
                else self._augmented(node, value, frame)
            )
            home = self.function_at(binding.node)
            # Seen from inside another function, what stands beside the definition has been run.
            after = same_function or self.function_at(use) != home
            sure = after and self.function_at(node) == home and not self.scopes.conditional(node, binding.scope)
            value = self._written_to(value, steps, new, node, sure=sure)
        if isinstance(value, Seq):
            value = self._grown(value, binding, name, use, frame)
        return Unknown("it gets no value in this file") if value is ABSENT else value

    def _grown(self, value: Seq, binding: Binding, name: str, use: Node, frame: Frame) -> Seq:
        """A list with what is pushed to it."""
        for node in self.calls_by_owner.get(name, []):
            callee = node.child_by_field_name("function")
            base = callee.child_by_field_name("object") if callee is not None else None
            if callee is None or base is None:
                continue
            if self.written(callee.child_by_field_name("property")) not in {"push", "unshift"}:
                continue
            if not _same_binding(self.scopes.find(name, base), binding):
                continue
            if self.function_at(node) == self.function_at(use) and node.start_byte >= use.start_byte:
                continue
            sure = not self.scopes.conditional(node, binding.scope)
            for argument in parameters(node.child_by_field_name("arguments")):
                several = argument.type == "spread_element"
                inner = argument.named_children[0] if several and argument.named_children else argument
                value = grown(value, self.value(inner, frame), several=several, sure=sure)
        return value

    def _augmented(self, node: Node, value: Value, frame: Frame) -> Value:
        right = self.value(node.child_by_field_name("right"), frame)
        operator = self.written(node.child_by_field_name("operator"))
        if operator in {"??=", "||="}:
            return fallback(value, right, loose=operator == "||=")
        if operator == "+=":
            return join([value, right], self.spot(node))
        return Unknown("it changes while the program runs")

    def _written_to(self, value: Value, steps: list[str] | None, new: Value, node: Node, *, sure: bool) -> Value:
        if steps is None:
            return value
        if not steps:
            return new if sure or value is ABSENT else either([value, new])
        if isinstance(value, Made) and value.callee.name in {"ServerOptions", "WorkerOptions"} and value.args:
            first = self._written_to(value.args[0], steps, new, node, sure=sure)
            return Made(value.callee, (first, *value.args[1:]), value.named, value.spot)
        if isinstance(value, Table) and len(steps) == 1:
            if not sure:
                old = field(value, steps[0])
                new = either([Lit(None, self.spot(node)) if old is ABSENT else old, new])
            return Table((*value.entries, Entry(steps[0], new, self.spot(node))), value.spot)
        return value

    def _target(self, node: Node) -> tuple[Node | None, list[str] | None]:
        """The name at the root of an assignment's left side, and the properties below it."""
        steps: list[str] = []
        known = True
        while node.type in {"member_expression", "subscript_expression", "non_null_expression"}:
            if node.type == "member_expression":
                steps.insert(0, self.written(node.child_by_field_name("property")))
            elif node.type == "subscript_expression":
                index = node.child_by_field_name("index")
                known = known and index is not None and index.type == "string"
                steps.insert(0, string_text(index, self.written))
            inner = node.child_by_field_name("object") or (node.named_children[0] if node.named_children else None)
            if inner is None:
                return None, None
            node = inner
        return (node, steps if known else None) if node.type == "identifier" else (None, None)

    def results(self, function: Node) -> list[Node]:
        """The expressions that a function may return."""
        body = function.child_by_field_name("body")
        if body is None:
            return []
        if body.type != "statement_block":
            return [body]
        return [
            node.named_children[0]
            for node in walk(body, skip=FUNCTIONS | CLASSES)
            if node.type == "return_statement" and node.named_children
        ]

    def call(self, function: Local, arguments: tuple[Value, ...]) -> Value:
        """What a function written here returns."""
        return self.returned(function.node, arguments) if function.node is not None else ABSENT

    def imported(self, module: str, name: str, spot: Spot) -> Value:
        """What an import gives: followed into the project's own files, else the name alone."""
        if module in {"process", "node:process"} and name == "env":
            return EnvMap()
        found = self.load(self.text.source, module) if self.load is not None else None
        if found is None:
            return Ref(module, () if name == "*" else (name,), spot)
        if name == "*":
            return Local("module", found, None, spot)  # type: ignore[arg-type]  # each Evaluator at hand is a Home
        value = found.export(name)
        return value if value is not ABSENT else Unknown(f"`{name}` is not found in `{module}`")

    def export(self, name: str) -> Value:
        """What the module offers under a name."""
        if self.text.source.endswith(".json"):
            whole = self.value(self.root.named_children[0].named_children[0] if self._is_wrapped() else None)
            return whole if name == "default" else self.member(whole, name, self.spot(self.root))
        for node in self.nodes("export_statement"):
            value = self._exported_by(node, name)
            if value is not None:
                return value
        return self._common_js(name)

    def _exported_by(self, node: Node, name: str) -> Value | None:
        source = node.child_by_field_name("source")
        module = string_text(source, self.written)
        for child in node.named_children:
            if child.type == "export_clause":
                for item in child.named_children:
                    alias = item.child_by_field_name("alias") or item.child_by_field_name("name")
                    if self.written(alias) != name:
                        continue
                    inner = self.written(item.child_by_field_name("name"))
                    if source is not None:
                        return self.imported(module, inner, self.spot(item))
                    return self.named(inner, item, EMPTY)
            elif child.type == "namespace_export" and any(self.written(part) == name for part in child.named_children):
                return self.imported(module, "*", self.spot(child))
        plain_star = source is not None and not any(
            child.type in {"export_clause", "namespace_export"} for child in node.named_children
        )
        if plain_star and name != "default":
            found = self.load(self.text.source, module) if self.load is not None else None
            value = found.export(name) if found is not None and found is not self else ABSENT
            return None if value is ABSENT else value
        declared = node.child_by_field_name("declaration")
        if any(part.type == "default" for part in node.children):
            given = node.child_by_field_name("value") or declared
            if name != "default" or given is None:
                return None
            own = given.child_by_field_name("name")
            if given.type in FUNCTIONS | CLASSES and own is not None:
                return self.named(self.written(own), given, EMPTY)
            return self.value(given)
        binding = self.scopes.scope(self.root).get(name) if declared is not None else None
        if binding is None or declared is None:
            return None
        if not declared.start_byte <= binding.node.start_byte < declared.end_byte:
            return None
        return self.bound(binding, name, self._last(), EMPTY)

    def _is_wrapped(self) -> bool:
        first = self.root.named_children[0] if self.root.named_children else None
        return first is not None and first.type == "expression_statement" and bool(first.named_children)

    def _last(self) -> Node:
        # Seen from another module, everything at the top level of this one has been run.
        return self.root.children[-1] if self.root.children else self.root

    def _common_js(self, name: str) -> Value:
        whole: Value = ABSENT
        for node in self.nodes("assignment_expression"):
            left = self.written(node.child_by_field_name("left"))
            if left in {f"exports.{name}", f"module.exports.{name}"}:
                return self.value(node.child_by_field_name("right"))
            if left == "module.exports":
                whole = self.value(node.child_by_field_name("right"))
        if name == "default" or whole is ABSENT:
            return whole
        return self.member(whole, name, self.spot(self.root))


def _same_binding(one: Binding | None, other: Binding) -> bool:
    return one is not None and one.node.id == other.node.id and one.path == other.path
