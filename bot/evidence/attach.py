"""Which of an engine's containers are the LiveKit server and the agents that are asked about; every guess is told."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from bot.errors import UsageError
from bot.evidence.containers import no_project, no_projects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.evidence.containers import Container
    from bot.settings import Target

_CONNECTION: Final = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
_NAMES: Final = ("LIVEKIT_AGENT_NAME", "LIVEKIT_AGENT_NAME_OVERRIDE")
_AGENT: Final = re.compile(r"(?<![a-z])(?:agents?|workers?)(?![a-z])", re.IGNORECASE)
_AGENT_ONLY: Final = re.compile(r"(?<![a-z])agents?(?![a-z])", re.IGNORECASE)
#: LiveKit's other servers, which have its keys too.
_OTHER_SERVERS: Final = re.compile(r"(?<![a-z])(?:ingress|egress|sip)(?![a-z])", re.IGNORECASE)
#: What makes tokens or shows pages, and what stands before a server.
_OTHERS: Final = re.compile(
    r"(?<![a-z])(?:web|website|front|frontend|ui|client|api|backend|tokens?|gateway|nginx|caddy|traefik|proxy)(?![a-z])",
    re.IGNORECASE,
)
#: Programs that are called agents and work for nobody's rooms; the short names only where they are all of the name.
_OTHER_AGENTS: Final = re.compile(
    r"(?<![a-z])(?:datadog(?:hq)?|new-?relic|otel|opentelemetry|telegraf|fluentd|fluent-?bit|elastic-agent|zabbix|portainer)(?![a-z])"
    r"|(?:^|/)(?:hashicorp|jenkins|grafana)/|(?:^|/)(?:consul|nomad|jenkins|grafana)(?:-agent)?$",
    re.IGNORECASE,
)
_CONFIG: Final = re.compile(r"livekit[\w.-]*\.ya?ml$")
_FLETCHER: Final = re.compile(r"(?:^|[\s/])fletcher(?=$|[\s:@])|-m bot(?=$|\s)")


@dataclass(frozen=True, slots=True)
class Attached:
    """What is looked at: of every service all containers that run, and of a replica that does not the newest one.

    `agents` are those that were named and those with settings for LiveKit, so that one that does not run means
    something; a name alone is no sign. `notes` are lines for a person: each guess, what was not found, the compose
    files, the server's image. `livekit_config` is the path on this machine of the server's configuration file, "" where
    it has none that is here.
    """

    project: str
    working_dir: str
    livekit: tuple[Container, ...]
    agents: tuple[Container, ...]
    notes: tuple[str, ...]
    livekit_config: str = ""


_Services = dict[str, tuple["Container", ...]]


def attach(containers: Iterable[Container], target: Target, here: Path) -> Attached:
    """Choose the project, the server and the agents; what the target names is taken, the rest is guessed.

    Raises UsageError when several projects may be meant, Unreachable when the one that is named has no container, or
    none has: that may change.
    """
    projects: dict[str, list[Container]] = {}
    for container in containers:
        if not container.oneoff:
            projects.setdefault(container.project, []).append(container)
    project, why = _project(projects, target, here)
    own = projects[project]
    services = by_service(own)
    servers, server_notes = _chosen("livekit", target.livekit_service, _servers(services), services)
    rest = {name: found for name, found in services.items() if name not in servers}
    agents, agent_notes = _chosen("agent", target.agent_service, _agents(rest), services)
    newest = max(own, key=lambda one: one.created or 0)
    livekit = _containers(services, servers)
    notes = [f"compose project: {project} ({why})"] if why else []
    notes += [f"compose file: {', '.join(newest.config_files)}"] if newest.config_files else []
    notes += [*server_notes, *(f"livekit image: {image}" for image in dict.fromkeys(one.image for one in livekit))]
    return Attached(
        project=project,
        working_dir=newest.working_dir,
        livekit=livekit,
        agents=_containers(services, agents),
        notes=(*notes, *agent_notes),
        livekit_config=next(filter(None, map(_config, livekit)), ""),
    )


def _project(projects: Mapping[str, list[Container]], target: Target, here: Path) -> tuple[str, str]:
    """The project and why it was chosen; "" when the target names it."""
    names = ", ".join(sorted(projects))
    if wanted := target.compose_project:
        if wanted not in projects:
            raise no_project(wanted, projects)
        return wanted, ""
    if not projects:
        raise no_projects()
    nearest = _nearest(projects, here)
    if len(nearest) == 1:
        return nearest[0], f"its folder is {_folder(projects[nearest[0]])}"
    candidates = nearest or sorted(projects)
    if len(candidates) == 1:
        return candidates[0], "there is no other"
    fitting = [name for name in candidates if _servers(of := by_service(projects[name])) or _agents(of)]
    if len(fitting) == 1:
        return fitting[0], "no other has a LiveKit server or an agent"
    raise UsageError(
        f"several compose projects may be meant; give --compose-project one of: {', '.join(fitting) or names}"
    )


def _nearest(projects: Mapping[str, list[Container]], here: Path) -> list[str]:
    """The projects whose folder this one lies in, of the innermost folder."""
    for folder in (here, *here.parents):
        found = [name for name, own in projects.items() if any(Path(c.working_dir or "-") == folder for c in own)]
        if found:
            return sorted(found)
    return []


def _folder(own: list[Container]) -> str:
    return max(own, key=lambda one: one.created or 0).working_dir


def by_service(own: Iterable[Container]) -> _Services:
    """The containers of each service that count, in the order of their numbers: the running ones, else the newest."""
    replicas: dict[tuple[str, int], list[Container]] = {}
    for container in own:
        replicas.setdefault((container.service, container.number), []).append(container)
    found: _Services = {}
    for (service, _), replica in sorted(replicas.items()):
        newest_last = sorted(replica, key=lambda one: one.created or 0)
        running = tuple(one for one in newest_last if one.running)
        found[service] = found.get(service, ()) + (running or (newest_last[-1],))
    return found


def _containers(services: _Services, names: Iterable[str]) -> tuple[Container, ...]:
    return tuple(container for name in sorted(names) for container in services.get(name, ()))


def _chosen(
    role: str, wanted: str, guesses: Mapping[str, str], services: _Services
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The services of a role, and what is to be told of them."""
    here = f"services here: {', '.join(sorted(services))}"
    if wanted:
        names = tuple(filter(None, map(str.strip, wanted.split(","))))
        lost = [name for name in names if name not in services]
        return names, tuple(f"{role} service: {name} has no container; {here}" for name in lost)
    if not guesses:
        maybe = [name for name in sorted(services) if role == "agent" and _AGENT_ONLY.search(name)]
        may = f" (perhaps {', '.join(maybe)}, which has no setting for LiveKit)" if maybe else ""
        return (), (f"{role} service: none found; give --{role}-service NAME{may}; {here}",)
    return tuple(guesses), tuple(f"{role} service: {name} ({why})" for name, why in sorted(guesses.items()))


