from livekit.agents import WorkerOptions, cli

def broken(:
    pass

cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name="still-read"))
