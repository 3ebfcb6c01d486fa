"""Which containers are meant: guesses are sensible and told, and what is not sure is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.errors import FletcherError, Unreachable, UsageError
from bot.evidence.attach import Attached, attach
from bot.evidence.docker import connect
from bot.settings import Target
from tests.doubles.engine import Engine

URL = {"LIVEKIT_URL": "ws://livekit:7880", "LIVEKIT_API_KEY": "devkey"}
SERVER = {"service": "livekit", "image": "livekit/livekit-server:v1.13.5"}
AGENT = {"service": "voice-agent", "image": "demo/voice", "env": URL}
OTHER_AGENTS = (
    ("datadog-agent", "gcr.io/datadoghq/agent:7"),
    ("dd-agent", "datadog/agent"),
    ("agent-metrics", "newrelic/infrastructure"),
    ("otel-agent", "otel/opentelemetry-collector"),
    ("telegraf-agent", "demo-telegraf-agent"),
    ("log-agent", "fluent/fluent-bit:3"),
    ("consul-agent", "hashicorp/consul"),
    ("nomad-agent", "local/nomad"),
    ("build-agent", "jenkins/inbound-agent"),
    ("agent", "portainer/agent:2.19"),
)
NODE = ("node", "dist/main.js", "start")


def attached(boxes: list[dict[str, Any]], target: Target = Target(), here: str = "/somewhere") -> Attached:  # noqa: B008  # frozen
    """What is attached to, of an engine with these containers."""
    with Engine() as engine:
        for box in boxes:
            engine.add(**box)
        with connect(Target(docker_host=engine.host)) as asked:
            return attach(asked.containers(), target, Path(here))


@dataclass(frozen=True)
class Case:
    """Containers, and the services that are chosen of them, with what the notes say."""

    boxes: list[dict[str, Any]]
    livekit: str
    agents: str
    says: tuple[str, ...] = ()
    target: Target = field(default_factory=Target)


CASES = {
    "the usual": Case(
        [SERVER, AGENT],
        "livekit",
        "voice-agent",
        (
            "livekit service: livekit (its image is livekit/livekit-server)",
            "agent service: voice-agent (its environment has LIVEKIT_URL, and its name says agent or worker)",
        ),
    ),
    "an image from elsewhere": Case(
        [{"service": "sfu", "image": "registry:5000/x/livekit-server@sha256:00"}, AGENT],
        "sfu",
        "voice-agent",
        ("livekit service: sfu (its image is registry:5000/x/livekit-server)",),
    ),
    "a server known by its command": Case(
        [{"service": "rtc", "command": ("/livekit-server", "--dev")}, AGENT],
        "rtc",
        "voice-agent",
        ("livekit service: rtc (its command is livekit-server)",),
    ),
    "a server known by its keys": Case(
        [
            {"service": "rtc", "env": {"LIVEKIT_KEYS": "a: b"}},
            {"service": "caddy", "ports": {"7880/tcp": ("", 7880)}},
            AGENT,
        ],
        "rtc",
        "voice-agent",
        ("livekit service: rtc (it has LIVEKIT_KEYS)",),
    ),
    "a server known by its port": Case(
        [{"service": "rtc", "ports": {"7880/tcp": ("", 80)}}, AGENT],
        "rtc",
        "voice-agent",
        ("livekit service: rtc (it has port 7880)",),
    ),
    "several agents": Case(
        [SERVER, AGENT, {**AGENT, "service": "transcriber", "command": ("python", "worker.py", "start")}],
        "livekit",
        "transcriber voice-agent",
        ("agent service: transcriber (its environment has LIVEKIT_URL, and its command says agent or worker)",),
    ),
    "an agent that tells its name": Case(
        [SERVER, {"service": "ann", "env": {"LIVEKIT_AGENT_NAME": "ann"}}, {"service": "app", "env": URL}],
        "livekit",
        "ann",
        ("agent service: ann (its environment has LIVEKIT_AGENT_NAME)",),
    ),
    "an agent of any name": Case(
        [SERVER, {"service": "bob", "env": URL, "command": NODE}, {"service": "web", "env": URL}, {"service": "db"}],
        "livekit",
        "bob",
        ("agent service: bob (its environment has LIVEKIT_URL)",),
    ),
    "an agent by its name and any setting of LiveKit's": Case(
        [SERVER, {"service": "my-agent", "command": NODE, "env": {"LIVEKIT_REMOTE_EOT_URL": "http://x"}}],
        "livekit",
        "my-agent",
        ("agent service: my-agent (its environment has LIVEKIT_REMOTE_EOT_URL, and its name says agent or worker)",),
    ),
    "a name alone is no sign": Case(
        [SERVER, {"service": "my-agent", "command": NODE}, {"service": "worker", "command": ("celery",)}],
        "livekit",
        "",
        ("agent service: none found; give --agent-service NAME (perhaps my-agent, which has no setting for LiveKit);",),
    ),
    "a name alone is enough when it is given": Case(
        [SERVER, {"service": "my-agent", "command": NODE}], "livekit", "my-agent", (), Target(agent_service="my-agent")
    ),
    "other programs that are called agents": Case(
        [
            SERVER,
            AGENT,
            *({"service": service, "image": image, "env": URL} for service, image in OTHER_AGENTS),
        ],
        "livekit",
        "voice-agent",
    ),
    "agents whose names only sound like those": Case(
        [
            SERVER,
            *(
                {"service": name, "image": f"demo-{name}", "env": URL}
                for name in ("digital-nomad-agent", "fluent-agent")
            ),
        ],
        "livekit",
        "digital-nomad-agent fluent-agent",
    ),
    "only what makes tokens": Case(
        [SERVER, {"service": "token-server", "env": URL}, {"service": "frontend", "env": URL}],
        "livekit",
        "",
        ("agent service: none found; give --agent-service NAME; services here: frontend, livekit, token-server",),
    ),
    "LiveKit's other servers and Fletcher are no agents": Case(
        [
            SERVER,
            AGENT,
            {"service": "egress-worker", "image": "livekit/egress:v1", "env": {**URL, "LIVEKIT_KEYS": "a: b"}},
            {"service": "agent-sip", "image": "livekit/sip", "env": URL},
            {"service": "fletcher", "env": URL, "command": ("agent",)},
            {"service": "why-agent", "env": URL, "command": ("python", "-m", "bot", "diagnose")},
            {"service": "watch-agent", "env": URL, "image": "x/fletcher:1"},
        ],
        "livekit",
        "voice-agent",
    ),
    "named ones": Case(
        [SERVER, AGENT, {"service": "a"}, {"service": "b"}],
        "a",
        "b voice-agent",
        (),
        Target(livekit_service="a", agent_service="b, voice-agent"),
    ),
    "a named one without a container": Case(
        [SERVER, AGENT],
        "livekit",
        "",
        ("agent service: tutor has no container; services here: livekit, voice-agent",),
        Target(agent_service="tutor"),
    ),
    "no server, as with LiveKit Cloud": Case(
        [AGENT],
        "",
        "voice-agent",
        ("livekit service: none found; give --livekit-service NAME; services here: voice-agent",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_server_and_agents_are_found(case: Case) -> None:
    """The server and the agents are found by what they are, and the note says why each was taken."""
    found = attached(case.boxes, case.target)
    assert " ".join(one.service for one in found.livekit) == case.livekit
    assert " ".join(one.service for one in found.agents) == case.agents
    for line in case.says:
        assert line in "\n".join(found.notes)


def test_replicas() -> None:
    """Every container that runs counts, of one that does not the newest, and what `compose run` made never does."""
    found = attached(
        [
            SERVER,
            {**AGENT, "number": 1, "name": "old", "state": "exited", "created": "2026-03-12T06:00:00Z"},
            {**AGENT, "number": 1, "name": "one"},
            {**AGENT, "number": 2, "name": "two"},
            {**AGENT, "number": 3, "name": "three-old", "state": "exited", "created": "2026-03-12T06:00:00Z"},
            {**AGENT, "number": 3, "name": "three", "state": "dead", "created": "2026-03-12T06:30:00Z"},
            {**AGENT, "number": 4, "name": "shell", "oneoff": True},
        ]
    )
    assert [one.name for one in found.agents] == ["one", "two", "three"]


OTHER = {"service": "db", "project": "other", "working_dir": "/srv/other"}
SECOND = [{**box, "project": "second", "working_dir": "/srv/second"} for box in (SERVER, AGENT)]
PROJECTS: list[tuple[list[dict[str, Any]], Target, str, str, str]] = [
    # containers, target, the folder one is in, the project, why
    ([SERVER, AGENT, OTHER], Target(), "/somewhere", "demo", "no other has a LiveKit server or an agent"),
    ([SERVER, AGENT], Target(), "/somewhere", "demo", "there is no other"),
    ([SERVER, *SECOND], Target(), "/srv/second", "second", "its folder is /srv/second"),
    ([SERVER, *SECOND], Target(), "/srv/demo/apps/agent", "demo", "its folder is /srv/demo"),
    ([SERVER, {**OTHER, "working_dir": "/srv"}], Target(), "/srv/demo/apps", "demo", "its folder is /srv/demo"),
    ([SERVER, {**OTHER, "working_dir": "/srv/demo"}], Target(), "/srv/demo", "demo", "no other has"),
    ([SERVER, *SECOND], Target(compose_project="second"), "/srv/demo", "second", ""),
]


@pytest.mark.parametrize(("boxes", "target", "here", "project", "why"), PROJECTS)
def test_the_project_is_found(boxes: list[dict[str, Any]], target: Target, here: str, project: str, why: str) -> None:
    """The project is the one that is named, else that of the folder, else the only one with anything of LiveKit."""
    found = attached(boxes, target, here)
    assert (found.project, found.working_dir) == (project, f"/srv/{project}")
    told = next((line for line in found.notes if line.startswith("compose project")), "")
    assert told.startswith(f"compose project: {project} ({why}" if why else told)
    assert bool(why) == bool(told)


UNSURE: list[tuple[list[dict[str, Any]], Target, type[FletcherError], str]] = [
    ([SERVER, *SECOND, OTHER], Target(), UsageError, "several .*; give --compose-project one of: demo, second$"),
    ([OTHER, {**OTHER, "project": "x"}], Target(), UsageError, "several .*; give --compose-project one of: other, x$"),
    (
        [SERVER, OTHER],
        Target(compose_project="no"),
        Unreachable,
        "no has no container: start it, or give --compose-project one of: demo, other$",
    ),
    ([], Target(), Unreachable, "no container of a compose project: start it"),
    ([], Target(compose_project="no"), Unreachable, "project no has no container, nor has any other: start it"),
    ([{**AGENT, "oneoff": True}], Target(), Unreachable, "no container of a compose project"),
]


@pytest.mark.parametrize(("boxes", "target", "kind", "sentence"), UNSURE)
def test_what_is_not_sure_is_asked_for(
    boxes: list[dict[str, Any]], target: Target, kind: type[FletcherError], sentence: str
) -> None:
    """Where several projects may be meant none is chosen; the sentence names them and the flag."""
    with pytest.raises(kind, match=sentence):
        attached(boxes, target)


def test_the_files_and_the_version_are_told() -> None:
    """The compose files of the newest container, and the server's image with its tag, are told."""
    files = ("/srv/demo/compose.yaml", "/srv/demo/prod.yaml")
    notes = attached([{**SERVER, "config_files": files}, {**AGENT, "created": "2026-03-12T06:00:00Z"}]).notes
    assert "compose file: /srv/demo/compose.yaml, /srv/demo/prod.yaml" in notes
    assert "livekit image: livekit/livekit-server:v1.13.5" in notes


