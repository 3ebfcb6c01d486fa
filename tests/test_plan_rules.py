"""The rules of a plan: recordings beside projects that were made up for them, as tables in `tests/plans/`."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.fletcher import RECORDINGS, evidence, fletcher

TABLES = Path(__file__).parent / "plans"
SOURCES = TABLES / "sources"
RULES: dict[str, dict[str, Any]] = {
    f"{table.stem}: {title}": case
    for table in sorted(TABLES.glob("*.toml"))
    for title, case in tomllib.loads(table.read_text(encoding="utf-8")).items()
}


def project(folder: Path, files: dict[str, str]) -> None:
    """Write a project: each file is a source by its name, with the name that stands behind it, or a text of its own."""
    for name, said in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        source, _, agent = said.partition(" ")
        text = (SOURCES / source).read_text(encoding="utf-8").replace("NAME", agent) if "=" not in said else said
        path.write_text(text, encoding="utf-8")


def at_hand(case: Path, without: list[str]) -> list[str]:
    """What a recording has at hand, but for its own source and what is left out."""
    given = evidence(case)
    pairs = zip(given[::2], given[1::2], strict=True)
    return [word for pair in pairs if pair[0][2:] not in {"project", *without} for word in pair]


def with_another(log: Path, agent: str, folder: Path) -> Path:
    """The server's log with one more worker, registered right after the first."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if "worker registered" in line)
    more = re.sub(r'"agentName": "[^"]*"', f'"agentName": "{agent}"', lines[at])
    more = re.sub(r'"workerID": "[^"]*"', '"workerID": "AW_another"', more)
    copy = folder / "more.log"
    copy.write_text("".join([*lines[: at + 1], more, *lines[at + 1 :]]), encoding="utf-8")
    return copy


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_holds(rule: str, tmp_path: Path) -> None:
    """The remedy, the name, the steps and the changed lines, or the refusal, as the table has them."""
    case = RULES[rule]
    recording = RECORDINGS / case["recording"]
    truth = json.loads((recording / "case.json").read_text(encoding="utf-8"))
    project(tmp_path, case.get("files", {}))
    runbook = "no-servers-available" if truth["diagnosis"] == "load-refused" else "agent-never-joins"
    argv = [case.get("runbook", runbook), *at_hand(recording, case.get("without", [])), "--room", truth["room"]]
    if "registers" in case:
        copy = with_another(recording / "livekit.log", case["registers"], tmp_path)
        argv = [str(copy) if word == str(recording / "livekit.log") else word for word in argv]
    argv += ["--project", str(tmp_path)] if case.get("files") else []
    argv += [word for name, value in case.get("input", {}).items() for word in ("--input", f"{name}={value}")]
    reply = fletcher("plan", *argv, "--json")
    assert not reply.err
    told = reply.out.replace(f"{tmp_path}/", "").replace(f"{recording}/", "")
    plan = json.loads(told)
    assert reply.code == (1 if "refused" in case else 0), plan["refused"]
    assert plan["remedy"] == case["remedy"]
    assert plan["agent"] == case.get("agent", plan["agent"])
    assert case.get("refused", "") in plan["refused"]
    assert bool(plan["refused"]) is ("refused" in case)
    assert [step["name"] for step in plan["steps"]] == case.get("steps", [])
    assert changed(plan) == case.get("changed", {})
    assert plan["effect"] == case.get("effect", plan["effect"])
    for said in case.get("says", []):
        assert said in told
    for secret in case.get("hides", []):
        shown = "".join(fletcher("plan", *argv, form).out for form in ("--json", "--markdown"))
        assert secret not in shown + fletcher("plan", *argv).out
    for said in case.get("instead", []):
        assert any(said in way for way in plan["instead"]), plan["instead"]


def changed(plan: dict[str, Any]) -> dict[str, list[str]]:
    """The lines that a plan removes and adds, by file; imports are left out."""
    diffs = {file["file"]: file["diff"] for step in plan["steps"] for file in step["files"] if file["diff"]}
    return {
        file: [f"{line[0]} {line[1:].strip()}" for line in diff.splitlines()[2:] if line[0] in "+-" and "import" not in line]
        for file, diff in diffs.items()
    }  # fmt: skip
