"""What the documents claim about causes and forms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.livekit.lines import Tally, records
from bot.livekit.remedies import REMEDY, RUNBOOK
from bot.livekit.skim import chunk_of

DOCS = Path(__file__).parent.parent / "docs"
CAUSES = (DOCS / "causes.md").read_text(encoding="utf-8")
FORMS = (DOCS / "forms.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```log (\S+)\n(.*?)^```$", FORMS, re.MULTILINE | re.DOTALL)


def test_every_cause_has_its_section_and_its_remedy() -> None:
    """docs/causes.md and the remedies name the same causes, and runbooks treat known ones."""
    sections = set(re.findall(r"^### ([a-z-]+)$", CAUSES, re.MULTILINE))
    assert sections == set(REMEDY)
    assert set(RUNBOOK) <= sections


def test_the_code_gives_no_cause_that_is_not_documented() -> None:
    """Every id that stands as a cause in the decision procedure is in docs/causes.md."""
    source = "".join(p.read_text(encoding="utf-8") for p in (DOCS.parent / "bot" / "livekit").glob("*.py"))
    given = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)",\s+0\.\d', source))
    assert given
    assert given <= set(REMEDY)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=lambda value: value[:24])
def test_every_example_of_a_form_is_read_as_it_claims(kind: str, text: str) -> None:
    """Each example in docs/forms.md gives exactly the record above it; prose gives none."""
    found = [record.kind for record, _line, _offset in records([chunk_of(text.encode())], Tally())]
    assert found == ([] if kind == "none" else [kind])
