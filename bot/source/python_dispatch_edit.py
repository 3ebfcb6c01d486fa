"""Edits of the join tokens that a Python file makes: which agent they ask for, or that they ask for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source import settle
from bot.source.edit import RefusedError
from bot.source.evaluate import PASSED_IN
from bot.source.python_calls import arguments
from bot.source.python_chain import filling, without
from bot.source.python_dispatch_put import put_dispatch
from bot.source.python_draft import at, items_of, line_of
from bot.source.python_name import changed_name
from bot.source.values import ABSENT, Entry, Lit, Made, Ref, Table, Unknown, field, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.found import Found, FoundDispatch
    from bot.source.python_draft import Draft
    from bot.source.python_values import PythonModule
    from bot.source.surroundings import Surroundings

_ITERATES = frozenset({"for_statement", "list_comprehension", "generator_expression"})
_CALLS = frozenset({"create-dispatch", "create-room"})
_CARRIED = ("metadata", "deployment", "attributes")
_NAMES = ("agent_name", "agentName")


def dispatch_part(draft: Draft, found: Found, want: str, around: Surroundings) -> None:
    """Have each join token made here ask for one agent, or for none."""
    all_asked = [one for one in found.dispatches if one.via == "token"]
    filled = next((token for token in found.tokens if token.dispatches), None)
    if filled is not None and not all_asked:
        raise RefusedError("the token gets its agents in a way that cannot be followed", filled.spot.line)
    mine = [one for one in all_asked if not passed_on(draft.module, one)]
    if want and all_asked and not mine:
        reason = f"the room configuration is passed in by a caller, which has to ask for {want!r}"
        raise RefusedError(reason, all_asked[0].spot.line)
    # One that names nobody asks for nobody; it is where a name can be written.
    asked = [one for one in mine if want or settle.dispatchers(one, around)]
    with at(found.tokens[0].spot.line if found.tokens else 0):
        nodes = [_dispatch_node(draft, one) for one in asked]
    _single(draft, asked, nodes, around)
    for one, node in zip(asked, nodes, strict=True):
        if want:
            # What names the worker, too, is the worker's to change.
            _rename(draft, one, node, want, around, constants=not found.workers)
        else:
            _take(draft, one, node)
    bare = [token for token in found.tokens if not token.dispatches]
    if want and bare and not _called(found, want, around):
        put_dispatch(draft, bare, want, around)


def passed_on(module: PythonModule, one: FoundDispatch) -> bool:
    """Whether a token only gets the whole room configuration that a caller or a client sends along."""
    if one.spot.text is not module.text or not isinstance(one.name, Unknown) or one.name.why != PASSED_IN:
        return False
    node = module.root.descendant_for_byte_range(one.spot.start, one.spot.end)
    callee = node.child_by_field_name("function") if node is not None else None
    return (node is not None and node.type == "assignment") or (
        callee is not None and module.last_name(callee) == "with_room_config"
    )


def by_call(found: Found, want: str, around: Surroundings) -> int:
    """The line of a call of the API that dispatches this agent to rooms whose tokens ask for none; 0 without one."""
    bare = any(not token.dispatches for token in found.tokens)
    calls = [one for one in found.dispatches if one.via in _CALLS] if want and bare else []
    lines = (one.spot.line for one in calls for made in settle.dispatchers(one, around) if made.agent_name == want)
    return next(lines, 0)


def _called(found: Found, want: str, around: Surroundings) -> bool:
    """Whether a call of the API dispatches this agent already, so that a token's would be a second one beside it."""
    for one in found.dispatches:
        for made in settle.dispatchers(one, around) if one.via in _CALLS else ():
            if made.agent_name != want:
                unnamed = "an agent whose name cannot be told" if made.agent_name is None else "an agent without a name"
                what = repr(made.agent_name) if made.agent_name else unnamed
                raise RefusedError(f"{what} is dispatched here by a call of the API: change it there", one.spot.line)
    return by_call(found, want, around) > 0


def nothing_asked(module: PythonModule, found: Found, want: str, around: Surroundings) -> str:
    """Why the tokens made here need no edit."""
    asked = [one for one in found.dispatches if one.via == "token"]
    if not want:
        sent = asked and all(passed_on(module, one) for one in asked)
        return f"the token asks for no agent {'but what a client sends' if sent else 'already'}"
    line = by_call(found, want, around)
    if line:
        return f"line {line} dispatches {want!r} by the API already, so the token needs no dispatch"
    return f"the token asks for {want!r} already"


def aside(module: PythonModule, found: Found, around: Surroundings) -> Iterator[str]:
    """What asks for an agent in another way than by a token of this file, and so is left as it is."""
    doing = {"create-dispatch": "a call of create_dispatch", "create-room": "a new room", "sip-rule": "a SIP rule"}
    for one in found.dispatches:
        if one.via != "token" and settle.dispatchers(one, around):
            what = doing.get(one.via, "something else")
            yield f"Line {one.spot.line} has {what}; that is left as it is."
        elif passed_on(module, one):
            line = one.spot.line
            yield f"Line {line} passes on the room configuration that a client sends; what that asks for comes first."


