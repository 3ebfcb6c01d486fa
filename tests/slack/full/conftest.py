"""The parts that `make test-slack` needs, and a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doubles.slack import Slack
from tests.slack.full.parts import Parts, make_parts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def parts() -> Parts:
    """What did not come from us."""
    return make_parts()


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace, in memory."""
    with Slack() as slack:
        yield slack
