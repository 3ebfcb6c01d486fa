"""How a run looks: the same diagnosis and plan as without an engine, reduced to what is written down."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.diagnose import diagnose
from bot.engine.values import Looked
from bot.evidence.look import Question
from bot.evidence.secrets import secrets_of
from bot.evidence.token import is_token
from bot.evidence.worker_http import is_url
from bot.propose import folder_of, propose
from bot.redact import Redactor
from bot.settings import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.diagnose import Diagnosis
    from bot.engine.values import Order
    from bot.evidence.files import Kind
    from bot.runbook.document import Runbook
    from bot.settings import Target

_QUOTED = 12  # lines that decided which are written down


class Eyes:
    """Looks at what an order is about."""

    def look(self, order: Order, runbook: Runbook, inputs: dict[str, str]) -> Looked:
        """Look, judge and plan. Raises what a diagnosis raises."""
        with self._seen(order, inputs) as answer:
            plan = propose(runbook, inputs, answer.look, answer.verdicts)
            rows = [row for row in answer.verdicts.rows if row.room == plan.room] or list(answer.verdicts.rows)[:1]
            quotes = [answer.look.quote(cite) for row in rows for cite in row.evidence][:_QUOTED]
            live = answer.look.live
            roots = [path for kind, path in _files(order) if kind in {"project", "config", "any"}]
            return Looked(
                plan=plan, verdict=rows[0].verdict if rows else "inconclusive", folder=str(Path(order.here, folder_of(answer.look)).absolute()),
                roots=tuple(dict.fromkeys([*roots, *([live.folder] if live is not None and live.folder else [])])),
                quotes=tuple(f"{source}:{line}  {text}" for source, line, text in quotes),
            )  # fmt: skip

    def redactor(self, order: Order, looked: Looked) -> Redactor:
        """Who masks the secrets of what was looked at: those of the target, and of the files that were read."""
        target = target_of(order)
        found = frozenset[str]().union(*(secrets_of(root) for root in looked.roots if Path(root).exists()))
        return Redactor.of(found | ({target.api_secret} if target.api_secret else set()))

    @contextmanager
    def _seen(self, order: Order, inputs: dict[str, str]) -> Iterator[Diagnosis]:
        files = _files(order)
        rooms = tuple(dict.fromkeys([*order.rooms, *([inputs["room"]] if inputs.get("room") else [])]))
        running = target_of(order) if order.live or not files else None
        asked = Question(files, rooms, order.since or None, order.until or None, running, counted=True, here=order.here)
        with diagnose(asked) as answer:
            yield answer


def target_of(order: Order) -> Target:
    """The deployment that an order means. Raises UsageError, WrongDocument."""
    config = Path(order.config) if order.config else None
    return targets(os.environ, Path(order.here), config).choose(order.target or None, **order.fields)


def _files(order: Order) -> tuple[tuple[Kind, str], ...]:
    """The files that were given, found from the folder in which they were."""
    here = Path(order.here)
    alone = here.absolute() == Path.cwd()
    return tuple(
        (kind, path if alone or path == "-" or is_url(path) or is_token(path, kind) else str(here / path))
        for kind, path in order.files
    )
