# agent_name="in-a-comment"
"""cli.run_app(WorkerOptions(agent_name="in-a-text"))"""

from livekit.agents import WorkerOptions, cli

OTHER = {"agent_name": "in-another-dict"}
register(agent_name="in-another-call", load_fnc=lambda: 0.0)
cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name="real"))  # agent_name="behind"
