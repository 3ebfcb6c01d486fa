"""`fletcher config check` and `fletcher init`, as a person meets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import settings_file, settings_policy, settings_probes
from bot.report.template import template, values_of
from bot.settings import ENVIRONMENT, VARIABLES, Target
from tests.doubles.engine import Engine
from tests.fletcher import fletcher

SECRET = "hush-hush-hush-1"
LOOK = """\
---
runbook: 1
id: look
title: Look
schedule: {every: 5m, fail: 2}
---

```sh { check name=bad }
true
```
"""

pytestmark = pytest.mark.usefixtures("here")


def test_nothing_set_is_no_mistake() -> None:
    """Without any setting the check says so, and how to begin."""
    reply = fletcher("config", "check")
    assert (reply.code, reply.err) == (0, "")
    assert "No fletcher.toml here (`fletcher init` writes one)." in reply.out
    assert "sets nothing" in reply.out


def test_the_check_tells_each_value_and_where_it_is_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per target: what is set, from where, which one is taken, what is missing; never a key or a secret."""
    (here / ".env").write_text(f"LIVEKIT_API_KEY=mykey\nLIVEKIT_API_SECRET={SECRET}\n")
    (here / "fletcher.toml").write_text(
        'default = "a"\n[targets.a]\nlivekit_url = "wss://a"\n[targets.b]\napi_key_env = "B_KEY"\napi_secret_env = "B_SECRET"\n'
    )
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "app")
    reply = fletcher("config", "check")
    assert reply.code == 0
    assert [" ".join(line.split()) for line in reply.out.splitlines() if line] == [
        "fletcher.toml is right.",
        "target a (taken without --target)",
        "livekit_url wss://a (fletcher.toml:3)",
        "compose_project app (the environment)",
        "api_key set (.env:1)",
        "api_secret set (.env:2)",
        "target b",
        "sets nothing",
        "note: nothing sets B_KEY, which fletcher.toml:5 names",
        "note: nothing sets B_SECRET, which fletcher.toml:6 names",
    ]
    for told in (reply, fletcher("config", "check", "--json")):
        assert SECRET not in told.out
        assert "mykey" not in told.out


def test_the_check_speaks_json(here: Path) -> None:
    """--json gives the same for programs; several targets without a default are no mistake of the file."""
    (here / "other.toml").write_text('[targets.a]\nproject = "."\n[targets.b]\ndocker_context = "far"\n')
    document = fletcher("config", "check", "--json", "other.toml").json
    assert document["file"] == "other.toml"
    assert [(t["name"], t["taken"]) for t in document["targets"]] == [("a", False), ("b", False)]
    assert document["targets"][1]["settings"] == [{"name": "docker_context", "value": "far", "from": "other.toml:4"}]


def test_the_check_tells_who_may_do_what(here: Path) -> None:
    """Persons with their accounts and the rules in words; what lowers them stands out."""
    (here / "fletcher.toml").write_text(
        '[[person]]\nname = "ann"\nos = "ann"\nslack = ["U1", "U2"]\n[[person]]\nname = "bob"\n'
        '[policy]\nsingle-operator = true\nauto = {agent-never-joins = "3/1h"}\nexpires = "5m"\neffects = {change = "peer"}\n'
        'run = [{who = "ann", doors = ["slack"], channels = "C1"}]\n'
    )
    lines = [line.strip() for line in fletcher("config", "check").out.splitlines()]
    assert lines[lines.index("persons") :] == [
        "persons",
        "ann: os ann, slack U1, slack U2",
        "bob: no account, so that nobody can be this person",
        "",
        "policy",
        "run: ann from slack, C1: every runbook, every effect",
        "raised: change asks for peer",
        "LOWERED by single-operator: the requester's own confirmation stands for a peer's",
        "LOWERED by auto: agent-never-joins goes unasked, at most 3 times in 1h",
        "a question is open for 5m",
    ]
    document = fletcher("config", "check", "--json").json
    assert (len(document["persons"]), len(document["policy"])) == (2, 5)


def test_what_init_shows_of_people_is_right_as_it_stands() -> None:
    """The commented persons and rules name every key, and are read without a problem once they are no comments."""
    shown = template({}).partition("# [[person]]\n")[2].partition("\n# What `fletcher serve`")[0]
    text = "[[person]]\n" + "".join(
        f"{line.removeprefix('# ')}\n" for line in shown.splitlines() if "` may be" not in line
    )
    text = text.replace("approve = [{", "# approve = [{")  # the table below says it another way
    document = settings_file.parse(Path("f"), text.encode())
    assert document.rules is not None
    assert document.rules.approve[0].channels == ("C012AB3CD",)
    assert document.persons[0].accounts == (("os", "ann"), ("slack", "U012AB3CD"))
    keys = (*settings_policy.PERSON, *settings_policy.POLICY, *settings_policy.GRANT)
    assert [key for key in keys if f"# {key} = " not in template({})] == []


