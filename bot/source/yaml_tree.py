"""A YAML text as a tree that knows where each part stands, and that keeps an alias apart from what it names.

PyYAML's own nodes do not: an alias there is the node it names, and an edit of it would be made in another place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bot.source.edit import RefusedError
from bot.source.yaml import MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Event, NodeEvent

MAX_DEPTH = 100
MERGE = "<<"
_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_TAG = "tag:yaml.org,2002:"

Kind = Literal["scalar", "map", "list", "alias"]


@dataclass(slots=True)
class Node:
    """One value; `start` and `end` are positions in the text, from its anchor or tag on.

    `end` of what is written as a block is that of its last part; a comment behind it does not belong to it.
    `tag` is the type that YAML 1.1 takes a scalar for ("str", "int" ...), and `explicit` says that it is written.
    `parts` are the items of a list, and key after value of a map. `value` of an alias is the anchor that it names.
    """

    kind: Kind
    start: int
    end: int
    tag: str = "str"
    value: str = ""
    style: str | None = None
    anchor: str | None = None
    explicit: bool = False
    flow: bool = False
    parts: list[Node] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys and values of a map; nothing of anything else."""
        return list(zip(self.parts[::2], self.parts[1::2], strict=True)) if self.kind == "map" else []

    @property
    def empty(self) -> bool:
        """Whether nothing is written where a value could be."""
        return self.kind == "scalar" and self.start == self.end

    @property
    def block_text(self) -> bool:
        """Whether it is a text written under a `|` or a `>`."""
        return self.kind == "scalar" and self.style in {"|", ">"}


@dataclass(frozen=True, slots=True)
class Tree:
    """A file's one document; `root` is None when it says nothing. `uses` are the aliases by the anchor they name."""

    text: str
    root: Node | None
    anchors: dict[str, Node]
    uses: dict[str, list[Node]]

    def line(self, position: int) -> int:
        """The 1-based line of a position."""
        return self.text.count("\n", 0, position) + 1

    def real(self, node: Node) -> Node:
        """A node, or what it is an alias of."""
        return self.anchors[node.value] if node.kind == "alias" else node

    def own(self, node: Node, key: str) -> tuple[Node, Node] | None:
        """The pair of a map with a key of that text, or None when the map itself has none."""
        return next((pair for pair in node.pairs if pair[0].value == key and pair[0].kind == "scalar"), None)

    def merged(self, node: Node, key: str, depth: int = 0) -> Node | None:
        """The value that a key gets through `<<`, or None."""
        if depth > 8:
            raise RefusedError("too many mappings are merged into one another", self.line(node.start))
        for name, value in node.pairs:
            if name.value != MERGE or name.style is not None:
                continue
            given = self.real(value)
            for part in given.parts if given.kind == "list" else [given]:
                source = self.real(part)
                pair = self.own(source, key)
                found = pair[1] if pair else self.merged(source, key, depth + 1)
                if found is not None:
                    return found
        return None

    def around(self, node: Node) -> Iterator[Node]:
        """The aliases elsewhere of what a node stands in, itself included."""
        for name, holder in self.anchors.items():
            if holder.start <= node.start and node.end <= holder.end:
                yield from self.uses.get(name, [])

    def shared(self, node: Node) -> Node | None:
        """The first alias of what stands in a node, itself included, from outside of it; None when there is none."""
        names = {part.anchor for part in within(node) if part.anchor}
        outside = (use for name in sorted(names) for use in self.uses.get(name, []))
        return next((use for use in outside if not node.start <= use.start < node.end), None)


def within(node: Node) -> Iterator[Node]:
    """A node and all that stands in it."""
    yield node
    for part in node.parts:
        yield from within(part)


