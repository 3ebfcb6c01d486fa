"""Expressions of a Python file, evaluated without running them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.python_calls import called
from bot.source.python_classes import class_attribute
from bot.source.python_names import PythonNames
from bot.source.python_scope import FUNCTIONS
from bot.source.values import (
    ABSENT,
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
    either,
    fallback,
    field,
    join,
    options,
    truth,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Frame
    from bot.source.text import Spot

_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\n": "",
    "\r\n": "",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_PREFIX = re.compile(r"^([A-Za-z]*)")


class PythonModule(PythonNames):
    """One Python file whose expressions are evaluated."""

    def evaluate(self, node: Node, frame: Frame) -> Value:
        """What one kind of expression comes to."""
        reader = getattr(self, f"_on_{node.type}", None)
        if reader is not None:
            found: Value = reader(node, frame)
            return found
        if node.type in FUNCTIONS:
            return Local("function", self, node, self.spot(node))
        return Unknown("it is only known at run time")

    def _on_string(self, node: Node, frame: Frame) -> Value:
        start = self.written(node.named_children[0]) if node.named_children else ""
        match = _PREFIX.match(start)
        prefix = match.group(1).lower() if match else ""
        parts: list[Value] = []
        for child in node.named_children:
            if child.type == "string_content":
                parts.append(Lit(self._content(child, raw="r" in prefix), self.spot(child)))
            elif child.type == "interpolation":
                if child.child_by_field_name("format_specifier") is not None or child.child_by_field_name(
                    "type_conversion"
                ):
                    parts.append(Unknown("it is formatted at run time"))
                else:
                    parts.append(self.value(child.child_by_field_name("expression"), frame))
        if "b" in prefix:
            return Unknown("it is a byte string")
        return join(parts, self.spot(node)) if parts else Lit("", self.spot(node))

    def _content(self, node: Node, *, raw: bool) -> str:
        text = self.written(node)
        if raw or "\\" not in text:
            return text
        pieces: list[str] = []
        at = node.start_byte
        for child in node.named_children:
            pieces.append(self.text.data[at : child.start_byte].decode("utf-8", "replace"))
            sequence = self.written(child)
            pieces.append(_unescaped(sequence) if child.type == "escape_sequence" else sequence)
            at = child.end_byte
        pieces.append(self.text.data[at : node.end_byte].decode("utf-8", "replace"))
        return "".join(pieces)

    def _on_concatenated_string(self, node: Node, frame: Frame) -> Value:
        parts = [self.value(child, frame) for child in node.named_children if child.type == "string"]
        return join(parts, self.spot(node))

    def _on_integer(self, node: Node, _: Frame) -> Value:
        try:
            return Lit(float(int(self.written(node), 0)), self.spot(node))
        except (ValueError, OverflowError):
            return Unknown("it is no number")

    def _on_float(self, node: Node, _: Frame) -> Value:
        try:
            return Lit(float(self.written(node)), self.spot(node))
        except ValueError:
            return Unknown("it is no number")

    def _on_true(self, node: Node, _: Frame) -> Value:
        return Lit(value=True, spot=self.spot(node))

    def _on_false(self, node: Node, _: Frame) -> Value:
        return Lit(value=False, spot=self.spot(node))

    def _on_none(self, node: Node, _: Frame) -> Value:
        return Lit(None, self.spot(node))

    def _on_dictionary(self, node: Node, frame: Frame) -> Value:
        entries: list[Entry] = []
        for child in node.named_children:
            spot = self.spot(child)
            if child.type == "pair":
                key = as_text(self.value(child.child_by_field_name("key"), frame))
                value = self.value(child.child_by_field_name("value"), frame)
                entries.append(Entry(key, value if key is not None else Unknown("a computed name"), spot))
            elif child.type == "dictionary_splat":
                entries.append(Entry(None, self.value(_only(child), frame), spot))
        return Table(tuple(entries), self.spot(node))

    def _on_list(self, node: Node, frame: Frame) -> Value:
        items: list[Value] = []
        whole = True
        for child in node.named_children:
            if child.type == "comment":
                continue
            value = self.value(_only(child) if child.type == "list_splat" else child, frame)
            if child.type != "list_splat":
                items.append(value)
            elif isinstance(value, Seq):
                items.extend(value.items)
                whole = whole and value.whole
            else:
                whole = False
        return Seq(tuple(items), whole, self.spot(node))

    _on_tuple = _on_set = _on_expression_list = _on_list

    def _on_list_comprehension(self, node: Node, frame: Frame) -> Value:
        body = node.child_by_field_name("body")
        clauses = [child for child in node.named_children if child.type in {"for_in_clause", "if_clause"}]
        if len(clauses) == 1 and body is not None:
            left, listed = clauses[0].child_by_field_name("left"), clauses[0].child_by_field_name("right")
            source = self.value(listed, frame)
            if isinstance(source, Seq) and left is not None and left.type == "identifier":
                found = [self.value(body, {**frame, clauses[0].id: (item,)}) for item in source.items[:20]]
                return Seq(tuple(found), source.whole, self.spot(node))
        return Seq((self.value(body, frame),), whole=False, spot=self.spot(node))

    _on_generator_expression = _on_set_comprehension = _on_list_comprehension

    def _on_parenthesized_expression(self, node: Node, frame: Frame) -> Value:
        return self.value(_only(node), frame)

    _on_await = _on_parenthesized_expression

    def _on_named_expression(self, node: Node, frame: Frame) -> Value:
        return self.value(node.child_by_field_name("value"), frame)

    def _on_boolean_operator(self, node: Node, frame: Frame) -> Value:
        left = self.value(node.child_by_field_name("left"), frame)
        right_node = node.child_by_field_name("right")
        if self.written(node.child_by_field_name("operator")) == "or":
            return fallback(left, self.value(right_node, frame), loose=True)
        sure = truth(left)
        if sure is False:
            return left
        right = self.value(right_node, frame)
        return right if sure else either([Lit(None, self.spot(node)), right])

    def _on_conditional_expression(self, node: Node, frame: Frame) -> Value:
        if len(node.named_children) != 3:
            return Unknown("it is only known at run time")
        yes, condition, no = node.named_children
        sure = truth(self.value(condition, frame))
        if sure is not None:
            return self.value(yes if sure else no, frame)
        first = self.value(yes, frame)
        if self.written(condition) == self.written(yes):
            return fallback(first, self.value(no, frame), loose=True)
        return either([first, self.value(no, frame)])

    def _on_not_operator(self, node: Node, frame: Frame) -> Value:
        sure = truth(self.value(node.child_by_field_name("argument"), frame))
        return Unknown("it is only known at run time") if sure is None else Lit(not sure, self.spot(node))

    def _on_unary_operator(self, node: Node, frame: Frame) -> Value:
        value = self.value(node.child_by_field_name("argument"), frame)
        if isinstance(value, Lit) and isinstance(value.value, float):
            negative = self.written(node).startswith("-")
            return Lit(-value.value if negative else value.value, self.spot(node))
        return Unknown("it is calculated at run time")

    def _on_binary_operator(self, node: Node, frame: Frame) -> Value:
        left = self.value(node.child_by_field_name("left"), frame)
        right = self.value(node.child_by_field_name("right"), frame)
        operator = self.written(node.child_by_field_name("operator"))
        if isinstance(left, Seq) and isinstance(right, Seq) and operator == "+":
            return Seq((*left.items, *right.items), left.whole and right.whole, self.spot(node))
        if isinstance(left, Table) and isinstance(right, Table) and operator == "|":
            return Table((*left.entries, *right.entries), self.spot(node))
        if isinstance(left, Lit) and isinstance(right, Lit):
            one, other = left.value, right.value
            if isinstance(one, float) and isinstance(other, float):
                return _calculated(operator, one, other, self.spot(node))
        if operator == "+":
            return join([left, right], self.spot(node))
        return Unknown("it is calculated at run time")

    def _on_comparison_operator(self, _node: Node, _: Frame) -> Value:
        return Unknown("it is decided at run time")

    def _on_attribute(self, node: Node, frame: Frame) -> Value:
        name = self.written(node.child_by_field_name("attribute"))
        return self.member(self.value(node.child_by_field_name("object"), frame), name, self.spot(node))

    def _on_subscript(self, node: Node, frame: Frame) -> Value:
        owner = self.value(node.child_by_field_name("value"), frame)
        index = self.value(node.child_by_field_name("subscript"), frame)
        return either(self._part(owner, option, self.spot(node)) for option in options(index))

    def _part(self, owner: Value, index: Value, spot: Spot) -> Value:
        key = as_text(index)
        if isinstance(index, Lit) and isinstance(index.value, float):
            at = int(index.value) if index.value.is_integer() else None
            if at is not None and isinstance(owner, Seq) and owner.whole and -len(owner.items) <= at < len(owner.items):
                return owner.items[at]
        elif key is not None and isinstance(owner, Table):
            found = field(owner, key)
            return Unknown(f"there is no `{key}`") if found is ABSENT else found
        elif key is not None and isinstance(owner, EnvMap):
            return self.member(owner, key, spot)
        elif isinstance(owner, Table) and all(item.key is not None for item in owner.entries):
            return either([*(item.value for item in owner.entries), Unknown("it depends on a key")])
        return Unknown("it depends on a key that is only known at run time")

    def _on_call(self, node: Node, frame: Frame) -> Value:
        return called(self, node, frame)

    def member(self, value: Value, name: str, spot: Spot) -> Value:
        """`value.name`."""
        match value:
            case Ref(module=module, path=path):
                if (module, *path, name) in {("os", "environ"), ("", "os", "environ")}:
                    return EnvMap()
                return Ref(module, (*path, name), spot)
            case EnvMap(own_defaults=own):
                return Env(name, spot, Unknown("its schema may give a default") if own else None)
            case Made(named=Table() as named):
                found = field(named, name)
                if found is not ABSENT:
                    return found
                return Unknown(f"`{name}` of what `{'.'.join(value.callee.path)}` gives")
            case Lit() if name in {"value", "name"}:
                return value  # a member of an Enum
        return super().member(value, name, spot)

    def attribute(self, owner: Local, name: str) -> Value:
        """What a class, an instance or this module has under a name."""
        if owner.kind == "module":
            return self.export(name)
        if owner.kind == "function" or owner.node is None:
            return Unknown("it is only known at run time")
        return class_attribute(self, owner, name)

    def _on_identifier(self, node: Node, frame: Frame) -> Value:
        name = self.written(node)
        found = self.scopes.find(name, node)
        if found:
            return self.defined(found, name, node, frame)
        for star in self.scopes.scope(self.root).get("*", []):
            value = self.imported(star.module, name, self.spot(node))
            if not isinstance(value, Unknown | Ref) or (isinstance(value, Ref) and "livekit" in value.module):
                return value
        return Ref("", (name,), self.spot(node))


def _only(node: Node) -> Node | None:
    return next((child for child in node.named_children if child.type != "comment"), None)


def _unescaped(sequence: str) -> str:
    body = sequence[1:]
    if body in _ESCAPES:
        return _ESCAPES[body]
    if body[:1] in {"x", "u", "U"}:
        try:
            return chr(int(body[1:], 16))
        except (ValueError, OverflowError):
            return sequence
    return body if body in {"\\", "'", '"'} else sequence


def _calculated(operator: str, left: float, right: float, spot: Spot) -> Value:
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
            case "//":
                return Lit(left // right, spot)
            case "**":
                result = left**right
                return Lit(result, spot) if isinstance(result, float) else Unknown("it is calculated at run time")
    except ArithmeticError:
        pass
    return Unknown("it is calculated at run time")
