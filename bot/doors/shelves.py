"""Where runbooks are looked for: the folders of the command line, and those of fletcher.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def folders(given: Sequence[str], config: str | None = None) -> list[Path]:
    """The folders beside the shipped one; `config` names a fletcher.toml, else the usual one is read.

    Raises UsageError for a folder of fletcher.toml that is not there, and as reading the settings does.
    """
    from bot.settings import targets

    document = targets(os.environ, Path(), Path(config) if config else None).document
    declared = document.runbooks if document is not None else ()
    for folder in declared:
        if not folder.is_dir():
            raise UsageError(f"no such folder: {folder}, which `runbooks` in {document.path if document else ''} names")
    return [*(Path(folder) for folder in given), *declared]
