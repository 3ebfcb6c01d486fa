"""The runbook that `fletcher runbooks new` writes: it reads well, lints clean, and changes nothing much."""

from __future__ import annotations

from typing import Final

_TEXT: Final = """\
---
runbook: 1
id: {id}
title: {title}
summary: One sentence that says what is wrong when this helps.
inputs:
  window: {{type: duration, default: 15m, max: 24h}}
---

# {title}

What people see, in a sentence or two.

## 1. Is it this problem?

What proves it. A check reads only; `fletcher runbooks test {id}` tries it on recorded logs.

```yaml {{ check name=seen timeout=20s }}
logs: {{service: voice-agent, since: "${{window}}"}}
require:
  - {{match: the line that proves it}}
fix: [restart-agent]
```

## 2. Mend it

> [!WARNING]
> Restarting the agent ends the sessions that it serves.

```sh {{ compose name=restart-agent when=seen }}
docker compose restart voice-agent
```

## 3. Did it work?

```yaml {{ verify name=agent-back after=restart-agent timeout=90s settle=10s }}
logs: {{service: voice-agent, since: "step:restart-agent"}}
require:
  - {{match: registered worker}}
```
"""


def skeleton(own: str) -> str:
    """The text of a new runbook of this id."""
    return _TEXT.format(id=own, title=own.replace("-", " ").capitalize())
