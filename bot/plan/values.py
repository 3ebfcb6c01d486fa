"""A plan as it is shown, written down and approved: every step with its effect, and a digest over all of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from bot.runbook.document import Approval, Effect  # noqa: TC001  # the values are made of them

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = Literal["edit", "unchanged", "refused"]


class FileEdit(Struct, frozen=True, kw_only=True):
    """What becomes of one file: `before` and `after` are SHA-256 of its bytes, `diff` is unified and redacted."""

    file: str
    outcome: Outcome
    reason: str
    line: int = 0
    before: str = ""
    after: str = ""
    diff: str = ""
    notes: tuple[str, ...] = ()


class Command(Struct, frozen=True, kw_only=True):
    """A program that is run: its arguments (a script's text is the last of them), folder and environment."""

    argv: tuple[str, ...]
    cwd: str = ""
    environment: dict[str, str] = {}


class Step(Struct, frozen=True, kw_only=True):
    """One thing that will happen. `condition` says what it still hangs on, "" when nothing; `timeout` is in seconds.

    `images` are the ids of what the services run now that it starts anew: another image is another plan.
    """

    name: str
    kind: str
    line: int
    heading: str
    does: str
    effect: Effect
    timeout: float
    retries: int = 0
    condition: str = ""
    files: tuple[FileEdit, ...] = ()
    command: Command | None = None
    rollback: str = ""
    images: dict[str, str] = {}


class Skipped(Struct, frozen=True):
    """A step of the runbook that will not happen, and why."""

    name: str
    why: str


class Checked(Struct, frozen=True):
    """What a check of the runbook came to; a script is waiting, since it is run only after the approval."""

    name: str
    result: Literal["matched", "contradicted", "not-matched", "inconclusive", "waiting"]
    says: str


class Tool(Struct, frozen=True):
    """A program that must be there; `path` is where it is, "" when it is not; `mend` then says how to get it."""

    name: str
    path: str
    needed_by: str
    mend: str = ""


class Disrupts(Struct, frozen=True, kw_only=True):
    """What is in the way of a disruption: sessions and people in them, `by` what they were counted. None: not known."""

    who: str
    rooms: int | None
    people: int | None
    by: str


class Guard(Struct, frozen=True):
    """A computed answer to "is this safe?": a note, a warning that asks for more, or a refusal."""

    level: Literal["note", "warning", "refusal"]
    says: str


class Asked(Struct, frozen=True):
    """Whose approval is needed, and why."""

    need: Approval
    why: str


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that will happen, or (`refused`) why nothing can, and what to do instead.

    `undo` are the blocks that undo steps, in the order in which they would be done, after every patch is taken back.
    `anyway`: it was asked for although the diagnosis does not indicate it. `revision` is the SHA-256 of the runbook's text. `digest` covers all but what changes by the minute: counts, and the
    words of a check, of which it covers what they came to.
    """

    schema: Literal[1] = 1
    runbook: str
    title: str
    revision: str
    target: str
    room: str = ""
    cause: str = ""
    agent: str = ""
    remedy: str = ""
    anyway: bool = False
    why: str = ""
    refused: str = ""
    inputs: dict[str, str] = {}
    checks: tuple[Checked, ...] = ()
    steps: tuple[Step, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    verification: tuple[Step, ...] = ()
    rollback: tuple[str, ...] = ()
    undo: tuple[Step, ...] = ()
    effect: Effect = "read"
    approval: Asked = Asked("none", "nothing is changed")
    disrupts: tuple[Disrupts, ...] = ()
    guards: tuple[Guard, ...] = ()
    tools: tuple[Tool, ...] = ()
    side_effects: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    digest: str = ""


_NOT_HASHED = ("digest", "disrupts", "guards", "checks", "skipped")


_HASHES = frozenset({"revision", "before", "after", "digest"})  # long and random, and no secrets


def shown(plan: Plan, plain: Callable[[str], str]) -> Plan:
    """The plan with every text in it as it may be shown: paths, names and commands can hold a secret, too."""

    def told(value: object) -> object:
        if isinstance(value, str):
            return plain(value)
        if isinstance(value, dict):
            return {name: inner if name in _HASHES else told(inner) for name, inner in value.items()}
        return [told(inner) for inner in value] if isinstance(value, list | tuple) else value

    return msgspec.convert(told(msgspec.to_builtins(plan)), Plan)


def sealed(plan: Plan) -> Plan:
    """The plan with its digest."""
    told = msgspec.to_builtins(plan)
    whole = {key: value for key, value in told.items() if key not in _NOT_HASHED}
    # A guard's level is its class; the numbers in its sentence are counts.
    whole["guards"] = [guard.level for guard in plan.guards]
    whole["checks"] = [(check.name, check.result) for check in plan.checks]
    whole["skipped"] = [skipped.name for skipped in plan.skipped]  # why is for people, and quotes checks
    return msgspec.structs.replace(plan, digest=hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest())
