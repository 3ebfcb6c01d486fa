"""What runs now is part of a plan: another image under the same name is another plan."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.engine.changed import changes
from bot.plan.values import Plan
from tests.fletcher import fletcher
from tests.running import ROOM

if TYPE_CHECKING:
    from tests.running import Stack

DEMO = Path(__file__).parent.parent / "bot" / "demo"


def planned() -> dict[str, Any]:
    """The plan for the room that waits."""
    return fletcher("plan", "agent-never-joins", "--room", ROOM, "--input", "remedy=auto-dispatch", "--json").json


def test_another_image_is_another_plan(stack: Stack, tmp_path: Path) -> None:
    """Somebody built in between: what was approved is not what would be replaced, and the sentence says which image."""
    import msgspec

    shutil.copytree(DEMO / "project", tmp_path, dirs_exist_ok=True)
    (tmp_path / "docker-compose.yml").write_text("services: {voice-agent: {build: .}}\n", encoding="utf-8")
    before = planned()
    assert before["refused"] == "", before
    [rebuild] = [step for step in before["steps"] if step["kind"] == "compose"]
    assert rebuild["images"] == {"voice-agent": stack.agent.image_id}
    assert planned()["digest"] == before["digest"]
    stack.agent.image_id = "sha256:" + "5" * 64
    after = planned()
    assert after["digest"] != before["digest"]
    told = changes(msgspec.convert(before, Plan), msgspec.convert(after, Plan))
    assert told == ("the image of voice-agent",)


def told() -> list[str]:
    """What the plan of a deliberate change says of the server's log."""
    argv = (
        "run",
        "agent-never-joins",
        "--room",
        ROOM,
        "--anyway",
        "--input",
        "remedy=auto-dispatch",
        "--dry-run",
        "--json",
    )
    plan = fletcher(*argv).json["looked"]["plan"]
    assert plan["refused"] == ""
    return [guard["level"] for guard in plan["guards"] if "level info" in guard["says"]]


def test_a_log_level_that_is_too_high_is_told_beforehand(stack: Stack, tmp_path: Path) -> None:
    """Then the API alone decides about the proof, which the plan says."""
    shutil.copytree(DEMO / "project", tmp_path, dirs_exist_ok=True)
    (tmp_path / "docker-compose.yml").write_text("services: {voice-agent: {build: .}}\n", encoding="utf-8")
    assert told() == []
    lines = [(one.ns, one.data.replace(b"\tINFO\t", b"\tWARN\t")) for one in stack.livekit.stored]
    stack.livekit.stored.clear()
    for ns, data in lines:
        stack.livekit.log(data.rstrip(b"\n"), ns)
    assert told() == ["note"]
