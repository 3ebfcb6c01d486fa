import os

from livekit.agents import WorkerOptions, cli

options = WorkerOptions(entrypoint_fnc=entrypoint)
if os.environ["STAGE"] == "live":
    options.agent_name = "live"
cli.run_app(options)
