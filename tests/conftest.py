"""What every test can use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The real stack takes minutes and the whole machine: `make test-real` asks for it.
collect_ignore = [] if os.environ.get("FLETCHER_REAL") == "1" else ["live"]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout that is tested."""
    return Path(__file__).resolve().parent.parent


# Slow machines are no bugs, and the gate asks the same questions every time.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")
