"""Whole projects, each in one file of `projects/`: its files between `--- path ---` lines, then what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bot.evidence.project import read_project
from tests.source.described import described

PROJECTS = sorted((Path(__file__).parent / "projects").glob("*.txt"))
_HEAD = re.compile(r"(?m)^--- (\S+) ---\n")


def unpack(path: Path, folder: Path) -> dict[str, object]:
    """Write the files of a project below a folder; what they should say comes back."""
    parts = _HEAD.split(path.read_text())
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    expected = json.loads(files.pop("expected.json"))
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert isinstance(expected, dict)
    return expected


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.stem)
def test_a_project_says_what_it_expects(path: Path, tmp_path: Path) -> None:
    """A project's folder gives exactly the setup that stands at the end of its file."""
    expected = unpack(path, tmp_path)
    assert described(read_project(tmp_path), str(tmp_path)) == expected
