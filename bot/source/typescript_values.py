"""Expressions of a TypeScript or JavaScript file, evaluated without running them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.evaluate import EMPTY, Binding, guards_itself, walk
from bot.source.typescript_calls import called, constructed
from bot.source.typescript_flow import TypeScriptFlow
from bot.source.typescript_scope import (
    CLASSES,
    FUNCTIONS,
    key_text,
    parameters,
    string_text,
    unescaped,
)
from bot.source.values import (
    ABSENT,
    Either,
    Entry,
    Env,
    EnvMap,
    Lit,
    Local,
    Made,
    Ref,
    Seq,
    Table,
    Unknown,
    Value,
    as_text,
    each,
    either,
    fallback,
    field,
    join,
    truth,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Frame
    from bot.source.text import Spot

_WRAPPERS = {
    "parenthesized_expression",
    "as_expression",
    "satisfies_expression",
    "non_null_expression",
    "await_expression",
}
_ENVIRONMENTS = {("process", "env"), ("import.meta", "env"), ("Bun", "env"), ("globalThis", "process", "env")}
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
_FIELDS = {"public_field_definition", "field_definition"}
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d*\.?\d*(?:[eE][+-]?\d+)?")


class TypeScriptModule(TypeScriptFlow):
    """One TypeScript or JavaScript file whose expressions are evaluated."""

    def evaluate(self, node: Node, frame: Frame) -> Value:
        """What one kind of expression comes to."""
        kind = node.type
        if kind in _WRAPPERS:
            return self.value(next((child for child in node.named_children if child.type != "comment"), None), frame)
        if kind == "type_assertion":
            return self.value(node.named_children[-1] if node.named_children else None, frame)
        reader = getattr(self, f"_on_{kind}", None)
        if reader is not None:
            found: Value = reader(node, frame)
            return found
        if kind in FUNCTIONS:
            return Local("function", self, node, self.spot(node))
        if kind in CLASSES:
            return Local("class", self, node, self.spot(node))
        return Unknown("it is only known at run time")

    def _on_string(self, node: Node, _: Frame) -> Value:
        return Lit(string_text(node, self.written), self.spot(node))

    def _on_template_string(self, node: Node, frame: Frame) -> Value:
        parts: list[Value] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.value(child.named_children[0] if child.named_children else None, frame))
            else:
                text = self.written(child)
                parts.append(Lit(unescaped(text) if child.type == "escape_sequence" else text, self.spot(child)))
        return join(parts, self.spot(node))

    def _on_number(self, node: Node, _: Frame) -> Value:
        text = self.written(node).replace("_", "").removesuffix("n")
        if not text or not _NUMBER.fullmatch(text):
            return Unknown("it is no number")
        try:
            return Lit(float(int(text, 0)) if text[:2].lower() in {"0x", "0o", "0b"} else float(text), self.spot(node))
        except (ValueError, OverflowError):
            return Unknown("it is no number")

    def _on_true(self, node: Node, _: Frame) -> Value:
        return Lit(value=True, spot=self.spot(node))

    def _on_false(self, node: Node, _: Frame) -> Value:
        return Lit(value=False, spot=self.spot(node))

    def _on_null(self, node: Node, _: Frame) -> Value:
        return Lit(None, self.spot(node))

    _on_undefined = _on_null

    def _on_identifier(self, node: Node, frame: Frame) -> Value:
        return self.named(self.written(node), node, frame)

    _on_shorthand_property_identifier = _on_identifier

    def _on_object(self, node: Node, frame: Frame) -> Value:
        entries: list[Entry] = []
        for child in node.named_children:
            spot = self.spot(child)
            if child.type == "pair":
                key = self._key(child.child_by_field_name("key"), frame)
                value = self.value(child.child_by_field_name("value"), frame)
                entries.append(Entry(key, value if key is not None else Unknown("a computed name"), spot))
            elif child.type == "shorthand_property_identifier":
                entries.append(Entry(self.written(child), self.value(child, frame), spot))
            elif child.type == "spread_element":
                inner = self.value(child.named_children[0] if child.named_children else None, frame)
                entries.append(Entry(None, inner, spot))
            elif child.type == "method_definition":
                name = key_text(child.child_by_field_name("name"), self.written)
                if any(part.type == "get" for part in child.children):
                    entries.append(Entry(name, self.returned(child, (), frame), spot))
                else:
                    entries.append(Entry(name, Local("function", self, child, spot), spot))
        return Table(tuple(entries), self.spot(node))

    def _key(self, node: Node | None, frame: Frame) -> str | None:
        if node is not None and node.type == "computed_property_name":
            return as_text(self.value(node.named_children[0] if node.named_children else None, frame))
        return key_text(node, self.written)

    def _on_array(self, node: Node, frame: Frame) -> Value:
        items: list[Value] = []
        whole = True
        for child in node.named_children:
            if child.type == "comment":
                continue
            if child.type == "spread_element":
                for inner in each(self.value(child.named_children[0] if child.named_children else None, frame)):
                    if isinstance(inner, Seq):
                        items.extend(inner.items)
                        whole = whole and inner.whole and inner is not None
                    else:
                        whole = False
                continue
            items.append(self.value(child, frame))
        return Seq(tuple(items), whole, self.spot(node))

    def _on_binary_expression(self, node: Node, frame: Frame) -> Value:
        operator = self.written(node.child_by_field_name("operator"))
        left = self.value(node.child_by_field_name("left"), frame)
        right_node = node.child_by_field_name("right")
        if operator == "&&":
            sure = truth(left)
            if sure is False:
                return left
            right = self.value(right_node, frame)
            return right if sure else either([Lit(None, self.spot(node)), right])
        right = self.value(right_node, frame)
        if operator in {"??", "||"}:
            return fallback(left, right, loose=operator == "||")
        if operator == "+" and not (_is_number(left) and _is_number(right)):
            return join([left, right], self.spot(node))
        if isinstance(left, Lit) and isinstance(right, Lit):
            return _calculated(operator, left.value, right.value, self.spot(node))
        return Unknown("it is calculated at run time")

    def _on_ternary_expression(self, node: Node, frame: Frame) -> Value:
        condition = node.child_by_field_name("condition")
        yes, no = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        known = self.value(condition, frame)
        sure = truth(known)
        if sure is not None:
            return self.value(yes if sure else no, frame)
        first = self.value(yes, frame)
        if self.written(condition) == self.written(yes):
            return fallback(first, self.value(no, frame), loose=True)
        nothing = no is not None and no.type in {"undefined", "null"}
        if nothing and isinstance(first, Table) and guards_itself(self.written(condition), self.written(yes)):
            return first  # without a name there is nothing to ask for
        return either([first, self.value(no, frame)])

    def _on_unary_expression(self, node: Node, frame: Frame) -> Value:
        operator = self.written(node.child_by_field_name("operator"))
        value = self.value(node.child_by_field_name("argument"), frame)
        if operator == "void":
            return Lit(None, self.spot(node))
        if operator in {"-", "+"} and isinstance(value, Lit) and isinstance(value.value, float):
            return Lit(-value.value if operator == "-" else value.value, self.spot(node))
        if operator == "!" and truth(value) is not None:
            return Lit(not truth(value), self.spot(node))
        return Unknown("it is calculated at run time")

    def _on_sequence_expression(self, node: Node, frame: Frame) -> Value:
        return self.value(node.named_children[-1] if node.named_children else None, frame)

    def _on_assignment_expression(self, node: Node, frame: Frame) -> Value:
        return self.value(node.child_by_field_name("right"), frame)

    def _on_meta_property(self, node: Node, _: Frame) -> Value:
        return Ref("", ("import.meta",), self.spot(node))

    def _on_this(self, node: Node, _: Frame) -> Value:
        for parent, _child in self.climb(node):
            if parent.type in CLASSES:
                return Local("instance", self, parent, self.spot(parent))
            if parent.type in {"function_declaration", "function_expression"}:
                break
        return Unknown("`this` is only known at run time")

    def _on_member_expression(self, node: Node, frame: Frame) -> Value:
        name, holder = self.written(node.child_by_field_name("property")), node.child_by_field_name("object")
        owner = self.value(holder, frame)
        if isinstance(owner, Unknown | Ref) and _SETTING.fullmatch(name):
            whole = self.written(holder).rpartition(".")[2]
            if whole.lower() == "env" and (isinstance(owner, Unknown) or owner.module):
                # `env` that is handed in (Workers, Hono) or checked in another package is the environment, too.
                return Env(name, self.spot(node), Unknown("its schema may give a default"))
        return self.member(owner, name, self.spot(node))

    def _on_subscript_expression(self, node: Node, frame: Frame) -> Value:
        owner = self.value(node.child_by_field_name("object"), frame)
        return self.part(owner, self.value(node.child_by_field_name("index"), frame), self.spot(node))

    def _on_call_expression(self, node: Node, frame: Frame) -> Value:
        return called(self, node, frame)

    def _on_new_expression(self, node: Node, frame: Frame) -> Value:
        return constructed(self, node, frame)

    def part(self, owner: Value, index: Value, spot: Spot) -> Value:
        """`owner[index]`."""
        if isinstance(index, Either):
            return either(self.part(owner, option, spot) for option in index.options)
        if isinstance(index, Lit) and isinstance(index.value, float):
            if isinstance(owner, Seq):
                at = int(index.value) if index.value.is_integer() else -1
                if 0 <= at < len(owner.items):
                    return owner.items[at]
            return Unknown("an item that is only known at run time")
        key = as_text(index)
        if key is not None:
            return self.member(owner, key, spot)
        if isinstance(owner, Table) and all(item.key is not None for item in owner.entries):
            # Picked out of a table by a key that is only known at run time: it is one of these.
            return either([*(item.value for item in owner.entries), Unknown("it depends on a key")])
        return Unknown("it depends on a key that is only known at run time")

    def member(self, value: Value, name: str, spot: Spot) -> Value:
        """`value.name`."""
        match value:
            case Table():
                found = field(value, name)
                return Lit(None, spot) if found is ABSENT else found
            case EnvMap(own_defaults=own):
                return Env(name, spot, Unknown("its schema may give a default") if own else None)
            case Ref(module=module, path=path):
                full = (*path, name)
                if (not module and full in _ENVIRONMENTS) or (module in {"process", "node:process"} and name == "env"):
                    return EnvMap()
                return Ref(module, full, spot)
            case Made(callee=Ref(name="ServerOptions" | "WorkerOptions"), args=(first, *_)):
                return self.member(first, name, spot)
            case Made():
                return Unknown(f"`{name}` of what `{'.'.join(value.callee.path)}` gives")
            case Lit(value=None):
                return value
            case Local(kind="module") if name == "default":
                return value.home.attribute(value, name)
        return super().member(value, name, spot)

    def attribute(self, owner: Local, name: str) -> Value:
        """What a class, an instance or this module has under a name."""
        if owner.kind == "module":
            return self.export(name)
        if owner.kind == "function" or owner.node is None:
            return Unknown("it is only known at run time")
        body = owner.node.child_by_field_name("body")
        static = owner.kind == "class"
        for child in body.named_children if body is not None else []:
            if key_text(child.child_by_field_name("name"), self.written) != name:
                continue
            if static != any(part.type == "static" for part in child.children):
                continue
            if child.type in _FIELDS:
                return self._field(child, owner.node)
            if child.type == "method_definition":
                if any(part.type == "get" for part in child.children):
                    return self.returned(child, ())
                return Local("function", self, child, self.spot(child))
        if not static:
            found = self._from_constructor(owner, body, name)
            if found is not None:
                return found
        return Unknown(f"`{name}` is only known at run time")

    def _field(self, node: Node, cls: Node) -> Value:
        value = node.child_by_field_name("value")
        name = key_text(node.child_by_field_name("name"), self.written) or ""
        set_later = [
            self.value(found.child_by_field_name("right"))
            for found in self.nodes("assignment_expression")
            if self.written(found.child_by_field_name("left")) == f"this.{name}"
            and cls.start_byte <= found.start_byte < cls.end_byte
        ]
        if value is None:
            return either(set_later) if set_later else Unknown("it is only known at run time")
        return either([self.value(value), *set_later])

    def _from_constructor(self, owner: Local, body: Node | None, name: str) -> Value | None:
        for child in body.named_children if body is not None else []:
            if child.type != "method_definition" or self.written(child.child_by_field_name("name")) != "constructor":
                continue
            frame = {child.id: owner.args} if owner.args else EMPTY
            for index, parameter in enumerate(parameters(child.child_by_field_name("parameters"))):
                pattern = parameter.child_by_field_name("pattern")
                marked = any(part.type in {"accessibility_modifier", "readonly"} for part in parameter.children)
                if marked and self.written(pattern) == name:
                    default = parameter.child_by_field_name("value")
                    return self._argument(Binding("param", child, child, default=default, index=index), frame)
            inner = child.child_by_field_name("body")
            for node in walk(inner) if inner is not None else ():
                if node.type == "assignment_expression":
                    left = node.child_by_field_name("left")
                    if self.written(left) == f"this.{name}":
                        return self.value(node.child_by_field_name("right"), frame)
        return None


def _is_number(value: Value) -> bool:
    return isinstance(value, Lit) and isinstance(value.value, float) and not isinstance(value.value, bool)


def _calculated(operator: str, left: object, right: object, spot: Spot) -> Value:
    if operator in {"===", "=="}:
        return Lit(left == right, spot)
    if operator in {"!==", "!="}:
        return Lit(left != right, spot)
    if not isinstance(left, float) or not isinstance(right, float):
        return Unknown("it is calculated at run time")
    try:
        match operator:
            case "+":
                return Lit(left + right, spot)
            case "-":
                return Lit(left - right, spot)
            case "*":
                return Lit(left * right, spot)
            case "/":
                return Lit(left / right, spot)
            case "**":
                return Lit(float(left**right), spot)
    except (ArithmeticError, ValueError, TypeError):
        pass
    return Unknown("it is calculated at run time")
