from livekit.agents import AgentServer, JobType, ServerType, WorkerOptions, WorkerType, cli

cli.run_app(WorkerOptions(entrypoint_fnc=e, worker_type=WorkerType.PUBLISHER))
cli.run_app(WorkerOptions(entrypoint_fnc=e, worker_type=WorkerType.ROOM))
cli.run_app(WorkerOptions(entrypoint_fnc=e, worker_type=JobType.JT_PUBLISHER))
cli.run_app(WorkerOptions(entrypoint_fnc=e, worker_type=choose()))
