"""Look at everything that the checks ask about; what cannot be reached is told by its sentence."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.doctor.found import Found
from bot.errors import UsageError
from bot.evidence.addresses import BY_PORT, server_address
from bot.evidence.compose import compose_version
from bot.evidence.live import Watched
from bot.evidence.look import Question, look
from bot.evidence.sources import ABSENT, Source
from bot.evidence.together import together
from bot.livekit.versions import QUIET

if TYPE_CHECKING:
    from bot.livekit.seen import Seen
    from bot.settings import Target


def look_around(target: Target) -> Found:
    """What is there."""
    compose, compose_trouble = compose_version()
    asks = ""
    with ExitStack() as opened:
        watched = opened.enter_context(Watched(target, Path.cwd()))
        try:
            watched.attach()
        except UsageError as problem:  # which project is meant has to be said; all the rest can be looked at
            asks = str(problem)
        together([watched.read_logs, lambda: watched.ask_api(None), watched.read_folder])
        live = watched.seen()
        seen = look(Question(target=target), opened, live).seen
    absent = {source.name: source for source in live.sources if source.kind == ABSENT}
    nothing = Source("", ABSENT)
    docker, api = absent.get("Docker", nothing).note, absent.get("LiveKit API", nothing)
    if not target.livekit_url and api.trouble != "address":  # found by itself, whether or not it answers
        url = live.api.url if live.api else server_address(live.attached, live.engine.address if live.engine else "")
        target = replace(target, livekit_url=url, origins=(*target.origins, ("livekit_url", BY_PORT)))
    versions, levels = _told(seen)
    return Found(
        target, live.engine, "" if live.engine else docker, live.attached, asks or (docker if live.engine else ""), bool(asks), compose, compose_trouble,
        tuple((name.removeprefix("docker logs "), source.note) for name, source in absent.items() if name.startswith("docker logs ")),
        live.api, api.note, api.trouble, versions, levels, live.setup,
    )  # fmt: skip


def _told(seen: Seen) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The server's versions, and the lowest level that each of its logs shows."""
    versions = tuple(dict.fromkeys(version for _at, _stream, version, _mark, _node in seen.story.starts if version))
    levels = []
    for log in seen.logs:
        shown = log.tally.levels
        if shown and log.tally.server_lines + log.tally.server_hits:
            levels.append(("warn" if shown <= QUIET else "info", log.name))
    return versions, tuple(levels)
