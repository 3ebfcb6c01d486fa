"""What the tests against the real stack share: the stack itself, and the reason why it is not there."""

import os
from collections.abc import Iterator

import pytest

from tests.stack.stack import Stack

NEEDS = "needs the real stack (docker, node and go, or root on Debian): make test-real"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"real: {NEEDS}")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack, healthy at first; every test makes the failure that it needs."""
    if os.environ.get("FLETCHER_REAL") != "1":
        pytest.skip(NEEDS)
    with Stack(name="fletcher-test") as running:
        yield running
