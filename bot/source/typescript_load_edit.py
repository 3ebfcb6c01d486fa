"""The load that the workers of one TypeScript or JavaScript file report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bot.source.edit import RefusedError
from bot.source.typescript_cut import inside
from bot.source.typescript_draft import under
from bot.source.typescript_scope import FUNCTIONS, parameters
from bot.source.typescript_worker_edit import options_of
from bot.source.values import ABSENT, Lit, Local, Made, Table, Value, entry, field, options

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.found import FoundWorker
    from bot.source.typescript_draft import Draft
    from bot.source.typescript_values import TypeScriptModule

_LOAD, _NONE = "loadFunc", b"async () => 0"


def edit_load(draft: Draft, *, zero: bool) -> str:
    """Make each worker report no load, or take such an override away: a load that is one number is one, whichever."""
    done = False
    for found in draft.found.workers:
        table = options_of(found)
        value = field(table, _LOAD)
        unset = value is ABSENT or (isinstance(value, Lit) and value.value is None)
        loads = [] if unset else [_reported(draft.module, option) for option in options(value)]
        numbers = [_number(draft.module, load) for load in loads]
        if (unset and not zero) or (loads and zero and all(number == 0 for number in numbers)):
            continue
        if None in numbers:
            _refuse_logic(draft, found, table, zero=zero)
        done = True
        if not zero:
            draft.take(table, _LOAD, found.spot.line)
        elif unset:
            draft.put(table, _LOAD, _NONE, found.spot.line)
        else:
            _set_zero(draft, found, table, [load for load in loads if load is not None])
    if not done:
        return ""
    return "set `loadFunc` to report no load" if zero else "removed `loadFunc`"


def _set_zero(draft: Draft, found: FoundWorker, table: Table, loads: list[Node]) -> None:
    """Put 0 where the number is written; where that serves others, too, the option gets a function of its own."""
    written = [draft.deciding(one, found.spot.line) for one in under(table, _LOAD)]
    if all(_is_only_here(draft.module, load, written) for load in loads):
        for load in loads:
            draft.replace(load, b"0")
        return
    for node in written:
        draft.give(node, _LOAD, _NONE)


def _refuse_logic(draft: Draft, found: FoundWorker, table: Table, *, zero: bool) -> NoReturn:
    where = entry(table, _LOAD)
    here = where is not None and where.spot.text is draft.module.text
    line = where.spot.line if where is not None and here else found.spot.line
    if where is not None and where.key is None:
        raise RefusedError("the options may get a `loadFunc` with what is spread into them", line)
    what = "capacity logic in an existing `loadFunc`"
    raise RefusedError(what if zero else f"{what}: it is no override to take away", line)


def _reported(module: TypeScriptModule, value: Value) -> Node | None:
    """The expression that a load function of this file gives, if it does nothing else."""
    if not isinstance(value, Local) or value.kind != "function" or value.node is None or value.home is not module:
        return None
    body = value.node.child_by_field_name("body")
    if body is not None and body.type == "statement_block":
        inner = [child for child in body.named_children if child.type != "comment"]
        if len(inner) != 1 or inner[0].type != "return_statement":
            return None
    results = module.results(value.node)
    return _bare(module, results[0]) if len(results) == 1 else None


def _bare(module: TypeScriptModule, node: Node) -> Node:
    """What a promise is resolved with, if an expression is one."""
    made = module.value(node)
    if node.type == "call_expression" and isinstance(made, Made) and made.callee.path == ("Promise", "resolve"):
        given = parameters(node.child_by_field_name("arguments"))
        return given[0] if len(given) == 1 else node
    return node


def _number(module: TypeScriptModule, node: Node | None) -> float | None:
    value = module.value(node) if node is not None else ABSENT
    return value.value if isinstance(value, Lit) and isinstance(value.value, float) else None


def _is_only_here(module: TypeScriptModule, load: Node, written: list[Node]) -> bool:
    """Whether the function that gives a load is written in the option itself, or for it alone."""
    if any(inside(load, node) for node in written):
        return True
    above = [up for up, _ in module.climb(load)]
    function = next((up for up in above if up.type in FUNCTIONS), None)
    if function is None or any(up.type == "export_statement" for up in above):
        return False
    holder = function if function.child_by_field_name("name") is not None else function.parent
    name = holder.child_by_field_name("name") if holder is not None else None
    return name is not None and module.mentions[module.written(name)] <= 2
