"""What docs/slack.md tells a newcomer to do can be done."""

from __future__ import annotations

import re
from pathlib import Path

from bot.doors.slack.checks import scopes
from bot.doors.slack.words import VERBS
from bot.settings import ENVIRONMENT
from tests.fletcher import fletcher

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "slack.md").read_text(encoding="utf-8")


def test_its_fletcher_toml_is_one(here: Path) -> None:
    """The file as it stands there is right, word for word."""
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (here / "fletcher.toml").write_text(example, encoding="utf-8")
    done = fletcher("config", "check")
    assert done.code == 0, done.err


def test_it_says_what_each_scope_is_for() -> None:
    """Every scope of the manifest has its row, and no other has."""
    table = GUIDE.partition("| scope | without it |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+:?[a-z_]+)`", re.sub(r"\| [^|]* \|$", "|", table, flags=re.MULTILINE))) == scopes()


def test_its_commands_variables_and_verbs_are_there() -> None:
    """No option, no variable and no verb is told that is none."""
    for verb in set(re.findall(r"`?fletcher ([a-z]+)", GUIDE)) - {*VERBS} - {"init"}:
        assert verb in fletcher("--help").out, verb
    assert set(re.findall(r"(?<=[ `])--[a-z-]+", GUIDE)) <= {"--channel", "--json", "--detach", "--build"}
    assert set(re.findall(r"SLACK_[A-Z_]+", GUIDE)) <= ENVIRONMENT.keys()
    assert set(re.findall(r"(?:/|@)fletcher ([a-z]+)", GUIDE)) <= {*VERBS}
