"""What was found in the source, settled with the environment and the SDK version around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from bot.livekit.setup import Dispatcher, JobType, TokenMaker, WorkerSetup
from bot.source.surroundings import bounds
from bot.source.texts import Text, text_of
from bot.source.values import (
    ABSENT,
    Entry,
    Lit,
    Ref,
    Table,
    Unknown,
    Value,
    each,
    entry,
    field,
    options,
)

if TYPE_CHECKING:
    from bot.livekit.setup import Place
    from bot.source.found import FoundDispatch, FoundToken, FoundWorker
    from bot.source.surroundings import Bounds, Surroundings

_JOB_TYPES: tuple[JobType, ...] = get_args(JobType)
_TYPE_NAMES: dict[str, JobType] = {
    "JT_ROOM": "JT_ROOM",
    "JT_PUBLISHER": "JT_PUBLISHER",
    "JT_PARTICIPANT": "JT_PARTICIPANT",
    "ROOM": "JT_ROOM",
    "PUBLISHER": "JT_PUBLISHER",
    "PARTICIPANT": "JT_PARTICIPANT",
}


@dataclass(frozen=True, slots=True)
class _Keys:
    """The names of the options in one language."""

    name: str
    kinds: tuple[str, ...]
    timeout: str
    load: str
    threshold: str
    request: tuple[str, ...]


_TYPESCRIPT = _Keys(
    "agentName",
    ("serverType", "workerType"),
    "initializeProcessTimeout",
    "loadFunc",
    "loadThreshold",
    ("requestFunc",),
)
_PYTHON = _Keys(
    "agent_name",
    ("type", "worker_type"),
    "initialize_process_timeout",
    "load_fnc",
    "load_threshold",
    ("request_fnc", "on_request"),
)


def worker(found: FoundWorker, around: Surroundings) -> WorkerSetup:
    """A registration as it will be, as far as that can be said."""
    source = found.spot.text.source
    typescript = found.language != "python"
    keys = _TYPESCRIPT if typescript else _PYTHON
    sdk = bounds(around.version(source, "@livekit/agents" if typescript else "livekit-agents"))
    table = found.options
    name, name_place = _name(found, keys, around, sdk)
    deployment = around.variable(source, "LIVEKIT_AGENT_DEPLOYMENT")
    kind: tuple[JobType | None, Place | None, str] = (None, None, "")
    if table is not None:
        kind = _job_type(table, keys, sdk, typescript=typescript)
    note = "; ".join(part for part in (name.note, kind[2]) if part)
    return WorkerSetup(
        place=found.spot.place,
        language=found.language,
        agent_name=name.value,
        name_origin=name.origin,
        name_place=name_place,
        job_type=kind[0],
        init_timeout=_seconds(table, keys, typescript=typescript),
        load_func=_place_of(table, keys.load),
        load_threshold=_threshold(table, keys, typescript=typescript),
        request_func=next((place for key in keys.request if (place := _place_of(table, key)) is not None), None),
        deployment=deployment.value if deployment.known else None,
        name_note=note,
        type_place=kind[1],
        name_variable=name.variable,
        name_default=name.default,
        name_choices=name.choices,
    )


def _name(found: FoundWorker, keys: _Keys, around: Surroundings, sdk: Bounds) -> tuple[Text, Place | None]:
    source, table = found.spot.text.source, found.options
    typescript = keys is _TYPESCRIPT
    written = entry(table, keys.name) if table is not None else None
    here = written.spot.place if written is not None else None
    override_known = (1, 4, 11) if typescript else (1, 6, 0)
    override = around.variable(source, "LIVEKIT_AGENT_NAME_OVERRIDE")
    if override.known and sdk.since(*override_known) is not False and override.value != "":
        return _from_environment("LIVEKIT_AGENT_NAME_OVERRIDE", override.value, override.place, override.note), (
            override.place or here
        )
    if table is None:
        return Text(None, "unknown", note=found.why), None
    value = field(table, keys.name)
    text = Text("", "default") if value is ABSENT else text_of(value, around, source)
    if text.value is None or text.value:
        return text, text.place or here
    standard = around.variable(source, "LIVEKIT_AGENT_NAME")
    if standard.known and standard.value != "" and sdk.since(*((1, 3, 2) if typescript else (1, 5, 7))) is not False:
        return _from_environment("LIVEKIT_AGENT_NAME", standard.value, standard.place, standard.note), standard.place
    if text.origin == "env":
        return text, text.place or here
    # `agentName: undefined` and a name that is left out come to the same.
    return Text("", "source" if isinstance(value, Lit) and value.value == "" else "default"), here


def _from_environment(variable: str, value: str | None, place: Place | None, note: str) -> Text:
    return Text(value, "env", variable, place=place, note=note)


def _job_type(table: Table, keys: _Keys, sdk: Bounds, *, typescript: bool) -> tuple[JobType | None, Place | None, str]:
    """The job type, where it is set, and what makes it doubtful."""
    if not typescript:
        for key in keys.kinds:
            value = field(table, key)
            if value is not ABSENT:
                return type_of(value), _place_of(table, key), ""
        return "JT_ROOM", None, ""
    # `workerType` was renamed in 1.0.16: newer versions ignore it without a word, older ones the new name.
    renamed = sdk.since(1, 0, 16)
    new, old = field(table, "serverType"), field(table, "workerType")
    # 0.1.0 alone registered for publishers when nothing was said.
    standard: JobType = "JT_PUBLISHER" if sdk.low == (0, 1, 0) and sdk.high == (0, 1, 0, 0) else "JT_ROOM"
    if new is ABSENT and old is ABSENT:
        return standard, None, ""
    if renamed is False:
        used, key = (old, "workerType")
    elif renamed is True or old is ABSENT:
        used, key = (new, "serverType")
    elif new is ABSENT:
        if type_of(old) == standard:
            return standard, _place_of(table, "workerType"), ""
        note = "`workerType` counts up to 1.0.15 of @livekit/agents and is ignored from 1.0.16 on"
        return None, _place_of(table, "workerType"), note
    else:
        used, key = (new, "serverType")
    if used is ABSENT:
        other = "serverType" if key == "workerType" else "workerType"
        return standard, _place_of(table, other), f"`{other}` is ignored by this version of @livekit/agents"
    return type_of(used), _place_of(table, key), ""


def type_of(value: Value) -> JobType | None:
    """The job type that a value stands for; None when it is not known."""
    kinds = {_single_type(option) for option in each(value)}
    return kinds.pop() if len(kinds) == 1 else None


def _single_type(value: Value) -> JobType | None:
    match value:
        case Lit(value=None):
            return "JT_ROOM"
        case Lit(value=str(name)):
            return _TYPE_NAMES.get(name)
        case Lit(value=bool()):
            return None
        case Lit(value=float(number)) if number in {0.0, 1.0, 2.0}:
            return _JOB_TYPES[int(number)]
        case Ref(path=path) if path:
            # In Python the members of the enum have a `value`, too.
            return _TYPE_NAMES.get(path[-2] if path[-1] == "value" and len(path) > 1 else path[-1])
    return None


def _seconds(table: Table | None, keys: _Keys, *, typescript: bool) -> float | None:
    number = _number(table, keys.timeout)
    if number is None:
        return None
    return number / 1000 if typescript else number


def _threshold(table: Table | None, keys: _Keys, *, typescript: bool) -> float | None:
    number = _number(table, keys.threshold)
    # agents-js takes 0 for "not set".
    return None if typescript and number == 0 else number


def _number(table: Table | None, key: str) -> float | None:
    value = field(table, key) if table is not None else ABSENT
    found = {option.value for option in options(value) if isinstance(option, Lit)}
    if len(options(value)) != len(found) or len(found) != 1:
        return None
    number = found.pop()
    return number if isinstance(number, float) and not math.isnan(number) else None


def _place_of(table: Table | None, key: str) -> Place | None:
    if table is None:
        return None
    found: Entry | None = entry(table, key)
    value = field(table, key)
    # A spread that is not known may set everything, and says nothing.
    if found is None or (found.key is None and isinstance(value, Unknown)):
        return None
    return None if isinstance(value, Lit) and value.value is None else found.spot.place


def dispatchers(found: FoundDispatch, around: Surroundings) -> list[Dispatcher]:
    """A dispatch as it will be: several when it names one of several agents, none when it names nobody."""
    source = found.spot.text.source
    text = text_of(found.name, around, source)
    deployment = None
    if found.deployment is not ABSENT:
        deployment = text_of(found.deployment, around, source).value
    if text.value == "" and text.origin != "source":
        # `agentName: undefined` asks for nobody: the front end then leaves the dispatch out.
        return []
    if text.choices:
        several = [
            Dispatcher(found.spot.place, found.via, choice, conditional=True, deployment=deployment)
            for choice in text.choices
            if choice
        ]
        if all(isinstance(option, Lit) for option in each(found.name)):
            return several
        unknown = Dispatcher(
            found.spot.place,
            found.via,
            None,
            conditional=True,
            deployment=deployment,
            note=text.note,
            name_variable=text.variable,
            name_default=text.default,
        )
        return [*several, unknown]
    return [
        Dispatcher(
            found.spot.place,
            found.via,
            text.value,
            conditional=text.value is None if found.conditional is None else found.conditional,
            deployment=deployment,
            note=text.note,
            name_variable=text.variable,
            name_default=text.default,
        )
    ]


def token_maker(found: FoundToken) -> TokenMaker:
    """A place that makes tokens."""
    return TokenMaker(found.spot.place, found.dispatches)
