"""Look at everything that the checks ask about; what cannot be reached is told by its sentence."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.doctor.found import Container, Engine, Found
from bot.errors import NothingFound
from bot.evidence.addresses import BY_PORT
from bot.evidence.compose import compose_version
from bot.evidence.live import look_live
from bot.evidence.look import Question, look
from bot.evidence.sources import ABSENT

if TYPE_CHECKING:
    from bot.evidence.containers import Container as Shown
    from bot.evidence.live import Live
    from bot.livekit.seen import Seen
    from bot.settings import Target

_QUIET: Final = frozenset({"warn", "error", "fatal", "panic", "dpanic"})


def look_around(target: Target) -> Found:
    """What is there. Raises UsageError as `look_live` does, where it must be said which project is meant."""
    compose, compose_trouble = compose_version()
    with ExitStack() as opened:
        live = look_live(target, (), opened, here=Path.cwd())
        absent = {source.name: source.note for source in live.sources if source.kind == ABSENT}
        try:
            seen = look(Question(target=target), opened, live).seen
        except NothingFound:
            seen = None
    asked = absent.get("LiveKit API", "")
    refused = asked if "(401" in asked or "(403" in asked else ""
    if live.api is not None and not target.livekit_url:
        target = replace(target, livekit_url=live.api.url, origins=(*target.origins, ("livekit_url", BY_PORT)))
    return Found(
        target, _engine(live), "" if live.engine else absent.get("Docker", ""), compose, compose_trouble, _containers(live, absent), live.api,
        "" if refused else asked, refused, *(_told(seen) if seen else ((), ())), setup=live.setup,
    )  # fmt: skip


def _engine(live: Live) -> Engine | None:
    if live.engine is None:
        return None
    return Engine(live.engine.version, live.engine.address, live.engine.api_version, live.engine.skew)


def _containers(live: Live, absent: dict[str, str]) -> tuple[Container, ...]:
    found = (*live.attached.livekit, *live.attached.agents) if live.attached else ()
    return tuple(_container(one, absent.get(f"docker logs {one.name}", "")) for one in found)


def _container(one: Shown, log_trouble: str) -> Container:
    environment = tuple((name, value) for name, value in one.env if name.startswith("LIVEKIT_"))
    return Container(one.name, one.service, one.state, one.restarts, one.log_driver, log_trouble, environment)


def _told(seen: Seen) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The server's versions, and the lowest level that each of its logs shows."""
    versions = tuple(dict.fromkeys(version for _at, _stream, version, _mark, _node in seen.story.starts if version))
    levels = []
    for log in seen.logs:
        shown = log.tally.levels
        if shown and log.tally.server_lines + log.tally.server_hits:
            levels.append(("warn" if shown <= _QUIET else "info", log.name))
    return versions, tuple(levels)
