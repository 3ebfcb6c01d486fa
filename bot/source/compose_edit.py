"""One variable of a service in a compose file, as a map or a list has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bot.source.edit import Edited, RefusedError
from bot.source.yaml_edit import decoded, outcome, patching
from bot.source.yaml_tree import tree_of

if TYPE_CHECKING:
    from bot.source.yaml_tree import Node, Tree
    from bot.source.yaml_write import Value

_FILLED_IN = re.compile(r"\$(?:\{|[A-Za-z_])")
_NAME = re.compile(r"[^\s=\0]+")


class _Set(NamedTuple):
    """Where a variable is set: its node, and its text as compose will read it; None is taken from outside."""

    node: Node
    text: str | None


class _Service(NamedTuple):
    name: str
    node: Node


def environment(raw: bytes, source: str, service: str, name: str, value: str | None) -> Edited:
    """Set a variable of a service, or remove it with None; `service` "" is the only one that has it.

    Refused is what is set elsewhere: through `<<` or an alias, or by whatever starts compose (`${NAME}`).
    """
    try:
        start, text = decoded(raw)
        tree = tree_of(text)
        chosen = _chosen(tree, service, name, value)
        if chosen is None:
            return Edited("unchanged", raw, f"no service of {source} sets {name}")
        reason = f"{chosen.name} does not set {name}" if value is None else f"{chosen.name} has {name} as asked for"
        notes: list[str] = []
        patch = _patch(tree, chosen, name, value, notes)
        if not patch:
            return outcome(raw, start, tree, [], notes, reason)
        splices, more = patching(tree, {"services": {chosen.name: patch}})
    except RefusedError as refusal:
        return Edited("refused", raw, refusal.reason, refusal.line)
    return outcome(raw, start, tree, splices, [*more, *notes], reason)


def _chosen(tree: Tree, wanted: str, name: str, value: str | None) -> _Service | None:
    """The service to edit; None when there is nothing to remove from any."""
    if not _NAME.fullmatch(name) or "\0" in (value or ""):
        raise RefusedError("this is no variable that an environment can have")
    services = _services(tree)
    names = ", ".join(service.name for service in services)
    if wanted:
        found = [service for service in services if service.name == wanted]
        if not found:
            raise RefusedError(f"there is no service {wanted} here, only {names}")
        return found[0]
    having = [service for service in services if _settings(tree, _holder(tree, service.node), name)]
    if not having and value is None:
        return None
    having = having or services
    if len(having) > 1:
        raise RefusedError(f"it must be said which service is meant: {', '.join(service.name for service in having)}")
    return having[0]


def _services(tree: Tree) -> list[_Service]:
    pair = tree.own(tree.root, "services") if tree.root is not None else None
    if pair is None or not tree.real(pair[1]).pairs:
        raise RefusedError("this is no compose file with services")
    if pair[1].kind == "alias":
        raise RefusedError("the services are set elsewhere", tree.line(pair[1].start))
    return [_Service(key.value, node) for key, node in pair[1].pairs if key.kind == "scalar"]


def _holder(tree: Tree, service: Node) -> Node | None:
    """What stands under a service's `environment`, wherever it comes from."""
    service = tree.real(service)
    pair = tree.own(service, "environment")
    return pair[1] if pair is not None else tree.merged(service, "environment")


def _settings(tree: Tree, holder: Node | None, name: str) -> list[_Set]:
    """Where a holder sets a variable, in the order of the file."""
    if holder is None:
        return []
    holder = tree.real(holder)
    found: list[_Set] = []
    for item in map(tree.real, holder.parts if holder.kind == "list" else []):
        key, equals, text = item.value.partition("=")
        if item.kind == "scalar" and key.strip() == name:
            found.append(_Set(item, text if equals else None))
    pair = tree.own(holder, name)
    node = pair[1] if pair is not None else tree.merged(holder, name)
    if node is not None and tree.real(node).kind == "scalar":
        text = tree.real(node).value
        found.append(_Set(node, None if tree.real(node).tag == "null" else text))
    return found


def _patch(tree: Tree, service: _Service, name: str, value: str | None, notes: list[str]) -> dict[str, Value]:
    """What a merge patch has to say of a service, nothing when nothing has to change; and notes for the person."""
    holder = _holder(tree, service.node)
    found = _settings(tree, holder, name)
    now = found[-1] if found else None
    outside = now is not None and (now.text is None or _FILLED_IN.search(now.text.replace("$$", "")) is not None)
    if value is None:
        notes += _elsewhere(tree, service, name)
    if now is None and value is None:
        return {}
    if now is not None and value is not None:
        if outside:
            raise RefusedError(f"{name} is filled in from outside when compose starts", tree.line(now.node.start))
        if now.text is not None and now.text.replace("$$", "$") == value:
            return {}
    if len(found) > 1:
        raise RefusedError(f"{name} is there twice", tree.line(found[0].node.start))
    if service.node.kind == "alias":
        raise RefusedError(f"{service.name} is set elsewhere, as *{service.node.value}", tree.line(service.node.start))
    if holder is not None and tree.own(service.node, "environment") is None:
        raise RefusedError(f"the environment of {service.name} is merged in from here", tree.line(holder.start))
    if holder is not None and holder.kind == "alias":
        raise RefusedError(f"the environment of {service.name} is set elsewhere", tree.line(holder.start))
    if outside:
        notes.append(f"{name} was taken from outside; what sets it there is no longer passed on.")
    written = None if value is None else value.replace("$", "$$")
    if holder is not None and holder.kind == "list":
        return {"environment": _items(tree, holder, name, written)}
    if written is None and holder is not None and len(holder.pairs) == 1:
        return {"environment": None}
    return {"environment": {name: written}}


def _items(tree: Tree, holder: Node, name: str, written: str | None) -> Value:
    """A list of `NAME=value` afterwards; None when nothing is left of it."""
    items: list[Value] = []
    had = False
    for part in holder.parts:
        item = tree.real(part)
        if item.kind != "scalar" or item.tag != "str":
            raise RefusedError("this item is no NAME=value", tree.line(part.start))
        if item.value.partition("=")[0].strip() != name:
            items.append(item.value)
            continue
        had = True
        if written is not None:
            items.append(f"{name}={written}")
    if written is not None and not had:
        items.append(f"{name}={written}")
    return items or None


def _elsewhere(tree: Tree, service: _Service, name: str) -> list[str]:
    """What else may give a service the variable that is removed from its environment."""
    node = tree.real(service.node)
    given = [key for key in ("env_file", "extends") if tree.own(node, key) or tree.merged(node, key) is not None]
    return [f"{service.name} has {key} as well; see whether {name} comes from there." for key in given]
