"""The answer of --json, held to the schema that `fletcher schema` prints and docs/ shows."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.fletcher import RECORDINGS, Reply, diagnose, fletcher
from tests.variants import CASES, answer

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "docs" / "diagnose.schema.json"
EXCERPTS = sorted((ROOT / "tests" / "excerpts").glob("*.md"))
FIRST = ["schema", "verdict", "rooms"]
ROW = ["room", "room_id", "verdict", "cause", "confidence", "summary", "evidence", "missing", "runbook"]


@cache
def schema() -> dict[str, Any]:
    """The schema that the command prints."""
    printed: dict[str, Any] = json.loads(fletcher("schema").out)
    return printed


@cache
def strict() -> Draft202012Validator:
    """The same, with no room for a key that is not in it."""
    closed: dict[str, Any] = json.loads(json.dumps(schema()))
    for definition in closed["$defs"].values():
        definition["additionalProperties"] = False
    return Draft202012Validator(closed)


def check(reply: Reply) -> None:
    """The answer has the schema's keys and values, no other, and hangs together."""
    document = reply.json
    assert [error.message for error in strict().iter_errors(document)] == []
    assert list(document)[:3] == FIRST
    for row in document["rooms"]:
        assert set(ROW) <= set(row)
        assert (row["cause"] is not None) == (row["verdict"] == "cause")
        assert 0 <= row["confidence"] <= 1
        assert row["summary"]
        assert row["evidence"] or row["verdict"] == "inconclusive"
        assert row["missing"] or row["verdict"] != "inconclusive"
        assert all(e["line"] >= 1 and e["says"] and e["source"] for e in row["evidence"])


def test_the_schema_is_a_schema() -> None:
    """What is published is valid JSON Schema, and every type in it says what it is."""
    Draft202012Validator.check_schema(schema())
    assert all(definition["description"] for definition in schema()["$defs"].values())


def test_the_published_schema_is_current() -> None:
    """docs/diagnose.schema.json is what `fletcher schema` prints: write it anew with `fletcher schema > …`."""
    assert PUBLISHED.read_text(encoding="utf-8") == fletcher("schema").out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_to_a_recording_fits_the_schema(case: Path) -> None:
    """Every recording's answer fits, for all rooms and for the one of the complaint."""
    check(answer(case))
    room = json.loads((case / "case.json").read_text())["room"]
    asked = diagnose("--server-log", case / "livekit.log", "--room", room)
    check(asked)
    assert asked.json["rooms"][0]["room"] == room
    assert asked.json["rooms"][0]["story"] or asked.json["rooms"][0]["room_id"] is None


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.stem)
def test_the_answer_to_an_excerpt_fits_the_schema(path: Path) -> None:
    """So does every answer to pasted lines."""
    check(diagnose("-", stdin=path.read_bytes()))


def test_other_answers_fit_the_schema() -> None:
    """So do a project's, a token's and an endpoint's alone, and the demo's."""
    case = RECORDINGS / "inc-001"
    check(diagnose("--project", case / "agent"))
    check(diagnose("--token", case / "token.json"))
    check(diagnose("--worker-endpoint", case / "worker-endpoint.json"))
    check(diagnose("--livekit-config", case / "livekit.yaml"))
    check(diagnose("--agent-log", case / "agent.log", "--room", "nobody's"))
    check(fletcher("demo", "--json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_over_all_follows_from_the_rows(case: Path) -> None:
    """Any cause is a cause, else any open row is inconclusive, else all is healthy."""
    document = answer(case).json
    words = {row["verdict"] for row in document["rooms"]}
    expected = next(word for word in ("cause", "inconclusive", "healthy") if word in words)
    assert document["verdict"] == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_cited_line_is_the_line_of_its_file(case: Path) -> None:
    """What is cited of a log stands there, on the line that is named; only what is secret or long is left out."""
    for row in answer(case).json["rooms"]:
        for cited in row["evidence"]:
            if cited["source"].endswith(".log"):
                raw = Path(cited["source"]).read_bytes().split(b"\n")[cited["line"] - 1].decode("utf-8", "replace")
                shown = cited["text"].replace("…", "\0").replace("[redacted", "\0").split("\0")[0]
                assert " ".join(shown.split())[:80] in " ".join(plain(raw).split())


def plain(line: str) -> str:
    """A line without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)
