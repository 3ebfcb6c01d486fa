"""Tokens of a TypeScript or JavaScript file that let nobody join who would wait for an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.values import as_text, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.typescript_values import TypeScriptModule
    from bot.source.values import Value

# What a token may be for instead of joining a room; one that also joins has `addGrant`, too.
OTHER_GRANTS = ("addInferenceGrant", "addObservabilityGrant", "addSIPGrant")


def not_joining(module: TypeScriptModule, calls: list[Node], assigned: list[Node]) -> Iterator[Value]:
    """The receivers that are tokens for other services only, or that an agent itself joins with."""
    other: list[Value] = []
    joining: set[tuple[str, int, int]] = set()
    for node in calls:
        callee = node.child_by_field_name("function")
        name = module.last_name(callee) if callee is not None else ""
        if callee is None or (name != "addGrant" and name not in OTHER_GRANTS):
            continue
        receiver = module.value(callee.child_by_field_name("object"))
        if name == "addGrant":
            joining.update(made.spot.key for made in made_by(receiver, "AccessToken"))
        else:
            other.append(receiver)
    for receiver in other:
        if not any(made.spot.key in joining for made in made_by(receiver, "AccessToken")):
            yield receiver
    for node in assigned:
        left = node.child_by_field_name("left")
        if left is None or module.written(left.child_by_field_name("property")) != "kind":
            continue
        if as_text(module.value(node.child_by_field_name("right"))) == "agent":
            yield module.value(left.child_by_field_name("object"))
