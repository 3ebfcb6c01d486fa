"""The remedies by the words that are used everywhere: what each asks of a file, and what it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from bot.source.edit import Want

RemedyWord = Literal[
    "auto-dispatch", "explicit-dispatch", "zero-load", "real-load", "target-load", "job-type-participant"
]
WORDS: Final[tuple[RemedyWord, ...]] = get_args(RemedyWord)
Side = Literal["worker", "token", "server"]

# Above 1 it is no help: at load 1 the next stage of the server refuses (livekit-server 1.11.0 and 1.13.5, run).
TARGET_LOAD: Final = 1.0


@dataclass(frozen=True, slots=True)
class Remedy:
    """One remedy: what it does in a phrase, which sides must agree afterwards, and its side effects in sentences."""

    word: RemedyWord
    does: str
    sides: tuple[Side, ...]
    effects: tuple[str, ...]


_ALL: Final = (
    Remedy(
        "auto-dispatch",
        "the worker has no name and tokens ask for nobody: the agent joins every new room",
        ("worker", "token"),
        (
            "The agent joins every new room of this server from then on, also rooms that have nothing to do with it.",
            "Tokens that are already handed out keep their dispatch until they expire; with those, rooms get no agent.",
        ),
    ),
    Remedy(
        "explicit-dispatch",
        "worker and tokens have the same name: the agent joins the rooms that ask for it",
        ("worker", "token"),
        (
            "Only rooms that are made with this dispatch get the agent; every place that makes tokens must have it.",
            "Tokens that are already handed out keep what they say until they expire.",
        ),
    ),
    Remedy(
        "zero-load",
        "the worker reports no load, so that the server never refuses it for its load",
        ("worker",),
        (
            "There is no back-pressure any more: the worker takes jobs until it fails, and several of one name are not balanced.",
            "Better where it can be done: agents-js 1.0.49 or newer, which respects the container's limits, or a load that counts jobs.",
        ),
    ),
    Remedy(
        "real-load",
        "the worker reports its real load again",
        ("worker",),
        (
            "The server again refuses the worker while its load is high: from 0.7 on (server 1.11 and newer), 1.0 (1.9, 1.10) or 0.65 (1.8).",
        ),
    ),
    Remedy(
        "target-load",
        f"the server gives jobs to workers up to load {TARGET_LOAD} (agents.target_load)",
        ("server",),
        (
            "It holds for every worker of this server, and needs livekit-server 1.11.0 or newer.",
            "The server has to be restarted to read it, which ends every session on it.",
            f"At a load of {TARGET_LOAD} and more a worker is refused all the same.",
        ),
    ),
    Remedy(
        "job-type-participant",
        "the worker registers as JT_PARTICIPANT",
        ("worker",),
        (
            "There is one agent per participant instead of one per room.",
            "The server then prints `not dispatching agent …` for JT_ROOM and JT_PUBLISHER instead, in healthy rooms too.",
            "It needs livekit-server 1.8.4 or newer, and Node: Python workers have no such type.",
        ),
    ),
)
REMEDIES: Final[dict[str, Remedy]] = {remedy.word: remedy for remedy in _ALL}


def want(word: RemedyWord, name: str) -> Want:
    """What a source file must say after a remedy; `name` is the agent's, and only explicit dispatch needs it."""
    match word:
        case "auto-dispatch":
            return Want(name="", dispatch="")
        case "explicit-dispatch":
            return Want(name=name, dispatch=name)
        case "zero-load":
            return Want(load="zero")
        case "real-load":
            return Want(load="real")
        case "job-type-participant":
            return Want(job_type="JT_PARTICIPANT")
        case "target-load":
            return Want()


def environment(word: RemedyWord, name: str) -> str | None:
    """What LIVEKIT_AGENT_NAME must be where a file sets it: "" for not set, None where the remedy leaves it alone."""
    return {"auto-dispatch": "", "explicit-dispatch": name}.get(word)