def _servers(services: _Services) -> dict[str, str]:
    """The LiveKit servers, each with what shows it: only the surest kind of sign that any of them has."""
    for sign in (_by_program, _by_keys, _by_port):
        found = {}
        for name, (container, *_) in services.items():
            if _OTHER_SERVERS.search(_repository(container)) or _is_fletcher(container):
                continue
            if why := sign(container):
                found[name] = why
        if found:
            return found
    return {}


def _by_program(container: Container) -> str:
    repository = _repository(container)
    if repository.rpartition("/")[2] == "livekit-server":
        return f"its image is {repository}"
    if any(word.rpartition("/")[2] == "livekit-server" for word in container.command.split()[:3]):
        return "its command is livekit-server"
    return ""


def _by_keys(container: Container) -> str:
    return "it has LIVEKIT_KEYS" if container.setting("LIVEKIT_KEYS") else ""


def _by_port(container: Container) -> str:
    return "it has port 7880" if any(inner == 7880 for inner, _, _ in container.ports) else ""


def _agents(services: _Services) -> dict[str, str]:
    """The agents, each with what shows it: settings for LiveKit; when some of them are called so, only these."""
    sure, maybe = {}, {}
    for name, (container, *_) in services.items():
        repository = _repository(container)
        if _OTHER_SERVERS.search(repository) or _is_fletcher(container) or _by_program(container):
            continue
        if any(_OTHER_AGENTS.search(text) for text in (name, repository)):
            continue
        called = next((text for text in (name, repository, container.command) if _AGENT.search(text)), "")
        own = next((setting for setting in _NAMES if container.setting(setting)), "")
        others = (setting for setting, _ in container.env if called and setting.startswith("LIVEKIT_"))
        connects = next((s for s in (*_CONNECTION, *others) if container.setting(s)), "")
        if own:
            sure[name] = f"its environment has {own}"
        elif connects and called:
            sure[name] = f"its environment has {connects}, and {_quoted(called, name, repository)} says agent or worker"
        elif connects and not (_OTHERS.search(name) or _OTHERS.search(repository.rpartition("/")[2])):
            maybe[name] = f"its environment has {connects}"
    return sure or maybe


def _quoted(called: str, name: str, repository: str) -> str:
    return {name: "its name", repository: "its image"}.get(called, "its command")


def _is_fletcher(container: Container) -> bool:
    return bool(
        container.service == "fletcher"
        or _repository(container).rpartition("/")[2] in {"fletcher", "fletcher-bot"}
        or _FLETCHER.search(container.command)
    )


def _repository(container: Container) -> str:
    """The image without its tag and digest."""
    image = container.image.partition("@")[0]
    head, colon, tag = image.rpartition(":")
    return image if not colon or "/" in tag else head


def _config(server: Container) -> str:
    """The file on this machine that a server's configuration is mounted from; "" where there is none."""
    words = server.command.split()
    given = [word.partition("=")[2] for word in words if word.startswith("--config=")]
    given += [value for flag, value in pairwise(words) if flag == "--config"]
    for source, inside in server.mounts:
        if not given and _CONFIG.search(inside):
            found = source
        elif given and PurePosixPath(given[-1]).is_relative_to(inside):
            found = str(Path(source) / PurePosixPath(given[-1]).relative_to(inside))
        else:
            continue
        if os.path.isfile(found):  # noqa: PTH113  # no error for a folder that may not be looked into
            return found
    return ""
