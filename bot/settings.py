"""What Fletcher is to look at: settings from the environment, `.env`, `.env.local` and fletcher.toml, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot import settings_file
from bot.errors import UsageError
from bot.settings_words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.settings_file import Declared, Document

#: Every environment variable that Fletcher, or a library for it, reads; each may stand in .env.example once.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "LIVEKIT_URL": "Address of the LiveKit server: ws://, wss://, http:// or https://.",
    "LIVEKIT_API_KEY": "Name of the API key with which Fletcher asks that server.",
    "LIVEKIT_API_SECRET": "The secret of that key; it is never shown.",
    "FLETCHER_CONFIG": "Path of fletcher.toml, where it is not in the current folder.",
    "FLETCHER_TARGET": "Name of the target in fletcher.toml to look at, as --target.",
    "FLETCHER_HOME": "Folder of the runs and their journal, where it is not .fletcher beside the compose file.",
    "FLETCHER_LISTEN": "Address and port at which fletcher serve answers /healthz and /metrics, such as 127.0.0.1:9464.",
    "FLETCHER_DATABASE": "Address of the PostgreSQL database that several machines share: postgresql://user:password@host/name.",
    "FLETCHER_DEBUG": "1 prints the trace of a bug in Fletcher instead of writing it to a file.",
    "SLACK_BOT_TOKEN": "Token of Fletcher's bot in Slack; it begins with xoxb- and is never shown.",
    "SLACK_APP_TOKEN": "Token of Fletcher's app for Socket Mode; it begins with xapp- and is never shown.",
    "SLACK_API_URL": "Address of Slack's Web API, where it is not https://slack.com/api/.",
    "DOCKER_HOST": "Address of the Docker engine, such as unix:///var/run/docker.sock or ssh://me@host.",
    "DOCKER_CONTEXT": "Name of the Docker context to use, where DOCKER_HOST is not set.",
    "DOCKER_CONFIG": "Folder with Docker's own settings and contexts, where it is not ~/.docker.",
    "DOCKER_TLS_VERIFY": "1 checks the certificate of an engine at a tcp:// address.",
    "DOCKER_CERT_PATH": "Folder with the certificates for such an engine.",
    "COMPOSE_PROJECT_NAME": "Name of the compose project to look at.",
    "NO_COLOR": "Anything keeps colours out of what is printed to a terminal.",
}
ENV_FILES: Final = (".env.local", ".env")  # the first that sets a name wins, as the frameworks have it

#: The variable behind each value of a target that the environment may set.
VARIABLES: Final[Mapping[str, str]] = {
    "livekit_url": "LIVEKIT_URL",
    "api_key": "LIVEKIT_API_KEY",
    "api_secret": "LIVEKIT_API_SECRET",
    "docker_host": "DOCKER_HOST",
    "docker_context": "DOCKER_CONTEXT",
    "compose_project": "COMPOSE_PROJECT_NAME",
}
KEYS: Final = ("api_key", "api_secret")
_ENGINE: Final = ("docker_host", "docker_context")
_LARGEST: Final = 1 << 20  # bytes of an env file


@dataclass(frozen=True, slots=True)
class Target:
    """One deployment: a compose project, a LiveKit server, a worker's endpoint; "" is what is not set.

    `origins` tells where each value comes from, by the field's name, such as `.env.local:3` or `the environment`.
    """

    name: str = ""
    docker_host: str = ""
    docker_context: str = ""
    compose_project: str = ""
    livekit_service: str = ""
    agent_service: str = ""
    livekit_url: str = ""
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    worker_endpoint: str = ""
    project: str = ""
    origins: tuple[tuple[str, str], ...] = ()

    def origin(self, of: str) -> str:
        """Where the value of this field comes from; "" when it has none."""
        return dict(self.origins).get(of, "")


@dataclass(frozen=True, slots=True)
class Value:
    """A variable's value and where it is set."""

    text: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Targets:
    """All that is set: the environment (the process's before that of env files), and the targets of fletcher.toml."""

    environment: Mapping[str, Value]
    document: Document | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the targets in fletcher.toml, in its order."""
        return tuple(target.name for target in self.document.targets) if self.document else ()

    @property
    def undecided(self) -> bool:
        """Whether a call has to choose one of several targets by name."""
        default = self.document.default if self.document else ""
        return len(self.names) > 1 and not default and "FLETCHER_TARGET" not in self.environment

    def choose(self, name: str | None = None, **given: str | None) -> Target:
        """The target to look at; `given` are fields that the command line sets, by their names.

        A target that was chosen by name is what fletcher.toml says, whatever else the environment holds; only its keys
        (by the names it gives) and, where it names no engine, the engine come from there. The target that is taken
        without being chosen gives way to the environment. Raises UsageError when there is none of that name, when
        several could be meant, and for an address that is none.
        """
        chosen = Value(name, "--target") if name else self.environment.get("FLETCHER_TARGET")
        declared = self._declared(chosen)
        values = self._of_environment(declared, whole=chosen is None)
        flags = {
            k: Value(text.strip(), f"--{k.replace('_', '-')}") for k, text in given.items() if text and text.strip()
        }
        values.update(flags)
        for key in ("livekit_url", "worker_endpoint"):
            if key in values and (trouble := settings_file.why_not(key, values[key].text)):
                raise UsageError(f"{VARIABLES.get(key, key)} ({values[key].origin}) {trouble}")
        fields = {key: value.text for key, value in values.items()}
        origins = tuple((key, value.origin) for key, value in values.items())
        return Target(name=declared.name if declared else "", origins=origins, **fields)

    def unset(self, name: str) -> tuple[tuple[str, str], ...]:
        """The variables that this target of fletcher.toml names for its keys and that nothing sets, each with its place."""
        declared = [target.values for target in self.document.targets if target.name == name] if self.document else []
        named = [values[f"{key}_env"] for values in declared for key in KEYS if f"{key}_env" in values]
        return tuple((variable, self._place(line)) for variable, line in named if variable not in self.environment)

    def _declared(self, chosen: Value | None) -> Declared | None:
        known = {target.name: target for target in self.document.targets} if self.document else {}
        where = self.document.path if self.document else "no fletcher.toml is here"
        if chosen is not None:
            if chosen.text in known:
                return known[chosen.text]
            if not known:
                why = f"{where} has no targets" if self.document else where
                raise UsageError(f"no target {chosen.text!r} ({chosen.origin}): {why}; `fletcher init` writes one")
            near = nearest(chosen.text, known)
            raise UsageError(f"no target {chosen.text!r} ({chosen.origin}) in {where}{near}; it has {', '.join(known)}")
        if self.document and self.document.default:
            return known[self.document.default]
        if len(known) > 1:
            raise UsageError(
                f"{where} has several targets ({', '.join(known)}): choose one with --target or FLETCHER_TARGET, "
                f'or write default = "{next(iter(known))}" above them'
            )
        return next(iter(known.values()), None)

    def _of_environment(self, declared: Declared | None, *, whole: bool) -> dict[str, Value]:
        """The values of a target by field; with `whole` the environment's go before those of the file."""
        file = dict(self._of_file(declared)) if declared else {}
        outside = {key: self.environment[name] for key, name in VARIABLES.items() if name in self.environment}
        if "docker_host" in outside:  # as Docker has it
            outside.pop("docker_context", None)
        if declared and not whole:
            outside = {
                key: value for key, value in outside.items() if key in _ENGINE and not file.keys() & set(_ENGINE)
            }
        elif outside.keys() & set(_ENGINE):
            file = {key: value for key, value in file.items() if key not in _ENGINE}
        if declared and not (whole and "livekit_url" in outside and "livekit_url" in file):
            # Keys belong to an address: those that the file names go with the file's, and with one it leaves open.
            outside = {key: value for key, value in outside.items() if key not in KEYS}
            names = {key: declared.values.get(f"{key}_env", (VARIABLES[key], 0))[0] for key in KEYS}
            outside.update({key: self.environment[name] for key, name in names.items() if name in self.environment})
        return {**file, **outside}

    def _of_file(self, declared: Declared) -> Iterator[tuple[str, Value]]:
        assert self.document is not None  # noqa: S101
        for key, (text, line) in declared.values.items():
            if key == "project":
                yield key, Value(str(self.document.path.parent / text), self._place(line))
            elif not key.endswith("_env"):
                yield key, Value(text, self._place(line))

    def _place(self, line: int) -> str:
        return f"{self.document.path.name}:{line}" if self.document else ""


