"""Settings: which value goes before which, where each comes from, and what a fletcher.toml may say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot import settings_file, settings_policy, settings_serve
from bot.errors import UsageError, WrongDocument
from bot.settings import ENVIRONMENT, Target, targets

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
TWO = """\
[targets.staging]
livekit_url = "wss://staging.example"
api_key_env = "STAGING_KEY"
api_secret_env = "STAGING_SECRET"
docker_context = "far"

[targets.live]
livekit_url = "wss://live.example"
project = "app"
"""


def chosen(here: Path, name: str | None = None, env: Mapping[str, str] | None = None, **given: str) -> Target:
    """The target that a call would look at."""
    return targets(env or {}, here).choose(name, **given)


def problems(text: str | bytes) -> list[str]:
    """What is wrong with a fletcher.toml, each problem with its line."""
    with pytest.raises(WrongDocument) as raised:
        settings_file.parse(Path("fletcher.toml"), text if isinstance(text, bytes) else text.encode())
    return list(raised.value.lines)


# --- precedence ----------------------------------------------------------------------------------


def test_values_come_from_the_first_place_that_sets_them(tmp_path: Path) -> None:
    """Command line, process, `.env.local`, `.env`, fletcher.toml: each value is the first, and knows where it is from."""
    (tmp_path / ".env").write_text(
        "LIVEKIT_URL=ws://dot\nLIVEKIT_API_KEY=dot\nLIVEKIT_API_SECRET=dot\nCOMPOSE_PROJECT_NAME=dot\n"
    )
    (tmp_path / ".env.local").write_text("# mine\nLIVEKIT_API_KEY=local\nLIVEKIT_URL=ws://local\n")
    (tmp_path / "fletcher.toml").write_text(
        '[targets.a]\nagent_service = "agent"\ncompose_project = "file"\nworker_endpoint = "http://file:1"\n'
    )
    found = chosen(tmp_path, env={"LIVEKIT_URL": "ws://process"}, worker_endpoint="http://flag:1")
    assert (found.livekit_url, found.origin("livekit_url")) == ("ws://process", "the environment")
    assert (found.api_key, found.origin("api_key")) == ("local", ".env.local:2")
    assert (found.api_secret, found.origin("api_secret")) == ("dot", ".env:3")
    assert (found.compose_project, found.origin("compose_project")) == ("dot", ".env:4")
    assert (found.agent_service, found.origin("agent_service")) == ("agent", "fletcher.toml:2")
    assert (found.worker_endpoint, found.origin("worker_endpoint")) == ("http://flag:1", "--worker-endpoint")
    assert found.origin("project") == ""


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_chosen_target_wins_over_a_stray_environment(tmp_path: Path, by: str) -> None:
    """A target chosen by name is that of the file, with the keys it names, whatever else the shell holds."""
    (tmp_path / "fletcher.toml").write_text(TWO)
    stray = {
        "LIVEKIT_URL": "ws://stray", "LIVEKIT_API_KEY": "stray", "LIVEKIT_API_SECRET": "stray", "COMPOSE_PROJECT_NAME": "stray",
        "DOCKER_HOST": "tcp://stray", "STAGING_KEY": "mine", "STAGING_SECRET": "too",
    }  # fmt: skip
    env = {**stray, "FLETCHER_TARGET": "staging"} if by == "variable" else stray
    found = chosen(tmp_path, "staging" if by == "flag" else None, env)
    assert (found.name, found.livekit_url, found.api_key, found.api_secret) == (
        "staging",
        "wss://staging.example",
        "mine",
        "too",
    )
    assert (found.docker_context, found.docker_host, found.compose_project) == ("far", "", "")


def test_a_flag_wins_over_a_chosen_target(tmp_path: Path) -> None:
    """What the command line sets goes before what the chosen target says."""
    (tmp_path / "fletcher.toml").write_text(TWO)
    found = chosen(tmp_path, "staging", livekit_url="ws://flag", compose_project="flag")
    assert (found.livekit_url, found.compose_project, found.docker_context) == ("ws://flag", "flag", "far")
    assert found.origin("compose_project") == "--compose-project"


def test_keys_go_with_their_address(tmp_path: Path) -> None:
    """Where the environment's address replaces that of the file, the keys that the file names are not sent there."""
    (tmp_path / "fletcher.toml").write_text(TWO.partition("\n[targets.live]")[0])
    env = {"STAGING_KEY": "file", "STAGING_SECRET": "file", "LIVEKIT_URL": "ws://other"}
    assert chosen(tmp_path, env=env).api_key == ""
    assert chosen(tmp_path, env={**env, "LIVEKIT_URL": ""}).api_key == "file"


