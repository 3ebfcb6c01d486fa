"""Is this safe? Counted, and told with the row of the answer that the figures fall in; what is unknown counts as many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.livekit import counts
from bot.livekit.versions import OWN_LOAD
from bot.livekit.words import listed, quote
from bot.plan.values import Guard
from bot.source.surroundings import bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.livekit.names import Names
    from bot.livekit.seen import Seen

MANY_ROOMS = 10


def load_guards(seen: Seen, agent: str, remedy: str) -> tuple[Guard, ...]:
    """The guards of the remedies against a refusal for load."""
    return tuple(_load_guards(seen, agent, remedy))


def _load_guards(seen: Seen, agent: str, remedy: str) -> Iterator[Guard]:
    workers = counts.live_workers(seen, agent)
    rooms, by = counts.open_rooms(seen)
    told = f"{_number(workers, 'worker')} of {quote(agent)} and {_number(rooms, 'open room')} ({by})"
    if remedy in {"zero-load", "real-load"} and counts.hosted_on_cloud(seen):
        yield Guard(
            "refusal",
            "LiveKit Cloud hosts this worker, and there the SDK ignores a load function of your own: it would have no effect",
        )
    if remedy == "zero-load":
        if counts.on_cloud(seen) and not counts.hosted_on_cloud(seen):
            yield Guard(
                "note",
                "a worker that you run for LiveKit Cloud: it can help, but no server log can prove it; only the agent in the room can",
            )
        many = workers is None or rooms is None or workers > 1 or rooms >= MANY_ROOMS
        if many:
            yield Guard(
                "warning",
                f"{told}: this is the row of several workers or many rooms, where the load has to be real so that jobs are shared out; say more than yes",
            )
        else:
            yield Guard("note", f"{told}: one worker and few rooms, where nothing useful is lost")
    elif remedy == "target-load":
        version = counts.server_version(seen)
        if version and version < (1, 11):
            yield Guard(
                "refusal",
                f"agents.target_load exists since livekit-server 1.11.0; this one is {'.'.join(map(str, version))}",
            )
        if not version:
            yield Guard(
                "warning", "agents.target_load exists since livekit-server 1.11.0; which version runs is not known"
            )
        if counts.on_cloud(seen) and not seen.has_server_log:
            yield Guard("refusal", "the server is LiveKit Cloud's, whose configuration nobody else can change")
        yield Guard("warning", f"the server is restarted, which ends every session on it; {told}")
    elif remedy == "real-load":
        yield Guard("note", _cpu_limits(seen))


def name_guards(names: Names, agent: str) -> tuple[Guard, ...]:
    """The guards of giving a worker another name, or none: it is never proposed for one that has served rooms."""
    lost = [name for name in names.running if name in names.served and name != agent]
    if not lost or agent in names.running:
        return ()
    named = listed(name for name in lost if name)
    says = (
        f"rooms were served under {named}: whatever asks for that gets no agent any more, wherever it is"
        if named
        else "rooms were served by the worker without a name: those that ask for nobody get no agent any more"
    )
    return (Guard("warning", says),)


def job_type_guards(seen: Seen) -> tuple[Guard, ...]:
    """The guards of registering as JT_PARTICIPANT."""
    found = [
        Guard(
            "note",
            "one agent per participant joins then, and the server's `not dispatching …` lines are of JT_ROOM and JT_PUBLISHER",
        )
    ]
    version = counts.server_version(seen)
    if version and version < (1, 8, 4):
        found.append(
            Guard(
                "refusal",
                f"JT_PARTICIPANT exists since livekit-server 1.8.4; this one is {'.'.join(map(str, version))}",
            )
        )
    if any(worker.language == "python" for worker in seen.setup.workers):
        found.append(Guard("refusal", "Python workers have no JT_PARTICIPANT"))
    return tuple(found)


def _cpu_limits(seen: Seen) -> str:
    for version in seen.setup.sdk_versions:
        own = OWN_LOAD.get(version.package)
        if own is None:
            continue
        if bounds(version).since(*own) is True:
            return f"{version.package} {version.version} measures within the container's CPU limit: set one (`cpus:`), or NUM_CPUS"
        if bounds(version).since(*own) is False:
            return f"{version.package} {version.version} measures the CPU of the whole host, whatever the container's limit: upgrade it first"
    return "which SDK is installed is not known: agents-js before 1.0.49 and Python before 0.11 measure the CPU of the whole host"


def _number(number: int | None, what: str) -> str:
    if number is None:
        return f"an unknown number of {what}s"
    return f"{number} {what}{'s' if number != 1 else ''}"
