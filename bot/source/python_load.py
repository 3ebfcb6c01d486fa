"""The load that a Python worker reports, as far as its `load_fnc` always gives the same number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.evaluate import walk
from bot.source.python_values import PythonModule
from bot.source.values import ABSENT, Lit, Local, Value, each

if TYPE_CHECKING:
    from tree_sitter import Node

_ONLY_RETURNS = frozenset({"return_statement", "pass_statement", "comment"})
# What another part of the program may set to another number.
_HELD = frozenset({"attribute", "subscript"})


def is_unset(value: Value) -> bool:
    """Whether a value leaves the SDK's own load in place."""
    return value is ABSENT or (isinstance(value, Lit) and value.value is None)


def is_zero(value: Value) -> bool:
    """Whether a function always gives 0."""
    several = list(each(value))
    return bool(several) and all(number_of(option) == 0 for option in several)


def number_of(value: Value) -> float | None:
    """The number that a load function always gives; None when it finds out something, or does more than to give it."""
    if not isinstance(value, Local) or value.kind != "function" or value.node is None:
        return None
    home, node = value.home, value.node
    decorated = node.parent is not None and node.parent.type == "decorated_definition"
    if not isinstance(home, PythonModule) or decorated or any(child.type == "async" for child in node.children):
        return None
    numbers = {_number(home, result) for result in home.results(node)}
    number = numbers.pop() if len(numbers) == 1 else None
    return number if number == 0 or only_returns(node) else None


def only_returns(function: Node) -> bool:
    """Whether a function does nothing but give something."""
    body = function.child_by_field_name("body")
    if function.type == "lambda" or body is None:
        return function.type == "lambda"
    for node in body.named_children:
        text = node.type == "expression_statement" and all(child.type == "string" for child in node.named_children)
        if node.type not in _ONLY_RETURNS and not text:
            return False
    return True


def _number(home: PythonModule, node: Node) -> float | None:
    value = home.value(node)
    if not isinstance(value, Lit) or not isinstance(value.value, float):
        return None
    names = {home.written(inner) for inner in walk(node) if inner.type == "identifier"}
    if any(inner.type in _HELD for inner in walk(node)) or names & _changed(home):
        return None
    return value.value


def _changed(home: PythonModule) -> set[str]:
    """The names that a function sets outside of itself."""
    listed = home.nodes("global_statement", "nonlocal_statement")
    return {home.written(child) for node in listed for child in node.named_children}
