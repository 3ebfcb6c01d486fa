"""`fletcher doctor`: each trap is seen by what was looked at, said in a sentence, and comes with what mends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.doctor.checks import checks, exit_code
from bot.doctor.found import Container, Engine, Found
from bot.doors.doctor import tell
from bot.evidence import compose
from bot.livekit.seen import ApiSeen
from bot.livekit.setup import (
    Dispatcher,
    EnvSetting,
    Package,
    Place,
    SdkVersion,
    ServerSetup,
    Setup,
    TokenMaker,
    WorkerSetup,
)
from bot.settings import ENVIRONMENT, Target
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from bot.livekit.setup import JobType, Language

AT = Place("agent.ts", 7, "")
TARGET = Target(
    livekit_url="ws://x:7880", api_key="k", api_secret="s",
    origins=(("livekit_url", ".env:1"), ("api_key", ".env:2"), ("api_secret", ".env:3")),
)  # fmt: skip
ENGINE = Engine("28.2.2", "unix:///var/run/docker.sock", skew=0.2)
API = ApiSeen("ws://x:7880", 0.0, (), skew=-1.0)


def worker(
    job_type: JobType = "JT_ROOM", language: Language = "typescript", load_func: Place | None = None
) -> WorkerSetup:
    """A worker in agent.ts."""
    return WorkerSetup(AT, language, "a", "source", AT, job_type, None, load_func, None, None, None)


def sdk(package: Package, version: str, *, installed: bool = True) -> Setup:
    """A project with one LiveKit package."""
    return Setup(sdk_versions=(SdkVersion(package, version, installed, Place("package.json", 3, "")),))


def joined(*setups: Setup) -> Setup:
    """Several setups as one."""
    return Setup(
        workers=tuple(w for s in setups for w in s.workers), sdk_versions=tuple(v for s in setups for v in s.sdk_versions),
        token_makers=tuple(t for s in setups for t in s.token_makers), dispatchers=tuple(d for s in setups for d in s.dispatchers),
        env=tuple(e for s in setups for e in s.env),
    )  # fmt: skip


def server(level: str) -> Setup:
    """A livekit.yaml with this log level."""
    return Setup(server=(ServerSetup(Place("livekit.yaml", 4, ""), level, None, None, None, None, None, (), None, ()),))


def env(name: str, value: str) -> Setup:
    """A .env that sets a variable."""
    return Setup(env=(EnvSetting(name, value, Place(".env", 2, "")),))


MAKER = Setup(token_makers=(TokenMaker(AT, dispatches=True),))
OVERRIDE, NAME = "LIVEKIT_AGENT_NAME_OVERRIDE", "LIVEKIT_AGENT_NAME"

# what was looked at; the check; its status; what it says; what mends it
CASES: list[tuple[Found, str, str, str, str]] = [
    (Found(engine=ENGINE), "docker", "ok", "Docker 28.2.2 answers at unix:///var/run/docker.sock", ""),
    (Found(engine_trouble="no socket"), "docker", "warn", "not reachable: no socket", "systemctl start docker"),
    (Found(Target(docker_host="tcp://x:1"), engine_trouble="refused"), "docker", "bad", "refused", "DOCKER_HOST"),
    (Found(engine_trouble="Permission denied"), "docker", "warn", "Permission denied", "usermod -aG docker"),
    (Found(), "docker", "unknown", "not looked at", ""),
    (Found(compose="2.26.1"), "compose", "ok", "2.26.1", ""),
    (Found(compose_trouble="there is no command docker"), "compose", "warn", "no command docker", "docker-compose-plugin"),
    (Found(), "compose", "unknown", "", ""),
    (Found(), "livekit-url", "warn", "No address", "LIVEKIT_URL"),
    (Found(TARGET), "livekit-url", "ok", "ws://x:7880 (from .env:1)", ""),
    (Found(TARGET), "livekit", "unknown", "not asked", ""),
    (Found(TARGET, api=API), "livekit", "ok", "answers", ""),
    (Found(TARGET, api_trouble="refused"), "livekit", "bad", "refused", "`curl http://x:7880`"),
    (Found(Target(livekit_url="wss://x"), api_trouble="refused"), "livekit", "bad", "refused", "`curl https://x`"),
    (Found(Target(livekit_url="https://x"), api_trouble="refused"), "livekit", "bad", "refused", "`curl https://x`"),
    (Found(Target(livekit_url="ws://x")), "keys", "bad", "LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set", "api_key_env"),
    (Found(Target(livekit_url="ws://x", api_key="k")), "keys", "bad", "LIVEKIT_API_SECRET is not set", "LIVEKIT_API_SECRET"),
    (Found(TARGET, keys_refused="401"), "keys", "bad", "refuses the key from .env:2 and .env:3: 401", "`keys:`"),
    (Found(TARGET, api=API), "keys", "ok", "takes the key", ""),
    (Found(TARGET), "keys", "unknown", "not tried", ""),
    (Found(engine=ENGINE), "clock", "ok", "Docker engine agrees", ""),
    (Found(engine=Engine("1", "a", skew=5.1)), "clock", "warn", "5 s ahead of this machine's", "timedatectl"),
    (Found(TARGET, api=ApiSeen("", 0.0, (), skew=-60.0)), "clock", "warn", "server is 60 s behind this machine's", "timedatectl"),
    (Found(TARGET, api=ApiSeen("", 0.0, ())), "clock", "unknown", "could not be compared", ""),
    (Found(setup=server("warn")), "log-level", "bad", "from warn up (livekit.yaml:4)", "level: info"),
    (Found(log_levels=(("ERROR", "livekit.log"),)), "log-level", "bad", "from ERROR up (livekit.log)", "level: info"),
    (Found(setup=server("debug")), "log-level", "ok", "all that decides", ""),
    (Found(), "log-level", "unknown", "not known", "livekit.yaml"),
    (Found(server_versions=("1.8.4",)), "server-version", "ok", "1.8.4. It gives no job to a worker that reports a load of 0.65", ""),
    (Found(server_versions=("v1.13.5",)), "server-version", "ok", "0.7 or more.", ""),
    (Found(server_versions=("1.99.0",)), "server-version", "ok", "not tried", ""),
    (Found(server_versions=("1.7.0",)), "server-version", "warn", "knows no agent names", "update"),
    (Found(server_versions=("dev",)), "server-version", "unknown", "not known", "starting LiveKit server"),
    (Found(server_versions=("1.11.0",), setup=joined(sdk("livekit-server-sdk", "2.19.2"), MAKER)), "token-sdk", "bad", 'unknown field "deployment"', "1.12"),
    (Found(server_versions=("1.11.0",), setup=sdk("livekit-server-sdk", "2.19.0")), "token-sdk", "warn", "makes tokens", "1.12"),
    (Found(server_versions=("1.11.0",), setup=joined(sdk("livekit-server-sdk", "^2.9.0", installed=False), MAKER)), "token-sdk", "warn", "may make", "1.12"),
    (Found(setup=sdk("@livekit/agents", "1.0.48")), "agents-sdk", "warn", "counts the load of the whole host", "npm install @livekit/agents@latest"),
    (Found(setup=sdk("@livekit/agents", "^1.0.0", installed=False)), "agents-sdk", "warn", "may count", "1.0.49"),
    (Found(setup=sdk("livekit-agents", "0.10.2")), "agents-sdk", "warn", "whole host", "pip install --upgrade livekit-agents"),
    (Found(setup=joined(sdk("@livekit/agents", "1.0.48"), Setup(workers=(worker(language="python", load_func=AT),)))), "agents-sdk", "warn", "whole host", "1.0.49"),
    (Found(server_versions=("1.8.3",), setup=Setup(workers=(worker("JT_PARTICIPANT"),))), "job-type", "bad", "agent.ts:7 is JT_PARTICIPANT", "1.8.4"),
    (Found(setup=Setup(workers=(worker("JT_PARTICIPANT"),))), "job-type", "unknown", "version is not known", "server's log"),
    (Found(containers=(Container("app-agent-1", "agent", "restarting", 9),)), "container", "bad", "keeps restarting (9 times)", "docker logs --tail 50 app-agent-1"),
    (Found(containers=(Container("a", "agent", "exited"),)), "container", "bad", "is exited", "docker start a"),
    (Found(containers=(Container("a", "agent", "running", 3),)), "container", "warn", "restarted 3 times", "docker logs"),
    (Found(containers=(Container("a", "agent", "running"),)), "container", "ok", "is running", ""),
    (Found(containers=(Container("a", "agent", "running", log_driver="none"),)), "log-driver", "bad", "driver none", "json-file"),
    (Found(containers=(Container("a", "agent", "running", log_driver="syslog", log_trouble="not supported"),)), "log-driver", "bad", "not supported", "json-file"),
    (Found(setup=env(OVERRIDE, "b")), "agent-name", "warn", f"{OVERRIDE} (.env:2) makes the agent register as 'b', whatever", "unset"),
    (Found(containers=(Container("a", "agent", "running", environment=((NAME, "b"),)),)), "agent-name", "warn", f"{NAME} (container a)", "dispatch to 'b'"),
]  # fmt: skip

# what was looked at; the check that must say nothing, since there is no trap
QUIET: list[tuple[Found, str]] = [
    (Found(), "keys"),
    (Found(), "clock"),
    (Found(server_versions=("1.12.0",), setup=joined(sdk("livekit-server-sdk", "2.19.2"), MAKER)), "token-sdk"),
    (Found(server_versions=("1.11.0",), setup=joined(sdk("livekit-server-sdk", "2.18.0"), MAKER)), "token-sdk"),
    (Found(server_versions=("1.11.0",), setup=joined(sdk("livekit-api", "2.19.0"), MAKER)), "token-sdk"),
    (Found(setup=joined(sdk("livekit-server-sdk", "2.19.2"), MAKER)), "token-sdk"),
    (Found(setup=sdk("@livekit/agents", "1.0.49")), "agents-sdk"),
    (Found(setup=sdk("livekit-agents", "1.8.9")), "agents-sdk"),
    (Found(setup=joined(sdk("@livekit/agents", "1.0.48"), Setup(workers=(worker(load_func=AT),)))), "agents-sdk"),
    (Found(server_versions=("1.8.4",), setup=Setup(workers=(worker("JT_PARTICIPANT"),))), "job-type"),
    (Found(server_versions=("1.8.3",), setup=Setup(workers=(worker(),))), "job-type"),
    (Found(containers=(Container("a", "agent", "running"),)), "log-driver"),
    (Found(setup=joined(env(NAME, "b"), Setup(dispatchers=(Dispatcher(AT, "token", "b"),)))), "agent-name"),
    (Found(setup=env(NAME, "")), "agent-name"),
    (Found(setup=env("LIVEKIT_URL", "b")), "agent-name"),
]


@pytest.mark.parametrize(
    ("found", "name", "status", "says", "mend"), CASES, ids=[f"{n}-{c[1]}-{c[2]}" for n, c in enumerate(CASES)]
)
def test_what_was_found_is_told_with_its_remedy(found: Found, name: str, status: str, says: str, mend: str) -> None:
    """What was looked at gives this check, with this status, and what is not well has what mends it."""
    told = [check for check in checks(found) if check.name == name]
    assert [check.status for check in told] == [status]
    assert says in told[0].sentence
    assert mend in told[0].mend
    assert bool(told[0].mend) or status in {"ok", "unknown"}


@pytest.mark.parametrize(("found", "name"), QUIET, ids=[f"{n}-{c[1]}" for n, c in enumerate(QUIET)])
def test_no_trap_is_no_warning(found: Found, name: str) -> None:
    """What is as it should be, or not there, gives no such check."""
    assert name not in {check.name for check in checks(found)}


def test_what_the_server_did_not_tell_is_a_warning() -> None:
    """An answer with gaps is told besides the key that was taken."""
    told = checks(Found(TARGET, api=ApiSeen("", 0.0, (), unread=("rooms: not allowed",))))
    assert [(c.status, c.sentence) for c in told if c.name == "keys"][1] == (
        "warn",
        "The server did not tell all: rooms: not allowed",
    )


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Found(TARGET, engine=ENGINE, api=API), 0),
        (Found(engine=ENGINE), 0),
        (Found(TARGET, engine=ENGINE, api_trouble="refused"), 1),
        (Found(TARGET, engine_trouble="no socket", keys_refused="401"), 1),
        (Found(TARGET, engine_trouble="no socket", api=API), 0),
        (Found(TARGET, engine_trouble="no socket", api_trouble="refused"), 4),
        (Found(), 4),
    ],
)
def test_the_exit_code_says_how_it_stands(found: Found, code: int) -> None:
    """0: nothing is bad; 1: something is bad; 4: neither Docker nor LiveKit can be reached."""
    assert exit_code(found, checks(found)) == code


# --- the door ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in an environment that sets nothing."""
    for name in ENVIRONMENT:
        if name != "DOCKER_CONFIG":  # leads to no engine
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], found: Found, *, as_json: bool = False) -> tuple[int, str]:
    """What the door says of what was found."""
    code = tell(found, as_json=as_json)
    return code, capsys.readouterr().out


