from livekit.agents import WorkerOptions, cli

NAME = "old-name"
TITLE = NAME.title()

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name=NAME))