def targets(environment: Mapping[str, str], here: Path, config: Path | None = None) -> Targets:
    """Read all settings: those of this process, of the env files in `here`, and of fletcher.toml.

    `config` names a fletcher.toml, else FLETCHER_CONFIG does, else one in `here` is taken if there is any. Values that
    are empty count as not set. Raises UsageError for a file that cannot be read, and WrongDocument for a fletcher.toml
    that is wrong.
    """
    known = around(environment, here)
    named = known.get("FLETCHER_CONFIG")
    if config is None and named is not None:
        config = here / Path(named.text)
    if config is None and os.path.lexists(here / settings_file.NAME):
        config = here / settings_file.NAME
    try:
        return Targets(known, settings_file.read(config) if config else None)
    except UsageError as problem:
        if named is None or config != here / Path(named.text) or type(problem) is not UsageError:
            raise
        raise UsageError(f"{problem} (FLETCHER_CONFIG, {named.origin})") from None


def around(environment: Mapping[str, str], here: Path) -> dict[str, Value]:
    """What this process and the env files in `here` set, each variable where it is set first."""
    engine = {VARIABLES[key] for key in _ENGINE}
    known: dict[str, Value] = {}
    for layer in (_present(environment), *(_env_file(here / name, environment) for name in ENV_FILES)):
        # An engine is named by one of two variables; the one that is set first counts, not the one that ranks first.
        closed = engine if engine & known.keys() else set()
        for name, value in layer.items():
            if name not in closed:
                known.setdefault(name, value)
    return known


def _present(environment: Mapping[str, str]) -> dict[str, Value]:
    return {name: Value(text.strip(), "the environment") for name, text in environment.items() if text.strip()}


def _env_file(path: Path, environment: Mapping[str, str]) -> dict[str, Value]:
    """The settings of one env file that are not empty; a folder of that name is somebody's Python environment."""
    from bot.source.dotenv import read_dotenv
    from bot.source.text import SourceText, source_text

    if not os.path.isfile(path):  # noqa: PTH113  # no error for a folder that may not be looked into
        return {}
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST)
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}") from None
    text = source_text(str(path), raw)
    if not isinstance(text, SourceText):
        raise UsageError(f"{path} {text.why}: settings such as LIVEKIT_URL=wss://… were expected")
    found = read_dotenv(text, environment)
    last = {setting.name: setting for setting in found}
    return {
        name: Value(setting.value.strip(), f"{path.name}:{setting.place.line}")
        for name, setting in last.items()
        if setting.value and setting.value.strip()
    }
