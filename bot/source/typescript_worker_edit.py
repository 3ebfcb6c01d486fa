"""Name, load and server type of the workers of one TypeScript or JavaScript file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.settle import worker
from bot.source.surroundings import bounds
from bot.source.texts import text_of
from bot.source.typescript_draft import under
from bot.source.typescript_imports import imported_name
from bot.source.values import ABSENT, Lit, Local, Made, Table, Value, entry, field, options

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.livekit.setup import WorkerSetup
    from bot.source.found import FoundWorker
    from bot.source.typescript_draft import Draft
    from bot.source.typescript_values import TypeScriptModule
    from bot.source.values import Entry

_NAME, _LOAD = "agentName", "loadFunc"
_STANDARD = "LIVEKIT_AGENT_NAME"
_TYPES = ("serverType", "workerType")


def settled(draft: Draft) -> list[WorkerSetup]:
    """The workers of the file as they will be."""
    return [worker(found, draft.around) for found in draft.found.workers]


def edit_name(draft: Draft, name: str) -> str:
    """Set the name of each worker, or take it away; what was done, "" when nothing needs to be."""
    setups = settled(draft)
    if all(setup.agent_name == name for setup in setups):
        return ""
    _alike(setups, name)
    for found, setup in zip(draft.found.workers, setups, strict=True):
        if setup.agent_name == name:
            continue
        table = options_of(found)
        if not name:
            draft.take(table, _NAME, found.spot.line)
            if setup.name_variable == _STANDARD:
                draft.notes.append(
                    f"`{_STANDARD}` in the worker's environment still names it from 1.3.2 of the SDK on."
                )
        else:
            _set_name(draft, found, table, name)
    return f"set `{_NAME}` to '{name}'" if name else f"removed `{_NAME}`"


def options_of(found: FoundWorker) -> Table:
    """The options of a worker; refused when they cannot be told."""
    if found.options is None:
        raise RefusedError(f"the worker's options cannot be told: {found.why}", found.spot.line)
    return found.options


def _alike(setups: list[WorkerSetup], name: str) -> None:
    """Refuse to give one name to workers of several, or to make several agents into unnamed ones."""
    names = [
        (setup.agent_name, setup.name_variable if setup.agent_name is None else None)
        for setup in setups
        if name or setup.agent_name != ""
    ]
    if len(set(names)) > 1:
        shown = " and ".join(
            f"'{setup.agent_name}' in line {setup.place.line}"
            if setup.agent_name
            else f"one in line {setup.place.line}"
            for setup in setups
        )
        raise RefusedError(f"there are {_count(len(names))} candidates: {shown}", setups[1].place.line)


def _count(number: int) -> str:
    return "two" if number == 2 else str(number)


def _set_name(draft: Draft, found: FoundWorker, table: Table, name: str) -> None:
    written = entry(table, _NAME)
    if written is None or written.key is None:
        draft.put(table, _NAME, draft.quoted(name), found.spot.line)
        return
    value = field(table, _NAME)
    if len(list(under(table, _NAME))) > 1 and len(options(value)) > 1:
        raise RefusedError("the name depends on a condition", written.spot.line)
    set_text(draft, written, value, name, found.spot.line)


def set_text(draft: Draft, written: Entry, value: Value, name: str, line: int) -> None:
    """Make a property name another agent, where the name is written; refused when that is elsewhere."""
    source = draft.source
    known = text_of(value, draft.around, source)
    at = written.spot.line if written.spot.text is draft.module.text else line
    if known.variable and known.place is not None:
        where = f"{known.place.source}:{known.place.line}"
        raise RefusedError(f"the name comes from `{known.variable}`, which is set in {where}", at)
    if known.choices or len(options(value)) > 1:
        raise RefusedError("the name depends on a condition", at)
    if known.value is None and not known.variable:
        raise RefusedError(f"the name is not written here: {known.note}", at)
    if isinstance(value, Lit) and isinstance(value.value, str) and value.spot.text is not draft.module.text:
        place = value.spot.place
        raise RefusedError(f"the name is written in another module, {place.source}:{place.line}", at)
    node = draft.deciding(written, line)
    literal = draft.literal(value)
    inner = node.child_by_field_name("value") or node.child_by_field_name("right")
    if literal is not None:
        own = inner is not None and inner.start_byte <= literal.start_byte and literal.end_byte <= inner.end_byte
        constant = None if own else draft.declared_by(literal)
        if own or (constant is not None and _only_names(draft, constant)):
            draft.replace(literal, draft.quoted(name, literal))
            return
    elif known.variable:
        draft.notes.append(f"`{known.variable}` no longer decides the agent's name in this file.")
    draft.give(node, written.key or _NAME, draft.quoted(name, literal))


def _only_names(draft: Draft, constant: Node) -> bool:
    """Whether a constant is used for nothing but the agent's name, in worker, token or log."""
    whole, uses = draft.cutter.uses(constant)
    return whole is not None and all(_names(draft.module, use) for use in uses)