def test_an_engine_has_one_name(tmp_path: Path) -> None:
    """Of an engine's two variables the one nearer to the person counts, and DOCKER_HOST where both are as near."""
    (tmp_path / ".env").write_text("DOCKER_HOST=tcp://dot:1\n")
    found = chosen(tmp_path, env={"DOCKER_CONTEXT": "mine"})
    assert (found.docker_context, found.docker_host) == ("mine", "")
    found = chosen(tmp_path, env={"DOCKER_CONTEXT": "mine", "DOCKER_HOST": "tcp://x:1"})
    assert (found.docker_context, found.docker_host) == ("", "tcp://x:1")


def test_without_a_file_the_environment_is_the_target(tmp_path: Path) -> None:
    """No fletcher.toml is needed; what is empty counts as not set."""
    found = chosen(tmp_path, env={"LIVEKIT_URL": "http://x:7880", "LIVEKIT_API_KEY": "  ", "DOCKER_HOST": ""})
    assert (found.name, found.livekit_url, found.api_key, found.docker_host) == ("", "http://x:7880", "", "")


def test_env_files_are_read_as_people_write_them(tmp_path: Path) -> None:
    """CR LF, quotes, export, comments, a byte order mark and values of other variables are understood."""
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfexport LIVEKIT_URL=\"ws://${HOST_OF_MINE}:7880\"  # mine\r\nLIVEKIT_API_KEY='a b'\r\n\r\nLIVEKIT_API_SECRET=x # y\r\n"
    )
    found = chosen(tmp_path, env={"HOST_OF_MINE": "box"})
    assert (found.livekit_url, found.api_key, found.api_secret) == ("ws://box:7880", "a b", "x")
    assert found.origin("api_secret") == ".env:4"


def test_a_folder_called_env_is_no_setting(tmp_path: Path) -> None:
    """Some call their Python environment `.env`; it is passed over."""
    (tmp_path / ".env").mkdir()
    assert chosen(tmp_path) == Target()


def test_a_secret_is_not_in_what_a_target_shows_of_itself() -> None:
    """A trace or a log of a target has no secret."""
    found = targets({"LIVEKIT_API_SECRET": "hush"}, Path("/nowhere"))
    assert "hush" not in repr(found) + repr(found.choose())


