"""A dispatch for a token of a TypeScript or JavaScript file that has none, with the imports that it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.reading import CONFIG_KEYS
from bot.source.splice import Splice, added, after_statement, indent_at, indent_unit, listed, newline
from bot.source.surroundings import bounds
from bot.source.typescript_cut import PROPERTIES, WRAPPERS
from bot.source.typescript_draft import under
from bot.source.typescript_imports import imported_names
from bot.source.typescript_scope import FUNCTIONS, parameters
from bot.source.values import ABSENT, Made, Ref, Table, made_by

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.livekit.setup import Package
    from bot.source.found import FoundToken
    from bot.source.typescript_draft import Draft
    from bot.source.typescript_values import TypeScriptModule
    from bot.source.values import Entry

_SDK: Package = "livekit-server-sdk"
_STATEMENTS = frozenset({"lexical_declaration", "variable_declaration", "expression_statement"})
_PROTOCOL = "@livekit/protocol"


def add_dispatch(draft: Draft, token: FoundToken, name: str) -> None:
    """Let a token that has no dispatch ask for an agent; refused when it cannot be told where."""
    node = draft.cutter.node_at(token.spot, frozenset({"new_expression"}))
    value = draft.module.value(node)
    if node is None or not isinstance(value, Made):
        raise RefusedError("which token is made here cannot be told", token.spot.line)
    if bounds(draft.around.version(draft.source, _SDK)).since(2, 8, 0) is False:
        raise RefusedError(f"{_SDK} knows no dispatch in tokens before 2.8.0; upgrade it first", token.spot.line)
    config = _existing(draft, token)
    if config is not None:
        _into_config(draft, config, value.callee, token, name)
        return
    names = _classes(draft, value.callee, ("RoomConfiguration", "RoomAgentDispatch"), token)
    for target, statement in _kept_as(draft, node):
        _append(draft, target, statement, names, name)


def _append(draft: Draft, target: str, statement: Node, names: list[str], name: str) -> None:
    data = draft.module.text.data
    line, indent = newline(data), indent_at(data, statement.start_byte)
    stop, end = _end(data, statement)
    new = line.join(
        [
            f"{target}.roomConfig = new {names[0]}({{".encode(),
            indent
            + indent_unit(data)
            + f"agents: [new {names[1]}({{ agentName: ".encode()
            + draft.quoted(name)
            + b" })],",
            indent + b"})" + end,
        ]
    )
    draft.changes.append(after_statement(data, statement.start_byte, stop, new, draft.comments()))


def _end(data: bytes, statement: Node) -> tuple[int, bytes]:
    """Where a statement ends, and with what the next one is to end."""
    whole = data[statement.start_byte : statement.end_byte]
    bare = whole.removesuffix(b";").rstrip()
    if b"\n" in whole[len(bare) :]:
        return statement.start_byte + len(bare), b""  # its semicolon leads the next line
    goes_on = data[statement.end_byte :].lstrip()[:1] in {b"(", b"[", b"`"}
    return statement.end_byte, b";" if whole.endswith(b";") or goes_on else b""


def _classes(draft: Draft, token: Ref, names: tuple[str, ...], where: FoundToken) -> list[str]:
    """How the SDK's classes are written beside that of the token, imported if need be."""
    node = draft.cutter.node_at(where.spot, frozenset({"new_expression"}))
    constructor = node.child_by_field_name("constructor") if node is not None else None
    sdk = bounds(draft.around.version(draft.source, _SDK))
    known = sdk.since(2, 14, 2)
    # Up to 2.14.1 the classes had to be imported from the package of the protocol, which serves every version.
    if token.module and not (known or (known is None and sdk.low is None)):
        return imported_names(draft, names, _PROTOCOL, where.spot)
    if constructor is not None and constructor.type == "member_expression":
        holder = draft.module.written(constructor.child_by_field_name("object"))
        return [f"{holder}.{name}" for name in names]
    if not token.module:
        return list(names)  # a fragment that imports nothing
    if constructor is not None and _into_pattern(draft, constructor, names):
        return list(names)
    if known is None:
        draft.notes.append(f"`{_SDK}` offers {' and '.join(names)} from 2.14.2 on; before, {_PROTOCOL} does.")
    return imported_names(draft, names, _package(token.module), where.spot)


def _package(module: str) -> str:
    """The SDK as it is imported, without the file within it; what passes it on need not have all its classes."""
    whole = re.fullmatch(r"(.*livekit-server-sdk(?:@[^/]+)?)(/.*)?", module)
    return whole[1] if whole is not None and not module.startswith((".", "/")) else _SDK