def tree_of(text: str) -> Tree:
    """The tree of a YAML text of one document.

    Raises:
        RefusedError: it cannot be read, or not in one way only.
    """
    import yaml

    if len(text) > MAX_SIZE:
        raise RefusedError("the file is too large for a configuration")
    if odd := _BREAK.search(text):
        raise RefusedError("a line ends in an unusual way", text.count("\n", 0, odd.start()) + 1)
    try:
        documents = _documents(text, yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        raise RefusedError(f"the file is not valid YAML: {error.problem or error.context}", line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RefusedError("the file is not valid YAML: a character in it is not allowed", line) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise RefusedError("the file is not valid YAML") from None
    said = [(root, anchors, uses) for root, anchors, uses in documents if not root.empty] or documents
    if len(said) > 1:
        raise RefusedError("the file holds several documents", text.count("\n", 0, said[1][0].start) + 1)
    if not said:
        return Tree(text, None, {}, {})
    tree = Tree(text, *said[0])
    _check(tree, said[0][0])
    return tree


_Document = tuple[Node, dict[str, Node], dict[str, list[Node]]]


def _documents(text: str, events: Iterator[Event]) -> list[_Document]:
    """Each document's root, anchors and aliases."""
    import yaml

    done: list[_Document] = []
    anchors: dict[str, Node] = {}
    uses: dict[str, list[Node]] = {}
    above: list[Node] = []
    for event in events:
        start, end = _span(event)
        if isinstance(event, yaml.DocumentStartEvent):
            anchors, uses = {}, {}
        elif isinstance(event, yaml.CollectionEndEvent):
            node = above.pop()
            node.end = end if node.flow else node.parts[-1].end
            if not above:
                done.append((node, anchors, uses))
        elif isinstance(event, yaml.NodeEvent):
            node = _node(text, event)
            if node.anchor is not None and node.anchor in anchors:
                raise RefusedError(f"the anchor &{node.anchor} is set twice", text.count("\n", 0, start) + 1)
            if node.kind == "alias":
                if node.value not in anchors:
                    raise RefusedError("an alias names no anchor above it", text.count("\n", 0, start) + 1)
                uses.setdefault(node.value, []).append(node)
            if node.anchor is not None:
                anchors[node.anchor] = node
            if above:
                above[-1].parts.append(node)
            elif node.kind in {"scalar", "alias"}:
                done.append((node, anchors, uses))
            if node.kind in {"map", "list"}:
                above.append(node)
            if len(above) > MAX_DEPTH:
                raise RefusedError("the file is nested too deeply", text.count("\n", 0, start) + 1)
    return done


def _span(event: Event) -> tuple[int, int]:
    # A parser's events always have both marks; only events made by hand may lack them.
    first, last = event.start_mark, event.end_mark
    return (first.index, last.index) if first is not None and last is not None else (0, 0)


def _node(text: str, event: NodeEvent) -> Node:
    import yaml

    start, end = _span(event)
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, end, value=event.anchor or "")
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or None
        tag = event.tag or ("str" if style else _type_of(event.value))
        if style in {"|", ">"}:
            end = start + len(text[start:end].rstrip())
        told = event.tag is not None
        return Node("scalar", start, end, tag.removeprefix(_TAG), event.value, style, event.anchor, explicit=told)
    if not isinstance(event, yaml.CollectionStartEvent):
        raise TypeError(type(event))
    kind: Kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    told = event.tag is not None
    flow = bool(event.flow_style)
    return Node(kind, start, end, event.tag or kind, "", None, event.anchor, explicit=told, flow=flow)


def _type_of(value: str) -> str:
    """The type that YAML 1.1 takes a text without quotes for."""
    import yaml

    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(value[:1], []):
        if pattern.match(value):
            return str(tag).removeprefix(_TAG)
    return "str"


def _check(tree: Tree, root: Node) -> None:
    """Refuse what programs read in different ways: a key that is there twice, an alias of what it stands in."""
    for node in within(root):
        seen: set[str] = set()
        for key, _ in node.pairs:
            if key.kind != "scalar" or (key.value == MERGE and key.style is None):
                continue
            if key.value in seen:
                raise RefusedError(f"the key {key.value!r} is there twice", tree.line(key.start))
            seen.add(key.value)
        if node.anchor is not None:
            for use in tree.uses.get(node.anchor, []):
                if node.start <= use.start < node.end:
                    raise RefusedError("an alias names what it stands in", tree.line(use.start))
