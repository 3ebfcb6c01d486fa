"""A diagnosis and a runbook → the plan: looks up what the runbook needs beside the diagnosis, and hands both on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.evidence.project_files import read_bytes
from bot.livekit.answer import runbook_for
from bot.plan import tools
from bot.plan.build import build
from bot.plan.facts import Facts
from bot.plan.values import Checked
from bot.runbook import document as doc
from bot.runbook.inputs import fill, values
from bot.runbook.weigh import weigh_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.evidence.attach import Attached
    from bot.evidence.look import Look
    from bot.livekit.seen import Verdicts
    from bot.plan.values import Plan
    from bot.runbook.document import Runbook
    from bot.runbook.weigh import Word

_LARGEST: Final = 1_000_000  # bytes of a file that a patch may be about
_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")  # as Compose finds them
_PLUGINS: Final = (
    "~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
)  # fmt: skip


def propose(runbook: Runbook, given: Mapping[str, str], look: Look, verdicts: Verdicts) -> Plan:
    """The plan of a runbook for what was seen. Raises UsageError for inputs that the runbook does not take."""
    known = values(runbook, given)
    return build(runbook, given, look, verdicts, _facts(runbook, known, look))


def runbook_of(verdicts: Verdicts) -> str | None:
    """The runbook that treats the newest room of which a cause is known, if one does."""
    treated = [row for row in verdicts.rows if row.room is not None and runbook_for(row.cause)]
    newest = max(treated, key=lambda row: row.at if row.at is not None else float("-inf"), default=None)
    return runbook_for(newest.cause) if newest is not None else None


def _facts(runbook: Runbook, inputs: Mapping[str, str], look: Look) -> Facts:
    live = look.live
    attached = live.attached if live is not None else None
    folder = _folder(look)
    folder = os.path.abspath(folder) if folder else ""  # noqa: PTH100  # links keep their own name
    scripts = {s for b in runbook.blocks if isinstance(b, doc.TokenStep | doc.ShellStep) for s in tools.scripts(b)}
    return Facts(
        folder=folder, files=dict(_files(runbook, inputs, look, folder)), places={s: place for s in scripts if (place := _place(s, look, folder))}, tools=_tools(runbook), project=attached.project if attached else "",
        compose_files=tuple(file for c in (*attached.agents, *attached.livekit)[:1] for file in c.config_files) if attached else (),
        services=_services(attached) if attached else {},
        can_dispatch="" if look.seen.api is not None else "needs the LiveKit API, which was not asked (LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET)",
        target=attached.project if attached else folder, checks=dict(_checks(runbook, inputs, folder)),
    )  # fmt: skip


def _services(attached: Attached) -> dict[str, str]:
    """The services by their roles; which of several agents is meant, their containers do not tell."""
    found = {"livekit": attached.livekit[0].service} if attached.livekit else {}
    agents = {container.service for container in attached.agents}
    return {**found, "agent": agents.pop()} if len(agents) == 1 else found


def _folder(look: Look) -> str:
    """Where commands are run: the project that runs, else of those at hand the first with a compose file; "" when none is."""
    live = look.live
    if live is not None and live.attached is not None and Path(live.attached.working_dir).is_dir():
        return live.attached.working_dir
    folders = [project.files.top for project in look.projects if not project.files.single]
    if live is not None and live.folder:
        folders.append(live.folder)
    composed = (f for f in folders if any((Path(f) / name).is_file() for name in _COMPOSE))
    return next(composed, folders[0] if folders else "")


def _files(runbook: Runbook, inputs: Mapping[str, str], look: Look, folder: str) -> Iterator[tuple[str, bytes | str]]:
    """The files that steps are about, as they are now."""
    seen_at = {server.place.source for server in look.seen.setup.server}
    for block in runbook.blocks:
        if isinstance(block, doc.Patch) and not isinstance(block.change.body, doc.Worker | doc.Token):
            path = tools.patched_file(runbook, block, inputs, look.seen)
            where = Path(path) if path in seen_at else Path(folder) / path
            yield path, read_bytes(where, _LARGEST) if where.exists() else f"is not in {folder or 'this folder'}"
        elif isinstance(block, doc.TokenStep | doc.ShellStep):
            for script in tools.scripts(block):
                yield script, b"" if _place(script, look, folder) else f"is not in {folder or 'a folder at hand'}"


def _place(script: str, look: Look, folder: str) -> str:
    """The folder from which a script is run by its path: where commands are run, or another project's. "" when none has it."""
    folders = [folder, *(project.files.top for project in look.projects if not project.files.single)]
    return next((os.path.abspath(f) for f in folders if f and (Path(f) / script).is_file()), "")  # noqa: PTH100  # links keep their own name


def _checks(runbook: Runbook, inputs: Mapping[str, str], folder: str) -> Iterator[tuple[str, Checked]]:
    """The declarative checks that are about files of the project."""
    for block in runbook.blocks:
        if isinstance(block, doc.Check) and isinstance(block.evidence, doc.File):
            yield block.name, _file_check(block.name, block.evidence, inputs, folder)


def _file_check(name: str, asked: doc.File, inputs: Mapping[str, str], folder: str) -> Checked:
    path = fill(asked.path, inputs)
    where = Path(folder) / path
    if not folder or not where.resolve().is_relative_to(Path(folder).resolve()):
        return Checked(name, "inconclusive", f"{path} is not in {folder or 'a folder at hand (--project DIR)'}")
    there = where.is_file()
    if not asked.exists or not (asked.lines.require or asked.lines.forbid):
        word: Word = "matched" if there == asked.exists else "not-matched"
        return Checked(name, word, f"{path} is {'there' if there else 'not there'}")
    raw = read_bytes(where, _LARGEST) if there else "is not there"
    if isinstance(raw, str):
        return Checked(name, "inconclusive", f"{path} {raw}")
    weighed = weigh_lines(asked.lines, raw.decode("utf-8", "replace").splitlines(), inputs)
    return Checked(name, weighed.word, weighed.why or f"{path} has what is asked for")


def _tools(runbook: Runbook) -> dict[str, str]:
    names = {name for b in runbook.blocks if isinstance(b, doc.TokenStep | doc.ShellStep) for name in tools.programs(b)}
    found = {name: shutil.which(name) or "" for name in sorted(names | {"docker"})}
    # Asking `docker compose version` would start a program for each plan that is only looked at.
    plugins = (Path(folder).expanduser() / "docker-compose" for folder in _PLUGINS)
    return {**found, "docker compose": next((str(plugin) for plugin in plugins if os.access(plugin, os.X_OK)), "")}
