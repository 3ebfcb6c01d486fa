"""What the classes of a Python file hold: constants, enums, dataclasses and settings read from the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.evaluate import walk
from bot.source.python_scope import parameters
from bot.source.values import (
    ABSENT,
    Env,
    Lit,
    Local,
    Made,
    Ref,
    Table,
    Unknown,
    Value,
    either,
    field,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.python_names import PythonNames

_PREFIX = re.compile(r"""env_prefix["']?\s*[=:]\s*["']([^"']*)["']""")
_ALIASES = ("validation_alias", "alias", "env")


def class_attribute(module: PythonNames, owner: Local, name: str) -> Value:
    """What a class or an instance of it has under a name."""
    node = owner.node
    if node is None:
        return Unknown("it is only known at run time")
    settings = is_settings(module, node)
    for kind, found in _members(module, node, name):
        if kind == "method":
            return _method(module, owner, found)
        default = _default(module, found)
        if settings:
            return _setting(module, node, name, found, default)
        if owner.kind == "instance":
            given = _given(module, owner, name, node)
            if given is not ABSENT:
                return given
            set_later = list(_set_on_self(module, owner, name))
            if set_later:
                return either([*([default] if default is not ABSENT else []), *set_later])
        return Unknown("it gets its value from a caller") if default is ABSENT else default
    if owner.kind == "instance":
        set_later = list(_set_on_self(module, owner, name))
        if set_later:
            return either(set_later)
    return _inherited(module, owner, name)


def _members(module: PythonNames, node: Node, name: str) -> Iterator[tuple[str, Node]]:
    body = node.child_by_field_name("body")
    for child in body.named_children if body is not None else []:
        if child.type == "expression_statement":
            for inner in child.named_children:
                if inner.type == "assignment" and module.written(inner.child_by_field_name("left")) == name:
                    yield "value", inner
        definition = child.child_by_field_name("definition") if child.type == "decorated_definition" else child
        if definition is None or definition.type != "function_definition":
            continue
        if module.written(definition.child_by_field_name("name")) == name:
            yield "method", definition


def _method(module: PythonNames, owner: Local, node: Node) -> Value:
    above = node.parent
    marks = module.written(above)[: node.start_byte - above.start_byte] if above is not None else ""
    decorated = above is not None and above.type == "decorated_definition"
    bound = () if decorated and "@staticmethod" in marks else (owner,)
    function = Local("function", module, node, module.spot(node), bound)
    if decorated and ("@property" in marks or "@cached_property" in marks or "@computed_field" in marks):
        return module.call(function, ())
    return function


def _default(module: PythonNames, node: Node) -> Value:
    value = module.value(node.child_by_field_name("right"))
    if isinstance(value, Made) and value.callee.name in {"Field", "field"}:
        if value.named is not None:
            for key in ("default", "default_factory"):
                found = field(value.named, key)
                if found is not ABSENT:
                    return module.call(found, ()) if isinstance(found, Local) else found
        first = value.args[0] if value.args else ABSENT
        # `Field(...)` is a field that must be given.
        return ABSENT if isinstance(first, Unknown) else first
    return value


def is_settings(module: PythonNames, node: Node) -> bool:
    """Whether a class reads its fields from the environment, as those of pydantic do."""
    bases = node.child_by_field_name("superclasses")
    for child in bases.named_children if bases is not None else []:
        if module.written(child).rpartition(".")[2] == "BaseSettings":
            return True
        value = module.value(child) if child.type == "identifier" else ABSENT
        if isinstance(value, Local) and value.kind == "class" and value.node is not None and value.home is module:
            return is_settings(module, value.node)
    return False


def _setting(module: PythonNames, cls: Node, name: str, node: Node, default: Value) -> Value:
    """A field of a settings class is the environment variable of its name, whatever the case."""
    prefix = _PREFIX.search(module.written(cls))
    variable = (prefix.group(1) if prefix else "") + name
    made = module.value(node.child_by_field_name("right"))
    if isinstance(made, Made) and made.named is not None:
        for key in _ALIASES:
            alias = field(made.named, key)
            if isinstance(alias, Lit) and isinstance(alias.value, str):
                variable = alias.value
                break
    return Env(variable.upper(), module.spot(node), None if default is ABSENT else default)


def _given(module: PythonNames, owner: Local, name: str, node: Node) -> Value:
    """The argument of the constructor that a dataclass or a model was made with."""
    if owner.named is not None:
        found = field(owner.named, name)
        if found is not ABSENT:
            return found
    body = node.child_by_field_name("body")
    fields = [
        module.written(inner.child_by_field_name("left"))
        for child in (body.named_children if body is not None else [])
        if child.type == "expression_statement"
        for inner in child.named_children
        if inner.type == "assignment" and inner.child_by_field_name("type") is not None
    ]
    if name in fields and fields.index(name) < len(owner.args):
        return owner.args[fields.index(name)]
    return ABSENT


def _set_on_self(module: PythonNames, owner: Local, name: str) -> Iterator[Value]:
    node = owner.node
    body = node.child_by_field_name("body") if node is not None else None
    for child in body.named_children if body is not None else []:
        definition = child.child_by_field_name("definition") if child.type == "decorated_definition" else child
        if definition is None or definition.type != "function_definition":
            continue
        inner = definition.child_by_field_name("body")
        for found in walk(inner) if inner is not None else ():
            left = found.child_by_field_name("left") if found.type == "assignment" else None
            if left is None or module.written(left) != f"self.{name}":
                continue
            if module.written(definition.child_by_field_name("name")) == "__init__" and (owner.args or owner.named):
                yield module.value(
                    found.child_by_field_name("right"), {definition.id: _bound(module, definition, owner)}
                )
            else:
                yield module.value(found.child_by_field_name("right"))


def _bound(module: PythonNames, function: Node, owner: Local) -> tuple[Value, ...]:
    given: list[Value] = [owner, *owner.args]
    for index, (name, _, _) in enumerate(parameters(function, module.written)):
        named = field(owner.named, name) if isinstance(owner.named, Table) else ABSENT
        while len(given) <= index:
            given.append(ABSENT)
        if named is not ABSENT:
            given[index] = named
    return tuple(given)


def _inherited(module: PythonNames, owner: Local, name: str) -> Value:
    node = owner.node
    bases = node.child_by_field_name("superclasses") if node is not None else None
    for child in bases.named_children if bases is not None else []:
        value = module.value(child) if child.type in {"identifier", "attribute"} else ABSENT
        if isinstance(value, Local) and value.kind == "class" and value.node is not node:
            return value.home.attribute(
                Local(owner.kind, value.home, value.node, owner.spot, owner.args, owner.named), name
            )
        if isinstance(value, Ref) and value.name in {"Enum", "StrEnum"}:
            continue
    return Unknown(f"`{name}` is only known at run time")
