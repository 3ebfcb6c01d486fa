"""The dispatch that the join tokens of one TypeScript or JavaScript file carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.evaluate import PASSED_IN
from bot.source.reading import CONFIG_KEYS
from bot.source.settle import dispatchers
from bot.source.typescript_cut import PROPERTIES, WRAPPERS
from bot.source.typescript_draft import only_argument
from bot.source.typescript_scope import FUNCTIONS, key_text, parameters
from bot.source.typescript_token_add import add_dispatch
from bot.source.typescript_worker_edit import only_names, set_text, told, undecided
from bot.source.values import ABSENT, Env, Lit, Made, Or, Table, Unknown, Value, each, entry, field

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.livekit.setup import Dispatcher
    from bot.source.found import FoundDispatch
    from bot.source.texts import Text
    from bot.source.typescript_draft import Draft
    from bot.source.values import Entry

_NAMES = ("agentName", "agent_name")
_METADATA = ("metadata", "agentMetadata", "agent_metadata")
_CALLS = frozenset({"create-dispatch", "create-room"})
_PLACES = frozenset({"new_expression", "call_expression", "object", "array", "pair", "assignment_expression"})


def of_tokens(draft: Draft) -> list[FoundDispatch]:
    """The dispatches of the file that travel in a token."""
    return [found for found in draft.found.dispatches if found.via == "token"]


def asked(draft: Draft, found: FoundDispatch) -> list[Dispatcher]:
    """A dispatch as it will be."""
    return dispatchers(found, draft.around)


def own(draft: Draft) -> list[FoundDispatch]:
    """The dispatches that this file decides about."""
    return [found for found in of_tokens(draft) if not passed_on(draft, found)]


def passed_on(draft: Draft, found: FoundDispatch) -> bool:
    """Whether a dispatch is only what a caller or a client sends along with a whole room configuration."""
    if found.spot.text is not draft.module.text or not isinstance(found.name, Unknown):
        return False
    made = _made(draft, found)
    entries = made[1].entries if made is not None else ()
    if any(one.key in _NAMES for one in entries):
        return False
    spread = [one.value for one in entries if one.key is None]
    return any(isinstance(one, Unknown) and one.why == PASSED_IN for one in (found.name, *spread))


def edit_dispatch(draft: Draft, name: str) -> str:
    """Let each token made here ask for this agent, or for none; what was done, "" when nothing needs to be."""
    mine = own(draft)
    live = [found for found in mine if asked(draft, found)]
    if not name:
        if not live:
            return ""
        _one_agent(draft, live)
        for found in mine:
            _drop(draft, found)
        return "removed the token's dispatch"
    bare = [] if by_call(draft, name) else [token for token in draft.found.tokens if not token.dispatches]
    # What is passed on counts only where it is all that there is: beside it, this file says what else holds.
    wrong = [found for found in mine or of_tokens(draft) if any(one.agent_name != name for one in asked(draft, found))]
    if not bare and not wrong:
        return ""
    if wrong and not mine:
        reason = f"the room configuration is passed in by a caller, which has to ask for '{name}'"
        raise RefusedError(reason, wrong[0].spot.line)
    _one_agent(draft, wrong)
    for found in wrong:
        _rename(draft, found, name)
    for token in bare:
        add_dispatch(draft, token, name)
    if wrong:
        return f"set the token's dispatch to '{name}'"
    return f"added a dispatch of '{name}' to the token"


def by_call(draft: Draft, name: str) -> list[FoundDispatch]:
    """The calls of the API here that dispatch this agent to rooms whose tokens ask for none.

    A dispatch in a token would be a second one beside it. Refused when they dispatch another agent.
    """
    calls = [found for found in draft.found.dispatches if found.via in _CALLS and found.spot.text is draft.module.text]
    if all(token.dispatches for token in draft.found.tokens):
        return []
    for found in calls:
        for one in asked(draft, found):
            if one.agent_name != name:
                what = f"'{one.agent_name}'" if one.agent_name else "an agent whose name cannot be told"
                raise RefusedError(f"{what} is dispatched here by a call of the API: change it there", found.spot.line)
    return [found for found in calls if asked(draft, found)]


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
    made = _made(draft, found)
    if made is None:
        why = getattr(found.name, "why", "") or "it is made elsewhere"
        raise RefusedError(f"the token's dispatch cannot be told: {why}", found.spot.line)
    return made


def _made(draft: Draft, found: FoundDispatch) -> tuple[Node, Table] | None:
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
    return None


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
    known = told(draft, written, written.value, found.spot.line)
    asking = _asking(draft, node, written)
    if asking is not None and not _is_sure(known, written.value):
        _set_constant(draft, written, known, name, draft.line(asking))
    else:
        set_text(draft, written, written.value, name, found.spot.line)
    if found.conditional:
        draft.notes.append(f"Line {found.spot.line} asks for the agent only on a condition.")


def _asking(draft: Draft, node: Node, written: Entry) -> Node | None:
    """The condition around a dispatch that asks for the name which the dispatch is made with."""
    text = draft.module.written(_said(draft, written))
    mention = re.compile(rf"(?<![\w.$]){re.escape(text)}(?![\w$])")
    for parent, child in draft.module.climb(node):
        if parent.type in FUNCTIONS:
            break
        condition = parent.child_by_field_name("condition")
        if condition is None and parent.type == "binary_expression":
            condition = parent.child_by_field_name("left")
        if condition is not None and condition.id != child.id and mention.search(draft.module.written(condition)):
            return condition
    return None


def _is_sure(known: Text, value: Value) -> bool:
    """Whether there is a name in any case: one that is written here, or that holds while the environment gives none."""
    return bool(known.value or (isinstance(value, Or | Env) and value.loose and known.default))


def _said(draft: Draft, written: Entry) -> Node | None:
    """The expression that gives a property its value."""
    node = draft.cutter.node_at(written.spot, PROPERTIES)
    return node.child_by_field_name("value") or node if node is not None else None


def _set_constant(draft: Draft, written: Entry, known: Text, name: str, line: int) -> None:
    """Give the constant with the name another value, for a condition asks for it, too."""
    said = _said(draft, written)
    binding = draft.module.scopes.find(draft.module.written(said), said) if said is not None else None
    declared = binding.node.parent if binding is not None and binding.kind == "value" and not binding.path else None
    constant = declared.child_by_field_name("name") if declared is not None else None
    instead = f"set `{known.variable}={name}` in the environment (.env.local)" if known.variable else "change it first"
    if binding is None or declared is None or constant is None or not _is_constant(declared):
        raise RefusedError(f"this condition keeps the dispatch away while there is no name: {instead}", line)
    if not only_names(draft, constant):
        text = draft.module.written(constant)
        raise RefusedError(f"`{text}` decides about the dispatch and something else, too: {instead}", line)
    draft.replace(binding.node, draft.quoted(name))
    if known.variable:
        draft.notes.append(undecided(known.variable))


def _is_constant(declared: Node) -> bool:
    whole = declared.parent
    return declared.type == "variable_declarator" and whole is not None and whole.children[0].type == "const"