CONFIGS: list[tuple[tuple[str, ...], str, str, str]] = [
    # command, what is mounted of the folder, to where, the file of the folder that it is
    (("--config", "/etc/livekit.yaml"), "livekit.yaml", "/etc/livekit.yaml", "livekit.yaml"),
    (("--config=/etc/sfu.yml",), "livekit.yaml", "/etc/sfu.yml", "livekit.yaml"),
    (("--config", "/etc/livekit/livekit.yaml"), "", "/etc/livekit", "livekit.yaml"),
    ((), "livekit.yaml", "/livekit.yaml", "livekit.yaml"),
    (("--config", "/etc/other.yaml"), "livekit.yaml", "/livekit.yaml", ""),
    (("--config", "/etc/livekit.yaml"), "away.yaml", "/etc/livekit.yaml", ""),
    ((), "livekit.yaml", "/etc/caddy.yaml", ""),
    ((), "", "/data", ""),
]


@pytest.mark.parametrize(("words", "source", "inside", "expected"), CONFIGS)
def test_the_servers_configuration_is_found(
    words: tuple[str, ...], source: str, inside: str, expected: str, tmp_path: Path
) -> None:
    """The file that the server reads is found where it is mounted from, if that is on this machine."""
    (tmp_path / "livekit.yaml").write_text("port: 7880\n")
    mounts = ((str(tmp_path / "unrelated"), "/data/x"), (str(tmp_path / source), inside))
    found = attached([{**SERVER, "command": ("/livekit-server", *words), "mounts": mounts}])
    assert found.livekit_config == (str(tmp_path / expected) if expected else "")
