"""An edit of a Python file: what it says about its worker and its tokens, changed without touching anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.source import python, settle
from bot.source.edit import Edited, RefusedError
from bot.source.grammar import first_error
from bot.source.python_changes import changes, put
from bot.source.python_dispatch_edit import dispatch_part, others
from bot.source.python_draft import Draft
from bot.source.python_load import is_zero
from bot.source.python_worker_edit import load_part, name_part, site, type_part
from bot.source.values import ABSENT, Lit, field

if TYPE_CHECKING:
    from bot.source.edit import Want
    from bot.source.found import Found, FoundWorker
    from bot.source.python_values import PythonModule
    from bot.source.surroundings import Surroundings
    from bot.source.text import SourceText


def edit(text: SourceText, raw: bytes, module: PythonModule, want: Want, around: Surroundings) -> Edited:
    """The file with what is wanted; never raises for what stands in it.

    `text` is `raw` as it was read, `module` is `text` parsed, and `around` what stands around it. A part of `want` for
    which the file has no place (the name where no worker is) is passed over, unless that leaves nothing.
    """
    try:
        return _edited(text, raw, module, want, around)
    except RefusedError as refused:
        return Edited("refused", raw, refused.reason, refused.line)


def _edited(text: SourceText, raw: bytes, module: PythonModule, want: Want, around: Surroundings) -> Edited:
    if text.shift is None:
        raise RefusedError("the file is not UTF-8")
    if module.root.has_error:
        raise RefusedError("the file does not parse here", first_error(module.root))
    found = python.read(module)
    draft = Draft(module)
    parts = _parts(draft, found, want, around)
    splices = changes(draft)
    notes = (*draft.notes, *(_notes(found, around) if want.dispatch is not None else ()))
    if not splices:
        return Edited("unchanged", raw, _unchanged(parts, want), 0, notes)
    new = put(text.data, splices)
    _check(replace(text, data=new), module, found, want, around)
    line = text.line_at(splices[0].start)
    return Edited("edit", raw[: text.shift] + new, _changed(parts, want), line, notes)


def _parts(draft: Draft, found: Found, want: Want, around: Surroundings) -> set[str]:
    """Make the changes of each part that the file has a place for, and say which those are."""
    parts: set[str] = set()
    of_worker = any(part is not None for part in (want.name, want.load, want.job_type))
    if of_worker and found.workers:
        parts.add("worker")
        _worker(draft, found, want, around)
    makes_tokens = bool(found.tokens) or any(one.via == "token" for one in found.dispatches)
    if want.dispatch is not None and makes_tokens:
        parts.add("token")
        dispatch_part(draft, found, want.dispatch, around)
    return parts


def _worker(draft: Draft, found: Found, want: Want, around: Surroundings) -> None:
    sites = [site(draft, one, settle.worker(one, around)) for one in found.workers]
    if want.job_type is not None:
        type_part(draft, sites, want.job_type)
    if want.name is not None:
        name_part(draft, sites, want.name, around)
    if want.load is not None:
        load_part(draft, sites, want.load)


def _check(text: SourceText, before: PythonModule, was: Found, want: Want, around: Surroundings) -> None:
    """RefusedError when the reader does not read in the new text what is wanted, and else what it read before."""
    module = python.parse(text, before.load)
    if module.root.has_error:
        raise RefusedError("the edit would leave a file that does not parse", first_error(module.root))
    found = python.read(module)
    if len(found.workers) != len(was.workers) or len(found.tokens) != len(was.tokens):
        raise RefusedError("the edit would change more than is wanted")
    for old, new in zip(was.workers, found.workers, strict=True):
        _check_worker(old, new, want, around)
    if want.dispatch is None:
        return
    asked = [one for one in found.dispatches if one.via == "token"]
    names = [dispatcher for one in asked for dispatcher in settle.dispatchers(one, around)]
    if not want.dispatch:
        if names:
            raise RefusedError("a token would still ask for an agent", names[0].place.line)
        return
    for dispatcher in names:
        if dispatcher.agent_name != want.dispatch:
            raise RefusedError("a token would still ask for another agent", dispatcher.place.line)
    for token in found.tokens:
        if not token.dispatches:
            raise RefusedError("a token would still ask for no agent", token.spot.line)


def _check_worker(old: FoundWorker, new: FoundWorker, want: Want, around: Surroundings) -> None:
    before, after = settle.worker(old, around), settle.worker(new, around)
    line = old.spot.line
    name = before.agent_name if want.name is None else want.name
    if after.agent_name != name:
        raise RefusedError(f"the agent's name would not be {name!r}", line)
    job_type = before.job_type if want.job_type is None else (want.job_type or "JT_ROOM")
    if after.job_type != job_type:
        raise RefusedError(f"the server type would not be {job_type}", line)
    if want.load is None or new.options is None:
        return
    value = field(new.options, "load_fnc")
    absent = value is ABSENT or (isinstance(value, Lit) and value.value is None)
    if (want.load == "zero") != (not absent and is_zero(value)):
        raise RefusedError("the load would not be what is wanted", line)


def _notes(found: Found, around: Surroundings) -> tuple[str, ...]:
    return tuple(f"Line {line} asks for an agent, too: {what}; it stays." for line, what in others(found, around))


def _changed(parts: set[str], want: Want) -> str:
    return ", ".join(done for done, _ in _phrases(parts, want))


def _unchanged(parts: set[str], want: Want) -> str:
    if not parts:
        return "it registers no worker and makes no token"
    lacks = "it makes no token" if "worker" in parts else "it registers no worker"
    return ", ".join(already for _, already in _phrases(parts, want)) or lacks


def _phrases(parts: set[str], want: Want) -> list[tuple[str, str]]:
    """What is done, and what is so already, of each part that the file has a place for."""
    found: list[tuple[str, str]] = []
    if "worker" in parts:
        if want.name:
            found.append((f"names the worker {want.name!r}", f"the worker is named {want.name!r} already"))
        elif want.name is not None:
            found.append(("takes the worker's name away", "the worker has no name already"))
        if want.load == "zero":
            found.append(("has the worker report no load", "the worker reports no load already"))
        elif want.load is not None:
            found.append(("has the worker report its real load", "no `load_fnc` reports a constant load"))
        if want.job_type:
            found.append((f"sets the server type to {want.job_type}", f"the server type is {want.job_type} already"))
        elif want.job_type is not None:
            found.append(("takes the server type away", "no server type is set"))
    if "token" in parts and want.dispatch:
        found.append((f"has the token ask for {want.dispatch!r}", f"the token asks for {want.dispatch!r} already"))
    elif "token" in parts:
        found.append(("has the token ask for no agent", "the token asks for no agent already"))
    return found
