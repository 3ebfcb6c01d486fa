from functools import partial

import livekit.agents as lk
from livekit import agents
from livekit.agents import WorkerOptions as Options
from livekit.agents import cli as runner

NAME = f"{'acme'}-bot"
options = {"entrypoint_fnc": entry, "agent_name": NAME, "initialize_process_timeout": 5 * 4}


def make(name: str = "by-default") -> Options:
    return Options(entrypoint_fnc=entry, agent_name=name)


runner.run_app(Options(**options))
agents.cli.run_app(agents.WorkerOptions(entrypoint_fnc=entry, agent_name="a" "b"))
lk.cli.run_app(lk.WorkerOptions(entry, agent_name="by-alias"))
runner.run_app(make("by-position"))
runner.run_app(make(name="by-keyword"))
runner.run_app(make())
kept = Options(entrypoint_fnc=entry)
kept.agent_name = "set-later"
runner.run_app(kept)
runner.run_app(Options(**dict(entrypoint_fnc=entry, agent_name="from-dict-call")))
runner.run_app(Options(**{**options, "agent_name": "overridden"}))
