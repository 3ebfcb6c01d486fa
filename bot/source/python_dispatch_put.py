"""An agent for the join tokens of a Python file that ask for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import items_of, line_of
from bot.source.python_grants import given_to
from bot.source.python_needs import need
from bot.source.surroundings import bounds
from bot.source.values import Made, made_by

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.found import FoundToken
    from bot.source.python_draft import Draft
    from bot.source.surroundings import Surroundings


def put_dispatch(draft: Draft, tokens: list[FoundToken], want: str, around: Surroundings) -> None:
    """Have each of these tokens ask for an agent."""
    if tokens:
        _check_version(draft, around, tokens[0].spot.line)
    for token in tokens:
        _put(draft, token, want)


def _check_version(draft: Draft, around: Surroundings, line: int) -> None:
    # `with_room_config` came with livekit-api 0.8.0, and so did the names of livekit.protocol that it takes.
    known = around.version(draft.module.text.source, "livekit-api")
    if known is not None and bounds(known).since(0, 8, 0) is False:
        raise RefusedError("livekit-api knows no dispatch in tokens before 0.8.0; upgrade it first", line)


def _put(draft: Draft, token: FoundToken, want: str) -> None:
    call = draft.node(token.spot, "the token")
    made = call.child_by_field_name("function")
    if made is None:
        raise RefusedError("the token is made in a way that cannot be followed", token.spot.line)
    name = draft.literal(want).decode()
    config = _existing(draft, token)
    if config is not None:
        _fill(draft, config, name)
        return
    prefix = need(draft, made, ("RoomConfiguration", "RoomAgentDispatch"), "livekit.api")
    new = f".with_room_config({prefix}RoomConfiguration(agents=[{prefix}RoomAgentDispatch(agent_name={name})]))"
    last, following = _last_link(draft, call)
    draft.insert(last.end_byte, _between(draft, last, following) + new.encode())


def _existing(draft: Draft, token: FoundToken) -> Node | None:
    """The room configuration that a token gets without agents; a second one would replace it."""
    module = draft.module
    for call in module.calls_by_name.get("with_room_config", []):
        callee = call.child_by_field_name("function")
        receiver = callee.child_by_field_name("object") if callee is not None else None
        if not any(made.spot.key == token.spot.key for made in made_by(module.value(receiver), "AccessToken")):
            continue
        given = given_to(module, call)
        if isinstance(given, Made) and given.callee.name == "RoomConfiguration":
            return draft.node(given.spot, "the token's room configuration")
        raise RefusedError("the token's room configuration is made elsewhere", line_of(call))
    return None


def _fill(draft: Draft, config: Node, name: str) -> None:
    callee, listed = config.child_by_field_name("function"), config.child_by_field_name("arguments")
    if callee is None or listed is None or listed.type != "argument_list":
        raise RefusedError("the token's room configuration is made in a way that cannot be followed", line_of(config))
    prefix = need(draft, callee, ("RoomAgentDispatch",), "livekit.api")
    new = f"[{prefix}RoomAgentDispatch(agent_name={name})]"
    for item in items_of(listed):
        key = item.child_by_field_name("name") if item.type == "keyword_argument" else None
        if draft.module.written(key) != "agents":
            continue
        value = item.child_by_field_name("value")
        if value is None or value.type != "list" or items_of(value):
            raise RefusedError("the token's list of agents is made elsewhere", line_of(item))
        draft.replace(value, new.encode())
        return
    draft.add(listed, f"agents={new}".encode())


def _last_link(draft: Draft, call: Node) -> tuple[Node, Node | None]:
    """The last call in the chain that gives the token again, and the attribute of the next one."""
    last = call
    while True:
        attribute = last.parent
        following = attribute.parent if attribute is not None and attribute.type == "attribute" else None
        if attribute is None or following is None or following.type != "call":
            return last, None
        if not draft.module.last_name(attribute).startswith("with_"):
            return last, attribute
        last = following


def _between(draft: Draft, last: Node, following: Node | None) -> bytes:
    """What stands between two links of this chain: nothing, or the end of a line and an indent."""
    callee = last.child_by_field_name("function")
    for attribute in (callee, following):
        receiver = attribute.child_by_field_name("object") if attribute is not None else None
        if attribute is None or attribute.type != "attribute" or receiver is None or receiver.type != "call":
            continue
        dot = next((child for child in attribute.children if child.type == "."), attribute)
        gap = draft.data[receiver.end_byte : dot.start_byte]
        if b"\n" not in gap:
            return b""
        indent = gap[gap.rfind(b"\n") + 1 :]
        line_end = b"\r\n" if b"\r\n" in gap else b"\n"
        return (b" \\" if gap.lstrip(b" \t").startswith(b"\\") else b"") + line_end + indent
    return b""
