"""Tokens of a Python file that let nobody join who would wait for an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.python_calls import arguments
from bot.source.values import ABSENT, Lit, field, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.python_values import PythonModule
    from bot.source.values import Value

_JOINING = ("with_grants", "with_grant")
# What a token may be for instead of joining a room; one that also joins has `with_grants`, too.
_OTHER = ("with_sip_grants", "with_inference_grants", "with_observability_grants")
GRANTS = (*_JOINING, *_OTHER, "with_kind")
# An agent that joins by itself, and what records or feeds a room, is nobody to dispatch an agent for.
_KINDS = frozenset({"agent", "egress", "ingress"})


def not_joining(module: PythonModule, calls: list[Node]) -> Iterator[Value]:
    """The receivers that are tokens for the API or other services only, or that no user joins with."""
    # Grants that are given again replace those before, often on a condition: one that joins counts. Where it cannot be
    # told to which token they go, they count for those of the same function.
    other: list[tuple[Value, int]] = []
    joining: set[tuple[str, int, int] | int] = set()
    for node in calls:
        callee = node.child_by_field_name("function")
        method = module.last_name(callee) if callee is not None else ""
        if callee is None or callee.type != "attribute" or method not in GRANTS:
            continue
        receiver, given = module.value(callee.child_by_field_name("object")), given_to(module, node)
        if method == "with_kind":
            if isinstance(given, Lit) and given.value in _KINDS:
                yield receiver
        elif method in _OTHER or _forbids(given):
            other.append((receiver, module.function_at(node)))
        else:
            keys = {made.spot.key for made in made_by(receiver, "AccessToken")}
            joining.update(keys or {module.function_at(node)})
    for receiver, function in other:
        keys = {made.spot.key for made in made_by(receiver, "AccessToken")}
        if function not in joining and not keys & joining:
            yield receiver


def _forbids(given: Value) -> bool:
    """Whether grants do not let one join a room."""
    for grants in made_by(given, "VideoGrants"):
        join = field(grants.named, "room_join") if grants.named is not None else ABSENT
        if (join is ABSENT and not grants.args) or (isinstance(join, Lit) and not join.value):
            return True
    return False


def given_to(module: PythonModule, call: Node) -> Value:
    """The only argument of a call, however it is given."""
    args, named = arguments(module, call.child_by_field_name("arguments"), {})
    if args:
        return args[0]
    return named.entries[0].value if named is not None and named.entries else ABSENT