def test_paths_in_a_file_are_meant_from_its_folder(tmp_path: Path) -> None:
    """`project` of a fletcher.toml elsewhere is beside that file."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f.toml").write_text(TWO)
    found = targets({"FLETCHER_CONFIG": "there/f.toml"}, tmp_path).choose("live")
    assert found.project == str(tmp_path / "there" / "app")
    assert found.origin("project") == "f.toml:9"


@pytest.mark.parametrize(
    ("file", "env", "name", "said"),
    [
        (TWO, {}, None, ["several targets (staging, live)", "--target", "FLETCHER_TARGET", 'default = "staging"']),
        (TWO, {}, "stagin", ["no target 'stagin' (--target)", "did you mean 'staging'?", "staging, live"]),
        (TWO, {"FLETCHER_TARGET": "x"}, None, ["no target 'x' (the environment)"]),
        (None, {}, "staging", ["no fletcher.toml is here", "fletcher init"]),
        ("", {}, "staging", ["has no targets"]),
        (
            None,
            {"FLETCHER_CONFIG": "gone.toml"},
            None,
            ["no such file", "gone.toml", "FLETCHER_CONFIG, the environment"],
        ),
        (None, {"LIVEKIT_URL": "livekit:7880"}, None, ["LIVEKIT_URL (the environment) must begin with ws://"]),
        (None, {"LIVEKIT_URL": "ws://"}, None, ["LIVEKIT_URL (the environment) names no host"]),
    ],
)
def test_what_cannot_be_chosen_is_told(
    tmp_path: Path, file: str | None, env: dict[str, str], name: str | None, said: list[str]
) -> None:
    """A target or address that cannot be meant is told with where it is from and what to do."""
    if file is not None:
        (tmp_path / "fletcher.toml").write_text(file)
    with pytest.raises(UsageError) as raised:
        chosen(tmp_path, name, env)
    for part in said:
        assert part in str(raised.value)


def test_a_default_and_an_only_target_are_taken(tmp_path: Path) -> None:
    """Nobody has to name what the file says is meant, or the only target there is."""
    (tmp_path / "fletcher.toml").write_text('default = "live"\n' + TWO)
    assert chosen(tmp_path).name == "live"
    (tmp_path / "fletcher.toml").write_text('[targets.only]\nproject = "."\n')
    assert chosen(tmp_path).name == "only"


# --- fletcher.toml -------------------------------------------------------------------------------

WRONG = [
    ('livekit_url = "wss://x"', 1, "`livekit_url` belongs into a target"),
    ('defalt = "a"', 1, "unknown key `defalt` (did you mean 'default'?)"),
    ('default = "b"\n[targets.bb]\n', 1, "`default` names no target of this file"),
    ('runbooks = "runbooks"', 1, '`runbooks` must be a list such as ["runbooks"], and is a text'),
    ('runbooks = ["a", 1]', 1, "a folder in `runbooks` must be a text in quotes, and is a number"),
    ('runbooks = [""]', 1, "a folder in `runbooks` is empty"),
    ('runbook = ["a"]', 1, "unknown key `runbook` (did you mean 'runbooks'?)"),
    ("default = 1", 1, "`default` must be a text in quotes, and is a number"),
    ("targets = 1", 1, "`targets` must be tables"),
    ("[[targets]]\nproject = '.'", 1, "`targets` must be tables"),
    ("[targets]\nproject = '.'", 2, "`project` belongs into one"),
    ('[targets.""]', 1, "a target's name must be"),
    ('[targets."a b"]', 1, "a target's name must be"),
    ('[targets.a]\n\nlivekit_ulr = "wss://x"', 3, "unknown key `livekit_ulr` (did you mean 'livekit_url'?)"),
    (
        '[targets.a]\nlivekit_url = "livekit:7880"',
        2,
        "`livekit_url` must begin with ws://, wss://, http:// or https://",
    ),
    ('[targets.a]\nlivekit_url = "wss://a:99999"', 2, "`livekit_url` is no address"),
    ('[targets.a]\nlivekit_url = "wss://me:hunter22@a"', 2, "`livekit_url` has a password in it"),
    ('[targets.a]\nworker_endpoint = "ws://a"', 2, "`worker_endpoint` must begin with http:// or https://"),
    ('[targets.a]\ndocker_host = "/var/run/docker.sock"', 2, "`docker_host` must begin with unix://"),
    ('[targets.a]\ncompose_project = ""', 2, "`compose_project` is empty"),
    ("[targets.a]\ncompose_project = 2026-01-01", 2, "and is a date or time"),
    ('[targets.a]\nagent_service = ["x"]', 2, "and is a list"),
    ('[targets.a]\nagent_service = """a\nb"""', 2, "has a character that cannot be printed"),
    (
        '[targets.a]\nproject = "."\ndocker_host = "ssh://a"\ndocker_context = "b"',
        4,
        "both `docker_host` and `docker_context`",
    ),
    ('[targets.a]\napi_key_env = "A_KEY"', 2, "`api_key_env` without `api_secret_env`"),
    ('[targets.a]\napi_key = "devkey"', 2, "`api_key` does not belong into a file that may be shared"),
    ('[targets.a]\n"api_secret" = "hushhush"', 2, 'write here api_secret_env = "STAGING_API_SECRET"'),
    ('[targets.a]\napi_secret_env = "aB3dE6gH9jK2"\napi_key_env="K"', 2, "name of an environment variable in capitals"),
    ('[targets.a]\nagent_service = "aB3dE6gH9jK2mN5pQ8sT1vW4"', 2, "looks like a secret"),
    ("# api_secret = 'hushhush'", 1, "looks like a secret"),
    ('targets = {a = {livekit_ulr = "x"}}', 1, "unknown key `livekit_ulr`"),
    ("targets.a.docker_context = 5", 1, "`docker_context` must be a text"),
    ('[targets.a]\nproject = """\\\n  a=[1"""\n# [x]\n\'agent_servce\' = "x#=["', 5, "unknown key `agent_servce`"),
    ("[targets.a]\r\nproject = '.'\r\nx = 1\r\n", 3, "unknown key `x`"),
    ("a = 1\nb =\n", 2, "is not TOML: invalid value at column 4"),
    ("a = 1\na = 2\n", 2, "is not TOML"),
    ("a = 1\nb = [\n\n", 2, "is not TOML: invalid value at the end of the file"),
    ("a = 1\nb = " + "9" * 5000, 2, "a number or a nesting that is too large"),
    (b"a = 1\n# \xe9\n", 2, "is not UTF-8"),
    ("a = 1".encode("utf-16"), 1, "is UTF-16; save it as UTF-8"),
    (b"#" * (settings_file.LIMIT + 1), 1, "is larger than"),
    ("single-operator = true", 1, "`single-operator` belongs below a line [policy]"),
    ("policies = 1", 1, "unknown key `policies` (did you mean 'policy'?)"),
    ("policy = 1", 1, "`policy` must be a table [policy], and is a number"),
    ("[policy]\nsingle_operator = true", 2, "unknown key `single_operator` (did you mean 'single-operator'?)"),
    ('[policy]\nsingle-operator = "yes"', 2, "must be true or false, and is a text"),
    ('[policy]\nexpires = "15"', 2, "`expires` `15` has no unit"),
    ('[policy]\nexpires = "8d"', 2, "is more than 7d"),
    ('[policy]\nkeep = "0s"', 2, "must be longer than nothing"),
    ('[policy]\nrun = "ann"', 2, '`run` must be a list such as run = [{who = ["ann"]'),
    ('[policy]\nrun = [{whom = "ann"}]', 2, "unknown key `whom` (did you mean 'who'?)"),
    ('[policy]\nrun = [{who = "ann"}]', 2, "names ann, and no [[person]] is called so"),
    (
        '[[person]]\nname = "ann"\n[policy]\n[[policy.run]]\nwho = ["ann"]\n[[policy.run]]\nwho = ["anne"]',
        7,
        "names anne, and no [[person]] is called so (did you mean 'ann'?)",
    ),
    (
        '[[policy.run]]\ndoors = ["terminals"]',
        2,
        "names terminals (did you mean 'terminal'?); there are terminal, slack",
    ),
    ("[[policy.run]]\neffects = []", 2, "`effects` of `run` is empty"),
    ('[policy.effects]\nchnage = "peer"', 2, "unknown key `chnage` (did you mean 'change'?)"),
    ('[policy.effects]\nchange = "two"', 2, "must be confirm or peer"),
    ('[policy.effects]\ndisrupt = "confirm"', 2, "asks for less than the peer that it needs anyway"),
    ('[policy]\nauto = {agent-never-joins = "3"}', 2, "`3` is no limit such as 3/1h"),
    ('[policy]\nauto = ["agent-never-joins"]', 2, "`auto` must be a table such as auto = {agent-never-joins"),
    ('[person]\nname = "ann"', 1, "`person` must be tables such as [[person]], and is a table"),
    ('[[person]]\nos = "ann"', 1, "a [[person]] needs a name"),
    (
        '[[person]]\nname = "ann"\n[[person]]\nname = "bob"\nslck = "U1"',
        5,
        "unknown key `slck` (did you mean 'slack'?)",
    ),
    (
        '[[person]]\nname = "ann"\nos = ["a"]\n[[person]]\nname = "bob"\nos = "a"',
        6,
        "an account that another person has",
    ),
    ('[[person]]\nname = "ann"\n[[person]]\nname = "ann"', 1, "2 persons called ann"),
    ("[[person]]\nname = 7", 2, "`name` must be a text in quotes, and is a number"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_a_mistake_is_told_with_its_line(text: str | bytes, line: int, said: str) -> None:
    """Every kind of mistake in a fletcher.toml gives one problem, at its line, and never repeats a secret."""
    (problem,) = problems(text)
    assert problem.startswith(f"fletcher.toml:{line}: ")
    assert said in problem
    assert not re.search(r"hush|hunter|aB3dE6", problem)


def test_all_mistakes_are_told_at_once_in_their_order() -> None:
    """A person mends a file once, not once for each mistake."""
    told = problems('x = 1\n[targets.a]\nproject = 1\nlivekit_url = "x"\napi_key = "y"\n[targets.b]\nz = 2\n')
    assert [int(line.split(":")[1]) for line in told] == [1, 3, 4, 5, 7]


def test_what_editors_leave_behind_is_no_mistake() -> None:
    """A byte order mark, CR LF and blanks around values do not matter, nor does an empty file."""
    document = settings_file.parse(Path("f"), b"\xef\xbb\xbf[targets.a]\r\nagent_service = ' x '\r\n")
    assert document.targets[0].values == {"agent_service": ("x", 2)}
    assert settings_file.parse(Path("f"), b"").targets == ()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file and a folder are each one sentence."""
    with pytest.raises(UsageError, match="no such file"):
        settings_file.read(tmp_path / "gone")
    with pytest.raises(UsageError, match="is a folder"):
        settings_file.read(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        settings_file.read(Path("a\0b"))
    (tmp_path / "fletcher.toml").symlink_to("fletcher.toml")
    with pytest.raises(UsageError, match=r"cannot read .*fletcher.toml: Too many levels"):
        targets({}, tmp_path)


PIECES = st.sampled_from([
    "[targets.a]", "[targets]", "[[targets]]", '[targets."b c"]', "default", "runbooks", "targets", "livekit_url", "api_key", "project",
    "docker_host", " = ", "=", '"', "'", '"""', "'''", "[", "]", "{", "}", ",", "\n", "\r\n", "\r", "#", "\\", "1", "x", ".", "wss://a:b@c:1",
    "[[person]]", "[policy]", "[[policy.run]]", "run", "effects", "auto", "who", "name", "expires", "'.'", '"ws://x"', "1979-05-27", "\ufeff", "\0", "é",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)).map(str.encode) | st.binary())
@example(b"[targets.a.b.c.d.e.f.g.h.i.j]")
@example(b"a" + b".a" * 400 + b"=1")
@example(b"a=" + b"[" * 20_000)
@example(b'targets."".""=1')
@example(b"targets=[[],{a=1}]")
@example(b"person=[{name=[]}]")
@example(b"[[person]]\n[[person.x]]\n[policy]\nrun=[[]]\nauto={x=[]}")
def test_any_text_is_targets_or_a_wrong_document_with_a_line(raw: bytes) -> None:
    """Whatever a fletcher.toml holds, it gives targets, or problems that each have a line that is there."""
    try:
        lines = [target.line for target in settings_file.parse(Path("f"), raw).targets]
    except WrongDocument as wrong:
        lines = [problem.line for problem in wrong.problems] or [0]
    assert all(1 <= line <= raw.count(b"\n") + 1 for line in lines)


# --- .env.example --------------------------------------------------------------------------------


def test_every_setting_is_listed_once() -> None:
    """.env.example lists what Fletcher reads and what docker-compose.yml reads, each once, and nothing else."""
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    compose = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))) - {"PWD"}
    assert sorted(listed) == sorted(set(ENVIRONMENT) | compose)
    assert all(re.fullmatch(r"\S.*\.", sentence) for sentence in ENVIRONMENT.values())


