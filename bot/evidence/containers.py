"""A container of a compose project, as the engine's answer to `inspect` tells it: a value without a secret to be seen."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from bot.errors import Unreachable
from bot.livekit.forms import epoch
from bot.redact import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_START: Final = "start it with docker compose up -d, or look at another engine with DOCKER_HOST or DOCKER_CONTEXT"
_ROTATING: Final = ("local", "journald")  # they do unless they are told not to
LABEL: Final = "com.docker.compose."
_PAIR: Final = re.compile(r"""["']?([\w.-]+)["']?[ \t]*:[ \t]+["']?([^\s"',{}]+)""")
_PROBE: Final = "Zq8rT1xW4bN6mK2pV7cL"  # what no name but a secret's has masked


class Sealed:
    """Settings as they are, secrets and all: never shown, compared or written down."""

    __slots__ = ("command", "environment")

    def __init__(self, environment: Mapping[str, str], command: tuple[str, ...]) -> None:
        self.environment, self.command = dict(environment), command

    def __repr__(self) -> str:
        return "<sealed>"


@dataclass(frozen=True, slots=True)
class Container:
    """One container; times are in epoch seconds on the engine's clock, None where there is none.

    `state` and `health` are Docker's words, `health` "" without a health check. `ports` are TCP ports as (in the
    container, host's address, host's port). `log_rotates` says that its oldest lines are given up as new ones come. `image` is the name that was asked for, `image_id` what it led to; `config_hash` is compose's, of how the service is set up. `env` is redacted, `command` too.
    """

    id: str
    name: str
    project: str
    service: str
    number: int
    oneoff: bool
    image: str
    image_id: str
    command: str
    state: str
    health: str
    exit_code: int
    oom_killed: bool
    restarts: int
    created: float | None
    started: float | None
    finished: float | None
    log_driver: str
    log_rotates: bool
    tty: bool
    config_hash: str
    working_dir: str
    config_files: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...]
    ports: tuple[tuple[int, str, int], ...]
    ips: tuple[str, ...]
    network_mode: str
    env: tuple[tuple[str, str], ...]
    sealed: Sealed = field(repr=False, compare=False)

    @property
    def running(self) -> bool:
        """Whether its program may log on."""
        return self.state in {"running", "paused", "restarting"}

    def setting(self, name: str) -> str:
        """The value of this variable as it may be shown; "" when it is not set."""
        return dict(self.env).get(name, "")

    def server_keys(self) -> tuple[tuple[str, str], ...]:
        """The (key, secret) pairs that a LiveKit server takes from LIVEKIT_KEYS, `--keys` or `--dev`. Not to be shown.

        Those of its configuration file are not among them. Both settings hold `key: secret`, as YAML; `--dev` without
        keys means `devkey` and `secret` (livekit-server, pkg/config and cmd/server).
        """
        words = self.sealed.command
        given = [value for name, value in pairwise(words) if name == "--keys"]
        given += [word.removeprefix("--keys=") for word in words if word.startswith("--keys=")]
        text = given[-1] if given else self.sealed.environment.get("LIVEKIT_KEYS", "")
        found = tuple((pair[1], pair[2]) for pair in _PAIR.finditer(text))
        return found or ((("devkey", "secret"),) if "--dev" in words else ())

    def secrets(self) -> frozenset[str]:
        """All values to mask wherever else they turn up, as in its log: whatever is masked here. Not to be shown."""
        hidden = {secret for _, secret in self.server_keys()}
        for name, value in self.sealed.environment.items():
            hidden.update(_hidden(value, self.setting(name)))
        hidden.update(part.strip("'\"") for part in _hidden(shlex.join(self.sealed.command), self.command))
        return frozenset(hidden - {""})


def no_project(wanted: str, others: Iterable[str]) -> Unreachable:
    """What to say of a compose project without a container, by those that the engine has."""
    if names := ", ".join(sorted({*others} - {"", wanted})):
        return Unreachable(
            f"the compose project {wanted} has no container: start it, or give --compose-project one of: {names}",
            kind="down",
        )
    return Unreachable(f"the compose project {wanted} has no container, nor has any other: {_START}", kind="down")


