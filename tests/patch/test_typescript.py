"""TypeScript and JavaScript files of `cases/typescript`: what each edit makes of them, or why it is refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.source.edit import Want
from tests.patch.edited import Beside, edited, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = {
    path.stem: tomllib.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "cases/typescript").iterdir())
}
RUNS = [
    pytest.param(case, run, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number, run in enumerate(case["want"])
]
EDITS = [
    pytest.param(case, run, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number, run in enumerate(case["want"])
    if "after" in run
]
SOURCES = sorted(
    path
    for path in (Path(__file__).parent.parent / "source/cases").iterdir()
    if path.suffix in {".ts", ".tsx", ".js", ".mjs", ".cjs"}
)
WANTS = (
    Want(name="", dispatch=""),
    Want(name="ganglia", dispatch="ganglia"),
    Want(load="zero"),
    Want(load="real"),
    Want(job_type="JT_PARTICIPANT"),
    Want(job_type=""),
)
FORMS: dict[str, Callable[[str], str]] = {
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "tabs": lambda text: text.replace("  ", "\t"),
    "no last line end": lambda text: text.rstrip("\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "double quotes": lambda text: text.replace("'", '"'),
    "multi-byte": lambda text: (
        text.replace("'key'", "'schlüssel'").replace("// ", "// … é 日本 ").replace("'a'", "'ä'")
    ),
}


def _beside(case: dict[str, Any]) -> Beside:
    return Beside(case.get("env", {}), case.get("versions", {}), case.get("modules", {}))


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_a_file_is_edited_as_its_case_says(case: dict[str, Any], run: dict[str, Any]) -> None:
    """Outcome, reason, line, notes and every byte are as in the case."""
    raw = case["before"].encode()
    found = edited(case["file"], raw, wanted(run), _beside(case))
    assert (found.outcome, found.reason, found.line) == (run["outcome"], run["reason"], run.get("line", 0))
    assert list(found.notes) == run.get("notes", [])
    assert found.data.decode() == run.get("after", case["before"])


@pytest.mark.parametrize(("case", "run"), EDITS)
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_file_is_kept(case: dict[str, Any], run: dict[str, Any], form: str) -> None:
    """What differs in form before differs in the same way afterwards, and in nothing else."""
    if form == "double quotes" and '"' in case["before"]:
        return
    change = FORMS[form]
    raw, after = change(case["before"]).encode(), change(run["after"]).encode()
    found = edited(case["file"], raw, wanted(run), _beside(case)).data
    if form == "tabs":
        # How far a new line is indented depends on the others of the file.
        found, after = re.sub(rb"[ \t]+", b" ", found), re.sub(rb"[ \t]+", b" ", after)
    assert found == after


@pytest.mark.parametrize(("case", "run"), EDITS)
def test_a_second_edit_changes_nothing(case: dict[str, Any], run: dict[str, Any]) -> None:
    """What was edited says what is wanted."""
    found = edited(case["file"], run["after"].encode(), wanted(run), _beside(case))
    assert (found.outcome, found.data) == ("unchanged", run["after"].encode())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize("want", WANTS, ids=repr)
def test_every_file_that_the_reader_knows_gets_an_answer(path: Path, want: Want) -> None:
    """It is edited for good, or left exactly as it was with a reason."""
    _holds(path.name, path.read_bytes(), want)


def test_a_file_in_another_encoding_is_refused() -> None:
    """Its positions cannot be told, so it is to be saved as UTF-8 first."""
    code = "// é\ncli.runApp(new ServerOptions({ agent: 'a', agentName: 'x' }));\n"
    for raw in (code.encode("utf-16"), code.encode("latin-1")):
        found = edited("agent.ts", raw, Want(name=""))
        assert (found.outcome, found.data, found.reason) == ("refused", raw, "is not UTF-8; save it as UTF-8 first")


def _holds(name: str, raw: bytes, want: Want) -> None:
    found = edited(name, raw, want)
    assert found.reason
    if found.outcome != "edit":
        assert found.data == raw
        return
    assert found.data != raw
    assert found.line >= 1
    again = edited(name, found.data, want)
    assert (again.outcome, again.data) == ("unchanged", found.data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_text_gets_an_answer(data: st.DataObject) -> None:
    """A file with a piece cut out, doubled or put in between is edited for good or left alone, and never a crash."""
    case = data.draw(st.sampled_from(sorted(CASES)))
    text = CASES[case]["before"]
    at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 30))
    piece = data.draw(
        st.sampled_from(["", text[at : at + length] * 2, "}", "(", ",", "\n", "'", "// ", "agentName: 'y', "])
    )
    changed = text[:at] + piece + text[at + length :]
    _holds(CASES[case]["file"], changed.encode(), data.draw(st.sampled_from(WANTS)))


KEYS = st.sampled_from(["agentName", "'agentName'", '"agentName"', "['agentName']"])
BLANKS = st.sampled_from(["", " ", "\n  ", "\r\n\t", " /* c */ ", "\n  // c\n  "])
TAILS = st.sampled_from(["", " // tail", " /* tail */"])


@st.composite
def workers(draw: st.DrawFn) -> tuple[str, str]:
    """The options of a worker in some form, and the same without the name (but for blanks and commas)."""
    others = draw(
        st.lists(st.sampled_from(["agent: 'é…'", "port: 1", "...rest()", "production"]), max_size=3, unique=True)
    )
    at = draw(st.integers(0, len(others)))
    named = f"{draw(KEYS)}: {draw(st.sampled_from(['name', chr(39) + 'x' + chr(39), '`x`']))}"
    items = [*others[:at], named, *others[at:]]
    inner = "".join(
        draw(BLANKS) + item + ("," if number < len(items) - 1 or draw(st.booleans()) else "")
        for number, item in enumerate(items)
    )
    tail = draw(TAILS)
    return f"cli.runApp(new ServerOptions({{{inner}{tail}\n}}));\n", named


@given(workers())
@settings(max_examples=200, deadline=None)
def test_a_name_is_taken_out_of_options_in_any_form(made: tuple[str, str]) -> None:
    """Only the property, its comma, its trailing comment and blanks go; a spread that is not known is refused."""
    code, named = made
    found = edited("agent.ts", code.encode(), Want(name=""))
    if found.outcome == "refused":
        assert "rest()" in code
        return
    assert found.outcome == "edit"
    plain = _bare(code.replace(named, "").replace(" // tail", "").replace(" /* tail */", ""))
    assert _bare(found.data.decode().replace(" // tail", "").replace(" /* tail */", "")) == plain


def _bare(code: str) -> str:
    for what in (" ", "\n", "\r", "\t", ",", "/*c*/", "//c"):
        code = code.replace(what, "")
    return code
