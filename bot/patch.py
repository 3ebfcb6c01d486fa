"""Files and a remedy → what each file becomes: an edit, unchanged, or refused with the reason. Nothing is written here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bot.errors import UsageError
from bot.evidence.beside import open_files
from bot.evidence.project import is_dotenv
from bot.source.edit import Edited
from bot.source.remedies import REMEDIES, TARGET_LOAD, Side, environment, want
from bot.source.surroundings import bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bot.evidence.project import Project
    from bot.source.edit import Outcome
    from bot.source.remedies import RemedyWord

_SERVER = re.compile(rb"^[^#\n]*livekit/livekit-server:v?(\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)
_NEWEST = 999  # what a tag without a third number stands for: the newest of its line
_CLOUD = re.compile(r"\.livekit\.cloud\b")
_NAME = "LIVEKIT_AGENT_NAME"


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What a remedy makes of one file; `before` and `after` are its bytes, equal unless `outcome` is "edit"."""

    file: str
    outcome: Outcome
    reason: str
    line: int
    before: bytes
    after: bytes
    notes: tuple[str, ...] = ()


def patches(files: Sequence[str], word: RemedyWord, agent_name: str | None) -> tuple[FilePatch, ...]:
    """Each file by itself, in the order given, each once.

    Raises UsageError for a path that is no file.
    """
    named = {os.path.abspath(file): file for file in reversed(files)}  # noqa: PTH100  # links keep their own name
    paths = list(reversed(named))
    for path in paths:
        if not Path(path).is_file():
            what = "is a folder; name the files in it" if Path(path).is_dir() else "does not exist"
            raise UsageError(f"{named[path]} {what}")
    project = open_files(paths)
    name, unknown = (agent_name or "", "") if word != "explicit-dispatch" or agent_name else _name(project, paths)
    hindrance = _hindrance(project, word) or unknown
    before = project.raws
    settings = {path: _edit(project, path, word, name) for path in paths if _is_settings(path)}
    changed = {path: edited.data for path, edited in settings.items() if edited.outcome == "edit"}
    if changed:  # what is changed in the same call stands in nobody's way
        project = open_files(paths, changed)
    sides = {side for path in paths for side in _sides(project, path)}
    done = []
    for path in paths:
        raw = before.get(path, b"")
        refused = hindrance if _sides(project, path) & set(REMEDIES[word].sides) else ""
        edited = settings.get(path) or _edit(project, path, word, name)
        edited = Edited("refused", raw, refused) if refused else edited
        notes = edited.notes
        if edited.outcome != "refused" and _sides(project, path):
            notes = (*notes, *_notes(project, path, word, name, sides))
        told = [_called(text, named) for text in (edited.reason, *notes)]
        done.append(FilePatch(named[path], edited.outcome, told[0], edited.line, raw, edited.data, tuple(told[1:])))
    return tuple(done)


def _called(text: str, named: Mapping[str, str]) -> str:
    """A sentence with the files called as the person called them."""
    for path in sorted(named, key=len, reverse=True):
        text = text.replace(path, named[path])
    return text


def _is_settings(path: str) -> bool:
    return is_dotenv(path) or path.lower().endswith((".yaml", ".yml"))


def _name(project: Project, paths: Iterable[str]) -> tuple[str, str]:
    """The one name that the files speak of; "" and why when it is not one."""
    setup = project.setup
    workers = {w.agent_name for w in setup.workers if w.agent_name and w.place.source in paths}
    asked = {d.agent_name for d in setup.dispatchers if d.agent_name and d.place.source in paths}
    names = sorted(workers | asked)
    if len(names) == 1:
        return names[0], ""
    if not names:
        return "", "explicit dispatch needs the agent's name, and these files have none: say it with --agent-name NAME"
    listed = " and ".join(repr(name) for name in names)
    return "", f"two candidates for the name, {listed}: say which it shall be with --agent-name NAME"


def _sides(project: Project, path: str) -> frozenset[Side]:
    """What a file is about."""
    found: set[Side] = set()
    one = project.found.get(path)
    if one is not None:
        if one.workers:
            found.add("worker")
        if one.tokens or any(dispatch.via == "token" for dispatch in one.dispatches):
            found.add("token")
    if any(server.place.source == path for server in project.servers):
        found.add("server")
    if any(setting.name == _NAME and setting.place.source == path for setting in project.settings):
        found.add("worker")
    return frozenset(found)


