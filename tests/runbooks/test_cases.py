"""Runbooks as their authors get them wrong: each file in cases/ with every line that `lint` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import WrongDocument
from bot.runbook.compile import compile_runbook
from bot.runbook.glance import glance
from tests.fletcher import fletcher

CASES = sorted((Path(__file__).parent / "cases").glob("*.md"))
SHIPPED = sorted((Path(__file__).parents[2] / "runbooks").glob("*.md"))
HERE = CASES[0].parent


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_problem_is_told_at_once(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lint` tells each problem with its place, the line it is in and a caret, and nothing else; then it ends with 2."""
    monkeypatch.chdir(HERE)
    expected = case.with_suffix(".txt").read_text(encoding="utf-8")
    reply = fletcher("runbooks", "lint", case.name)
    *told, last = reply.out.splitlines()
    assert told == expected.splitlines()
    assert reply.code == (2 if expected else 0)
    assert last == ("0 of 1 are" if expected else "1 of 1 is") + " without a problem."


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_sentence_is_one_as_the_house_has_it(case: Path) -> None:
    """Each problem is lower case without a full stop, and its place is in the text."""
    lines = case.read_text(encoding="utf-8").split("\n")
    for problem in fletcher("runbooks", "lint", case, "--json").json["files"][0]["problems"]:
        assert problem["sentence"][0] == problem["sentence"][0].lower()
        assert not problem["sentence"].endswith(".")
        assert 1 <= problem["column"] <= len(lines[problem["line"] - 1]) + 1


@pytest.mark.parametrize("path", [*SHIPPED, HERE / "right.md"], ids=lambda path: path.stem)
def test_a_glance_tells_what_the_whole_does(path: Path) -> None:
    """What a list says of a runbook is what it is when it is read in full."""
    whole, seen = compile_runbook(str(path), path.read_bytes()), glance(path.read_text(encoding="utf-8"))
    grave = max((b.effect for b in whole.blocks), key=["read", "change", "disrupt", "destroy"].index)
    assert (seen.id, seen.title, seen.summary, seen.causes) == (whole.id, whole.title, whole.summary, whole.causes)
    assert (seen.runbook, seen.effect) == (True, grave)


def test_an_html_comment_and_an_example_are_no_blocks() -> None:
    """Neither is told of, nor seen at a glance: a comment is no part of the page, an example only shown."""
    text = "---\nrunbook: 1\nid: a\ntitle: A\n---\n<!--\n```sh { step name=a effect=destroy }\nx\n```\n-->\n\n````md\n```sh { step name=b }\n```\n````\n"
    assert compile_runbook("a.md", text.encode()).blocks == ()
    assert glance(text).effect == "read"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"---\nrunbook: 1\n\xff", "a.md:3:1: is not UTF-8 here; save it as UTF-8"),
        (b"x" * 400_001, "a.md:1:1: is larger than 400 kB; is it the right file?"),
        (b"---\nrunbook: 1\nid: a\ntitle: \x07\n---\n", "a.md:4:8: has a character that YAML does not allow"),
        (
            "---\nrunbook: 1\nid: a\ntitle: 'A\u2028B'\nx: 1\n---\n".encode(),
            "a.md:4:10: has an invisible line separator; write it on one line or on two",
        ),
        (b"---\nrunbook: 1\nid: a\ntitle: A\n---\n\0", "a.md:6:1: has a NUL, which no text has"),
    ],
)
def test_what_is_no_text_is_a_problem(raw: bytes, sentence: str) -> None:
    """Bytes that cannot be read as a text are told like any other mistake."""
    with pytest.raises(WrongDocument) as told:
        compile_runbook("a.md", raw)
    assert told.value.lines == (sentence,)


def test_line_ends_do_not_matter() -> None:
    """A file with CR LF and a byte order mark is the same runbook, its scripts with line feeds."""
    raw = (HERE / "right.md").read_bytes()
    plain = compile_runbook("a.md", raw).blocks
    assert compile_runbook("a.md", b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n")).blocks == plain
