"""What is shipped to run `fletcher serve`: the compose service and the systemd unit call verbs that are there."""

from __future__ import annotations

import configparser
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.fletcher import RECORDINGS, fletcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent


def test_the_compose_service_serves_and_says_whether_it_does() -> None:
    """Its command and its health check are verbs, and what only watches is not started by `up` alone."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert services["fletcher"]["command"] == "serve"
    assert services["fletcher"]["healthcheck"]["test"] == ["CMD", "fletcher", "serve", "--check"]
    assert (services["watch"]["command"], services["watch"]["profiles"]) == ("diagnose --follow", ["watch"])
    assert services["watch"]["image"] == services["fletcher"]["image"]
    assert "--check" in fletcher("serve", "--help").out


def test_the_unit_serves_and_is_ended_gently() -> None:
    """It starts `fletcher serve`, and a stop waits for the step that is being done."""
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's documents do it
    unit.read(ROOT / "examples" / "fletcher" / "fletcher.service", encoding="utf-8")
    service = unit["Service"]
    assert service["ExecStart"].split()[-2:] == ["/opt/fletcher/fletcher", "serve"]
    assert (service["KillMode"], service["TimeoutStopSec"]) == ("mixed", "15min")


def test_a_served_folder_is_left_with_sigterm(here: Path) -> None:
    """`serve` in a process of its own holds the folder, is seen by `--check`, and ends with 0 on SIGTERM."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "serve"],
        cwd=here,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
    ) as served:
        try:
            until = time.monotonic() + 30
            while fletcher("serve", "--check").code != 0 and time.monotonic() < until:
                assert served.poll() is None
            assert "fletcher serve (process" in fletcher("serve", "--check").out
            assert "carried out by fletcher serve" in fletcher("status").out
            second = fletcher("serve")
            assert (second.code, "acts from" in second.err) == (4, True)
        finally:
            served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
    assert fletcher("serve", "--check").code == 4


# --- by their own programs ------------------------------------------------------------------------


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every line of it, as far as there is a systemd to say so."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    text = (ROOT / "examples" / "fletcher" / "fletcher.service").read_text(encoding="utf-8")
    (tmp_path / "fletcher.service").write_text(
        text.replace("/opt/fletcher/fletcher", str(ROOT / "fletcher")), encoding="utf-8"
    )
    argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "fletcher.service")]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """As far as there is a Compose to say so; no engine is asked."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker compose")
    argv = [
        docker,
        "--host",
        f"unix://{tmp_path}/none.sock",
        "compose",
        "--file",
        str(ROOT / "docker-compose.yml"),
        "config",
    ]
    told = subprocess.run([*argv, "--quiet"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


# --- ended and started again ----------------------------------------------------------------------

SLOW = """\
---
runbook: 1
id: slow
title: Wait
inputs:
  password: {type: string, secret: true}
---

# Wait

```sh { step name=first effect=change rollback=unfirst timeout=60s }
echo once >>first
until [ -e go ]; do sleep 0.05; done
```

```sh { step name=second effect=change rollback=unsecond }
echo once >>second
echo "the password is $IN_PASSWORD" >&2
exit 1
```

```sh { verify name=works after=second }
true
```

```sh { rollback name=unfirst for=first }
echo once >>unfirst
```

```sh { rollback name=unsecond for=second }
true
```
"""
SECRET = "correct-horse-battery"


@contextmanager
def serve(here: Path) -> Iterator[subprocess.Popen[str]]:
    """`fletcher serve` in a process of its own, until it is seen; killed if it is left running."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "serve"], cwd=here, env=environment, stderr=subprocess.PIPE, text=True
    ) as served:
        try:
            until(lambda: fletcher("serve", "--check").code == 0)
            yield served
        finally:
            served.kill()


def until(so: Callable[[], bool]) -> None:
    """Wait for something that happens; a test that waits too long is ended."""
    while not so():
        time.sleep(0.05)


def ended(served: subprocess.Popen[str]) -> list[dict[str, str]]:
    """End it gently, and read its log."""
    served.send_signal(signal.SIGTERM)
    _, log = served.communicate(timeout=30)
    assert served.returncode == 0
    return [json.loads(line) for line in log.splitlines()]


def state(run: str) -> str:
    """The state of a run."""
    told: str = fletcher("show", run, "--json").json["state"]
    return told


@pytest.fixture
def slow(here: Path) -> Path:
    """The current folder has a runbook whose first step waits for a file."""
    (here / "slow.md").write_text(SLOW, encoding="utf-8")
    log = (RECORDINGS / "inc-071" / "livekit.log").read_text(encoding="utf-8")
    (here / "livekit.log").write_text("".join(log.splitlines(keepends=True)[:5]), encoding="utf-8")
    return here


def test_it_ends_between_two_steps_and_the_next_one_goes_on(slow: Path) -> None:
    """Ended while a question is open and in the middle of a step: nothing is lost, done twice or begun on the way out."""
    with serve(slow) as served:
        left = fletcher("run", "slow.md", "livekit.log", "--input", f"password={SECRET}")
        [run] = [row["id"] for row in fletcher("status", "--json").json["runs"]]
        assert (left.code, f"`fletcher approve {run}`" in left.out, "1. first (change" in left.out) == (3, True, True)
        log = ended(served)
    assert state(run) == "waiting"
    with serve(slow) as served:
        assert "1. first (change" in fletcher("show", run).out
        assert fletcher("approve", run).code == 0
        until((slow / "first").exists)
        served.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert fletcher("serve", "--check").code == 0  # it waits for the step
        (slow / "go").touch()
        log += ended(served)
    assert [(slow / name).exists() for name in ("first", "second")] == [True, False]
    assert state(run) == "running"
    with serve(slow) as served:
        assert fletcher("logs", "-f", run).code == 1
        log += ended(served)
    assert [(slow / name).read_text() for name in ("first", "second", "unfirst")] == ["once\n"] * 3
    assert state(run) == "rolled-back"
    assert all(line["run"] == run for line in log if not line["says"].startswith(("serves", "ends", "has ended")))
    assert any("the password is" in line["says"] for line in log)
    assert SECRET not in json.dumps(log)
