"""A probe, what one look of it came to, and how it stands: values that are written down as JSON."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from bot.findings import Finding  # noqa: TC001  # the values are made of it
from bot.runbook.document import Runbook, Schedule  # noqa: TC001  # the values are made of them

#: What one look came to. `skipped` is that it was better not to look now, `unknown` that the look itself failed.
Light = Literal["green", "red", "unknown", "skipped"]
#: How a probe stands, which changes only after several looks: `new` is that it has not looked often enough yet.
State = Literal["new", "healthy", "degraded", "unknown"]


class Probe(Struct, frozen=True, kw_only=True):
    """A runbook that is carried out by itself: its checks are made in every slot of its schedule.

    `name` is its own, and the runbook's id where nothing else is said. `config` and `target` name a deployment of
    fletcher.toml, `here` is the folder in which it is looked for. `zone` is the time zone of a cron expression. `orders`
    is the runbook that is ordered once it is degraded: "diagnose" for the one that treats what is found, "" for none.
    `channel` is where it is told in Slack, "" where [probes] says it. `seconds` is how long one look may take.
    """

    name: str
    runbook: Runbook
    schedule: Schedule
    zone: str = "UTC"
    inputs: dict[str, str] = {}
    config: str = ""
    target: str = ""
    here: str = "."
    orders: str = "diagnose"
    channel: str = ""
    seconds: float = 30.0


class Want(Struct, frozen=True, kw_only=True):
    """A run that a look asks for. `id` is the run's: what is wanted again under the same id is ordered once."""

    id: str
    runbook: str
    why: str
    rooms: tuple[str, ...] = ()
    inputs: dict[str, str] = {}


class Result(Struct, frozen=True, kw_only=True):
    """What one look came to, redacted. `findings` are the rooms it is about, with the lines that decide.

    `wants` are ordered whatever state the probe is in. `seconds` is how long the look took, `to_agent` how long an agent
    took to become ACTIVE, None where none was waited for or came. `lacking` counts the rooms that lack their agent now, by
    cause; `lag` is how old the newest line of the server's log is, in seconds. `memory` is given to the next look.
    """

    light: Light
    says: str
    findings: tuple[Finding, ...] = ()
    wants: tuple[Want, ...] = ()
    seconds: float = 0.0
    to_agent: float | None = None
    lacking: dict[str, int] = {}
    lag: float | None = None
    memory: str = ""


class Mute(Struct, frozen=True, kw_only=True):
    """Nobody is told of a probe for a while: by whom, why, until when (seconds since the epoch)."""

    by: str
    until: float
    why: str = ""


class Standing(Struct, frozen=True, kw_only=True):
    """How a probe stands, as every door shows it; times are seconds since the epoch, 0 for never.

    `since` is when it came into this state; `count` how many looks were as its state says, since then; `streak` how many
    in a row were of the newest light, `light`. `bad` counts the looks since the last green one, `red` the red ones among
    them. `slot` is the newest slot that was looked, `last` what came of it; what was skipped leaves both as they are,
    but for `memory`, and `lag` and `lacking` where it read them.
    `missed` and `skipped` count slots. `run` is what was ordered when it became degraded, `ordered` the newest of those that it
    ordered in any of its states, and `ordered_at` when. `mute` None: people are told.
    `acknowledged` is who has said that he sees to it, until its state changes. `over`, which is told to a look and not
    kept, are the runs in the clock's name that have ended in the last hour without anybody's no.
    """

    probe: Probe
    enabled: bool = True
    state: State = "new"
    since: float = 0.0
    count: int = 0
    light: Light = "skipped"
    streak: int = 0
    bad: int = 0
    red: int = 0
    slot: int = 0
    last: Result | None = None
    missed: int = 0
    skipped: int = 0
    run: str = ""
    ordered: str = ""
    ordered_at: float = 0.0
    mute: Mute | None = None
    acknowledged: str = ""
    acknowledged_at: float = 0.0
    over: tuple[str, ...] = ()


class Hold(Struct, frozen=True, kw_only=True):
    """Nothing above `read` is done until somebody releases it: who holds, when, and why."""

    by: str
    at: float
    door: str
    why: str = ""
