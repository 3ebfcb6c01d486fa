"""`fletcher patch`, as a person calls it: outcomes, diffs, what is written and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fletcher import Reply, fletcher

AGENT = """\
import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: 'livekit-ganglia-agent',  // ← disables auto-dispatch
  initializeProcessTimeout: 60_000,
}));
"""
TOKEN = """\
import { AccessToken, RoomConfiguration, RoomAgentDispatch } from "livekit-server-sdk";

const token = new AccessToken("key", "secret", { identity: "ada" });
token.roomConfig = new RoomConfiguration({
  agents: [new RoomAgentDispatch({ agentName: "livekit-ganglia-agent" })],
});
"""
LOGIC = AGENT.replace("  initialize", "  loadFunc: async (worker) => worker.activeJobs.length / 3,\n  initialize")
PYTHON = """\
from livekit.agents import WorkerOptions, cli

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name="support"))
"""
SERVER = "port: 7880\nagents:\n  target_load: 0.5  # too low\n"


def write(folder: Path, **files: str) -> list[str]:
    """Files of these names (`_` for the dot) in the folder, as arguments."""
    made = []
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        path.write_text(text, encoding="utf-8")
        made.append(str(path))
    return made


def rows(reply: Reply) -> list[dict[str, object]]:
    """The rows of a call with --json."""
    found: list[dict[str, object]] = json.loads(reply.out)
    return found


def test_both_sides_of_the_note_are_patched(here: Path) -> None:
    """The note's own two files end as the note says, and a second run changes nothing."""
    files = write(here, agent_ts=AGENT, token_ts=TOKEN)
    reply = fletcher("patch", *files, "--remedy", "auto-dispatch")
    assert reply.code == 0
    assert "agentName" not in (here / "agent.ts").read_text()
    assert (here / "token.ts").read_text().splitlines() == [
        'import { AccessToken } from "livekit-server-sdk";', "", 'const token = new AccessToken("key", "secret", { identity: "ada" });',
    ]  # fmt: skip
    again = fletcher("patch", *files, "--remedy", "auto-dispatch", "--json")
    assert [row["outcome"] for row in rows(again)] == ["unchanged", "unchanged"]


def test_a_dry_run_writes_nothing(here: Path) -> None:
    """It shows the diff and the side effects."""
    files = write(here, agent_ts=AGENT)
    reply = fletcher("patch", *files, "--remedy", "auto-dispatch", "--dry-run")
    assert (here / "agent.ts").read_text() == AGENT
    assert "-  agentName: 'livekit-ganglia-agent',  // ← disables auto-dispatch" in reply.out
    assert "joins every new room" in reply.out
    assert "Tokens must ask for nobody then" in reply.out
    assert f"Nothing was written (--dry-run): {files[0]} would be." in reply.out


def test_one_refusal_holds_all_back(here: Path) -> None:
    """When a file is refused none is written, the exit code is 1, and the line that stands in the way is named."""
    files = write(here, plain_ts=AGENT, logic_ts=LOGIC)
    reply = fletcher("patch", *files, "--remedy", "zero-load", "--json")
    assert reply.code == 1
    assert [(row["outcome"], row["line"]) for row in rows(reply)][1] == ("refused", 6)
    assert (here / "plain.ts").read_text() == AGENT
    assert "Nothing was written" in fletcher("patch", *files, "--remedy", "zero-load").out


def test_the_document_for_programs(here: Path) -> None:
    """Each file with its outcome, reason, line, diff and notes."""
    [row] = rows(fletcher("patch", *write(here, agent_ts=AGENT), "--remedy", "zero-load", "--json"))
    assert list(row) == ["file", "outcome", "reason", "line", "diff", "notes"]
    assert "+  loadFunc: async () => 0," in str(row["diff"])


