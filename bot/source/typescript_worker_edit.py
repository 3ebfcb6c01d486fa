"""Name, load and server type of the workers of one TypeScript or JavaScript file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.source.edit import RefusedError
from bot.source.settle import type_of, worker
from bot.source.surroundings import bounds
from bot.source.texts import text_of
from bot.source.typescript_draft import logged, under
from bot.source.typescript_imports import imported_name
from bot.source.values import ABSENT, Lit, Made, Table, Value, entry, field, options

if TYPE_CHECKING:
    from tree_sitter import Node

    from bot.livekit.setup import WorkerSetup
    from bot.source.found import FoundWorker
    from bot.source.texts import Text
    from bot.source.typescript_draft import Draft
    from bot.source.typescript_values import TypeScriptModule
    from bot.source.values import Entry

_NAME = "agentName"
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


def told(draft: Draft, written: Entry, value: Value, line: int) -> Text:
    """The name that a property gives, as far as it is known; refused when it cannot be changed in this file."""
    known = text_of(value, draft.around, draft.source)
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
    return known


def set_text(draft: Draft, written: Entry, value: Value, name: str, line: int) -> None:
    """Make a property name another agent, where the name is written; refused when that is elsewhere."""
    known = told(draft, written, value, line)
    node = draft.deciding(written, line)
    literal = draft.literal(value)
    inner = node.child_by_field_name("value") or node.child_by_field_name("right")
    if literal is not None:
        own = inner is not None and inner.start_byte <= literal.start_byte and literal.end_byte <= inner.end_byte
        constant = None if own else draft.declared_by(literal)
        if own or (constant is not None and only_names(draft, constant)):
            draft.replace(literal, draft.quoted(name, literal))
            return
    elif known.variable:
        draft.notes.append(undecided(known.variable))
    draft.give(node, written.key or _NAME, draft.quoted(name, literal))


def undecided(variable: str) -> str:
    """What to say when a variable of the environment is not asked any more."""
    return f"`{variable}` no longer decides the agent's name in this file."


def only_names(draft: Draft, constant: Node) -> bool:
    """Whether a constant is used for nothing but the agent's name, in worker, token or log."""
    whole, uses = draft.cutter.uses(constant)
    return whole is not None and all(_names(draft.module, use) for use in uses)


def _names(module: TypeScriptModule, use: Node) -> bool:
    parent = use.parent
    if use.type == "shorthand_property_identifier":
        return module.written(use) in {_NAME, "agent_name"}
    if parent is None:
        return False
    if _is_asked(use):
        return True
    if parent.type == "pair":
        return module.written(parent.child_by_field_name("key")).strip("'\"") in {_NAME, "agent_name"}
    if parent.type == "assignment_expression":
        return module.written(parent.child_by_field_name("left")).endswith(f".{_NAME}")
    call = next((up for up, _ in module.climb(use) if up.type == "call_expression"), None)
    called = module.written(call.child_by_field_name("function")) if call is not None else ""
    return called.rpartition(".")[2] == "createDispatch" or logged(module, use)


def _is_asked(use: Node) -> bool:
    """Whether a name is only asked for being there: `if (name)`, `name ? … : …`, `name && …`."""
    node, outer = use, use.parent
    while outer is not None:
        condition = outer.child_by_field_name("condition")
        if condition is not None:
            return condition.id == node.id
        left = outer.child_by_field_name("left")
        if left is not None and left.id == node.id and outer.children[1].type == "&&":
            return True
        if outer.type != "parenthesized_expression" and not (
            outer.type == "unary_expression" and outer.children[0].type == "!"
        ):
            return False
        node, outer = outer, outer.parent
    return False


# --- server type -----------------------------------------------------------------------------


def edit_job_type(draft: Draft, wanted: str) -> str:
    """Set the server type of each worker, or take it away."""
    done = ""
    for found in draft.found.workers:
        table = options_of(found)
        given = [key for key in _TYPES if field(table, key) is not ABSENT]
        if not wanted:
            for key in given:
                if draft.take(table, key, found.spot.line):
                    done = f"removed `{key}`"
            continue
        key = _type_key(draft, found, given)
        if key in given and type_of(field(table, key)) == wanted:
            continue
        for other in set(given) - {key}:
            draft.take(table, other, found.spot.line)
        name = imported_name(draft, "JobType", "@livekit/protocol", found.spot)
        draft.put(table, key, f"{name}.{wanted}".encode(), found.spot.line)
        done = f"set `{key}` to {wanted}"
    return done


def _type_key(draft: Draft, found: FoundWorker, given: list[str]) -> str:
    """The name of the option: `serverType` since 1.0.16 of the SDK, `workerType` before (each ignores the other)."""
    renamed = bounds(draft.around.version(draft.source, "@livekit/agents")).since(1, 0, 16)
    if renamed is not None:
        return "serverType" if renamed else "workerType"
    if len(given) > 1:
        reason = (
            "both `serverType` and `workerType` are set, and which version of @livekit/agents counts cannot be told"
        )
        raise RefusedError(reason, found.spot.line)
    node = draft.cutter.node_at(found.spot, frozenset({"new_expression", "call_expression"}))
    value = draft.module.value(node) if node is not None else ABSENT
    made = isinstance(value, Made) and value.callee.name == "WorkerOptions"
    if given == ["workerType"] or made or "WorkerOptions" in draft.module.written(node):
        draft.notes.append(
            "The option is `serverType` from 1.0.16 of @livekit/agents on and `workerType` up to 1.0.15;"
            " which is installed cannot be told here."
        )
    return given[0] if given else "serverType"
