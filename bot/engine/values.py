"""What a run is made of: values that are written down as JSON, and outlive the process that made them."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from bot.evidence.files import Kind  # noqa: TC001  # the values are made of it
from bot.findings import Finding  # noqa: TC001  # the values are made of them
from bot.plan.values import Plan  # noqa: TC001  # the values are made of it
from bot.runbook.document import Approval, Runbook
from bot.steps.contract import Memory, Outcome  # noqa: TC001  # the values are made of them

RunState = Literal[
    "queued", "looking", "waiting", "running", "fixed", "done", "healthy", "declined", "expired", "cancelled", "failed",
    "rolled-back", "rollback-failed", "not-verified", "inconclusive", "unknown", "refused",
]  # fmt: skip
StepState = Literal["planned", "waiting", "running", "done", "failed", "skipped", "unknown", "undone"]
Door = Literal["terminal", "slack", "clock", "web"]

_EXIT: Final[dict[RunState, int]] = {
    "fixed": 0, "done": 0, "healthy": 0,
    "declined": 1, "expired": 1, "cancelled": 1, "failed": 1, "rolled-back": 1, "rollback-failed": 1,
    "not-verified": 3, "inconclusive": 3, "unknown": 3,
    "refused": 4,
}  # fmt: skip
#: States in which a run has come to its end; `unknown` is none, since it waits for a person and holds its lock.
ENDED: Final = frozenset(_EXIT) - {"unknown"}


#: States of a run that a person has ended, or left to expire.
SAID_NO: Final = frozenset({"declined", "expired", "cancelled"})


#: What is ordered in place of a runbook by who does not know yet which one treats what is wrong.
DIAGNOSE: Final = Runbook(id="diagnose", title="Diagnosis", path="", sha256="")


def exit_code(state: RunState) -> int:
    """The exit code that tells a state to a script; a run that has not ended yet is 3, not known."""
    return _EXIT.get(state, 3)


class Person(Struct, frozen=True):
    """Somebody, by the name that fletcher.toml declares (else the account's own), and the door he came through.

    Two persons are the same when their names are; `channel` is where in the door, such as a Slack channel, and `account`
    who he is there, such as a Slack member id.
    """

    name: str
    door: Door
    channel: str = ""
    account: str = ""


class Order(Struct, frozen=True, kw_only=True):
    """What a door asks for. `at` is in seconds since the epoch; `here` is the folder in which it was asked for.

    `runbook` is an id or a path, looked for on `shelves` too; DIAGNOSE asks for the one that treats what is found. `target` names one of fletcher.toml (`config`), `fields` are
    what else the command line says of it. `files` are (kind, path) that are looked at, as `Question.given` has them.
    """

    id: str
    runbook: str
    person: Person
    at: float
    inputs: dict[str, str] = {}
    rooms: tuple[str, ...] = ()
    shelves: tuple[str, ...] = ()
    here: str = "."
    config: str = ""
    target: str = ""
    fields: dict[str, str] = {}
    live: bool = False
    files: tuple[tuple[Kind, str], ...] = ()
    since: str = ""
    until: str = ""
    dry_run: bool = False
    yes: bool = False
    allow_disrupt: bool = False
    anyway: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """An answer to a plan: `digest` is of the plan that was seen, `word` what was typed where a guard warns."""

    kind: Literal["yes", "no", "expired"]
    person: Person
    digest: str
    at: float
    reason: str = ""
    word: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """What is asked of people: whose approval and why, until when (seconds since the epoch), and a word to type.

    `switches` are the lines of the policy that ask for less than usual.
    """

    need: Approval
    why: str
    until: float
    word: str = ""
    switches: tuple[str, ...] = ()


class StepRow(Struct, frozen=True, kw_only=True):
    """One step of a run; `says` is why it was skipped, or what came of it. `attempts` counts how often it was begun."""

    name: str
    state: StepState
    says: str = ""
    outcome: Outcome | None = None
    memory: Memory | None = None
    undo: Outcome | None = None
    attempts: int = 0


class Point(Struct, frozen=True):
    """One point of a proof; `ok` None is what could not be told.

    `at_ns` is when what it tells of happened, by the engine's clock in nanoseconds; 0 where it has no time.
    """

    name: str
    ok: bool | None
    says: str
    at_ns: int = 0


class Proof(Struct, frozen=True, kw_only=True):
    """What the verification came to; only what is refuted is undone. `output` is the file with what was seen."""

    result: Literal["holds", "refuted", "cannot-tell", "not-needed"]
    points: tuple[Point, ...] = ()
    says: str = ""
    output: str = ""


class Looked(Struct, frozen=True, kw_only=True):
    """What a look came to: its plan, the verdict over the room, and where the project lies.

    `roots` are the folders and files that were read as source, `quotes` the lines (redacted) that decided. `findings` are
    the rooms, the most urgent first, of which `rooms` were seen in all. `runbook` is the one that treats what was found,
    where the order left that open. `job_type` is that of the worker in question, "" where nothing shows it. `places` are
    the files that are to be changed, and where their names lead.
    """

    plan: Plan
    verdict: Literal["cause", "healthy", "inconclusive"]
    folder: str = ""
    roots: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    rooms: int = 0
    notes: tuple[str, ...] = ()
    runbook: Runbook | None = None
    job_type: str = ""
    places: dict[str, str] = {}


class Run(Struct, frozen=True, kw_only=True):
    """A whole run, as `status`, `show` and `report` tell it.

    `runbook` is pinned: the text as it was when the order came. `says` are sentences for a person, the newest last; times
    are seconds since the epoch. `digest` is of the plan, "" before there is one.
    """

    order: Order
    state: RunState
    changed_at: float
    runbook: Runbook
    looked: Looked | None = None
    asked: Asked | None = None
    decision: Decision | None = None
    steps: tuple[StepRow, ...] = ()
    proof: Proof | None = None
    undone: Proof | None = None
    cancelled_by: Person | None = None
    says: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The run's id, which is its order's."""
        return self.order.id

    @property
    def plan(self) -> Plan | None:
        """What was shown and decided about."""
        return self.looked.plan if self.looked is not None else None

    @property
    def digest(self) -> str:
        """What a decision is bound to."""
        return self.plan.digest if self.plan is not None else ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened in a run: a new state of it or of a step, a line of output (redacted), or a sentence."""

    kind: Literal["run", "step", "line", "says"]
    at: float
    step: str = ""
    state: str = ""
    text: str = ""


class Holder(Struct, frozen=True):
    """Who is the executor: `what` it is ("fletcher serve"), its process, host and person, since when."""

    what: str
    pid: int
    host: str
    person: str
    since: float


class Row(Struct, frozen=True):
    """One row of the list of runs."""

    id: str
    runbook: str
    target: str
    room: str
    state: RunState
    person: str
    at: float
    changed_at: float
