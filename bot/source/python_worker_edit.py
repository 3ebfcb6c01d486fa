"""Edits of a worker in Python: its name, its load and its server type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.source import settle
from bot.source.edit import RefusedError
from bot.source.python_draft import at, line_of
from bot.source.python_name import changed_name, value_of
from bot.source.python_needs import need
from bot.source.surroundings import bounds
from bot.source.values import ABSENT, Either, Made, Or, Table, Unknown, Value, field, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from bot.livekit.setup import WorkerSetup
    from bot.source.found import Found, FoundWorker
    from bot.source.python_draft import Draft
    from bot.source.surroundings import Surroundings, Variable
    from bot.source.values import Entry

_TYPES = {"JT_ROOM": "ROOM", "JT_PUBLISHER": "PUBLISHER"}


@dataclass(frozen=True)
class Site:
    """A registration with the places where its options are: of the session (or options) and of the server."""

    found: FoundWorker
    setup: WorkerSetup
    table: Table
    call: Node
    made: Node | None

    @property
    def line(self) -> int:
        """The line of the registration."""
        return self.found.spot.line

    @property
    def is_session(self) -> bool:
        """Whether it is registered by `rtc_session`, not by options."""
        return self.call is not self.made


def sites(draft: Draft, found: Found, around: Surroundings) -> list[Site]:
    """The places of all registrations; RefusedError when the options of one cannot be told."""
    return [_site(draft, one, settle.worker(one, around)) for one in found.workers]


def _site(draft: Draft, found: FoundWorker, setup: WorkerSetup) -> Site:
    if found.options is None:
        raise RefusedError(f"the worker's options cannot be told: {found.why}", found.spot.line)
    module = draft.module
    node = draft.node(found.spot, "the worker")
    if node.type == "attribute" or module.last_name(_callee(node)) == "rtc_session":
        attribute = node if node.type == "attribute" else _callee(node)
        servers = made_by(module.value(attribute.child_by_field_name("object")), "AgentServer")
        here = [made for made in servers if made.spot.text is module.text]
        made = draft.node(here[0].spot, "the AgentServer") if len(here) == len(servers) == 1 else None
        return Site(found, setup, found.options, node, made)
    if module.last_name(_callee(node)) == "run_app":
        raise RefusedError("the worker's options are made in another module", found.spot.line)
    return Site(found, setup, found.options, node, node)


def entries(table: Table, key: str) -> Iterator[Entry]:
    """All properties of a name, also those in what is spread into the table, in the order of the text."""
    for entry in table.entries:
        if entry.key == key:
            yield entry
        elif entry.key is None:
            yield from _spread(entry.value, key)


def _spread(value: Value, key: str) -> Iterator[Entry]:
    match value:
        case Table():
            yield from entries(value, key)
        case Made(args=(Table() as first, *_)):
            yield from entries(first, key)
        case Either(options=several):
            for option in several:
                yield from _spread(option, key)
        case Or(first=first_value, second=second):
            yield from _spread(first_value, key)
            yield from _spread(second, key)


# --- the name ------------------------------------------------------------------------------------


def name_part(draft: Draft, several: list[Site], want: str, around: Surroundings) -> None:
    """Give the workers a name, or none."""
    _alike(draft, several, want)
    for one in several:
        with at(one.line):
            _guard(draft, one, want, around)
            if one.setup.agent_name != want:
                _name(draft, one, want, around)


def _name(draft: Draft, one: Site, want: str, around: Surroundings) -> None:
    value, found = option(one, "agent_name", "the agent's name")
    if not want:
        for entry in found:
            draft.remove_option(entry, "the agent's name")
        if one.setup.name_variable == "LIVEKIT_AGENT_NAME":
            note = "`LIVEKIT_AGENT_NAME` in the worker's environment still names it from 1.5.7 of livekit-agents on."
            draft.notes.append(note)
    elif found:
        changed_name(draft, found[-1], value, want, around)
    else:
        add_option(draft, one.call, b"agent_name=" + draft.literal(want))


def option(one: Site, key: str, what: str) -> tuple[Value, list[Entry]]:
    """What an option comes to and what sets it; RefusedError when it may come with options that are not at hand."""
    value, found = field(one.table, key), list(entries(one.table, key))
    if isinstance(value, Unknown) and value is not ABSENT and not found:
        raise RefusedError(f"{what} cannot be told: {value.why}", one.line)
    return value, found


def _alike(draft: Draft, several: list[Site], want: str) -> None:
    """RefusedError when the workers of this file do not all have the same name."""
    names: dict[object, Site] = {}
    for one in several:
        if not want and one.setup.agent_name == "":
            continue
        found = list(entries(one.table, "agent_name"))
        written = ""
        if one.setup.agent_name is None and found:
            written = draft.module.written(draft.holder(found[-1], "the agent's name"))
        names.setdefault((one.setup.agent_name, written), one)
    if len(names) > 1:
        shown = " and ".join(
            f"{one.setup.agent_name!r} in line {one.line}" if one.setup.agent_name else f"one in line {one.line}"
            for one in names.values()
        )
        count = "two" if len(names) == 2 else str(len(names))
        raise RefusedError(f"there are {count} candidates: {shown}", list(names.values())[1].line)


def _guard(draft: Draft, one: Site, want: str, around: Surroundings) -> None:
    """RefusedError when a variable decides the name whatever is written here."""
    source = draft.module.text.source
    sdk = bounds(around.version(source, "livekit-agents"))
    override = around.variable(source, "LIVEKIT_AGENT_NAME_OVERRIDE")
    if sdk.since(1, 6, 0) is not False and _decides(override, want):
        raise RefusedError(_set_by("LIVEKIT_AGENT_NAME_OVERRIDE", override), one.line)
    standard = around.variable(source, "LIVEKIT_AGENT_NAME")
    if not want and sdk.since(1, 5, 7) is not False and _decides(standard, ""):
        raise RefusedError(_set_by("LIVEKIT_AGENT_NAME", standard), one.line)


def _decides(variable: Variable, want: str) -> bool:
    return variable.known and variable.value not in {"", want}


def _set_by(name: str, variable: Variable) -> str:
    place = variable.place
    at = f"{place.source}:{place.line}" if place is not None else "the environment"
    return f"`{name}` is set in {at} and names the worker"


def add_option(draft: Draft, call: Node, new: bytes) -> None:
    """One more keyword argument; a decorator without parentheses gets them."""
    if call.type == "call":
        listed = call.child_by_field_name("arguments")
        if listed is not None and listed.type == "argument_list":
            draft.add(listed, new)
            return
        raise RefusedError("the call has no list of arguments", line_of(call))
    draft.insert(call.end_byte, b"(" + new + b")")


# --- the server type -----------------------------------------------------------------------------


def type_part(draft: Draft, several: list[Site], want: str) -> None:
    """Have the workers register with a server type, or with none that is written."""
    if want == "JT_PARTICIPANT":
        raise RefusedError("Python workers have no JT_PARTICIPANT", several[0].line)
    for one in several:
        with at(one.line):
            _server_type(draft, one, want)


def _server_type(draft: Draft, one: Site, want: str) -> None:
    key = "type" if one.is_session else "worker_type"
    _, found = option(one, key, "the server type")
    if not want:
        for entry in found:
            draft.remove_option(entry, "the server type")
    elif one.setup.job_type == want:
        return
    elif found:
        node = value_of(draft.holder(found[-1], "the server type"))
        draft.replace(node, _type(draft, one, node, _TYPES[want]))
    else:
        add_option(draft, one.call, f"{key}=".encode() + _type(draft, one, None, _TYPES[want]))


def _type(draft: Draft, one: Site, old: Node | None, member: str) -> bytes:
    if old is not None and old.type == "attribute":
        owner = draft.module.written(old.child_by_field_name("object"))
        if owner.rpartition(".")[2] in {"WorkerType", "ServerType"}:
            return f"{owner}.{member}".encode()
    # `WorkerType` is what livekit.agents offers in each version; from 1.3.1 on it is another name of ServerType.
    beside = _callee(one.made) if one.made is not None else one.call
    prefix = need(draft, beside, ("WorkerType",), "livekit.agents")
    return f"{prefix}WorkerType.{member}".encode()


def _callee(call: Node) -> Node:
    return call.child_by_field_name("function") or call
