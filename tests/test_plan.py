"""Plans, through the command line: what is proposed, what it would do, and when it is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot.source.remedies import REMEDIES
from tests.doubles.livekit_api import SECRET, agent, person
from tests.fletcher import RECORDINGS, Reply, diagnose, evidence, fletcher
from tests.running import ROOM, SERVED, Stack

DEMO = Path(__file__).parent.parent / "bot" / "demo"
TABLE = tomllib.loads((Path(__file__).parent / "plans.toml").read_text(encoding="utf-8"))
CASES = sorted(path.parent for path in RECORDINGS.glob("inc-*/case.json"))
TREATED = {"dispatch-missing", "worker-unnamed", "name-mismatch", "room-already-existed", "load-refused"}


def demo(folder: Path) -> list[str]:
    """The demo's files, copied, as arguments of `plan` and `diagnose`."""
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    logs = [str(folder / name) for name in ("livekit.log", "agent.log")]
    return [
        *logs,
        "--project",
        str(folder / "project"),
        "--token",
        str(folder / "token.json"),
        "--room",
        "fletcher-dev",
    ]


def planned(*argv: str, runbook: str = "agent-never-joins") -> Reply:
    """`fletcher plan … --json`."""
    return fletcher("plan", runbook, *argv, "--json")


# --- every recording ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_recording_gets_its_plan(case: Path) -> None:
    """The remedy, the outcome of each file or the refusal for what the two runbooks treat, and nothing for the others."""
    truth = json.loads((case / "case.json").read_text(encoding="utf-8"))
    plan = diagnose(*evidence(case), "--room", truth["room"]).json["plan"]
    assert (plan is not None) is (truth["diagnosis"] in TREATED)
    if plan is None:
        return
    wanted = TABLE[case.name]
    assert (plan["remedy"], plan["agent"]) == (wanted["remedy"], wanted["agent"])
    assert plan["refused"].replace(f"{case}/", "") == wanted.get("refused", "")
    assert [step["name"] for step in plan["steps"]] == wanted["steps"]
    outcomes = {
        file["file"].removeprefix(f"{case}/"): file["outcome"] for step in plan["steps"] for file in step["files"]
    }
    assert outcomes == wanted.get("files", {})


def test_the_table_speaks_of_every_treated_recording() -> None:
    """No row is left over, and none is missing."""
    treated = {
        c.name for c in CASES if json.loads((c / "case.json").read_text(encoding="utf-8"))["diagnosis"] in TREATED
    }
    assert set(TABLE) == treated


# --- what a plan shows -------------------------------------------------------------------------------------------------