def _edit(project: Project, path: str, word: RemedyWord, name: str) -> Edited:
    raw = project.raws.get(path)
    if raw is None and not Path(path).stat().st_size:
        return Edited("unchanged", b"", "the file is empty")
    if raw is None:
        why = next((one.why for one in project.unread if one.source == path), "could not be read")
        return Edited("refused", b"", f"the file {why}")
    if _is_settings(path):
        return _configured(project, path, raw, word, name)
    if word == "target-load":
        return Edited("unchanged", raw, "target-load is a setting of the server's livekit.yaml, and this is none")
    return project.edit(path, want(word, name))


def _configured(project: Project, path: str, raw: bytes, word: RemedyWord, name: str) -> Edited:
    """A file of settings: the server's, or one that gives the worker its name."""
    from bot.source import compose_edit, dotenv_edit, server_edit  # most files are source

    if word == "target-load":
        if "server" in _sides(project, path):
            return server_edit.target_load(raw, path, TARGET_LOAD)
        return Edited("unchanged", raw, "holds no configuration of a LiveKit server")
    value = environment(word, name)
    settings = [s for s in project.settings if s.name == _NAME and s.place.source == path]
    if value is None or not settings:
        return Edited("unchanged", raw, f"{word} has nothing to change in this file")
    if is_dotenv(path):
        return dotenv_edit.assign(raw, path, {_NAME: value or None})
    return compose_edit.environment(raw, path, "", _NAME, value or None)


def _hindrance(project: Project, word: RemedyWord) -> str:
    """What the files themselves show to make a remedy useless: versions, and where the worker runs."""
    server = _server_version(project)
    told = ".".join(str(part) for part in server if part != _NEWEST)
    if word == "target-load" and server and server < (1, 11):
        return f"agents.target_load exists since livekit-server 1.11.0, and a compose file here runs {told}"
    if word == "job-type-participant" and server and server < (1, 8, 4):
        return f"JT_PARTICIPANT exists since livekit-server 1.8.4, and a compose file here runs {told}"
    hosted = next((s for s in project.settings if s.name == "LIVEKIT_WORKER_TOKEN" and s.value), None)
    if word in {"zero-load", "real-load"} and hosted is not None:
        where = f"{PurePosixPath(hosted.place.source).name}:{hosted.place.line}"
        return f"the worker is hosted on LiveKit Cloud ({where} sets LIVEKIT_WORKER_TOKEN), where the SDK ignores the load function"
    return ""


def _server_version(project: Project) -> tuple[int, ...]:
    """The lowest version of livekit-server that a compose file at hand runs; () when none says."""
    found = [
        tuple(int(part) for part in match.groups(default=str(_NEWEST).encode()))
        for path, raw in project.raws.items()
        if path.endswith((".yml", ".yaml"))
        for match in _SERVER.finditer(raw)
    ]
    return min(found, default=())


def _notes(project: Project, path: str, word: RemedyWord, name: str, sides: set[Side]) -> Iterable[str]:
    """What must agree with this file, and what the installed version makes of it."""
    if word == "auto-dispatch" and "token" not in sides:
        yield "Tokens must ask for nobody then (no RoomAgentDispatch): with a dispatch by name this worker gets none of their rooms."
    if word == "auto-dispatch" and "worker" not in sides:
        yield "The worker must have no name then (no agentName): a named worker joins only rooms that ask for it."
    if word == "explicit-dispatch" and "token" not in sides:
        yield f"Tokens must ask for {name!r} then (RoomAgentDispatch): the names are compared character by character."
    if word == "explicit-dispatch" and "worker" not in sides:
        yield f"The worker must be named {name!r} then (agentName): the names are compared character by character."
    if word in {"zero-load", "real-load"}:
        yield from _load_notes(project, path, word)


def _load_notes(project: Project, path: str, word: RemedyWord) -> Iterable[str]:
    url = project.around.variable(path, "LIVEKIT_URL").value or ""
    if word == "zero-load":
        yield "It is meant for one worker and fewer than about 10 rooms; how many there are is not looked at here."
        if _CLOUD.search(url):
            yield "The worker connects to LiveKit Cloud: it helps there only for a worker that you run, and no server log can prove it."
        return
    python = path.endswith((".py", ".pyw"))
    aware = bounds(project.around.version(path, "livekit-agents" if python else "@livekit/agents")).since(
        *((0, 11) if python else (1, 0, 49))
    )
    if aware is True:
        yield "The installed SDK measures within the container's CPU limit: set one (`cpus:`), or NUM_CPUS."
    elif aware is False:
        yield "The installed SDK measures the CPU of the whole host, whatever the container's limit: upgrade it first."
    else:
        yield "agents-js before 1.0.49 (Python before 0.11) measures the CPU of the whole host, whatever the container's limit."
