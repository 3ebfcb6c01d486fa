"""Edits of configuration files, case by case: exactly the file that is wanted, and nothing the second time."""

from __future__ import annotations

import json

import pytest

from bot.source.compose_edit import environment
from bot.source.diff_edit import apply_diff
from bot.source.dotenv_edit import assign
from bot.source.server_edit import target_load
from bot.source.yaml_edit import merge
from tests.patch.cases import Case, cases
from tests.patch.judge import judge


@pytest.mark.parametrize("case", cases("yaml"), ids=str)
def test_merge(case: Case) -> None:
    """A merge patch."""
    judge(case, lambda raw: merge(raw, "x.yaml", json.loads(case.asked)))


@pytest.mark.parametrize("case", cases("compose"), ids=str)
def test_environment(case: Case) -> None:
    """A variable of a service."""
    service, name, value = json.loads(case.asked)
    judge(case, lambda raw: environment(raw, "compose.yaml", service, name, value))


@pytest.mark.parametrize("case", cases("server"), ids=str)
def test_target_load(case: Case) -> None:
    """The load at which a worker is full."""
    judge(case, lambda raw: target_load(raw, "config.yaml", json.loads(case.asked)))


@pytest.mark.parametrize("case", cases("dotenv"), ids=str)
def test_assign(case: Case) -> None:
    """Variables of a `.env` file."""
    judge(case, lambda raw: assign(raw, ".env", json.loads(case.asked)))


@pytest.mark.parametrize("case", cases("diff"), ids=str)
def test_apply_diff(case: Case) -> None:
    """A diff as it is written in a runbook."""
    judge(case, lambda raw: apply_diff(raw, "x", case.asked))


@pytest.mark.parametrize(
    ("name", "value", "notes"),
    [
        ("A", None, ("agent has env_file as well; see whether A comes from there.",)),
        ("B", None, (
            "agent has env_file as well; see whether B comes from there.",
            "B was taken from outside; what sets it there is no longer passed on.",
        )),
        ("C", "1", ()),
        ("C", None, ("agent has env_file as well; see whether C comes from there.",)),
    ],
)  # fmt: skip
def test_what_else_gives_a_variable_is_said(name: str, value: str | None, notes: tuple[str, ...]) -> None:
    """Removing a variable from one place does not take it away where another gives it."""
    raw = b"services:\n  agent:\n    env_file: .env\n    environment:\n      A: 1\n      B: ${B}\n      D: 1\n"
    assert environment(raw, "compose.yaml", "agent", name, value).notes == notes


def test_a_comment_above_what_goes_is_mentioned() -> None:
    """Whether a comment still says what is so is for a person to see."""
    edited = merge(b"a: 1\n# about b\nb: 2\n", "x.yaml", {"b": None})
    assert edited.notes == ("The comment above line 3 stays; see whether it still says what is so.",)
    assert merge(b"a: 1\n\n# c\n\nb: 2\n", "x.yaml", {"b": None}).notes == ()


def test_the_first_of_two_assignments_is_mentioned() -> None:
    """The last assignment counts, and the reader of the file may not know."""
    edited = assign(b"A=1\nA=2\n", ".env", {"A": "3"})
    assert edited.notes == ("A is set in line 1 as well; the last one counts.",)


@pytest.mark.parametrize("raw", [b"a: \xff\n", b"a: 1\0", b"\xff\xfea\0:\0 \x001\0", b"a: 1\r b: 2", b"[" * 999])
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    """Files that cannot be edited without guessing are left alone."""
    assert merge(raw, "x.yaml", {"a": 2}).outcome == "refused"


@pytest.mark.parametrize("patch", [{"a": {1}}, {"a": {1: 2}}, {"a": [{"b": object()}]}])
def test_a_patch_of_what_yaml_does_not_agree_on_is_refused(patch: dict[str, object]) -> None:
    """What has no form that every reader reads alike is not written."""
    assert merge(b"a: 1\n", "x.yaml", patch).outcome == "refused"


def test_bytes_of_another_encoding_stay_in_a_dotenv_file() -> None:
    """An old comment in Latin-1 is no reason to refuse, as long as nothing of UTF-8 joins it."""
    raw = b"# \xe4\nA=1\n"
    assert assign(raw, ".env", {"A": "2"}).data == b"# \xe4\nA=2\n"
    assert assign(raw, ".env", {"A": "\u00e4"}).outcome == "refused"