def test_it_shows_everything_before_anything_happens(tmp_path: Path) -> None:
    """Diff with hashes, commands with their environment, effects, approval, proof, roll-back, programs; nothing is written."""
    given = demo(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    reply = planned(*given)
    plan = reply.json
    assert (reply.code, plan["refused"], plan["remedy"], plan["effect"]) == (0, "", "auto-dispatch", "disrupt")
    patch, rebuild, token = plan["steps"]
    [file] = patch["files"]
    assert file["diff"].splitlines()[-4:] == [
        "   agent: import.meta.filename,",
        "-  agentName: 'livekit-ganglia-agent',",
        "   initializeProcessTimeout: 60_000,",
        " }));",
    ]
    assert len(file["before"]) == len(file["after"]) == 64
    assert rebuild["command"]["argv"] == ["docker", "compose", "up", "-d", "--build", "voice-agent"]
    assert token["command"]["environment"] == {"IN_ROOM": "fletcher-dev"}
    assert plan["approval"]["need"] == "peer"
    assert plan["disrupts"][0]["rooms"] is None  # nothing that runs was looked at
    assert "assigned job to worker" in plan["verification"][0]["does"]
    assert plan["rollback"][0].startswith("every patch is taken back first")
    assert {tool["name"] for tool in plan["tools"]} == {"docker", "docker compose", "bun"}
    assert {skipped["name"]: skipped["why"] for skipped in plan["skipped"]}["plain-token"].startswith("nothing to do")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_the_same_plan_has_the_same_digest_and_a_changed_file_another(tmp_path: Path) -> None:
    """What is shown is what is approved: an edit of the file in between gives another digest."""
    given = demo(tmp_path)
    first, again = planned(*given).json["digest"], planned(*given).json["digest"]
    source = tmp_path / "project" / "apps" / "voice-agent" / "src" / "agent.ts"
    source.write_bytes(source.read_bytes() + b"\n// later\n")
    assert first == again != planned(*given).json["digest"]


def test_another_remedy_can_be_asked_for(tmp_path: Path) -> None:
    """With explicit dispatch the token is patched, the worker is left alone, and it is verified all the same."""
    plan = planned(*demo(tmp_path), "--input", "remedy=explicit-dispatch").json
    assert [step["name"] for step in plan["steps"]] == ["named-token", "new-token"]
    assert (
        "+import { AccessToken, RoomConfiguration, RoomAgentDispatch } from 'livekit-server-sdk';"
        in plan["steps"][0]["files"][0]["diff"]
    )
    assert plan["effect"] == "change"
    assert len(plan["verification"]) == 1


def test_a_way_back_is_planned_whatever_the_verdict_is(tmp_path: Path) -> None:
    """`real-load` takes an override away that somebody made before."""
    given = demo(tmp_path)
    source = tmp_path / "project" / "apps" / "voice-agent" / "src" / "agent.ts"
    source.write_text(
        source.read_text(encoding="utf-8").replace("60_000,", "60_000,\n  loadFunc: async () => 0,"), encoding="utf-8"
    )
    plan = planned(*given, "--input", "remedy=real-load", runbook="no-servers-available").json
    assert [step["name"] for step in plan["steps"]][:2] == ["report-real-load", "rebuild-agent"]
    assert "-  loadFunc: async () => 0," in plan["steps"][0]["files"][0]["diff"]
    assert "@livekit/agents 1.9.0 measures within the container's CPU limit" in plan["guards"][0]["says"]


def test_markdown_is_for_a_ticket(tmp_path: Path) -> None:
    """The same plan as Markdown, its diff in a fence."""
    out = fletcher("plan", "agent-never-joins", *demo(tmp_path), "--markdown").out
    assert out.startswith("## Plan: Agent registers but never joins a room\n")
    assert "\n```diff\n--- a/" in out
    assert "\n- room: `fletcher-dev`, cause: **dispatch-missing**\n" in out


def test_the_text_says_what_is_not_done_and_why(tmp_path: Path) -> None:
    """Skipped steps, missing programs and the digest stand in the text."""
    out = fletcher("plan", "agent-never-joins", *demo(tmp_path)).out
    assert "plain-token: nothing to do: the places that make tokens say so already" in out
    assert "bun, for new-token:" in out
    assert f"digest {planned(*demo(tmp_path)).json['digest']}" in out


def test_a_program_is_there_when_the_script_would_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gets the PATH and no more: one among the project's packages is as good as missing."""
    given = demo(tmp_path)
    for folder in ("project/node_modules/.bin", "path"):
        program = tmp_path / folder / "bun"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    found = {}
    for path in (tmp_path / "empty", tmp_path / "path"):
        monkeypatch.setenv("PATH", str(path))
        found[path.name] = next(tool["path"] for tool in planned(*given).json["tools"] if tool["name"] == "bun")
    assert found == {"empty": "", "path": str(tmp_path / "path" / "bun")}


def test_a_secret_in_the_file_is_not_in_the_plan(tmp_path: Path) -> None:
    """The lines around an edit are shown without the keys that stand there."""
    given = demo(tmp_path)
    source = tmp_path / "project" / "apps" / "voice-agent" / "src" / "agent.ts"
    secret = "f3k9Qz7LmN2pXv8RtB4wYc6D"
    text = source.read_text(encoding="utf-8").replace("  agentName", f"  apiSecret: '{secret}',\n  agentName")
    source.write_text(text, encoding="utf-8")
    assert (
        secret
        not in planned(*given).out
        + fletcher("plan", "agent-never-joins", *given).out
        + fletcher("diagnose", *given).out
    )


def test_a_log_that_begins_in_the_middle_says_not_that_nobody_was_served(tmp_path: Path) -> None:
    """Without the server's start in its log, rooms may have been served under the name: it is kept."""
    given = demo(tmp_path)
    log = tmp_path / "livekit.log"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "starting LiveKit server" not in line), encoding="utf-8")
    plan = planned(*given).json
    assert (plan["remedy"], plan["agent"]) == ("explicit-dispatch", "livekit-ganglia-agent")
    assert "does not go back to its start" in plan["why"]


