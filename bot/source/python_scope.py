"""Which definitions a name of a Python file stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.source.evaluate import guards_itself

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

    from bot.source.evaluate import Climber

    Written = Callable[[Node | None], str]
    Scope = dict[str, list["Definition"]]

FUNCTIONS = frozenset({"function_definition", "lambda"})
COMPREHENSIONS = frozenset(
    {"list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
)
_SCOPES = FUNCTIONS | COMPREHENSIONS | {"module", "class_definition"}
_CLOSED = FUNCTIONS | COMPREHENSIONS | {"class_definition"}


@dataclass(frozen=True, eq=False)
class Definition:
    """One place where a name gets its value; a name may have several."""

    kind: Literal["value", "function", "class", "param", "import", "item", "opaque"]
    node: Node
    scope: Node
    path: tuple[int, ...] = ()
    default: Node | None = None
    index: int = 0
    module: str = ""
    imported: str = ""


class Scopes:
    """The names that each function, class and the module define, worked out when first asked for."""

    def __init__(self, written: Written, climb: Climber) -> None:
        self._written = written
        self._climb = climb
        self._scopes: dict[int, Scope] = {}

    def find(self, name: str, node: Node) -> list[Definition]:
        """The definitions that a name may have at a node, in the order of the text."""
        direct = True
        for scope, _ in self._climb(node):
            if scope.type not in _SCOPES:
                continue
            # A class's names are seen in its body, but not in its methods.
            if scope.type != "class_definition" or direct:
                found = self.scope(scope).get(name)
                if found:
                    return found
            if scope.type in FUNCTIONS:
                direct = False
        return []

    def scope(self, node: Node) -> Scope:
        """The definitions of one function, class or module."""
        known = self._scopes.get(node.id)
        if known is None:
            known = {}
            for name, definition in self._defined(node):
                known.setdefault(name, []).append(definition)
            self._scopes[node.id] = known
        return known

    def conditional(self, node: Node, until: Node | None = None, *, own: bool = False) -> bool:
        """Whether a node is not reached on each run of the function (or of `until`) it stands in."""
        for parent, child in self._climb(node):
            kind = parent.type
            if (until is not None and parent.id == until.id) or kind in {"function_definition", "module"}:
                return False
            if kind in {"except_clause", "except_group_clause", "case_clause", "elif_clause", "else_clause"}:
                return True
            if kind in {"if_statement", "while_statement"}:
                condition = parent.child_by_field_name("condition")
                if condition is None or condition.id == child.id:
                    continue
                asked = self._written(condition)
                if "__name__" not in asked and not (own and guards_itself(asked, self._written(node))):
                    return True
            if kind == "for_statement" and child == parent.child_by_field_name("body"):
                return True
            if (
                kind == "conditional_expression"
                and len(parent.named_children) > 1
                and child != parent.named_children[1]
            ):
                return True
            if kind == "boolean_operator" and child == parent.child_by_field_name("right"):
                return True
        return False

    def guard(self, node: Node) -> bool | None:
        """Whether a node is conditional; None when the only condition is that the agent's name is there."""
        if self.conditional(node, own=True):
            return True
        return None if self.conditional(node) else False

    def _defined(self, node: Node) -> Iterator[tuple[str, Definition]]:
        if node.type in FUNCTIONS:
            yield from self._parameters(node)
        if node.type in COMPREHENSIONS:
            for child in node.named_children:
                if child.type == "for_in_clause":
                    yield from self._target(child.child_by_field_name("left"), Definition("item", child, node))
            return
        body = node if node.type == "module" else node.child_by_field_name("body")
        if body is not None and node.type != "lambda":
            yield from self._statements(body, node)

    def _statements(self, node: Node, scope: Node) -> Iterator[tuple[str, Definition]]:
        stack = list(reversed(node.named_children))
        while stack:
            child = stack.pop()
            kind = child.type
            if kind in {"assignment", "named_expression"}:
                left = child.child_by_field_name("left") or child.child_by_field_name("name")
                right = child.child_by_field_name("right") or child.child_by_field_name("value")
                if right is not None:
                    yield from self._target(left, Definition("value", right, scope))
                    stack.append(right)
            elif kind == "augmented_assignment":
                yield from self._target(child.child_by_field_name("left"), Definition("opaque", child, scope))
            elif kind in {"function_definition", "class_definition"}:
                what: Literal["function", "class"] = "function" if kind == "function_definition" else "class"
                yield self._written(child.child_by_field_name("name")), Definition(what, child, scope)
            elif kind in {"import_statement", "import_from_statement"}:
                yield from self._imported(child, scope)
            elif kind == "for_statement":
                yield from self._target(child.child_by_field_name("left"), Definition("item", child, scope))
                stack.extend(reversed(child.named_children))
            elif kind == "as_pattern":
                alias = child.child_by_field_name("alias")
                for part in alias.named_children if alias is not None else []:
                    yield from self._target(part, Definition("opaque", child, scope))
            elif kind not in _CLOSED:
                stack.extend(reversed(child.named_children))

    def _target(self, target: Node | None, what: Definition) -> Iterator[tuple[str, Definition]]:
        if target is None:
            return
        if target.type == "identifier":
            yield self._written(target), what
        elif target.type in {"pattern_list", "tuple_pattern", "list_pattern"}:
            for at, child in enumerate(target.named_children):
                if child.type == "list_splat_pattern":
                    for part in child.named_children:
                        yield from self._target(part, Definition("opaque", what.node, what.scope))
                else:
                    yield from self._target(child, Definition(what.kind, what.node, what.scope, (*what.path, at)))

    def _parameters(self, node: Node) -> Iterator[tuple[str, Definition]]:
        for index, (name, default, plain) in enumerate(parameters(node, self._written)):
            kind: Literal["param", "opaque"] = "param" if plain else "opaque"
            yield name, Definition(kind, node, node, default=default, index=index)

    def _imported(self, node: Node, scope: Node) -> Iterator[tuple[str, Definition]]:
        module = self._written(node.child_by_field_name("module_name")).replace(" ", "")
        for child in node.named_children:
            if child.type == "wildcard_import":
                yield "*", Definition("import", node, scope, module=module, imported="*")
            if child == node.child_by_field_name("module_name"):
                continue
            if child.type not in {"dotted_name", "aliased_import"}:
                continue
            name = self._written(child.child_by_field_name("name") if child.type == "aliased_import" else child)
            alias = self._written(child.child_by_field_name("alias")) if child.type == "aliased_import" else ""
            if node.type == "import_from_statement":
                yield alias or name, Definition("import", node, scope, module=module, imported=name)
            elif alias:
                yield alias, Definition("import", node, scope, module=name)
            else:
                # `import a.b` binds `a`; its parts are reached as attributes.
                yield name.partition(".")[0], Definition("import", node, scope, module=name.partition(".")[0])


def parameters(function: Node, written: Written) -> list[tuple[str, Node | None, bool]]:
    """Name, default and whether it takes one argument, of each parameter of a function."""
    listed = function.child_by_field_name("parameters")
    found: list[tuple[str, Node | None, bool]] = []
    for child in listed.named_children if listed is not None else []:
        if child.type == "identifier":
            found.append((written(child), None, True))
        elif child.type in {"default_parameter", "typed_default_parameter"}:
            found.append((written(child.child_by_field_name("name")), child.child_by_field_name("value"), True))
        elif child.type == "typed_parameter":
            inner = child.named_children[0] if child.named_children else None
            if inner is not None and inner.type == "identifier":
                found.append((written(inner), None, True))
            else:
                found.append((written(inner).lstrip("*"), None, False))
        elif child.type in {"list_splat_pattern", "dictionary_splat_pattern"}:
            found.append((written(child).lstrip("*"), None, False))
    return found
