"""The names that an edit of a Python file needs, and those it leaves without a use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.python_draft import Ops, line_of
from bot.source.values import Ref

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.python_draft import Draft


def need(draft: Draft, beside: Node, names: tuple[str, ...], package: str) -> str:
    """What has to stand before these names of a package, written as the name `beside` is; they are imported if needed.

    `beside` is how another name of the package is written here: `AccessToken` or `api.AccessToken`. RefusedError when
    one of the names stands for something else.
    """
    module = draft.module
    if beside.type == "attribute":
        owner = beside.child_by_field_name("object")
        value = module.value(owner)
        path = ".".join((value.module, *value.path)).strip(".") if isinstance(value, Ref) else ""
        if owner is not None and (path == package or (isinstance(value, Ref) and not value.module)):
            return module.written(owner) + "."
    root = beside
    while root.type == "attribute":
        root = root.child_by_field_name("object") or root
        if root.type not in {"attribute", "identifier"}:
            return ""
    missing = [name for name in names if not _is_here(draft, name, beside, package)]
    found = module.scopes.find(module.written(root), root)
    if missing and found and found[0].kind == "import":
        # What nothing imports stands in a fragment, and the new names then stand there in the same way.
        draft.add_import(found[0].node, package if found[0].module != package else "", missing)
    return ""


def _is_here(draft: Draft, name: str, at: Node, package: str) -> bool:
    module = draft.module
    found = module.scopes.find(name, at)
    if not found:
        stars = module.scopes.scope(module.root).get("*", [])
        return any(star.module == package for star in stars)
    value = module.defined(found, name, at, {})
    if isinstance(value, Ref) and value.name == name and "livekit" in value.module:
        return True
    raise RefusedError(f"`{name}` already stands for something else here", line_of(found[0].node))


def drop_unused_imports(draft: Draft) -> None:
    """Take out what was imported only for what goes."""
    module = draft.module
    if module.text.source.rpartition("/")[2] == "__init__.py":
        return  # what a package imports may be imported from it
    gone = draft.mentioned_in_gone()
    for node in module.nodes("import_statement", "import_from_statement"):
        items = _items(node)
        unused = [item for item in items if _bound(draft, item) in gone and not draft.used(_bound(draft, item))]
        if not unused:
            continue
        if len(unused) < len(items):
            draft.remove(Ops(items=tuple((node, item) for item in unused)))
        elif node.parent is not None and node.parent.type == "module":
            draft.remove(Ops(statements=(node,)))


def _items(node: Node) -> list[Node]:
    module = node.child_by_field_name("module_name")
    return [
        child for child in node.named_children if child.type in {"dotted_name", "aliased_import"} and child != module
    ]


def _bound(draft: Draft, item: Node) -> str:
    written = draft.module.written
    if item.type == "aliased_import":
        return written(item.child_by_field_name("alias"))
    above = item.parent
    if above is not None and above.type == "import_statement":
        # `import a.b` binds `a`, and so may other imports: it stays, unless it is a plain name.
        return written(item) if "." not in written(item) else ""
    return written(item)