# --- what is refused ---------------------------------------------------------------------------------------------------


def test_one_side_alone_is_refused_with_what_to_do_there() -> None:
    """Where the token's source is not at hand and its claims do not agree, nothing is planned."""
    case = RECORDINGS / "inc-029"
    reply = planned(*evidence(case), "--room", json.loads((case / "case.json").read_text())["room"])
    assert reply.code == 1
    assert reply.json["steps"] == []
    assert "there ask for" in reply.json["refused"]


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["plan"], 2, "which runbook"),
        (["plan", "agent-never-join", "x.log"], 2, "agent-never-joins"),
        (["plan", "agent-never-joins", "--input", "remedy"], 2, "--input NAME=VALUE"),
        (
            ["plan", "agent-never-joins", str(DEMO / "livekit.log"), "--input", "remedy=auto"],
            2,
            "must be one of auto-dispatch",
        ),
        (["plan", "agent-never-joins", str(DEMO / "livekit.log"), "--input", "rooms=x"], 2, "room"),
        (["plan", "agent-never-joins", "x.log", "--input", "room=x", "--input", "room=y"], 2, "given twice"),
        (["plan", "agent-never-joins", "x.log", "--input", "room=x", "--room", "y"], 2, "a plan is for one"),
        (["plan", "agent-never-joins", "x.log", "--json", "--markdown"], 2, "choose one"),
    ],
)
def test_a_wrong_question_is_told(argv: list[str], code: int, told: str) -> None:
    """Unknown runbooks, inputs and values are usage errors that name what there is."""
    reply = fletcher(*argv)
    assert (reply.code, told in reply.err, "Traceback" in reply.err) == (code, True, False)


def test_a_healthy_room_needs_no_plan() -> None:
    """Nothing is to be done, and that is no failure."""
    case = RECORDINGS / "inc-071"
    reply = planned(*evidence(case), "--room", SERVED)
    assert reply.code == 0
    assert "it is healthy" in reply.json["refused"]


def test_a_room_that_nothing_shows_is_not_called_well() -> None:
    """Where one of the rooms that were asked for is not known, the exit code says so, whatever the others are."""
    rooms = ("--room", SERVED, "--room", "nobody-knows-it")
    reply = planned(*evidence(RECORDINGS / "inc-071"), *rooms)
    assert (reply.code, "is not known" in reply.json["refused"]) == (3, True)


# --- what runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stack")
def test_sessions_are_counted_now() -> None:
    """The plan names compose's project, and counts the sessions that a rebuild would cut off."""
    (Path.cwd() / "agent.ts").write_bytes((RECORDINGS / "inc-071" / "agent" / "agent.ts").read_bytes())
    reply = planned("--room", ROOM, "--input", "remedy=auto-dispatch")
    plan = reply.json
    rebuild = next(step for step in plan["steps"] if step["kind"] == "compose")
    assert rebuild["command"]["environment"]["COMPOSE_PROJECT_NAME"] == "demo"
    assert (rebuild["effect"], plan["disrupts"][0]["rooms"], plan["disrupts"][0]["people"]) == ("disrupt", 1, 1)
    assert SECRET not in reply.out


def test_counts_are_shown_and_not_hashed(stack: Stack) -> None:
    """Another caller changes the count, and not the digest; no caller at all changes the effect, and so the digest."""
    (Path.cwd() / "agent.ts").write_bytes((RECORDINGS / "inc-071" / "agent" / "agent.ts").read_bytes())
    asked = ("--room", ROOM, "--input", "remedy=auto-dispatch")
    first = planned(*asked).json
    stack.api.room("served-too", participants=[person("ada"), person("bob"), agent("AJ_2", "livekit-ganglia-agent")])
    more = planned(*asked).json
    for people, _ in stack.api.inside.values():
        people[:] = [p for p in people if not p.identity.startswith("agent-")]
    none = planned(*asked).json
    assert (first["disrupts"][0]["people"], more["disrupts"][0]["people"]) == (1, 3)
    assert first["digest"] == more["digest"] != none["digest"]
    assert (first["effect"], none["effect"]) == ("disrupt", "change")


