from livekit.agents import WorkerOptions, cli

from .agent import entrypoint

COMMON = {
    "agent_name": "in-a-dict",  # shared
    "num_idle_processes": 1,
}

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, **COMMON))
