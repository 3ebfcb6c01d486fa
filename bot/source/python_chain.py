"""What has to go so that a value of a Python file is no longer there, and nothing else with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.python_draft import Ops, items_of
from bot.source.reading import CONFIG_KEYS
from bot.source.splice import tail_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft

_CONTINUED = re.compile(rb"[ \t]*\\\r?\n")
_FILLED = frozenset({"append", "extend", "add", "insert", "MergeFrom"})
_CONVERTERS = frozenset({"ParseDict", "Parse"})


def without(draft: Draft, node: Node) -> Ops | None:
    """How a value can be taken out of where it is used; None when that is not sure."""
    above = node.parent
    if above is None:
        return None
    match above.type:
        case "parenthesized_expression":
            return without(draft, above)
        case "boolean_operator" if above.child_by_field_name("right") == node:
            return without(draft, above)
        case "conditional_expression":
            return _without_choice(draft, above, node)
        case "list":
            return _from_list(draft, above, node)
        case "keyword_argument" if above.child_by_field_name("value") == node:
            return _from_call(draft, above)
        case "pair" if above.child_by_field_name("value") == node:
            return _from_dict(draft, above)
        case "assignment" if above.child_by_field_name("right") == node:
            return _from_assignment(draft, above)
        case "argument_list":
            return _from_arguments(draft, above, node)
    return None


def filling(call: Node) -> Ops | None:
    """How a call that fills a list, as `config.agents.add(…)`, is taken out."""
    return Ops(statements=(call,)) if call.parent is not None and call.parent.type == "expression_statement" else None


def _without_choice(draft: Draft, choice: Node, node: Node) -> Ops | None:
    parts = choice.named_children
    other = next((part for part in (parts[0], parts[-1]) if part != node), None)
    if other is None or node == parts[1]:
        return None
    # The other branch gives nothing, so nothing is what is left.
    empty = draft.module.written(other) in {"None", "[]", "()", "{}"} or (
        other.type == "call" and draft.module.written(other).endswith("RoomConfiguration()")
    )
    return without(draft, choice) if empty else None


def _from_list(draft: Draft, listed: Node, node: Node) -> Ops | None:
    if len(items_of(listed)) != 1:
        return None
    whole = without(draft, listed)
    return whole if whole is not None else Ops(items=((listed, node),))


def _from_call(draft: Draft, argument: Node) -> Ops | None:
    listed = argument.parent
    call = listed.parent if listed is not None else None
    if listed is None or call is None or call.type != "call":
        return None
    callee = call.child_by_field_name("function")
    if callee is not None and callee.type == "attribute" and draft.module.last_name(callee) == "with_room_config":
        return without_call(draft, call, callee)
    if draft.module.written(argument.child_by_field_name("name")) != "agents":
        return None
    whole = without(draft, call) if len(items_of(listed)) == 1 else None
    return whole if whole is not None else Ops(items=((listed, argument),))


def _from_dict(draft: Draft, pair: Node) -> Ops | None:
    table = pair.parent
    key = draft.module.written(pair.child_by_field_name("key")).strip("\"'")
    if table is None or key not in {"agents", *CONFIG_KEYS}:
        return None
    alone = key == "agents" and len(items_of(table)) == 1
    whole = without(draft, table) if alone else None
    return whole if whole is not None else Ops(items=((table, pair),))


def _from_assignment(draft: Draft, assignment: Node) -> Ops | None:
    left = assignment.child_by_field_name("left")
    if left is None or assignment.parent is None or assignment.parent.type != "expression_statement":
        return None
    if left.type == "identifier":
        return _without_variable(draft, assignment, left)
    key = draft.module.written(left.child_by_field_name("attribute") or left.child_by_field_name("subscript"))
    return Ops(statements=(assignment,)) if key.strip("\"'") in {"agents", *CONFIG_KEYS} else None


def _without_variable(draft: Draft, assignment: Node, left: Node) -> Ops | None:
    """A variable goes with all its uses, if each of them can go."""
    module, name = draft.module, draft.module.written(left)
    definitions = module.scopes.find(name, left)
    if len(definitions) != 1:
        return None
    ops = Ops(statements=(assignment,))
    uses = 0
    for use in module.nodes("identifier"):
        if use == left or module.written(use) != name or not _is_reference(use):
            continue
        found = module.scopes.find(name, use)
        if not found or found[0] is not definitions[0]:
            continue
        one = _without_use(draft, use)
        if one is None:
            return None
        ops += one
        uses += 1
    return ops if uses else None


def _is_reference(use: Node) -> bool:
    """Whether a name is the variable's, and not that of an argument or an attribute."""
    above = use.parent
    if above is not None and above.type == "keyword_argument":
        return above.child_by_field_name("name") != use
    return not (above is not None and above.type == "attribute" and above.child_by_field_name("attribute") == use)