@pytest.mark.parametrize(
    "remedy", ["auto-dispatch", "explicit-dispatch", "zero-load", "real-load", "target-load", "job-type-participant"]
)
def test_a_second_run_changes_nothing(here: Path, remedy: str) -> None:
    """Every remedy leaves what it has made as it is."""
    files = write(here, agent_ts=AGENT, token_ts=TOKEN, agent_py=PYTHON, livekit_yaml=SERVER)
    chosen = [file for file in files if remedy != "job-type-participant" or not file.endswith(".py")]
    named = ["--agent-name", "support"] if remedy == "explicit-dispatch" else []
    assert fletcher("patch", *chosen, "--remedy", remedy, *named).code == 0
    before = [Path(file).read_bytes() for file in files]
    again = fletcher("patch", *chosen, "--remedy", remedy, *named, "--json")
    assert {row["outcome"] for row in rows(again)} == {"unchanged"}
    assert [Path(file).read_bytes() for file in files] == before


def test_the_name_is_taken_from_the_files_when_they_agree(here: Path) -> None:
    """One name is enough; two are asked about."""
    unnamed = AGENT.replace("  agentName: 'livekit-ganglia-agent',  // ← disables auto-dispatch\n", "")
    files = write(here, agent_ts=unnamed, token_ts=TOKEN)
    assert fletcher("patch", *files, "--remedy", "explicit-dispatch").code == 0
    assert "agentName: 'livekit-ganglia-agent'" in (here / "agent.ts").read_text()
    two = fletcher("patch", *files, *write(here, other_py=PYTHON), "--remedy", "explicit-dispatch")
    assert (two.code, "'livekit-ganglia-agent' and 'support'" in two.out) == (1, True)


def test_what_is_changed_in_the_same_call_stands_in_nobodys_way(here: Path) -> None:
    """A name that a compose file gives goes from there and from the source together; an emptied file stays unchanged."""
    compose = here / "docker-compose.yml"
    compose.write_text(
        "services:\n  agent:\n    build: .\n    environment:\n      LIVEKIT_AGENT_NAME: x\n", encoding="utf-8"
    )
    files = write(here, agent_ts=AGENT, empty_ts="")
    alone = fletcher("patch", *files, "--remedy", "auto-dispatch")
    both = fletcher("patch", *files, str(compose), "--remedy", "auto-dispatch", "--json")
    assert (alone.code, [row["outcome"] for row in rows(both)]) == (1, ["edit", "unchanged", "edit"])


def test_a_diff_keeps_the_ends_of_lines(here: Path) -> None:
    """With CR LF, too, `patch` and `git apply` take it."""
    [file] = write(here, agent_ts="")
    Path(file).write_bytes(AGENT.replace("\n", "\r\n").encode())
    [row] = rows(fletcher("patch", file, "--remedy", "zero-load", "--json"))
    assert "+  loadFunc: async () => 0,\r\n" in str(row["diff"])


@pytest.mark.parametrize(
    ("around", "remedy", "told"),
    [
        ({"docker-compose.yml": "services:\n  livekit:\n    image: livekit/livekit-server:v1.8.3\n"}, "job-type-participant", "since livekit-server 1.8.4"),
        ({".env": "LIVEKIT_WORKER_TOKEN=abc\n"}, "zero-load", "hosted on LiveKit Cloud (.env:1"),
        ({".env": "LIVEKIT_AGENT_NAME=staging\n", "package.json": '{"dependencies": {"@livekit/agents": "1.9.0"}}'}, "auto-dispatch", "LIVEKIT_AGENT_NAME"),
    ],
)  # fmt: skip
def test_what_stands_around_a_file_may_refuse(here: Path, around: dict[str, str], remedy: str, told: str) -> None:
    """Versions, Cloud and the environment are read from the files above; nothing is looked at live."""
    (here / ".git").mkdir()
    (here / "src").mkdir()
    for name, text in around.items():
        (here / name).write_text(text, encoding="utf-8")
    files = write(here / "src", agent_ts=AGENT)
    reply = fletcher("patch", *files, "--remedy", remedy)
    assert (reply.code, told in reply.out) == (1, True), reply.out