def test_each_check_is_a_line_and_its_remedy_another(capsys: pytest.CaptureFixture[str]) -> None:
    """A person sees the status first, the sentence, and below it what to type; no secret."""
    secret = "password=hunter22x"
    code, out = asked(capsys, Found(TARGET, engine=ENGINE, api_trouble=f"refused {secret}"))
    assert code == 1
    assert "ok      docker          Docker 28.2.2" in out
    assert "bad     livekit         The LiveKit server is not reachable" in out
    assert " → try `curl http://x:7880`" in out
    assert "hunter22x" not in out + asked(capsys, Found(TARGET, api_trouble=secret), as_json=True)[1]


def test_neither_of_both_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has neither Docker nor LiveKit at hand learns what goes without them."""
    code, out = asked(capsys, Found())
    assert code == 4
    assert "Neither Docker nor LiveKit can be reached; `fletcher diagnose FILE …` needs neither." in out


def test_json_has_the_same_checks(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives every check with its four fields."""
    code, out = asked(capsys, Found(TARGET, engine=ENGINE, api=API), as_json=True)
    document: dict[str, Any] = json.loads(out)
    assert code == 0
    assert {tuple(check) for check in document["checks"]} == {("name", "status", "sentence", "mend")}


def test_the_project_of_the_target_is_read(here: Path) -> None:
    """What source and configuration say is checked too, from the command line to the exit code."""
    (here / "app").mkdir()
    (here / "app" / "package.json").write_text('{"dependencies": {"@livekit/agents": "1.0.48"}}')
    (here / "app" / ".env").write_text("LIVEKIT_AGENT_NAME_OVERRIDE=other\n")
    (here / "fletcher.toml").write_text('[targets.a]\nproject = "app"\n[targets.b]\nlivekit_url = "ws://127.0.0.1:1"\n')
    reply = fletcher("doctor", "--target", "a", "--json")
    assert reply.json["target"] == "a"
    assert {"agents-sdk", "agent-name"} <= {check["name"] for check in reply.json["checks"]}
    assert fletcher("doctor").code == 2
    assert "no target 'c'" in fletcher("doctor", "--target", "c").err


