"""What every test can use."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from bot.settings import ENVIRONMENT

if TYPE_CHECKING:
    from tests.running import Stack

# The real stack takes minutes and the whole machine: `make test-real` asks for it.
collect_ignore = [] if os.environ.get("FLETCHER_REAL") == "1" else ["live"]
# What judges the Slack door is installed from outside: `make test-slack` asks for it.
collect_ignore += [] if os.environ.get("FLETCHER_SLACK") == "1" else ["slack/full"]
# Several machines need a PostgreSQL: `make test-probes` asks for it.
collect_ignore += [] if os.environ.get("FLETCHER_REPLICAS") == "1" else ["replicas"]

# Prometheus' own checker is fetched: `make test-rules` asks for it.
collect_ignore += [] if os.environ.get("FLETCHER_RULES") == "1" else ["rules"]


@pytest.fixture(scope="session", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting and no engine of this machine takes part in a test that does not ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("FLETCHER_REAL") != "1":
            for name in (
                "LIVEKIT_URL",
                "LIVEKIT_API_KEY",
                "LIVEKIT_API_SECRET",
                "COMPOSE_PROJECT_NAME",
                "DOCKER_CONTEXT",
            ):
                patch.delenv(name, raising=False)
            patch.delenv("DOCKER_HOST", raising=False)
            patch.setenv("DOCKER_CONFIG", str(_no_engine(tmp_path_factory.mktemp("docker"))))
        yield


def _no_engine(folder: Path) -> Path:
    """A folder of Docker's settings whose current context leads to a socket that is not there."""
    name = "none"
    told = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    told.parent.mkdir(parents=True)
    host = {"Host": f"unix://{folder}/docker.sock", "SkipTLSVerify": False}
    told.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": host}}), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"currentContext": name}), encoding="utf-8")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in an environment that sets nothing, as the current one."""
    for name in ENVIRONMENT:
        if name != "DOCKER_CONFIG":  # leads to no engine
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> "Iterator[Stack]":
    """What runs, reached as a person does who stands in the project's folder; its parameter is how long ago it was."""
    from tests.running import running  # loads LiveKit's library

    monkeypatch.chdir(tmp_path)
    with running(tmp_path, getattr(request, "param", 10.0)) as stack:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        yield stack


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout that is tested."""
    return Path(__file__).resolve().parent.parent


# Slow machines are no bugs, and the gate asks the same questions every time.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")
