"""Where the name of an agent is written in a Python file, and another one in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import line_of
from bot.source.texts import text_of
from bot.source.values import Lit, Value, each, options

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft
    from bot.source.surroundings import Surroundings
    from bot.source.values import Entry

_SLOTS = frozenset({"agent_name", "agentName"})
_LOGGED = frozenset({"print", "debug", "info", "warning", "error", "exception", "log"})


def changed_name(
    draft: Draft, entry: Entry, value: Value, want: str, around: Surroundings, *, constants: bool = True
) -> None:
    """Write another name where the one is written that an option comes to; with `constants` also that of a constant.

    RefusedError when that is in another file, or when what decides is only known at run time.
    """
    holder = draft.holder(entry, "the agent's name")
    text = text_of(value, around, draft.module.text.source)
    if text.variable is not None and text.place is not None:
        at = f"{text.place.source}:{text.place.line}"
        raise RefusedError(f"the name comes from `{text.variable}`, which is set in {at}", line_of(holder))
    for option in each(value):
        if isinstance(option, Lit) and option.spot.text is not draft.module.text:
            at = f"{option.spot.text.source}:{option.spot.line}"
            raise RefusedError(f"the name is written in another module, {at}", line_of(holder))
    if text.choices or len(options(value)) > 1:
        raise RefusedError("the name depends on a condition", line_of(holder))
    if text.value is None and text.variable is None:
        raise RefusedError(f"the name is not written here: {text.note}", line_of(holder))
    node = value_of(holder)
    if text.variable is not None:
        draft.notes.append(f"`{text.variable}` no longer decides the agent's name in this file.")
    node = (_constant(draft, node, value) if constants else None) or node
    draft.replace(node, draft.literal(want, node))


def value_of(holder: Node) -> Node:
    """The value of an argument, a pair or an assignment."""
    return holder.child_by_field_name("right" if holder.type == "assignment" else "value") or holder


def _constant(draft: Draft, node: Node, value: Value) -> Node | None:
    """The text that a name stands for which is used for nothing but agents' names."""
    module = draft.module
    if node.type != "identifier" or not isinstance(value, Lit):
        return None
    text = draft.node(value.spot, "the agent's name")
    above, name = text.parent, module.written(node)
    if above is None or above.type != "assignment" or text.type != "string":
        return None
    if above.child_by_field_name("right") != text or module.written(above.child_by_field_name("left")) != name:
        return None
    definitions = module.scopes.find(name, node)
    if len(definitions) != 1 or definitions[0].node != text:
        return None
    for use in module.nodes("identifier"):
        if module.written(use) == name and use.parent != above and not _is_slot(draft, use):
            return None
    return text


def _is_slot(draft: Draft, use: Node) -> bool:
    """Whether a name is used as an agent's name, or only shown to a person."""
    written, above = draft.module.written, use.parent
    if above is None:
        return False
    if above.type == "keyword_argument":
        name = above.child_by_field_name("name")
        return name == use or written(name) in _SLOTS
    if above.type == "pair":
        return written(above.child_by_field_name("key")).strip("\"'") in _SLOTS
    for up, _ in draft.module.climb(use):
        if up.type == "call":
            return draft.module.last_name(up.child_by_field_name("function") or up) in _LOGGED
        if up.type.endswith("statement"):
            return False
    return False
