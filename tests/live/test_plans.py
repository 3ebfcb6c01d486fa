"""What runs is planned for: the remedy, the files of the project that are really there, and what it would disrupt."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bot.livekit.answer import runbook_for
from bot.source.diff_edit import apply_diff
from tests.live.incidents import INCIDENTS, Incident

if TYPE_CHECKING:
    from tests.live.scenes import Scene, Scenes

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

# Of these the worker's source and the token's are at hand, so that either side can be patched.
PATCHED = ("dispatch-missing", "name-mismatch", "worker-unnamed", "load-refused", "load-refused-cpu")
TREATED = [i for i in INCIDENTS if runbook_for(i.cause) is not None and i.tells == "cause"]


def named(name: str) -> Incident:
    """The incident of this name."""
    return next(incident for incident in INCIDENTS if incident.name == name)


@pytest.mark.parametrize("incident", TREATED, ids=lambda i: i.name)
def test_the_runbook_of_the_cause_is_planned(scenes: Scenes, incident: Incident) -> None:
    """The plan is about this room and this cause, and `diagnose` ends with the same remedy."""
    scene = scenes.of(incident)
    plan = scene.said["plan"].json
    assert (plan["runbook"], plan["room"], plan["cause"]) == (
        runbook_for(incident.cause),
        incident.name,
        incident.cause,
    )
    diagnosed = scene.said["live-without-flags"].json["plan"]
    assert (plan["remedy"], plan["agent"]) == (diagnosed["remedy"], diagnosed["agent"])


@pytest.mark.parametrize("name", PATCHED)
def test_the_edit_is_of_the_file_that_is_there(scenes: Scenes, name: str) -> None:
    """The diff applies to the project's own file, whose hash it names, and gives what it says; the sessions are counted."""
    scene = scenes.of(named(name))
    plan = scene.said["plan"].json
    assert (scene.said["plan"].code, plan["refused"]) == (0, "")
    edits = [file for step in plan["steps"] for file in step["files"] if file["outcome"] == "edit"]
    assert edits
    for file in edits:
        assert applied(scene, file["diff"], file["file"]) == (file["before"], file["after"])
    for step in plan["steps"]:
        if step["kind"] == "compose":
            assert step["command"]["environment"]["COMPOSE_PROJECT_NAME"]
    assert all(one["rooms"] is not None for one in plan["disrupts"])


def test_a_room_that_was_there_is_dispatched_into(scenes: Scenes) -> None:
    """No file is changed: the API is asked for the agent in the room that is open."""
    plan = scenes.of(named("room-already-existed")).said["plan"].json
    assert (plan["remedy"], [step["kind"] for step in plan["steps"]], plan["effect"]) == (
        "create-dispatch",
        ["dispatch"],
        "change",
    )


def applied(scene: Scene, diff: str, file: str) -> tuple[str, str]:
    """The hashes of the scene's copy of a file, before and after its diff."""
    before = (scene.folder / "project" / file).read_bytes()
    after = apply_diff(before, file, diff).data
    return hashlib.sha256(before).hexdigest(), hashlib.sha256(after).hexdigest()
