"""What the README claims."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fletcher import fletcher
from tests.picture import PICTURE, lines, svg

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_is_what_the_demo_prints() -> None:
    """docs/demo.svg shows today's answer; `python -m tests.picture` draws it anew."""
    assert PICTURE.read_text(encoding="utf-8") == svg(lines())


def test_every_option_in_the_readme_exists() -> None:
    """No option is promised that no verb has."""
    verbs = ("diagnose", "plan", "patch", "run", "report", "probes")
    known = {option for verb in verbs for option in re.findall(r"--[a-z-]+", fletcher(verb, "--help").out)}
    assert set(re.findall(r"(?<=[ `])--[a-z-]+", README)) <= known


def test_every_link_in_the_documents_leads_somewhere() -> None:
    """Links between the documents of this repository are whole."""
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_begins_with_two_sentences_a_picture_and_two_commands() -> None:
    """A newcomer finds what it is, how it looks and what to run, in that order."""
    body = README.split("\n\n")
    assert len(re.split(r"(?<=[.?*]) (?=[A-Z])", " ".join(body[1].split()))) == 2
    assert body[2].startswith("![")
    assert [line.split("  ")[0] for line in body[3].splitlines()[1:-1]] == ["make demo", "make check test"]
