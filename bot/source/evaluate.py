"""The part of reading an expression that does not depend on the language."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from bot.source.text import SourceText, Spot
from bot.source.values import ABSENT, Either, Lit, Local, Or, Unknown, Value, either, fallback, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tree_sitter import Node

    Frame = Mapping[int, tuple[Value, ...]]
    Load = Callable[[str, str], "Evaluator | None"]

EMPTY: Frame = {}
_PLAIN = re.compile(r"[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)*")
_SHORTHAND = re.compile(r"[{,]\s*agentName\s*[,}]")
PASSED_IN = "it is passed in by a caller"
MAX_DEPTH = 60
MAX_STEPS = 15_000

LOOPS = Unknown("it refers to itself")
TOO_DEEP = Unknown("it is too involved to follow")


@dataclass
class Budget:
    """How deep and how far one project may be followed, so that any input comes to an end."""

    depth: int = 0
    steps: int = 0
    loops: int = 0


@dataclass(frozen=True, eq=False)
class Binding:
    """What a name stands for: where it is defined, and which part of the definition it is."""

    kind: Literal["value", "function", "class", "enum", "param", "import", "opaque"]
    node: Node
    scope: Node
    path: tuple[str | int, ...] = ()
    default: Node | None = None
    index: int = 0
    module: str = ""
    imported: str = ""


def guards_itself(condition: str, guarded: str) -> bool:
    """Whether a condition only asks if the agent's name is there that the guarded part then names."""
    name = condition.strip("()! \n\t")
    if not _PLAIN.fullmatch(name):
        return False
    shorthand = name == "agentName" and _SHORTHAND.search(guarded) is not None
    return shorthand or re.search(rf"agent_?[nN]ame['\"]?\s*[:=]\s*{re.escape(name)}\b", guarded) is not None


class Climber:
    """The way up from a node; the parser finds a parent only by coming down from the root, so each is kept."""

    def __init__(self) -> None:
        self._above: dict[int, Node | None] = {}

    def __call__(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """Each node above, with the child that leads down to where the climb began."""
        child, parent = node, self._parent(node)
        while parent is not None:
            yield parent, child
            child, parent = parent, self._parent(parent)

    def _parent(self, node: Node) -> Node | None:
        if node.id not in self._above:
            self._above[node.id] = node.parent
        return self._above[node.id]


class Evaluator:
    """One parsed file, in which expressions are evaluated as far as they are known without running it."""

    functions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, text: SourceText, root: Node, load: Load | None = None, budget: Budget | None = None) -> None:
        self.text = text
        self.root = root
        self.load = load
        self.budget = budget or Budget()
        self.climb = Climber()
        self.memo: dict[int, Value] = {}
        self.active: set[tuple[str, int]] = set()

    @cached_property
    def _index(self) -> dict[str, list[Node]]:
        index: dict[str, list[Node]] = {}
        for node in walk(self.root):
            index.setdefault(node.type, []).append(node)
        return index

    def nodes(self, *kinds: str) -> list[Node]:
        """All nodes of these kinds, in the order of the text."""
        if len(kinds) == 1:
            return self._index.get(kinds[0], [])
        return sorted((node for kind in kinds for node in self._index.get(kind, [])), key=lambda node: node.start_byte)

    @cached_property
    def mentions(self) -> Counter[str]:
        """How often each name stands in the file."""
        return Counter(self.written(node) for node in self.nodes("identifier"))

    def sound(self, node: Node) -> bool:
        """Whether the statement of the file in which a node stands was understood without a gap."""
        if not self.root.has_error:
            return True
        top = node
        for parent, child in self.climb(node):
            if parent.type == "ERROR":
                return False
            top = child
        return not top.has_error

    def function_at(self, node: Node) -> int:
        """The id of the function in which a node stands, or of the module."""
        return next((up.id for up, _ in self.climb(node) if up.type in self.functions), self.root.id)

    def spot(self, node: Node) -> Spot:
        """Where a node stands."""
        return Spot(self.text, node.start_byte, node.end_byte, node.start_point[0] + 1)

    def written(self, node: Node | None) -> str:
        """A node's own text."""
        if node is None:
            return ""
        return self.text.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def value(self, node: Node | None, frame: Frame = EMPTY) -> Value:
        """What an expression comes to; `frame` holds the arguments of the functions it stands in."""
        if node is None:
            return ABSENT
        known = self.memo.get(node.id) if not frame else None
        if known is not None:
            return known
        budget, mark = self.budget, ("", node.id)
        if not frame and mark in self.active:
            budget.loops += 1
            return LOOPS
        budget.steps += 1
        if budget.depth > MAX_DEPTH or budget.steps > MAX_STEPS:
            return TOO_DEEP
        loops = budget.loops
        budget.depth += 1
        self.active.add(mark)
        try:
            result = self.evaluate(node, frame)
        finally:
            self.active.discard(mark)
            budget.depth -= 1
        # What was found on the way round a loop is only half of the truth, so it is not kept.
        if not frame and (budget.loops == loops or not budget.depth):
            self.memo[node.id] = result
        return result

    def evaluate(self, node: Node, frame: Frame) -> Value:
        """What one kind of expression comes to."""
        raise NotImplementedError

    def returned(self, function: Node, arguments: tuple[Value, ...], frame: Frame = EMPTY) -> Value:
        """What a function returns when it is called with these arguments."""
        mark = ("call", function.id)
        if mark in self.active or self.budget.depth > MAX_DEPTH:
            self.budget.loops += 1
            return LOOPS
        self.active.add(mark)
        self.budget.depth += 1
        try:
            inner = {**frame, function.id: arguments}
            return either(self.value(node, inner) for node in self.results(function))
        finally:
            self.active.discard(mark)
            self.budget.depth -= 1

    def results(self, function: Node) -> list[Node]:
        """The expressions that a function may return."""
        raise NotImplementedError

    def export(self, name: str) -> Value:
        """What the module offers under a name."""
        raise NotImplementedError

    def member(self, value: Value, name: str, spot: Spot) -> Value:
        """What a value has under a name."""
        match value:
            case Either(options=several):
                return either(self.member(option, name, spot) for option in several)
            case Or(first=first, second=second, loose=loose):
                return fallback(self.member(first, name, spot), self.member(second, name, spot), loose=loose)
            case Local(home=home):
                return home.attribute(value, name)
            case Unknown():
                return value
        return Unknown(f"`{name}` of a value that is only known at run time")

    def parameter(self, binding: Binding, passed: Iterator[Value], *, closed: bool) -> Value:
        """What a parameter may be, from the calls in this file; not `closed` means there may be more."""
        standard = self.value(binding.default) if binding.default is not None else None
        seen: list[Value] = []
        for value in passed:
            filled = fallback(value, standard, loose=False) if standard is not None else value
            seen.extend(option for option in options(filled) if not _known(option, seen))
        if not seen or not closed:
            unknown = Unknown(PASSED_IN)
            seen.append(fallback(unknown, standard, loose=False) if standard is not None else unknown)
        return either(seen)


def _known(value: Value, seen: list[Value]) -> bool:
    return any(value is other or _same(value, other) for other in seen)


def _same(one: Value, other: Value) -> bool:
    return isinstance(one, Lit) and isinstance(other, Lit) and one.value == other.value


def walk(node: Node, *, skip: frozenset[str] = frozenset()) -> Iterator[Node]:
    """A node and all named nodes below it in the order of the text, not entering the kinds in `skip`."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        if top is node or top.type not in skip:
            stack.extend(reversed(top.named_children))
