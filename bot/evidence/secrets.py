"""The secrets that given files hold by name, so that they can be masked wherever else they turn up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.source import dotenv
from bot.source.text import SourceText, source_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT: Final = 1 << 20
_SECRET: Final = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|CREDENTIAL|(?<!LIVEKIT_)API_?KEY", re.IGNORECASE)
_KEYS: Final = re.compile(r"^(?P<indent>[ \t]*)keys:[ \t]*(?P<flow>\{[^}\n]*\})?[ \t]*(?:#.*)?$", re.MULTILINE)
_PAIR: Final = re.compile(r"[\"']?[\w.-]+[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'#,{}]+)")


def secrets_of(path: str) -> frozenset[str]:
    """Values to mask, from a server's configuration or from the .env files of a project; nothing of it is kept else."""
    given = Path(path)
    if given.is_dir():
        return frozenset(value for file in sorted(given.glob("**/.env*"))[:50] for value in _environment(file))
    if given.name.startswith(".env"):
        return frozenset(_environment(given))
    return frozenset(_keys(given))


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:_LIMIT].decode("utf-8", "replace")
    except OSError:
        return ""


def _environment(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    text = source_text(str(path), _text(path).encode())
    if isinstance(text, SourceText):
        for setting in dotenv.read_dotenv(text):
            if _SECRET.search(setting.name) and setting.value:
                yield setting.value


def _keys(path: Path) -> Iterator[str]:
    """The API secrets behind `keys:`, as a block or in one line."""
    text = _text(path)
    for found in _KEYS.finditer(text):
        if found["flow"]:
            yield from _PAIR.findall(found["flow"])
            continue
        for line in text[found.end() :].lstrip("\n").splitlines():
            inner = len(line) - len(line.lstrip())
            if line.strip() and inner <= len(found["indent"]):
                break
            pair = _PAIR.match(line.strip())
            if pair:
                yield pair[1]
