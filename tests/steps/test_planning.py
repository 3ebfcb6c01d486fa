"""Looking and planning start no program, and do not even load what could."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "bot" / "demo"
SPY = """
import sys
begun = []
sys.addaudithook(lambda event, args: begun.append(event) if event in {"subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system"} else None)
from bot.__main__ import main
main(sys.argv[1:])
print(begun, sorted(name for name in sys.modules if name.startswith(("bot.steps", "bot.world", "bot.engine"))), file=sys.stderr)
"""


@pytest.mark.parametrize("verb", [["diagnose"], ["plan", "agent-never-joins"], ["plan", "no-servers-available"]])
def test_nothing_is_started(verb: list[str], tmp_path: Path) -> None:
    """Whatever a runbook holds; the spy sees every way to start a program that Python has."""
    argv = [
        *verb, str(DEMO / "livekit.log"), str(DEMO / "agent.log"), "--project", str(DEMO / "project"), "--token", str(DEMO / "token.json"),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SPY, *argv], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout
    assert done.stderr.splitlines()[-1] == "[] []"
