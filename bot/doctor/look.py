"""Look at everything that the checks ask about; what cannot be reached is told by its sentence."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.doctor.found import Found
from bot.errors import NothingFound, Unreachable, UsageError
from bot.evidence.compose import compose_version
from bot.evidence.live import BY_PORT, Live, look_live, read_folder
from bot.evidence.look import Question, look
from bot.evidence.ports import server_url
from bot.evidence.sources import ABSENT
from bot.livekit.versions import QUIET

if TYPE_CHECKING:
    from bot.evidence.docker import EngineInfo
    from bot.livekit.seen import Seen
    from bot.settings import Target


def look_around(target: Target) -> Found:
    """What is there."""
    compose, compose_trouble = compose_version()
    found = Found(target, compose=compose, compose_trouble=compose_trouble)
    with ExitStack() as opened:
        try:
            # The API is asked below, since here the kind of its refusal matters.
            live = look_live(replace(target, api_key="", api_secret=""), (), opened, here=Path.cwd())
        except UsageError as problem:  # which project is meant has to be said; all the rest can be looked at
            engine, trouble = _engine(target)
            setup, _folder = read_folder(target, None, Path.cwd(), [])
            live = Live(time.time(), setup=setup, engine=engine)
            found = replace(found, engine_trouble=trouble, attach_trouble=str(problem), attach_ask=True)
        try:
            seen = look(Question(target=target), opened, live).seen
        except NothingFound:
            seen = None
    absent = {source.name: source.note for source in live.sources if source.kind == ABSENT}
    docker = absent.get("Docker", "")
    if live.engine is None:
        found = replace(found, engine_trouble=found.engine_trouble or docker)
    elif live.attached is None:
        found = replace(found, attach_trouble=found.attach_trouble or docker)
    logs = tuple(
        (name.removeprefix("docker logs "), why) for name, why in absent.items() if name.startswith("docker logs ")
    )
    versions, levels = _told(seen) if seen else ((), ())
    return _asked(replace(
        found, engine=live.engine, attached=live.attached, log_troubles=logs, setup=live.setup, server_versions=versions, log_levels=levels,
    ))  # fmt: skip


def _engine(target: Target) -> tuple[EngineInfo | None, str]:
    """The engine alone, and why it does not answer."""
    from bot.evidence.docker import connect

    try:
        with connect(target) as engine:
            return engine.info(), ""
    except Unreachable as problem:
        return None, str(problem)


def _asked(found: Found) -> Found:
    """The same with what the LiveKit API says, at the address that is set or else at the published port."""
    from bot.evidence.livekit_api import ask

    target = found.target
    if not target.livekit_url and (url := server_url(found.attached)):
        target = replace(target, livekit_url=url, origins=(*target.origins, ("livekit_url", BY_PORT)))
    try:
        return replace(found, target=target, api=ask(target))
    except Unreachable as problem:
        return replace(found, target=target, api_trouble=str(problem), api_kind=problem.kind)


def _told(seen: Seen) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The server's versions, and the lowest level that each of its logs shows."""
    versions = tuple(dict.fromkeys(version for _at, _stream, version, _mark, _node in seen.story.starts if version))
    levels = []
    for log in seen.logs:
        shown = log.tally.levels
        if shown and log.tally.server_lines + log.tally.server_hits:
            levels.append(("warn" if shown <= QUIET else "info", log.name))
    return versions, tuple(levels)
