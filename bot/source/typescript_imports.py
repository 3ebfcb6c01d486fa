"""Imports of a TypeScript or JavaScript file that an edit needs, or leaves unused."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.splice import Splice, added, after_statement, indent_at, listed, newline
from bot.source.typescript_cut import WRAPPERS
from bot.source.typescript_scope import key_text, parameters, string_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.evaluate import Binding
    from bot.source.text import Spot
    from bot.source.typescript_draft import Draft
    from bot.source.typescript_values import TypeScriptModule

_WORD = re.compile(rb"[\w$\x80-\xff]+")
_NAMING = frozenset(
    {"identifier", "type_identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
)


def imported_name(draft: Draft, name: str, package: str, where: Spot) -> str:
    """How a name of a package is written in this file, imported if need be."""
    return imported_names(draft, (name,), package, where)[0]


def imported_names(draft: Draft, names: tuple[str, ...], package: str, where: Spot) -> list[str]:
    """How names of a package are written in this file; what is missing is imported beside what is there."""
    found = {name: _known_as(draft.module, name, package) for name in names}
    scope = draft.module.scopes.scope(draft.module.root)
    missing = [name for name in names if not found[name] and name not in draft.imported]
    bare = not draft.module.nodes("import_statement") and b"require(" not in draft.text.data
    for name in list(missing):
        if name in scope:
            if not _of_types(draft, scope[name], name):
                raise RefusedError(f"`{name}` is something else in this file", where.line)
            if _into_value(draft, name):
                draft.imported.add(name)
                missing.remove(name)
        elif bare and draft.module.mentions[name]:
            missing.remove(name)  # a fragment that names it without an import
    draft.imported.update(missing)
    if missing and not _into_import(draft, missing, package):
        _new_import(draft, missing, package)
    return [found[name] or name for name in names]


def _known_as(module: TypeScriptModule, name: str, package: str) -> str:
    for local, binding in module.scopes.scope(module.root).items():
        given = _package_of(module, binding)
        if "livekit" not in given.lower():
            continue
        if binding.kind == "import" and binding.imported == name and not _only_type(module, binding, local):
            return local
        whole = binding.imported == "*" if binding.kind == "import" else not binding.path
        if whole and given == package and not _only_type(module, binding, local):
            return f"{local}.{name}"
        if binding.kind != "import" and binding.path == (name,):
            return local
    return ""


def _package_of(module: TypeScriptModule, binding: Binding) -> str:
    return binding.module if binding.kind == "import" else _loaded(module, binding.node)


def _loaded(module: TypeScriptModule, node: Node) -> str:
    """The package that an expression loads, or that is imported as a whole under the name that it is."""
    if node.type == "identifier":
        whole = module.scopes.find(module.written(node), node)
        return whole.module if whole is not None else ""
    return required(module, node)


def required(module: TypeScriptModule, node: Node | None) -> str:
    """The package that an expression loads with `require` or `import()`, else ""."""
    while node is not None and node.type in WRAPPERS and node.named_children:
        node = node.named_children[0]
    callee = node.child_by_field_name("function") if node is not None and node.type == "call_expression" else None
    if node is None or callee is None or module.written(callee) not in {"require", "import"}:
        return ""
    given = parameters(node.child_by_field_name("arguments"))
    return string_text(given[0], module.written) if given else ""


def _only_type(module: TypeScriptModule, binding: Binding, local: str) -> bool:
    if any(child.type == "type" for child in binding.node.children):
        return True
    return any(
        any(child.type == "type" for child in spec.children)
        for spec in module.nodes("import_specifier")
        if module.written(spec.child_by_field_name("alias") or spec.child_by_field_name("name")) == local
    )


def _of_types(draft: Draft, binding: Binding, name: str) -> bool:
    """Whether a name is the SDK's, but imported as a type only."""
    sdk = binding.kind == "import" and binding.imported == name and "livekit" in binding.module
    return sdk and _only_type(draft.module, binding, name)


