"""The failures that can be made differ from the working project in what fails, and in nothing else."""

from __future__ import annotations

import difflib

import pytest

from tests.stack.places import EXAMPLES, FAILURES
from tests.stack.stack import failures


def test_every_failure_says_what_is_wrong() -> None:
    """The first line of its settings is a sentence for a person."""
    assert "none" in failures()
    assert all(sentence.endswith(".") for sentence in failures().values())


@pytest.mark.parametrize("failure", sorted(failures()))
def test_a_failure_changes_only_what_fails(failure: str) -> None:
    """Its sources are the project's own but for a few lines, so that they do not grow apart."""
    for path in sorted((FAILURES / failure).rglob("*.ts")):
        own = (EXAMPLES / "voice-agent" / path.relative_to(FAILURES / failure)).read_text(encoding="utf-8")
        changed = [
            line
            for line in difflib.ndiff(own.splitlines(), path.read_text(encoding="utf-8").splitlines())
            if line.startswith(("+ ", "- "))
        ]
        assert 0 < len(changed) <= 7, changed
