"""Each Python file in `cases/python` beside what becomes of it, as `<file>.json`: one entry for each thing wanted."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from bot.source.splice import BOM
from tests.patch.in_python import beside, difference, edited, wanted

CASES = Path(__file__).parent / "cases" / "python"
WHATS = ("name", "dispatch", "load", "job_type", "env", "versions")


def _cases() -> list[tuple[Path, dict[str, Any]]]:
    return [(path, case) for path in sorted(CASES.glob("*.py")) for case in json.loads(_beside(path).read_text())]


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _id(given: object) -> str:
    if isinstance(given, Path):
        return given.stem
    return ",".join(f"{key}={given[key]}" for key in WHATS if key in given) if isinstance(given, dict) else ""


@pytest.mark.parametrize(("path", "case"), _cases(), ids=_id)
def test_a_file_becomes_what_its_case_expects(path: Path, case: dict[str, Any]) -> None:
    """Only these lines differ, or nothing does and the reason and the line say why."""
    raw = path.read_bytes()
    found = edited(raw, wanted(case), beside(case))
    assert (found.outcome, found.reason, found.line) == (case["outcome"], case["reason"], case["line"])
    assert difference(raw, found.data) == case.get("diff", [])
    assert list(found.notes) == case.get("notes", [])


@pytest.mark.parametrize(("path", "case"), _cases(), ids=_id)
@pytest.mark.parametrize("form", ["crlf", "bom", "tabs", "open"])
def test_the_form_of_a_file_stays(path: Path, case: dict[str, Any], form: str) -> None:
    """Ends of lines, a byte order mark, tabs and a last line without an end stay, and change nothing else."""
    raw = path.read_bytes().removeprefix(BOM).replace(b"\r\n", b"\n")
    plain = edited(raw, wanted(case), beside(case))
    if form == "tabs" and b"\t" not in _formed(raw, form):
        return  # nothing in it is indented
    formed = edited(_formed(raw, form), wanted(case), beside(case))
    assert (formed.outcome, formed.reason, formed.line) == (plain.outcome, plain.reason, plain.line)
    assert formed.data == _formed(plain.data, form)


def _formed(raw: bytes, form: str) -> bytes:
    match form:
        case "crlf":
            return raw.replace(b"\n", b"\r\n")
        case "bom":
            return BOM + raw
        case "tabs":
            return raw.replace(b"    ", b"\t")
    return raw.rstrip(b"\n")


@pytest.mark.parametrize(("path", "case"), _cases(), ids=_id)
def test_a_second_run_changes_nothing(path: Path, case: dict[str, Any]) -> None:
    """What was edited is what was wanted, and it is still Python."""
    raw = path.read_bytes()
    found = edited(raw, wanted(case), beside(case))
    again = edited(found.data, wanted(case), beside(case))
    assert again.data == found.data
    assert again.outcome == ("refused" if found.outcome == "refused" else "unchanged")
    if found.outcome == "edit":
        ast.parse(found.data)
