"""Whatever comes in, an answer comes out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.errors import FletcherError
from bot.evidence.project import merge, read_livekit_config, read_project
from bot.livekit.setup import Setup

CASES = sorted((Path(__file__).parent / "cases").iterdir())
NAMES = ["a.ts", "a.tsx", "a.js", "a.py", "a.json", ".env", "compose.yaml", "livekit.yaml", "Dockerfile", "a.sh"]
NAMES += ["package.json", "requirements.txt", "pnpm-lock.yaml", "uv.lock", "pyproject.toml", "notes"]
WORDS = [b"new ServerOptions({", b"agentName:", b"cli.runApp(", b"...", b"`${", b"/*", b"=>", b"\r\n", b"\xff\xfe"]
WORDS += [b"services:", b"environment:", b"<<: *a", b"&a", b"- ", b"WorkerOptions(", b"@server.rtc_session", b"**x"]
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, name: str, content: bytes) -> Setup:
    """What a project of one file, and the file alone, say; the last is given back."""
    (folder / name).write_bytes(content)
    read_project(folder)
    try:
        read_livekit_config(folder / name)
    except FletcherError as error:
        assert str(error)  # noqa: PT017  # an error with a sentence is an answer, too
    return read_project(folder / name)


@given(name=st.sampled_from(NAMES), content=st.binary(max_size=300))
@example(name="livekit.yaml", content=b"- " * 5000)
@example(name="livekit.yaml", content=b"[" * 5000)
@example(name="livekit.yaml", content=b"{a: " * 5000)
@example(name="a.ts", content=b"cli.runApp(" + b"(" * 5000)
@example(name="a.ts", content=b"const a = " + b"!" * 5000 + b"a; cli.runApp(new ServerOptions({agentName: a}))")
@example(name="a.py", content=b"cli.run_app(WorkerOptions(agent_name=" + b"(" * 3000 + b"'a'" + b")" * 3000 + b"))")
@example(name="a.ts", content=b"\xef\xbb\xbf")
@example(name="a.ts", content=b"\xff\xfea")
@FAST
def test_any_bytes_give_an_answer(name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No content of any kind of file makes the reader fail."""
    assert isinstance(read(tmp_path_factory.mktemp("any"), name, content), Setup)


@given(path=st.sampled_from(CASES), data=st.data())
@FAST
def test_a_mutated_source_gives_an_answer(
    path: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A source that is cut, doubled or spoilt anywhere is read as far as it goes."""
    raw = path.read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 60)))
    middle = data.draw(st.one_of(st.just(raw[start:end] * 2), st.sampled_from(WORDS), st.binary(max_size=8)))
    mutated = raw[:start] + middle + raw[end:]
    assert isinstance(read(tmp_path_factory.mktemp("mutated"), path.name, mutated), Setup)


def test_links_and_odd_files_become_unread_entries(tmp_path: Path) -> None:
    """A link in a circle, out of the project or to nothing, a pipe and a folder without permission end nothing."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "loop").symlink_to(tmp_path)
    (tmp_path / "inner" / "self.ts").symlink_to(tmp_path / "inner" / "self.ts")
    (tmp_path / "outside").symlink_to("/")
    (tmp_path / "nowhere.ts").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.ts")
    (tmp_path / "huge.ts").write_bytes(b"// AccessToken livekit\n" * 60_000)
    (tmp_path / "agent.ts").write_text("cli.runApp(new ServerOptions({ agentName: 'still-found' }));\n")
    found = read_project(tmp_path)
    assert [worker.agent_name for worker in found.workers] == ["still-found"]
    unread = {Path(entry.source).name: entry.why for entry in found.unread}
    assert set(unread) == {"loop", "self.ts", "outside", "nowhere.ts", "huge.ts"}
    assert "leads back" in unread["loop"]
    assert "larger" in unread["huge.ts"]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    """A path that is not there is named in the sentence for the person."""
    with pytest.raises(FletcherError, match="nothing-here"):
        read_project(tmp_path / "nothing-here")
    with pytest.raises(FletcherError, match="nothing-here"):
        read_livekit_config(tmp_path / "nothing-here")


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """The value of a secret is in no part of what is read, whichever file it stands in."""
    secret = "7mZp4QvX9sKd2LwE8rTn5YbC1fHgJ6uA"
    files = {
        ".env": f"LIVEKIT_API_SECRET={secret}\nLIVEKIT_URL=ws://host\n",
        "livekit.yaml": f"keys: {{devkey: {secret}}}\nrtc:\n  node_ip: 10.0.0.1\n",
        "inner/livekit.yaml": f"keys:\n  devkey: {secret}\nport: 7880\n",
        "compose.yaml": f'services:\n  livekit:\n    environment:\n      LIVEKIT_KEYS: "devkey: {secret}"\n'
        f"      LIVEKIT_CONFIG: |\n        port: 7880\n        keys:\n          devkey: {secret}\n",
        "token.ts": f"import {{ AccessToken }} from 'livekit-server-sdk';\nconst token = new AccessToken('devkey', '{secret}', {{ identity: 'me' }});\n",
        "token.py": f"from livekit.api import AccessToken\ntoken = AccessToken(api_key='devkey', api_secret='{secret}')\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    found = read_project(tmp_path)
    assert len(found.server) == 3
    assert len(found.token_makers) == 2
    assert secret not in repr(found)


def test_many_files_are_read_in_time(tmp_path: Path) -> None:
    """A project of two thousand files takes seconds, not minutes."""
    filler = "export const value = { agentName: 'not-a-worker', items: [1, 2, 3] };\n" * 40
    for number in range(2000):
        folder = tmp_path / f"part-{number % 40}"
        folder.mkdir(exist_ok=True)
        (folder / f"file-{number}.ts").write_text(filler)
    (tmp_path / "agent.ts").write_text("import { cli, ServerOptions } from '@livekit/agents';\n" * 1)
    began = time.monotonic()
    read_project(tmp_path)
    assert time.monotonic() - began < 10


def test_merged_setups_hold_each_entry_once(tmp_path: Path) -> None:
    """The same project given twice says the same as given once."""
    (tmp_path / "agent.ts").write_text("cli.runApp(new ServerOptions({ agentName: 'a' }));\n")
    once = read_project(tmp_path)
    assert merge([once, read_project(tmp_path)]) == once
    assert merge([]) == Setup()
