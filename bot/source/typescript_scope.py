"""Which definition a name of a TypeScript or JavaScript file stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.evaluate import Binding, guards_itself, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

    from bot.source.evaluate import Climber

    Written = Callable[[Node | None], str]
    Scope = dict[str, Binding]

FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "arrow_function",
        "method_definition",
    }
)
CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_BLOCKS = frozenset({"program", "statement_block", "class_static_block", "switch_case", "switch_default"})
_LOOPS = frozenset({"for_statement", "for_in_statement"})
_SCOPES = FUNCTIONS | _BLOCKS | _LOOPS | {"catch_clause", "class"}
_DECLARATIONS = frozenset({"lexical_declaration", "variable_declaration"})
# Branches that may not be taken, with the child that is always evaluated.
_BRANCHES = {
    "if_statement": "condition",
    "ternary_expression": "condition",
    "while_statement": "condition",
    "for_in_statement": "right",
    "for_statement": "initializer",
    "switch_statement": "value",
}


class Scopes:
    """The names that each block of one file defines, worked out when first asked for."""

    def __init__(self, written: Written, climb: Climber) -> None:
        self._written = written
        self._climb = climb
        self._scopes: dict[int, Scope] = {}

    def find(self, name: str, node: Node) -> Binding | None:
        """What a name stands for at a node."""
        for scope, _ in self._climb(node):
            if scope.type in _SCOPES:
                binding = self.scope(scope).get(name)
                if binding is not None:
                    return binding
        return None

    def scope(self, node: Node) -> Scope:
        """The names a block or function defines."""
        known = self._scopes.get(node.id)
        if known is None:
            known = self._scopes[node.id] = dict(self._defined(node))
        return known

    def conditional(self, node: Node, until: Node | None = None, *, own: bool = False) -> bool:
        """Whether a node is not reached on each run of the function (or of `until`) it stands in."""
        for parent, child in self._climb(node):
            if parent.type in FUNCTIONS or (until is not None and parent.id == until.id):
                return False
            if parent.type in {"switch_case", "switch_default", "catch_clause"}:
                return True
            if parent.type == "binary_expression":
                right = parent.child_by_field_name("right")
                operator = self._written(parent.child_by_field_name("operator"))
                if operator in {"&&", "||", "??"} and right is not None and right.id == child.id:
                    return True
            sure = _BRANCHES.get(parent.type)
            if sure is None:
                continue
            condition = parent.child_by_field_name(sure)
            if condition is not None and condition.id == child.id:
                continue
            # `if (run as a program)` is no condition of what the program does.
            asked = self._written(condition)
            if not _main_guard(asked) and not (own and guards_itself(asked, self._written(node))):
                return True
        return False

    def guard(self, node: Node) -> bool | None:
        """Whether a node is conditional; None when the only condition is that the agent's name is there."""
        if self.conditional(node, own=True):
            return True
        return None if self.conditional(node) else False

    def _defined(self, node: Node) -> Iterator[tuple[str, Binding]]:
        if node.type in FUNCTIONS:
            yield from self._parameters(node)
        elif node.type == "for_statement":
            first = node.child_by_field_name("initializer")
            if first is not None and first.type in _DECLARATIONS:
                yield from self._declared(first, node)
        elif node.type == "for_in_statement":
            yield from self._pattern(node.child_by_field_name("left"), Binding("opaque", node, node))
        elif node.type == "catch_clause":
            yield from self._pattern(node.child_by_field_name("parameter"), Binding("opaque", node, node))
        elif node.type in _BLOCKS:
            yield from self._hoisted(node, node)
            for child in node.named_children:
                yield from self._statement(child, node)
        own = node.child_by_field_name("name")
        if own is not None and node.type in {"function_expression", "generator_function", "class"}:
            yield self._written(own), Binding("class" if node.type == "class" else "function", node, node)

    def _statement(self, node: Node, scope: Node) -> Iterator[tuple[str, Binding]]:
        kind = node.type
        if kind in _DECLARATIONS:
            yield from self._declared(node, scope)
        elif kind == "export_statement":
            for child in node.named_children:
                yield from self._statement(child, scope)
        elif kind in {"function_declaration", "generator_function_declaration"}:
            yield self._written(node.child_by_field_name("name")), Binding("function", node, scope)
        elif kind in {"class_declaration", "abstract_class_declaration"}:
            yield self._written(node.child_by_field_name("name")), Binding("class", node, scope)
        elif kind == "enum_declaration":
            yield self._written(node.child_by_field_name("name")), Binding("enum", node, scope)
        elif kind == "import_statement":
            yield from self._imported(node, scope)
        elif kind == "expression_statement":
            # A namespace (`namespace X { … }`) hides what is in it; its name must not look undefined.
            for child in node.named_children:
                if child.type == "internal_module":
                    yield self._written(child.child_by_field_name("name")), Binding("opaque", child, scope)
        elif kind == "ambient_declaration":
            for child in node.named_children:
                for name, _ in self._statement(child, scope):
                    yield name, Binding("opaque", child, scope)

    def _hoisted(self, node: Node, scope: Node) -> Iterator[tuple[str, Binding]]:
        if scope.type != "program" and (scope.parent is None or scope.parent.type not in FUNCTIONS):
            return
        for inner in walk(node, skip=FUNCTIONS | CLASSES):
            if inner.type == "variable_declaration" and inner.parent is not None and inner.parent.id != scope.id:
                yield from self._declared(inner, scope)

    def _declared(self, node: Node, scope: Node) -> Iterator[tuple[str, Binding]]:
        for child in node.named_children:
            if child.type == "variable_declarator":
                value = child.child_by_field_name("value")
                yield from self._pattern(
                    child.child_by_field_name("name"), Binding("value", value if value is not None else child, scope)
                )

    def _parameters(self, node: Node) -> Iterator[tuple[str, Binding]]:
        single = node.child_by_field_name("parameter")
        if single is not None:
            yield from self._pattern(single, Binding("param", node, node))
        listed = node.child_by_field_name("parameters")
        for index, child in enumerate(parameters(listed)):
            pattern, default = child, None
            if child.type in {"required_parameter", "optional_parameter"}:
                pattern = child.child_by_field_name("pattern") or child
                default = child.child_by_field_name("value")
            elif child.type == "assignment_pattern":
                pattern = child.child_by_field_name("left") or child
                default = child.child_by_field_name("right")
            if pattern.type == "rest_pattern":
                yield from self._pattern(pattern, Binding("opaque", node, node))
            else:
                yield from self._pattern(pattern, Binding("param", node, node, default=default, index=index))

    def _pattern(self, pattern: Node | None, what: Binding) -> Iterator[tuple[str, Binding]]:
        """The names in a destructuring pattern, each with the path to its part."""
        if pattern is None:
            return
        kind = pattern.type
        if kind in {"identifier", "shorthand_property_identifier_pattern"}:
            path = what.path
            if kind != "identifier":
                path = (*path, self._written(pattern))
            yield self._written(pattern), _at(what, path)
        elif kind == "object_pattern":
            for child in pattern.named_children:
                if child.type == "pair_pattern":
                    key = key_text(child.child_by_field_name("key"), self._written)
                    inner = (
                        _at(what, (*what.path, key)) if key is not None else Binding("opaque", what.node, what.scope)
                    )
                    yield from self._pattern(child.child_by_field_name("value"), inner)
                elif child.type == "object_assignment_pattern":
                    right = child.child_by_field_name("right")
                    for name, found in self._pattern(child.child_by_field_name("left"), what):
                        yield name, _at(found, found.path, right)
                elif child.type == "rest_pattern":
                    yield from self._pattern(child, Binding("opaque", what.node, what.scope))
                else:
                    yield from self._pattern(child, what)
        elif kind == "array_pattern":
            index = 0
            for child in pattern.children:
                if child.type == ",":
                    index += 1
                elif child.is_named:
                    yield from self._pattern(child, _at(what, (*what.path, index)))
        elif kind in {"assignment_pattern", "object_assignment_pattern"}:
            right = pattern.child_by_field_name("right")
            for name, found in self._pattern(pattern.child_by_field_name("left"), what):
                yield name, _at(found, found.path, right)
        elif kind == "rest_pattern":
            for child in pattern.named_children:
                yield from self._pattern(child, Binding("opaque", what.node, what.scope))

    def _imported(self, node: Node, scope: Node) -> Iterator[tuple[str, Binding]]:
        source = string_text(node.child_by_field_name("source"), self._written)
        for clause in node.named_children:
            if clause.type == "import_require_clause":
                source = string_text(clause.child_by_field_name("source"), self._written)
                name = next((child for child in clause.named_children if child.type == "identifier"), None)
                yield self._written(name), Binding("import", node, scope, module=source, imported="*")
            if clause.type != "import_clause":
                continue
            for child in clause.named_children:
                if child.type == "identifier":
                    yield self._written(child), Binding("import", node, scope, module=source, imported="default")
                elif child.type == "namespace_import":
                    for name in child.named_children:
                        yield self._written(name), Binding("import", node, scope, module=source, imported="*")
                elif child.type == "named_imports":
                    for item in child.named_children:
                        name = item.child_by_field_name("name")
                        alias = item.child_by_field_name("alias")
                        yield (
                            self._written(alias if alias is not None else name),
                            Binding("import", node, scope, module=source, imported=self._written(name)),
                        )