def _without_use(draft: Draft, use: Node) -> Ops | None:
    above = use.parent
    if above is not None and above.type == "attribute" and draft.module.written(above).endswith(".agents"):
        # `config.agents.append(…)`
        method = above.parent
        call = method.parent if method is not None and method.type == "attribute" else None
        if call is None or call.type != "call":
            return None
        return filling(call) if draft.module.last_name(method or call) in _FILLED else None
    if above is not None and above.type == "attribute" and draft.module.written(above).endswith(".agent_name"):
        # `dispatch.agent_name = …` says nothing without the dispatch.
        named = above.parent
        whole = named is not None and named.type == "assignment" and named.child_by_field_name("left") == above
        alone = named is not None and named.parent is not None and named.parent.type == "expression_statement"
        return Ops(statements=(named,)) if named is not None and whole and alone else None
    return without(draft, use)


def _from_arguments(draft: Draft, listed: Node, node: Node) -> Ops | None:
    call = listed.parent
    callee = call.child_by_field_name("function") if call is not None else None
    if call is None or callee is None or not items_of(listed) or items_of(listed)[0] != node:
        return None
    name = draft.module.last_name(callee)
    if name in _CONVERTERS:
        return without(draft, call)
    if callee.type != "attribute":
        return None
    if name == "with_room_config":
        return without_call(draft, call, callee)
    return filling(call) if name in _FILLED else None


def without_call(draft: Draft, call: Node, callee: Node) -> Ops | None:
    """A call in a chain goes out of the chain; the statement goes when the call is all that it does."""
    module = draft.module
    receiver = callee.child_by_field_name("object")
    above = call.parent
    if receiver is None or above is None:
        return None
    if above.type == "expression_statement" and not _calls(receiver):
        return Ops(statements=(call,))
    if above.type == "assignment" and module.written(above.child_by_field_name("left")) == module.written(receiver):
        return Ops(statements=(above,))
    return Ops(spans=(_segment(draft, receiver, callee, call),))


def _segment(draft: Draft, receiver: Node, callee: Node, call: Node) -> tuple[int, int]:
    """The span of `.with_room_config(…)` in a chain, with its line when it is alone there."""
    data = draft.data
    dot = next((child for child in callee.children if child.type == "."), callee)
    end = call.end_byte
    start = data.rfind(b"\n", 0, dot.start_byte) + 1
    commented = any(receiver.end_byte <= one < dot.start_byte for one, _ in draft.comments)
    if data[start : dot.start_byte].strip() or start <= receiver.start_byte:
        return dot.start_byte, end
    continued = _CONTINUED.match(data, end)
    if continued is not None:
        return start, continued.end()
    stop = tail_of(data, end, draft.comments)
    rest = data[stop:].split(b"\n", 1)[0].strip()
    if not rest and _is_followed(data, receiver, dot):
        newline = data.find(b"\n", stop)
        return start, newline + 1 if newline >= 0 else len(data)
    if commented or data[end:].lstrip(b" \t").startswith(b"."):
        return dot.start_byte, end
    return receiver.end_byte, end


def _is_followed(data: bytes, receiver: Node, dot: Node) -> bool:
    """Whether the lines before a link of a chain stand without it: none ends in a backslash."""
    return b"\\" not in data[receiver.end_byte : dot.start_byte]


def _calls(node: Node) -> bool:
    left = [node]
    while left:
        one = left.pop()
        if one.type in {"call", "await"}:
            return True
        left.extend(one.named_children)
    return False
