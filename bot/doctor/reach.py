"""Whether Docker and LiveKit can be reached, take the keys and agree about the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot.doctor.found import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.doctor.found import Found, Status
    from bot.evidence.attach import Attached

#: Seconds by which clocks may differ; a token's nbf and exp are compared with the server's clock.
SKEW: Final = 5.0
_SET_CLOCKS: Final = "`sudo timedatectl set-ntp true` on both machines"


def docker(found: Found) -> Iterator[Check]:
    """Whether the engine answers."""
    if found.engine is not None:
        yield Check("docker", "ok", f"Docker {found.engine.version} answers at {found.engine.address}.")
    elif found.engine_trouble:
        asked = any(getattr(found.target, name) for name in ("docker_host", "docker_context", "compose_project"))
        denied = "permission" in found.engine_trouble.lower()
        mend = (
            "`sudo usermod -aG docker $USER`, then log in again"
            if denied
            else "start the engine (`sudo systemctl start docker`), or set DOCKER_HOST to where it is"
        )
        yield Check("docker", "bad" if asked else "warn", f"Docker is not reachable: {found.engine_trouble}", mend)
    else:
        yield Check("docker", "unknown", "Docker was not looked at.")


def project(found: Found) -> Iterator[Check]:
    """Which compose project is looked at; nothing without an engine."""
    target = found.target
    if found.engine is None:
        return
    if found.attached is not None:
        told = "; ".join(_notes(found.attached, "compose project")) or found.attached.project
        yield Check("project", "ok", f"The compose project is {told}.")
        return
    named = target.compose_project or target.livekit_service or target.agent_service
    mend = (
        "give --compose-project NAME, or set compose_project in fletcher.toml"
        if found.attach_ask
        else "start it (`docker compose up --detach`), or set DOCKER_HOST to the engine where it runs"
    )
    status: Status = "bad" if named or found.attach_ask else "warn"
    yield Check("project", status, f"No compose project is looked at: {found.attach_trouble}", mend)


def services(found: Found) -> Iterator[Check]:
    """Which of the project's services are the server and the workers; nothing without a project."""
    if found.attached is None:
        return
    for role, wanted, there in (
        ("livekit", found.target.livekit_service, found.attached.livekit),
        ("agent", found.target.agent_service, found.attached.agents),
    ):
        named = {name.strip() for name in wanted.split(",")} - {""}
        lost = named - {container.service for container in there}
        told = "; ".join(_notes(found.attached, f"{role} service")) or ", ".join(sorted(named))
        if there and not lost:
            yield Check(f"{role}-service", "ok", f"The {role} service is {told}.")
        else:
            what = "is not there" if lost else "is not known"
            mend = (
                f"give --{role}-service one of the services that are here, or start it (`docker compose up --detach`)"
            )
            elsewhere = role == "livekit" and found.answered
            status: Status = "bad" if lost else "unknown" if elsewhere else "warn"
            yield Check(f"{role}-service", status, f"The {role} service {what}: {told}.", mend)


def _notes(attached: Attached, of: str) -> list[str]:
    """What was noted while choosing this."""
    return [note.removeprefix(f"{of}: ") for note in attached.notes if note.startswith(f"{of}: ")]


def compose(found: Found) -> Iterator[Check]:
    """Whether repairs can rebuild and re-create services."""
    if found.compose:
        yield Check("compose", "ok", f"docker compose {found.compose} is installed.")
    elif found.compose_trouble:
        yield Check(
            "compose",
            "warn",
            f"docker compose cannot be used: {found.compose_trouble}",
            "`sudo apt-get install docker-compose-plugin`, or see docs.docker.com/compose/install",
        )
    else:
        yield Check("compose", "unknown", "docker compose was not looked for.")


def livekit(found: Found) -> Iterator[Check]:
    """Whether a server's address is set, and answers."""
    target = found.target
    if not target.livekit_url:
        yield Check(
            "livekit-url",
            "warn",
            "No address of a LiveKit server is set, so rooms cannot be asked for.",
            "set LIVEKIT_URL in .env, or livekit_url in fletcher.toml",
        )
        return
    if found.api_kind == "address":
        mend = (
            f"correct it in {target.origin('livekit_url')}" if target.origin("livekit_url") else "correct LIVEKIT_URL"
        )
        yield Check("livekit-url", "bad", f"LIVEKIT_URL is no address: {found.api_trouble}", mend)
        return
    yield Check("livekit-url", "ok", f"LIVEKIT_URL is {target.livekit_url} (from {target.origin('livekit_url')}).")
    if found.answered:
        yield Check("livekit", "ok", "The LiveKit server answers.")
    elif found.api_trouble and found.api_kind != "keys":
        yield Check(
            "livekit",
            "bad",
            f"The LiveKit server is not reachable: {found.api_trouble}",
            f"try `curl {_http(target.livekit_url)}`, and correct livekit_url or start the server",
        )
    else:
        why = ", since keys are missing" if found.api_kind else ""
        yield Check("livekit", "unknown", f"The LiveKit server was not asked{why}.")


def _http(url: str) -> str:
    return "http" + url.removeprefix("http").removeprefix("ws")


def keys(found: Found) -> Iterator[Check]:
    """Whether the server takes the keys; nothing without an address."""
    target = found.target
    missing = [name for name in ("api_key", "api_secret") if not getattr(target, name)]
    if not target.livekit_url:
        return
    if missing:
        names = " and ".join(f"LIVEKIT_{name.upper()}" for name in missing)
        yield Check(
            "keys",
            "bad",
            f"{names} {'is' if len(missing) == 1 else 'are'} not set, so the server answers nothing.",
            f"set {names} in .env, or name the variables with api_key_env and api_secret_env in fletcher.toml",
        )
    elif found.api_kind == "refused":
        origins = " and ".join(dict.fromkeys(target.origin(name) for name in ("api_key", "api_secret")))
        yield Check(
            "keys",
            "bad",
            f"The server refuses the key from {origins}: {found.api_trouble}",
            "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a pair in `keys:` of this server's livekit.yaml",
        )
    elif found.api is not None:
        yield Check("keys", "ok", "The server takes the key.")
        yield from (Check("keys", "warn", f"The server did not tell all: {what}") for what in found.api.unread)
    else:
        why = "could not be told, since the clocks differ" if found.api_kind == "clock" else "was not tried"
        yield Check("keys", "unknown", f"Whether the server takes the key {why}.")


def clocks(found: Found) -> Iterator[Check]:
    """Whether tokens made here are neither early nor expired elsewhere."""
    if found.api_kind == "clock":
        yield Check("clock", "bad", f"The clocks differ too much: {found.api_trouble}", _SET_CLOCKS)
    known = [
        ("the Docker engine", found.engine.skew if found.engine else None, found.engine is not None),
        ("the LiveKit server", found.api.skew if found.api else None, found.api is not None),
    ]
    for who, skew, looked in known:
        if skew is None:
            if looked:
                yield Check("clock", "unknown", f"The clock of {who} could not be compared.")
            continue
        way = "ahead of" if skew > 0 else "behind"
        if abs(skew) > SKEW:
            yield Check(
                "clock",
                "warn",
                f"The clock of {who} is {abs(skew):.0f} s {way} this machine's; tokens may be refused as too early or expired.",
                _SET_CLOCKS,
            )
        else:
            yield Check("clock", "ok", f"The clock of {who} agrees with this machine's.")
