"""What the calls of a Python file give, where that is known without running them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.python_scope import parameters
from bot.source.values import (
    ABSENT,
    Entry,
    Env,
    EnvMap,
    Lit,
    Local,
    Made,
    Ref,
    Seq,
    Table,
    Unknown,
    Value,
    changed,
    each,
    either,
    fallback,
    field,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.source.evaluate import Frame
    from bot.source.python_values import PythonModule
    from bot.source.text import Spot

_HOW = {"strip": "strip", "lower": "lower", "upper": "upper", "casefold": "lower"}
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
_READERS = {"decouple", "environs", "environ", "starlette.config", "prettyconf"}
_SAME = {"str", "cast", "cached_property", "deepcopy", "copy", "MappingProxyType"}


def called(module: PythonModule, node: Node, frame: Frame) -> Value:
    """What a call gives."""
    callee = node.child_by_field_name("function")
    args, named = arguments(module, node.child_by_field_name("arguments"), frame)
    spot = module.spot(node)
    if callee is None:
        return ABSENT
    if callee.type == "attribute":
        owner = module.value(callee.child_by_field_name("object"), frame)
        method = module.written(callee.child_by_field_name("attribute"))
        value = _method(owner, method, args, named, spot)
        if value is not None:
            return value
        target = module.member(owner, method, spot)
    else:
        target = module.value(callee, frame)
    found: list[Value] = []
    for option in each(target):
        match option:
            case Local(kind="function"):
                found.append(_function(option, args, named))
            case Local(kind="class", home=home, node=cls):
                found.append(Local("instance", home, cls, spot, args, named))
            case Ref():
                found.append(_named_call(option, args, named, spot))
            case Made(callee=Ref(module=source)) if source in _READERS:
                found.append(_setting(args, named, spot))
            case Unknown():
                found.append(option)
            case _:
                found.append(Unknown("it is what a call gives at run time"))
    return either(found)


def arguments(module: PythonModule, listed: Node | None, frame: Frame) -> tuple[tuple[Value, ...], Table | None]:
    """The positional and the named arguments of a call, evaluated."""
    args: list[Value] = []
    entries: list[Entry] = []
    if listed is None:
        return (), None
    if listed.type == "generator_expression":
        return (module.value(listed, frame),), None
    for child in listed.named_children:
        spot = module.spot(child)
        if child.type == "keyword_argument":
            name = module.written(child.child_by_field_name("name"))
            entries.append(Entry(name, module.value(child.child_by_field_name("value"), frame), spot))
        elif child.type == "dictionary_splat":
            inner = child.named_children[0] if child.named_children else None
            entries.append(Entry(None, module.value(inner, frame), spot))
        elif child.type == "list_splat":
            value = module.value(child.named_children[0] if child.named_children else None, frame)
            args.extend(
                value.items if isinstance(value, Seq) and value.whole else [Unknown("it is passed in a spread")]
            )
        elif child.type != "comment":
            args.append(module.value(child, frame))
    return tuple(args), Table(tuple(entries), module.spot(listed)) if entries else None


def _function(function: Local, args: tuple[Value, ...], named: Table | None) -> Value:
    from bot.source.python_values import PythonModule

    home = function.home
    if named is None or not isinstance(home, PythonModule) or function.node is None:
        return home.call(function, args)
    given: list[Value] = list(args)
    shift = len(function.args)
    for index, (name, _, _) in enumerate(parameters(function.node, home.written)):
        value = field(named, name)
        if value is ABSENT or index < shift:
            continue
        while len(given) <= index - shift:
            given.append(ABSENT)
        given[index - shift] = value
    return home.call(function, tuple(given))


def _named_call(callee: Ref, args: tuple[Value, ...], named: Table | None, spot: Spot) -> Value:
    full = (callee.module, *callee.path) if callee.module else callee.path
    first = args[0] if args else ABSENT
    if full[-2:] == ("os", "getenv") or full == ("getenv",):
        return _environment(args, named, spot)
    if callee.module in _READERS and callee.name in {"config", "env"}:
        return _setting(args, named, spot)
    if full == ("dict",) and not args:
        return Table(named.entries if named is not None else (), spot)
    if full == ("dict",) and isinstance(first, Table):
        return Table((*first.entries, *(named.entries if named is not None else ())), spot)
    if full[-2:] == ("AgentServer", "from_server_options"):
        # The server is what its options say.
        return args[0] if args else field(named, "options") if named is not None else ABSENT
    if callee.name in _SAME and args:
        return args[-1] if callee.name == "cast" else first
    if callee.name in {"int", "float"} and not callee.module and isinstance(first, Lit):
        try:
            return Lit(float(first.value or 0), spot)
        except ValueError:
            return Unknown("it is no number")
    return Made(callee, args, named, spot)


def _environment(args: tuple[Value, ...], named: Table | None, spot: Spot) -> Value:
    name = args[0] if args else field(named, "key") if named is not None else ABSENT
    if not isinstance(name, Lit) or not isinstance(name.value, str):
        return Unknown("it is a variable of the environment whose name is only known at run time")
    default = args[1] if len(args) > 1 else field(named, "default") if named is not None else ABSENT
    found = Env(name.value, spot)
    return found if default is ABSENT else fallback(found, default, loose=False)


def _setting(args: tuple[Value, ...], named: Table | None, spot: Spot) -> Value:
    return _environment(args[:2], named, spot)


def _method(owner: Value, method: str, args: tuple[Value, ...], named: Table | None, spot: Spot) -> Value | None:
    """What a method of a text, a dict or an environment gives, or None when it is another method."""
    if isinstance(owner, EnvMap):
        return _environment(args, named, spot) if method in {"get", "setdefault", "pop"} else None
    if method in _HOW and not args and not isinstance(owner, Local | Ref):
        how = _HOW[method]
        return changed("strip" if how == "strip" else "lower" if how == "lower" else "upper", owner)
    if method == "get" and isinstance(owner, Table) and args and isinstance(args[0], Lit):
        found = field(owner, str(args[0].value))
        default = args[1] if len(args) > 1 else Lit(None, spot)
        return default if found is ABSENT else found
    if method == "copy" and isinstance(owner, Table | Seq):
        return owner
    if isinstance(owner, Made):
        # The token is a builder: each of its methods gives the token again.
        if owner.callee.name == "AccessToken" and method.startswith(("with_", "add_")):
            return owner
        key = args[0].value if args and isinstance(args[0], Lit) else None
        if owner.callee.module in _READERS and isinstance(key, str) and _SETTING.fullmatch(key):
            return _setting(args, named, spot)
    return None
