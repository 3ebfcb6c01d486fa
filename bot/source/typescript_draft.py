"""One TypeScript or JavaScript file while it is being edited: what it says now, and what is to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.splice import Splice, added, listed, spliced
from bot.source.typescript import parse, read
from bot.source.typescript_cut import PROPERTIES, WRAPPERS
from bot.source.typescript_drop import Cutter
from bot.source.typescript_scope import parameters
from bot.source.values import Either, Lit, Made, Or, Table, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.source.surroundings import Surroundings
    from bot.source.text import SourceText
    from bot.source.typescript_values import TypeScriptModule
    from bot.source.values import Entry

_DECIDING = PROPERTIES | {"assignment_expression"}
_STRINGS = frozenset({"string", "template_string"})


class Draft:
    """A parsed file with what is found in it; changes are noted and made all at once."""

    def __init__(self, text: SourceText, module: TypeScriptModule, around: Surroundings) -> None:
        self.text, self.module, self.around = text, module, around
        self.found = read(module)
        self.cutter = Cutter(module)
        self.changes: list[Splice] = []
        self.notes: list[str] = []
        self.imported: set[str] = set()

    @property
    def source(self) -> str:
        """The path of the file."""
        return self.text.source

    def comments(self) -> list[tuple[int, int]]:
        """Where the comments are."""
        return [(node.start_byte, node.end_byte) for node in self.module.nodes("comment")]

    def line(self, node: Node) -> int:
        """The 1-based line of a node."""
        return node.start_point[0] + 1

    def done(self) -> Draft:
        """The file with the changes made, read anew."""
        splices = [*self.cutter.splices(), *self.changes]
        if not splices:
            return self
        data = spliced(self.module.text.data, splices)
        if self.source.lower().endswith(".json"):
            data = data[1:-2]  # the parentheses that the parser puts around a JSON text
        text = type(self.text)(self.source, data, self.text.shift)
        other = Draft(text, parse(text, self.module.load), self.around)
        other.notes = self.notes
        return other

    def quoted(self, value: str, like: Node | None = None) -> bytes:
        """A string literal, with the quotes of another one or else of most in the file."""
        data = self.module.text.data
        quote = data[like.start_byte : like.start_byte + 1] if like is not None else b""
        if quote not in {b"'", b'"', b"`"}:
            strings = [data[node.start_byte] for node in self.module.nodes("string")]
            double = sum(1 for byte in strings if byte == ord('"'))
            quote = b'"' if double * 2 > len(strings) else b"'"
        escaped = value.replace("\\", "\\\\").replace(quote.decode(), "\\" + quote.decode())
        if quote == b"`":
            escaped = escaped.replace("${", "\\${")
        return quote + escaped.replace("\n", "\\n").replace("\r", "\\r").encode() + quote

    def replace(self, node: Node, new: bytes) -> None:
        """Write something else in the place of a node."""
        change = Splice(node.start_byte, node.end_byte, new)
        if change not in self.changes:
            self.changes.append(change)

    # --- properties --------------------------------------------------------------------------

    def deciding(self, entry: Entry, line: int) -> Node:
        """The property or assignment that an entry stands for; refused when it is not in this file."""
        node = self.cutter.node_at(entry.spot, _DECIDING)
        if node is not None:
            return node
        if entry.spot.text is not self.module.text:
            place = entry.spot.place
            raise RefusedError(f"`{entry.key}` is set in {place.source}:{place.line}, another file", line)
        raise RefusedError(f"`{entry.key}` is set in a way that cannot be edited", entry.spot.line)

    def take(self, table: Table, key: str, line: int) -> bool:
        """Take every property of this name out of the options; whether there was one."""
        entries = list(under(table, key))
        for entry in entries:
            node = self.deciding(entry, line)
            if node.type != "assignment_expression":
                self._not_used_elsewhere(node, key)
                self.cutter.property(node)
            elif node.parent is not None and node.parent.type == "expression_statement":
                self.cutter.statement(node.parent)
            else:
                raise RefusedError(f"`{key}` is set within another expression", self.line(node))
        return bool(entries)

    def put(self, table: Table, key: str, code: bytes, line: int) -> None:
        """Give a property of the options this value: where it is set, or else as a new one."""
        entries = list(under(table, key))
        if not entries:
            self.append(self._own_object(table, line), key, code)
        for entry in entries:
            node = self.deciding(entry, line)
            self.give(node, key, code)

    def give(self, node: Node, key: str, code: bytes) -> None:
        """Give a property or an assignment another value."""
        value = node.child_by_field_name("right" if node.type == "assignment_expression" else "value")
        if node.type in {"pair", "assignment_expression"} and value is not None:
            self.replace(value, code)
        else:
            self.replace(node, key.encode() + b": " + code)

    def append(self, node: Node, key: str, code: bytes) -> None:
        """Add a property at the end of an object."""
        item = key.encode() + b": " + code
        spread = self.module.text.data[node.start_byte + 1 : node.start_byte + 2] not in {b"'", b'"'}
        change = added(self.module.text.data, listed(node), item, self.comments(), b" " if spread else b"")
        self.changes += [one for one in change if one not in self.changes]

    def _own_object(self, value: Value, line: int) -> Node:
        """The object literal of this file to which an option can be added so that it counts."""
        if isinstance(value, Table):
            node = self.cutter.node_at(value.spot, frozenset({"object"}))
            if node is not None:
                return node
            if value.spot.text is not self.module.text:
                place = value.spot.place
                raise RefusedError(f"the options are written in {place.source}:{place.line}, another file", line)
            last = value.entries[-1] if value.entries else None
            if last is not None and last.key is None:
                return self._own_object(last.value, line)
        if isinstance(value, Made) and value.args:
            return self._own_object(value.args[0], line)
        if isinstance(value, Either | Or):
            raise RefusedError("which options the worker gets depends on a condition", line)
        raise RefusedError("the options are not written out in this file", line)

    def _not_used_elsewhere(self, node: Node, key: str) -> None:
        """Refuse to take a property out of an object that is kept in a variable and read for just that property."""
        owner = node.parent
        outer = owner.parent if owner is not None else None
        while outer is not None and outer.type in WRAPPERS:
            outer = outer.parent
        name = outer.child_by_field_name("name") if outer is not None and outer.type == "variable_declarator" else None
        if name is None or name.type != "identifier":
            return
        text = f"{self.module.written(name)}.{key}"
        # Where the compiler gives the object no type of its own, a log line may say `undefined`.
        loose = (
            self.source.endswith(("js", "jsx")) or name.parent is None or bool(name.parent.child_by_field_name("type"))
        )
        for other in self.module.nodes("member_expression"):
            if self.module.written(other).replace("?.", ".") != text:
                continue
            user = other.parent
            left = user.child_by_field_name("left") if user is not None else None
            if user is not None and user.type == "assignment_expression" and left is not None and left.id == other.id:
                continue
            if loose and logged(self.module, other):
                continue
            raise RefusedError(f"`{text}` is read here, too", self.line(other))

    # --- texts -------------------------------------------------------------------------------

    def literal(self, value: Value) -> Node | None:
        """The string literal of this file that a value is written as."""
        if not isinstance(value, Lit) or not isinstance(value.value, str):
            return None
        return self.cutter.node_at(value.spot, _STRINGS)

    def declared_by(self, node: Node) -> Node | None:
        """The name of the top-level constant that a literal is the value of, unless other files may use it."""
        outer = node.parent
        while outer is not None and outer.type in WRAPPERS:
            outer = outer.parent
        if outer is None or outer.type != "variable_declarator" or outer.parent is None:
            return None
        above = outer.parent.parent
        if above is None or above.type == "export_statement" or outer.parent.children[0].type != "const":
            return None
        return outer.child_by_field_name("name")


def under(value: Value, key: str) -> Iterator[Entry]:
    """Each entry of a name in a table and in what is spread into it."""
    match value:
        case Table(entries=entries):
            for entry in entries:
                if entry.key == key:
                    yield entry
                elif entry.key is None:
                    yield from under(entry.value, key)
        case Made(args=(first, *_)):
            yield from under(first, key)
        case Either(options=several):
            for option in several:
                yield from under(option, key)
        case Or(first=first, second=second):
            yield from under(first, key)
            yield from under(second, key)


def logged(module: TypeScriptModule, node: Node) -> bool:
    """Whether an expression only goes into a line of the log."""
    call = next((up for up, _ in module.climb(node) if up.type == "call_expression"), None)
    called = module.written(call.child_by_field_name("function")) if call is not None else ""
    return called.startswith(("console.", "log.", "logger."))


def only_argument(call: Node) -> Node | None:
    """The argument of a call that has exactly one."""
    found = parameters(call.child_by_field_name("arguments"))
    return found[0] if len(found) == 1 else None
