from livekit.agents import WorkerOptions, cli

if LOCAL:
    cli.run_app(WorkerOptions(entrypoint_fnc=local, agent_name="local"))
else:
    cli.run_app(WorkerOptions(entrypoint_fnc=remote, agent_name="remote"))
