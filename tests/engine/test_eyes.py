"""A run looks as `fletcher plan` does: at the files of the demo, which come with Fletcher."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bot.engine.eyes import Looking
from bot.runbook import shelf
from tests.engine.staged import Door, Place
from tests.fletcher import fletcher

if TYPE_CHECKING:
    import pytest

    from bot.engine.values import Run

DEMO = Path(__file__).parent.parent.parent / "bot" / "demo"


def looked(folder: Path, *, dry_run: bool = False) -> Run:
    """A run on the demo's files, which is declined."""
    place = Place(folder / "place")
    shutil.copytree(DEMO, folder / "demo", dirs_exist_ok=True)
    given = (("any", "livekit.log"), ("any", "agent.log"), ("project", "project"), ("token", "token.json"))
    files = tuple((kind, str(folder / "demo" / name)) for kind, name in given)
    parts = replace(place.parts, eyes=Looking({}))
    order = place.order(runbook="agent-never-joins", files=files, rooms=("fletcher-dev",), dry_run=dry_run)
    with place.front() as front:
        return front.run_here(parts, order, Door("no"))


def test_a_run_plans_what_the_plan_says(tmp_path: Path) -> None:
    """The same digest, so that whoever saw the one has seen the other; the lines that decided are kept with it."""
    run = looked(tmp_path, dry_run=True)
    assert (run.state, run.says[-1]) == ("done", "This was a dry run: the plan is made, nothing of it was done.")
    demo = tmp_path / "demo"
    reply = fletcher(
        "plan", "agent-never-joins", demo / "livekit.log", demo / "agent.log", "--project", demo / "project", "--token", demo / "token.json",
        "--room", "fletcher-dev", "--json",
    )  # fmt: skip
    assert run.digest == json.loads(reply.out)["digest"]
    assert run.looked is not None
    assert run.looked.folder == str(demo / "project")
    assert run.looked.roots == (str(demo / "project"),)
    assert any("livekit.log:" in quote for quote in run.looked.quotes)


def test_the_terminal_confirms_what_may_disrupt(tmp_path: Path) -> None:
    """The plan asks for a peer, and in the terminal the confirmation of whoever ordered it suffices."""
    run = looked(tmp_path)
    assert run.state == "declined"
    assert run.asked is not None
    assert run.asked.need == "confirm"
    assert "in the terminal your confirmation of the shown plan suffices" in run.asked.why


def test_a_redactor_is_made_anew_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are not written down, so they are looked for again."""
    monkeypatch.chdir(tmp_path)
    run = looked(tmp_path, dry_run=True)
    (tmp_path / "demo" / "project" / ".env").write_text("MY_PASSWORD=hunter2-hunter2\n")
    assert run.looked is not None
    assert "hunter2" not in Looking({}).redactor(run.order, run.looked).text("it said hunter2-hunter2")


def test_files_are_looked_for_where_it_was_asked(tmp_path: Path) -> None:
    """Whoever carries a run out may stand elsewhere; what steps work with are paths from the root on."""
    shutil.copytree(DEMO, tmp_path / "demo")
    files = (("any", "livekit.log"), ("any", "agent.log"), ("project", "project"), ("token", "token.json"))
    order = msgspec.structs.replace(
        Place(tmp_path / "place").order(runbook="agent-never-joins", files=files, rooms=("fletcher-dev",)),
        here=str(tmp_path / "demo"),
    )
    runbook = shelf.read(shelf.shelf(()).find("agent-never-joins").path)
    found = Looking({}).look(order, runbook, {}).looked
    assert (found.folder, found.roots) == (str(tmp_path / "demo" / "project"), (str(tmp_path / "demo" / "project"),))
    assert [step.name for step in found.plan.steps][:1] == ["unname-worker"]
