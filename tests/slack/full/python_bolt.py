"""The same app as node/bolt.mjs, on Slack's own Bolt for Python with its standard, blocking client of Socket Mode."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_sdk import WebClient

Json = dict[str, Any]


def text(said: str) -> Json:
    """A text object."""
    return {"type": "plain_text", "text": said}


BUTTON = {"type": "button", "action_id": "approve", "text": text("Approve"), "value": "RUN"}
INPUT = {"type": "plain_text_input", "action_id": "reason"}
VIEW = {
    "type": "modal", "callback_id": "deny", "title": text("Deny"), "submit": text("Deny"),
    "blocks": [{"type": "input", "block_id": "why", "label": text("Why"), "element": INPUT}],
}  # fmt: skip


def main() -> None:
    """Answer until the input ends."""
    logging.disable(logging.ERROR)
    client = WebClient(os.environ.pop("SLACK_BOT_TOKEN"), base_url=os.environ["SLACK_API_URL"])
    app = App(client=client)

    @app.command("/fletcher")
    def command(ack: Any, command: Json, client: WebClient, respond: Any) -> None:  # noqa: ANN401  # Bolt's own
        ack()
        blocks = [{"type": "actions", "elements": [BUTTON]}]
        client.chat_postMessage(channel=command["channel_id"], text=f"heard {command['text']}", blocks=blocks)
        respond("only you")

    @app.action("approve")
    def approve(ack: Any, body: Json, client: WebClient) -> None:  # noqa: ANN401  # Bolt's own
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=VIEW)

    @app.view("deny")
    def deny(ack: Any, view: Json) -> None:  # noqa: ANN401  # Bolt's own
        why = view["state"]["values"]["why"]["reason"]["value"]
        ack(response_action="errors", errors={"why": "too short"}) if len(why) < 4 else ack()

    @app.event("app_mention")
    def mentioned(event: Json, client: WebClient) -> None:
        thread = event.get("thread_ts") or event["ts"]
        client.chat_postMessage(channel=event["channel"], thread_ts=thread, text="mentioned")

    @app.message("help")
    def message(say: Any) -> None:  # noqa: ANN401  # Bolt's own
        say("hello")

    @app.event("app_home_opened")
    def opened(event: Json, client: WebClient) -> None:
        view = {"type": "home", "blocks": [{"type": "header", "text": text("Home")}]}
        client.views_publish(user_id=event["user"], view=view)

    @app.shortcut("diagnose_message")
    def shortcut(ack: Any, shortcut: Json, client: WebClient) -> None:  # noqa: ANN401  # Bolt's own
        ack()
        said = f"read {shortcut['message']['text']}"
        client.chat_postEphemeral(channel=shortcut["channel"]["id"], user=shortcut["user"]["id"], text=said)

    handler = SocketModeHandler(app, os.environ["SLACK_APP_TOKEN"], ping_interval=1)
    handler.connect()  # type: ignore[no-untyped-call]  # Bolt's
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()
    os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    main()
