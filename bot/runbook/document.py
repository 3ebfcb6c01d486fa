"""What a runbook says once it has been read: frozen values that can be written down, each part with its line.

A text that may hold an input says so as the author wrote it: `$name` alone, or `${name}` anywhere in it; `inputs.fill`
puts the values there. The `text` of a block is its body, byte for byte, and is never filled: a command gets its inputs
as environment variables.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Effect = Literal["read", "change", "disrupt", "destroy"]
EFFECTS: Final[tuple[Effect, ...]] = ("read", "change", "disrupt", "destroy")  # each is graver than those before it
Approval = Literal["none", "confirm", "peer"]
APPROVALS: Final[tuple[Approval, ...]] = ("none", "confirm", "peer")  # each asks for more than those before it
#: What a step asks for where its author says nothing.
ASKED: Final[dict[Effect, Approval]] = {"read": "none", "change": "confirm", "disrupt": "peer", "destroy": "peer"}
InputType = Literal["string", "integer", "boolean", "duration", "path", "service", "host", "url"]
Language = Literal["sh", "bash", "python"]
Operator = Literal[">=", "<=", "==", ">", "<"]
State = Literal["running", "healthy", "exited", "absent"]
Scalar = str | int | float | bool | None


class Input(Struct, frozen=True, kw_only=True):
    """One input; values are texts, as the environment has them. None is what the author did not say.

    `minimum` and `maximum` are of an integer, or seconds of a duration. `under` is the folder that a path must lie in.
    """

    name: str
    line: int
    type: InputType = "string"
    default: str | None = None
    required: bool = False
    pattern: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False
    under: str = ""

    @property
    def variable(self) -> str:
        """The environment variable in which a command finds it."""
        return f"IN_{self.name.upper()}"


class Limit(Struct, frozen=True):
    """At most `times` runs in `within` seconds."""

    times: int
    within: float


class Policy(Struct, frozen=True, kw_only=True):
    """What the runbook itself asks for; a deployment may ask for more. `cooldown` is in seconds; "" and None: nothing."""

    approval: Approval | None = None
    lock: str = ""
    limit: Limit | None = None
    cooldown: float | None = None


class Schedule(Struct, frozen=True, kw_only=True):
    """When its checks are made by themselves: every so many seconds, or by a cron expression.

    A change is told after `fail` bad or `recover` good results in a row.
    """

    every: float | None = None
    cron: str = ""
    fail: int = 1
    recover: int = 1


class AppliesTo(Struct, frozen=True, kw_only=True):
    """Where it is tried; an empty one is tried everywhere."""

    project: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Reference(Struct, frozen=True):
    """A check by its name; `negated` holds where the check does not match."""

    name: str
    negated: bool = False

    def __str__(self) -> str:
        return f"{'!' if self.negated else ''}{self.name}"


# What a check looks at.


class Causes(Struct, frozen=True, tag="livekit"):
    """`livekit: {cause: […]}`: the verdict of the decision procedure over the room is one of these causes."""

    causes: tuple[str, ...]


class Joined(Struct, frozen=True, kw_only=True, tag="livekit-joined"):
    """`livekit: {canary, log, agent}`: a room gets its agent.

    With `canary` a room is made for it. `log` is the message that the server must write, "" for none; `agent` "active"
    asks for the agent itself.
    """

    canary: bool = False
    log: str = ""
    agent: Literal["", "active"] = ""


class Lacking(Struct, frozen=True, tag="livekit-lacking"):
    """`livekit: {lacks-agent: any}`: a new room lacks its agent, or the newest of some agent does."""

    agent: Literal["any"] = "any"


class Abandoned(Struct, frozen=True, tag="livekit-abandoned"):
    """`livekit: {abandoned: true}`: people wait in a room that has no agent, and none is on its way."""


HealthPart = Literal["containers", "workers", "api", "clock", "log-level", "disk"]
HEALTH: Final[tuple[HealthPart, ...]] = ("containers", "workers", "api", "clock", "log-level", "disk")


class Health(Struct, frozen=True, tag="livekit-health"):
    """`livekit: {health: […]}`: each of these parts of what runs is well."""

    parts: tuple[HealthPart, ...]


class Count(Struct, frozen=True):
    """How often a pattern must be found, such as `>=2`."""

    operator: Operator = ">="
    number: int = 1


class Pattern(Struct, frozen=True, kw_only=True):
    """Lines to be found: by `regex` or as the text `match`, of which one is ""; only `after` the first of another id."""

    line: int
    id: str = ""
    regex: str = ""
    match: str = ""
    count: Count = Count()
    after: str = ""


class Lines(Struct, frozen=True, kw_only=True):
    """What must and what must not be found in lines of text; `empty` says what it means that there are none."""

    require: tuple[Pattern, ...] = ()
    forbid: tuple[Pattern, ...] = ()
    empty: Literal["inconclusive", "fail", "pass"] = "inconclusive"


class Logs(Struct, frozen=True, kw_only=True, tag="logs"):
    """`logs:` of one compose service, container or file; `since` is a duration, a moment, `step:NAME` or "" for all."""

    lines: Lines
    service: str = ""
    container: str = ""
    file: str = ""
    since: str = ""
    max_lines: int = 20_000


class File(Struct, frozen=True, kw_only=True, tag="file"):
    """`file:` is there (or, with `exists` false, is not), and its lines are as asked."""

    lines: Lines
    path: str
    exists: bool = True


class Http(Struct, frozen=True, kw_only=True, tag="http"):
    """`http:` answers a GET with this status and such a body."""

    lines: Lines
    url: str
    status: int = 200


class Tcp(Struct, frozen=True, kw_only=True, tag="tcp"):
    """`tcp:` somebody listens at this address; the port is a text since it may be an input."""

    host: str
    port: str


class Containers(Struct, frozen=True, kw_only=True, tag="compose"):
    """`compose:` every container of a service is in this state."""

    service: str
    state: State = "running"


class Chosen(Struct, frozen=True, tag="input"):
    """`input:` each of these inputs has this value."""

    values: dict[str, str]


class Shell(Struct, frozen=True, tag="shell"):
    """The block's text is a script. As a check 0 matches, 1 does not, all else is inconclusive."""

    language: Language


