"""Python files of `cases/python`: what each edit makes of them, or why it is refused."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.source.edit import Want
from bot.source.splice import BOM
from tests.patch.edited import beside, edited, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
CASES = {path.stem: tomllib.loads(path.read_text()) for path in sorted((HERE / "cases/python").iterdir())}
RUNS = [
    pytest.param(case, run, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number, run in enumerate(case["want"])
]
SOURCES = sorted((HERE.parent / "source/cases").glob("*.py"))
WANTS = (
    Want(name="", dispatch=""),
    Want(name="new", dispatch="new"),
    Want(load="zero"),
    Want(load="real"),
    Want(job_type="JT_PUBLISHER"),
    Want(job_type="JT_PARTICIPANT"),
    Want(job_type=""),
)
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "carriage returns": lambda raw: raw.replace(b"\n", b"\r\n"),
    "tabs": lambda raw: raw.replace(b"    ", b"\t"),
    "no last line end": lambda raw: raw.rstrip(b"\n"),
    "byte order mark": lambda raw: BOM + raw,
    "double quotes": lambda raw: raw.replace(b"'", b'"') if b'"' not in raw else raw,
    "multi-byte": lambda raw: raw.replace(b"# ", "# … é 日本 ".encode()).replace(b'"me"', '"schlüssel"'.encode()),
}


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_a_file_is_edited_as_its_case_says(case: dict[str, Any], run: dict[str, Any]) -> None:
    """Outcome, reason, line, notes and every byte are as in the case."""
    found = edited(case["file"], case["before"].encode(), wanted(run), beside(case))
    assert (found.outcome, found.reason, found.line) == (run["outcome"], run["reason"], run.get("line", 0))
    assert list(found.notes) == run.get("notes", [])
    assert found.data.decode() == run.get("after", case["before"])


@pytest.mark.parametrize(("case", "run"), RUNS)
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_file_is_kept(case: dict[str, Any], run: dict[str, Any], form: str) -> None:
    """What differs in form before differs in the same way afterwards, and in nothing else."""
    change, before = FORMS[form], case["before"].encode()
    if change(before) == before:
        return
    found = edited(case["file"], change(before), wanted(run), beside(case))
    assert found.data == change(run.get("after", case["before"]).encode())


@pytest.mark.parametrize(("case", "run"), RUNS)
def test_a_second_edit_changes_nothing(case: dict[str, Any], run: dict[str, Any]) -> None:
    """What was edited is what is wanted, and it is still Python."""
    if "after" in run:
        after = run["after"].encode()
        again = edited(case["file"], after, wanted(run), beside(case))
        assert (again.outcome, again.data) == ("unchanged", after)
        ast.parse(after)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize("want", WANTS, ids=repr)
def test_every_file_that_the_reader_knows_gets_an_answer(path: Path, want: Want) -> None:
    """It is edited for good, or left exactly as it was with a reason."""
    raw = path.read_bytes()
    found = edited(path.name, raw, want)
    assert found.reason
    assert (found.data != raw) == (found.outcome == "edit")
    if found.outcome == "edit":
        again = edited(path.name, found.data, want)
        assert (again.outcome, again.data) == ("unchanged", found.data)


def test_a_file_in_another_encoding_is_refused() -> None:
    """Its positions cannot be told, so it is to be saved as UTF-8 first."""
    code = '# é\ncli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name="x"))\n'
    for raw in (code.encode("utf-16"), code.encode("latin-1")):
        found = edited("agent.py", raw, Want(name=""))
        assert (found.outcome, found.data, found.reason) == ("refused", raw, "is not UTF-8; save it as UTF-8 first")


def test_what_a_package_offers_stays_imported() -> None:
    """An import of `__init__.py` may be there for others, so that it stays without a use of its own."""
    code = "from .names import AGENT\n\ncli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name=AGENT))\n"
    after = code.replace(", agent_name=AGENT", "")
    assert edited("agent/__init__.py", code.encode(), Want(name="")).data.decode() == after
    assert "import" not in edited("agent/main.py", code.encode(), Want(name="")).data.decode()
