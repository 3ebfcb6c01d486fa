"""The store's own tables, which stand beside those of dbos; values are kept as JSON in text columns."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

VERSION: Final = 3  # of these tables; a store of a newer one is not touched

META = MetaData()

schema = Table("fletcher_schema", META, Column("version", Integer, primary_key=True))

runs = Table(
    "runs", META,
    Column("id", String, primary_key=True),
    Column("state", String, nullable=False, index=True),
    Column("at", Float, nullable=False, index=True),
    Column("changed_at", Float, nullable=False),
    Column("runbook", String, nullable=False),  # its id
    Column("target", String, nullable=False, default=""),
    Column("room", String, nullable=False, default=""),
    Column("person", String, nullable=False),
    Column("fix", String, nullable=False, default=""),  # what the plan does, as a hash: the same fix has the same
    Column("acted_at", Float),  # when its first step was begun; none before
    Column("order", Text, nullable=False),
    Column("pinned", Text, nullable=False),  # the runbook as it was when the order came
    Column("looked", Text),
    Column("asked", Text),
    Column("proof", Text),
    Column("undone", Text),
    Column("cancelled_by", Text),
    Column("word", String, nullable=False, default=""),  # "resume" or "cancel": what was said to a run that waits as unknown
    Column("says", Text, nullable=False, default="[]"),
)  # fmt: skip

approvals = Table(
    "approvals", META,
    Column("run", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("until", Float, nullable=False),
    Column("kind", String),  # none while the question is open
    Column("decision", Text),
)  # fmt: skip

steps = Table(
    "steps", META,
    Column("run", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("says", Text, nullable=False, default=""),
)  # fmt: skip

# An attempt is written down before it is begun, with what undoing it needs; its outcome comes afterwards, or never.
attempts = Table(
    "attempts", META,
    Column("run", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("part", String, primary_key=True),  # "do" or "undo"
    Column("number", Integer, primary_key=True),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("memory", Text, nullable=False),
    Column("outcome", Text),
)  # fmt: skip

locks = Table(
    "locks", META,
    Column("target", String, primary_key=True),
    Column("run", String, nullable=False),
    Column("person", String, nullable=False),
    Column("at", Float, nullable=False),
)  # fmt: skip

audit = Table(
    "audit", META,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("run", String, nullable=False),
    Column("entry", Text, nullable=False),
    Column("before", String, nullable=False),
    Column("hash", String, nullable=False),
)  # fmt: skip

# What other processes want of the executor: it reads on from the last one that it has seen.
signals = Table(
    "signals", META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String, nullable=False),
    Column("kind", String, nullable=False),  # "order", "decision", "cancel" or "resume"
    sqlite_autoincrement=True,  # else it would give an id again whose row is gone, which the executor has seen already
)  # fmt: skip

# What a door keeps for itself: what it has heard already, and where it has said something.
kept = Table(
    "kept", META,
    Column("door", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Float, nullable=False),
)  # fmt: skip

# What was decided for all runs or probes at once, by name: "hold", or "mute NAME".
switches = Table(
    "switches", META,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Float, nullable=False),
)  # fmt: skip

# The probes that were declared, and how each stands.
probes = Table(
    "probes", META,
    Column("name", String, primary_key=True),
    Column("standing", Text, nullable=False),
)  # fmt: skip

# One row for each time that a probe is due, whoever says so first; it is looked once, by whoever takes it.
slots = Table(
    "slots", META,
    Column("probe", String, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),  # when it is due, in seconds since the epoch
    Column("state", String, nullable=False, index=True),  # "due", "taken", "done" or "missed"
    Column("executor", String, nullable=False, default=""),  # who has taken it
    Column("at", Float, nullable=False),  # when it came into this state
    Column("result", Text),
)  # fmt: skip

# Every process that carries out runs and probes; one whose beat is too old is dead, and what it owned goes to others.
executors = Table(
    "executors", META,
    Column("id", String, primary_key=True),
    Column("holder", Text, nullable=False),  # who it is, as JSON
    Column("beat", Float, nullable=False),  # when it was last heard of, by the database's clock
    Column("session", Integer, nullable=False, default=0),  # its session in PostgreSQL that holds its lease
    Column("ended", Float),  # when it ended, or was taken for dead; none while it acts
)  # fmt: skip

# Which executor carries out a run.
owners = Table(
    "owners", META,
    Column("run", String, primary_key=True),
    Column("executor", String, nullable=False),
)  # fmt: skip

# What only one executor does at a time, such as posting in Slack.
leaders = Table(
    "leaders", META,
    Column("name", String, primary_key=True),
    Column("executor", String, nullable=False),
    Column("until", Float, nullable=False),
)  # fmt: skip

# Which folder the executors of this database share, by the mark that is in it.
homes = Table("homes", META, Column("mark", String, primary_key=True))
