"""fletcher.toml: the named targets, persons and policy, read strictly, every problem with its line, and no secret in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bot import settings_policy, settings_probes, settings_serve
from bot.errors import Problem, UsageError, WrongDocument
from bot.redact import redact
from bot.settings_words import kind, nearest, shown, text_trouble
from bot.source.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bot.source.toml import Toml

NAME: Final = "fletcher.toml"
LIMIT: Final = 1 << 18  # bytes; a hundred targets take a tenth of it

#: What a target may set, and what it means; the order is that of every list of settings.
KEYS: Final[Mapping[str, str]] = {
    "livekit_url": "address of the LiveKit server, such as wss://example.livekit.cloud",
    "api_key_env": "the environment variable that holds the API key",
    "api_secret_env": "the environment variable that holds the API secret",
    "docker_host": "address of the Docker engine, such as ssh://me@host",
    "docker_context": "the Docker context to use, instead of docker_host",
    "compose_project": "the compose project to look at",
    "livekit_service": "the compose service that runs the LiveKit server",
    "agent_service": "the compose service that runs the agent",
    "worker_endpoint": "address of the agent's own HTTP server, such as http://127.0.0.1:8081",
    "project": "folder with the agent's source, from this file's folder",
}
#: What stands above the targets.
TOP: Final[Mapping[str, str]] = {
    "default": "the target that is taken without --target",
    "runbooks": "folders of runbooks beside those that come along, from this file's folder",
}
LIVEKIT_SCHEMES: Final = ("ws", "wss", "http", "https")
_SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "livekit_url": LIVEKIT_SCHEMES,
    "worker_endpoint": ("http", "https"),
    "docker_host": ("unix", "tcp", "ssh", "http", "https", "npipe"),
}
_SECRETS: Final = {"api_key": "STAGING_API_KEY", "api_secret": "STAGING_API_SECRET"}
_TOP: Final = ("default", "targets", "person", "policy", "probe", "probes", "serve")
_TARGET_NAME: Final = re.compile(r"\w[\w.-]*")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_SUSPECT: Final = "looks like a secret"
_RUN: Final = re.compile(r"[A-Za-z0-9_+=-]{24,}")


@dataclass(frozen=True, slots=True)
class Declared:
    """One target of the file: `values` by key with the line of each."""

    name: str
    line: int
    values: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole fletcher.toml; `default` is "" when it names none. `runbooks` are folders, from the current one.

    `watch` is what it says of all probes, `listen` where `serve` answers over HTTP, "" for nowhere.
    """

    path: Path
    default: str
    targets: tuple[Declared, ...]
    persons: tuple[settings_policy.Declared, ...] = ()
    rules: settings_policy.Rules | None = None
    runbooks: tuple[Path, ...] = ()
    probes: tuple[settings_probes.Declared, ...] = ()
    watch: settings_probes.Rules = settings_probes.NO_RULES
    listen: str = ""


