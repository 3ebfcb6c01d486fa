"""What the tests against the real stack share: the machine, the incidents, and the reason why they are not made."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.live.scenes import Scenes
from tests.stack import engine
from tests.stack.places import WORK

NEEDS = "needs the real stack (docker, node and go, or root on Debian): make test-real"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"real: {NEEDS}")


@pytest.fixture(scope="session")
def machine() -> Iterator[None]:
    """May be used for real; an engine that was started here does not stay."""
    if os.environ.get("FLETCHER_REAL") != "1":
        pytest.skip(NEEDS)
    ran = engine.answers()
    try:
        yield
    finally:
        if not ran and not engine.is_used():
            engine.stop()


@pytest.fixture(scope="session")
def scenes(machine: None) -> Iterator[Scenes]:  # noqa: ARG001  # what it is for ends after this
    """The incidents, each made when a test first asks for it; nothing that was started here stays."""
    with closing(Scenes(WORK / "incidents")) as made:
        yield made