@pytest.mark.parametrize("image", ["livekit/livekit-server:v1.8", "livekit/livekit-server:v1.8.4 # not livekit/livekit-server:v1.7.0", "livekit/livekit-server:latest\n    # image: livekit/livekit-server:v1.7.0"])  # fmt: skip
def test_a_server_that_may_be_new_enough_refuses_nothing(here: Path, image: str) -> None:
    """A tag without a third number is the newest of its line, and what is commented out does not run."""
    (here / "compose.yml").write_text(f"services:\n  livekit:\n    image: {image}\n", encoding="utf-8")
    reply = fletcher("patch", *write(here, agent_ts=AGENT), "--remedy", "job-type-participant")
    assert reply.code == 0, reply.out


def test_settings_are_patched_where_they_give_the_name(here: Path) -> None:
    """An env file and a compose file that name the worker are files of this remedy, too."""
    compose = "services:\n  agent:\n    build: .\n    environment:\n      LIVEKIT_AGENT_NAME: support  # ours\n      LOG_LEVEL: info\n"
    files = write(here, docker_compose_yml=compose, _env="A=1\nLIVEKIT_AGENT_NAME=support\n")
    (here / "docker.compose.yml").rename(here / "docker-compose.yml")
    reply = fletcher("patch", str(here / "docker-compose.yml"), files[1], "--remedy", "auto-dispatch", "--json")
    assert [row["outcome"] for row in rows(reply)] == ["edit", "edit"]
    assert (here / ".env").read_text() == "A=1\n"
    assert "LIVEKIT_AGENT_NAME" not in (here / "docker-compose.yml").read_text()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["x.ts"], "--remedy is missing: one of auto-dispatch, explicit-dispatch"),
        (["x.ts", "--remedy", "zeroload"], "did you mean 'zero-load'?"),
        (["x.ts", "--remedy", "create-dispatch"], "fletcher plan agent-never-joins --input remedy=create-dispatch"),
        (["--remedy", "zero-load"], "which files?"),
        (["none.ts", "--remedy", "zero-load"], "none.ts does not exist"),
        ([".", "--remedy", "zero-load"], ". is a folder"),
        (["agent.ts", "--remedy", "explicit-dispatch", "--agent-name", ""], "--agent-name is empty"),
    ],
)
def test_a_wrong_call_is_told(here: Path, argv: list[str], told: str) -> None:
    """Each is a usage error with the next step."""
    write(here, agent_ts=AGENT, empty_ts="")
    reply = fletcher("patch", *argv)
    assert (reply.code, told in reply.err) == (2, True), reply.err


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("token.ts", "new AccessToken('devkey', 'SECRET', { identity: 'ada' })"),
        ("token.ts", "new AccessToken(\n  'devkey',\n  'SECRET',\n  { identity: 'ada' },\n)"),
        ("token.ts", "new AccessToken(process.env.KEY ?? 'devkey', process.env.LIVEKIT_API_SECRET ?? 'SECRET')"),
        ("token.ts", "new AccessToken(key(1, [2]), `SECRET`)"),
        ("token.ts", "new AccessToken(key, secret); new RoomServiceClient('ws://here:7880', 'devkey', 'SECRET')"),
        ("token.py", 'api.AccessToken(os.getenv("LIVEKIT_API_KEY", "devkey"), os.getenv("LIVEKIT_API_SECRET", "SECRET"))'),
    ],
)  # fmt: skip
def test_a_secret_that_stands_in_the_source_is_not_shown(here: Path, name: str, call: str) -> None:
    """A secret's place among the arguments tells it, where no name beside it does; the file itself keeps it."""
    secret = "f3k9Qz7LmN2pXv8RtB4wYc6D"
    head = "import os\nfrom livekit import api\n" if name.endswith(".py") else "import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';\n"  # fmt: skip
    text = f"{head}{'' if name.endswith('.py') else 'const '}token = {call.replace('SECRET', secret)}\nprint(token.to{'_jwt' if name.endswith('.py') else 'Jwt'}())\n"
    (here / name).write_text(text, encoding="utf-8")
    asked = ("patch", str(here / name), "--remedy", "explicit-dispatch", "--agent-name", "tutor")
    for form in ((), ("--json",)):
        reply = fletcher(*asked, "--dry-run", *form)
        assert (reply.code, secret in reply.out, "tutor" in reply.out) == (0, False, True)
    fletcher(*asked)
    assert secret in (here / name).read_text(encoding="utf-8")
