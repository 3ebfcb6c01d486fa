"""YAML as values that know their line and column, for documents that are read strictly: what is odd is a fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from yaml import CSafeLoader, Node, SafeLoader

LIMIT: Final = 100_000  # characters; a runbook's front matter has a few hundred
_SMALL: Final = 8_192  # characters that the loader in C may have: it recurses without a limit
_DEEP: Final = 20  # levels
_STANDARD: Final = "tag:yaml.org,2002:"
_SEPARATOR: Final = re.compile("[\x85\u2028\u2029]")
_TRUE: Final = {"yes", "true", "on", "y"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it was written; `kind` is what YAML takes it for: str, int, float, bool or null."""

    line: int
    column: int
    text: str
    kind: str

    @property
    def value(self) -> str | int | float | bool | None:
        """The value in its own type; a number that Python does not read so stays a text."""
        try:
            match self.kind:
                case "null":
                    return None
                case "bool":
                    return self.text.lower() in _TRUE
                case "int":
                    return int(self.text.replace("_", ""), 10)
                case "float":
                    return float(self.text.replace("_", ""))
        except ValueError:
            return self.text
        return self.text


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, each once and with its place, and their values in the order of the text."""

    line: int
    column: int
    items: tuple[tuple[Scalar, Value], ...]

    def get(self, key: str) -> Value | None:
        """The value of a key."""
        return next((value for known, value in self.items if known.text == key), None)


Value = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text is no such YAML, at which line and column."""

    line: int
    column: int
    sentence: str


class _FaultError(Exception):
    def __init__(self, node: Node, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = Fault(node.start_mark.line + 1, node.start_mark.column + 1, sentence)


def read_located(text: str) -> Value | Fault | None:
    """The one document in this text, None when there is nothing in it, or the first fault; lines count from 1."""
    import yaml

    if len(text) > LIMIT:
        return Fault(1, 1, f"is longer than {LIMIT // 1000} thousand characters")
    if odd := _SEPARATOR.search(text):
        # YAML would count a line more than everybody else.
        line, column = _place(text, odd.start())
        return Fault(line, column, "has an invisible line separator; write it on one line or on two")
    try:
        nodes = list(yaml.compose_all(text, Loader=_loader(text)))
        if len(nodes) > 1:
            return _FaultError(nodes[1], "a second YAML document begins here; there must be one").fault
        return _value(nodes[0], set(), 0) if nodes else None
    except _FaultError as problem:
        return problem.fault
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context or "unreadable").split())
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return Fault(*place, f"is not valid YAML: {said}")
    except yaml.reader.ReaderError as error:
        line, column = _place(text, error.position if isinstance(error.position, int) else 0)
        return Fault(line, column, "has a character that YAML does not allow")
    except (yaml.YAMLError, ValueError, RecursionError):
        return Fault(1, 1, "is not valid YAML")


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _loader(text: str) -> type[SafeLoader | CSafeLoader]:
    import yaml

    # A level of nesting takes at least one character, so that a small text cannot exhaust the stack.
    return yaml.CSafeLoader if len(text) <= _SMALL and hasattr(yaml, "CSafeLoader") else yaml.SafeLoader


def _value(node: Node, seen: set[int], depth: int) -> Value:
    import yaml

    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if id(node) in seen:
        raise _FaultError(node, "anchors and aliases are not read here; write it out")
    seen.add(id(node))
    if depth > _DEEP:
        raise _FaultError(node, "is nested too deeply")
    tag = str(node.tag)
    if not tag.startswith(_STANDARD):
        raise _FaultError(node, "tags are not read here")
    if isinstance(node, yaml.SequenceNode):
        return Sequence(line, column, tuple(_value(item, seen, depth + 1) for item in node.value))
    if isinstance(node, yaml.MappingNode):
        items: dict[str, tuple[Scalar, Value]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _FaultError(key, "a key must be a plain word")
            name = str(key.value)
            if name in items:
                raise _FaultError(key, f"`{name}` stands here a second time")
            place = Scalar(key.start_mark.line + 1, key.start_mark.column + 1, name, "str")
            items[name] = (place, _value(value, seen, depth + 1))
        return Mapping(line, column, tuple(items.values()))
    kind = tag.removeprefix(_STANDARD)
    return Scalar(line, column, str(node.value), kind if kind in {"int", "float", "bool", "null"} else "str")
