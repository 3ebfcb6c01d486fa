"""Paths, server configurations and recorded workers, as a person gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.errors import UsageError
from bot.evidence.project import read_livekit_config, read_project
from bot.livekit.setup import SdkVersion
from bot.source.surroundings import bounds
from tests.source.described import described

RECORDINGS = Path(__file__).parents[1] / "recordings"
# Of these the name comes from an environment variable that is not among the files.
NOT_IN_THE_SOURCE = {"inc-056", "inc-092"}
ENDPOINTS = [
    path
    for path in sorted(RECORDINGS.glob("*/worker-endpoint*.json"))
    if path.parent.name not in NOT_IN_THE_SOURCE
    and path.with_name("agent" + path.stem.removeprefix("worker-endpoint")).exists()
]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_worker_registered_as_its_source_says(endpoint: Path) -> None:
    """The name and type in a worker's source are those that the running worker told."""
    folder = endpoint.with_name("agent" + endpoint.stem.removeprefix("worker-endpoint"))
    told = json.loads(endpoint.read_text())
    told = told.get("body", told)
    told = json.loads(told) if isinstance(told, str) else told
    found = read_project(folder)
    assert [(one.agent_name, one.job_type) for one in found.workers] == [
        (told.get("agent_name", ""), told.get("worker_type", "JT_ROOM"))
    ]


@pytest.mark.parametrize("given", [".", "./", "app/..", "app", "app/agent.ts"])
def test_places_are_below_the_path_as_it_was_given(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path gives relative places, and finds the same worker."""
    (tmp_path / "app" / "dist").mkdir(parents=True)
    (tmp_path / "app" / "agent.ts").write_text("cli.runApp(new ServerOptions({ agentName: 'a' }));\n")
    (tmp_path / "app" / "dist" / "agent.js").write_text("cli.runApp(new ServerOptions({ agentName: 'old' }));\n")
    monkeypatch.chdir(tmp_path)
    found = read_project(Path(given))
    assert [worker.agent_name for worker in found.workers] == ["a"]
    assert not Path(found.workers[0].place.source).is_absolute()
    assert Path(found.workers[0].place.source).resolve() == tmp_path / "app" / "agent.ts"


CONFIG = """\
port: 7880
rtc: {node_ip: 192.0.2.1}
keys: {devkey: made-up-secret-value-0123456789}
"""


def test_a_server_configuration_says_what_is_set_and_what_is_not(tmp_path: Path) -> None:
    """What a configuration leaves out is None, and no redis address means that the node stands alone."""
    path = tmp_path / "config.yml"
    path.write_text(CONFIG)
    found = read_livekit_config(path)
    assert (found.port, found.node_ip, found.keys, found.redis) == (7880, "192.0.2.1", ("devkey",), False)
    assert (found.log_level, found.log_json, found.target_load, found.auto_create) == (None, None, None, None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("a: [", "is not valid YAML"), ("just a text\n", "holds no settings"), ("", "is empty"), ("\0", "is not text")],
)
def test_a_file_that_is_no_configuration_is_named(content: str, expected: str, tmp_path: Path) -> None:
    """The sentence names the file, what is wrong with it and what was expected."""
    path = tmp_path / "livekit.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=expected) as caught:
        read_livekit_config(path)
    assert "livekit.yaml" in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "installed", "since", "expected"),
    [
        ("1.0.48", True, (1, 0, 16), True),
        ("1.0.15", True, (1, 0, 16), False),
        ("^1.0.0", False, (1, 0, 16), None),
        ("^0.7.0", False, (1, 0, 16), False),
        ("~1.0.15", False, (1, 0, 16), None),
        ("~1.0.16", False, (1, 0, 16), True),
        ("1.0.15", False, (1, 0, 16), False),
        ("==1.3.5", False, (1, 5, 7), False),
        (">=1.0,<1.5", False, (1, 5, 7), False),
        ("~=1.3", False, (1, 5, 7), None),
        ("latest", False, (1, 0, 16), None),
        ("workspace:*", False, (1, 0, 16), None),
        ("", False, (1, 0, 16), None),
    ],
)
def test_a_version_or_range_decides_only_what_it_excludes(
    *, version: str, installed: bool, since: tuple[int, ...], expected: bool | None, tmp_path: Path
) -> None:
    """A range that holds versions before and after a change leaves it open."""
    (tmp_path / "agent.ts").write_text("cli.runApp(new ServerOptions({ agentName: 'a' }));\n")
    place = read_project(tmp_path).workers[0].place
    assert bounds(SdkVersion("@livekit/agents", version, installed, place)).since(*since) is expected


def test_other_encodings_are_read(tmp_path: Path) -> None:
    """Latin-1 in a comment and UTF-16 keep names and lines right."""
    text = "// für alle\ncli.runApp(new ServerOptions({ agentName: 'Grüße' }));\n"
    (tmp_path / "plain.ts").write_text(text)
    expected = described(read_project(tmp_path / "plain.ts"))
    assert expected["workers"][0]["name"] == "Grüße"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        (tmp_path / "other.ts").write_bytes(text.encode(encoding))
        assert described(read_project(tmp_path / "other.ts")) == expected
