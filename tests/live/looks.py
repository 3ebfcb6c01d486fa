"""One look of a probe at a stack that runs, as `fletcher serve` makes it: in the project's folder, with its keys."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.live.ways import surroundings

if TYPE_CHECKING:
    from tests.stack.stack import Stack

_LOOK = """
import json, sys
import msgspec
from bot.probes.ask import Asking
from bot.probes.values import Probe, Standing
from bot.runbook import shelf

runbook = shelf.read(shelf.shipped() / f"{sys.argv[1]}.md")
probe = Probe(name=runbook.id, runbook=runbook, schedule=runbook.schedule, inputs=json.loads(sys.argv[2]), here=sys.argv[3])
with Asking() as asking:
    result = asking.look(Standing(probe=probe), lambda: False)
print(msgspec.json.encode(result).decode())
"""


def looked(runbook: str, stack: Stack, **inputs: str) -> dict[str, Any]:
    """What the look came to."""
    words = [sys.executable, "-I", "-c", _LOOK, runbook, json.dumps(inputs), str(stack.project)]
    done = subprocess.run(
        words, cwd=stack.project, env=surroundings(stack.environment), capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told
