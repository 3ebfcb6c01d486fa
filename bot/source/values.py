"""What an expression comes to, as far as a reader can say without running it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from bot.source.text import Spot


class Home(Protocol):
    """The module in which a function, a class or a namespace is written."""

    def call(self, function: Local, arguments: tuple[Value, ...]) -> Value:
        """What a function written here returns."""

    def attribute(self, owner: Local, name: str) -> Value:
        """What a class, an instance or the module itself has under a name."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """A text, a number, a truth value, or None for null, undefined and None."""

    value: str | float | bool | None
    spot: Spot


@dataclass(frozen=True, slots=True, eq=False)
class Env:
    """An environment variable; `default` stands in when it is not set, if `loose` also when it is empty."""

    name: str
    spot: Spot
    default: Value | None = None
    loose: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class EnvMap:
    """The environment as a whole; `own_defaults`: a schema may give defaults that are not seen here."""

    own_defaults: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Or:
    """`first`, or `second` when that is missing (if `loose`: or empty)."""

    first: Value
    second: Value
    loose: bool


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """One of several, and what decides is only known at run time."""

    options: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """Texts put together, not all of them known."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """A text that is changed in a known way at run time."""

    how: Literal["strip", "lower", "upper"]
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A property: `spot` is all of it (name and value). Without a key it is a spread of `value`."""

    key: str | None
    value: Value
    spot: Spot


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An object or dict literal; later entries win."""

    entries: tuple[Entry, ...]
    spot: Spot


@dataclass(frozen=True, slots=True, eq=False)
class Seq:
    """A list; `whole` is False when it may hold more than these items."""

    items: tuple[Value, ...]
    whole: bool
    spot: Spot


@dataclass(frozen=True, slots=True, eq=False)
class Ref:
    """A name of another module; `module` is "" for a name that is defined nowhere in sight."""

    module: str
    path: tuple[str, ...]
    spot: Spot

    @property
    def name(self) -> str:
        """The last part of the name."""
        return self.path[-1] if self.path else ""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """The result of calling something that is not written here (with `new` or without)."""

    callee: Ref
    args: tuple[Value, ...]
    named: Table | None
    spot: Spot


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A function, class, instance of a class, or module that is written in a file at hand."""

    kind: Literal["function", "class", "instance", "module"]
    home: Home
    node: Node | None
    spot: Spot
    args: tuple[Value, ...] = ()
    named: Table | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """Not knowable from the source; `why` is a phrase for a person."""

    why: str


Value = Lit | Env | EnvMap | Or | Either | Join | Changed | Table | Seq | Ref | Made | Local | Unknown

ABSENT = Unknown("it is not there")
MAX_OPTIONS = 12


def either(options: Iterable[Value]) -> Value:
    """One of the options; a single one is itself."""
    flat: list[Value] = []
    for option in options:
        flat.extend(option.options if isinstance(option, Either) else [option])
    if not flat:
        return ABSENT
    if len(flat) == 1:
        return flat[0]
    return Either(tuple(flat)) if len(flat) <= MAX_OPTIONS else Unknown("it depends on many conditions")


def options(value: Value) -> tuple[Value, ...]:
    """The options of a value that is one of several; else the value alone."""
    return value.options if isinstance(value, Either) else (value,)


def fallback(first: Value, second: Value, *, loose: bool) -> Value:
    """`first ?? second`, with `loose` also `first || second`."""
    if first is ABSENT:
        return second
    match first:
        case Lit(value=None):
            return second
        case Lit(value=value):
            return second if loose and not value else first
        case Env(default=None):
            return replace(first, default=second, loose=loose)
        case Env(default=default, loose=was) if default is not None:
            return replace(first, default=fallback(default, second, loose=loose), loose=was or loose)
        case Changed(how=how, value=Env() as env) if env.default is None:
            return Changed(how, fallback(env, second, loose=loose))
        case Either(options=several):
            return either(fallback(option, second, loose=loose) for option in several)
        case Table() | Seq() | Made() | Local() | EnvMap():
            return first
    return Or(first, second, loose)