Evidence = Causes | Joined | Lacking | Abandoned | Health | Logs | File | Http | Tcp | Containers | Chosen | Shell


# What a step does.


class Hunk(Struct, frozen=True):
    """Lines of a diff without their first column: what must be there, and what stands there afterwards."""

    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class Diff(Struct, frozen=True, tag="diff"):
    """`mode=diff`: the hunks of a unified diff, or of one without line numbers."""

    hunks: tuple[Hunk, ...]


class Assignment(Struct, frozen=True):
    """One value at a path of keys; None removes it, a list takes the place of the whole list."""

    path: tuple[str, ...]
    value: Scalar | tuple[Scalar, ...]


class Merge(Struct, frozen=True, tag="merge"):
    """`mode=merge`: values of a YAML file; comments and order are kept."""

    assignments: tuple[Assignment, ...]


class SetVariables(Struct, frozen=True, tag="set"):
    """`mode=set`: variables of an env file; the path is the variable's name."""

    assignments: tuple[Assignment, ...]


class Worker(Struct, frozen=True, kw_only=True, tag="livekit-worker"):
    """`mode=livekit-worker`: what the worker's source must say; None leaves that as it is, "" removes it.

    `load` "zero" reports no load, "real" takes such an override away.
    """

    name: str | None = None
    load: Literal["zero", "real"] | None = None
    job_type: Literal["JT_ROOM", "JT_PUBLISHER", "JT_PARTICIPANT", ""] | None = None


class Token(Struct, frozen=True, kw_only=True, tag="livekit-token"):
    """`mode=livekit-token`: the agent that a token asks for; "" removes the dispatch."""

    dispatch: str


Body = Diff | Merge | SetVariables | Worker | Token


class FileChange(Struct, frozen=True, kw_only=True, tag="patch"):
    """A change to one file: its path from the runbook's `cwd`, or `$name` of an input."""

    file: str
    body: Body


