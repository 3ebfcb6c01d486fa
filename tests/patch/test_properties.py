"""What holds for any edit of any configuration file."""

from __future__ import annotations

import difflib
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.source.compose_edit import environment
from bot.source.diff_edit import apply_diff, unified
from bot.source.dotenv import read_dotenv
from bot.source.dotenv_edit import assign
from bot.source.server_edit import target_load
from bot.source.text import SourceText
from bot.source.yaml_edit import merge
from bot.source.yaml_write import inline
from tests.patch.cases import cases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.source.edit import Edited

KINDS = ("yaml", "compose", "server", "dotenv", "diff")
FILES = [case.before for kind in KINDS for case in cases(kind)]
# --- any bytes -------------------------------------------------------------------------------------------------------

PIECES = [line + b"\n" for file in FILES for line in file.split(b"\n")]
PIECES += [
    b"\r\n",
    b"\t",
    b"- ",
    b": ",
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"'",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b"|\n",
    b"#",
    b"---\n",
]
PIECES += [b"A=", b"${", b"\\", b"\xff", b"\xef\xbb\xbf", b"\xc2\x85", b"\0", b"?", b"!x ", b"%", b"  "]
any_file = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.sampled_from(FILES)
)
EDITS: list[Callable[[bytes], Edited]] = [
    lambda raw: merge(raw, "x.yaml", {"a": {"b": 1, "c": None}, "services": None, "d": [1, "x"]}),
    lambda raw: merge(raw, "x.yaml", {"services": {"agent": {"environment": {"A": "x", "B": None}, "ports": ["1"]}}}),
    lambda raw: target_load(raw, "livekit.yaml", 0.9),
    lambda raw: environment(raw, "compose.yaml", "", "A", "x"),
    lambda raw: environment(raw, "compose.yaml", "agent", "A", None),
    lambda raw: assign(raw, ".env", {"A": "x y", "B": None}),
    lambda raw: apply_diff(raw, "x", " a\n-b\n+c\n"),
]


@given(any_file, st.sampled_from(EDITS))
@settings(max_examples=1000)
def test_any_bytes_have_an_outcome_and_an_edit_is_made_once(raw: bytes, edit: Callable[[bytes], Edited]) -> None:
    """Whatever a file holds, it is edited, left alone or refused; what is not edited is the same; twice is once."""
    edited = edit(raw)
    assert edited.reason
    assert (edited.outcome == "edit") == (edited.data != raw)
    assert 0 <= edited.line <= raw.count(b"\n") + edited.data.count(b"\n") + 2
    if edited.outcome != "refused":
        again = edit(edited.data)
        assert (again.outcome, again.data) == ("unchanged", edited.data)


@given(st.text(max_size=60) | st.lists(st.sampled_from(["@@", " a", "-a", "+b", "--- x", "+++ y", ""])).map("\n".join))
def test_any_text_is_a_diff_or_refused(diff: str) -> None:
    """Whatever is written for a diff, applying it has an outcome."""
    assert apply_diff(b"a\nb\na\n", "x", diff).outcome in {"edit", "unchanged", "refused"}


# --- YAML ------------------------------------------------------------------------------------------------------------

