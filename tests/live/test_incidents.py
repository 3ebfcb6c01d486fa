"""Fletcher is right about real incidents of a real server and a real worker, however it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fletcher import EXIT
from tests.live.incidents import INCIDENTS, Incident
from tests.live.ways import WAYS, Way

if TYPE_CHECKING:
    from tests.live.scenes import Scene, Scenes

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

ASKED = [pytest.param(incident, way, id=f"{incident.name}-{way.name}") for incident in INCIDENTS for way in WAYS]
NOISE = b"not dispatching agent job since no worker is available"


def why(row: dict[str, Any], scene: Scene) -> str:
    """What was said instead, and where the logs lie that it was said of."""
    lines = [f"{e['source']}:{e['line']}  {e['says']}" for e in row["evidence"]]
    lines += [f"missing: {lack['source']}" for lack in row["missing"]]
    return "\n  ".join([f"{row['verdict']} {row['cause']}: {row['summary']}", *lines, f"logs: {scene.folder}"])


@pytest.mark.parametrize(("incident", "way"), ASKED)
def test_an_incident_is_named(scenes: Scenes, incident: Incident, way: Way) -> None:
    """Who sees the logs names the cause; who does not may be unable to tell, and is never wrong."""
    scene = scenes.of(incident)
    reply = scene.ask(way)
    assert reply.code in EXIT.values(), reply.err
    row = reply.row(incident.name)
    told = incident.cause if incident.tells == "cause" else None
    assert reply.code == EXIT[reply.json["verdict"]]
    said = (row["verdict"], row["cause"])
    if way.logs and not (way.live and incident.level == "warn"):
        assert said == (incident.tells, told), why(row, scene)
    else:
        assert said in {(incident.verdict, incident.cause), ("inconclusive", None)}, why(row, scene)
    assert row["missing"] or row["verdict"] != "inconclusive", why(row, scene)


@pytest.mark.parametrize("incident", [i for i in INCIDENTS if i.level == "warn"], ids=lambda i: i.name)
@pytest.mark.parametrize("way", [way for way in WAYS if not way.live], ids=lambda way: way.name)
def test_a_level_that_is_too_high_is_named(scenes: Scenes, incident: Incident, way: Way) -> None:
    """What is missing is a log at info, and it is said so."""
    scene = scenes.of(incident)
    row = scene.ask(way).row(incident.name)
    assert any("info level" in lack["source"] for lack in row["missing"]), why(row, scene)


@pytest.mark.parametrize("incident", [i for i in INCIDENTS if i.canary], ids=lambda i: i.name)
def test_the_canary_sees_it(scenes: Scenes, incident: Incident) -> None:
    """Where a new room has no agent it is red, with the cause where the log can tell; on a healthy stack it is green."""
    told = scenes.of(incident).canary
    assert told["light"] == incident.canary, told
    if incident.canary == "green":
        assert 0 < told["to_agent"] < 12, told
        assert not told["findings"], told
        return
    (row,) = told["findings"]
    assert row["room"].startswith("fletcher-canary-look-"), told
    # What killed the worker is forgotten after a minute.
    known = {incident.cause, "no-worker"} if incident.cause == "worker-died" else {incident.cause}
    assert row["cause"] in (known if incident.level == "info" else {*known, ""}), told
    assert row["quotes"], told


def test_the_healthy_room_has_its_noise(scenes: Scenes) -> None:
    """The line that people blame stands in the healthy room's log too."""
    lines = (scenes.of(INCIDENTS[0]).folder / "livekit.log").read_bytes().splitlines()
    assert any(NOISE in line and b'"JT_PARTICIPANT"' in line and b'"room": "healthy"' in line for line in lines)
