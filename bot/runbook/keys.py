"""A mapping of YAML, read key by key and strictly: what was not asked for is unknown, and each fault has its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot import spans
from bot.runbook.troubles import named, nearest
from bot.source.located import Fault, Mapping, Scalar, Sequence, read_located

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.runbook.troubles import T, Troubles
    from bot.source.located import Value


class Keys:
    """The keys of one mapping; `shift` and `indent` are what its lines and columns lack to those of the document."""

    def __init__(self, mapping: Mapping, troubles: Troubles, shift: int, indent: int = 0) -> None:
        self.mapping, self.troubles, self.shift, self.indent = mapping, troubles, shift, indent
        self._asked: dict[str, None] = {}

    def line(self, value: Value) -> int:
        """The line of the document in which a value stands."""
        return value.line + self.shift

    def add(self, value: Value, sentence: str) -> None:
        """Note a problem at a value."""
        self.troubles.add(self.line(value), value.column + self.indent, sentence)

    def key(self, name: str) -> Scalar:
        """Where a key stands."""
        return next(key for key, _ in self.mapping.items if key.text == name)

    def get(self, name: str) -> Value | None:
        """The value of a key; an empty one is a problem."""
        self._asked[name] = None
        value = self.mapping.get(name)
        if isinstance(value, Scalar) and value.kind == "null":
            self.add(self.key(name), f"`{name}` has no value")
            return None
        return value

    def text(self, name: str, default: str = "") -> str:
        """A text; a number or a truth value is taken as it is written."""
        value = self.get(name)
        if value is None:
            return default
        if isinstance(value, Scalar):
            return value.text
        self.add(value, f"`{name}` must be a text, and is {kind(value)}")
        return default

    def one_of(self, name: str, known: Iterable[T], default: T) -> T:
        """One of a few words."""
        return self.maybe(name, known) or default

    def maybe(self, name: str, known: Iterable[T]) -> T | None:
        """One of a few words, None where none is given."""
        words = list(known)
        value = self.get(name)
        if value is None:
            return None
        text = value.text if isinstance(value, Scalar) else kind(value)
        found = next((word for word in words if word == text), None)
        if found is None:
            self.add(value, f"`{name}` must be {either(words)}, and is {named(text)}{nearest(text, words)}")
        return found

    def truth(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.get(name)
        if value is None:
            return default
        if isinstance(value, Scalar) and value.kind == "bool":
            return value.value is True
        self.add(value, f"`{name}` must be true or false")
        return default

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number between two."""
        value = self.get(name)
        if value is None:
            return default
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
            return number
        self.add(value, f"`{name}` must be a whole number from {least} to {most}")
        return default

    def duration(self, name: str) -> float | None:
        """Seconds, None where it is not given."""
        text = self.text(name)
        if not text:
            return None
        seconds = spans.duration(text)
        if isinstance(seconds, float):
            return seconds
        value = self.mapping.get(name)
        if value is not None:
            self.add(value, f"`{name}`: {seconds}")
        return None

    def texts(self, name: str) -> tuple[Scalar, ...]:
        """A list of texts; one alone may stand without the list."""
        value = self.get(name)
        if value is None:
            return ()
        items = value.items if isinstance(value, Sequence) else (value,)
        texts = []
        for item in items:
            if isinstance(item, Scalar) and item.kind != "null":
                texts.append(item)
            else:
                self.add(item, f"`{name}` must be a list of texts, and this is {kind(item)}")
        return tuple(texts)

    def inner(self, name: str) -> Keys | None:
        """The mapping of a key."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, Mapping):
            return Keys(value, self.troubles, self.shift, self.indent)
        self.add(value, f"`{name}` must be a mapping, and is {kind(value)}")
        return None

    def rest(self, what: str) -> None:
        """Tell every key that nobody asked for."""
        for key, _ in self.mapping.items:
            if key.text not in self._asked:
                self.add(key, f"unknown key {named(key.text)} {what}{nearest(key.text, self._asked)}")


def read_keys(text: str, troubles: Troubles, shift: int, indent: int = 0) -> Keys | None:
    """The mapping that a text is, None when it is none, which is told."""
    value = read_located(text)
    if isinstance(value, Fault):
        troubles.add(value.line + shift, value.column + indent, value.sentence)
    elif value is None:
        troubles.add(1 + shift, 1 + indent, "nothing stands here, where keys were expected")
    elif not isinstance(value, Mapping):
        troubles.add(value.line + shift, value.column + indent, f"keys were expected here, and this is {kind(value)}")
    else:
        return Keys(value, troubles, shift, indent)
    return None


def kind(value: Value) -> str:
    """What a value is, as a person says it."""
    if isinstance(value, Scalar):
        return "nothing" if value.kind == "null" else "a single value"
    return "a list" if isinstance(value, Sequence) else "a mapping"


def either(words: Iterable[str]) -> str:
    """Words of which one is meant."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
