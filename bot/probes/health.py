"""`stack-health`: the parts of what runs, each green, red or unknown with its own sentence and what mends it.

The sentences and thresholds are those of `fletcher doctor`. What changes only in time (restarts, memory that ran out, a
container that is gone) is compared with the memory of the last result.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from bot.doctor.found import Found
from bot.errors import FletcherError
from bot.evidence.addresses import BY_PORT, server_address
from bot.evidence.live import Watched
from bot.evidence.together import together
from bot.findings import Finding
from bot.probes.parts import PARTS, Memory, Seen
from bot.probes.values import Result
from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.evidence.live import Live
    from bot.probes.parts import Light, Part
    from bot.probes.values import Standing
    from bot.runbook.document import HealthPart
    from bot.settings import Target

_ORDER: Final[tuple[Light, ...]] = ("red", "unknown", "green")
_WORDS: Final[dict[Light, Literal["cause", "healthy", "inconclusive"]]] = {
    "red": "cause",
    "unknown": "inconclusive",
    "green": "healthy",
}


class Health:
    """One target, looked at again and again. Give back what it holds with `close`.

    `data` is the folder in which Fletcher keeps its own, None where nobody says.
    """

    def __init__(self, target: Target, here: Path, data: Path | None = None) -> None:
        self._target, self._here, self._data = target, here, data
        self._looking = threading.Lock()
        self._opened = ExitStack()
        self._watched: Watched | None = None

    def close(self) -> None:
        """End it."""
        self._opened.close()

    def look(self, standing: Standing, parts: tuple[HealthPart, ...], stop: Callable[[], bool]) -> Result:
        """How each of these parts is."""
        before = standing.last.memory if standing.last is not None else ""
        if not self._looking.acquire(blocking=False):
            return Result(light="skipped", says="the look before it has not ended yet", memory=before)
        try:
            seen = self._see(_read(before), parts)
            told = [] if stop() else [part for name in parts for part in PARTS[name](seen)]
            memory = msgspec.json.encode(seen.memory).decode()
        finally:
            self._looking.release()
        if not told:
            return Result(light="skipped", says="it was asked to stop", memory=before)
        return _result(told, memory)

    def _see(self, memory: Memory, parts: tuple[HealthPart, ...]) -> Seen:
        watched = self._watched
        if watched is None:
            watched = self._watched = self._opened.enter_context(Watched(self._target, self._here))
        with suppress(FletcherError):  # told by `watched.trouble`
            watched.patient = True
            watched.attach()
        calls: list[Callable[[], object]] = []
        if {"api", "clock"} & {*parts}:
            calls.append(lambda: watched.ask_api(()))
        if "workers" in parts:
            calls.append(watched.ask_workers)
        together(calls)
        live = watched.seen()
        return Seen(live, watched, _found(self._target, live, watched), memory, self._target, self._data)


def _found(target: Target, live: Live, watched: Watched) -> Found:
    """As the doctor has it."""
    if not target.livekit_url and watched.api_trouble != "address":
        url = live.api.url if live.api else server_address(live.attached, live.engine.address if live.engine else "")
        target = replace(target, livekit_url=url, origins=(*target.origins, ("livekit_url", BY_PORT)))
    return Found(
        target, engine=live.engine if not watched.trouble else None, attached=live.attached, api=live.api,
        api_trouble=watched.api_told, api_kind=watched.api_trouble,
    )  # fmt: skip


def _read(text: str) -> Memory:
    try:
        return msgspec.json.decode(text, type=Memory) if text else Memory()
    except msgspec.MsgspecError:
        return Memory()


def _result(told: list[Part], memory: str) -> Result:
    told = sorted(told, key=lambda part: _ORDER.index(part.light))
    worst = told[0].light
    bad = [part.says for part in told if part.light == worst and worst != "green"]
    says = (
        "; ".join(dict.fromkeys(one.rstrip(".") for one in bad))
        or f"all is well: {', '.join(dict.fromkeys(p.name for p in told))}"
    )
    findings = [
        Finding(
            room="", verdict=_WORDS[part.light], summary=redact(f"{part.name}: {part.says}"), confidence=1.0,
            advice=redact(part.mend),
        )
        for part in told
    ]  # fmt: skip
    return Result(light=worst, says=redact(says), findings=tuple(findings), memory=memory)
