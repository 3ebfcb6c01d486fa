"""Three processes of `fletcher serve` on one PostgreSQL, of which one is killed and one is frozen while probes are due.

Asked of `make test-probes`. A probe's script writes down when it looked, so that what was really done is counted outside of
Fletcher's own tables.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FLETCHER_PROBES"), reason="three processes: make test-probes"),
    pytest.mark.timeout(300),
]

ROOT: Final = Path(__file__).parents[3]
NAMES: Final = tuple(f"probe-{number}" for number in range(20))
EVERY: Final = 10  # seconds; longer than it takes to see that somebody is frozen, since what comes meanwhile is missed
SLOTS: Final = 100  # of all probes together
RUNS: Final = 3
LOST: Final = 75  # the exit code of a process that was taken for dead
PROBE: Final = """\
---
runbook: 1
id: looks
title: Looks
inputs: {{name: {{type: string}}}}
schedule: 10s
---
# Looks
```sh {{ check name=trouble }}
echo "$IN_NAME" >> {folder}/looked
sleep 0.2
exit 1
```
"""
STEPS: Final = """\
---
runbook: 1
id: steps
title: Steps
inputs: {{run: {{type: string}}}}
---
# Steps
```sh {{ check name=always }}
exit 0
```
```sh {{ step name=one when=always }}
echo one-$IN_RUN >> {folder}/done
sleep 2
```
```sh {{ step name=two when=always }}
echo two-$IN_RUN >> {folder}/done
sleep 2
```
```sh {{ step name=three when=always }}
echo three-$IN_RUN >> {folder}/done
```
```sh {{ verify name=there }}
grep -q three-$IN_RUN {folder}/done
```
"""


class Replica:
    """One `fletcher serve`."""

    def __init__(self, folder: Path, address: str, number: int) -> None:
        self.log = folder / f"serve-{number}.log"
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), "FLETCHER_DATABASE": address,
            "FLETCHER_HOME": str(folder / ".fletcher"), "DOCKER_HOST": f"unix://{folder}/none",
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve"], cwd=folder, env=environment, stdout=log, stderr=log
            )

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return "serves from" in self.log.read_text(encoding="utf-8")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@pytest.fixture
def address() -> Iterator[str]:
    """A database of this test alone."""
    with postgres.cluster() as cluster:
        yield postgres.database(cluster.address(), "probes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the replicas are started: the probes, each with a name of its own, and a runbook with three steps."""
    (tmp_path / "looks.md").write_text(PROBE.format(folder=tmp_path), encoding="utf-8")
    (tmp_path / "steps.md").write_text(STEPS.format(folder=tmp_path), encoding="utf-8")
    declared = (
        f'[[probe]]\nrunbook = "looks.md"\nname = "{name}"\nevery = "{EVERY}s"\ninputs = {{name = "{name}"}}\n'
        for name in NAMES
    )
    (tmp_path / "fletcher.toml").write_text("\n".join(declared), encoding="utf-8")
    (tmp_path / "looked").touch()
    (tmp_path / "done").touch()
    for number in range(RUNS):
        (tmp_path / f"project-{number}").mkdir()
        (tmp_path / f"project-{number}" / "agent.py").write_text("import livekit.agents\n", encoding="utf-8")
    return tmp_path


def test_one_is_killed_and_one_is_frozen(folder: Path, address: str) -> None:
    """No slot is looked into twice or lost, and what the dead one was doing is ended by the others.

    A look that was broken off is made again by somebody else, so that as many scripts more may have been begun as looks
    were going on where somebody died; what came of each slot is written down once.
    """
    replicas = [Replica(folder, address, number) for number in range(3)]
    try:
        until(lambda: all(one.ready for one in replicas))
        first = int(time.time()) + 1
        end = first + SLOTS // len(NAMES) * EVERY
        orders(folder, address)
        until(lambda: len((folder / "done").read_text().split()) == RUNS)  # each in the middle of its first step
        killed = owner(address, replicas, "run-0")
        broken = {run for run in states(address) if owner(address, replicas, run) is killed}
        killed.signal(signal.SIGKILL)
        for run in sorted(broken):
            until(lambda run=run: states(address)[run] == "unknown")  # type: ignore[misc]  # nobody can tell what a script did that was killed
            resume(folder, address, run)
        frozen, healthy = (one for one in replicas if one is not killed)
        until(lambda: states(address) == {f"run-{number}": "done" for number in range(RUNS)})
        frozen.signal(signal.SIGSTOP)
        time.sleep(14)
        frozen.signal(signal.SIGCONT)
        assert frozen.process.wait(30) == LOST, "it acts on, though it was taken for dead"
        until(lambda: time.time() >= end)
        until(lambda: {state for _, slot, state in slots(address) if slot < end} <= {"done", "missed"})
        healthy.signal(signal.SIGTERM)
        assert healthy.process.wait(30) == 0
    finally:
        for one in replicas:
            one.process.kill()
            one.process.wait()
    looked = (folder / "looked").read_text().split()
    for name in NAMES:
        own = {slot: state for probe, slot, state in slots(address) if probe == name}
        found = [state for slot, state in own.items() if first <= slot < end]
        assert found == ["done"] * (SLOTS // len(NAMES)), own
        whole = [slot for slot, state in own.items() if state == "done"]
        assert len(whole) <= looked.count(name) <= len(whole) + 2
    done = (folder / "done").read_text().split()
    begun = {f"{step}-{number}": 1 for step in ("one", "two", "three") for number in range(RUNS)}
    assert {line: done.count(line) for line in done} == {**begun, **{run.replace("run", "one"): 2 for run in broken}}


def orders(folder: Path, address: str) -> None:
    """Order a run in each project."""
    from bot.engine.front import Front
    from bot.engine.values import Order, Person

    with Front(folder / ".fletcher", None, address) as front:
        for number in range(RUNS):
            front.submit(
                Order(
                    id=f"run-{number}", runbook=str(folder / "steps.md"), person=Person("ann", "terminal"), at=time.time(),
                    inputs={"run": str(number)}, here=str(folder / f"project-{number}"), yes=True,
                    files=(("project", str(folder / f"project-{number}")),),
                )
            )  # fmt: skip


def slots(address: str) -> list[tuple[str, int, str]]:
    """Every slot that is written down: of which probe, when, and how it stands."""
    found = postgres.rows(address, "SELECT probe, slot, state FROM slots ORDER BY slot")
    return [(str(probe), int(str(slot)), str(state)) for probe, slot, state in found]


def states(address: str) -> dict[str, str]:
    """How the runs stand."""
    return {str(row[0]): str(row[1]) for row in postgres.rows(address, "SELECT id, state FROM runs")}


def resume(folder: Path, address: str, run: str) -> None:
    """Let somebody say that the step is to be done again."""
    from bot.engine.front import Front
    from bot.engine.values import Person

    with Front(folder / ".fletcher", None, address) as front:
        front.resume(run, Person("ann", "terminal"))


def owner(address: str, replicas: list[Replica], run: str) -> Replica:
    """Which of them carries out a run."""
    owners = postgres.rows(address, "SELECT o.run, e.holder FROM owners o JOIN executors e ON e.id = o.executor")
    found = {str(row[0]): str(row[1]) for row in owners}
    process = json.loads(found[run])["pid"]
    return next(one for one in replicas if one.process.pid == process)


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds, and fail where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
