"""`fletcher slack doctor` and `manifest`, as a person calls them: each thing that is wrong is said, with what mends it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bot.doors.slack.checks import manifest, scopes
from bot.doors.slack.sample import shown
from bot.report.slack.message import Message
from bot.report.slack.rules import broken
from tests.doubles.slack import ADA, ARCHIVED, DEV, GRACE, GUEST, OPS, OUTSIDE, SHARED, Slack
from tests.fletcher import fletcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, str]
SETTINGS = f"""
[[person]]
name = "ada"
slack = "{ADA}"

[[person]]
name = "grace"
slack = "{GRACE}"

[policy]
run = [{{who = ["ada"]}}]
approve = [{{who = ["grace"], doors = ["slack"]}}]
ask-in = "{OPS}"
"""


@pytest.fixture
def slack(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """A workspace with the app as the manifest has it, and a folder that is set up for it."""
    (here / "fletcher.toml").write_text(SETTINGS, encoding="utf-8")
    with Slack(scopes=tuple(scopes())) as slack:
        for name, value in slack.environment.items():
            monkeypatch.setenv(name, value)
        yield slack


def doctor(*args: str) -> tuple[int, list[Row]]:
    """The exit code and the checks."""
    done = fletcher("slack", "doctor", "--json", *args)
    told: list[Row] = json.loads(done.out)["checks"]
    assert all(row["mend"] for row in told if row["status"] in {"bad", "warn"}), told
    return done.code, told


def wrong(told: list[Row]) -> list[str]:
    """The sentences of what is not as it should be."""
    return [f"{row['status']} {row['name']}: {row['sentence']}" for row in told if row["status"] != "ok"]


def test_where_all_is_well_it_says_so(slack: Slack) -> None:
    """Every check holds, and nothing is left in the channel that it posted in."""
    code, told = doctor("--channel", OPS)
    assert (code, wrong(told)) == (0, [])
    assert [row["name"] for row in told] == [
        "bot", "scopes", "connection", "messages", "persons", "persons", "policy", "channel", "channel",
    ]  # fmt: skip
    assert slack.messages(OPS) == []
    assert {call.method for call in slack.journal} >= {
        "chat.postMessage",
        "chat.update",
        "chat.delete",
        "blocks.validate",
    }
    assert "ok      scopes" in fletcher("slack", "doctor").out


def test_where_people_are_told_of_probes_is_looked_at(here: Path, slack: Slack) -> None:
    """A channel that it was not invited to would take no alert; each is asked about once."""
    probes = f'[probes]\nalert-in = "{OUTSIDE}"\n' + "".join(
        f'[[probe]]\nrunbook = "{one}"\nevery = "1m"\n{channel}'
        for one, channel in (("a", ""), ("b", ""), ("c", f'channel = "{OPS}"\n'))
    )
    (here / "fletcher.toml").write_text(SETTINGS + probes, encoding="utf-8")
    code, told = doctor()
    assert (code, [row["name"] for row in told].count("channel"), len(wrong(told))) == (1, 2, 1)
    assert f"Fletcher is not in {OUTSIDE}" in wrong(told)[0]
    assert slack.messages(OPS) == []


CASES: dict[str, tuple[str, str, str]] = {
    "revoked": ("token_revoked", "bad bot: Slack says token_revoked", "Install the app again"),
    "busy": ("ratelimited", "unknown bot: Slack says ratelimited", "Try again"),
}


@pytest.mark.parametrize(("error", "says", "mend"), CASES.values(), ids=CASES)
def test_a_bot_that_slack_does_not_know_is_the_first_thing_to_mend(
    slack: Slack, error: str, says: str, mend: str
) -> None:
    """What hangs on it is not asked."""
    slack.fail("auth.test", error)
    _, told = doctor("--channel", OPS)
    assert wrong(told)[0].startswith(says)
    assert told[0]["mend"].startswith(mend)
    assert [row["name"] for row in told] == ["bot", "connection"]


def test_scopes_are_compared_with_the_manifest(slack: Slack) -> None:
    """One that is missing is bad, one too many is worth a warning."""
    slack.scopes.add("channels:history")
    assert wrong(doctor()[1]) == ["warn scopes: The token has more than Fletcher uses: channels:history."]
    slack.scopes.discard("files:write")
    code, told = doctor()
    assert (code, wrong(told)) == (1, ["bad scopes: The token lacks files:write."])


def test_the_app_token_is_tried_too(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without connections:write, and one that is none."""
    slack.fail("apps.connections.open", "missing_scope")
    _, told = doctor()
    assert ["bad", "connections:write" in told[2]["mend"]] == [told[2]["status"], True]
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1-another")
    assert wrong(doctor()[1])[0].startswith("bad connection: Slack says invalid_auth")


