"""An edit of a Python file: what it says about its worker and its tokens, changed without touching anything else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.source import python, settle
from bot.source.edit import Edited, RefusedError
from bot.source.grammar import first_error
from bot.source.lines import first_change
from bot.source.python_changes import changes, put
from bot.source.python_dispatch_edit import aside, by_call, dispatch_part, nothing_asked, passed_on
from bot.source.python_draft import Draft
from bot.source.python_load import is_unset, is_zero
from bot.source.python_load_edit import load_part
from bot.source.python_worker_edit import name_part, sites, type_part
from bot.source.values import each, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.source.edit import Want
    from bot.source.found import Found, FoundWorker
    from bot.source.python_values import PythonModule
    from bot.source.surroundings import Surroundings
    from bot.source.text import SourceText


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of what is wanted: how it is done, and what is said when it is done or was so already.

    `added` is said instead of `done` when the file had nothing of the kind before.
    """

    run: Callable[[Draft, Found], None]
    done: str
    already: str
    of_token: bool = False
    added: str = ""

    def said(self, found: Found) -> str:
        """What is said when it was done."""
        before = not self.added or any(one.via == "token" for one in found.dispatches)
        return self.done if before else self.added

    def has_place(self, found: Found) -> bool:
        """Whether the file has what this part is about."""
        if self.of_token:
            return bool(found.tokens) or any(one.via == "token" for one in found.dispatches)
        return bool(found.workers)


def edit(text: SourceText, raw: bytes, module: PythonModule, want: Want, around: Surroundings) -> Edited:
    """The file with what is wanted; never raises for what stands in it.

    `text` is `raw` as it was read, `module` is `text` parsed, and `around` what stands around it. A part of `want` for
    which the file has no place (the name where no worker is) is passed over.
    """
    try:
        return _edited(text, raw, module, want, around)
    except RefusedError as refused:
        return Edited("refused", raw, refused.reason, refused.line)
    except RecursionError:
        return Edited("refused", raw, "is nested too deeply to be edited")


def _edited(text: SourceText, raw: bytes, module: PythonModule, want: Want, around: Surroundings) -> Edited:
    if text.shift is None:
        raise RefusedError("is not UTF-8; save it as UTF-8 first")
    if module.root.has_error:
        raise RefusedError("the file does not parse", first_error(module.root))
    found = python.read(module)
    able = [step for step in _steps(module, found, want, around) if step.has_place(found)]
    notes: list[str] = []
    doing: list[_Step] = []
    # All parts are tried on the file as it is, so that a refusal names its lines, then done one upon the other.
    for step in able:
        draft = Draft(module)
        step.run(draft, found)
        notes += draft.notes
        if changes(draft):
            doing.append(step)
    if want.dispatch is not None:
        notes += aside(module, found, around)
    if not doing:
        return Edited("unchanged", raw, _already(able, found), 0, tuple(notes))
    after = module
    for step in doing:
        draft = Draft(after)
        step.run(draft, python.read(after))
        after = _parsed(replace(text, data=put(after.text.data, changes(draft))), module)
    _check(found, after, want, around)
    reason = ", ".join(step.said(found) for step in doing)
    line = first_change(text.data, after.text.data)
    return Edited("edit", raw[: text.shift] + after.text.data, reason, line, tuple(dict.fromkeys(notes)))


def _steps(module: PythonModule, found: Found, want: Want, around: Surroundings) -> Iterator[_Step]:
    name, load, kind, agent = want.name, want.load, want.job_type, want.dispatch
    if name is not None:
        done, already = "removed `agent_name`", "the worker has no name already"
        if name:
            done, already = f"set `agent_name` to {name!r}", f"the worker is named {name!r} already"
        yield _Step(lambda draft, found: name_part(draft, sites(draft, found, around), name, around), done, already)
    if load is not None:
        done, already = "removed `load_fnc`", "no `load_fnc` is set"
        if load == "zero":
            done, already = "set `load_fnc` to report no load", "the worker reports no load already"
        yield _Step(lambda draft, found: load_part(draft, sites(draft, found, around), load, around), done, already)
    if kind is not None:
        done, already = "removed the server type", "no server type is set"
        if kind:
            done, already = f"set the server type to {kind}", f"the server type is {kind} already"
        yield _Step(lambda draft, found: type_part(draft, sites(draft, found, around), kind), done, already)
    if agent is not None:
        done, already, added = "removed the token's dispatch", nothing_asked(module, found, agent, around), ""
        if agent:
            done = f"set the token's dispatch to {agent!r}"
            added = f"added a dispatch of {agent!r} to the token"
        yield _Step(
            lambda draft, found: dispatch_part(draft, found, agent, around), done, already, of_token=True, added=added
        )


def _already(able: list[_Step], found: Found) -> str:
    if able:
        return ", ".join(step.already for step in able)
    if found.workers:
        return "makes no token"
    return "registers no worker" if found.tokens else "registers no worker and makes no token"


def _parsed(text: SourceText, before: PythonModule) -> PythonModule:
    module = python.parse(text, before.load)
    if module.root.has_error:
        raise RefusedError("the edit would leave a file that does not parse", first_error(module.root))
    return module


def _check(was: Found, module: PythonModule, want: Want, around: Surroundings) -> None:
    """RefusedError when the reader does not read in the new text what is wanted, and else what it read before."""
    found = python.read(module)
    if len(found.workers) != len(was.workers) or len(found.tokens) != len(was.tokens):
        raise RefusedError("the edit would change more than is wanted")
    for old, new in zip(was.workers, found.workers, strict=True):
        _check_worker(old, new, want, around)
    if want.dispatch is not None:
        _check_tokens(module, found, want.dispatch, around)


def _check_tokens(module: PythonModule, found: Found, want: str, around: Surroundings) -> None:
    asked = [one for one in found.dispatches if one.via == "token"]
    mine = [one for one in asked if not passed_on(module, one)]
    for dispatcher in (dispatcher for one in mine for dispatcher in settle.dispatchers(one, around)):
        if not want or dispatcher.agent_name != want:
            raise RefusedError("a token made here would ask for another agent all the same", dispatcher.place.line)
    for token in found.tokens:
        if want and not token.dispatches and not by_call(found, want, around):
            raise RefusedError("a token made here would ask for no agent all the same", token.spot.line)
        if token.dispatches and not asked:
            raise RefusedError("the token gets its agents in a way that cannot be followed", token.spot.line)


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
    if not (is_zero(value) if want.load == "zero" else all(is_unset(option) for option in each(value))):
        raise RefusedError("the load would not be what is wanted", line)