def _into_value(draft: Draft, name: str) -> bool:
    """Import a class that is imported as a type; False when it is taken out of its import, for that is of types only."""
    module = draft.module
    spec = next(one for one in module.nodes("import_specifier") if _local(module, one) == name)
    whole = next(up for up, _ in module.climb(spec) if up.type == "import_statement")
    word = next((child for child in spec.children if child.type == "type"), None)
    if word is None and len(parameters(spec.parent)) == 1:
        word = next((child for child in whole.children if child.type == "type"), None)
    if word is None or word.next_sibling is None:
        draft.cutter.item(spec)
        return False
    draft.changes.append(Splice(word.start_byte, word.next_sibling.start_byte, b""))
    return True


def _into_import(draft: Draft, names: list[str], package: str) -> bool:
    """Add names to a list of names that is imported from the package already; whether there is one."""
    module = draft.module
    for node in module.nodes("import_statement"):
        if string_text(node.child_by_field_name("source"), module.written) != package:
            continue
        if any(child.type == "type" for child in node.children):
            continue
        clause = next((child for child in node.named_children if child.type == "import_clause"), None)
        inner = (
            next((child for child in clause.named_children if child.type == "named_imports"), None) if clause else None
        )
        if inner is not None:
            _extend(draft, inner, names)
            return True
        if clause is not None and [child.type for child in clause.named_children] == ["identifier"]:
            text = ", { " + ", ".join(names) + " }"
            draft.changes.append(Splice(clause.end_byte, clause.end_byte, text.encode()))
            return True
    for node in module.nodes("variable_declarator"):
        pattern = node.child_by_field_name("name")
        if pattern is None or pattern.type != "object_pattern" or _depth(module, node):
            continue
        if required(module, node.child_by_field_name("value")) == package:
            _extend(draft, pattern, names)
            return True
    return False


def _depth(module: TypeScriptModule, node: Node) -> bool:
    return module.function_at(node) != module.root.id


def _extend(draft: Draft, node: Node, names: list[str]) -> None:
    data = draft.module.text.data
    inner = parameters(node)
    between = b", "
    if inner and inner[-1].start_point[0] > node.start_point[0]:
        between = b"," + newline(data) + indent_at(data, inner[-1].start_byte)
    new = between.join(name.encode() for name in names)
    draft.changes += added(data, listed(node), new, draft.comments(), b" ")


def _new_import(draft: Draft, names: list[str], package: str) -> None:
    module, data = draft.module, draft.module.text.data
    top = [child for child in module.root.named_children if child.type not in {"comment", "hash_bang_line"}]
    imports = [child for child in top if child.type == "import_statement"]
    loads = [
        child
        for child in top
        if child.type in {"lexical_declaration", "variable_declaration"}
        and any(required(module, one.child_by_field_name("value")) for one in child.named_children)
    ]
    listed_names = "{ " + ", ".join(names) + " }"
    quoted = draft.quoted(package)
    common = not imports and bool(loads)
    text = f"const {listed_names} = require(".encode() + quoted + b")" if common else b""
    text = text or f"import {listed_names} from ".encode() + quoted
    last = next(iter((imports or loads)[-1:]), None)
    if last is None or data[last.end_byte - 1 : last.end_byte] == b";":
        text += b";"
    draft.notes.append(f"`{package}` must be among the dependencies in package.json.")
    if last is not None:
        draft.changes.append(after_statement(data, last.start_byte, last.end_byte, text, draft.comments()))
        return
    directives = [child for child in top if _is_directive(child)]
    if directives:
        node = directives[-1]
        draft.changes.append(after_statement(data, node.start_byte, node.end_byte, text, draft.comments()))
        return
    start = data.find(b"\n") + 1 if data.startswith(b"#!") else 0
    draft.changes.append(Splice(start, start, text + newline(data)))


