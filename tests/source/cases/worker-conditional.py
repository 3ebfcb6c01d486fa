import sys

from livekit.agents import WorkerOptions, cli

if "--dev" in sys.argv:
    name = "bot-dev"
else:
    name = "bot"
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=name))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name="a" if sys.argv else "a"))
