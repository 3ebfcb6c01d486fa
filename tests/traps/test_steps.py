"""Traps into which those who run steps fell, by their number in our list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.steps.shell import Shell
from tests.steps.doing import bench, script

if TYPE_CHECKING:
    from pathlib import Path

    from bot.runbook.document import Language

EVIL = (
    "; touch x", "$(touch x)", "`touch x`", "' ; touch x ; '", '" ; touch x ; "', "\n touch x \n", "| touch x", "&& touch x", "${IFS}touch${IFS}x",
    "-rf x", "$IN_OTHER", "\\'; touch x #", "'); __import__('os').system('touch x'); ('", "a\tb  c *",
)  # fmt: skip
SHOWS: dict[Language, str] = {
    "sh": 'printf "%s" "$IN_LABEL"',
    "bash": 'printf "%s" "$IN_LABEL"',
    "python": "import os; print(os.environ['IN_LABEL'], end='')",
}


@pytest.mark.parametrize("language", SHOWS)
@pytest.mark.parametrize("value", EVIL)
def test_T18_an_input_is_never_read_by_a_shell(tmp_path: Path, value: str, language: Language) -> None:
    """It comes as an environment variable, byte for byte, and starts nothing: not even unquoted."""
    with bench(tmp_path) as at:
        kind = Shell()
        for text in (
            SHOWS[language],
            *([SHOWS[language].replace('"$IN_LABEL"', "$IN_LABEL")] * (language != "python")),
        ):
            task = script(at, text, {"label": value, "other": "o"}, language=language)
            outcome = kind.perform(task, kind.remember(task, at.doing), at.doing)
            assert outcome.state == "done"
            if text == SHOWS[language]:
                assert at.stored(outcome.output) == value.encode()
        assert list(at.project.iterdir()) == []
