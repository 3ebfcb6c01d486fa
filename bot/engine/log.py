"""The engine's own log: a line of JSON for each record, with the run that it is about, and no secret in it."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TextIO

from bot.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOGGERS: Final = ("fletcher", "dbos", "apscheduler")


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


class _To(logging.StreamHandler[TextIO]):
    """What cannot be written, as on a full disk, is lost; it is no reason to write traces onto somebody's terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Go on."""


class _Warned(logging.Handler):
    """Tells warnings to somebody who watches, each as one sentence."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # what is graver is a bug, which its run says
            with suppress(OSError, ValueError):  # where he watches may be on the full disk, too
                self._tell(redact(record.getMessage()))


@contextmanager
def logged(to: TextIO, tell: Callable[[str], object] | None = None) -> Iterator[None]:
    """Write the log there for a while, and nowhere else; `tell` gets the sentences of warnings too."""
    handler = _To(to)
    handler.setFormatter(_Line())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [handler], False
    logging.getLogger("fletcher").setLevel(logging.INFO)
    if tell is not None:
        logging.getLogger("fletcher").addHandler(_Warned(tell))
    for library in _LOGGERS[1:]:  # their warnings are about themselves, such as that they are ended
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)
