"""What docs/runbooks.md says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from bot.runbook.blocks import KINDS
from bot.runbook.changes import MODES
from bot.runbook.compile import compile_runbook
from bot.runbook.document import AnyBlock, InputType
from bot.runbook.weigh import WORDS
from tests.fletcher import fletcher

DOC = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^````markdown\n(.*?)^````$", DOC, re.MULTILINE | re.DOTALL)
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", DOC, re.MULTILINE))


def test_the_example_is_right() -> None:
    """The runbook that an author copies has no problem."""
    assert [compile_runbook("docs/runbooks.md", text.encode()).id for text in EXAMPLES] == ["agent-deaf-turn-off"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_with_its_attributes(kind: str) -> None:
    """The table of kinds has each one's languages and attributes, and no other."""
    languages, _, attributes = ROWS[kind].split(" | ")
    assert set(attributes.strip("`").split()) == set(KINDS[kind].attributes)
    assert set(re.findall(r"\b(?:yaml|sh|bash|python|diff|dotenv)\b", languages)) <= set(KINDS[kind].languages)


def test_the_words_are_those_of_the_code() -> None:
    """Kinds, modes, types of inputs and verdicts are told completely."""
    assert {str(kind.__struct_config__.tag) for kind in get_args(AnyBlock)} == set(KINDS)
    assert set(MODES) <= set(ROWS)
    assert f"Types of inputs: {', '.join(get_args(InputType))}." in DOC
    assert all(word in DOC for word in WORDS)


def test_the_calls_are_there() -> None:
    """Every action that the document shows is one of the verb's."""
    told = fletcher("runbooks", "--help").out
    for action in set(re.findall(r"^fletcher runbooks (\w+)", DOC, re.MULTILINE)):
        assert f"  {action} " in told
