"""A server for all of these tests, and three replicas for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import postgres
from tests.replicas.several import Several

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Cluster]:
    """A PostgreSQL."""
    with postgres.cluster() as one:
        yield one


@pytest.fixture
def several(server: postgres.Cluster, tmp_path: Path) -> Iterator[Several]:
    """Three replicas of one place, which were started at once on an empty database."""
    folder = tmp_path / "place"
    found = Several(folder, postgres.database(server.address(), f"t{abs(hash(str(folder))):x}"))
    try:
        found.start(3)
        yield found
    finally:
        found.end()
        for one in found.replicas:
            print(found.log(one))