def _names(module: TypeScriptModule, use: Node) -> bool:
    parent = use.parent
    if use.type == "shorthand_property_identifier":
        return module.written(use) in {_NAME, "agent_name"}
    if parent is None:
        return False
    if parent.type == "pair":
        return module.written(parent.child_by_field_name("key")).strip("'\"") in {_NAME, "agent_name"}
    if parent.type == "assignment_expression":
        return module.written(parent.child_by_field_name("left")).endswith(f".{_NAME}")
    call = next((up for up, _ in module.climb(use) if up.type == "call_expression"), None)
    called = module.written(call.child_by_field_name("function")) if call is not None else ""
    return called.rpartition(".")[2] == "createDispatch" or called.startswith(("console.", "log.", "logger."))


# --- load ------------------------------------------------------------------------------------


def edit_load(draft: Draft, *, zero: bool) -> str:
    """Make each worker report no load, or take that away."""
    done = False
    for found in draft.found.workers:
        table = options_of(found)
        value = field(table, _LOAD)
        unset = value is ABSENT or (isinstance(value, Lit) and value.value is None)
        is_zero = not unset and all(_is_zero(draft.module, option) for option in options(value))
        if (zero and is_zero) or (not zero and unset):
            continue
        if not unset and not is_zero:
            where = entry(table, _LOAD)
            here = where is not None and where.spot.text is draft.module.text
            line = where.spot.line if where is not None and here else found.spot.line
            if where is not None and where.key is None:
                raise RefusedError("the options may get a `loadFunc` with what is spread into them", line)
            what = "capacity logic in an existing `loadFunc`"
            raise RefusedError(what if zero else f"{what}: it is no override to take away", line)
        done = True
        if zero:
            draft.put(table, _LOAD, b"async () => 0", found.spot.line)
        else:
            draft.take(table, _LOAD, found.spot.line)
    if not done:
        return ""
    return "set `loadFunc` to report no load" if zero else "removed `loadFunc`"


def _is_zero(module: TypeScriptModule, value: Value) -> bool:
    """Whether a load function does nothing but give 0."""
    if not isinstance(value, Local) or value.kind != "function" or value.node is None or value.home is not module:
        return False
    body = value.node.child_by_field_name("body")
    if body is None:
        return False
    if body.type == "statement_block":
        inner = [child for child in body.named_children if child.type != "comment"]
        if len(inner) != 1 or inner[0].type != "return_statement":
            return False
    results = module.results(value.node)
    return len(results) == 1 and _gives_zero(module.value(results[0]))


def _gives_zero(value: Value) -> bool:
    if isinstance(value, Made) and value.callee.path == ("Promise", "resolve") and len(value.args) == 1:
        return _gives_zero(value.args[0])
    return isinstance(value, Lit) and isinstance(value.value, float) and value.value == 0


# --- server type -----------------------------------------------------------------------------


def edit_job_type(draft: Draft, wanted: str) -> str:
    """Set the server type of each worker, or take it away."""
    done = ""
    for found, setup in zip(draft.found.workers, settled(draft), strict=True):
        table = options_of(found)
        given = [key for key in _TYPES if field(table, key) is not ABSENT]
        if not wanted:
            for key in given:
                if draft.take(table, key, found.spot.line):
                    done = f"removed `{key}`"
            continue
        key = _type_key(draft, found, given)
        if setup.job_type == wanted and key in given:
            continue
        for other in set(given) - {key}:
            draft.take(table, other, found.spot.line)
        name = imported_name(draft, "JobType", "@livekit/protocol", found.spot)
        draft.put(table, key, f"{name}.{wanted}".encode(), found.spot.line)
        done = f"set `{key}` to {wanted}"
    return done


def _type_key(draft: Draft, found: FoundWorker, given: list[str]) -> str:
    sdk = bounds(draft.around.version(draft.source, "@livekit/agents"))
    renamed = sdk.since(1, 0, 16)
    if renamed is not None:
        return "serverType" if renamed else "workerType"
    if given:
        return given[0] if len(given) == 1 else "serverType"
    node = draft.cutter.node_at(found.spot, frozenset({"new_expression", "call_expression"}))
    written = draft.module.written(node) if node is not None else ""
    value = draft.module.value(node) if node is not None else ABSENT
    made = isinstance(value, Made) and value.callee.name == "WorkerOptions"
    if made or "WorkerOptions" in written:
        what = "the server type is `workerType` up to 1.0.15 of @livekit/agents and `serverType` from 1.0.16 on"
        raise RefusedError(f"{what}, and which is installed cannot be told", found.spot.line)
    return "serverType"
