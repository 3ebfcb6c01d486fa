"""Each file in `cases/` beside what it says, as `<file>.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.evidence.project import read_project
from tests.source.described import described

CASES = Path(__file__).parent / "cases"
EXPECTED = {path for path in CASES.iterdir() if path.suffix == ".json" and path.with_suffix("").exists()}
FILES = sorted(set(CASES.iterdir()) - EXPECTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_says_what_its_case_expects(path: Path) -> None:
    """A source file gives exactly the workers, dispatches and tokens that its case lists."""
    expected = json.loads(path.with_name(path.name + ".json").read_text())
    assert described(read_project(path)) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("change", ["bom", "crlf", "tabs"])
def test_the_form_of_a_file_changes_nothing(path: Path, change: str, tmp_path: Path) -> None:
    """A byte order mark, carriage returns or tabs leave names, types and line numbers as they are."""
    raw = path.read_bytes()
    if change == "bom":
        raw = b"\xef\xbb\xbf" + raw
    elif change == "crlf":
        raw = raw.replace(b"\n", b"\r\n")
    elif change == "tabs" and path.suffix != ".py":
        raw = raw.replace(b"  ", b"\t")
    elif change == "tabs":
        raw = raw.replace(b"    ", b"\t")
    copy = tmp_path / path.name
    copy.write_bytes(raw)
    assert described(read_project(copy)) == described(read_project(path))
