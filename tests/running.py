"""Something that runs, for tests: a recorded incident as if it had happened just now, behind a real engine and API."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.doubles.engine import Engine
from tests.doubles.livekit_api import KEY, SECRET, LiveKit, agent, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.doubles.engine import Box

DEMO = Path(__file__).parent / "recordings" / "inc-071"
ROOM, SERVED = "ganglia-b8f13c", "ganglia-0075e4"  # the one that waits, and one that got its agent
END = 1795401918.159  # of the recording, in epoch seconds
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?=Z)")
_PINO = re.compile(r'(?<="time":)\d{13}')


def shifted(line: str, by: float) -> str:
    """A line as if it had been written so many seconds later."""

    def iso(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0]).replace(tzinfo=UTC).timestamp() + by
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")

    return _PINO.sub(lambda m: str(int(m[0]) + int(by * 1000)), _ISO.sub(iso, line))


def recorded(name: str, ago: float = 10.0) -> list[tuple[int, str]]:
    """The lines of a demo log as if its end were `ago` seconds back, each with its time in epoch nanoseconds."""
    by = time.time() - ago - END
    out: list[tuple[int, str]] = []
    at = 0.0
    for raw in (DEMO / name).read_text(encoding="utf-8").splitlines():
        line = shifted(raw, by)
        iso, pino = _ISO.match(line), _PINO.search(line)
        if iso is not None:
            at = datetime.fromisoformat(iso[0]).replace(tzinfo=UTC).timestamp()
        elif pino is not None:
            at = int(pino[0]) / 1000
        out.append((int(at * 1e9), line))
    return out


@dataclass
class Stack:
    """What runs: the engine with the two containers, and the API."""

    engine: Engine
    api: LiveKit
    livekit: Box
    agent: Box

    @property
    def environment(self) -> dict[str, str]:
        """How a person reaches it."""
        return {
            "DOCKER_HOST": self.engine.host, "LIVEKIT_URL": self.api.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET,
        }  # fmt: skip


@contextmanager
def running(folder: Path, ago: float = 10.0) -> Iterator[Stack]:
    """The demo's incident, running, with its project in `folder`."""
    with Engine() as engine, LiveKit() as api:
        began = datetime.fromtimestamp(time.time() - 3600, UTC).isoformat().replace("+00:00", "Z")
        common = {
            "working_dir": str(folder),
            "config_files": (str(folder / "docker-compose.yml"),),
            "created": began,
            "started": began,
        }
        livekit = engine.add("livekit", image="livekit/livekit-server:v1.11.0", **common)
        worker = engine.add(
            "voice-agent", image="demo-voice-agent", env={"LIVEKIT_URL": "ws://livekit:7880", "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET},
            ips=(), **common,
        )  # fmt: skip
        for box, name in ((livekit, "livekit.log"), (worker, "agent.log")):
            for ns, line in recorded(name, ago):
                box.log(line, ns)
        api.room(ROOM, room_id="RM_XLhCFCvdWkUp", created=time.time() - ago - 13, participants=[person("uma-8347")])
        api.room(SERVED, participants=[person("nils-94bb"), agent("AJ_8vQReEkfvhSz", "livekit-ganglia-agent")])
        yield Stack(engine, api, livekit, worker)