# --- the compose plugin --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "version", "trouble"),
    [
        ("echo v2.40.0", "2.40.0", ""),
        (
            "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1",
            "",
            "docker: 'compose' is not a docker command.",
        ),
        ("exit 3", "", "says nothing"),
        ("exec sleep 30", "", "does not end"),
    ],
)
def test_the_compose_plugin_is_asked(
    here: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: str, trouble: str
) -> None:
    """A docker command with, without and with a broken compose is told as it is, and never waited for long."""
    command = here / "docker"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setattr(compose, "_PATIENCE", 0.5 if "sleep" in script else 10.0)
    found, why = compose.compose_version(str(command))
    assert found == version
    assert trouble in why
    assert bool(found) != bool(why)


def test_a_docker_command_that_cannot_start_is_told(here: Path) -> None:
    """A missing command and a file that is no program are told."""
    assert compose.compose_version(str(here / "gone")) == ("", f"there is no command {here / 'gone'}")
    (here / "text").write_text("x")
    assert "cannot be started" in compose.compose_version(str(here / "text"))[1]


def test_the_settings_cost_no_heavy_import() -> None:
    """The verbs that only read settings load neither Docker's nor LiveKit's library."""
    code = "import sys, bot.doors.cli, bot.settings, bot.doctor.checks; sys.exit('docker' in sys.modules or 'livekit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
