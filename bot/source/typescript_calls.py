"""What the calls of a TypeScript or JavaScript file give, where that is known without running them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.source.evaluate import EMPTY
from bot.source.typescript_scope import parameters, string_text
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
    from bot.source.text import Spot
    from bot.source.typescript_values import TypeScriptModule

_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
_SAME = {"toString", "valueOf", "normalize", "toWellFormed"}
_HOW = {"trim": "strip", "toLowerCase": "lower", "toUpperCase": "upper"}
_PASSED_ON = {"freeze", "seal", "preventExtensions", "structuredClone", "String", "memo", "cache", "readonly"}
_RUN = {"useMemo", "once", "cache", "memoize"}
_STATE = {"useState", "useRef", "signal", "ref", "useSignal", "atom"}


def called(module: TypeScriptModule, node: Node, frame: Frame) -> Value:
    """What a call gives."""
    callee = node.child_by_field_name("function")
    listed = node.child_by_field_name("arguments")
    spot = module.spot(node)
    if callee is None:
        return ABSENT
    if callee.type == "import" or (callee.type == "identifier" and module.written(callee) == "require"):
        first = parameters(listed)
        return module.imported(string_text(first[0] if first else None, module.written), "*", spot)
    args = arguments(module, listed, frame)
    if callee.type == "member_expression":
        method = module.written(callee.child_by_field_name("property"))
        owner = module.value(callee.child_by_field_name("object"), frame)
        value = _method(module, owner, method, args, callee, spot)
        if value is not None:
            return value
        target = module.member(owner, method, spot)
    else:
        target = module.value(callee, frame)
    return applied(module, target, args, spot)


def arguments(module: TypeScriptModule, listed: Node | None, frame: Frame) -> tuple[Value, ...]:
    """The arguments of a call, evaluated."""
    found: list[Value] = []
    for child in parameters(listed):
        if child.type != "spread_element":
            found.append(module.value(child, frame))
            continue
        inner = module.value(child.named_children[0] if child.named_children else None, frame)
        found.extend(inner.items if isinstance(inner, Seq) and inner.whole else [Unknown("it is passed in a spread")])
    return tuple(found)


def applied(module: TypeScriptModule, target: Value, args: tuple[Value, ...], spot: Spot) -> Value:
    """What calling a value gives."""
    found: list[Value] = []
    for option in each(target):
        match option:
            case Local(kind="function", home=home):
                found.append(home.call(option, args))
            case Ref():
                found.append(_named_call(module, option, args, spot))
            case Unknown():
                found.append(option)
            case _:
                found.append(Unknown("it is what a call gives at run time"))
    return either(found)


def _named_call(module: TypeScriptModule, callee: Ref, args: tuple[Value, ...], spot: Spot) -> Value:
    name = callee.name
    first = args[0] if args else ABSENT
    if callee.path[-3:] == ("Deno", "env", "get") and isinstance(first, Lit) and isinstance(first.value, str):
        return Env(first.value, spot)
    if name == "assign" and callee.path[:1] == ("Object",):
        return Table(tuple(Entry(None, value, spot) for value in args), spot)
    if name in _RUN and isinstance(first, Local):
        return applied(module, first, (), spot) if name == "useMemo" else first
    if name in _PASSED_ON and args:
        return first
    if name in _STATE:
        state = fallback(Unknown("it is a state that changes"), first, loose=False) if args else Unknown("a state")
        return Seq((state,), whole=False, spot=spot) if name == "useState" else Unknown("it is a state that changes")
    if name in {"Number", "parseInt", "parseFloat"} and isinstance(first, Lit):
        return _number(first)
    if _reads_environment(args):
        return EnvMap(own_defaults=True)
    return Made(callee, args, None, spot)


def _number(value: Lit) -> Value:
    try:
        return Lit(float(value.value or 0), value.spot)
    except ValueError:
        return Unknown("it is no number")


def _reads_environment(args: tuple[Value, ...]) -> bool:
    """Whether a schema is laid over the environment: `schema.parse(process.env)` and its like."""
    for arg in args[:2]:
        if isinstance(arg, EnvMap):
            return True
        if isinstance(arg, Table):
            if isinstance(field(arg, "runtimeEnv"), EnvMap | Table):
                return True
            if any(item.key is None and isinstance(item.value, EnvMap) for item in arg.entries):
                return True
    return False


def _method(
    module: TypeScriptModule, owner: Value, method: str, args: tuple[Value, ...], callee: Node, spot: Spot
) -> Value | None:
    """What a method of a text, a list or an environment gives, or None when it is another method."""
    first = args[0] if args else ABSENT
    if method in _HOW and not isinstance(owner, Local | Ref):
        return changed("strip" if method == "trim" else "lower" if method == "toLowerCase" else "upper", owner)
    if method in _SAME and not isinstance(owner, Local | Ref):
        return owner
    if method in {"map", "flatMap"} and isinstance(first, Local) and isinstance(owner, Seq):
        return Seq(tuple(applied(module, first, (item,), spot) for item in owner.items[:20]), owner.whole, spot)
    if method in {"map", "flatMap"} and isinstance(first, Local) and isinstance(owner, Unknown | Made):
        return Seq((applied(module, first, (Unknown("an item of a list"),), spot),), whole=False, spot=spot)
    if method == "filter" and isinstance(owner, Seq):
        return Seq(owner.items, whole=False, spot=spot)
    if method == "concat" and isinstance(owner, Seq):
        items = [item for arg in args for item in (arg.items if isinstance(arg, Seq) else (arg,))]
        return Seq((*owner.items, *items), owner.whole, spot)
    if method in {"parse", "parseAsync", "safeParse", "validate", "cleanEnv"} and _reads_environment(args):
        return EnvMap(own_defaults=True)
    if method == "data" and isinstance(owner, EnvMap):
        return owner
    if method in {"get", "getOrThrow"} and isinstance(first, Lit) and isinstance(first.value, str):
        where = module.written(callee.child_by_field_name("object")).lower()
        asks = isinstance(owner, EnvMap) or ("env" in where or "config" in where)
        if asks and _SETTING.fullmatch(first.value) and not isinstance(owner, Local):
            return Env(first.value, spot, args[1] if len(args) > 1 else None)
    return None


def constructed(module: TypeScriptModule, node: Node, frame: Frame) -> Value:
    """What `new X(…)` gives."""
    args = arguments(module, node.child_by_field_name("arguments"), frame)
    spot = module.spot(node)
    found: list[Value] = []
    for option in each(module.value(node.child_by_field_name("constructor"), frame)):
        if isinstance(option, Ref):
            found.append(Made(option, args, None, spot))
        elif isinstance(option, Local) and option.kind == "class" and option.node is not None:
            found.append(_instance(option, args, spot))
        else:
            found.append(Unknown("its class is only known at run time"))
    return either(found)


def _instance(cls: Local, args: tuple[Value, ...], spot: Spot) -> Value:
    """An instance of a class of the project; one that extends the SDK's options counts as those."""
    from bot.source.typescript_values import TypeScriptModule

    home, node = cls.home, cls.node
    instance = Local("instance", home, node, spot, args)
    if not isinstance(home, TypeScriptModule) or node is None:
        return instance
    base = next((child for child in node.named_children if child.type == "class_heritage"), None)
    inner = base.named_children[0] if base is not None and base.named_children else None
    if inner is not None and inner.type == "extends_clause":
        inner = inner.child_by_field_name("value")
    parent = home.value(inner) if inner is not None else ABSENT
    if isinstance(parent, Ref) and parent.name in {"ServerOptions", "WorkerOptions"}:
        return Made(parent, _super_arguments(home, node, args), None, spot)
    return instance


def _super_arguments(home: TypeScriptModule, node: Node, args: tuple[Value, ...]) -> tuple[Value, ...]:
    body = node.child_by_field_name("body")
    for child in body.named_children if body is not None else []:
        if child.type == "method_definition" and home.written(child.child_by_field_name("name")) == "constructor":
            for call in home.nodes("call_expression"):
                callee = call.child_by_field_name("function")
                if (
                    callee is not None
                    and callee.type == "super"
                    and child.start_byte <= call.start_byte < child.end_byte
                ):
                    frame = {**EMPTY, child.id: args}
                    return arguments(home, call.child_by_field_name("arguments"), frame)
    return args