def join(parts: list[Value], spot: Spot) -> Value:
    """Texts put together."""
    flat: list[Value] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Join) else [part])
    texts = [as_text(part) for part in flat]
    if all(text is not None for text in texts):
        return Lit("".join(text for text in texts if text is not None), spot)
    return Join(tuple(flat))


def as_text(value: Value) -> str | None:
    """What a known value becomes inside a text."""
    match value:
        case Lit(value=str(text)):
            return text
        case Lit(value=bool() | None):
            return None
        case Lit(value=float(number)):
            return str(int(number)) if number.is_integer() else str(number)
    return None


def changed(how: Literal["strip", "lower", "upper"], value: Value) -> Value:
    """A text changed by a method of texts."""
    match value:
        case Lit(value=str(text), spot=spot):
            return Lit(apply(how, text), spot)
        case Env(default=Lit() as default):
            return Changed(how, replace(value, default=changed(how, default)))
        case Either(options=several):
            return either(changed(how, option) for option in several)
        case Unknown() | Lit():
            return value
    return Changed(how, value)


def apply(how: Literal["strip", "lower", "upper"], text: str) -> str:
    """The text as the method leaves it."""
    return text.strip() if how == "strip" else text.lower() if how == "lower" else text.upper()


def truth(value: Value) -> bool | None:
    """Whether a value counts as true, or None when that is not known."""
    match value:
        case Lit(value=known):
            return bool(known)
        case Table() | Seq() | Made() | Local() | EnvMap():
            return True
    return None


def field(table: Table, key: str) -> Value:
    """What a table has under a key: ABSENT when it has not, Unknown when it may."""
    found = _field(table.entries, key)
    return found[0]


def entry(table: Table, key: str) -> Entry | None:
    """The entry that decides what a table has under a key, looking into spreads."""
    return _field(table.entries, key)[1]


def _field(entries: tuple[Entry, ...], key: str) -> tuple[Value, Entry | None]:
    for at in range(len(entries) - 1, -1, -1):
        item = entries[at]
        if item.key == key:
            return item.value, item
        if item.key is not None:
            continue
        value, inner = _spread(item, key)
        if value is ABSENT:
            continue
        if isinstance(value, Either) and any(option is ABSENT for option in value.options):
            below, below_entry = _field(entries[:at], key)
            kept = [option for option in value.options if option is not ABSENT]
            return either([*kept, *options(below)]), inner or below_entry
        return value, inner
    return ABSENT, None


def _spread(item: Entry, key: str) -> tuple[Value, Entry | None]:
    match item.value:
        case Table(entries=inner):
            return _field(inner, key)
        case Made(args=(Table(entries=inner), *_)):
            return _field(inner, key)
        case Either(options=several):
            found = [_spread(Entry(None, option, item.spot), key) for option in several]
            values = [value for value, _ in found]
            if all(value is ABSENT for value in values):
                return ABSENT, None
            first = next((inner for value, inner in found if value is not ABSENT), None)
            return Either(tuple(part for value in values for part in options(value))), first
        case Or(first=first, second=second):
            return _spread(Entry(None, Either((first, second)), item.spot), key)
        case Lit() | Seq() | EnvMap() | Local(kind="function"):
            return ABSENT, None
        case Local() as local:
            value = local.home.attribute(local, key)
            return value, (item if value is not ABSENT else None)
    return Unknown("it may come with the spread of another object"), item


def grown(value: Seq, added: Value, *, several: bool, sure: bool) -> Seq:
    """A list to which something is added: one item, or (`several`) the items of another list."""
    if several:
        more = added.items if isinstance(added, Seq) else ()
        whole = value.whole and isinstance(added, Seq) and added.whole
    else:
        more, whole = (added,), value.whole
    if not sure:
        more = tuple(Either((item, Lit(None, value.spot))) for item in more)
    return Seq((*value.items, *more), whole, value.spot)


def each(value: Value) -> Iterator[Value]:
    """The value and all that it may be instead."""
    match value:
        case Either(options=several):
            for option in several:
                yield from each(option)
        case Or(first=first, second=second):
            yield from each(first)
            yield from each(second)
        case _:
            yield value


def made_by(value: Value, *names: str) -> list[Made]:
    """The calls of one of these names that a value may be the result of."""
    return [option for option in each(value) if isinstance(option, Made) and option.callee.name in names]
