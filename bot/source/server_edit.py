"""The load at which a LiveKit server takes a worker for full: `agents.target_load` of its configuration.

Source: livekit-server's `pkg/config/config.go` (`agents: target_load`), read when the server starts.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.source.edit import Edited, RefusedError
from bot.source.yaml import SERVER_KEYS
from bot.source.yaml_data import NOTHING, data
from bot.source.yaml_edit import decoded, outcome, patching, prove
from bot.source.yaml_places import Splice, line_end, next_line, spliced
from bot.source.yaml_tree import tree_of

if TYPE_CHECKING:
    from bot.source.yaml_data import Data
    from bot.source.yaml_tree import Node, Tree
    from bot.source.yaml_write import Value

_OTHERS = {"apiVersion", "api_key", "ws_url"}  # of Kubernetes, and of egress, ingress and SIP
_NAME = "LIVEKIT_CONFIG"


def target_load(raw: bytes, source: str, value: float) -> Edited:
    """Set `agents.target_load` in a server's configuration, or where a compose file carries one as a block text."""
    try:
        start, text = decoded(raw)
        tree = tree_of(text)
        root = tree.root
        if root is not None and tree.own(root, "services") is not None:
            splices, notes = _inside(tree, _carried(tree), value)
        else:
            _is_server(root, source)
            splices, notes = patching(tree, _patch(tree, value))
    except RefusedError as refusal:
        return Edited("refused", raw, refusal.reason, refusal.line)
    return outcome(raw, start, tree, splices, notes, f"agents.target_load is {value}")


def _patch(tree: Tree, value: float) -> dict[str, Value]:
    agents: dict[str, Value] = {"agents": {"target_load": value}}
    inner = tree.own(tree.root, "livekit") if tree.root is not None else None
    # A Helm chart keeps the server's configuration one level down.
    return {"livekit": agents} if inner is not None and tree.own(inner[1], "rtc") is not None else agents


def _is_server(root: Node | None, source: str) -> None:
    """Refuse a file that is no server's configuration."""
    keys = {key.value for key, _ in root.pairs} if root is not None else set()
    named = "livekit" in PurePosixPath(source).name.lower()
    if keys & _OTHERS or not (named or keys & SERVER_KEYS or "livekit" in keys):
        raise RefusedError("this is no configuration of a LiveKit server")


def _carried(tree: Tree) -> Node:
    """The one configuration that a compose file carries."""
    found: dict[int, Node] = {}
    for name in ("services", "configs"):
        pair = tree.own(tree.root, name) if tree.root is not None else None
        for _, holder in tree.real(pair[1]).pairs if pair is not None else []:
            for node in _texts(tree, tree.real(holder)):
                found[id(node)] = node
    if not found:
        raise RefusedError("no configuration of a LiveKit server is carried here; the file that is mounted has it")
    nodes = list(found.values())
    if len(nodes) > 1:
        raise RefusedError("several configurations of a server are carried here", tree.line(nodes[1].start))
    return nodes[0]


def _texts(tree: Tree, holder: Node) -> list[Node]:
    """Where a service or a config carries a server's configuration."""
    found: list[Node] = []
    content = tree.own(holder, "content")
    if content is not None and re.search(r"(?m)^(?:rtc|keys|port):", tree.real(content[1]).value):
        found.append(content[1])
    pair = tree.own(holder, "environment")
    environment = tree.real(pair[1]) if pair is not None else None
    if environment is not None:
        found += [value for key, value in environment.pairs if key.value == _NAME]
        found += [
            item for item in environment.parts if environment.kind == "list" and item.value.startswith(_NAME + "=")
        ]
    return found


def _inside(tree: Tree, node: Node, value: float) -> tuple[list[Splice], list[str]]:
    """The splices of a configuration that stands in a compose file as a block text."""
    line = tree.line(node.start)
    if node.style != "|" or node.value.startswith(_NAME + "="):
        raise RefusedError("the configuration is not written as a block text under a |", line)
    if node.anchor and tree.uses.get(node.anchor):
        raise RefusedError("what stands here is used elsewhere as well", line)
    begin, end = next_line(tree.text, node.start), line_end(tree.text, node.end)
    inner, where, margin = _margin_off(tree.text, begin, end)
    if inner.replace("\r\n", "\n").rstrip() != node.value.rstrip():
        raise RefusedError("the configuration is not indented evenly", line)
    try:
        held = tree_of(inner)
        splices, notes = patching(held, _patch(held, value))
    except RefusedError as refusal:
        raise RefusedError(refusal.reason, refusal.line + line if refusal.line else line) from None
    outer = [Splice(where[at], where[to], text.replace("\n", "\n" + margin)) for at, to, text in splices]
    tail = node.value[len(node.value.rstrip("\n")) :]
    said = spliced(inner, splices).replace("\r\n", "\n").rstrip("\n") + tail
    prove(tree, outer, _with(tree, node, said))
    return outer, notes


def _margin_off(text: str, begin: int, end: int) -> tuple[str, list[int], str]:
    """A block text without its margin, where each of its characters stands in the file, and the margin."""
    first = re.compile(r"(?:[ \t]*\r?\n)*( *)").match(text, begin, end)
    margin = first.group(1) if first else ""
    where: list[int] = []
    at = begin
    while at < end:
        stop = min(next_line(text, at), end)
        blanks = len(text[at:stop]) - len(text[at:stop].lstrip(" "))
        where += range(at + min(len(margin), blanks), stop)
        at = stop
    return "".join(text[place] for place in where), [*where, end], margin


def _with(tree: Tree, node: Node, said: str) -> Data:
    """What the file says once a node's text is another."""
    before, node.value = node.value, said
    try:
        return data(tree.root) if tree.root is not None else NOTHING
    finally:
        node.value = before
