"""The two sides of a dispatch, worker and token: which files say what, and what an edit makes of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from bot.livekit.words import listed, quote
from bot.plan.asked import asked_for, backends
from bot.plan.values import FileEdit
from bot.runbook import document as doc
from bot.runbook.inputs import fill
from bot.source.diff_edit import unified
from bot.source.edit import Want

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bot.evidence.project import Project
    from bot.livekit.seen import Seen, Verdict
    from bot.livekit.setup import Dispatcher, WorkerSetup
    from bot.source.edit import Edited

Side = Literal["worker", "token"]


@dataclass(frozen=True, slots=True)
class SideResult:
    """What becomes of one side: the edits of its files, or why it cannot be brought to agree (`refused`).

    `agrees` says that nothing has to be changed there; `left` names places that are left as they are.
    """

    files: tuple[FileEdit, ...] = ()
    refused: str = ""
    agrees: str = ""
    left: tuple[str, ...] = ()

    @property
    def edits(self) -> bool:
        """Whether a file is changed."""
        return any(one.outcome == "edit" for one in self.files)


def want(body: doc.Worker | doc.Token, inputs: Mapping[str, str]) -> Want:
    """What such a patch asks of a source file."""
    if isinstance(body, doc.Token):
        return Want(dispatch=fill(body.dispatch, inputs))
    name = fill(body.name, inputs) if body.name is not None else None
    return Want(name=name, load=body.load, job_type=body.job_type)


def told(file: str, raw: bytes, edited: Edited) -> FileEdit:
    """An edit as it is kept: hashes and a diff, and nothing else of the file."""
    changed = edited.outcome == "edit"
    return FileEdit(
        file=file, outcome=edited.outcome, reason=edited.reason, line=edited.line, before=sha256(raw).hexdigest(),
        after=sha256(edited.data).hexdigest() if changed else "", diff=unified(raw, edited.data, file) if changed else "",
        notes=edited.notes,
    )  # fmt: skip


def sources(projects: Iterable[Project], side: Side) -> Iterator[tuple[Project, str]]:
    """The files at hand that register workers, or make tokens, each with its project."""
    for project in projects:
        for path, found in project.found.items():
            if found.workers if side == "worker" else (found.tokens or any(d.via == "token" for d in found.dispatches)):
                yield project, path


def worker_side(
    projects: Sequence[Project], running: tuple[str, ...], wanted: Want, given: str, near: Callable[[str], str]
) -> SideResult:
    """The worker's source, brought to what is wanted.

    `running` are the names that it may have now, `given` is a file that a person named. A worker whose running name is not the one that its source says has it from
    elsewhere, and an edit of the source would not change it: that is refused, unless it already runs as wanted.
    """
    at_hand = [(project, path) for project, path in sources(projects, "worker") if not given or _same(path, given)]
    if not at_hand and given:
        return SideResult(refused=_not_among(projects, "worker", given))
    if not at_hand:
        if wanted.name is not None and running == (wanted.name,) and replace(wanted, name=None) == Want():
            return SideResult(agrees=f"the worker runs as {quote(wanted.name)} already")
        return SideResult(
            refused=f"the worker's source is not at hand (give it with --project DIR); there {_to_do(wanted)}"
        )
    others = "" if given or wanted.name is not None else _another(at_hand, running)
    if others:
        return SideResult(refused=others)
    mine = _meant(at_hand, running)
    if len(mine) > 1 and len({worker.agent_name for _, path in mine for worker in _workers(projects, path)}) > 1:
        listed_files = ", ".join(near(path) for _, path in mine)
        return SideResult(
            refused=f"several files register workers ({listed_files}); say which is meant with --input agent_source=FILE"
        )
    files, left = [], []
    for project, path in mine:
        workers = list(_workers(projects, path))
        elsewhere = _elsewhere(workers, running) if wanted.name is not None else ""
        if elsewhere and running == (wanted.name,):
            left.append(f"{near(path)}: {elsewhere}; it runs as wanted, so the name in the source is left as it is")
            rest = replace(wanted, name=None)
            if rest == Want():
                continue
            files.append(told(near(path), project.raws[path], project.edit(path, rest)))
            continue
        if elsewhere:
            return SideResult(refused=f"{elsewhere}; change it there", left=tuple(left))
        files.append(told(near(path), project.raws[path], project.edit(path, wanted)))
    refusal = _refusal(files)
    agrees = "" if any(one.outcome == "edit" for one in files) else "the worker's source says so already"
    return SideResult(tuple(files), refusal, "" if refusal else agrees, tuple(left))


def _not_among(projects: Iterable[Project], side: Side, given: str) -> str:
    """What is wrong with a file that a person named."""
    does = "registers a worker" if side == "worker" else "makes tokens"
    others = ", ".join(path for _, path in sources(projects, side))
    return f"{given} is no file at hand that {does}" + (f"; these do: {others}" if others else " (--project DIR)")


def _refusal(files: Iterable[FileEdit]) -> str:
    """Why the first file that is refused is; "" when none is."""
    one = next((one for one in files if one.outcome == "refused"), None)
    return "" if one is None else f"{one.file}:{one.line}: {one.reason}" if one.line else f"{one.file}: {one.reason}"


def _workers(projects: Iterable[Project], path: str) -> Iterator[WorkerSetup]:
    for project in projects:
        yield from (worker for worker in project.setup.workers if worker.place.source == path)


def _meant(at_hand: list[tuple[Project, str]], running: Sequence[str]) -> list[tuple[Project, str]]:
    """Those whose worker is the one that runs, where the names tell; else all."""
    alike = [(p, path) for p, path in at_hand if any(w.agent_name in running for w in _workers([p], path))]
    return alike or at_hand


def _to_do(want: Want) -> str:
    """What a person has to do where the source is."""
    if want.load is not None:
        return (
            "let it report no load (loadFunc, in Python load_fnc)"
            if want.load == "zero"
            else "take its load function away"
        )
    if want.job_type:
        return f"set its server type to {want.job_type}"
    return f"name the worker {quote(want.name)}" if want.name else "take the worker's name away"


def _another(at_hand: list[tuple[Project, str]], running: Sequence[str]) -> str:
    """Why the sources at hand are of other workers than the one that runs; "" when one may be its own."""
    says = [(path, worker.agent_name) for project, path in at_hand for worker in _workers([project], path)]
    if not running or any(name is None or name in running for _, name in says):
        return ""
    told_of = ", ".join(f"{path} registers {quote(name or '')}" for path, name in says)
    return f"no source at hand registers {listed(running)} ({told_of}); if it has its name from elsewhere, say which it is with --input agent_source=FILE"


def _elsewhere(workers: list[WorkerSetup], running: Sequence[str]) -> str:
    """Why a running name cannot come from the source; "" when it may."""
    if len(running) != 1 or any(worker.agent_name is None or worker.agent_name == running[0] for worker in workers):
        return ""
    says = listed(sorted({worker.agent_name or "" for worker in workers}))
    # LIVEKIT_AGENT_NAME only counts where the source has no name (agents-js 1.3.2, Python 1.5.7).
    variable = "LIVEKIT_AGENT_NAME_OVERRIDE" if any(worker.agent_name for worker in workers) else "LIVEKIT_AGENT_NAME"
    return (
        f"the running worker registers as {quote(running[0])}, its source says {says}: the name comes from elsewhere,"
        f" such as {variable} in its environment, or another version runs"
    )


def token_side(
    projects: Sequence[Project],
    seen: Seen,
    row: Verdict | None,
    wanted: Want,
    odd: str,
    given: str,
    near: Callable[[str], str],
) -> SideResult:
    """The places that make tokens, brought to what is wanted.

    Without their source the claims of the token at hand, or what the room's join asked for, must agree already. `odd` is
    the name that is asked for by mistake: places that ask for another one are meant so, and are left as they are.
    """
    agent = wanted.dispatch or ""
    at_hand = [(project, path) for project, path in sources(projects, "token") if not given or _same(path, given)]
    if not at_hand and given:
        return SideResult(refused=_not_among(projects, "token", given))
    asked, by_call = asked_for(seen, row), backends(seen, row, agent, odd)
    if by_call:
        return SideResult(refused=by_call)
    if not at_hand:
        if asked is not None and set(asked) == ({agent} - {""}):
            what = f"asks for {quote(agent)}" if agent else "asks for nobody"
            return SideResult(agrees=f"what made this room {what} already")
        do = (
            f"ask for {quote(agent)} (RoomAgentDispatch in the token, or CreateDispatch)"
            if agent
            else "drop the dispatch"
        )
        says = f"; it asks for {listed(asked)}" if asked else ""
        return SideResult(
            refused=f"the source of what makes this room's token is not at hand (give it with --project DIR){says}; there {do}"
        )
    files, left = [], []
    silent = [path for project, path in at_hand if not _names(project, path)]
    for project, path in at_hand:
        own = _names(project, path)
        if own and not own & {agent, odd, None}:
            left.append(f"{near(path)} asks for {listed(sorted(name or '' for name in own))} and is left as it is")
            continue
        if agent and not own and len(silent) > 1:
            return SideResult(
                refused=f"several places make tokens without a dispatch ({', '.join(map(near, silent))}); say which is meant with --input token_source=FILE"
            )
        files.append(told(near(path), project.raws[path], project.edit(path, wanted)))
    refusal = _refusal(files)
    agrees = "" if any(one.outcome == "edit" for one in files) else "the places that make tokens say so already"
    if not refusal and agrees and asked is not None and set(asked) != ({agent} - {""}):
        refusal = f"the places at hand that make tokens say so already, yet this room's token asks for {listed(asked) or 'nobody'}: it was made elsewhere, or before; change it there"
    return SideResult(tuple(files), refusal, "" if refusal else agrees, tuple(left))


def _names(project: Project, path: str) -> set[str | None]:
    return {d.agent_name for d in project.setup.dispatchers if d.place.source == path and d.via == "token"}


def other_places(seen: Seen, edited: Iterable[str], near: Callable[[str], str]) -> Iterator[Dispatcher]:
    """Other places that dispatch: calls of the API, rules for telephone calls, presets of the server."""
    done = set(edited)
    for d in (*seen.setup.dispatchers, *(d for server in seen.setup.server for d in server.presets)):
        if d.via != "token" or near(d.place.source) not in done:
            yield d


def _same(path: str, given: str) -> bool:
    return path == given or path.endswith(f"/{given.removeprefix('./')}")
