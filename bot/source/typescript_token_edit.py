"""The dispatch that the join tokens of one TypeScript or JavaScript file carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.reading import CONFIG_KEYS
from bot.source.settle import dispatchers
from bot.source.typescript_cut import WRAPPERS
from bot.source.typescript_draft import only_argument
from bot.source.typescript_scope import key_text, parameters
from bot.source.typescript_token_add import add_dispatch
from bot.source.typescript_worker_edit import set_text
from bot.source.values import ABSENT, Lit, Made, Table, Value, each, entry, field

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.livekit.setup import Dispatcher
    from bot.source.found import FoundDispatch
    from bot.source.typescript_draft import Draft

_NAMES = ("agentName", "agent_name")
_METADATA = ("metadata", "agentMetadata", "agent_metadata")
_PLACES = frozenset({"new_expression", "call_expression", "object", "array", "pair", "assignment_expression"})


def of_tokens(draft: Draft) -> list[FoundDispatch]:
    """The dispatches of the file that travel in a token."""
    return [found for found in draft.found.dispatches if found.via == "token"]


def asked(draft: Draft, found: FoundDispatch) -> list[Dispatcher]:
    """A dispatch as it will be."""
    return dispatchers(found, draft.around)


def edit_dispatch(draft: Draft, name: str) -> str:
    """Let each token made here ask for this agent, or for none; what was done, "" when nothing needs to be."""
    present = of_tokens(draft)
    live = [found for found in present if asked(draft, found)]
    if not name:
        if not live:
            return ""
        _one_agent(draft, live)
        for found in present:
            _drop(draft, found)
        return "removed the token's dispatch"
    bare = [token for token in draft.found.tokens if not token.dispatches]
    wrong = [found for found in live if any(one.agent_name != name for one in asked(draft, found))]
    if not bare and not wrong:
        return ""
    _one_agent(draft, wrong)
    for found in wrong:
        _rename(draft, found, name)
    for token in bare:
        add_dispatch(draft, token, name)
    if wrong:
        return f"set the token's dispatch to '{name}'"
    return f"added a dispatch of '{name}' to the token"


def _one_agent(draft: Draft, several: list[FoundDispatch]) -> None:
    """Refuse when the tokens ask for different agents: which of them is meant cannot be told."""
    names: dict[str, int] = {}
    for found in several:
        for one in asked(draft, found):
            if one.agent_name:
                names.setdefault(one.agent_name, one.place.line)
    if len(names) > 1:
        shown = " and ".join(f"'{name}' in line {line}" for name, line in names.items())
        raise RefusedError(f"tokens made here ask for several agents: {shown}", list(names.values())[1])


# --- where a dispatch stands -----------------------------------------------------------------


def _place(draft: Draft, found: FoundDispatch) -> tuple[Node, Table]:
    """The expression of this file that makes a dispatch, and its properties; refused when it is elsewhere."""
    if found.spot.text is not draft.module.text:
        place = found.spot.place
        raise RefusedError(f"the dispatch is made in another module, {place.source}:{place.line}", _carrier(draft))
    node = draft.cutter.node_at(found.spot, _PLACES)
    for option in each(draft.module.value(node)) if node is not None else ():
        table: Value = option
        if isinstance(option, Made) and option.callee.name == "RoomAgentDispatch":
            table = option.args[0] if option.args else Table((), option.spot)
        if node is not None and isinstance(table, Table) and node.type in {"new_expression", "object"}:
            return node, table
    if node is not None and node.type == "call_expression":
        for argument in parameters(node.child_by_field_name("arguments")):
            for option in each(draft.module.value(argument)):
                if isinstance(option, Table) and any(field(option, key) is not ABSENT for key in _NAMES):
                    return node, option
    why = getattr(found.name, "why", "") or "it is made elsewhere"
    raise RefusedError(f"the token's dispatch cannot be told: {why}", found.spot.line)


def _carrier(draft: Draft) -> int:
    for node in draft.module.nodes("assignment_expression", "pair"):
        left = node.child_by_field_name("left")
        key = draft.module.written(left.child_by_field_name("property")) if left is not None else ""
        if (key or key_text(node.child_by_field_name("key"), draft.module.written)) in CONFIG_KEYS:
            return draft.line(node)
    return 0


def _drop(draft: Draft, found: FoundDispatch) -> None:
    node, table = _place(draft, found)
    for key in _METADATA:
        value = field(table, key)
        if value is not ABSENT and not (isinstance(value, Lit) and not value.value):
            where = entry(table, key)
            line = where.spot.line if where is not None and where.spot.text is draft.module.text else found.spot.line
            raise RefusedError(f"the dispatch carries `{key}`, which the agent may read", line)
    if node.type == "call_expression":
        for key in _NAMES:
            draft.take(table, key, found.spot.line)
        return
    if draft.cutter.gone(node):
        return
    _no_metadata_later(draft, node)
    if not draft.cutter.drop(node):
        raise RefusedError("the dispatch is used in a way that cannot be taken away surely", found.spot.line)


def _no_metadata_later(draft: Draft, node: Node) -> None:
    outer = node.parent
    while outer is not None and outer.type in WRAPPERS:
        outer = outer.parent
    name = outer.child_by_field_name("name") if outer is not None and outer.type == "variable_declarator" else None
    for other in draft.module.nodes("assignment_expression") if name is not None else ():
        if draft.module.written(other.child_by_field_name("left")) == f"{draft.module.written(name)}.metadata":
            raise RefusedError("the dispatch carries `metadata`, which the agent may read", draft.line(other))


def _rename(draft: Draft, found: FoundDispatch, name: str) -> None:
    node, table = _place(draft, found)
    written = next((where for key in _NAMES if (where := entry(table, key)) is not None), None)
    if written is None:
        inner = node if node.type == "object" else only_argument(node)
        if inner is None or inner.type != "object":
            raise RefusedError("the dispatch names no agent in a way that can be edited", found.spot.line)
        draft.append(inner, _NAMES[0], draft.quoted(name))
        return
    set_text(draft, written, written.value, name, found.spot.line)
    if found.conditional:
        draft.notes.append(f"Line {found.spot.line} asks for the agent only on a condition.")
