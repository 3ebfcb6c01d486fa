"""Inputs that a plan masks: steps get their value, and the store, the plan and the report never do."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING

import pytest

from bot.doors import engine
from tests.fletcher import Reply, fletcher

if TYPE_CHECKING:
    from pathlib import Path

PIN, URL = "f3k9Qz7LmN2pXv8RtB4wYc6D", "https://x/?token=hunter2-hunter2-hunter2"
SECRETS = (PIN.encode(), b"hunter2")
RUNBOOK = """---
runbook: 1
id: secretly
title: With secrets
inputs:
  pin: {type: string, secret: true}
  address: {type: url}
---

# With secrets

```dotenv { patch name=set-pin file=app.env }
LABEL=$pin
```

```sh { step name=tell effect=change }
printf '%s\\n' "$IN_PIN" "$IN_ADDRESS" | tee told
cat app.env
export PASSWORD=Zk4Rt8Lw2Qp6Xv9Bn3Ms7Yc5
echo "$PASSWORD" > exported
```

```sh { step name=again effect=change }
GONE
printf '%s' "$IN_PIN" > again
```

```sh { verify name=works after=again timeout=5s interval=1s }
test "$(cat again)" = "$IN_PIN" && grep -q "LABEL=$IN_PIN" app.env
```

```sh { rollback name=untell for=tell }
printf '%s' "$IN_PIN" > untold
```
"""


@pytest.fixture
def project(here: Path) -> Path:
    """A project with a file, and the runbook that writes secrets into it; nothing runs."""
    (here / "app.env").write_text("LABEL=old\n", encoding="utf-8")
    (here / "secretly.md").write_text(RUNBOOK.replace("GONE\n", ""), encoding="utf-8")
    return here


def ordered(*argv: str) -> Reply:
    """`fletcher run` of it."""
    given = (word for one in (f"pin={PIN}", f"address={URL}") for word in ("--input", one))
    return fletcher("run", "secretly.md", "--project", ".", *given, *argv)


def nowhere(project: Path) -> None:
    """No file of the runs' folder has a secret, nor does anything that is told."""
    for path in (project / ".fletcher").rglob("*"):
        # A before-image is what the file was, and nobody else may read it.
        assert path.is_dir() or not any(secret in path.read_bytes() for secret in SECRETS), path
    [row] = json.loads(fletcher("runs", "--json").out)
    calls = (
        ("show", "--json"),
        ("report",),
        ("report", "--html"),
        ("report", "--markdown"),
        ("logs", "--json"),
        ("show", "--grep", "."),
    )
    told = "".join(fletcher(verb, row["id"], *more).out for verb, *more in calls) + fletcher("audit", "export").out
    assert not any(secret in told.encode() for secret in SECRETS)


def test_steps_get_the_values_and_nothing_else_does(project: Path) -> None:
    """Given as a secret, or masked for what it looks like: in files, scripts and the proof it is the value."""
    reply = ordered("--yes")
    assert reply.code == 0, reply.out + reply.err
    assert (project / "told").read_text() == f"{PIN}\n{URL}\n"
    assert (project / "app.env").read_text() == f"LABEL={PIN}\n"
    assert (project / "exported").read_text() == "Zk4Rt8Lw2Qp6Xv9Bn3Ms7Yc5\n"  # a script runs as it is written
    assert not any(secret in reply.out.encode() for secret in SECRETS)
    nowhere(project)


def test_a_value_that_is_lost_ends_the_run_truthfully(project: Path) -> None:
    """In the middle of it: what was done is taken back as far as that needs no such value, and the sentence says so."""
    gone = RUNBOOK.replace("GONE", "rm .fletcher/runs/*/inputs.secret")
    (project / "secretly.md").write_text(gone.replace("printf '%s' \"$IN_PIN\" > again", "exit 1"), encoding="utf-8")
    reply = ordered("--yes")
    assert reply.code == 1
    assert "untell cannot be run: IN_PIN is a secret that is not kept any more" in " ".join(reply.out.split())
    assert (project / "app.env").read_text() == "LABEL=old\n"  # a patch needs none to be taken back
    nowhere(project)


def test_a_value_that_is_lost_before_it_acts_refuses_it(project: Path) -> None:
    """Approved after a restart that lost it: nothing is done, and it says with what to order it again."""
    with engine.opened(None) as front, engine.acting(None) as parts:
        stop = threading.Event()
        thread = threading.Thread(target=front.serve, args=(parts, stop, "root", io.StringIO()))
        thread.start()
        try:
            while front.executor() is None:
                assert thread.is_alive()
            reply = ordered()
        finally:
            stop.set()
            thread.join()
    assert reply.code == 3, reply.out + reply.err
    [row] = json.loads(fletcher("runs", "--json").out)
    (project / ".fletcher" / "runs" / row["id"] / "inputs.secret").unlink()
    reply = fletcher("approve", row["id"])
    assert reply.code == 4, reply.out + reply.err
    assert "the value of pin, address is a secret that is not kept any more; order the run again" in " ".join(
        reply.out.split()
    )
    assert (project / "app.env").read_text() == "LABEL=old\n"
    nowhere(project)
