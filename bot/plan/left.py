"""What a plan leaves as it is, and what can be done where it is refused."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.livekit import counts
from bot.livekit.words import quote
from bot.plan.sides import other_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.livekit.proposal import Proposal
    from bot.livekit.seen import Seen, Verdict
    from bot.plan.steps import Made

_VIA = {
    "create-room": "makes rooms with", "create-dispatch": "calls CreateDispatch for", "sip-rule": "dispatches telephone calls to",
    "preset": "is a preset of the server for", "env": "may ask for", "token": "asks in its tokens for",
}  # fmt: skip


def over(seen: Seen, proposal: Proposal, made: Made, near: Callable[[str], str]) -> Iterator[str]:
    """Places that dispatch and that the plan does not touch; `near` is how files are called in the project."""
    yield from (text for side in made.sides.values() for text in side.left)
    if proposal.remedy not in {"auto-dispatch", "explicit-dispatch", "job-type-participant"}:
        return
    edited = [one.file for step in made.steps for one in step.files]
    makers = {near(maker.place.source) for maker in seen.setup.token_makers}
    scripts = "".join(step.command.argv[-1] for step in made.steps if step.kind == "token" and step.command)
    for file in edited:
        if file in makers and PurePosixPath(file).name not in scripts:
            yield f"what runs {file} takes the change only when it is deployed or started anew, which is not done here"
    for place in other_places(seen, edited, near):
        if place.via == "token" and place.agent_name == proposal.agent:
            continue  # it says what it should
        name = quote(place.agent_name) if place.agent_name is not None else "an agent that is named at run time"
        yield f"{near(place.place.source)}:{place.place.line} {_VIA[place.via]} {name} and is left as it is"


def instead(proposal: Proposal, made: Made, row: Verdict | None, seen: Seen) -> Iterator[str]:
    """What can be done where the plan is refused."""
    room = row.room if row is not None else None
    match proposal.remedy:
        case "auto-dispatch":
            sides = made.sides.values()
            if any(side.refused and not side.files for side in sides) and any(s.edits or s.agrees for s in sides):
                yield "with both sources at hand (--project DIR for each) it can be planned"
            if row is not None and row.agent and seen.setup.workers:
                yield f"the other way round: --input remedy=explicit-dispatch --input agent_name={row.agent}"
        case "create-dispatch":
            yield "a new room's name per session"
        case "explicit-dispatch":
            if room and row is not None and row.agent:
                yield "for the room that is open now: --input remedy=create-dispatch"
        case "zero-load":
            yield "more or larger workers, or a load that counts jobs against what one worker can carry"
            yield "an SDK whose load respects the container's limits: agents-js 1.0.49, Python 0.11, and newer"
            version = counts.server_version(seen)
            if not counts.hosted_on_cloud(seen) and (not version or version >= (1, 11)):
                yield "server 1.11 and newer: --input remedy=target-load raises the limit for every worker; it restarts the server"
        case "target-load" if any(side.refused for side in made.sides.values()):
            yield "the server's configuration from where it lies: --livekit-config FILE"
        case _:
            return
