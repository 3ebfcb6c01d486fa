"""Edits of a TypeScript or JavaScript file: what was asked for, nothing else, or a refusal that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import Edited, RefusedError
from bot.source.grammar import first_error
from bot.source.lines import first_change
from bot.source.typescript_draft import Draft
from bot.source.typescript_imports import drop_unused
from bot.source.typescript_load_edit import edit_load
from bot.source.typescript_token_edit import asked, by_call, edit_dispatch, of_tokens, own, passed_on
from bot.source.typescript_worker_edit import edit_job_type, edit_name, settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.source.edit import Want
    from bot.source.surroundings import Surroundings
    from bot.source.text import SourceText
    from bot.source.typescript_values import TypeScriptModule

_SENT = "the token asks for no agent but what a client sends"
_VIA = {
    "create-dispatch": "a call that dispatches an agent",
    "create-room": "a room that is made with agents",
    "sip-rule": "a rule for telephone calls that dispatches an agent",
    "cli": "a command that dispatches an agent",
}


def edit(text: SourceText, raw: bytes, module: TypeScriptModule, want: Want, around: Surroundings) -> Edited:
    """The file with what is wanted in it; `raw` is the file as it is on the disk, `text` and `module` what was read."""
    try:
        return _edit(text, raw, module, want, around)
    except RefusedError as refused:
        return Edited("refused", raw, refused.reason, refused.line)
    except RecursionError:
        return Edited("refused", raw, "is nested too deeply to be edited")


def _edit(text: SourceText, raw: bytes, module: TypeScriptModule, want: Want, around: Surroundings) -> Edited:
    if text.shift is None:
        raise RefusedError("is not UTF-8; save it as UTF-8 first")
    if module.root.has_error:
        raise RefusedError("the file does not parse", first_error(module.root))
    draft = Draft(text, module, around)
    done: list[str] = []
    for step in _steps(want):
        said = step(draft)
        if said:
            done.append(said)
            draft = draft.done()
    if not done:
        _check(draft, want)
        return Edited("unchanged", raw, _nothing(draft, want), 0, _notes(draft, want))
    drop_unused(draft, module)
    draft = draft.done()
    head = raw[: max(0, text.shift)]
    after = head + draft.text.data
    _check(draft, want)
    if after == raw:
        raise RefusedError("the edit would change nothing")
    return Edited("edit", after, ", ".join(done), first_change(raw, after), _notes(draft, want))


def _nothing_asked(draft: Draft, name: str) -> str:
    if not name:
        return "the token asks for no agent already" if own(draft) or not of_tokens(draft) else _SENT
    calls = by_call(draft, name)
    if calls:
        return f"line {calls[0].spot.line} dispatches '{name}' by the API already, so the token needs no dispatch"
    return f"the token asks for '{name}' already"


def _notes(draft: Draft, want: Want) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*draft.notes, *_aside(draft, want)]))


def _steps(want: Want) -> list[Callable[[Draft], str]]:
    """What is to be done, in this order; each step reads the file anew."""
    steps: list[Callable[[Draft], str]] = []
    name, load, kind, agent = want.name, want.load, want.job_type, want.dispatch
    if name is not None:
        steps.append(lambda draft: edit_name(draft, name))
    if load is not None:
        steps.append(lambda draft: edit_load(draft, zero=load == "zero"))
    if kind is not None:
        steps.append(lambda draft: edit_job_type(draft, kind))
    if agent is not None:
        steps.append(lambda draft: edit_dispatch(draft, agent))
    return steps


def _check(draft: Draft, want: Want) -> None:
    """Refuse unless the reader reads what is wanted: a wrong edit never leaves."""
    if draft.module.root.has_error:
        raise RefusedError("the edit would leave a file that does not parse", first_error(draft.module.root))
    for setup in settled(draft) if want.name is not None else []:
        if setup.agent_name == want.name:
            continue
        where = setup.name_place
        if setup.name_variable and where is not None and where.source != draft.source:
            reason = f"`{setup.name_variable}` is set in {where.source}:{where.line} and names the worker"
            raise RefusedError(reason, setup.place.line)
        reason = setup.name_note or "the worker would have another name all the same"
        raise RefusedError(f"what the worker's name would be cannot be told: {reason}", setup.place.line)
    if want.load is not None and edit_load(draft, zero=want.load == "zero"):
        raise RefusedError("the load would be another one all the same")
    if want.job_type is not None and edit_job_type(draft, want.job_type):
        raise RefusedError("the server type would be another one all the same")
    if want.dispatch is not None:
        _check_dispatch(draft, want.dispatch)


def _check_dispatch(draft: Draft, name: str) -> None:
    mine = own(draft)
    for found in mine or (of_tokens(draft) if name else []):
        for one in asked(draft, found):
            if not name or one.agent_name != name:
                raise RefusedError("a token made here would ask for another agent all the same", one.place.line)
    for token in draft.found.tokens if name and not by_call(draft, name) else ():
        if not token.dispatches:
            raise RefusedError("a token made here would ask for no agent all the same", token.spot.line)


def _nothing(draft: Draft, want: Want) -> str:
    """Why nothing needs to be done."""
    has_worker = bool(draft.found.workers)
    has_token = bool(draft.found.tokens or of_tokens(draft))
    if not has_worker and not has_token:
        return "registers no worker and makes no token"
    said: list[str] = []
    if has_worker and want.name is not None:
        said.append(f"the worker is named '{want.name}' already" if want.name else "the worker has no name already")
    if has_worker and want.load is not None:
        said.append("the worker reports no load already" if want.load == "zero" else "no `loadFunc` is set")
    if has_worker and want.job_type is not None:
        said.append(f"the server type is {want.job_type} already" if want.job_type else "no server type is set")
    if has_token and want.dispatch is not None:
        said.append(_nothing_asked(draft, want.dispatch))
    return ", ".join(said) or ("makes no token" if has_worker else "registers no worker")


def _aside(draft: Draft, want: Want) -> list[str]:
    """What dispatches in another way than by a token, and so is left as it is."""
    if want.dispatch is None:
        return []
    calls = [
        f"Line {found.spot.line} has {_VIA.get(found.via, found.via)}; that is left as it is."
        for found in draft.found.dispatches
        if found.via != "token" and found.spot.text is draft.module.text
    ]
    sent = [
        f"Line {found.spot.line} passes on the room configuration that a client sends; what that asks for comes first."
        for found in of_tokens(draft)
        if passed_on(draft, found)
    ]
    return [*calls, *sent]
