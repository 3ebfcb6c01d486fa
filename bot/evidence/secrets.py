"""The secrets that given files hold by name, so that they can be masked wherever else they turn up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.evidence.project_files import walk
from bot.source import dotenv
from bot.source.text import SourceText, source_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT: Final = 1 << 20
_FILES: Final = 200  # of each kind
_SETTING: Final = re.compile(
    r"""^[ \t]*(?:-[ \t]*|ENV[ \t]+|ARG[ \t]+)?["']?(?P<name>[A-Z][A-Z0-9_]{2,60})["']?[ \t]*[:=][ \t]*(?P<value>[^\n#]{1,500})""",
    re.MULTILINE,
)
_SECRET: Final = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|CREDENTIAL|(?<!LIVEKIT_)API_?KEY", re.IGNORECASE)
_CALL: Final = re.compile(
    r"\b(?:(?P<holder>AccessToken|TokenVerifier|WebhookReceiver)|\w{1,40}ServiceClient|\w{1,40}Client|LiveKitAPI)\s{0,20}\("
)
_REACH: Final = 1000  # characters of a call that are looked at
_TEXT: Final = re.compile(r"""'[^'\n]{6,}'|"[^"\n]{6,}"|`[^`\n]{6,}`""")
_PART: Final = re.compile(r"""'[^'\n]*'|"[^"\n]*"|`[^`]*`|[^'"`(){}\[\],]+|.""", re.DOTALL)
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]+")  # a secret's name, not the secret
_KEYS: Final = re.compile(r"^(?P<indent>[ \t]*)keys:[ \t]*(?P<flow>\{[^}\n]*\})?[ \t]*(?:#.*)?$", re.MULTILINE)
_PAIR: Final = re.compile(r"[\"']?[\w.-]+[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'#,{}]+)")


def secrets_of(path: str) -> frozenset[str]:
    """Values to mask, from a server's configuration or from the .env files of a project; nothing of it is kept else."""
    given = Path(path)
    files = [Path(name) for name in walk(given).paths] if given.is_dir() else [given]
    settings = [file for file in files if ".env" in file.name]
    others = [file for file in files if file not in settings and (file == given or _may_set(file.name.lower()))]
    found = {value for file in settings[:_FILES] for value in _environment(file)}
    return frozenset(found.union(*({*_keys(text), *_set_in(text)} for text in map(_text, others[:_FILES]))))


def written_in(source: str) -> Iterator[str]:
    """API secrets that a program hands to LiveKit's classes as a text of its own, also behind `||`, `??` or `or`."""
    for call in _CALL.finditer(source):
        given = _arguments(source[call.end() : call.end() + _REACH])
        at = 1 if call["holder"] else 2  # clients have the address before key and secret
        for text in _TEXT.findall(given[at]) if len(given) > at else ():
            value = text[1:-1]
            if not _VARIABLE.fullmatch(value):
                yield value


def _arguments(text: str) -> list[str]:
    """The first arguments of a call, as far as they are no objects; `text` begins behind its bracket."""
    given, depth = [""], 0
    for part in _PART.findall(text):
        depth += (part in "([") - (part in ")]")
        if depth < 0 or part == "{":
            break
        if part == "," and not depth:
            given.append("")
        else:
            given[-1] += part
    return given


def _may_set(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "dockerfile" in name


def _set_in(text: str) -> Iterator[str]:
    """Values of secret-looking settings, as Compose, Kubernetes and Dockerfiles write them."""
    for found in _SETTING.finditer(text):
        value = found["value"].strip().strip("\"'")
        if _SECRET.search(found["name"]) and not value.startswith("$"):
            yield value


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


def _keys(text: str) -> Iterator[str]:
    """The API secrets behind `keys:`, as a block or in one line."""
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
