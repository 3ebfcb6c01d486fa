"""The fletcher.toml that `fletcher init` writes: what was found is set, what could be set stands there as a comment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bot.settings_file import KEYS, TOP, suspicious, why_not
from bot.settings_policy import GRANT, PERSON, POLICY
from bot.settings_probes import PROBE, PROBES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.settings import Target

NAME: Final = "main"  # of the one target
_EXAMPLES: Final = {
    "livekit_url": "wss://example.livekit.cloud",
    "api_key_env": "LIVEKIT_API_KEY",
    "api_secret_env": "LIVEKIT_API_SECRET",
    "docker_host": "unix:///var/run/docker.sock",
    "docker_context": "default",
    "compose_project": "my-project",
    "livekit_service": "livekit",
    "agent_service": "voice-agent",
    "worker_endpoint": "http://127.0.0.1:8081",
    "project": ".",
}
_HEAD: Final = f"""\
# What Fletcher looks at. No secret belongs here: keys stay in the environment or in .env, and this file names them.
# `fletcher config check` tells what is set and from where; docs/settings.md explains all of it.

# {TOP["default"]}
default = "{NAME}"

# {TOP["runbooks"]}
# runbooks = ["runbooks"]

[targets.{NAME}]
"""
_FOOT: Final = """\

# A second deployment is a second table: [targets.staging]

# Who is who, each with all accounts, and who may do what. Without a [policy] the terminal may do what its user could do
# by hand, and every other door only looks.
"""
_PEOPLE: Final = {
    "name": '"ann"',
    "os": '"ann"',
    "slack": '"U012AB3CD"',
}
_GRANTS: Final = {
    "who": '["ann"]',
    "doors": '["terminal", "slack"]',
    "channels": '["C012AB3CD"]',
    "runbooks": '["agent-never-joins"]',
    "effects": '["read", "change"]',
}
_POLICY: Final = {
    "run": '[{who = ["ann"], doors = ["terminal"]}]',
    "approve": '[{who = ["ann"]}]',
    "effects": '{change = "peer"}',
    "single-operator": "true",
    "auto": '{agent-never-joins = "3/1h"}',
    "ask-in": '"C0123ABCD"',
    "expires": '"15m"',
    "keep": '"30d"',
}
_PROBE: Final = {
    "runbook": '"stack-health"',
    "name": '"health"',
    "target": f'"{NAME}"',
    "every": '"1m"',
    "cron": '"30 7 * * mon-fri"',
    "zone": '"Europe/Berlin"',
    "fail": "3",
    "recover": "2",
    "inputs": "{}",
    "orders": '"diagnose"',
    "channel": '"C0123ABCD"',
    "timeout": '"30s"',
}
_PROBES: Final = {
    "alert-in": '"C0123ABCD"',
    "ping_env": '"FLETCHER_PING"',
    "zone": '"Europe/Berlin"',
    "quiet": '[{cron = "0 2 * * sun", for = "1h", probes = ["health"], why = "backups"}]',
}


@dataclass(frozen=True, slots=True)
class Services:
    """What a Docker engine showed of a LiveKit deployment; "" is what was not found. `origin` names the engine in one line."""

    compose_project: str = ""
    livekit_service: str = ""
    agent_service: str = ""
    worker_endpoint: str = ""
    origin: str = "Docker"


NO_SERVICES: Final = Services()


def values_of(target: Target, services: Services = NO_SERVICES) -> dict[str, tuple[str, str]]:
    """What was found for each key of a target, with its origin: what is set goes before what an engine showed."""
    found: dict[str, tuple[str, str]] = {}
    for key in KEYS:
        set_, shown = getattr(target, key, ""), getattr(services, key, "")
        if set_ or shown:
            found[key] = (set_, target.origin(key)) if set_ else (shown, services.origin)
    if target.api_key and target.api_secret:
        found["api_key_env"] = (_EXAMPLES["api_key_env"], target.origin("api_key"))
        found["api_secret_env"] = (_EXAMPLES["api_secret_env"], target.origin("api_secret"))
    return {
        key: value for key, value in found.items() if not (why_not(key, value[0]) or suspicious(_set(key, value[0])))
    }


def template(values: dict[str, tuple[str, str]]) -> str:
    """The text of a fletcher.toml that sets these values (key → value, origin) and explains every other key."""
    return _HEAD + "".join(_lines(values)) + _FOOT + "".join((*_people(), *_watching()))


def _lines(values: dict[str, tuple[str, str]]) -> Iterator[str]:
    for key, meaning in KEYS.items():
        yield f"# {meaning}\n"
        if key in values:
            text, origin = values[key]
            said = f"  # from {origin}"
            yield f"{_set(key, text)}{said if said.isprintable() and not suspicious(said) else ''}\n"
        else:
            yield f"# {_set(key, _EXAMPLES[key])}\n"


def _people() -> Iterator[str]:
    """Persons and policy, all of it as comments."""
    yield "#\n# [[person]]\n"
    for key, meaning in PERSON.items():
        yield f"# {key} = {_PEOPLE[key]}  # {meaning}\n"
    yield "#\n# [policy]\n"
    for key, meaning in POLICY.items():
        yield f"# {key} = {_POLICY[key]}  # {meaning}\n"
    yield "#\n# A line of `run` or `approve` may be a table of its own; what it leaves out allows every one.\n# [[policy.approve]]\n"
    for key, meaning in GRANT.items():
        yield f"# {key} = {_GRANTS[key]}  # {meaning}\n"


def _watching() -> Iterator[str]:
    """Probes, all of it as comments."""
    yield "\n# What `fletcher serve` looks at by itself (docs/probes.md): a probe is off until it stands here.\n# [[probe]]\n"
    for key, meaning in PROBE.items():
        yield f"# {key} = {_PROBE[key]}  # {meaning}\n"
    yield "#\n# [probes]\n"
    for key, meaning in PROBES.items():
        yield f"# {key} = {_PROBES[key]}  # {meaning}\n"


def _set(key: str, text: str) -> str:
    """A setting as TOML has it; JSON's quotes are TOML's for all that can be printed."""
    return f"{key} = {json.dumps(text, ensure_ascii=False)}"