def _at(what: Binding, path: tuple[str | int, ...], default: Node | None = None) -> Binding:
    # A default belongs to the name it is written for, not to the parts of its value.
    if default is None and path == what.path:
        default = what.default
    return Binding(what.kind, what.node, what.scope, path, default, what.index)


def parameters(listed: Node | None) -> list[Node]:
    """The parameters of a function, without comments and decorators."""
    if listed is None:
        return []
    return [child for child in listed.named_children if child.type not in {"comment", "decorator"}]


def string_text(node: Node | None, written: Written) -> str:
    """What a string literal holds."""
    if node is None:
        return ""
    if node.type != "string":
        return written(node)
    return "".join(
        unescaped(written(child)) if child.type == "escape_sequence" else written(child)
        for child in node.named_children
        if child.type in {"string_fragment", "escape_sequence"}
    )


def unescaped(sequence: str) -> str:
    """The character of a JavaScript escape sequence."""
    body = sequence[1:]
    simple = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
    if body in simple:
        return simple[body]
    if body[:1] in {"x", "u"}:
        try:
            return chr(int(body[1:].strip("{}"), 16))
        except (ValueError, OverflowError):
            return sequence
    return body


def key_text(node: Node | None, written: Written) -> str | None:
    """A property's name as it is written, or None when it is computed."""
    if node is None or node.type == "computed_property_name":
        inner = node.named_children if node is not None else []
        return string_text(inner[0], written) if len(inner) == 1 and inner[0].type == "string" else None
    return string_text(node, written)


def _main_guard(condition: str) -> bool:
    return any(mark in condition for mark in ("require.main", "import.meta.main", "process.argv[1]", "import.meta.url"))
