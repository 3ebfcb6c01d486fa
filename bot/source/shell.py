"""Dispatches that LiveKit's command line tool makes, in scripts."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

from bot.source.found import FoundDispatch
from bot.source.text import Spot
from bot.source.values import ABSENT, Env, Lit, Unknown, Value, fallback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.setup import Via
    from bot.source.text import SourceText

_CALL = re.compile(r"(?<![\w./-])(?:lk|livekit-cli)\s")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}?")
_NAMES = {"--agent-name", "--agent"}
_STOP = {"&&", "||", ";", "|", "&", ")"}


def read_script(text: SourceText, line: int, words: str) -> Iterator[FoundDispatch]:
    """The dispatches that one command line makes."""
    for call in _CALL.finditer(words):
        yield from _read_call(text, line, words[call.start() :])


def _read_call(text: SourceText, line: int, words: str) -> Iterator[FoundDispatch]:
    try:
        lexer = shlex.shlex(words, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        parts: list[str] = []
        for part in lexer:
            if part in _STOP or len(parts) > 200:
                break
            parts.append(part)
    except ValueError:
        return
    # Options such as `--url` may stand before the command.
    pairs = {*pairwise(parts), *((part, "") for part in parts[1:2])}
    via: Via
    if ("dispatch", "create") in pairs and ("sip", "dispatch") not in pairs:
        via = "create-dispatch"
    elif ("token", "create") in pairs or ("create-token", "") in pairs:
        via = "token"
    else:
        return
    name = _option(parts, _NAMES if via == "create-dispatch" else {"--agent"})
    if name is None:
        return
    deployment = _option(parts, {"--deployment"})
    spot = Spot(text, 0, 0, line)
    found = ABSENT if deployment is None else _value(deployment, spot)
    yield FoundDispatch(spot, via, _value(name, spot), conditional=False, deployment=found)


def _option(parts: list[str], names: set[str]) -> str | None:
    for at, part in enumerate(parts):
        head, equals, value = part.partition("=")
        if head in names:
            if equals:
                return value
            return parts[at + 1] if at + 1 < len(parts) else None
    return None


def _value(word: str, spot: Spot) -> Value:
    match = _VARIABLE.fullmatch(word)
    if match is not None:
        variable = Env(match.group(1), spot)
        return variable if match.group(2) is None else fallback(variable, Lit(match.group(2), spot), loose=True)
    if "$" in word or "{{" in word or "<" in word or "`" in word:
        return Unknown("it is filled in by the shell")
    return Lit(word, spot)
