from livekit.agents import WorkerOptions, cli

from .names import AGENT

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name=AGENT))
