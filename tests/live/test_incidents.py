"""Fletcher is right about real incidents of a real server and a real worker, however it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fletcher import EXIT
from tests.live.incidents import INCIDENTS, Incident
from tests.live.ways import WAYS, Way

if TYPE_CHECKING:
    from tests.live.scenes import Scenes

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

ASKED = [pytest.param(incident, way, id=f"{incident.name}-{way.name}") for incident in INCIDENTS for way in WAYS]
NOISE = b"not dispatching agent job since no worker is available"


@pytest.mark.parametrize(("incident", "way"), ASKED)
def test_an_incident_is_named(scenes: Scenes, incident: Incident, way: Way) -> None:
    """Who sees the logs names the cause; who does not may be unable to tell, and is never wrong."""
    reply = scenes.of(incident).ask(way)
    assert reply.code in EXIT.values(), reply.err
    row = reply.row(incident.name)
    told = incident.cause if incident.tells == "cause" else None
    assert reply.code == EXIT[reply.json["verdict"]]
    if way.logs and (incident.level == "info" or not way.live):
        assert (row["verdict"], row["cause"]) == (incident.tells, told), row
    else:
        assert (row["verdict"], row["cause"]) in {(incident.verdict, incident.cause), ("inconclusive", None)}, row
    if row["verdict"] == "inconclusive":
        assert row["missing"], row


@pytest.mark.parametrize("incident", [i for i in INCIDENTS if i.level == "warn"], ids=lambda i: i.name)
@pytest.mark.parametrize("way", [way for way in WAYS if not way.live], ids=lambda way: way.name)
def test_a_level_that_is_too_high_is_named(scenes: Scenes, incident: Incident, way: Way) -> None:
    """What is missing is a log at info, and it is said so."""
    row = scenes.of(incident).ask(way).row(incident.name)
    assert any("info level" in lack["source"] for lack in row["missing"]), row


def test_the_healthy_room_has_its_noise(scenes: Scenes) -> None:
    """The line that people blame stands in the healthy room's log too."""
    lines = (scenes.of(INCIDENTS[0]).folder / "livekit.log").read_bytes().splitlines()
    assert any(NOISE in line and b'"JT_PARTICIPANT"' in line and b'"room": "healthy"' in line for line in lines)
