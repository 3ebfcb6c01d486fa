"""What every test can use."""

from pathlib import Path

import pytest
from hypothesis import settings


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout that is tested."""
    return Path(__file__).resolve().parent.parent


# Slow machines are no bugs, and the gate asks the same questions every time.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")
