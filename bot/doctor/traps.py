"""Known traps of versions, settings and containers that keep an agent out or hide why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.doctor.found import Check
from bot.livekit.versions import OWN_LOAD, QUIET, parts, refuses_from
from bot.source.surroundings import bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.doctor.found import Found
    from bot.evidence.containers import Container
    from bot.livekit.setup import Package

#: Restarts of a container from which it is not chance any more.
RESTARTS: Final = 3
#: The first server that knows JT_PARTICIPANT (livekit#3443), named dispatches, and `deployment` in a token's roomConfig.
PARTICIPANT_SINCE: Final = (1, 8, 4)
NAMES_SINCE: Final = (1, 7, 1)
DEPLOYMENT_SINCE: Final = (1, 12)
#: The first livekit-server-sdk whose roomConfig has `deployment`, and the last server that was tried.
TOKEN_SDK: Final = (2, 19)
TRIED: Final = (1, 13, 5)
_LANGUAGES: Final[dict[Package, tuple[str, ...]]] = {
    "@livekit/agents": ("typescript", "javascript"),
    "livekit-agents": ("python",),
}


def log_level(found: Found) -> Iterator[Check]:
    """Whether the server logs the lines that decide, which are of level info."""
    configured = [(s.log_level, f"{s.place.source}:{s.place.line}") for s in found.setup.server if s.log_level]
    levels = [*configured, *found.log_levels]
    hiding = [(level, where) for level, where in levels if level.lower() in QUIET]
    for level, where in hiding:
        yield Check(
            "log-level",
            "bad",
            f"The server logs from {level} up ({where}), which hides the lines that decide.",
            "set `logging: {level: info}` in livekit.yaml and restart the server",
        )
    if levels and not hiding:
        yield Check("log-level", "ok", "The server logs all that decides.")
    elif not levels:
        yield Check("log-level", "unknown", "The server's log level is not known.", "give its livekit.yaml or its log")


def server_version(found: Found) -> Iterator[Check]:
    """Which server it is, and what that version does not do."""
    for text in found.versions:
        version, load = parts(text), refuses_from(text)
        limit = "" if load is None else f" It gives no job to a worker that reports a load of {load:g} or more."
        by = ", by its image's tag" if found.tagged else ""
        if version and version < NAMES_SINCE:
            yield Check(
                "server-version",
                "warn",
                f"Server {text}{by} knows no agent names; every dispatch is automatic.",
                "update the LiveKit server to 1.8.4 or newer",
            )
        elif version:
            newer = " Fletcher was not tried with one as new." if version > TRIED else ""
            yield Check("server-version", "ok", f"The server is {text}{by}.{limit}{newer}")
    if not any(parts(text) for text in found.versions):
        yield Check(
            "server-version",
            "unknown",
            "The server's version is not known.",
            "give the beginning of its log (`starting LiveKit server`)",
        )


def _older(found: Found, version: tuple[int, ...]) -> str:
    """The server's version that is older than this one, "" when none is known to be."""
    return next((text for text in found.versions if parts(text) and parts(text) < version), "")


def token_sdk(found: Found) -> Iterator[Check]:
    """Tokens of a newer SDK than the server understands: it refuses them with 401, though the key is right."""
    server = _older(found, DEPLOYMENT_SINCE)
    for sdk in found.setup.sdk_versions:
        new = bounds(sdk).since(*TOKEN_SDK) if sdk.package == "livekit-server-sdk" else False
        if not server or new is False:
            continue
        asked = any(maker.dispatches for maker in found.setup.token_makers)
        yield Check(
            "token-sdk", "bad" if asked and new else "warn",
            f'livekit-server-sdk {sdk.version} ({sdk.place.source}:{sdk.place.line}) {"makes" if new else "may make"} tokens with roomConfig that server {server} refuses: unknown field "deployment".',
            "update the LiveKit server to 1.12 or newer, or `npm install livekit-server-sdk@2.18`",
        )  # fmt: skip


