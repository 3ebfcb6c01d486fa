"""The splices of a YAML text that make a merge patch true, and nothing else."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.yaml_data import same
from bot.source.yaml_places import (
    Splice,
    block_end,
    body_of,
    colon_of,
    column_of,
    dash_of,
    line_end,
    next_line,
    own_line,
)
from bot.source.yaml_write import Style, Value, block_lines, inline, is_block, pair_lines, without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.source.yaml_tree import Node, Tree

_HEADER = re.compile(r"[|>][-+0-9]*")


def _quote(node: Node) -> str | None:
    """The quotes that a text stands in."""
    return node.style if node.style in {"'", '"'} else None


def _is_in_line(item: Node) -> bool:
    return item.kind == "scalar" and not (item.block_text or item.explicit or item.anchor)


@dataclass
class Splicer:
    """Finds the splices of one tree; each method raises RefusedError where it must not be edited."""

    tree: Tree
    style: Style
    splices: list[Splice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def change(self, start: int, end: int, text: str) -> None:
        """Ask for one splice."""
        if start != end or text:
            self.splices.append(Splice(start, end, text))

    def lines(self, lines: list[str]) -> str:
        """Lines as they come behind another."""
        return "".join(self.style.newline + line for line in lines)

    def refused(self, reason: str, node: Node) -> RefusedError:
        """The refusal that names a node's line."""
        return RefusedError(reason, self.tree.line(node.start))

    # --- what is asked of a map ---------------------------------------------------------------------------------------

    def start(self, patch: Mapping[str, Value]) -> None:
        """Make a patch of the whole file."""
        root, text = self.tree.root, self.tree.text
        if root is None or root.empty or (root.kind == "map" and not root.parts):
            added = without_nulls(dict(patch))
            if not is_block(added):
                return
            lines = self.style.newline.join(block_lines(added, 0, self.style))
            if root is not None and not root.empty:
                self.change(root.start, root.end, lines)
                return
            end = line_end(text, root.end) if root is not None else len(text)
            new_line = end == len(text) and (not text or text.endswith("\n"))
            self.change(end, end, lines + self.style.newline if new_line else self.style.newline + lines)
        elif root.kind != "map":
            raise self.refused("the file holds no map", root)
        else:
            self.merge(root, patch)

    def merge(self, node: Node, patch: Mapping[str, Value]) -> None:
        """Make a patch of a map with something in it."""
        added: dict[str, Value] = {}
        gone: list[int] = []
        for at, (key, old) in enumerate(node.pairs):
            if key.kind != "scalar" or key.value not in patch:
                continue
            value = patch[key.value]
            if value is None:
                gone.append(at)
            else:
                self.set(node, key, old, value)
        for name, value in patch.items():
            if self.tree.own(node, name) is not None:
                continue
            inherited = self.tree.merged(node, name)
            if inherited is None and value is not None:
                added[name] = without_nulls(value)
            elif inherited is not None and (value is None or not same(self.tree, inherited, without_nulls(value))):
                raise self.refused(f"{name} is merged in from here", inherited)
        if not (gone or added):
            return
        self.writable(node)
        self.unused(*(part for at in gone for part in node.pairs[at]))
        kept = [at for at in range(len(node.pairs)) if at not in gone]
        if not node.flow:
            self._remove(node, gone)
            self._add(node, kept, added)
        elif kept:
            self._remove_in_flow(node, gone, kept[-1])
            self._add_in_flow(node, kept[-1], added)
        else:
            self.change(node.start, node.end, inline(added))

    def set(self, node: Node, key: Node, old: Node, value: Value) -> None:
        """Give a key of a map another value."""
        if isinstance(value, dict) and old.kind == "map" and old.parts:
            asked = set(value)
            if not all(name.value in asked and value[name.value] is None for name, _ in old.pairs) or without_nulls(
                value
            ):
                self.merge(old, value)
                return
            value = {}
        inherited = self.tree.real(old)
        if isinstance(value, dict) and old.kind == "alias" and inherited.kind == "map":
            inner = Splicer(self.tree, self.style)
            # What is to be changed is refused for the line that leads there.
            with contextlib.suppress(RefusedError):
                inner.merge(inherited, value)
                if not inner.splices:
                    return
            raise self.refused(f"the value of {key.value} is set elsewhere, as *{old.value}", old)
        value = without_nulls(value)
        if same(self.tree, old, value):
            return
        self.writable(node)
        self.unused(old)
        if old.explicit:
            raise self.refused(f"the value of {key.value} carries a tag", old)
        self.replace(node, key, old, value)

    def writable(self, node: Node) -> None:
        """Refuse a map whose change would be seen elsewhere, or whose tag says what to do with it."""
        if node.explicit:
            raise self.refused("the map carries a tag", node)
        for use in self.tree.around(node):
            raise self.refused(f"what stands here is used in line {self.tree.line(use.start)} as well", node)

    def unused(self, *nodes: Node) -> None:
        """Refuse to take away what an alias elsewhere names."""
        for node in nodes:
            use = self.tree.shared(node)
            if use is not None:
                raise self.refused(f"what stands here is used in line {self.tree.line(use.start)} as well", node)

    # --- one value by another ----------------------------------------------------------------------------------------

    def replace(self, node: Node, key: Node, old: Node, value: Value) -> None:
        """Write another value where one stands."""
        text = self.tree.text
        head, body = body_of(self.tree, key, old)
        gap = " " if body == head else ""
        quote = _quote(old)
        if isinstance(value, list) and value and old.kind == "list" and old.parts and not old.anchor:
            self._items(old, value)
            return
        if node.flow:
            self.change(body, old.end, gap + inline(value, flow=True, quote=quote))
            return
        column = own_line(self.tree, key)
        in_line = old.flow or (old.kind in {"scalar", "alias"} and not old.block_text)
        under: list[str] = []
        if is_block(value):
            deeper = self.style.dash if isinstance(value, list) else self.style.step
            under = block_lines(value, column + deeper, self.style)
        if in_line:
            self.change(head if under else body, old.end, "" if under else gap + inline(value, quote=quote))
            self._below_line(old.end, under)
        elif old.block_text:
            header = _HEADER.match(text, body)
            stop = header.end() if header else body
            self.change(head if under else body, stop, "" if under else inline(value))
            begin = line_end(text, stop)
            self.change(begin, max(begin, line_end(text, old.end)), self.lines(under))
        else:
            self.change(head, head, "" if under else " " + inline(value))
            self.change(line_end(text, head), block_end(text, old, column), self.lines(under))

    def _below_line(self, position: int, lines: list[str]) -> None:
        end = line_end(self.tree.text, position)
        self.change(end, end, self.lines(lines))

    def _items(self, old: Node, value: list[Value]) -> None:
        """Replace the items of a list that differ; those that are alike at its two ends stay as they are."""
        room = min(len(old.parts), len(value))
        first = next((at for at in range(room) if not same(self.tree, old.parts[at], value[at])), room)
        last = next(
            (back for back in range(room - first) if not same(self.tree, old.parts[-1 - back], value[-1 - back])),
            room - first,
        )
        gone, new = old.parts[first : len(old.parts) - last], value[first : len(value) - last]
        self.unused(*gone)
        common = min(len(gone), len(new))
        if all(map(_is_in_line, gone)) and not any(map(is_block, new[:common])):
            for item, wanted in zip(gone[:common], new[:common], strict=True):
                if not same(self.tree, item, wanted):
                    gap = " " if item.empty else ""
                    self.change(item.start, item.end, gap + inline(wanted, flow=old.flow, quote=_quote(item)))
            first, gone, new = first + common, gone[common:], new[common:]
        if gone or new:
            (self._flow_items if old.flow else self._block_items)(old, first, gone, new)

    def _flow_items(self, old: Node, first: int, gone: list[Node], new: list[Value]) -> None:
        quotes = {_quote(item) for item in old.parts}
        quote = quotes.pop() if len(quotes) == 1 else None
        texts = [inline(item, flow=True, quote=quote) for item in new]
        if not first or (gone and new):
            after = old.parts[first + len(gone) :]
            if gone and after and not new:
                self._cut(gone[0].start, after[0].start)
            elif gone:
                self.change(gone[0].start, gone[-1].end, ", ".join(texts))
            else:
                self.change(old.parts[0].start, old.parts[0].start, "".join(f"{text}, " for text in texts))
        else:
            end = old.parts[first - 1].end
            self.change(end, end, "".join(f", {text}" for text in texts))
            if gone:
                self._cut(end, gone[-1].end)

    def _block_items(self, old: Node, first: int, gone: list[Node], new: list[Value]) -> None:
        text = self.tree.text
        column = column_of(text, old.start)
        quotes = {_quote(item) for item in old.parts}
        lines = block_lines(new, column, self.style, quotes.pop() if len(quotes) == 1 else None)
        if gone and lines:
            begin = dash_of(self.tree, old, first)
            self.change(begin, line_end(text, gone[-1].end), self.style.newline.join(lines)[column:])
        elif gone:
            self.change(dash_of(self.tree, old, first) - column, next_line(text, gone[-1].end), "")
        elif first:
            dash_of(self.tree, old, 0)
            self._below_line(old.parts[first - 1].end, lines)
        else:
            begin = dash_of(self.tree, old, 0) - column
            self.change(begin, begin, self.style.newline.join([*lines, ""]))

    # --- keys that come and go ---------------------------------------------------------------------------------------

    def _add(self, node: Node, kept: list[int], added: dict[str, Value]) -> None:
        """Add keys to a block map behind the last that stays."""
        text = self.tree.text
        if not added:
            return
        column = own_line(self.tree, node.parts[0])
        lines = [line for key, value in added.items() for line in pair_lines(key, value, column, self.style)]
        key, last = node.pairs[kept[-1]] if kept else node.pairs[0]
        end = block_end(text, last, column)
        leaf = last
        while leaf.parts:
            leaf = leaf.parts[-1]
        # A block text that ends without a line end would get one: the keys go before it.
        if not kept or (leaf.block_text and end == len(text)):
            begin = key.start - own_line(self.tree, key)
            self.change(begin, begin, self.style.newline.join([*lines, ""]))
        else:
            self.change(end, end, self.lines(lines))

    def _remove(self, node: Node, gone: list[int]) -> None:
        """Remove keys of a block map with their lines."""
        text = self.tree.text
        for at in gone:
            key, value = node.pairs[at]
            column = own_line(self.tree, key)
            begin = key.start - column
            colon_of(self.tree, key, value)
            self.change(begin, next_line(text, block_end(text, value, column)), "")
            above = text[text.rfind("\n", 0, max(0, begin - 1)) + 1 : begin]
            if above.startswith(" " * column + "#"):
                line = self.tree.line(key.start)
                self.notes.append(f"The comment above line {line} stays; see whether it still says what is so.")

    def _add_in_flow(self, node: Node, last: int, added: dict[str, Value]) -> None:
        key, value = node.pairs[last]
        quote = '"' if key.style == '"' else None
        before = self.tree.text[key.start - column_of(self.tree.text, key.start) : key.start]
        between = ", " if before.strip() else f",{self.style.newline}{before}"
        for name, item in added.items():
            pair = f"{inline(name, flow=True, quote=quote)}: {inline(item, flow=True, quote=quote)}"
            end = min(value.end, key.end) if value.empty else value.end
            colon = self.tree.text.find(":", key.end, value.end)
            end = colon + 1 if value.empty and colon >= 0 else end
            self.change(end, end, between + pair)

    def _remove_in_flow(self, node: Node, gone: list[int], last: int) -> None:
        pairs = node.pairs
        for at in [at for at in gone if at < last]:
            self._cut(pairs[at][0].start, pairs[at + 1][0].start)
        if last + 1 < len(pairs):
            self._cut(pairs[last][1].end, pairs[-1][1].end)

    def _cut(self, start: int, end: int) -> None:
        if "#" in self.tree.text[start:end]:
            raise RefusedError("what would be removed may hold a comment", self.tree.line(start))
        self.change(start, end, "")
