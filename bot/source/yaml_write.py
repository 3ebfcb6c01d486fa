"""Values as YAML text that YAML 1.1 and 1.2 read alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.source.edit import RefusedError

Value: TypeAlias = "bool | int | float | str | dict[str, Value] | list[Value] | None"
"""What a patch may hold."""

MAX_DEPTH = 50
# A text with any other character is quoted, and so is one that begins like a number, a date or an indicator.
_PLAIN = re.compile(r"(?:[A-Za-z_/]|\.{1,2}/)[A-Za-z0-9_./@%+=~$,:{} \[\]()\\-]*", re.ASCII)
_UNSAFE = re.compile(r":(?: |$)|[ ]$")
_UNSAFE_IN_FLOW = re.compile(r"[,:{}\[\]]|[ ]$")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_UNPRINTABLE = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written: its line ends, the blanks per level, and those before the dash of a list in a map."""

    newline: str = "\n"
    step: int = 2
    dash: int = 2


def value_of(given: object, depth: int = 0) -> Value:
    """A patch as it is read from elsewhere, as a value of its own.

    Raises:
        RefusedError: it holds what YAML has no agreed form for, or is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise RefusedError("the patch is nested too deeply")
    if given is None or isinstance(given, bool | int | float | str):
        return given
    if isinstance(given, Mapping):
        if not all(isinstance(key, str) for key in given):
            raise RefusedError("a key of the patch is no text")
        return {key: value_of(part, depth + 1) for key, part in given.items()}
    if isinstance(given, list | tuple):
        return [value_of(part, depth + 1) for part in given]
    raise RefusedError(f"the patch holds a {type(given).__name__}, which has no agreed form in YAML")


def without_nulls(value: Value) -> Value:
    """What a patch leaves where nothing was: a map without the keys that it removes; a list as it is."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return value


def inline(value: Value, *, flow: bool = False, quote: str | None = None) -> str:
    """A value on one line; `flow` is within brackets, `quote` the kind of quotes a text should have if any."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{inline(key, flow=True)}: {inline(part, flow=True)}" for key, part in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(inline(part, flow=True) for part in value) + "]"
    if isinstance(value, str):
        return _text(value, flow=flow, quote=quote)
    if isinstance(value, float):
        return _number(value)
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    # YAML 1.1 takes 1e+22 for a text: a float has a point there.
    return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))


def _text(value: str, *, flow: bool, quote: str | None) -> str:
    unsafe = (_UNSAFE_IN_FLOW if flow else _UNSAFE).search(value)
    if quote is None and _PLAIN.fullmatch(value) and not unsafe and value.lower() not in _WORDS:
        return value
    if quote == "'" and value.isascii() and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return _UNPRINTABLE.sub(lambda char: f"\\u{ord(char[0]):04x}", json.dumps(value, ensure_ascii=False))


def is_block(value: Value) -> bool:
    """Whether a value takes lines of its own: a map or a list with something in it."""
    return isinstance(value, dict | list) and bool(value)


def pair_lines(key: str, value: Value, column: int, style: Style) -> list[str]:
    """The lines of a key and its value in a map at that column."""
    head = " " * column + inline(key) + ":"
    if not is_block(value):
        return [f"{head} {inline(value)}"]
    return [head, *block_lines(value, column + (style.dash if isinstance(value, list) else style.step), style)]


def block_lines(value: Value, column: int, style: Style, quote: str | None = None) -> list[str]:
    """The lines of a map or a list with something in it, at that column; `quote` is that of a list's own texts."""
    if isinstance(value, dict):
        return [line for key, part in value.items() for line in pair_lines(key, part, column, style)]
    lines: list[str] = []
    for part in value if isinstance(value, list) else []:
        inner = block_lines(part, column + 2, style) if is_block(part) else [inline(part, quote=quote)]
        lines += [" " * column + "- " + inner[0].lstrip(" "), *inner[1:]]
    return lines