def read(path: Path) -> Document:
    """Read a fletcher.toml.

    Raises UsageError when there is no such file or it may not be read, and WrongDocument with every problem in it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"no such file: {path} (`fletcher init` writes a {NAME})") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, and a {NAME} was expected") from None
    except (OSError, ValueError) as problem:  # a name with a NUL is a ValueError
        why = problem.strerror if isinstance(problem, OSError) else "its name is none"
        raise UsageError(f"cannot read {path}: {why}") from None
    return parse(path, raw)


def parse(path: Path, raw: bytes) -> Document:
    """What is in the bytes of a fletcher.toml; raises WrongDocument with every problem at once."""
    with _READING:
        return _parsed(path, raw)


# Every look of a probe asks anew, and finds the file as it was; a hundred that begin at once read it once.
_READING: Final = Lock()


@lru_cache(maxsize=4)
def _parsed(path: Path, raw: bytes) -> Document:
    source = str(path)
    if len(raw) > LIMIT:
        raise WrongDocument((Problem(source, 1, f"is larger than {LIMIT >> 10} KiB; is it the right file?"),))
    toml = read_toml(source, raw)
    data = toml.data
    problems = [
        *_top(source, toml),
        *settings_policy.problems(source, toml),
        *settings_probes.problems(source, toml),
        *settings_serve.problems(source, toml),
        *_secrets(source, toml.text),
    ]
    if problems:
        told = {(p.line, p.source) for p in problems if not p.sentence.startswith(_SUSPECT)}
        kept = [p for p in problems if not (p.sentence.startswith(_SUSPECT) and (p.line, p.source) in told)]
        raise WrongDocument(tuple(sorted(dict.fromkeys(kept), key=lambda p: p.line)))
    targets = tuple(
        Declared(
            name,
            toml.line("targets", name),
            {key: (table[key].strip(), toml.line("targets", name, key)) for key in KEYS if key in table},
        )
        for name, table in data.get("targets", {}).items()
    )
    folders = tuple(path.parent / folder.strip() for folder in data.get("runbooks", ()))
    return Document(
        path,
        data.get("default", ""),
        targets,
        settings_policy.persons(data),
        settings_policy.rules(data),
        folders,
        settings_probes.probes(toml),
        settings_probes.rules(toml),
        settings_serve.listen(toml),
    )


def why_not(key: str, value: object) -> str:
    """What is wrong with the value of a target's key, as the end of a sentence; "" when nothing is.

    The value itself is never repeated, since it may be a secret that landed in the wrong place.
    """
    if (trouble := text_trouble(value)) or not isinstance(value, str):
        return trouble
    if key.endswith("_env") and not _VARIABLE.fullmatch(value):
        example = _SECRETS[key.removesuffix("_env")]
        return (
            f'must be the name of an environment variable in capitals, such as "{example}", and never the value itself'
        )
    if key in _SCHEMES:
        return url_trouble(value.strip(), _SCHEMES[key])
    return ""


def url_trouble(url: str, schemes: tuple[str, ...] = LIVEKIT_SCHEMES) -> str:
    """What is wrong with an address, as the end of a sentence; "" when nothing is."""
    listed = " or ".join([", ".join(f"{s}://" for s in schemes[:-1]), f"{schemes[-1]}://"])
    try:
        parts = urlsplit(url)
        port, host, password = parts.port, parts.hostname, parts.password
    except ValueError:
        return f"is no address; it begins with {listed} and a host"
    if parts.scheme not in schemes:
        return f"must begin with {listed}"
    if parts.scheme in {"unix", "npipe"}:
        return "" if parts.path else "names no socket"
    if not host or any(c.isspace() for c in url):
        return f"names no host; it begins with {listed} and a host"
    if port == 0:
        return "has port 0, where nothing can listen"
    return "has a password in it, which does not belong into an address here" if password else ""


def _top(source: str, toml: Toml) -> Iterator[Problem]:
    data = toml.data
    for key in data:
        if key not in {*_TOP, *TOP}:
            yield Problem(source, toml.line(key), _unknown(key, [*_TOP, *TOP, *KEYS]))
    default, targets = data.get("default"), data.get("targets", {})
    if not isinstance(targets, dict):
        yield Problem(
            source, toml.line("targets"), f"`targets` must be tables such as [targets.staging], and is {kind(targets)}"
        )
        targets = {}
    if "default" in data:
        trouble = why_not("default", default)
        if not trouble and default not in targets:
            trouble = f"names no target of this file{nearest(str(default), targets)}"
        if trouble:
            yield Problem(source, toml.line("default"), f"`default` {trouble}")
    folders = data.get("runbooks", [])
    if not isinstance(folders, list):
        yield Problem(
            source, toml.line("runbooks"), f'`runbooks` must be a list such as ["runbooks"], and is {kind(folders)}'
        )
        folders = []
    for trouble in dict.fromkeys(filter(None, (why_not("runbooks", folder) for folder in folders))):
        yield Problem(source, toml.line("runbooks"), f"a folder in `runbooks` {trouble}")
    for name, table in targets.items():
        at = toml.line("targets", name)
        if not _TARGET_NAME.fullmatch(name):
            yield Problem(
                source, at, "a target's name must be letters, digits, dots, - and _, such as [targets.staging]"
            )
        elif not isinstance(table, dict):
            yield Problem(
                source, at, f"a target must be a table such as [targets.{name}], and is {kind(table)}{_stray(name)}"
            )
        else:
            yield from _target(source, name, table, toml)


def _target(source: str, name: str, table: dict[str, object], toml: Toml) -> Iterator[Problem]:
    for key, value in table.items():
        at = toml.line("targets", name, key)
        if key in _SECRETS:
            yield Problem(
                source, at, f"`{key}` does not belong into a file that may be shared: put its value into .env under a name"
                f' such as {_SECRETS[key]}, and write here {key}_env = "{_SECRETS[key]}"',
            )  # fmt: skip
        elif key not in KEYS:
            yield Problem(source, at, _unknown(key, KEYS))
        elif trouble := why_not(key, value):
            yield Problem(source, at, f"`{key}` {trouble}")
    for key, other in (("api_key_env", "api_secret_env"), ("api_secret_env", "api_key_env")):
        if key in table and not {other, *_SECRETS} & table.keys():
            yield Problem(
                source,
                toml.line("targets", name, key),
                f"target {name} has `{key}` without `{other}`; a key and its secret go together",
            )
    if "docker_host" in table and "docker_context" in table:
        at = max(toml.line("targets", name, key) for key in ("docker_host", "docker_context"))
        yield Problem(
            source,
            at,
            f"target {name} has both `docker_host` and `docker_context`; keep one, since each names an engine",
        )


def suspicious(line: str) -> bool:
    """Whether a line has what looks like a secret: by its name, by its form, or as a long run that a machine made."""
    mixed = (all(re.search(kind, run) for kind in ("[a-z]", "[A-Z]", "[0-9]")) for run in _RUN.findall(line))
    return any(mixed) or redact(line) != line


def _secrets(source: str, text: str) -> Iterator[Problem]:
    for number, line in enumerate(text.split("\n"), 1):  # comments too
        if suspicious(line):
            yield Problem(
                source, number, f"{_SUSPECT}; take it out of this file, and put it into .env or the environment"
            )


def _unknown(key: str, known: Mapping[str, object] | list[str]) -> str:
    if key in KEYS and isinstance(known, list):
        return f"`{key}` belongs into a target: put it below a line such as [targets.staging]"
    if key in settings_policy.POLICY and isinstance(known, list):
        return f"`{key}` belongs below a line [policy]"
    if key in settings_probes.PROBE and isinstance(known, list) and not nearest(key, known):
        return f"`{key}` belongs below a line [[probe]]"
    if key in settings_probes.PROBES and isinstance(known, list) and not nearest(key, known):
        return f"`{key}` belongs below a line [probes]"
    if key in settings_serve.SERVE and isinstance(known, list):
        return f"`{key}` belongs below a line [serve]"
    return f"unknown key `{shown(key)}`{nearest(key, known)}"


def _stray(name: str) -> str:
    return f"; `{name}` belongs into one" if name in KEYS else ""
