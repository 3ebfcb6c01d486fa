"""Parameters that have a type of which the project keeps one constant, as front ends keep their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.evaluate import PASSED_IN
from bot.source.typescript_names import TypeScriptNames
from bot.source.typescript_scope import parameters
from bot.source.values import Entry, Table, Unknown, Value

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Binding


def constant_of_type(module: TypeScriptNames, binding: Binding) -> Value | None:
    """The only constant with the type of a parameter (or of the part of it that is bound), if there is one."""
    listed = parameters(binding.node.child_by_field_name("parameters"))
    if binding.index >= len(listed):
        return None
    kind = _type_in(listed[binding.index])
    # `{ settings }: Props` binds a part: the type looked for is that of the part.
    part = binding.path[0] if binding.path and isinstance(binding.path[0], str) else None
    found = _constant(module, kind, part, depth=0)
    if found is None or part is None:
        return found
    spot = module.spot(listed[binding.index])
    rest = Entry(None, Unknown(PASSED_IN), spot)
    return Table((rest, Entry(part, found, spot)), spot)


def _type_in(node: Node | None) -> Node | None:
    annotation = node.child_by_field_name("type") if node is not None else None
    return annotation.named_children[0] if annotation is not None and annotation.named_children else None


def _constant(module: TypeScriptNames, kind: Node | None, part: str | None, depth: int) -> Value | None:
    if kind is None or depth > 4:
        return None
    if kind.type in {"object_type", "interface_body"}:
        for child in kind.named_children:
            if child.type == "property_signature" and module.written(child.child_by_field_name("name")) == part:
                return _constant(module, _type_in(child), None, depth + 1)
        return None
    if kind.type == "generic_type" and module.written(kind.child_by_field_name("name")) == "Readonly":
        inner = kind.named_children[-1].named_children
        return _constant(module, inner[0] if inner else None, part, depth + 1)
    if kind.type != "type_identifier":
        return None
    name = module.written(kind)
    home, declared = _declaration(module, name)
    if home is None:
        return None
    if part is not None:
        if declared is None:
            return None
        body = declared.child_by_field_name("body") or declared.child_by_field_name("value")
        return _constant(home, body, part, depth + 1)
    constants = [
        node
        for node in home.nodes("variable_declarator")
        if home.written(_type_in(node)) == name and node.child_by_field_name("value") is not None
    ]
    return home.value(constants[0].child_by_field_name("value")) if len(constants) == 1 else None


def _declaration(module: TypeScriptNames, name: str) -> tuple[TypeScriptNames | None, Node | None]:
    for node in module.nodes("interface_declaration", "type_alias_declaration"):
        if module.written(node.child_by_field_name("name")) == name:
            return module, node
    binding = module.scopes.scope(module.root).get(name)
    if binding is None or binding.kind != "import" or module.load is None:
        return None, None
    found = module.load(module.text.source, binding.module)
    if not isinstance(found, TypeScriptNames):
        return None, None
    for node in found.nodes("interface_declaration", "type_alias_declaration"):
        if found.written(node.child_by_field_name("name")) == binding.imported:
            return found, node
    return None, None