def _into_pattern(draft: Draft, constructor: Node, names: tuple[str, ...]) -> bool:
    """Take the classes out of the SDK where the token's own is taken out of it within a function."""
    module = draft.module
    binding = module.scopes.find(module.written(constructor), constructor)
    declared = binding.node.parent if binding is not None and binding.kind == "value" else None
    pattern = declared.child_by_field_name("name") if declared is not None else None
    if pattern is None or pattern.type != "object_pattern" or module.function_at(pattern) == module.root.id:
        return False
    there = {module.written(part) for part in parameters(pattern)} | draft.imported
    missing = [name for name in names if name not in there]
    draft.imported.update(missing)
    if missing:
        text = ", ".join(missing).encode()
        draft.changes += added(module.text.data, listed(pattern), text, draft.comments(), b" ")
    return True


def _existing(draft: Draft, token: FoundToken) -> Node | None:
    """The right side of the assignment that already gives this token a configuration."""
    for node in draft.module.nodes("assignment_expression"):
        left = node.child_by_field_name("left")
        if left is None or draft.module.written(left.child_by_field_name("property")) not in CONFIG_KEYS:
            continue
        owner = draft.module.value(left.child_by_field_name("object"))
        if any(made.spot.key == token.spot.key for made in made_by(owner, "AccessToken")):
            return node.child_by_field_name("right")
    return None


def _into_config(draft: Draft, config: Node, callee: Ref, token: FoundToken, name: str) -> None:
    for option in made_by(draft.module.value(config), "RoomConfiguration"):
        node = draft.cutter.node_at(option.spot, frozenset({"new_expression"}))
        given = parameters(node.child_by_field_name("arguments")) if node is not None else []
        if node is None or len(given) > 1 or (given and given[0].type != "object"):
            continue
        (dispatch,) = _classes(draft, callee, ("RoomAgentDispatch",), token)
        code = f"[new {dispatch}({{ agentName: ".encode() + draft.quoted(name) + b" })]"
        table = option.args[0] if option.args else ABSENT
        if not given:
            listed_ = node.child_by_field_name("arguments")
            at = node.end_byte if listed_ is None else listed_.end_byte - 1
            text = b"{ agents: " + code + b" }"
            draft.changes.append(Splice(at, at, text if listed_ is not None else b"(" + text + b")"))
        elif isinstance(table, Table) and (entries := list(under(table, "agents"))):
            _fill(draft, entries[-1], code, token)
        else:
            draft.append(given[0], "agents", code)
        return
    raise RefusedError("the token's room configuration is made in a way that cannot be edited", draft.line(config))


def _fill(draft: Draft, written: Entry, code: bytes, token: FoundToken) -> None:
    node = draft.cutter.node_at(written.spot, PROPERTIES)
    if node is None:
        raise RefusedError("the token's list of agents cannot be edited", token.spot.line)
    draft.give(node, "agents", code)


def _kept_as(draft: Draft, node: Node, depth: int = 0) -> list[tuple[str, Node]]:
    """How the token is named, and the statement behind which all its grants are given; at each place that gets it."""
    module, outer = draft.module, node.parent
    while outer is not None and outer.type in WRAPPERS:
        outer = outer.parent
    calls = _calls(module, outer, node) if depth < 3 else []
    if calls:
        return [place for call in calls for place in _kept_as(draft, call, depth + 1)]
    statement = outer.parent if outer is not None else None
    target = None
    if outer is not None and outer.type == "variable_declarator":
        target = outer.child_by_field_name("name")
    elif outer is not None and outer.type == "assignment_expression":
        target = outer.child_by_field_name("left")
    if target is None or target.type not in {"identifier", "member_expression"}:
        raise RefusedError("the token is not kept in a variable, so nothing can be added to it", draft.line(node))
    if statement is None or statement.parent is None or statement.type not in _STATEMENTS:
        raise RefusedError("the token is made within another statement", draft.line(node))
    if statement.parent.type not in {"program", "statement_block"}:
        raise RefusedError("the token is made within another statement", draft.line(node))
    text, last = module.written(target), statement
    for other in statement.parent.named_children:
        if other.start_byte <= statement.start_byte or other.type != "expression_statement":
            continue
        call = other.named_children[0]
        callee = call.child_by_field_name("function") if call.type == "call_expression" else None
        if module.written(callee) == f"{text}.addGrant":
            last = other
    return [(text, last)]


def _calls(module: TypeScriptModule, outer: Node | None, node: Node) -> list[Node]:
    """The calls of the function of this file that gives a token as it makes it, if there can be no others."""
    given = outer is not None and outer.type in {"return_statement", "arrow_function"}
    function = next((up for up, _ in module.climb(node) if up.type in FUNCTIONS), None) if given else None
    calls, closed = module.callers(function) if function is not None else ([], False)
    return calls if closed else []
