from livekit.agents import WorkerOptions, cli

OPTIONS = {"agent_name": "in-a-dict", "port": 8081}
print(OPTIONS["agent_name"])
cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, **OPTIONS))
