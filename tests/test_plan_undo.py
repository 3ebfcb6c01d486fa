"""Rollback blocks that change a file: shown in the plan, bound by its digest, and made on what their step has left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fletcher import fletcher

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOK = """---
runbook: 1
id: spoils
title: Spoils it
---

# Spoils it

```sh { step name=spoil rollback=calm }
echo MODE=wild > mode.env
```

```sh { step name=go rollback=note }
true
```

```sh { verify name=works after=go timeout=2s interval=1s }
false
```

```dotenv { rollback name=calm for=spoil file=mode.env }
MODE=calm
```

```dotenv { rollback name=note for=go file=note.env }
NOTE=undone
```
"""


@pytest.fixture
def project(here: Path) -> Path:
    """A project with two files."""
    for name, text in (("spoils.md", RUNBOOK), ("mode.env", "MODE=calm\n"), ("note.env", "NOTE=none\n")):
        (here / name).write_text(text, encoding="utf-8")
    return here


def planned() -> dict[str, Any]:
    """The plan."""
    plan: dict[str, Any] = json.loads(fletcher("plan", "spoils.md", "--project", ".", "--json").out)
    return plan


def test_the_plan_shows_what_it_would_do(project: Path) -> None:
    """The diff of the file as it is now, or that it would change nothing now; the last step's first."""
    note, calm = planned()["undo"]
    assert (note["name"], note["files"][0]["outcome"], calm["files"][0]["outcome"]) == ("note", "edit", "unchanged")
    assert "it is made on what spoil leaves" in calm["does"]
    for flags in ((), ("--markdown",)):
        shown = fletcher("plan", "spoils.md", "--project", ".", *flags).out
        assert "note undoes go: patches note.env" in shown
        assert "+NOTE=undone" in shown
    (project / "mode.env").unlink()
    assert planned()["undo"][1]["files"][0]["reason"].startswith("it is not in ")


def test_its_digest_binds_it(project: Path) -> None:
    """Another file, or another block, is another plan."""
    before = planned()["digest"]
    assert planned()["digest"] == before
    (project / "note.env").write_text("NOTE=other\n", encoding="utf-8")
    assert planned()["digest"] != before


def test_it_is_made_on_what_the_step_has_left(project: Path) -> None:
    """The script's own change is undone, although it was not there when the plan was made."""
    reply = fletcher("run", "spoils.md", "--project", ".", "--yes")
    assert reply.code == 1, reply.out + reply.err
    assert "ROLLED BACK" in reply.out
    assert ((project / "mode.env").read_text(), (project / "note.env").read_text()) == ("MODE=calm\n", "NOTE=undone\n")
