cli.run_app(WorkerOptions(
    entrypoint_fnc=entrypoint,
    agent_name="in-notes"
))