class Composed(Struct, frozen=True, kw_only=True, tag="compose"):
    """`docker compose up -d --build SERVICE…` ("build") or `docker compose restart SERVICE…`."""

    action: Literal["build", "restart"]
    services: tuple[str, ...]


# The kinds of blocks.


class Block(Struct, frozen=True, kw_only=True):
    """What every block has: `line` and `column` of its fence, `heading` of its section, `timeout` in seconds."""

    name: str
    line: int
    column: int = 1
    heading: str = ""
    text: str = ""
    effect: Effect = "read"
    approval: Approval = "none"
    timeout: float = 30
    retries: int = 0
    when: tuple[Reference, ...] = ()
    unless: tuple[Reference, ...] = ()


class Check(Block, frozen=True, kw_only=True, tag="check"):
    """Whether something is so; `fix` names the steps that treat it."""

    evidence: Evidence
    fix: tuple[str, ...] = ()


class Patch(Block, frozen=True, kw_only=True, tag="patch"):
    """A change to a file."""

    change: FileChange


class ShellStep(Block, frozen=True, kw_only=True, tag="step"):
    """A script; `rollback` names the block that undoes it, "" where none does."""

    language: Language
    rollback: str = ""


class Compose(Block, frozen=True, kw_only=True, tag="compose"):
    """Services rebuilt or restarted; `effect` is the least it has: the plan raises it where sessions are disrupted."""

    command: Composed
    rollback: str = ""


class Dispatch(Block, frozen=True, kw_only=True, tag="dispatch"):
    """CreateDispatch into a living room; each text may hold inputs."""

    room: str
    agent: str
    metadata: str = ""


class TokenStep(Block, frozen=True, kw_only=True, tag="token"):
    """The project's own token script; what it prints is a secret."""

    language: Language


class Verify(Block, frozen=True, kw_only=True, tag="verify"):
    """A check that must match after the steps `after`: asked every `interval`, and holding for `settle`, in seconds."""

    evidence: Evidence
    after: tuple[str, ...] = ()
    interval: float = 3
    settle: float = 0


class Rollback(Block, frozen=True, kw_only=True, tag="rollback"):
    """What undoes the step `undoes`, beside the patches, which are taken back by themselves."""

    undoes: str
    action: Shell | Composed | FileChange


AnyBlock = Check | Patch | ShellStep | Compose | Dispatch | TokenStep | Verify | Rollback


class Runbook(Struct, frozen=True, kw_only=True):
    """A whole runbook, its blocks in the order of the text; `path` is where it was read, `sha256` of its bytes.

    `cwd` is relative to the runbook's folder, "" where the author does not say.
    """

    id: str
    title: str
    path: str
    sha256: str
    summary: str = ""
    owner: str = ""
    severity: str = ""
    applies_to: AppliesTo = AppliesTo()
    inputs: tuple[Input, ...] = ()
    policy: Policy = Policy()
    schedule: Schedule | None = None
    cwd: str = ""
    shell: str = ""
    blocks: tuple[AnyBlock, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The causes that its checks ask for, in the order of the text."""
        asked = (b.evidence for b in self.blocks if isinstance(b, Check))
        return tuple(dict.fromkeys(cause for e in asked if isinstance(e, Causes) for cause in e.causes))

    @property
    def steps(self) -> tuple[AnyBlock, ...]:
        """What does something, in the order of the text."""
        return tuple(b for b in self.blocks if not isinstance(b, Check | Verify | Rollback))

    @property
    def looks(self) -> tuple[Check | Verify, ...]:
        """What is asked when it is carried out on its schedule: its checks and, where no step is to be verified, each verify."""
        asked = Check if self.steps else (Check, Verify)
        return tuple(b for b in self.blocks if isinstance(b, asked))

    def block(self, name: str) -> AnyBlock | None:
        """The block of this name."""
        return next((block for block in self.blocks if block.name == name), None)

    def input(self, name: str) -> Input | None:
        """The input of this name."""
        return next((known for known in self.inputs if known.name == name), None)
