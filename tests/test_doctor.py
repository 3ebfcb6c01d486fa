"""`fletcher doctor`: each trap is seen by what was looked at, said in a sentence, and comes with what mends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.doctor.checks import checks, exit_code
from bot.doctor.found import Found
from bot.doors.doctor import tell
from bot.evidence import compose
from bot.evidence.attach import Attached
from bot.evidence.containers import read_container
from bot.evidence.docker import EngineInfo
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
from bot.settings import Target
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from bot.evidence.containers import Container
    from bot.livekit.setup import JobType, Language
    from tests.running import Stack

pytestmark = pytest.mark.usefixtures("here")

AT = Place("agent.ts", 7, "")
TARGET = Target(
    livekit_url="ws://x:7880", api_key="k", api_secret="s",
    origins=(("livekit_url", ".env:1"), ("api_key", ".env:2"), ("api_secret", ".env:3")),
)  # fmt: skip


def engine(skew: float = 0.2) -> EngineInfo:
    """An engine whose clock is so far ahead."""
    return EngineInfo("28.2.2", "1.48", "unix:///var/run/docker.sock", 0.0, skew)


ENGINE = engine()
API = ApiSeen("ws://x:7880", 0.0, (), skew=-1.0)


def runs(
    state: str, restarts: int = 0, driver: str = "json-file", env: tuple[str, ...] = (), server: str = "", notes: tuple[str, ...] = ()
) -> Attached:  # fmt: skip
    """A project with one agent in this state, and a server if it has an image."""

    def box(name: str, image: str) -> Container:
        return read_container({
            "Name": f"/app-{name}-1", "RestartCount": restarts, "State": {"Status": state},
            "Config": {"Image": image, "Env": list(env), "Labels": {"com.docker.compose.service": name}},
            "HostConfig": {"LogConfig": {"Type": driver}},
        })  # fmt: skip

    return Attached("app", "", (box("livekit", server),) if server else (), (box("agent", "x"),), notes)


NOBODY = Attached("app", "", (), (), ("livekit service: none found", "agent service: none found; services here: db"))


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
    (Found(TARGET, api_trouble="401", api_kind="refused"), "keys", "bad", "refuses the key from .env:2 and .env:3: 401", "`keys:`"),
    (Found(TARGET, api=API), "keys", "ok", "takes the key", ""),
    (Found(TARGET), "keys", "unknown", "not tried", ""),
    (Found(engine=ENGINE), "clock", "ok", "Docker engine agrees", ""),
    (Found(engine=engine(5.1)), "clock", "warn", "5 s ahead of this machine's", "timedatectl"),
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
    (Found(attached=runs("restarting", 9)), "container", "bad", "keeps restarting (9 times)", "docker logs --tail 50 app-agent-1"),
    (Found(attached=runs("exited")), "container", "bad", "is exited", "docker start app-agent-1"),
    (Found(attached=runs("paused")), "container", "bad", "is paused", "`docker unpause app-agent-1`"),
    (Found(attached=runs("running", 3)), "container", "warn", "restarted 3 times", "docker logs"),
    (Found(attached=runs("running")), "container", "ok", "is running", ""),
    (Found(attached=runs("running", driver="none")), "log-driver", "bad", "driver none", "json-file"),
    (Found(attached=runs("running", driver="syslog"), log_troubles=(("app-agent-1", "not supported"),)), "log-driver", "bad", "not supported", "json-file"),
    (Found(engine=ENGINE, attached=runs("running")), "project", "ok", "project is app", ""),
    (Found(engine=ENGINE, attached=runs("running", notes=("compose project: app (there is no other)",))), "project", "ok", "app (there is no other)", ""),
    (Found(engine=ENGINE, attach_trouble="no container"), "project", "warn", "no container", "docker compose up --detach"),
    (Found(Target(compose_project="x"), engine=ENGINE, attach_trouble="no container"), "project", "bad", "no container", "docker compose up"),
    (Found(engine=ENGINE, attach_trouble="several", attach_ask=True), "project", "bad", "several", "--compose-project NAME"),
    (Found(attached=NOBODY), "agent-service", "warn", "not known: none found; services here: db", "--agent-service"),
    (Found(attached=NOBODY), "livekit-service", "warn", "not known: none found", "--livekit-service"),
    (Found(TARGET, attached=NOBODY, api=API), "livekit-service", "unknown", "not known", "--livekit-service"),
    (Found(attached=runs("running", notes=("agent service: agent (its name says agent)",))), "agent-service", "ok", "is agent (its name says agent)", ""),
    (Found(Target(agent_service="agent, bob"), attached=runs("running")), "agent-service", "bad", "is not there: agent, bob", "--agent-service"),
    (Found(attached=runs("running", server="livekit/livekit-server:v1.8.4")), "server-version", "ok", "v1.8.4, by its image's tag. It gives no job", ""),
    (Found(attached=runs("running", server="x:5000/livekit-server@sha256:0011")), "server-version", "unknown", "not known", "starting"),
    (Found(server_versions=("1.13.5",), attached=runs("running", server="livekit/livekit-server:v1.8.4")), "server-version", "ok", "1.13.5. It", ""),
    (Found(Target(livekit_url="ws://x", origins=(("livekit_url", ".env:1"),)), api_trouble="wants a key", api_kind="keys"), "livekit", "unknown", "not asked, since keys are missing", ""),
    (Found(TARGET, api_trouble="ws:// is none", api_kind="address"), "livekit-url", "bad", "no address: ws:// is none", ".env:1"),
    (Found(TARGET, api_trouble="too early", api_kind="clock"), "clock", "bad", "differ too much: too early", "timedatectl"),
    (Found(TARGET, api_trouble="too early", api_kind="clock"), "livekit", "ok", "answers", ""),
    (Found(TARGET, api_trouble="too early", api_kind="clock"), "keys", "unknown", "since the clocks differ", ""),
    (Found(setup=env(OVERRIDE, "b")), "agent-name", "warn", f"{OVERRIDE} (.env:2) makes the agent register as 'b', whatever", "unset"),
    (Found(attached=runs("running", env=(f"{NAME}=b",))), "agent-name", "warn", f"{NAME} (container", "dispatch to 'b'"),
]  # fmt: skip

# what was looked at; the check that must say nothing, since there is no trap
QUIET: list[tuple[Found, str]] = [
    (Found(), "keys"),
    (Found(), "project"),
    (Found(), "agent-service"),
    (Found(TARGET, api_trouble="ws:// is none", api_kind="address"), "livekit"),
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
    (Found(attached=runs("running")), "log-driver"),
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
        (Found(TARGET, engine_trouble="no socket", api_trouble="401", api_kind="refused"), 1),
        (Found(TARGET, engine_trouble="no socket", api=API), 0),
        (Found(TARGET, engine_trouble="no socket", api_trouble="refused"), 4),
        (Found(), 4),
    ],
)
def test_the_exit_code_says_how_it_stands(found: Found, code: int) -> None:
    """0: nothing is bad; 1: something is bad; 4: neither Docker nor LiveKit can be reached."""
    assert exit_code(found, checks(found)) == code


# --- the door ------------------------------------------------------------------------------------


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


def told() -> dict[str, tuple[str, str, str]]:
    """By check: its status, its sentence and what mends it; of several the worst."""
    rows = fletcher("doctor", "--json").json["checks"]
    rows.sort(key=lambda row: ("unknown", "ok", "warn", "bad").index(row["status"]))
    return {row["name"]: (row["status"], row["sentence"], row["mend"]) for row in rows}


@pytest.mark.parametrize("published", [False, True])
def test_missing_keys_are_the_keys_fault(stack: Stack, monkeypatch: pytest.MonkeyPatch, *, published: bool) -> None:
    """Without keys a server is not asked, so nothing is said against it, wherever its address is from."""
    monkeypatch.delenv("LIVEKIT_API_KEY")
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    if published:
        monkeypatch.delenv("LIVEKIT_URL")
        stack.livekit.ports = {"7880/tcp": ("", 7880)}
    checks = told()
    assert checks["livekit-url"][0] == "ok"
    assert checks["livekit"][:2] == ("unknown", "The LiveKit server was not asked, since keys are missing.")
    assert checks["keys"][0] == "bad"
    assert not stack.api.calls


def test_a_clock_that_differs_is_no_fault_of_the_keys(stack: Stack) -> None:
    """A token that is refused for its time is told as that."""
    stack.api.ahead = -400.0
    checks = told()
    assert [checks[name][0] for name in ("livekit", "keys", "clock")] == ["ok", "unknown", "bad"]
    assert "timedatectl" in checks["clock"][2]


def test_a_key_that_is_refused_is_told(stack: Stack) -> None:
    """The server answers, and it does not take the key."""
    stack.api.keys.clear()
    checks = told()
    assert (checks["livekit"][0], checks["keys"][0]) == ("ok", "bad")
    assert stack.api.calls["ListRooms"] == 1


def test_what_is_looked_at_is_told(stack: Stack) -> None:
    """The project and both services are named, each with what shows it."""
    checks = told()
    assert "demo (its folder is" in checks["project"][1]
    assert "livekit (its image is livekit/livekit-server)" in checks["livekit-service"][1]
    stack.engine.boxes.remove(stack.agent)
    status, sentence, mend = told()["agent-service"]
    assert (status, "services here: livekit" in sentence, "--agent-service" in mend) == ("warn", True, True)


def test_an_engine_without_containers_is_told(stack: Stack) -> None:
    """That Docker runs and the project does not is said, with what starts it."""
    stack.engine.boxes.clear()
    checks = told()
    assert checks["docker"][0] == "ok"
    assert (checks["project"][0], "docker compose up" in checks["project"][2]) == ("warn", True)


def test_several_projects_keep_no_other_check_back(stack: Stack) -> None:
    """Which project is meant has to be said; all that needs no project is told all the same."""
    for box in stack.engine.boxes:
        box.working_dir = "/elsewhere/demo"
    stack.engine.add("livekit", project="other", image="livekit/livekit-server:v1.11.0", working_dir="/elsewhere/other")
    reply, checks = fletcher("doctor", "--json"), told()
    assert reply.code == 1
    assert [checks[name][0] for name in ("docker", "project", "livekit", "keys")] == ["ok", "bad", "ok", "ok"]
    assert "demo, other" in checks["project"][1]
    assert "--compose-project" in checks["project"][2]
    stack.engine.refusal = (403, "not for you")
    assert told()["docker"][0] != "ok"


def test_the_version_is_that_of_the_image_where_the_log_is_cut(stack: Stack) -> None:
    """A log that was cut at its beginning leaves the image's tag, which is said to be one."""
    stack.livekit.stored = [piece for piece in stack.livekit.stored if b"starting LiveKit server" not in piece.data]
    assert "v1.11.0, by its image's tag" in told()["server-version"][1]


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
