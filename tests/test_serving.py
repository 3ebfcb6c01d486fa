"""What is shipped to run `fletcher serve`: the compose service and the systemd unit call verbs that are there."""

from __future__ import annotations

import configparser
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.fletcher import fletcher

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
