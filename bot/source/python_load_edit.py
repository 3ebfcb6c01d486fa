"""The load that the workers of a Python file report: none, or the real one again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import Ops, at
from bot.source.python_load import is_unset, is_zero, number_of, only_returns
from bot.source.python_load_put import NAMES, put_zero
from bot.source.python_name import value_of
from bot.source.python_worker_edit import option
from bot.source.values import Local, each

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft
    from bot.source.python_worker_edit import Site
    from bot.source.surroundings import Surroundings
    from bot.source.values import Entry, Value

_WHAT = "the `load_fnc`"


def load_part(draft: Draft, several: list[Site], want: str, around: Surroundings) -> None:
    """Have the workers report no load, or take such an override away: one number is one, whichever it is."""
    owners: list[Node] = []
    for one in several:
        value, found = option(one, "load_fnc", _WHAT)
        loads = [load for load in each(value) if not is_unset(load)]
        if any(number_of(load) is None for load in loads):
            _refuse_logic(draft, one, found, want)
        with at(one.line):
            if want == "real":
                _take(draft, found if loads else [])
            elif not loads:
                owners.append(_owner(draft, one, found))
            elif not is_zero(value):
                owners += _zeroed(draft, one, found, value)
    if owners:
        put_zero(draft, list({node.start_byte: node for node in owners}.values()), around)


def _refuse_logic(draft: Draft, one: Site, found: list[Entry], want: str) -> None:
    line = found[-1].spot.line if found and found[-1].spot.text is draft.module.text else one.line
    what = "capacity logic in an existing `load_fnc`"
    raise RefusedError(what if want == "zero" else f"{what}: it is no override to take away", line)


# --- no load -------------------------------------------------------------------------------------


def _owner(draft: Draft, one: Site, found: list[Entry]) -> Node:
    """Where a function that gives 0 goes when there is none: a value that is none, or the arguments of the call."""
    if found:
        return value_of(draft.holder(found[-1], _WHAT))
    if one.made is None:
        raise RefusedError("the AgentServer, which takes the `load_fnc`, is not made in this file", one.line)
    listed = one.made.child_by_field_name("arguments")
    if listed is None or listed.type != "argument_list":
        raise RefusedError("the AgentServer has no list of arguments", one.line)
    return listed


def _zeroed(draft: Draft, one: Site, found: list[Entry], value: Value) -> list[Node]:
    """Write 0 where the numbers are written; the places are given that need a function of their own."""
    holders = [draft.holder(entry, _WHAT) for entry in found]
    owners: list[Node] = []
    chosen = False
    for holder in holders:
        node = value_of(holder)
        given = list(each(draft.module.value(node)))
        loads = [load for load in given if not is_unset(load)]
        if any(number_of(load) is None for load in loads):
            raise RefusedError("what the existing `load_fnc` reports cannot be told", one.line)
        if len(loads) < len(given):
            chosen = True
            owners.append(node)
        elif not all(_is_only_here(draft, load, holders) for load in loads if number_of(load) != 0):
            owners.append(node)
        else:
            _write_zero(draft, loads)
    if any(is_unset(load) for load in each(value)) and not chosen:
        # It is set later, on a condition: what holds otherwise is said where the worker is made.
        if any(holder.type != "assignment" or not _is_attribute(holder) for holder in holders):
            raise RefusedError("the `load_fnc` is set on a condition only", found[-1].spot.line)
        owners.append(_owner(draft, one, []))
    return owners


def _is_attribute(assignment: Node) -> bool:
    left = assignment.child_by_field_name("left")
    return left is not None and left.type == "attribute"


def _write_zero(draft: Draft, loads: list[Value]) -> None:
    for load in loads:
        if not isinstance(load, Local) or load.node is None or number_of(load) == 0:
            continue
        for result in map(_bare, draft.module.results(load.node)):
            new = b"0" if result.type == "integer" else b"0.0"
            # `return-1` is Python, `return0.0` is not.
            joined = draft.data[result.start_byte - 1 : result.start_byte].isalnum()
            draft.replace(result, b" " + new if joined else new)


def _bare(node: Node) -> Node:
    return _bare(node.named_children[0]) if node.type == "parenthesized_expression" else node


def _is_only_here(draft: Draft, load: Value, holders: list[Node]) -> bool:
    """Whether the function that gives a load is written in the option itself, or used for nothing else."""
    if not isinstance(load, Local) or load.home is not draft.module or load.node is None:
        return False
    if any(_holds(holder, load.node) for holder in holders):
        return True
    named = load.node.child_by_field_name("name")
    if named is None and load.node.parent is not None and load.node.parent.type == "assignment":
        named = load.node.parent.child_by_field_name("left")
    if named is None:
        return False
    name = draft.module.written(named)
    uses = [use for use in draft.module.nodes("identifier") if draft.module.written(use) == name and use != named]
    return all(any(_holds(holder, use) for holder in holders) for use in uses)


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


# --- the real load -------------------------------------------------------------------------------


def _take(draft: Draft, found: list[Entry]) -> None:
    """Take away each constant, and a function that an earlier edit put in for it when nothing else uses that."""
    functions: list[Node] = []
    for entry in found:
        draft.remove_option(entry, _WHAT)
        loads = [load for load in each(entry.value) if isinstance(load, Local) and load.home is draft.module]
        functions += [load.node for load in loads if load.node is not None]
    for node in functions:
        named = node.child_by_field_name("name")
        name = draft.module.written(named)
        at_top = node.parent is not None and node.parent.type == "module"
        if name in NAMES and at_top and only_returns(node) and not draft.used(name, beside=named):
            draft.remove(Ops(statements=(node,)))
