"""TOML with the line of every table and key, which the standard library's reader does not tell."""

from __future__ import annotations

import codecs
import re
import tomllib
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bot.errors import Problem, WrongDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACED: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_DEEP: Final = 8  # names of a path that are told apart; what is deeper has the line of its table
# A statement of TOML ends at a line's end outside strings and brackets. Only ever used on text that was parsed.
_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|#[^\n]*|[\[\]{}=\n]|[^\"'#\[\]{}=\n]+",
    re.DOTALL,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Toml:
    """A document that was read: its text with line feeds only, its data, and the 1-based line of each key's path.

    A table of a list, such as the second `[[person]]`, has its number in the path: `("person", "1")`.
    """

    text: str
    data: dict[str, Any]
    lines: Mapping[tuple[str, ...], int]

    def line(self, *path: str) -> int:
        """The line of a key, or of the nearest table above it that has one."""
        return next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)


def read_toml(source: str, raw: bytes) -> Toml:
    """The TOML in these bytes; `source` names them. Raises WrongDocument with the line where it is none."""
    text = _text(source, raw)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise WrongDocument((_syntax(source, text, problem),)) from None
    return Toml(text, data, _lines(text))


def _text(source: str, raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise WrongDocument((Problem(source, 1, "is UTF-16; save it as UTF-8"),))
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode().replace("\r\n", "\n")  # as tomllib does it
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise WrongDocument((Problem(source, line, "has a character that is not UTF-8; save it as UTF-8"),)) from None


def _syntax(source: str, text: str, problem: Exception) -> Problem:
    said = str(problem)
    placed = _PLACED.search(said)
    last = max(1, len(text.rstrip().splitlines()))
    if not isinstance(problem, tomllib.TOMLDecodeError):  # a number or a nesting beyond what Python takes
        lines = text.split("\n")
        at = bisect_left(range(1, len(lines)), True, key=lambda n: _too_much("\n".join(lines[:n])))
        return Problem(source, at + 1, "has a number or a nesting that is too large")
    line = int(placed[1]) if placed and placed[1] else last
    sentence = said[: placed.start()] if placed else said
    column = f" at column {placed[2]}" if placed and placed[2] else " at the end of the file" if placed else ""
    # tomllib quotes keys and characters, never values; a key is masked like all else that is said.
    return Problem(source, line, f"is not TOML: {sentence[:1].lower()}{sentence[1:]}{column}")


def _too_much(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return False


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The first line of every table and key of a TOML document that was parsed, which tomllib does not tell."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    number, start, depth, before_value, head = 1, 0, 0, True, ""
    for piece in (*(m.group() for m in _TOKEN.finditer(text)), "\n"):
        if piece == "\n" and not depth:
            path = _path(head, whole=before_value)
            for n in range(len(path) - 1, 0, -1) if before_value else ():  # [a.b] belongs to the newest [[a]]
                if path[:n] in counts:
                    path = (*path[:n], str(counts[path[:n]]), *path[n:])
            if path and before_value and head.lstrip().startswith("[["):
                counts[path] = counts.get(path, -1) + 1
                path = (*path, str(counts[path]))
            if path:
                table = path if before_value else table
                path = path if before_value else (*table, *path)
                for n in range(1, min(len(path), _DEEP) + 1):
                    found.setdefault(path[:n], start)
            start, before_value, head = 0, True, ""
        elif not piece.startswith("#"):
            start = start or (number if piece.strip() else 0)
            before_value = before_value and not (piece == "=" and not depth)
            head += piece if before_value else ""
            depth += (piece in {"[", "{"}) - (piece in {"]", "}"})
        number += piece.count("\n")
    return found


def _path(head: str, *, whole: bool) -> tuple[str, ...]:
    """The names in `[a."b"]`, or in the `a."b"` before an equals sign."""
    if not head.strip():
        return ()
    at: object = tomllib.loads(head if whole else f"{head} = 0")
    path: list[str] = []
    while isinstance(at, (dict, list)) and at:
        if isinstance(at, list):
            at = at[0]
            continue
        name = next(iter(at))
        path.append(name)
        at = at[name]
    return tuple(path)