def _is_directive(node: Node) -> bool:
    return node.type == "expression_statement" and bool(node.named_children) and node.named_children[0].type == "string"


# --- what is left unused ---------------------------------------------------------------------


def drop_unused(draft: Draft, before: TypeScriptModule) -> None:
    """Take out the imports that the edit left without any use; other names stay, and are said."""
    module = draft.module
    fewer = Counter(_WORD.findall(before.text.data)) - Counter(_WORD.findall(module.text.data))
    idle = {word.decode("utf-8", "replace") for word in fewer if _is_idle(word, module, before)}
    if not idle:
        return
    for node in module.nodes("import_clause"):
        _idle_in_clause(draft, node, idle)
    for node in module.nodes("variable_declarator"):
        _idle_variable(draft, node, idle)


def _is_idle(word: bytes, module: TypeScriptModule, before: TypeScriptModule) -> bool:
    """Whether nothing is left of a name but what defines it."""
    return len(list(islice(_named(word, module), 2))) == 1 and len(list(islice(_named(word, before), 2))) > 1


def _named(word: bytes, module: TypeScriptModule) -> Iterator[Node]:
    """Where a name stands in the file, in whatever role but that of a property or a text."""
    alone = re.compile(rb"(?<![\w$\x80-\xff])%b(?![\w$\x80-\xff])" % re.escape(word))
    for found in alone.finditer(module.text.data):
        node = module.root.descendant_for_byte_range(found.start(), found.end())
        if node is not None and node.type in _NAMING:
            yield node
        elif node is not None and not node.is_named:
            return  # a word of the language


def _idle_in_clause(draft: Draft, clause: Node, idle: set[str]) -> None:
    module, statement = draft.module, clause.parent
    if statement is None:
        return
    kept: list[Node] = []
    gone: list[Node] = []
    for child in clause.named_children:
        if child.type == "named_imports":
            specs = parameters(child)
            unused = [spec for spec in specs if _local(module, spec) in idle]
            if len(unused) < len(specs):
                kept.append(child)
                for spec in unused:
                    draft.cutter.item(spec)
            elif specs:
                gone.append(child)
        elif child.type in {"identifier", "namespace_import"}:
            name = module.written(child if child.type == "identifier" else child.named_children[-1])
            (gone if name in idle else kept).append(child)
    if gone and not kept:
        draft.cutter.statement(statement)
    elif gone and len(clause.named_children) > 1:
        first, second = clause.named_children[0], clause.named_children[-1]
        if gone[0].id == first.id:
            draft.changes.append(Splice(first.start_byte, second.start_byte, b""))
        else:
            draft.changes.append(Splice(first.end_byte, second.end_byte, b""))


def _local(module: TypeScriptModule, spec: Node) -> str:
    alias = spec.child_by_field_name("alias")
    return module.written(alias if alias is not None else spec.child_by_field_name("name"))


def _idle_variable(draft: Draft, node: Node, idle: set[str]) -> None:
    module, whole = draft.module, node.parent
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if whole is None or name is None or value is None or len(parameters(whole)) != 1:
        return
    if whole.parent is None or whole.parent.type in {"export_statement", "for_statement"}:
        return
    if name.type == "identifier" and module.written(name) in idle:
        if required(module, value):
            draft.cutter.statement(whole)
        else:
            draft.notes.append(f"`{module.written(name)}` is not used any more in this file; it stays.")
    elif name.type == "object_pattern":
        parts = parameters(name)
        unused = [part for part in parts if _bound(module, part) in idle]
        if not unused or any(part.type == "rest_pattern" for part in parts) or not _loaded(module, value):
            return
        if len(unused) == len(parts):
            draft.cutter.statement(whole)
            return
        for part in unused:
            draft.cutter.item(part)


def _bound(module: TypeScriptModule, part: Node) -> str:
    if part.type == "pair_pattern":
        return key_text(part.child_by_field_name("value"), module.written) or ""
    return module.written(part)