def test_what_init_shows_of_probes_is_right_as_it_stands() -> None:
    """The same of them: `every` or `cron` has to be chosen, and the target is the one that stands above."""
    shown = template({}).partition("# [[probe]]\n")[2].replace("# every", "# # every")
    text = "[targets.main]\n[[probe]]\n" + "".join(f"{line.removeprefix('# ')}\n" for line in shown.splitlines())
    document = settings_file.parse(Path("f"), text.encode())
    assert (document.probes[0].cron, document.probes[0].fail, document.watch.quiet[0].probes) == (
        "30 7 * * mon-fri",
        3,
        ("health",),
    )
    keys = (*settings_probes.PROBE, *settings_probes.PROBES)
    assert [key for key in keys if f"# {key} = " not in template({})] == []


def test_probes_are_told_with_what_they_order(here: Path) -> None:
    """Each in a line, with the windows in which nobody is told; a runbook is read for it."""
    (here / "look.md").write_text(LOOK)
    (here / "fletcher.toml").write_text(
        'runbooks = ["."]\n[targets.a]\n[[probe]]\nrunbook = "look"\ntarget = "a"\n'
        '[[probe]]\nrunbook = "look"\nname = "early"\ncron = "30 2 * * 1"\nfail = 3\norders = "nothing"\n'
        '[probes]\nalert-in = "C0123ABCD"\nping_env = "GONE"\nzone = "Europe/Berlin"\n'
        'quiet = [{cron = "0 2 * * sun", for = "1h30m", probes = "early", why = "backups"}]\n'
    )
    lines = [line.strip() for line in fletcher("config", "check").out.splitlines()]
    assert lines[lines.index("probes") + 1 :] == [
        "look: looks on a every 5m; degraded after 2, healthy after 1; a diagnosis is ordered then",
        "early: looks with look at `30 2 * * 1` (Europe/Berlin); degraded after 3, healthy after 1; nothing is ordered then",
        "people are told in C0123ABCD",
        "the address in GONE is called while all is well, which nothing sets",
        "nobody is told of early for 1h30m from `0 2 * * sun` (Europe/Berlin) on: backups",
    ]
    assert len(fletcher("config", "check", "--json").json["probes"]) == 5
    (here / "look.md").unlink()
    reply = fletcher("config", "check")
    assert (reply.code, "fletcher.toml:4: no runbook `look`" in reply.err) == (2, True)


def test_every_mistake_is_told_at_once(here: Path) -> None:
    """A wrong file is exit code 2, one line of standard error per mistake, and nothing else."""
    (here / "fletcher.toml").write_text(f'[targets.a]\nprojct = "."\napi_secret = "{SECRET}"\n')
    reply = fletcher("config", "check")
    assert (reply.code, reply.out) == (2, "")
    assert reply.err.count("\n") == 2
    assert "fletcher.toml:2: unknown key `projct` (did you mean 'project'?)" in reply.err
    assert "fletcher.toml:3: `api_secret` does not belong" in reply.err
    assert SECRET not in reply.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["config"], "the following arguments are required: check"),
        (["config", "chek"], "invalid choice: 'chek'"),
        (["config", "check", "gone.toml"], "no such file: gone.toml"),
        (["config", "check", "."], "is a folder"),
        (["config", "check", "a", "b"], "takes one file"),
        (["config", "check", "--jsn"], "did you mean '--json'?"),
        (["init", "--forc"], "did you mean '--force'?"),
        (["init", "x"], "takes no files"),
    ],
)
def test_wrong_use_is_one_sentence(argv: list[str], said: str) -> None:
    """Whatever is asked wrongly is exit code 2 and one sentence."""
    reply = fletcher(*argv)
    assert (reply.code, reply.out, reply.err.count("\n")) == (2, "", 1)
    assert said in reply.err


@pytest.mark.parametrize("verb", ["config", "init", "doctor"])
def test_help_has_an_example(verb: str) -> None:
    """A person can copy a command from --help."""
    reply = fletcher(verb, "--help")
    assert reply.code == 0
    assert f"examples:\n  fletcher {verb}" in reply.out


def test_init_writes_what_is_set_around_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment and .env set stands in the file or is named there; the check then tells the same target."""
    (here / ".env").write_text(f"LIVEKIT_API_KEY=mykey\nLIVEKIT_API_SECRET={SECRET}\n")
    monkeypatch.setenv("LIVEKIT_URL", "wss://a.example")
    monkeypatch.setenv("FLETCHER_TARGET", "none-yet")
    reply = fletcher("init")
    assert (reply.code, reply.err) == (0, "")
    assert "livekit_url      wss://a.example  (from the environment)" in reply.out
    assert "fletcher config check" in reply.out
    monkeypatch.delenv("FLETCHER_TARGET")
    monkeypatch.delenv("LIVEKIT_URL")
    written = (here / "fletcher.toml").read_text()
    assert SECRET not in written + reply.out
    assert "mykey" not in written + reply.out
    rows = fletcher("config", "check", "--json").json["targets"][0]["settings"]
    assert [(row["name"], row["value"]) for row in rows] == [
        ("livekit_url", "wss://a.example"), ("api_key", "set"), ("api_secret", "set"),
    ]  # fmt: skip


def test_init_never_writes_over_a_file_unasked(here: Path) -> None:
    """What is there stays, also a link that leads nowhere, unless --force says otherwise."""
    path = here / "fletcher.toml"
    path.write_text("mine")
    reply = fletcher("init")
    assert reply.code == 2
    assert "--force" in reply.err
    assert path.read_text() == "mine"
    assert fletcher("init", "--force").code == 0
    assert fletcher("config", "check").code == 0
    path.unlink()
    path.symlink_to("elsewhere")
    assert fletcher("init").code == 2
    assert not (here / "elsewhere").exists()


def test_init_says_why_it_cannot_write(here: Path) -> None:
    """A folder in the file's place is no bug."""
    (here / "fletcher.toml").mkdir()
    reply = fletcher("init", "--force")
    assert reply.code == 4
    assert "cannot write fletcher.toml into this folder: Is a directory" in reply.err


