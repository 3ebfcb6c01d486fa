"""The sweep finds each real incident when it can be judged, and says nothing of an hour (compressed) of healthy traffic."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.live.incidents import INCIDENTS, Incident
from tests.live.sweeping import FOUND, Beside, Looking

if TYPE_CHECKING:
    from tests.live.scenes import Scenes
    from tests.stack.stack import Stack

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

TRAFFIC = 60.0  # seconds


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_the_sweep_finds_it(scenes: Scenes, incident: Incident) -> None:
    """Within ten seconds from when it can be judged, once, with its cause; of what nobody can judge it claims nothing."""
    swept = scenes.of(incident).swept
    if incident.tells == "cause":
        assert swept.told == [("cause", incident.cause)], swept
        assert (swept.lights[-1], swept.seconds < FOUND) == ("red", True), swept
    else:
        assert swept.told == [], swept
        # By the API an agent is seen to be there even where the log is silent; that none came is not.
        known = {"green"} if incident.fail == "none" else set[str]()
        silent = {"unknown"} if incident.level == "warn" else set[str]()
        assert set(swept.lights) <= {"skipped", *known, *silent}, swept


def test_an_hour_of_healthy_traffic_is_no_trouble(scenes: Scenes) -> None:
    """People come, meet their agent, and go or come back: nothing is red, and nothing ordered.

    A worker that is too busy on this machine really refuses a room; only such a room may be told.
    """
    stack = scenes.lent("none", settled=True)
    lacked: set[str] = set()
    served = 0
    with Looking(stack, "log-sweep") as sweep, Looking(stack, "stack-health") as health:
        with Beside(sweep, 1.0), Beside(health, 5.0):
            until = time.monotonic() + TRAFFIC
            while time.monotonic() < until:
                room = f"hour-{served + len(lacked)}"
                if traffic(stack, room):
                    served += 1
                else:
                    lacked.add(room)
        time.sleep(1)
        sweep.look()
        costs = [idle(sweep) for _ in range(5)]
    print(f"an idle look takes {1000 * min(costs):.0f} ms of CPU: {100 * min(costs) / 5:.1f} % at one each 5 s")
    assert min(costs) < 0.25
    print(f"{served} rooms served, {len(sweep.results)} looks: {[r.light for r in sweep.results]}")
    print(f"health: {[(r.light, r.says) for r in health.results]}")
    assert served >= 5
    told = {f.room for r in sweep.results if r.light == "red" for f in r.findings}
    assert told <= lacked
    assert {r.light for r in sweep.results} <= {"green", "skipped", *(["red"] if lacked else [])}
    assert "green" in {r.light for r in sweep.results}
    assert not [r.says for r in health.results if r.light == "red"]
    assert not [r.wants for r in (*sweep.results, *health.results) if r.wants]


def idle(sweep: Looking) -> float:
    """The CPU seconds of a look at a stack where nothing happens."""
    time.sleep(1)
    before = time.process_time()
    sweep.look()
    return time.process_time() - before


def traffic(stack: Stack, room: str) -> bool:
    """One room's life; whether its agent came."""
    with stack.join(room, publish=True) as visitor:
        came = visitor.agent_came(8)
        if came and room.endswith(("1", "4", "7")):  # somebody else comes and goes
            with stack.join(room, identity="second"):
                time.sleep(0.5)
    if came and room.endswith(("2", "5", "8")):  # he comes back while the room still lives
        with stack.join(room):
            time.sleep(0.5)
    stack.delete_room(room)
    return came
