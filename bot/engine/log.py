"""The engine's own log: a line of JSON for each record, with the run that it is about, and no secret in it."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGERS: Final = ("fletcher", "dbos")


class _Line(logging.Formatter):
    """One record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "from": record.name,
        }
        run = getattr(record, "run", None) or getattr(record, "operationUUID", None)
        if run:
            told["run"] = run
        told["says"] = redact(record.getMessage())
        if record.exc_info:
            told["trace"] = redact(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


@contextmanager
def logged(to: TextIO) -> Iterator[None]:
    """Write the log there for a while, and nowhere else."""
    handler = logging.StreamHandler(to)
    handler.setFormatter(_Line())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [handler], False
    logging.getLogger("fletcher").setLevel(logging.INFO)
    logging.getLogger("dbos").setLevel(logging.ERROR)  # its warnings are about itself, such as that it is ended
    try:
        yield
    finally:
        for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)
