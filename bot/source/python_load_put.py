"""A function that gives 0 for the load of a Python worker: one that is there, or one that is put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import line_of
from bot.source.python_load import number_of
from bot.source.python_scope import parameters
from bot.source.splice import Splice, indent_at, newline
from bot.source.surroundings import bounds
from bot.source.values import Local

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft
    from bot.source.python_scope import Definition
    from bot.source.surroundings import Surroundings

NAMES = ("no_load", "report_no_load", "fletcher_no_load")
_OF_LOAD = re.compile(r"(?:\w_load|^load)_(?:fnc|func|fn|function)$|\w_load$")
_NAMED_BECAUSE = (
    "`{}` is a function of its own, because `dev` of livekit-agents up to 1.5 hands the worker to another process by "
    "pickle, which a lambda does not survive."
)


def put_zero(draft: Draft, owners: list[Node], around: Surroundings) -> None:
    """Have these calls, or the values in these places, take a function that gives 0."""
    # `dev` with its reload sends the options, and from 1.3.1 on the AgentServer with its `load_fnc`, through pickle to
    # another process up to 1.5.17; 1.6.0 took that out, and its processes for jobs never got the load_fnc
    # (livekit-agents, cli/watcher.py and ipc/job_proc_executor.py of 1.3.1, 1.4.0, 1.5.0, 1.5.17, 1.6.0 and 1.8.9).
    if bounds(around.version(draft.module.text.source, "livekit-agents")).since(1, 6, 0):
        given = "lambda: 0.0"
    else:
        given = _at_hand(draft, min(owners, key=lambda node: node.start_byte))
    for node in owners:
        if node.type == "argument_list":
            draft.add(node, f"load_fnc={given}".encode())
        else:
            draft.replace(node, given.encode())


def _at_hand(draft: Draft, at: Node) -> str:
    """The name of a function that gives 0 and survives pickle, made if there is none."""
    for name, found in draft.module.scopes.scope(draft.module.root).items():
        if (name in NAMES or _OF_LOAD.search(name)) and len(found) == 1 and _serves(draft, found[0], name, at):
            return name
    return _define(draft, at)


def _serves(draft: Draft, found: Definition, name: str, at: Node) -> bool:
    module = draft.module
    value = module.defined([found], name, None, {})
    if found.node.start_byte >= at.start_byte or module.scopes.conditional(found.node) or number_of(value) != 0:
        return False
    if not isinstance(value, Local) or value.node is None or value.node.type != "function_definition":
        return False
    above = value.node.parent
    needed = [plain for _, default, plain in parameters(value.node, module.written) if plain and default is None]
    # Up to 0.8 a load_fnc was called without an argument; since then its signature is asked.
    allowed = 1 if module.calls_by_name.get("AgentServer") else 0
    return above is not None and above.type == "module" and len(needed) <= allowed


def _define(draft: Draft, at: Node) -> str:
    # A function of the module that takes no argument serves in every version of livekit-agents.
    module, data = draft.module, draft.data
    name = next((name for name in NAMES if not module.mentions[name]), "")
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
    draft.notes.append(_NAMED_BECAUSE.format(name))
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