def no_projects() -> Unreachable:
    """What to say of an engine without any compose project."""
    return Unreachable(f"the Docker engine has no container of a compose project: {_START}")


def read_container(told: dict[str, Any]) -> Container:
    """The answer of `GET /containers/ID/json` → its container; what an engine leaves out is empty."""
    config, state, host = _dict(told.get("Config")), _dict(told.get("State")), _dict(told.get("HostConfig"))
    network = _dict(told.get("NetworkSettings"))
    labels = _dict(config.get("Labels"))
    words = tuple(str(word) for word in (told.get("Path") or "", *(told.get("Args") or ())) if word)
    environment = dict(_split(str(text)) for text in config.get("Env") or ())
    number = str(labels.get(LABEL + "container-number", ""))
    return Container(
        id=str(told.get("Id", "")),
        name=str(told.get("Name", "")).lstrip("/"),
        project=str(labels.get(LABEL + "project", "")),
        service=str(labels.get(LABEL + "service", "")),
        number=int(number) if number.isdecimal() else 1,
        oneoff=str(labels.get(LABEL + "oneoff", "")).lower() == "true",
        image=str(config.get("Image", "")),
        image_id=str(told.get("Image", "")),
        command=redact(shlex.join(words)),
        state=str(state.get("Status", "")),
        health=str(_dict(state.get("Health")).get("Status", "")).replace("none", ""),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=int(told.get("RestartCount") or 0),
        created=_time(told.get("Created")),
        started=_time(state.get("StartedAt")),
        finished=_time(state.get("FinishedAt")),
        log_driver=(driver := str(_dict(host.get("LogConfig")).get("Type", ""))),
        log_rotates=driver in _ROTATING or "max-size" in _dict(_dict(host.get("LogConfig")).get("Config")),
        tty=bool(config.get("Tty")),
        config_hash=str(labels.get(LABEL + "config-hash", "")),
        working_dir=str(labels.get(LABEL + "project.working_dir", "")),
        config_files=tuple(filter(None, str(labels.get(LABEL + "project.config_files", "")).split(","))),
        mounts=tuple((str(m.get("Source", "")), str(m.get("Destination", ""))) for m in told.get("Mounts") or ()),
        ports=tuple(_ports(_dict(network.get("Ports")) or _dict(host.get("PortBindings")))),
        ips=tuple(_ips(_dict(network.get("Networks")))),
        network_mode=str(host.get("NetworkMode", "")),
        env=tuple((name, _shown(name, value)) for name, value in environment.items()),
        sealed=Sealed(environment, words),
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _split(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _shown(name: str, value: str) -> str:
    """The value without a secret; the lines after the first have no name that would tell, so they go with it."""
    head = f"{name}="
    if "\n" in value and MASK in redact(head + _PROBE):
        return MASK
    shown = redact(head + value)
    return shown.removeprefix(head) if shown.startswith(head) else MASK


def _hidden(value: str, shown: str) -> tuple[str, ...]:
    """The parts of a value that were masked where it is shown, such as the password of an address."""
    if MASK not in shown or value == shown:
        return ()
    found = re.fullmatch("(.+?)".join(re.escape(part) for part in shown.split(MASK)), value, re.DOTALL)
    return found.groups() if found else (value,)


def _time(text: object) -> float | None:
    """RFC 3339 with nanoseconds → epoch seconds; Docker writes the year 1 for "never"."""
    if not isinstance(text, str) or text.startswith("0001-"):
        return None
    found = epoch(text.encode())
    return found[0] if found else None


def _ports(told: dict[str, Any]) -> Iterator[tuple[int, str, int]]:
    for inner, bindings in told.items():
        number, _, protocol = inner.partition("/")
        for binding in bindings or ():
            outer = str(binding.get("HostPort", ""))
            if protocol in {"", "tcp"} and number.isdecimal() and outer.isdecimal():
                yield int(number), str(binding.get("HostIp", "")), int(outer)


def _ips(networks: dict[str, Any]) -> Iterator[str]:
    for network in networks.values():
        for field_ in ("IPAddress", "GlobalIPv6Address"):
            if address := _dict(network).get(field_):
                yield str(address)
