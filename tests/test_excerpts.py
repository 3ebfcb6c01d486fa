"""Each `.md` in `excerpts/` is something a person pasted, beside what may be concluded from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fletcher import diagnose, fletcher

EXCERPTS = sorted((Path(__file__).parent / "excerpts").glob("*.md"))
each = pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.stem)


@each
def test_an_excerpt_proves_what_its_lines_prove_and_no_more(path: Path) -> None:
    """Rows, causes, cited lines and what is lacking are those of the case, whether the text is piped or in a file."""
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    for reply in (diagnose("-", stdin=path.read_bytes()), diagnose(path)):
        answer = reply.json
        assert answer["verdict"] == expected["verdict"]
        assert [[row["room"], row["cause"]] for row in answer["rooms"]] == expected["rows"]
        assert sorted({e["line"] for row in answer["rooms"] for e in row["evidence"]}) == expected["lines"]
        assert expected.get("says", "") in " ".join(row["summary"] for row in answer["rooms"])
        assert expected.get("note", "") in " ".join(answer["notes"])
        assert expected.get("lacks", "") in answer["sources"][0]["note"]
        assert set(expected.get("missing", [])) <= {m["source"] for row in answer["rooms"] for m in row["missing"]}


@each
def test_what_is_cited_stands_on_the_line_that_is_named(path: Path) -> None:
    """Every cited text is the beginning of the line of that number, so that a person finds it."""
    lines = path.read_text("utf-8").splitlines()
    for row in diagnose("-", stdin=path.read_bytes()).json["rooms"]:
        for cited in row["evidence"]:
            assert " ".join(lines[cited["line"] - 1].split()).startswith(" ".join(cited["text"].split())[:60])


@each
def test_an_excerpt_is_never_called_a_whole_log(path: Path) -> None:
    """The answer says that it saw an excerpt, which of its lines it took, or that it took none."""
    out = fletcher("diagnose", "-", stdin=path.read_bytes()).out
    assert "standard input: excerpt" in out or "standard input: agent log" in out
    assert "taken as evidence" in " ".join(out.split())


@each
def test_quoted_in_a_mail_an_excerpt_proves_the_same(path: Path) -> None:
    """A `> ` before every line changes no cause where a record has one line, nor do Windows' line ends anywhere."""
    text = path.read_bytes()
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    others = [text.replace(b"\n", b"\r\n")]
    if not expected.get("over_several_lines"):
        others.append(b"".join(b"> " + line + b"\n" for line in text.splitlines()))
    for other in others:
        rows = diagnose("-", stdin=other).json["rooms"]
        assert [[row["room"], row["cause"]] for row in rows] == expected["rows"]
