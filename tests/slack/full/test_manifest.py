"""The app's manifest, judged by the type that Slack publishes for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from tests.slack.full.parts import Parts

MANIFEST = Path(__file__).resolve().parents[3] / "bot" / "doors" / "slack" / "manifest.yaml"
SCRIPT = """\
import type {{ AppsManifestValidateArguments }} from '@slack/web-api';
export const manifest: Exclude<AppsManifestValidateArguments['manifest'], string> = {};
"""


def test_the_manifest_is_one(parts: Parts) -> None:
    """It compiles as Slack's type; with a scope that is none it does not."""
    text = json.dumps(yaml.safe_load(MANIFEST.read_text(encoding="utf-8")), indent=1)
    for given, right in (
        (text, True),
        (text.replace("chat:write", "chat:wrte"), False),
        (text.replace("bot_user", "bott"), False),
    ):
        (parts.home / "manifest.ts").write_text(SCRIPT.format(given), encoding="utf-8")
        told = parts.typed("manifest.ts")
        assert (not told) is right, told