def agents_sdk(found: Found) -> Iterator[Check]:
    """SDKs whose own load figure counts the whole host."""
    for sdk in found.setup.sdk_versions:
        since = OWN_LOAD.get(sdk.package)
        aware = bounds(sdk).since(*since) if since else True
        if since is None or aware is True:
            continue
        workers = [worker for worker in found.setup.workers if worker.language in _LANGUAGES[sdk.package]]
        if workers and all(worker.load_func for worker in workers):
            continue
        fixed = ".".join(map(str, since))
        install = (
            f"npm install {sdk.package}@latest"
            if sdk.package.startswith("@")
            else f"pip install --upgrade {sdk.package}"
        )
        yield Check(
            "agents-sdk", "warn",
            f"{sdk.package} {sdk.version} ({sdk.place.source}:{sdk.place.line}) {'counts' if aware is False else 'may count'} the load of the whole host as the agent's own, so a busy host gets no jobs.",
            f"`{install}` (cured in {fixed}), or give the worker a load function of its own",
        )  # fmt: skip


def job_type(found: Found) -> Iterator[Check]:
    """Workers of a type that the server does not know."""
    for worker in found.setup.workers:
        if worker.job_type != "JT_PARTICIPANT":
            continue
        where, server = f"{worker.place.source}:{worker.place.line}", _older(found, PARTICIPANT_SINCE)
        if server:
            yield Check(
                "job-type",
                "bad",
                f"The worker in {where} is JT_PARTICIPANT, which server {server} does not know; it refuses the registration.",
                "update the LiveKit server to 1.8.4 or newer, or make the worker JT_ROOM",
            )
        elif not any(parts(text) for text in found.versions):
            yield Check(
                "job-type",
                "unknown",
                f"The worker in {where} is JT_PARTICIPANT, which servers before 1.8.4 refuse; the server's version is not known.",
                "give the beginning of the server's log",
            )


def containers(found: Found) -> Iterator[Check]:
    """Whether the containers run, and their logs can be read."""
    unread = dict(found.log_troubles)
    for one in found.containers:
        yield container(one)
        if one.name in unread or one.log_driver == "none":
            yield Check(
                "log-driver",
                "bad",
                f"The log of {one.name} (driver {one.log_driver}) cannot be read: {unread.get(one.name, 'it keeps no log')}",
                "set `logging: {driver: json-file}` for this service in the compose file, then `docker compose up --detach`",
            )


def container(one: Container) -> Check:
    """Whether this container runs, and keeps running."""
    logs = f"`docker logs --tail 50 {one.name}` says why"
    if one.state == "restarting":
        return Check("container", "bad", f"Container {one.name} keeps restarting ({one.restarts} times).", logs)
    if one.state == "paused":
        return Check("container", "bad", f"Container {one.name} is paused.", f"`docker unpause {one.name}`")
    if one.state != "running":
        return Check("container", "bad", f"Container {one.name} is {one.state}.", f"`docker start {one.name}`; {logs}")
    if one.restarts >= RESTARTS:
        return Check("container", "warn", f"Container {one.name} runs, but was restarted {one.restarts} times.", logs)
    return Check("container", "ok", f"Container {one.name} is running.")


def agent_name(found: Found) -> Iterator[Check]:
    """Variables that give an agent a name that nobody dispatches to."""
    asked = {one.agent_name for one in found.setup.dispatchers}
    settings = [(s.name, s.value, f"{s.place.source}:{s.place.line}") for s in found.setup.env]
    settings += [(name, value, f"container {one.name}") for one in found.containers for name, value in one.env]
    for name, value, where in dict.fromkeys(settings):
        if not value or value in asked or name not in {"LIVEKIT_AGENT_NAME", "LIVEKIT_AGENT_NAME_OVERRIDE"}:
            continue
        # Source: agents-js reads LIVEKIT_AGENT_NAME from 1.3.2 on where the code has no name, the other from 1.4.11 on.
        effect = "whatever name the code gives" if name.endswith("OVERRIDE") else "where the code gives no name"
        yield Check(
            "agent-name",
            "warn",
            f"{name} ({where}) makes the agent register as {value!r}, {effect}; then only a dispatch to that name reaches it.",
            f"unset {name}, or dispatch to {value!r}",
        )
