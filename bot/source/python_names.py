"""Names of a Python file, followed to what defines them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bot.source.evaluate import EMPTY, Binding, Evaluator, walk
from bot.source.python_scope import COMPREHENSIONS, FUNCTIONS, Definition, Scopes, parameters
from bot.source.values import (
    ABSENT,
    Entry,
    EnvMap,
    Lit,
    Local,
    Made,
    Ref,
    Seq,
    Table,
    Unknown,
    Value,
    as_text,
    either,
    field,
    grown,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Budget, Frame, Load
    from bot.source.text import SourceText, Spot


# The names under which the package that makes tokens is held.
_HELD = frozenset({"api", "lk_api", "livekit_api"})


class PythonNames(Evaluator):
    """One file in which names are looked up, and modules imported and exported."""

    functions = frozenset({"function_definition"})

    def __init__(self, text: SourceText, root: Node, load: Load | None, budget: Budget) -> None:
        super().__init__(text, root, load, budget)
        self.scopes = Scopes(self.written, self.climb)

    def _function_of(self, scope: Node) -> int:
        return scope.id if scope.type == "function_definition" else self.function_at(scope)

    def defined(self, definitions: list[Definition], name: str, use: Node | None, frame: Frame) -> Value:
        """What several definitions of a name give together, seen from a node (None: from outside)."""
        scope = definitions[0].scope
        same = use is not None and self.function_at(use) == self._function_of(scope)
        before = [one for one in definitions if same and use is not None and one.node.start_byte < use.start_byte]
        value: Value = ABSENT
        for one in before or definitions:
            new = self._named(self._definition(one, use, frame), one, name)
            sure = not self.scopes.conditional(one.node, scope)
            value = new if sure or value is ABSENT else either([value, new])
        return self._assigned(value, definitions, name, use, frame)

    def _named(self, value: Value, one: Definition, name: str) -> Value:
        """`api` in `api = self._api`, where a class holds the package, is what the name says."""
        held = one.kind == "value" and one.node.type == "attribute" and isinstance(value, Unknown)
        if held and name in _HELD and self.last_name(one.node).lstrip("_") == name:
            return Ref("", (name,), self.spot(one.node))
        return value

    def _definition(self, one: Definition, use: Node | None, frame: Frame) -> Value:
        spot = self.spot(one.node if use is None else use)
        if one.kind == "import":
            return self.imported(one.module, one.imported, spot)
        if one.kind == "param":
            return self._argument(one, frame)
        if one.kind in {"function", "class"}:
            return Local("function" if one.kind == "function" else "class", self, one.node, self.spot(one.node))
        if one.kind == "item":
            return self._item(one, frame)
        if one.kind == "opaque":
            return Unknown("it changes while the program runs")
        value = self.value(one.node, frame)
        for step in one.path:
            value = (
                value.items[step] if isinstance(value, Seq) and step < len(value.items) else Unknown("it is unpacked")
            )
        return value

    def _item(self, one: Definition, frame: Frame) -> Value:
        if one.node.id in frame:
            return frame[one.node.id][0]
        listed = self.value(one.node.child_by_field_name("right"), frame)
        if isinstance(listed, Seq) and listed.whole and listed.items and not one.path:
            return either(listed.items)
        return Unknown("it is an item of a list")

    def _argument(self, one: Definition, frame: Frame) -> Value:
        function = one.node
        if function.id in frame:
            passed = frame[function.id]
            value = passed[one.index] if one.index < len(passed) else ABSENT
            if value is ABSENT:
                return self.value(one.default, frame) if one.default is not None else Unknown("it is not passed")
            return value
        name = parameters(function, self.written)[one.index][0]
        if name == "self" and one.index == 0:
            owner = next((up for up, _ in self.climb(function) if up.type == "class_definition"), None)
            if owner is not None:
                return Local("instance", self, owner, self.spot(owner))
        handed = self._settings_of_type(function, one.index)
        if handed is not None:
            return handed
        binding = Binding("param", function, function, default=one.default, index=one.index)
        calls, closed = self.callers(function)
        # `self` stands before the arguments of a method, but not in its calls.
        shift = 1 if self._is_method(function) else 0
        return self.parameter(binding, (self._passed(call, name, one.index - shift) for call in calls), closed=closed)

    def _settings_of_type(self, function: Node, index: int) -> Local | None:
        """The settings that a parameter holds by its type: there is one kind of them, read from the environment."""
        from bot.source.python_classes import is_settings

        listed = function.child_by_field_name("parameters")
        plain = [child for child in listed.named_children if child.type != "comment"] if listed is not None else []
        kind = plain[index].child_by_field_name("type") if index < len(plain) else None
        inner = kind.named_children[0] if kind is not None and kind.named_children else None
        if inner is None or inner.type != "identifier":
            return None
        value = self.value(inner)
        if not isinstance(value, Local) or value.kind != "class" or value.node is None:
            return None
        if not isinstance(value.home, PythonNames) or not is_settings(value.home, value.node):
            return None
        return Local("instance", value.home, value.node, value.spot)

    def _passed(self, call: Node, name: str, index: int) -> Value:
        listed = call.child_by_field_name("arguments")
        position = 0
        for child in listed.named_children if listed is not None else []:
            if child.type == "keyword_argument":
                if self.written(child.child_by_field_name("name")) == name:
                    return self.value(child.child_by_field_name("value"))
            elif child.type in {"list_splat", "dictionary_splat"}:
                return Unknown("it is passed in a spread")
            elif child.type != "comment":
                if position == index:
                    return self.value(child)
                position += 1
        return ABSENT

    def callers(self, function: Node) -> tuple[list[Node], bool]:
        """The calls of a function in this file; another file may always call it, too."""
        name = self.written(function.child_by_field_name("name"))
        kind = "attribute" if self._is_method(function) else "identifier"
        found = []
        for call in self.calls_by_name.get(name, []) if name else []:
            callee = call.child_by_field_name("function")
            if callee is not None and callee.type == kind:
                found.append(call)
        decorated = function.parent is not None and function.parent.type == "decorated_definition"
        if kind == "attribute":
            return ([] if decorated else found), bool(found) and name.startswith("_") and not decorated
        return found, bool(found) and not decorated and self.mentions[name] <= len(found) + 1

    def _is_method(self, function: Node) -> bool:
        for up, _ in self.climb(function):
            if up.type in {"function_definition", "class_definition"}:
                return up.type == "class_definition"
        return False

    # --- indexes -----------------------------------------------------------------------------

    @cached_property
    def calls_by_name(self) -> dict[str, list[Node]]:
        """The calls under the last part of what is called."""
        index: dict[str, list[Node]] = {}
        for call in self.nodes("call"):
            callee = call.child_by_field_name("function")
            if callee is not None:
                index.setdefault(self.last_name(callee), []).append(call)
        return index

    @cached_property
    def calls_by_owner(self) -> dict[str, list[Node]]:
        """The calls of methods under the name whose method it is: `list` for `list.append(…)`."""
        index: dict[str, list[Node]] = {}
        for call in self.nodes("call"):
            callee = call.child_by_field_name("function")
            owner = callee.child_by_field_name("object") if callee is not None else None
            if owner is not None and owner.type == "identifier":
                index.setdefault(self.written(owner), []).append(call)
        return index

    @cached_property
    def writes(self) -> dict[str, list[tuple[Node, Node, Node]]]:
        """The assignments to attributes and items of a name: the assignment, its left side and the name."""
        index: dict[str, list[tuple[Node, Node, Node]]] = {}
        for node in self.nodes("assignment"):
            left = node.child_by_field_name("left")
            if left is None or left.type not in {"attribute", "subscript"}:
                continue
            base = left.child_by_field_name("object") or left.child_by_field_name("value")
            if base is not None and base.type == "identifier":
                index.setdefault(self.written(base), []).append((node, left, base))
        return index

    def last_name(self, callee: Node) -> str:
        """The last part of what is called."""
        if callee.type == "attribute":
            return self.written(callee.child_by_field_name("attribute"))
        return self.written(callee) if callee.type == "identifier" else ""

    # --- what is assigned later --------------------------------------------------------------

    def _assigned(
        self, value: Value, definitions: list[Definition], name: str, use: Node | None, frame: Frame
    ) -> Value:
        """The value with what is assigned to its attributes or keys elsewhere."""
        scope = definitions[0].scope
        if isinstance(value, Seq):
            return self._grown(value, name, scope, use, frame)
        if not isinstance(value, Made | Table):
            return value
        for node, left, base in self.writes.get(name, []):
            found = self.scopes.find(name, base)
            if not found or found[0].scope.id != scope.id:
                continue
            key = self.written(left.child_by_field_name("attribute"))
            if left.type == "subscript":
                key = as_text(self.value(left.child_by_field_name("subscript"), frame)) or ""
            value = self._set(value, key, node, use, frame, scope)
        return value

    def _grown(self, value: Seq, name: str, scope: Node, use: Node | None, frame: Frame) -> Seq:
        """A list with what is appended to it."""
        for node in self.calls_by_owner.get(name, []):
            callee = node.child_by_field_name("function")
            base = callee.child_by_field_name("object") if callee is not None else None
            if callee is None or base is None:
                continue
            method = self.written(callee.child_by_field_name("attribute"))
            found = self.scopes.find(name, base)
            if method not in {"append", "extend", "insert"} or not found or found[0].scope.id != scope.id:
                continue
            if (
                use is not None
                and self.function_at(node) == self.function_at(use)
                and node.start_byte >= use.start_byte
            ):
                continue
            listed = node.child_by_field_name("arguments")
            last = listed.named_children[-1] if listed is not None and listed.named_children else None
            sure = not self.scopes.conditional(node, scope)
            value = grown(value, self.value(last, frame), several=method == "extend", sure=sure)
        return value

    def _set(self, value: Value, key: str, node: Node, use: Node | None, frame: Frame, scope: Node) -> Value:
        same = use is not None and self.function_at(node) == self.function_at(use)
        # A decorator stands before its server's settings, yet those hold when it registers.
        registers = isinstance(value, Made) and value.callee.name == "AgentServer"
        if same and use is not None and node.start_byte >= use.start_byte and not registers:
            return value
        new = self.value(node.child_by_field_name("right"), frame)
        home = self._function_of(scope)
        sure = self.function_at(node) == home and not self.scopes.conditional(node, scope)
        table = value if isinstance(value, Table) else value.named if isinstance(value, Made) else None
        spot = self.spot(node)
        entries = table.entries if table is not None else ()
        if not sure:
            old = field(table, key) if table is not None else ABSENT
            new = either([Lit(None, spot) if old is ABSENT else old, new])
        merged = Table((*entries, Entry(key, new, spot)), table.spot if table is not None else spot)
        return Made(value.callee, value.args, merged, value.spot) if isinstance(value, Made) else merged

    def results(self, function: Node) -> list[Node]:
        """The expressions that a function may return."""
        body = function.child_by_field_name("body")
        if body is None:
            return []
        if function.type == "lambda":
            return [body]
        closed = FUNCTIONS | COMPREHENSIONS | {"class_definition"}
        return [
            node.named_children[0]
            for node in walk(body, skip=closed)
            if node.type == "return_statement" and node.named_children
        ]

    def call(self, function: Local, arguments: tuple[Value, ...]) -> Value:
        """What a function written here returns."""
        return self.returned(function.node, (*function.args, *arguments)) if function.node is not None else ABSENT

    def imported(self, module: str, name: str, spot: Spot) -> Value:
        """What an import gives: followed into the project's own files, else the name alone."""
        if (module, name) == ("os", "environ"):
            return EnvMap()
        found = self.load(self.text.source, module) if self.load is not None else None
        if found is not None and not name:
            return Local("module", found, None, spot)  # type: ignore[arg-type]  # each Evaluator at hand is a Home
        if found is not None:
            value = found.export(name)
            if value is not ABSENT:
                return value
        if name and self.load is not None:
            inner = self.load(self.text.source, f"{module}{'' if module.endswith('.') else '.'}{name}")
            if inner is not None:
                return Local("module", inner, None, spot)  # type: ignore[arg-type]  # each Evaluator at hand is a Home
        return Ref(module, tuple(name.split(".")) if name else (), spot)

    def export(self, name: str) -> Value:
        """What the module offers under a name."""
        found = self.scopes.scope(self.root).get(name)
        if found:
            mark = ("export", found[0].node.id)
            if mark in self.active:
                return ABSENT
            self.active.add(mark)
            try:
                return self.defined(found, name, None, EMPTY)
            finally:
                self.active.discard(mark)
        for star in self.scopes.scope(self.root).get("*", []):
            value = self.imported(star.module, name, self.spot(self.root))
            if not isinstance(value, Unknown | Ref):
                return value
        return ABSENT

    def attribute(self, owner: Local, name: str) -> Value:
        """What a class, an instance or this module has under a name."""
        raise NotImplementedError
