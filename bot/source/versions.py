"""Which LiveKit packages a project asks for and has installed."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.livekit.setup import Package, Place, SdkVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.source.text import SourceText

PACKAGES: tuple[Package, ...] = ("@livekit/agents", "livekit-agents", "livekit-server-sdk", "livekit-api")
_NODE: tuple[Package, ...] = ("@livekit/agents", "livekit-server-sdk")

LOCKS = {
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
}
_NAMES = r"(@livekit/agents|livekit-server-sdk)"
_PY_NAMES = r"(livekit[-_.]agents|livekit[-_.]api)"
_VERSION = r"v?(\d+\.\d+[0-9A-Za-z.+-]*)"
_NPM = re.compile(rb'"(?:node_modules/)?' + _NAMES.encode() + rb'":\s*\{\s*"version":\s*"([^"]+)"')
_PNPM = re.compile(
    rb"(?m)^\s+'?" + _NAMES.encode() + rb"'?:\r?\n\s+specifier:[^\n]*\n\s+version:\s*'?" + _VERSION.encode()
)
_PNPM_KEY = re.compile(rb"(?m)^\s+'?/?" + _NAMES.encode() + rb"[@/]" + _VERSION.encode() + rb"[^\n:]*'?:\s*$")
_YARN = re.compile(rb'(?m)^"?' + _NAMES.encode() + rb'@[^\n]*:\r?\n\s+version:?\s+"?' + _VERSION.encode())
_BUN = re.compile(rb'"' + _NAMES.encode() + rb'":\s*\["' + _NAMES.encode() + rb"@" + _VERSION.encode())
_TOML = re.compile(rb'(?m)^name\s*=\s*"' + _PY_NAMES.encode() + rb'"\r?\nversion\s*=\s*"([^"]+)"')
_PIPFILE = re.compile(rb'"' + _PY_NAMES.encode() + rb'":\s*\{[^{}]*?"version":\s*"==([^"]+)"')
_REQUIREMENT = re.compile(
    rb"""(?m)(?:^|["'])\s*"""
    + _PY_NAMES.encode()
    + rb"""(?![\w.-]|\s*=\s*["{\[])\s*(?:\[[^\]\n]*\])?\s*((?:[=<>~!]=?=?\s*[0-9][^"'#;\n\\]*)?)"""
)
_POETRY = re.compile(rb"(?m)^" + _PY_NAMES.encode() + rb"""\s*=\s*(?:"([^"]*)"|\{[^}\n]*version\s*=\s*"([^"]*)")""")


def read_lock(text: SourceText) -> Iterator[SdkVersion]:
    """The LiveKit packages of a lock file of npm, pnpm, yarn, bun, uv, poetry, pdm or pipenv."""
    name = PurePosixPath(text.source).name
    patterns = {
        "package-lock.json": (_NPM,),
        "npm-shrinkwrap.json": (_NPM,),
        "pnpm-lock.yaml": (_PNPM, _PNPM_KEY),
        "yarn.lock": (_YARN,),
        "bun.lock": (_BUN,),
        "Pipfile.lock": (_PIPFILE,),
    }.get(name, (_TOML,))
    seen: set[tuple[str, str]] = set()
    for pattern in patterns:
        for match in pattern.finditer(text.data):
            package, version = _package(match.group(1)), match.groups()[-1].decode("utf-8", "replace")
            if package is None or (package, version) in seen:
                continue
            seen.add((package, version))
            yield SdkVersion(package, version, True, text.place(text.line_at(match.start(1))))


def read_package_json(text: SourceText) -> Iterator[SdkVersion]:
    """What a package.json asks for; that of an installed LiveKit package tells what is installed."""
    document = _json(text)
    name, version = document.get("name"), document.get("version")
    inside = "node_modules" in PurePosixPath(text.source).parts
    if inside:
        for package in _NODE:
            if name == package and isinstance(version, str):
                yield SdkVersion(package, version, True, text.place(_line(text, '"version"')))
        return
    for section in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        wanted = document.get(section)
        for package in _NODE:
            demand = wanted.get(package) if isinstance(wanted, dict) else None
            if isinstance(demand, str):
                yield SdkVersion(package, demand, False, text.place(_line(text, f'"{package}"')))


def read_requirements(text: SourceText) -> Iterator[SdkVersion]:
    """What a requirements file or a pyproject.toml asks for."""
    for pattern in (_REQUIREMENT, _POETRY):
        for match in pattern.finditer(text.data):
            start = text.data.rfind(b"\n", 0, match.start(1)) + 1
            if b"#" in text.data[start : match.start(1)]:
                continue
            package = _package(match.group(1))
            found = [group for group in match.groups()[1:] if group]
            # `livekit-agents==1.2.3 --hash=…` and `… \` end at the blank.
            demand = found[0].decode("utf-8", "replace").split(" --")[0].strip() if found else ""
            if package is not None and (demand or pattern is _REQUIREMENT):
                yield SdkVersion(package, demand or "*", False, text.place(text.line_at(match.start(1))))


def installed(path: str) -> Iterator[SdkVersion]:
    """The version in the name of a `….dist-info` folder among the site-packages."""
    match = re.fullmatch(r"(livekit_agents|livekit_api)-(.+)\.dist-info", PurePosixPath(path).name)
    package = _package(match.group(1).encode()) if match is not None else None
    if match is not None and package is not None:
        yield SdkVersion(package, match.group(2), True, Place(path, 1, PurePosixPath(path).name))


def package_name(text: SourceText) -> str:
    """The name that a package.json gives to its package."""
    name = _json(text).get("name")
    return name if isinstance(name, str) else ""


def scripts(text: SourceText) -> Iterator[tuple[int, str]]:
    """The commands of a package.json with their lines."""
    wanted = _json(text).get("scripts")
    for name, command in wanted.items() if isinstance(wanted, dict) else ():
        if isinstance(command, str):
            yield _line(text, f'"{name}"', json.dumps(command, ensure_ascii=False)), command


def _json(text: SourceText) -> dict[str, object]:
    try:
        found = json.loads(text.data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _line(text: SourceText, *parts: str) -> int:
    wanted = [part.encode() for part in parts]
    for number, line in enumerate(text.lines, 1):
        if all(part in line for part in wanted):
            return number
    return 1


def _package(name: bytes) -> Package | None:
    plain = re.sub(rb"[_.]", b"-", name).decode("utf-8", "replace") if not name.startswith(b"@") else name.decode()
    return next((package for package in PACKAGES if package == plain), None)
