import os

from livekit.agents import WorkerOptions, cli

opts = WorkerOptions(entrypoint_fnc=entrypoint, agent_name="live" if os.getenv("LIVE") else "test")
cli.run_app(opts)
