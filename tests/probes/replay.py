"""A recorded incident as logs that grow while the time goes on, behind a real engine and API, looked at by sweeps."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bot.probes.values import Probe, Result, Standing
from bot.runbook import shelf
from bot.runbook.document import Schedule
from tests.doubles.engine import Engine
from tests.doubles.livekit_api import KEY, SECRET, LiveKit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from bot.probes.ask import Asking
    from tests.doubles.engine import Box

RECORDINGS = Path(__file__).parents[1] / "recordings"
CASES = sorted(path.parent for path in RECORDINGS.glob("inc-*/case.json"))
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}(?=Z|\+00:00)")
_EPOCH = re.compile(r'"ts": ?(\d{10}\.\d+)|"time": ?(\d{13})')
_TOLD = re.compile(r"room (\S+) lacks its agent \(([a-z-]+)\)")
_MORE = re.compile(r"so do (\d+) more new rooms")
Lines = list[tuple[float, str, str]]  # when, of which service, the line


def never() -> bool:
    """Nobody asks to stop."""
    return False


def told(results: list[Result]) -> list[tuple[str, str]]:
    """Each time that a room was told to lack its agent, with the cause."""
    out: list[tuple[str, str]] = []
    for result in results:
        named, more = _TOLD.findall(result.says), _MORE.search(result.says)
        number = len(named) + (int(more[1]) if more else 0)
        found = [(one.room, one.cause) for one in result.findings[:number]]
        assert found[: len(named)] == named
        out += found
    return out


def truth(case: Path) -> dict[str, Any]:
    """What is known of it."""
    found: dict[str, Any] = json.loads((case / "case.json").read_text())
    return found


def lines(case: Path) -> Lines:
    """Both of its logs in the order of time; a line without a time goes on with the one before it."""
    out: Lines = []
    for service, name in (("livekit", "livekit.log"), ("voice-agent", "agent.log")):
        at = 0.0
        for line in (case / name).read_text(encoding="utf-8").splitlines():
            epoch, iso = _EPOCH.search(line), _ISO.search(line)
            if epoch is not None:
                at = float(epoch[1]) if epoch[1] else int(epoch[2]) / 1000
            elif iso is not None:
                at = datetime.fromisoformat(iso[0][:26]).replace(tzinfo=UTC).timestamp()
            out.append((at, service, line))
    first = min(at for at, _, _ in out if at)
    return sorted(((at or first, service, line) for at, service, line in out), key=lambda one: one[0])


class Clock:
    """The time of this machine and of the engine on it: it stands where it is put, so that a slow test is no long one."""

    def __init__(self, patch: pytest.MonkeyPatch, at: float) -> None:
        self.at = at
        patch.setattr(time, "time", lambda: self.at)
        patch.setattr(time, "time_ns", lambda: int(self.at * 1e9))
        patch.setattr(time, "monotonic", lambda: self.at)


class Replay:
    """One incident; `look` is a slot of the probe, `standing` what every replica is given."""

    def __init__(self, case: Path, engine: Engine, api: LiveKit, clock: Clock) -> None:
        self.engine, self.api, self.clock, self._left = engine, api, clock, lines(case)
        self.begin, self.end = self._left[0][0], self._left[-1][0]
        made = datetime.fromtimestamp(self.begin - 60, UTC).isoformat().replace("+00:00", "Z")
        common: dict[str, Any] = {"created": made, "started": made, "working_dir": "/nowhere", "config_files": ()}
        self.server = engine.add("livekit", image="livekit/livekit-server:v1.13.5", **common)
        keys = {"LIVEKIT_URL": "ws://livekit:7880", "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
        self.worker = engine.add("voice-agent", image="demo-voice-agent", env=keys, ips=(), **common)
        runbook = shelf.read(shelf.shipped() / "log-sweep.md")
        probe = Probe(name="log-sweep", runbook=runbook, schedule=runbook.schedule or Schedule(every=5))
        self.standing = Standing(probe=probe)

    @property
    def environment(self) -> dict[str, str]:
        """How it is reached."""
        return {
            "DOCKER_HOST": self.engine.host, "LIVEKIT_URL": self.api.url, "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
        }  # fmt: skip

    def rename(self, room: str, name: str) -> None:
        """Let a room be called otherwise in all that is still to come."""
        self._left = [(at, service, line.replace(room, name)) for at, service, line in self._left]

    def given(self, **inputs: str) -> None:
        """Enable the probe with these inputs."""
        probe = msgspec.structs.replace(self.standing.probe, inputs=inputs)
        self.standing = msgspec.structs.replace(self.standing, probe=probe)

    def box(self, service: str) -> Box:
        """The container of this service that is there now."""
        return self.server if service == "livekit" else self.worker

    def until(self, at: float) -> None:
        """Let the time go on, and what is logged by then be logged."""
        self.clock.at = max(self.clock.at, at)
        while self._left and self._left[0][0] <= at:
            when, service, line = self._left.pop(0)
            self.box(service).log(line, int(when * 1e9))

    def look(self, by: Asking, *, lost: bool = False) -> Result:
        """A slot of the probe; a result that is `lost` was never written down."""
        result = by.look(self.standing, never)
        if not lost:
            light = result.light if result.light != "skipped" else self.standing.light
            self.standing = msgspec.structs.replace(self.standing, last=result, light=light)
        return result


@contextmanager
def replayed(case: Path, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """An incident before its first line; looked at from a folder without any project."""
    patch.chdir(folder)
    begin = lines(case)[0][0]
    with Engine() as engine, LiveKit() as api, patch.context() as timed:
        yield Replay(case, engine, api, Clock(timed, begin - 5))