def test_init_takes_what_an_engine_shows(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that an engine shows are written with where they were found; what is set goes before them."""
    (here / ".env").write_text("LIVEKIT_URL=ws://set.example\n")
    with Engine() as engine:
        engine.add(service="sfu", project="shop", image="livekit/livekit-server:v1.13.5")
        engine.add(service="helper", project="shop", env={"LIVEKIT_URL": "ws://sfu:7880", "LIVEKIT_API_KEY": "k"})
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        reply = fletcher("init")
    assert (reply.code, reply.err) == (0, "")
    assert f"agent_service    helper  (from Docker at {engine.host}" in reply.out
    (target,) = settings_file.read(here / "fletcher.toml").targets
    found = {key: value for key, (value, _line) in target.values.items()}
    assert found["livekit_url"] == "ws://set.example"
    assert (found["compose_project"], found["livekit_service"], found["agent_service"]) == ("shop", "sfu", "helper")


@pytest.mark.parametrize(
    ("replicas", "ports", "written"),
    [
        (1, {}, None),  # a container's own address is gone when it is made anew
        (1, {"8081/tcp": ("", 18081)}, "http://127.0.0.1:18081"),
        (1, {"8081/tcp": ("10.0.0.5", 18081)}, "http://10.0.0.5:18081"),
        (2, {"8081/tcp": ("", 18081)}, None),  # one of several workers is not all
    ],
)
def test_init_writes_an_endpoint_that_lasts(
    here: Path, monkeypatch: pytest.MonkeyPatch, replicas: int, ports: dict[str, tuple[str, int]], written: str | None
) -> None:
    """A worker's endpoint is written where the port of the only worker is published, and nowhere else."""
    with Engine() as engine:
        engine.add(service="livekit", image="livekit/livekit-server:v1.13.5")
        for number in range(1, replicas + 1):
            env = {"LIVEKIT_URL": "ws://livekit:7880"}
            engine.add("agent", number=number, env=env, ports=ports, ips=("172.30.0.9",))
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        assert fletcher("init").code == 0
    (target,) = settings_file.read(here / "fletcher.toml").targets
    assert target.values.get("worker_endpoint", (None, 0))[0] == written


ANY = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"(wss?|https?|unix|ssh|tcp)://[\w.:@/-]{0,30}"),
    st.sampled_from(
        ['a"b', "a\\b", "a#b", "a\nb", "\x7f", "\ud800", "é", "aB3dE6gH9jK2mN5pQ8sT1vW4", "password=hunter22x"]
    ),
)


@given(
    st.fixed_dictionaries(
        dict.fromkeys((*VARIABLES, "livekit_service", "agent_service", "worker_endpoint", "project"), ANY)
    )
)
def test_what_init_writes_is_always_right(values: dict[str, Any]) -> None:
    """Whatever is found, the file that is written is read without a problem, and says what was told to be set."""
    if values["docker_host"]:
        values["docker_context"] = ""
    found = values_of(Target(**values))
    (target,) = settings_file.parse(Path("f"), template(found).encode()).targets
    assert {key: value for key, (value, _line) in target.values.items()} == {
        key: value.strip() for key, (value, _o) in found.items()
    }


SETTABLE = ANY.filter(lambda s: "\0" not in s and s.isprintable())
NOWHERE = st.one_of(  # what leads to no engine, and to no network on the way
    st.from_regex(r"unix:///nowhere/[\w./-]{0,30}", fullmatch=True),
    SETTABLE.filter(lambda s: ":" not in s).map(lambda s: f"junk {s}"),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {}, optional={name: NOWHERE if name.startswith("DOCKER_") else SETTABLE for name in sorted(VARIABLES.values())}
    )
)
def test_the_check_passes_after_init(env: dict[str, str]) -> None:
    """In any environment, what `init` writes passes `config check`; an address that is none stops both."""
    Path("fletcher.toml").unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.setenv(name, value)
        made = fletcher("init").code
        assert made == fletcher("config", "check").code
        assert Path("fletcher.toml").exists() == (made == 0)
