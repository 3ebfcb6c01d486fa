"""The alerts and the figures as Prometheus' own checker takes them (`make test-rules`)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.probes.test_http import filled, served
from tests.rules.promtool import promtool

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "prometheus"


@pytest.mark.parametrize(
    ("verb", "what", "file"),
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "fletcher.rules.yml"),
        ("test", "rules", "fletcher.rules.test.yml"),
    ],
)
def test_the_examples_are_taken(verb: str, what: str, file: str) -> None:
    """Each alert fires when it is to, and not otherwise, as its cases say."""
    done = subprocess.run([promtool(), verb, what, EXAMPLES / file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_process_answers_is_taken(here: Path) -> None:
    """What `serve` really answers, with every figure in it."""
    with filled(here), served(here) as ask:
        told = ask("/metrics").body
    assert b"fletcher_time_to_agent_seconds_bucket" in told
    done = subprocess.run([promtool(), "check", "metrics"], input=told, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, b"", b"")
