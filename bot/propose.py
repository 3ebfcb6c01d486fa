"""A diagnosis and a runbook → the plan: looks up what the runbook needs beside the diagnosis, and hands both on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.evidence.project_files import read_bytes
from bot.plan import tools
from bot.plan.build import build
from bot.plan.facts import Facts, roles
from bot.plan.subject import subject
from bot.runbook import document as doc
from bot.runbook.inputs import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.evidence.attach import Attached
    from bot.evidence.look import Look
    from bot.livekit.seen import Verdicts
    from bot.plan.values import Checked, Plan
    from bot.runbook.document import Runbook

_LARGEST: Final = 1_000_000  # bytes of a file that a patch may be about
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")  # as Compose finds them
_PLUGINS: Final = (
    "~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
)  # fmt: skip


def propose(
    runbook: Runbook, given: Mapping[str, str], look: Look, verdicts: Verdicts, *, anyway: bool = False, here: str = "."
) -> Plan:
    """The plan of a runbook for what was seen, with `anyway` whatever the diagnosis says.

    `here` is the folder in which it is asked for: scripts and paths start from it where no project is at hand. Raises
    UsageError for inputs that the runbook does not take.
    """
    values(runbook, given)
    about = subject(runbook, given, look, verdicts)
    return build(runbook, given, look, about, _facts(runbook, about.inputs, look, here), anyway=anyway)


def _facts(runbook: Runbook, inputs: Mapping[str, str], look: Look, here: str) -> Facts:
    live = look.live
    attached = live.attached if live is not None else None
    named = folder_of(look)
    folder = os.path.abspath(named or here)  # noqa: PTH100  # links keep their own name
    scripts = _scripts(runbook, look, named)
    services = roles(attached) if attached is not None else {}
    return Facts(
        folder=folder, named=named, composed=attached is not None or (bool(named) and _composed(named)), files=dict(_files(runbook, inputs, look, folder)), scripts=scripts, tools=_tools(runbook), project=attached.project if attached else "",
        compose_files=tuple(file for c in (*attached.agents, *attached.livekit)[:1] for file in c.config_files) if attached else (),
        services=services, checks=_checks(runbook, inputs, look, folder, services),
        can_dispatch="" if look.seen.api is not None else "needs the LiveKit API, which was not asked (LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET)",
        images=_images(attached), target=attached.project if attached else folder if named else "",
    )  # fmt: skip


def _images(attached: Attached | None) -> dict[str, str]:
    """What the services of the server and of agents run, several replicas of one service together."""
    found: dict[str, set[str]] = {}
    for container in (*attached.agents, *attached.livekit) if attached is not None else ():
        found.setdefault(container.service, set()).add(container.image_id)
    return {service: " ".join(sorted(ids)) for service, ids in found.items()}


def _checks(
    runbook: Runbook, inputs: Mapping[str, str], look: Look, folder: str, services: Mapping[str, str]
) -> dict[str, Checked]:
    """What the checks came to that look at more than LiveKit and the inputs."""
    if all(
        isinstance(b.evidence, doc.Causes | doc.Chosen | doc.Shell) for b in runbook.blocks if isinstance(b, doc.Check)
    ):
        return {}
    from bot.asking.ask import LOOKED_AT, ask  # what asks is loaded only where something is asked
    from bot.asking.outside import of_look

    checks = [b for b in runbook.blocks if isinstance(b, doc.Check) and isinstance(b.evidence, LOOKED_AT)]
    return ask(checks, inputs, of_look(look, folder, services))


def folder_of(look: Look) -> str:
    """Where commands are run: the project that runs, else of those at hand the first with a compose file; "" when none is."""
    live = look.live
    if live is not None and live.attached is not None and Path(live.attached.working_dir).is_dir():
        return live.attached.working_dir
    folders = [project.files.top for project in look.projects if not project.files.single]
    if live is not None and live.folder:
        folders.append(live.folder)
    return next(filter(_composed, folders), folders[0] if folders else "")


def _composed(folder: str) -> bool:
    """Whether Compose finds a file of its own there."""
    return any((Path(folder) / name).is_file() for name in _COMPOSE)


def _files(runbook: Runbook, inputs: Mapping[str, str], look: Look, folder: str) -> Iterator[tuple[str, bytes | str]]:
    """The files that steps are about, as they are now."""
    seen_at = {server.place.source for server in look.seen.setup.server}
    for block in runbook.blocks:
        change = (
            block.change if isinstance(block, doc.Patch) else block.action if isinstance(block, doc.Rollback) else None
        )
        if isinstance(change, doc.FileChange) and not isinstance(change.body, doc.Worker | doc.Token):
            path = tools.patched_file(runbook, change, inputs, look.seen)
            where = Path(path) if path in seen_at else Path(folder) / path
            yield path, read_bytes(where, _LARGEST) if where.exists() else f"is not in {folder or 'this folder'}"


def _scripts(runbook: Runbook, look: Look, folder: str) -> dict[str, str]:
    """The project's scripts that steps run, each with the folder from which it is run: the project's, or one in it."""
    steps = [block for block in runbook.blocks if isinstance(block, doc.TokenStep | doc.ShellStep)]
    found = {}
    for script in dict.fromkeys(script for block in steps for script in tools.scripts(block)):
        below = [
            path.removesuffix(f"/{script}")
            for project in look.projects
            for path in project.files.paths
            if path.endswith(f"/{script}")
        ]
        here = [folder] if folder and (Path(folder) / script).is_file() else below
        found[script] = os.path.abspath(here[0]) if len(here) == 1 else ""  # noqa: PTH100  # links keep their own name
    return found


def _tools(runbook: Runbook) -> dict[str, str]:
    """Where each program is that a script calls: on the PATH, which is all that it gets."""
    names = {name for b in runbook.blocks if isinstance(b, doc.TokenStep | doc.ShellStep) for name in tools.programs(b)}
    found = {name: shutil.which(name) or "" for name in sorted(names | {"docker"})}
    # Asking `docker compose version` would start a program for each plan that is only looked at.
    plugins = (Path(folder).expanduser() / "docker-compose" for folder in _PLUGINS)
    return {**found, "docker compose": next((str(plugin) for plugin in plugins if os.access(plugin, os.X_OK)), "")}