def test_every_key_and_variable_has_its_place_in_the_documents() -> None:
    """docs/settings.md names every key of the file and every variable."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    keys = (
        *settings_file.KEYS,
        *settings_file.TOP,
        *settings_policy.PERSON,
        *settings_policy.POLICY,
        *settings_policy.GRANT,
        *settings_serve.SERVE,
    )
    assert [name for name in (*keys, *ENVIRONMENT) if f"`{name}`" not in text] == []
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert settings_file.parse(Path("f"), example.encode()).default == "staging"


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    """No variable is read by name that ENVIRONMENT does not tell of; bot/install.py runs before there are settings."""
    rooms = [ROOT / "bot", *(ROOT / "bot" / room for room in ("doors", "evidence", "report", "doctor"))]
    files = [path for room in rooms for path in room.glob("*.py") if path.name != "install.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    read = re.findall(r'(?<!sealed\.)environ(?:ment)?(?:\.get\(|\[)"(\w+)"', text)
    read += re.findall(r'"(\w+)" (?:not )?in (?:os|self)\.environ', text)
    assert (
        {"FLETCHER_DEBUG", "FLETCHER_TARGET", "NO_COLOR"} <= set(read) <= {*ENVIRONMENT, "TERM"}
    )  # what the terminal can do is no setting of ours