def test_where_nothing_is_treated_nothing_of_plans_is_loaded() -> None:
    """A diagnosis that no runbook follows costs what it did before there were any."""
    log = str(RECORDINGS / "inc-035" / "livekit.log")
    code = f"import sys; from bot.__main__ import main; main(['diagnose', {log!r}]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "bot.diagnose" in loaded
    assert not loaded & {"bot.propose", "bot.runbook.shelf", "markdown_it", "yaml", "jinja2", "regex"}


def test_the_document_names_every_remedy_and_its_commands_are_taken() -> None:
    """docs/plans.md speaks of each remedy, and the options in its commands exist."""
    text = (Path(__file__).parent.parent / "docs" / "plans.md").read_text(encoding="utf-8")
    assert all(f"`{word}`" in text for word in (*REMEDIES, "create-dispatch"))
    for verb in ("plan", "patch"):
        known = fletcher(verb, "--help").out
        for line in re.findall(rf"^fletcher {verb} .*$", text, re.MULTILINE):
            assert all(option in known for option in re.findall(r"--[a-z-]+", line)), line


def test_what_is_shown_can_be_typed(tmp_path: Path) -> None:
    """A script's inputs are set before its line is read, and each command says its whole folder."""
    out = fletcher("plan", "agent-never-joins", *demo(tmp_path)).out
    shown = out.split("$ ")[-1].split("\n  Proof")[0]
    assert [line.strip() for line in shown.splitlines()] == [
        f"cd {tmp_path / 'project'}",
        "export IN_ROOM=fletcher-dev",
        'bun run scripts/generate-token.ts --room "$IN_ROOM"',
    ]


def test_commands_are_run_where_they_can_be_run_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was given by a relative path is shown as an absolute one: the commands of a plan follow each other."""
    demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    plan = planned("livekit.log", "agent.log", "--project", "project", "--room", "fletcher-dev").json
    assert plan["steps"][1]["command"]["cwd"] == str(tmp_path / "project")


MINE = """---
runbook: 1
id: mine
title: Mine
inputs:
  key: {type: string, secret: true}
---

# Mine

```sh { check name=by-script }
test -f there
```

```yaml { check name=by-file }
file: package.json
require: [livekit]
```

```yaml { check name=gone }
file: {path: gone.txt, exists: false}
```

```sh { step name=one effect=change when=by-script,by-file,gone }
echo "$IN_KEY"
```

```sh { step name=two effect=change unless=by-file }
echo two
```

```sh { verify name=proof after=one,two }
true
```
"""


def test_a_runbook_of_ones_own_is_planned(tmp_path: Path) -> None:
    """Checks of files are made, a script's is waited for, and a secret input is set without being shown."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.md").write_text(MINE, encoding="utf-8")
    given = demo(tmp_path / "demo")
    (tmp_path / "demo" / "project" / "package.json").write_text('{"name": "livekit"}', encoding="utf-8")
    asked = ("--runbooks", str(tmp_path / "own"), "--input", "key=hunter2hunter2")
    reply = planned(*given, *asked, runbook="mine")
    [step] = reply.json["steps"]
    assert (reply.code, step["name"]) == (0, "one")
    assert step["condition"] == "only if the check by-script matches when it is run"
    assert step["command"]["environment"] == {"IN_KEY": "[redacted]"}
    assert "hunter2hunter2" not in reply.out
    assert [(check["name"], check["result"]) for check in reply.json["checks"]] == [
        ("by-script", "waiting"),
        ("by-file", "matched"),
        ("gone", "matched"),
    ]


def test_a_script_is_run_in_the_project_that_has_it(tmp_path: Path) -> None:
    """With agent and backend as two projects, the token's script is found in its own."""
    given = demo(tmp_path)
    (tmp_path / "backend").mkdir()
    (tmp_path / "project" / "scripts").rename(tmp_path / "backend" / "scripts")
    plan = planned(*given, "--project", str(tmp_path / "backend")).json
    assert [step["command"]["cwd"] for step in plan["steps"] if step["command"]] == [
        str(tmp_path / "project"),
        str(tmp_path / "backend"),
    ]
