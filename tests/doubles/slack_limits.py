"""What Slack refuses for its size or form, by the limits that its documents and packages name; not ours but Slack's own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
ALL_TEXT = 13_200  # of the blocks of a message; undocumented, the most that somebody got through
_IN_MESSAGES = {
    "section", "header", "actions", "context", "divider", "image", "rich_text", "markdown", "table", "video", "file",
    "context_actions", "task_card", "plan", "card", "carousel", "input",
}  # fmt: skip
_IN_VIEWS = {"section", "header", "actions", "context", "divider", "image", "rich_text", "input", "video", "alert"}
# By the field's owner: (field, the most characters).
_LENGTHS = {
    "section": (("text", 3000),), "header": (("text", 150),), "button": (("text", 75), ("value", 2000), ("url", 3000)),
    "markdown": (("text", 12_000),), "option": (("text", 75), ("value", 150)), "image": (("alt_text", 2000), ("title", 2000)),
    "input": (("label", 2000), ("hint", 2000)), "plain_text_input": (("placeholder", 150),),
    "confirm": (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)),
}  # fmt: skip
_COUNTS = {"section": ("fields", 10), "context": ("elements", 10), "actions": ("elements", 25), "table": ("rows", 100)}
_IDS = ("action_id", "block_id", "callback_id", "external_id")


def of_message(args: Json, *, update: bool) -> tuple[str, list[str]]:
    """The error with which Slack refuses a message, and what it says about it; ("", []) where it takes it."""
    text, blocks = args.get("text") or "", args.get("blocks") or []
    if update and len(text) > 4000:
        return "msg_too_long", []
    if not isinstance(blocks, list):
        return "invalid_blocks_format", []
    if trouble := [*_blocks(blocks, MESSAGE_BLOCKS, _IN_MESSAGES)]:
        return "invalid_blocks", trouble
    if sum(map(len, _texts(blocks))) > ALL_TEXT:
        return "msg_blocks_too_long", []
    if not text and not blocks and not args.get("attachments"):
        return "no_text", []
    return "", []


def of_view(view: Json) -> tuple[str, list[str]]:
    """The error with which Slack refuses a view, and what it says about it."""
    modal = view.get("type") == "modal"
    trouble = [] if view.get("type") in {"modal", "home"} else ["view type is unknown [json-pointer:/view/type]"]
    for name, most in (("title", 24), ("submit", 24), ("close", 24)):
        if modal and len(_text(view.get(name))) > most:
            trouble.append(f"must be less than {most + 1} characters [json-pointer:/view/{name}]")
    if modal and not _text(view.get("title")):
        trouble.append("missing required field: title [json-pointer:/view]")
    if len(view.get("private_metadata") or "") > 3000:
        trouble.append("must be less than 3001 characters [json-pointer:/view/private_metadata]")
    blocks = view.get("blocks") or []
    if modal and any(b.get("type") == "input" for b in blocks) and not view.get("submit"):
        trouble.append("submit is required where there are input blocks [json-pointer:/view/submit]")
    trouble += _blocks(blocks, VIEW_BLOCKS, _IN_VIEWS)
    return ("invalid_arguments", trouble) if trouble else ("", [])


def of_blocks(blocks: list[Json]) -> list[str]:
    """What `blocks.validate` has to say."""
    return [*_blocks(blocks, MESSAGE_BLOCKS, _IN_MESSAGES)]


def _blocks(blocks: list[Json], most: int, known: set[str]) -> Iterator[str]:
    if len(blocks) > most:
        yield f"no more than {most} items allowed [json-pointer:/blocks]"
    for number, block in enumerate(blocks):
        at = f"/blocks/{number}"
        if block.get("type") not in known:
            yield f"unsupported type: {block.get('type')} [json-pointer:{at}/type]"
        yield from _node(block, at)
        yield from _whole(block, at)
    for name, of in (("block_id", [blocks]), ("action_id", [b.get("elements") or [] for b in blocks])):
        for group in of:
            seen = Counter(one.get(name) for one in group if isinstance(one, dict))
            yield from (f"{name} {key} is not unique" for key, n in seen.items() if key and n > 1)


def _whole(block: Json, at: str) -> Iterator[str]:
    kind = block.get("type")
    if kind == "section" and not block.get("text") and not block.get("fields"):
        yield f"missing required field: text [json-pointer:{at}]"
    if kind == "header" and (block.get("text") or {}).get("type") != "plain_text":
        yield f"must be plain_text [json-pointer:{at}/text]"
    if kind in {"actions", "context", "rich_text"} and not block.get("elements"):
        yield f"no fewer than 1 items allowed [json-pointer:{at}/elements]"


def _node(node: Any, at: str, role: str = "") -> Iterator[str]:  # noqa: ANN401  # any part of a JSON document
    if isinstance(node, list):
        for number, one in enumerate(node):
            yield from _node(one, f"{at}/{number}", role)
        return
    if not isinstance(node, dict):
        return
    kind = role or str(node.get("type", ""))
    for name, longest in _LENGTHS.get(kind, ()):
        if len(_text(node.get(name))) > longest:
            yield f"must be less than {longest + 1} characters [json-pointer:{at}/{name}]"
    name, most = _COUNTS.get(kind, ("", 0))
    if name and len(node.get(name) or ()) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}/{name}]"
    for name in _IDS:
        if len(node.get(name) or "") > 255:
            yield f"must be less than 256 characters [json-pointer:{at}/{name}]"
    if node.get("type") in {"mrkdwn", "plain_text", "text"} and not node.get("text"):
        yield f"must be more than 0 characters [json-pointer:{at}/text]"
    if kind == "button" and node.get("style", "danger") not in {"primary", "danger"}:
        yield f"style is unknown [json-pointer:{at}/style]"
    for name, value in node.items():
        inner = {"confirm": "confirm", "options": "option", "fields": "field"}.get(name, "")
        if inner == "field" and any(len(_text(one)) > 2000 for one in value or ()):
            yield f"must be less than 2001 characters [json-pointer:{at}/fields]"
        if isinstance(value, dict | list):
            yield from _node(value, f"{at}/{name}", inner if inner != "field" else "")


def _text(value: Any) -> str:  # noqa: ANN401  # a text object or a plain string
    return str(value.get("text") or "") if isinstance(value, dict) else value if isinstance(value, str) else ""


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401  # any part of a JSON document
    if isinstance(node, list):
        for one in node:
            yield from _texts(one)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
