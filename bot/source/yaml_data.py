"""What a YAML tree says, apart from how it is written: what an edit is compared with before and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bot.source.yaml_write import Value, inline, without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.source.yaml_tree import Node, Tree

Data: TypeAlias = "tuple[str, str, tuple[Data, ...]]"
"""A value's type, its text (an alias: what it names), and its items, or the pairs of a map in the order of its keys."""

NOTHING: Data = ("null", "", ())


def data(node: Node) -> Data:
    """What a node says; an alias stays one, so that what it names is compared once."""
    if node.kind == "alias":
        return "alias", node.value, ()
    if node.kind == "map":
        return _map(node.tag, [(data(key), data(value)) for key, value in node.pairs])
    return node.tag, node.value, tuple(data(part) for part in node.parts)


def _map(tag: str, pairs: list[tuple[Data, Data]]) -> Data:
    return tag, "", tuple(("pair", "", pair) for pair in sorted(pairs))


def data_of(value: Value) -> Data:
    """What a value says once it is written."""
    if isinstance(value, dict):
        return _map("map", [(data_of(key), data_of(inner)) for key, inner in value.items()])
    if isinstance(value, list):
        return "list", "", tuple(data_of(part) for part in value)
    if isinstance(value, str):
        return "str", value, ()
    kinds = {type(None): "null", bool: "bool", int: "int", float: "float"}
    return kinds[type(value)], inline(value), ()


def patched(tree: Tree, node: Node, patch: Mapping[str, Value]) -> Data:
    """What a map is to say after a merge patch."""
    pairs: list[tuple[Data, Data]] = []
    for key, old in node.pairs:
        if key.kind != "scalar" or key.value not in patch:
            pairs.append((data(key), data(old)))
            continue
        value = patch[key.value]
        if value is not None:
            pairs.append((data(key), _changed(tree, old, value)))
    for key_text, value in patch.items():
        if value is not None and tree.own(node, key_text) is None and tree.merged(node, key_text) is None:
            pairs.append((data_of(key_text), data_of(without_nulls(value))))
    return _map(node.tag, pairs)


def _changed(tree: Tree, old: Node, value: Value) -> Data:
    if isinstance(value, dict) and old.kind == "map":
        return patched(tree, old, value)
    value = without_nulls(value)
    if same(tree, old, value):
        return data(old)
    if isinstance(value, list) and old.kind == "list":
        return "list", "", tuple(_kept(tree, old, value))
    return data_of(value)


def _kept(tree: Tree, old: Node, value: list[Value]) -> list[Data]:
    """A list's items; those at its ends that say the same already may stay as they are written."""
    items = [data_of(part) for part in value]
    room = min(len(value), len(old.parts))
    first = next((at for at in range(room) if not same(tree, old.parts[at], value[at])), room)
    items[:first] = [data(part) for part in old.parts[:first]]
    for back in range(1, room - first + 1):
        if not same(tree, old.parts[-back], value[-back]):
            break
        items[-back] = data(old.parts[-back])
    return items


def same(tree: Tree, node: Node, value: Value) -> bool:
    """Whether a node says a value already, however it is written; the order of keys does not matter."""
    node = tree.real(node)
    if isinstance(value, dict):
        pairs = {key.value: (key, part) for key, part in node.pairs}
        return (
            node.kind == "map"
            and len(node.pairs) == len(value)
            and all(key in pairs and same(tree, pairs[key][1], part) for key, part in value.items())
        )
    if isinstance(value, list):
        return (
            node.kind == "list"
            and len(node.parts) == len(value)
            and all(same(tree, part, wanted) for part, wanted in zip(node.parts, value, strict=True))
        )
    if node.kind != "scalar":
        return False
    if isinstance(value, bool):
        return node.tag == "bool" and (node.value.lower() in {"true", "yes", "on"}) is value
    if isinstance(value, int | float):
        return _number(node) == value
    return node.tag == "null" if value is None else node.tag == "str" and node.value == value


def _number(node: Node) -> int | float | None:
    from yaml import ScalarNode
    from yaml.constructor import SafeConstructor

    made, scalar = SafeConstructor(), ScalarNode(node.tag, node.value)
    try:
        if node.tag == "int":
            return int(made.construct_yaml_int(scalar))
        return float(made.construct_yaml_float(scalar)) if node.tag == "float" else None
    except (ValueError, OverflowError):
        return None
