"""The load that a Python worker reports: a constant zero put in, or taken away again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import Ops, line_of
from bot.source.python_values import PythonModule
from bot.source.splice import Splice, indent_at, newline
from bot.source.values import Lit, Local, Value, each

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft
    from bot.source.values import Entry

_NAMES = ("no_load", "report_no_load", "fletcher_no_load")
_CONSTANT = frozenset({"return_statement", "pass_statement"})


def is_zero(value: Value) -> bool:
    """Whether a function always gives 0."""
    several = list(each(value))
    return bool(several) and all(_gives_zero(option) for option in several)


def _gives_zero(value: Value) -> bool:
    if not isinstance(value, Local) or value.kind != "function" or value.node is None:
        return False
    home, node = value.home, value.node
    decorated = node.parent is not None and node.parent.type == "decorated_definition"
    if not isinstance(home, PythonModule) or decorated or any(child.type == "async" for child in node.children):
        return False
    results = [home.value(result) for result in home.results(node)]
    return bool(results) and all(isinstance(one, Lit) and one.value == 0 and one.value is not None for one in results)


def take_zero(draft: Draft, entries: list[Entry]) -> None:
    """Take away each constant zero, and the function that gives it when nothing else uses it."""
    functions: list[Node] = []
    for entry in entries:
        if not is_zero(entry.value):
            continue
        draft.remove_option(entry, "the load_fnc")
        for option in each(entry.value):
            if isinstance(option, Local) and option.home is draft.module and option.node is not None:
                functions += [option.node]
    for node in functions:
        name = draft.module.written(node.child_by_field_name("name"))
        at_top = node.parent is not None and node.parent.type == "module"
        if (
            node.type == "function_definition"
            and at_top
            and _only_returns(node)
            and not draft.used(name, beside=node.child_by_field_name("name"))
        ):
            draft.remove(Ops(statements=(node,)))


def _only_returns(function: Node) -> bool:
    body = function.child_by_field_name("body")
    for node in body.named_children if body is not None else []:
        text = node.type == "expression_statement" and all(child.type == "string" for child in node.named_children)
        if node.type not in {*_CONSTANT, "comment"} and not text:
            return False
    return True


def put_zero(draft: Draft, owners: list[Node]) -> None:
    """Have these calls, or the values in these places, take a function that gives 0."""
    # A function of the module takes no argument in every version of livekit-agents: up to 0.8 `load_fnc` was called
    # with none, since then its signature is asked. It has a name because `dev` hands the options to another process
    # by pickle up to 1.6, which a lambda does not survive.
    name = _define(draft, min(owners, key=lambda node: node.start_byte))
    for node in owners:
        if node.type == "argument_list":
            draft.add(node, f"load_fnc={name}".encode())
        else:
            draft.replace(node, name.encode())


def _define(draft: Draft, at: Node) -> str:
    module, data = draft.module, draft.data
    for name in _NAMES:
        found = module.scopes.scope(module.root).get(name, [])
        if found and is_zero(module.defined(found, name, None, {})) and found[0].node.start_byte < at.start_byte:
            return name
    name = next((name for name in _NAMES if not module.mentions[name]), "")
    if not name:
        raise RefusedError("every name for a function that reports no load is taken", line_of(at))
    top = at
    for up, child in module.climb(at):
        if up.type == "module":
            top = child
    start = data.rfind(b"\n", 0, _with_comments(draft, top)) + 1
    line, indent = newline(data), indent_at(data, top.start_byte)
    above = data[:start]
    empty = 2 if not above.strip() else _empty_lines(above)
    head = line * max(0, 2 - empty)
    if above and not above.endswith(b"\n"):
        head = line * 3
    unit = _unit(draft)
    lines = [f"def {name}() -> float:".encode(), unit + b"return 0.0"]
    new = head + b"".join(indent + one + line for one in lines) + line * 2
    draft.splices.add(Splice(start, start, new))
    return name


def _with_comments(draft: Draft, node: Node) -> int:
    """Where a statement begins with the comments directly above it; those at the head of the file are the file's."""
    start, row = node.start_byte, node.start_point[0]
    for comment in reversed(draft.module.nodes("comment")):
        if comment.start_byte > start or comment.start_point[0] != row - 1:
            continue
        if comment.start_point[1] != node.start_point[1]:
            break
        start, row = comment.start_byte, row - 1
    return start if row > 0 else node.start_byte


def _empty_lines(above: bytes) -> int:
    lines = above.split(b"\n")[:-1]
    count = 0
    while lines and not lines.pop().strip():
        count += 1
    return count


def _unit(draft: Draft) -> bytes:
    data = draft.data
    for block in draft.module.nodes("block"):
        above = block.parent
        if above is None or above.start_point[0] == block.start_point[0]:
            continue
        outer, inner = indent_at(data, above.start_byte), indent_at(data, block.start_byte)
        if inner.startswith(outer) and inner != outer:
            return inner[len(outer) :]
    return b"\t" if b"\n\t" in data else b"    "
