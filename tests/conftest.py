"""What every test can use."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout that is tested."""
    return Path(__file__).resolve().parent.parent