texts = st.text(max_size=8) | st.sampled_from(
    ["on", "Yes", "~", "0123", "1e3", "0o7", "1:30", "2026-01-01", ".5", "-", "a: b", "a #b", "=", "<<", "null", "x y"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
keys = st.sampled_from(["a", "b", "c", "key d", "on", "1", "e"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
maps = st.dictionaries(keys, values, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A YAML file as a program or a person may have written it."""
    flow = draw(st.sampled_from([None, False, False, True]))
    text = yaml.safe_dump(
        draw(maps),
        indent=draw(st.sampled_from([2, 3, 4])),
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
    )
    comments = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), max_size=3))
    lines = text.split("\n")
    for at, column in comments:
        lines.insert(min(at, len(lines) - 1), " " * column + "# comment")
    text = "\n".join(lines)
    return draw(st.sampled_from(["", "---\n"])) + (text if draw(st.booleans()) else text.removesuffix("\n"))


def patched(old: object, patch: object) -> object:
    """RFC 7396, in its own words."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        name = next((name for name in result if _text(name) == key), key)
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


def _text(key: object) -> str:
    return key if isinstance(key, str) else ""


@given(documents(), maps)
@settings(max_examples=300)
def test_a_merged_file_says_what_the_patch_asks(text: str, patch: dict[str, object]) -> None:
    """What PyYAML reads afterwards is what the patch makes of what it read before."""
    try:
        before = yaml.safe_load(text)
    except yaml.YAMLError:
        assume(False)
    edited = merge(text.encode("utf-8", "surrogatepass"), "x.yaml", patch)
    if edited.outcome != "refused":
        after = yaml.safe_load(edited.data.decode())
        assert (after or {}) == patched(before or {}, patch)
    else:
        # A comment that cuts a text in two, or a block text that would be touched.
        assert edited.reason


@given(maps, maps)
@settings(max_examples=300)
def test_a_plain_file_is_never_refused(given: dict[str, object], patch: dict[str, object]) -> None:
    """A file as programs write it has nothing in it to refuse."""
    text = yaml.safe_dump(given, default_flow_style=False, sort_keys=False)
    edited = merge(text.encode(), "x.yaml", patch)
    assert edited.outcome != "refused", (text, edited)


@given(st.dictionaries(keys, scalars, min_size=1), st.data())
def test_only_the_line_of_the_key_changes(given: dict[str, object], data: st.DataObject) -> None:
    """Every line but that of the key stays, whatever stands behind it."""
    lines = [f"{inline(key)}:   {inline(_scalar(value))} # {at}" for at, (key, value) in enumerate(given.items())]
    key = data.draw(st.sampled_from(sorted(given)))
    value = data.draw(scalars.filter(lambda value: value is not None))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    raw = end.join(lines).encode()
    edited = merge(raw, "x.yaml", {key: value})
    assert edited.outcome != "refused", edited
    at = list(given).index(key)
    after = edited.data.decode().split(end)
    assert [line for index, line in enumerate(after) if index != at] == lines[:at] + lines[at + 1 :]
    assert after[at].endswith(f" # {at}")


def _scalar(value: object) -> bool | int | float | str | None:
    assert value is None or isinstance(value, bool | int | float | str)
    return value


CORE = [
    (r"null|Null|NULL|~|", "null"),
    (r"true|True|TRUE|false|False|FALSE", "bool"),
    (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "int"),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "float"),
]


@given(scalars)
@settings(max_examples=1000)
def test_a_scalar_is_read_alike_by_both_versions_of_yaml(value: bool | float | str | None) -> None:  # noqa: FBT001
    """What is written without quotes is the same type in YAML 1.1 and in the core schema of YAML 1.2."""
    text = inline(value)
    read = yaml.safe_load(f"a: {text}")["a"]
    assert read == value
    assert type(read) is type(value)
    if text[0] not in "'\"":
        core = next((kind for pattern, kind in CORE if re.fullmatch(pattern, text)), "str")
        kinds = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}
        assert core == kinds[type(value)]
        assert not re.fullmatch("(?i)y|n|yes|no|on|off", text)


# --- .env ------------------------------------------------------------------------------------------------------------

names = st.sampled_from(["A", "B", "C_D", "LIVEKIT_AGENT_NAME"])
plain = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=10)


@given(st.lists(st.tuples(names, plain)), st.dictionaries(names, st.none() | plain), st.booleans())
@settings(max_examples=500)
def test_a_dotenv_file_says_what_is_assigned(
    lines: list[tuple[str, str]],
    values: dict[str, str | None],
    windows: bool,  # noqa: FBT001
) -> None:
    """What the reader reads afterwards is what was asked for; all other lines stay as they are."""
    end = "\r\n" if windows else "\n"
    raw = "".join(f"{name}={value}{end}" for name, value in lines).encode()
    edited = assign(raw, ".env", values)
    quoted = any(value.lstrip()[:1] in {"'", '"', "`"} for _, value in lines)
    if edited.outcome == "refused":
        assert quoted or any("$" in (value or "") for value in [*values.values(), *dict(lines).values()])
        return
    read = {setting.name: setting.value for setting in read_dotenv(SourceText("", edited.data))}
    for name, value in values.items():
        assert read.get(name) == value
    kept = [line for line in raw.split(b"\n") if line.partition(b"=")[0].decode() not in values]
    # A quote may hold what looks like the next line.
    assert (
        quoted or [line for line in edited.data.split(b"\n") if line.partition(b"=")[0].decode() not in values] == kept
    )


# --- diffs -----------------------------------------------------------------------------------------------------------

words = st.sampled_from(["a", "b", "c", "", " x", "- y", "+ z", "-- w", "@@", "\\ no"])
files = st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode(), st.lists(words, max_size=12), st.sampled_from(["", "\n"])
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where `git apply` is tried."""
    return tmp_path_factory.mktemp("apply")


@given(files, files, st.sampled_from(["x.py", "dir/a b.yaml", 'q"uote.txt']))
@settings(max_examples=60)
def test_git_applies_what_is_shown(folder: Path, before: bytes, after: bytes, name: str) -> None:
    """The diff that is shown is one that git takes, and it gives the file that is meant."""
    shown = unified(before, after, name)
    assert bool(shown) == (before != after)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(before)
    if shown:
        command = ["git", "apply", "--unsafe-paths", "--whitespace=nowarn", "-"]
        subprocess.run(command, input=shown.encode(), cwd=folder, check=True, capture_output=True)
    assert path.read_bytes() == after


@given(files, files)
def test_a_shown_diff_is_applied_or_refused(before: bytes, after: bytes) -> None:
    """A diff of whole files makes the one of the other, unless it fits in several places."""
    assume(before and before != after and before.endswith(b"\n") == after.endswith(b"\n"))
    edited = apply_diff(before, "x", unified(before, after, "x"))
    assert edited.outcome in {"edit", "refused", "unchanged"}
    if edited.outcome == "edit" and len(set(before.split(b"\n"))) == len(before.split(b"\n")):
        assert edited.data == after


def test_the_diff_of_a_file_of_windows_is_shown_without_its_carriage_returns() -> None:
    """A carriage return says something only where not all lines have one."""
    assert unified(b"a\r\nb\r\n", b"a\r\nc\r\n", "/x") == "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"
    assert unified(b"a\r\n", b"a\n", "x") == "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\r\n+a\n"


def test_one_line_changes_where_one_has_to() -> None:
    """The files that other writers of YAML turn upside down lose the line of their key, and no other."""
    found = [case for case in cases("yaml") if case.asked.startswith('{"services"') and case.outcome == "after"]
    one_less = [case for case in found if "null" in case.asked]
    assert len(one_less) == 7
    for case in one_less:
        lines = difflib.ndiff(case.before.decode().split("\n"), case.after.decode().split("\n"))
        assert sum(line[0] in "+-" for line in lines) == 1, case.name