@pytest.mark.parametrize(
    ("channel", "says"),
    [(OUTSIDE, "Fletcher is not in"), (ARCHIVED, "is archived"), (SHARED, "is shared with another"), ("C0NOWHERE1", "channel_not_found")],
)  # fmt: skip
def test_a_channel_of_the_policy_has_to_take_what_is_posted(here: Path, slack: Slack, channel: str, says: str) -> None:
    """It is only looked at, since nobody asked to have something posted."""
    (here / "fletcher.toml").write_text(SETTINGS.replace(OPS, channel), encoding="utf-8")
    code, told = doctor()
    assert (code, [says in one for one in wrong(told)]) == (1, [True])
    assert "chat.postMessage" not in {call.method for call in slack.journal}


def test_a_channel_that_takes_nothing_is_told(slack: Slack) -> None:
    """Where a message was to be posted, and Fletcher is not there."""
    code, told = doctor("--channel", OUTSIDE)
    assert (code, wrong(told)) == (1, [f"bad channel: Slack says not_in_channel. The channel is {OUTSIDE}."])
    assert slack.messages(OUTSIDE) == []


@pytest.mark.usefixtures("slack")
def test_people_and_policy_are_looked_at(here: Path) -> None:
    """Somebody who is not there, a guest, nobody at all, and no policy."""
    other = SETTINGS.replace(ADA, "U0NOBODY01").replace(GRACE, GUEST)
    (here / "fletcher.toml").write_text(other, encoding="utf-8")
    assert [one.split(":")[0] for one in wrong(doctor()[1])] == ["bad persons", "warn persons"]
    (here / "fletcher.toml").write_text('default = ""\n'.replace('default = ""', ""), encoding="utf-8")
    code, told = doctor()
    assert (code, [one.split(":")[0] for one in wrong(told)]) == (0, ["warn persons", "warn policy"])
    (here / "fletcher.toml").write_text(SETTINGS.replace('"slack"]', '"terminal"]'), encoding="utf-8")
    assert wrong(doctor()[1]) == ["warn policy: No line `approve` of [policy] lets anybody approve in Slack."]


def test_messages_that_slack_would_refuse_are_named(slack: Slack) -> None:
    """Each with what Slack says; where it cannot judge them, that is said instead."""
    slack.fail("blocks.validate", "invalid_blocks", times=2)
    assert wrong(doctor()[1])[0].startswith("bad messages: Slack would not take 2 of ")
    slack.fail("blocks.validate", "unknown_method", times=None)
    assert [one.split(".")[0] for one in wrong(doctor()[1])] == [
        "unknown messages: Whether Slack takes what Fletcher shows is not known"
    ]


@pytest.mark.usefixtures("here")
def test_without_tokens_or_network_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, and 2 for a token that can be none."""
    none = fletcher("slack", "doctor")
    assert (none.code, "SLACK_BOT_TOKEN" in none.err) == (4, True)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xapp-1-2")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xoxb-1-2")
    assert fletcher("slack", "doctor").code == 2
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1-2")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1-2")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    away = fletcher("slack", "doctor")
    assert (away.code, "Slack cannot be reached" in away.out) == (4, True)
    assert "xoxb" not in away.out + away.err


def test_no_token_is_ever_shown(slack: Slack) -> None:
    """Neither in what is printed nor in what Slack is asked besides the header."""
    for args in (("--json",), ()):
        done = fletcher("slack", "doctor", *args)
        assert not re.search(r"xox|xapp-", done.out + done.err)
    assert all("xapp-" not in json.dumps(call.args) for call in slack.journal)


# --- the manifest and the samples -----------------------------------------------------------------------


def test_the_manifest_is_printed_as_it_is() -> None:
    """What is printed is the file that is shipped; its scopes are those that the doctor asks for, each with its reason."""
    printed = fletcher("slack", "manifest").out
    document: dict[str, Any] = yaml.safe_load(printed)
    asked = document["oauth_config"]["scopes"]["bot"]
    assert (printed, frozenset(asked)) == (manifest(), scopes())
    for scope in asked:
        assert re.search(rf"^ +- {re.escape(scope)} # \w.+", printed, re.MULTILINE), f"{scope} without a reason"
    assert "user" not in document["oauth_config"]["scopes"]
    assert document["settings"]["socket_mode_enabled"] is True
    assert fletcher("slack", "manifest", "--channel", OPS).code == 2


def test_the_samples_are_all_kinds_that_slack_is_shown() -> None:
    """Each is within our own limits, and every button and dialog is among them."""
    told = dict(shown())
    assert all(broken(one) == () for one in told.values())
    text = json.dumps([one.blocks if isinstance(one, Message) else one for one in told.values()])
    for word in ("approve", "deny", "show_plan", "cancel", "approve_word"):
        assert f'"{word}"' in text


@pytest.mark.usefixtures("slack")
@pytest.mark.parametrize(("channel", "warned"), [(OPS, False), (DEV, True)])
def test_where_it_is_asked_somebody_has_to_be_able_to_answer(here: Path, channel: str, *, warned: bool) -> None:
    """A line `approve` that takes answers from another channel leaves the question without any."""
    lines = SETTINGS.replace('doors = ["slack"]', f'doors = ["slack"], channels = ["{channel}"]')
    (here / "fletcher.toml").write_text(lines, encoding="utf-8")
    says = [row for row in wrong(doctor()[1]) if row.startswith("warn policy")]
    assert any("ask-in" in row for row in says) == warned