def _dispatch_node(draft: Draft, one: FoundDispatch) -> Node:
    """The call or dict that names the agent; RefusedError when it is made elsewhere."""
    node = draft.node(one.spot, "the dispatch")
    if node.type == "dictionary":
        return node
    if node.type == "call":
        callee = node.child_by_field_name("function")
        value = draft.module.value(callee)
        name = draft.module.last_name(callee) if callee is not None else ""
        if name == "add" or (isinstance(value, Ref) and value.name == "RoomAgentDispatch"):
            return node
    why = one.name.why if isinstance(one.name, Unknown) else "the dispatch is made elsewhere"
    raise RefusedError(f"the token's dispatch cannot be told: {why}", one.spot.line)


def _single(draft: Draft, asked: list[FoundDispatch], nodes: list[Node], around: Surroundings) -> None:
    """RefusedError when several agents are asked for, so that it is not clear which one is meant."""
    for node in nodes:
        above = node.parent
        if above is not None and above.type == "list" and len(items_of(above)) > 1:
            raise RefusedError("the token asks for several agents", line_of(node))
        for up, _ in draft.module.climb(node):
            if up.type in {"function_definition", "lambda", "module"}:
                break
            if up.type in _ITERATES and not _within_loop_over_tokens(draft, up):
                raise RefusedError("the token may ask for several agents", line_of(node))
    names: dict[str, FoundDispatch] = {}
    for one in asked:
        for dispatcher in settle.dispatchers(one, around):
            if dispatcher.agent_name is not None:
                names.setdefault(dispatcher.agent_name, one)
    if len(names) > 1:
        shown = " and ".join(f"{name!r} in line {one.spot.line}" for name, one in names.items())
        raise RefusedError(f"tokens made here ask for several agents: {shown}", list(names.values())[1].spot.line)


def _within_loop_over_tokens(draft: Draft, loop: Node) -> bool:
    """Whether each round of a loop makes a token of its own."""
    return any(
        loop.start_byte <= call.start_byte < loop.end_byte for call in draft.module.calls_by_name.get("AccessToken", [])
    )


def _options(draft: Draft, node: Node) -> Table | None:
    """What a dispatch is made with, and what is set on the variable that it is put in."""
    if node.type == "dictionary":
        value = draft.module.value(node)
        return value if isinstance(value, Table) else None
    filled = _filled_by(draft, node)
    if filled:
        return _filled(draft, node, filled)
    _, named = arguments(draft.module, node.child_by_field_name("arguments"), {})
    return named


def _filled_by(draft: Draft, node: Node) -> list[Node]:
    """The assignments that set something on what a call makes, wherever it has got to."""
    module, key = draft.module, draft.module.spot(node).key
    found: list[Node] = []
    for assignment in module.nodes("assignment"):
        left = assignment.child_by_field_name("left")
        owner = left.child_by_field_name("object") if left is not None else None
        if owner is None or left is None or module.last_name(left) not in {*_NAMES, *_CARRIED}:
            continue
        if any(made.spot.key == key for made in made_by(module.value(owner), "RoomAgentDispatch")):
            found.append(assignment)
    return found


def _filled(draft: Draft, node: Node, filled: list[Node]) -> Table | None:
    module, holder = draft.module, node.parent
    left = holder.child_by_field_name("left") if holder is not None and holder.type == "assignment" else None
    found = module.scopes.find(module.written(left), left) if left is not None and left.type == "identifier" else []
    value = module.defined(found, module.written(left), None, {}) if found else ABSENT
    table = value.named if isinstance(value, Made) and value.spot.key == module.spot(node).key else None
    seen = {entry.spot.key for entry in table.entries} if table is not None else set()
    if not all(module.spot(one).key in seen for one in filled):
        raise RefusedError("the dispatch is filled in a way that cannot be followed", line_of(node))
    return table


def _take(draft: Draft, one: FoundDispatch, node: Node) -> None:
    table = _options(draft, node)
    for key in _CARRIED:
        value = field(table, key) if table is not None else ABSENT
        if value is not ABSENT and not (isinstance(value, Lit) and not value.value):
            raise RefusedError(f"the dispatch carries `{key}`, which the agent may read", line_of(node))
    callee = node.child_by_field_name("function") if node.type == "call" else None
    ops = filling(node) if callee is not None and draft.module.last_name(callee) == "add" else without(draft, node)
    if ops is None:
        raise RefusedError("the dispatch is used in a way that cannot be taken away surely", one.spot.line)
    draft.remove(ops)


def _rename(draft: Draft, one: FoundDispatch, node: Node, want: str, around: Surroundings, *, constants: bool) -> None:
    if [dispatcher.agent_name for dispatcher in settle.dispatchers(one, around)] == [want]:
        return
    table = _options(draft, node)
    found: list[Entry] = [entry for entry in table.entries if entry.key in _NAMES] if table is not None else []
    if found:
        changed_name(draft, found[-1], found[-1].value, want, around, constants=constants)
    elif node.type == "call":
        listed = node.child_by_field_name("arguments")
        if listed is not None:
            draft.add(listed, b"agent_name=" + draft.literal(want))
    else:
        raise RefusedError("the dispatch does not say here which agent it asks for", one.spot.line)
