"""`fletcher serve` in a process of its own with a probe that takes a while and says in a file that it looked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent.parent
#: Appends a line to `looked` and takes 200 ms; its check matches, which is red, while there is a file `bad`.
LOOK = """\
---
runbook: 1
id: look
title: It is well
inputs:
  name: {type: string, default: look}
---

# It is well

```sh { check name=bad }
sleep 0.2
echo "$IN_NAME" >>looked
test -e bad
```
"""


def declare(folder: Path, *probes: str, more: str = "", **names: str) -> None:
    """A project with the runbook `look`; each of `probes` is what a [[probe]] says beside it, `names` is for a name each."""
    (folder / "books").mkdir(exist_ok=True)
    (folder / "books" / "look.md").write_text(LOOK, encoding="utf-8")
    said = [*probes, *(f'name = "{name}"\ninputs = {{name = "{name}"}}\n{text}' for name, text in names.items())]
    text = "".join(f'[[probe]]\nrunbook = "look"\n{one}\n' for one in said)
    (folder / "fletcher.toml").write_text(f'runbooks = ["books"]\n{text}{more}', encoding="utf-8")


class Served:
    """A context manager: one `fletcher serve` in a folder, which may be killed or frozen; its log is `NAME.log`."""

    def __init__(self, folder: Path, name: str = "serve", env: Mapping[str, str] | None = None) -> None:
        self.folder, self.log = folder, folder / f"{name}.log"
        self._env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DOCKER_HOST": f"unix://{folder}/none.sock", **(env or {})}  # fmt: skip

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "bot", "serve"]
            self.process = subprocess.Popen(argv, cwd=self.folder, env=self._env, stderr=log, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        self.process.wait(60)

    def send(self, what: signal.Signals) -> None:
        """A signal, such as SIGKILL, SIGSTOP or SIGCONT."""
        self.process.send_signal(what)

    def kill(self) -> None:
        """As a power cut does it."""
        self.send(signal.SIGKILL)
        self.process.wait(60)

    def says(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8")
